"""Reference spotter: LBP chi-square feature difference analysis.

After Moilanen, Zhao & Pietikainen, "Spotting rapid facial movements from videos using appearance-based feature
difference analysis" (2014), and Li et al., "Towards reading hidden emotions" (2018): the aligned face is cut into 6 x 6
blocks; each block's histogram of uniform local binary patterns (8 neighbours, radius 3; Ojala et al. 2002) is compared
by the chi-square distance with the mean of those k before and k after; the mean of the 12 greatest distances is the
frame's difference F. Its contrast F(t) - (F(t - k) + F(t + k)) / 2, negative values set to 0, is compared with
T = mean + tau (max - mean), and a peak above T is an expression of the length of the window, N = 2 k.

The window is the papers' 0.32 s for micro-expressions. They spot no macro-expressions; for these the window is 1.3 s,
what Wang et al. (2017, `mdmd`) take.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.descriptors.sampling import LABELS, NEIGHBOURS, inside, pattern_codes, uniform_bins
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.base import Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.differences import (
    FACE_BOX,
    Kept,
    Triples,
    contrast,
    describe,
    reduced_of,
    relative_level,
    score_of,
)

WINDOWS_S = (0.32, 1.3)
"""N for micro and for macro."""
TAU = 0.3
"""The papers sweep it over 0..1 and name no value of their own."""
BLOCKS, STRONGEST = 6, 12
RADIUS_PX = 3
LEAST_STEP_S = 0.0095
"""At most about 100 pictures a second are looked at."""
_KINDS: tuple[Literal["micro", "macro"], ...] = ("micro", "macro")
_STEPS = tuple(
    (0.0, round(-RADIUS_PX * float(np.sin(angle)), 6), round(RADIUS_PX * float(np.cos(angle)), 6))
    for angle in 2 * np.pi * np.arange(NEIGHBOURS) / NEIGHBOURS
)


class LbpSpotter:
    """Peaks of the feature difference.

    Args:
        tau: Threshold between the mean (0) and the maximum (1) of the contrast.
    """

    name = "lbp"

    def __init__(self, tau: float = TAU) -> None:
        self._tau = tau

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return LbpReducer()

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        from scipy.signal import find_peaks

        table = reduced_of(signals, self.name, 2 * len(WINDOWS_S))
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        for scale, window_s in enumerate(WINDOWS_S):
            rows = np.flatnonzero(signals.judged & (table[:, 2 * scale + 1] > 0))
            if len(rows) < 3:
                continue
            times = signals.times_ns[rows]
            change, there = contrast(times, table[rows, 2 * scale].astype(np.float64), window_s / 2)
            level = relative_level(np.maximum(change, 0), there)
            score = score_of(level, self._tau)
            evidence[rows] = np.maximum(evidence[rows], score)
            step_s = float(np.median(np.diff(times))) / NS_PER_S
            apart = max(1, round(window_s / 4 / step_s))
            half = round(window_s / 2 * NS_PER_S)
            peaks, _ = find_peaks(np.r_[0.0, level, 0.0], height=self._tau, distance=apart)
            for at in (peaks - 1).tolist():
                apex = int(times[at])
                moments = max(apex - half, int(times[0])), apex, min(apex + half, int(times[-1]))
                found.append(describe(_KINDS[scale], moments, float(score[at]), signals))
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


class LbpReducer:
    """Keeps the feature difference of each picture at both windows."""

    def __init__(self) -> None:
        self._triples: Triples[FloatArray] = Triples(tuple(window / 2 for window in WINDOWS_S), LEAST_STEP_S)
        self._kept = Kept(len(WINDOWS_S))

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        if self._triples.wants(t_ns):
            left, top, right, bottom = FACE_BOX
            for one in self._triples.add(block_histograms(patch[top:bottom, left:right]), t_ns, number):
                self._kept.put(one.number, one.scale, feature_difference(one.before, one.now, one.after))

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: difference and whether there is one, at both windows, (n, 4)."""
        return self._kept.table(n)


def feature_difference(before: FloatArray, now: FloatArray, after: FloatArray) -> float:
    """Mean of the greatest chi-square distances between blocks and the mean of their neighbours in time.

    Args:
        before: Histograms k earlier, (blocks, labels).
        now: Of the frame.
        after: k later.
    """
    usual = (before + after) / 2
    total = now + usual
    distance = ((now - usual) ** 2 / np.where(total > 0, total, 1)).sum(axis=1)
    return float(np.sort(distance)[-STRONGEST:].mean())


def block_histograms(face: Picture) -> FloatArray:
    """Relative frequencies of the uniform local binary patterns of each block, float32 (blocks, labels).

    Args:
        face: Grey uint8 (h, w); `RADIUS_PX` at each side only serve as neighbours.
    """
    labels = pattern_labels(face)
    rows, columns = (np.arange(n) * BLOCKS // n for n in labels.shape)
    block = rows[:, None] * BLOCKS + columns
    counts = np.bincount((block * LABELS + labels).ravel(), minlength=BLOCKS**2 * LABELS).reshape(-1, LABELS)
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def pattern_labels(face: Picture) -> NDArray[np.int64]:
    """Label of the uniform pattern of each pixel that has all neighbours, (h - 2 r, w - 2 r)."""
    volume = face.astype(np.float32)[None]
    inner = inside(volume.shape, (0, RADIUS_PX))
    return uniform_bins()[pattern_codes(volume, inner, _STEPS, slack=0.0)[0]]
