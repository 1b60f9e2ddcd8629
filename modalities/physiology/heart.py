"""From beats to heart rate and its variability on the track's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.physiology.beats import HIGHEST_BPM, LOWEST_BPM, Beats
from modalities.physiology.correction import Rhythm, correct_rhythm
from modalities.physiology.stretches import Stretch

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

LONGEST_BRIDGE_S = 3.0
"""A stretch without usable interval up to this length is bridged; a longer one stays empty."""
_RATE_RATIO, _NORMAL_RATIO = (0.6, 1.6), (0.75, 1.33)
_NORMAL_LIKENESS = 0.6
_WINDOW_S, _LEAST_INTERVALS = 30.0, 10


@dataclass(frozen=True, eq=False)
class Column:
    """One feature on the grid: values (n,) and where they hold (n,)."""

    values: Values
    valid: Flags

    @classmethod
    def blank(cls, n: int) -> Column:
        """Nothing known."""
        return cls(np.zeros(n), np.zeros(n, bool))


@dataclass(frozen=True, eq=False)
class Intervals:
    """Beat-to-beat intervals within one stretch.

    Attributes:
        start_ns: Beat that begins each interval (m,).
        end_ns: Beat that ends it (m,).
        usable: Both beats are good and the interval is no missed or extra beat, bool (m,).
        normal: Usable, and neither beat is ectopic by shape or time, bool (m,).
    """

    start_ns: Int64Array
    end_ns: Int64Array
    usable: Flags
    normal: Flags

    @property
    def seconds(self) -> Values:
        """Lengths (m,)."""
        return (self.end_ns - self.start_ns) / NS_PER_S


def intervals_of(stretch: Stretch, beats: Beats) -> tuple[Intervals, Rhythm]:
    """The intervals between the corrected beats of one stretch, each judged against its neighbours; and the rhythm."""
    from scipy.ndimage import median_filter

    rhythm = correct_rhythm(beats.at / stretch.rate_hz, beats.good)
    times = stretch.times_of(rhythm.times_s * stretch.rate_hz)
    start, end = times[:-1], times[1:]
    if not len(start):
        return Intervals(start, end, np.zeros(0, bool), np.zeros(0, bool)), rhythm
    seconds = (end - start) / NS_PER_S
    put_in = rhythm.source < 0
    good = put_in | beats.good[rhythm.source]
    ratio = seconds / median_filter(seconds, 9, mode="nearest")
    usable = good[:-1] & good[1:] & (seconds >= 60 / HIGHEST_BPM) & (seconds <= 60 / LOWEST_BPM)
    usable &= (ratio > _RATE_RATIO[0]) & (ratio < _RATE_RATIO[1])
    usable &= ~(beats_out(rhythm) & ~rhythm.moved)[1:]
    clear = ~rhythm.moved & (beats.likeness[rhythm.source] > _NORMAL_LIKENESS) & ~beats_out(rhythm)
    normal = usable & clear[:-1] & clear[1:] & (ratio > _NORMAL_RATIO[0]) & (ratio < _NORMAL_RATIO[1])
    return Intervals(start, end, usable, normal), rhythm


def beats_out(rhythm: Rhythm) -> Flags:
    """Beats of the rhythm that are ectopic, bool (m,)."""
    return np.asarray((rhythm.source >= 0) & rhythm.ectopic[rhythm.source])


def heart_rate(grid_ns: Int64Array, stretches: Sequence[Intervals]) -> Column:
    """Heart rate in beats per minute: 60 over each interval at its middle, straight lines in between.

    Never beyond the first and last beat, never from one stretch to the next, and not where no interval is usable for
    more than `LONGEST_BRIDGE_S`.
    """
    out = Column.blank(len(grid_ns))
    for one in stretches:
        at = np.flatnonzero(one.usable)
        if not len(at):
            continue
        breaks = np.flatnonzero((one.start_ns[at[1:]] - one.end_ns[at[:-1]]) > LONGEST_BRIDGE_S * NS_PER_S) + 1
        for run in np.split(at, breaks):
            first, stop = np.searchsorted(grid_ns, (one.start_ns[run[0]], one.end_ns[run[-1]] + 1))
            middle = (one.start_ns[run] + one.end_ns[run]) / 2 - one.start_ns[run[0]]
            here = (grid_ns[first:stop] - one.start_ns[run[0]]).astype(np.float64)
            out.values[first:stop] = np.interp(here, middle, 60 / one.seconds[run])
            out.valid[first:stop] = True
    return out


def variability(grid_ns: Int64Array, stretches: Sequence[Intervals], rate: Column) -> Column:
    """RMSSD in ms over the 30 s before each grid time (Task Force of the ESC and NASPE 1996).

    Successive differences of normal intervals that follow each other directly. Valid where the heart rate is, and
    at least 10 normal intervals lie in the window.
    """
    ends, pair_ends, squares = [], [], []
    for one in stretches:
        ends.append(one.end_ns[one.normal])
        pair = one.normal[1:] & one.normal[:-1]
        pair_ends.append(one.end_ns[1:][pair])
        squares.append((np.diff(one.seconds)[pair] * 1000) ** 2)
    if not ends:
        return Column.blank(len(grid_ns))
    end, pair_end, square = np.concatenate(ends), np.concatenate(pair_ends), np.concatenate(squares)
    total = np.r_[0.0, np.cumsum(square)]
    since = grid_ns - round(_WINDOW_S * NS_PER_S)
    count = np.searchsorted(end, grid_ns, "right") - np.searchsorted(end, since, "right")
    upto, before = np.searchsorted(pair_end, grid_ns, "right"), np.searchsorted(pair_end, since, "right")
    pairs = upto - before
    mean = (total[upto] - total[before]) / np.maximum(pairs, 1)
    valid = rate.valid & (count >= _LEAST_INTERVALS) & (pairs >= _LEAST_INTERVALS - 2)
    return Column(np.sqrt(np.maximum(mean, 0)), valid)


def beat_course(
    grid_ns: Int64Array, stretches: Sequence[tuple[Stretch, Beats]], figures: Sequence[Values], rate: Column
) -> Column:
    """A figure of every beat over time: the median of five beats, where the heart rate is valid.

    Args:
        grid_ns: Where it is wanted.
        stretches: With their beats.
        figures: Of each stretch, one per beat.
        rate: Of the heart.
    """
    from scipy.ndimage import median_filter

    out = Column.blank(len(grid_ns))
    for (stretch, beats), values in zip(stretches, figures, strict=True):
        if not beats.good.any():
            continue
        times = stretch.times_of(beats.at)
        smooth = median_filter(values, min(5, len(times)), mode="nearest")
        first, stop = np.searchsorted(grid_ns, (times[0], times[-1] + 1))
        since = (times - times[0]).astype(np.float64)
        out.values[first:stop] = np.interp((grid_ns[first:stop] - times[0]).astype(np.float64), since, smooth)
        out.valid[first:stop] = rate.valid[first:stop]
    return out
