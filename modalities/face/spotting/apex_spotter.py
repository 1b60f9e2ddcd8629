"""Spotters made of apex finders: an interval slides over the recording, and what many intervals agree on is an apex.

Each finder (`apex`) is asked about intervals of two lengths of its own that follow each other by a fifth of them. How
far the curve at the apex stands above its ends is the interval's vote for that picture: a movement that does not
come back within the interval casts none. Votes of all intervals for neighbouring pictures are added up; pictures whose
sum passes T = mean + tau (max - mean), tau = 0.3 as in `lbp`, are apices, and the expression is as long as the windows
there. All of this is ours: the papers search in clips that were cut out by hand.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.apex import ApexFinder, load_apex_finder
from modalities.face.spotting.base import Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.differences import FACE_BOX, describe, reduced_of, relative_level, score_of
from modalities.face.spotting.lbp import WINDOWS_S

HOP = 0.2
TOGETHER = 0.1
"""Votes that are less apart than this share of the interval are for one apex."""
PICTURES = 30
"""At most so many pictures of an interval are looked at."""
MOST_MISSING = 0.3
"""An interval of which a greater share was not seen is left out."""
TAU = 0.3
_KINDS: tuple[Literal["micro", "macro"], ...] = ("micro", "macro")
_EACH = 3
"""Columns for each interval: looked at, sum of votes, highest vote."""


class ApexSpotter:
    """Pictures that many intervals take for their apex.

    Args:
        finder: Of `apex.APEX_FINDERS`.
        tau: Threshold between the mean (0) and the maximum (1) of the votes.
    """

    name: str

    def __init__(self, finder: str, tau: float = TAU) -> None:
        self.name = f"apex-{finder}"
        self._finder = load_apex_finder(finder)
        self._tau = tau

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return ApexReducer(self._finder)

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        from scipy.signal import find_peaks

        table = reduced_of(signals, self.name, _EACH * len(WINDOWS_S)).astype(np.float64)
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        for scale, interval_s in enumerate(self._finder.intervals_s):
            looked, votes, best = table[:, _EACH * scale : _EACH * (scale + 1)].T
            rows = np.flatnonzero(signals.judged & (looked > 0))
            if len(rows) < 3:
                continue
            times = signals.times_ns[rows]
            level = relative_level(_gathered(times, votes[rows], TOGETHER * interval_s), np.ones(len(rows), bool))
            score = score_of(level, self._tau)
            evidence[rows] = np.maximum(evidence[rows], score)
            apart = max(1, round(2 * TOGETHER * interval_s * NS_PER_S / float(np.median(np.diff(times)))))
            peaks, _ = find_peaks(np.r_[0.0, level, 0.0], height=self._tau, distance=apart)
            for at in (peaks - 1).tolist():
                near = np.abs(times - times[at]) <= TOGETHER * interval_s * NS_PER_S
                row = rows[near][np.argmax(best[rows[near]])]
                apex, half = int(signals.times_ns[row]), round(WINDOWS_S[scale] / 2 * NS_PER_S)
                moments = max(apex - half, int(times[0])), apex, min(apex + half, int(times[-1]))
                found.append(describe(_KINDS[scale], moments, float(score[at]), signals))
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


def _gathered(times_ns: Int64Array, votes: FloatArray, reach_s: float) -> FloatArray:
    """Sum of the votes within reach of each picture, (m,)."""
    total = np.r_[0.0, np.cumsum(votes)]
    reach = round(reach_s * NS_PER_S)
    first, last = np.searchsorted(times_ns, times_ns - reach), np.searchsorted(times_ns, times_ns + reach, side="right")
    return np.asarray(total[last] - total[first])


class FrequencyApexSpotter(ApexSpotter):
    """By `apex_frequency`."""

    def __init__(self) -> None:
        super().__init__("frequency")


class LbpApexSpotter(ApexSpotter):
    """By `apex_lbp`."""

    def __init__(self) -> None:
        super().__init__("lbp")


class CnnApexSpotter(ApexSpotter):
    """By `apex_cnn`."""

    def __init__(self) -> None:
        super().__init__("cnn")


@dataclass(frozen=True, eq=False, slots=True)
class _Picture:
    t_ns: int
    number: int
    described: FloatArray


class ApexReducer:
    """Keeps the votes of the intervals for each picture.

    Args:
        finder: Who is asked.
    """

    def __init__(self, finder: ApexFinder) -> None:
        self._finder = finder
        self._kept: list[deque[_Picture]] = [deque() for _ in finder.intervals_s]
        self._asked_ns: list[int | None] = [None] * len(finder.intervals_s)
        self._rows: dict[int, NDArray[np.float32]] = {}

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        described: FloatArray | None = None
        for scale, interval_s in enumerate(self._finder.intervals_s):
            kept = self._kept[scale]
            if kept and t_ns - kept[-1].t_ns < 0.95 * interval_s / PICTURES * NS_PER_S:
                continue
            if described is None:
                left, top, right, bottom = FACE_BOX
                described = self._finder.describe(np.ascontiguousarray(patch[top:bottom, left:right]))
            kept.append(_Picture(t_ns, number, described))
            self._row(number)[_EACH * scale] = 1
            while t_ns - kept[0].t_ns > interval_s * NS_PER_S:
                kept.popleft()
            asked = self._asked_ns[scale]
            if asked is None or t_ns - asked >= HOP * interval_s * NS_PER_S:
                self._asked_ns[scale] = t_ns
                self._ask(scale, interval_s)

    def _row(self, number: int) -> NDArray[np.float32]:
        return self._rows.setdefault(number, np.zeros(_EACH * len(WINDOWS_S), np.float32))

    def _ask(self, scale: int, interval_s: float) -> None:
        """The vote of the last interval."""
        kept = list(self._kept[scale])
        times = np.array([one.t_ns for one in kept], np.int64)
        if len(kept) < 5 or times[-1] - times[0] < (1 - MOST_MISSING) * interval_s * NS_PER_S:
            return
        if np.diff(times).max() > MOST_MISSING * interval_s * NS_PER_S:
            return
        described = np.stack([one.described for one in kept])
        apex, curve = self._finder.apex(described, times), self._finder.curve(described, times)
        vote = float(curve[apex] - max(curve[0], curve[-1]))
        if vote > 0:
            row = self._row(kept[apex].number)[_EACH * scale : _EACH * (scale + 1)]
            row[1] += vote
            row[2] = max(row[2], vote)

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: columns as of `_EACH`, at both intervals, (n, 6)."""
        out = np.zeros((n, _EACH * len(WINDOWS_S)), np.float32)
        for number, values in self._rows.items():
            out[number] = values
        return out
