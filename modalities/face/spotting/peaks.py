"""Peaks with a beginning and an end: onset, apex and offset of a movement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_schemas.time import NS_PER_S, Int64Array, to_s
from modalities.face.models import FloatArray

PROMINENCE = 0.5
"""A peak stands at least this share of its height above the valleys beside it; lesser ones belong to their
neighbour."""
EDGE, HALF = 0.15, 0.5
"""Onset and offset are sought where the movement is down to this share of the peak, and extended along the flank."""
EXTEND = 0.7
"""Share of the time between `HALF` and `EDGE` by which an edge is extended: what a raised-cosine flank lacks at
`EDGE` is 1.03, a straight one 0.43."""
LONGEST_EXTENSION_S = 0.25
FLAT_S, FLAT = 0.3, 0.1
"""A movement is over where, below half of its height, it falls by less than this share of it for this long."""


@dataclass(frozen=True, slots=True)
class Peak:
    """One movement.

    Attributes:
        at: Sample of its apex.
        height: In units of the threshold.
        onset_ns: Start.
        offset_ns: End.
        whole: False where the signal begins or ends before the movement does.
    """

    at: int
    height: float
    onset_ns: int
    offset_ns: int
    whole: bool

    @property
    def duration_s(self) -> float:
        """Onset to offset."""
        return to_s(self.offset_ns - self.onset_ns)


def find_expressions(times_ns: Int64Array, level: FloatArray, usual: FloatArray) -> list[Peak]:
    """Movements that pass the threshold.

    Args:
        times_ns: Evenly spaced, (n,).
        level: Movement in units of the threshold, (n,).
        usual: What is usual of it, below 1, (n,).

    Returns:
        By onset, not overlapping: of two that do, the lower one is dropped.
    """
    from scipy.signal import find_peaks

    tops, about = find_peaks(np.r_[0, level, 0], height=1.0, prominence=0.0, plateau_size=1)
    tops = tops[about["prominences"] >= PROMINENCE * about["peak_heights"]] - 1
    out: list[Peak] = []
    for top in sorted(tops.tolist(), key=lambda at: -level[at]):
        if any(times_ns[top] >= other.onset_ns and times_ns[top] <= other.offset_ns for other in out):
            continue
        onset, offset = (
            _edge(times_ns, level, top, _floor(times_ns, level, usual, top, step), step) for step in (-1, 1)
        )
        for other in out:
            if other.offset_ns <= times_ns[top]:
                onset = max(onset, other.offset_ns)
            else:
                offset = min(offset, other.onset_ns)
        if onset < offset:
            whole = onset > times_ns[0] and offset < times_ns[-1]
            out.append(Peak(top, float(level[top]), onset, offset, whole))
    return sorted(out, key=lambda peak: peak.onset_ns)


def _floor(times_ns: Int64Array, level: FloatArray, usual: FloatArray, top: int, step: int) -> float:
    """Level that the movement rises from (step -1) or falls back to (step 1), at most half of the peak."""
    base = min(float(usual[top]), 0.5 * float(level[top]))
    height = float(level[top]) - base
    reach = max(2, round(FLAT_S * NS_PER_S / max(1, int(times_ns[1] - times_ns[0]))))
    side = level[top:] if step > 0 else level[top::-1]
    for at in np.flatnonzero(side <= base + HALF * height).tolist():
        ahead = float(side[at : at + reach].min())
        if side[at] - ahead < FLAT * height:
            return min(max(base, ahead), 0.5 * float(level[top]))
        if side[at] <= base + EDGE * height:
            break
    return base


def _edge(times_ns: Int64Array, level: FloatArray, top: int, base: float, step: int) -> int:
    """Time at which the movement begins (step -1) or ends (step 1).

    The walk stops early in a valley out of which the level rises again by half of the peak.
    """
    height = float(level[top]) - base
    half: float | None = None
    lowest, at = top, top
    while 0 <= at + step < len(level):
        at += step
        if level[at] < level[lowest]:
            lowest = at
        elif level[at] - level[lowest] > PROMINENCE * height:
            break
        if half is None and level[at] <= base + HALF * height:
            half = _crossing(times_ns, level, at, at - step, base + HALF * height)
        if level[at] <= base + EDGE * height:
            edge = _crossing(times_ns, level, at, at - step, base + EDGE * height)
            extension = min(EXTEND * abs(edge - (half or edge)), LONGEST_EXTENSION_S * NS_PER_S)
            return int(np.clip(edge + step * extension, times_ns[0], times_ns[-1]))
    return int(times_ns[lowest])


def _crossing(times_ns: Int64Array, level: FloatArray, low: int, high: int, value: float) -> float:
    """Time between two neighbouring samples at which the level has this value."""
    rise = float(level[high] - level[low])
    share = 0.0 if rise <= 0 else float(np.clip((value - level[low]) / rise, 0, 1))
    return float(times_ns[low]) + share * float(times_ns[high] - times_ns[low])
