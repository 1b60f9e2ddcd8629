"""Reference spotter: optical strain.

After Shreve, Godavarthy, Goldgof & Sarkar, "Macro- and micro-expression spotting in long videos using spatio-temporal
strain" (2011), and Shreve et al., "Automatic expression spotting in videos" (2014): skin that is stretched and squeezed
tells expressions from head motion, which moves all of it. Optical strain against a reference picture is averaged over
forehead, cheeks and mouth, each for itself; eyes are left out, they blink. A peak above the region's threshold is an
expression; what lasts at most half a second (Yan et al. 2013) is micro.

What the papers leave open or a long video needs: the reference picture is not the first of the video but 0.5 to 6 s
old, one of two that are renewed by turns, whichever the strain against is less, so that one taken during an expression
does no harm; the threshold is the region's mean strain and two standard deviations, and at least what a movement of
about 1 % of the inter-ocular distance strains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, to_s
from modalities.face.flow_methods import DenseFlow, dense_flow
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.bands import even_times, judged_runs, resample, rolling_median, smooth
from modalities.face.spotting.base import MACRO_S, MICRO_S, Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.differences import describe, reduced_of
from modalities.face.spotting.peaks import find_expressions
from modalities.face.strain import optical_strain

AREAS: dict[str, tuple[int, ...]] = {
    "forehead": (103, 67, 109, 10, 338, 297, 332, 334, 296, 336, 285, 8, 55, 107, 66, 105),
    "cheek_right": (116, 117, 118, 119, 100, 142, 203, 206, 207, 187, 123),
    "cheek_left": (345, 346, 347, 348, 329, 371, 423, 426, 427, 411, 352),
    "mouth": (164, 391, 322, 410, 287, 273, 335, 406, 313, 18, 83, 182, 106, 43, 57, 186, 92, 165),
}
"""Landmarks around each area."""
RENEW_S, YOUNGEST_S = 3.0, 0.5
"""Each of the two reference pictures is renewed after twice the first, and used from the second on."""
BASELINE_S = 20.0
DEVIATIONS = 2.0
LEAST_STRAIN = 0.01
"""Least mean strain of an area that counts."""
LEAST_STEP_S = 0.0155
"""At most about 60 pictures a second are looked at."""
SHORTEST_S, LONGEST_S = 0.06, 1.25 * MACRO_S


class StrainSpotter:
    """Peaks of optical strain."""

    name = "strain"

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return StrainReducer()

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        table = reduced_of(signals, self.name, len(AREAS) + 1)
        usable = signals.judged & (table[:, -1] > 0)
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        rows = np.flatnonzero(usable)
        if len(rows) < 3:
            return Spotting((), evidence)
        times_ns, strain = signals.times_ns[rows], table[rows, :-1].astype(np.float64)
        for run in judged_runs(times_ns, np.ones(len(rows), bool), least_s=MICRO_S):
            times = even_times(times_ns[run])
            rate = (len(times) - 1) / to_s(int(times[-1] - times[0]))
            level = _level(smooth(resample(strain[run], times_ns[run], times), rate, 0.025), rate)
            for peak in find_expressions(times, level, np.zeros(len(level))):
                if SHORTEST_S <= peak.duration_s <= LONGEST_S and (peak.whole or peak.duration_s > MICRO_S):
                    kind: Literal["micro", "macro"] = "micro" if peak.duration_s <= MICRO_S else "macro"
                    moments = peak.onset_ns, int(times[peak.at]), peak.offset_ns
                    found.append(describe(kind, moments, peak.height / (1 + peak.height), signals))
            evidence[rows[run]] = resample((level / (1 + level))[:, None], times, times_ns[run])[:, 0]
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


def _level(strain: FloatArray, rate_hz: float) -> FloatArray:
    """The greatest strain of the areas in units of their thresholds, (n,).

    Args:
        strain: Evenly sampled, (n, areas).
        rate_hz: Samples per second.
    """
    above = np.maximum(strain - rolling_median(strain, rate_hz, BASELINE_S), 0)
    threshold = np.maximum(LEAST_STRAIN, above.mean(axis=0) + DEVIATIONS * above.std(axis=0))
    return (above / threshold).max(axis=1)


@dataclass(frozen=True, eq=False, slots=True)
class _Reference:
    t_ns: int
    patch: Picture
    shares: FloatArray


class StrainReducer:
    """Keeps the mean strain of each area of each picture."""

    def __init__(self) -> None:
        self._references: list[_Reference] = []
        self._rows: list[tuple[int, FloatArray]] = []
        self._flow: DenseFlow | None = None
        self._last_ns: int | None = None

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        if self._last_ns is not None and t_ns - self._last_ns < LEAST_STEP_S * NS_PER_S:
            return
        self._last_ns = t_ns
        self._flow = self._flow or dense_flow("dis")
        self._references = [one for one in self._references if t_ns - one.t_ns <= 2 * RENEW_S * NS_PER_S]
        if not self._references or t_ns - self._references[-1].t_ns >= RENEW_S * NS_PER_S:
            self._references.append(_Reference(t_ns, patch.copy(), area_shares(points, len(patch))))
        old = [one for one in self._references if t_ns - one.t_ns >= YOUNGEST_S * NS_PER_S]
        if old:
            strains = [one.shares @ optical_strain(self._flow(one.patch, patch)).ravel() for one in old]
            self._rows.append((number, min(strains, key=lambda strain: float(strain.sum()))))

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: mean strain of each of `AREAS`, and whether there is one, (n, areas + 1)."""
        out = np.zeros((n, len(AREAS) + 1), np.float32)
        if self._rows:
            numbers = [number for number, _ in self._rows]
            out[numbers, :-1] = np.array([strain for _, strain in self._rows])
            out[numbers, -1] = 1
        return out


def area_shares(points: NDArray[np.float32], side: int) -> FloatArray:
    """Matrix whose product with a raveled picture gives the mean of each area, float32 (areas, side^2).

    Args:
        points: Landmarks in the picture, (478, 2).
        side: Of the picture, pixels.
    """
    import cv2

    out = np.zeros((len(AREAS), side, side), np.float32)
    for at, around in enumerate(AREAS.values()):
        hull = cv2.convexHull(np.rint(points[list(around)]).astype(np.int32))
        cv2.fillConvexPoly(out[at], hull, 1.0)
        out[at] /= max(1.0, float(out[at].sum()))
    return out.reshape(len(AREAS), -1)
