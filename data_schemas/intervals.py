"""Half-open intervals [start, end) in nanoseconds and the algebra of sets of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.time import NS_PER_S, Int64Array, Regular, TimeAxis, to_s


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Half-open [start_ns, end_ns), start before end.

    Raises:
        InvalidValueError: the end does not come after the start.
    """

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.end_ns <= self.start_ns:
            raise InvalidValueError(
                "an interval must end after it starts", got=f"[{self.start_ns}, {self.end_ns})", expected="start < end"
            )

    @property
    def duration_ns(self) -> int:
        """Length in nanoseconds, > 0."""
        return self.end_ns - self.start_ns

    def overlap_ns(self, other: Interval) -> int:
        """Nanoseconds that both share, >= 0."""
        return max(0, min(self.end_ns, other.end_ns) - max(self.start_ns, other.start_ns))

    def iou(self, other: Interval) -> float:
        """Intersection over union, 0..1."""
        shared = self.overlap_ns(other)
        return shared / (self.duration_ns + other.duration_ns - shared)

    def __str__(self) -> str:
        return f"[{to_s(self.start_ns):.3f}, {to_s(self.end_ns):.3f}) s"


class IntervalSet:
    """Sorted, disjoint, non-touching half-open intervals; says where data exist.

    Args:
        intervals: Any intervals, overlapping ones allowed: a set is their union.
    """

    __slots__ = ("_bounds",)

    def __init__(self, intervals: Iterable[Interval | tuple[int, int]] = ()) -> None:
        pairs = [(i.start_ns, i.end_ns) if isinstance(i, Interval) else (int(i[0]), int(i[1])) for i in intervals]
        for start, end in pairs:
            Interval(start, end)
        merged: list[list[int]] = []
        for start, end in sorted(pairs):
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        self._bounds = np.array(merged, dtype=np.int64).reshape(-1, 2)
        self._bounds.flags.writeable = False

    @classmethod
    def of_axis(cls, axis: TimeAxis, max_gap_ns: int | None = None) -> IntervalSet:
        """Where an axis has samples: each sample covers one period; a hole longer than `max_gap_ns` splits.

        Args:
            axis: Any time axis.
            max_gap_ns: Longest distance of neighbours that is no gap; by default 1.5 s or 5 median periods,
                whichever is longer.
        """
        if axis.n == 0:
            return cls()
        limit = max(1_500_000_000, 5 * axis.period_ns) if max_gap_ns is None else max_gap_ns
        period = max(1, round(axis.period_ns))
        if isinstance(axis, Regular) and axis.period_ns + 1 <= limit:
            # No hole is possible, and an hour of sound has too many samples to list.
            return cls([(axis.start_ns, int(axis.times_of(axis.n - 1)) + period)])
        times = axis.times_ns
        cuts = np.flatnonzero(np.diff(times) > limit)
        starts = times[np.r_[0, cuts + 1]]
        ends = times[np.r_[cuts, len(times) - 1]] + period
        return cls(zip(starts.tolist(), ends.tolist(), strict=True))

    @classmethod
    def of_mask(cls, axis: TimeAxis, mask: NDArray[np.bool_]) -> IntervalSet:
        """Where `mask` (shape (n,), one per sample) is true; a sample covers up to its successor."""
        if len(mask) != axis.n:
            raise InvalidValueError("mask and axis differ in length", got=len(mask), expected=axis.n)
        if axis.n == 0:
            return cls()
        times = axis.times_ns
        ends = np.r_[times[1:], axis.end_ns]
        return cls((int(times[first]), int(ends[stop - 1])) for first, stop in runs_of(mask))

    @property
    def bounds(self) -> Int64Array:
        """Starts and ends, int64 ns, shape (n, 2), read-only."""
        return self._bounds

    @property
    def total_ns(self) -> int:
        """Summed length."""
        return int((self._bounds[:, 1] - self._bounds[:, 0]).sum())

    @property
    def extent(self) -> Interval | None:
        """From the first start to the last end; None when empty."""
        return Interval(int(self._bounds[0, 0]), int(self._bounds[-1, 1])) if len(self._bounds) else None

    def __len__(self) -> int:
        return len(self._bounds)

    def __iter__(self) -> Iterator[Interval]:
        return (Interval(int(a), int(b)) for a, b in self._bounds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and np.array_equal(self._bounds, other._bounds)

    def __hash__(self) -> int:
        return hash(self._bounds.tobytes())

    def __repr__(self) -> str:
        return "IntervalSet(" + ", ".join(str(i) for i in self) + ")"

    def __or__(self, other: IntervalSet) -> IntervalSet:
        return IntervalSet([*self, *other])

    def __and__(self, other: IntervalSet) -> IntervalSet:
        out, i, j = [], 0, 0
        a, b = self._bounds, other._bounds
        while i < len(a) and j < len(b):
            start, end = max(a[i, 0], b[j, 0]), min(a[i, 1], b[j, 1])
            if start < end:
                out.append((int(start), int(end)))
            if a[i, 1] < b[j, 1]:
                i += 1
            else:
                j += 1
        return IntervalSet(out)

    def __sub__(self, other: IntervalSet) -> IntervalSet:
        out = []
        for piece in self:
            start = piece.start_ns
            for hole in other._bounds:
                if hole[1] <= start or hole[0] >= piece.end_ns:
                    continue
                if hole[0] > start:
                    out.append((start, int(hole[0])))
                start = max(start, int(hole[1]))
            if start < piece.end_ns:
                out.append((start, piece.end_ns))
        return IntervalSet(out)

    def contains(self, times_ns: Int64Array) -> NDArray[np.bool_]:
        """Which of these times lie inside; shape as given."""
        times = np.asarray(times_ns, dtype=np.int64)
        if not len(self._bounds):
            return np.zeros(times.shape, dtype=bool)
        at = np.searchsorted(self._bounds[:, 0], times, side="right") - 1
        return (at >= 0) & (times < self._bounds[np.clip(at, 0, None), 1])


def grid(extent: Interval, rate_hz: float) -> Int64Array:
    """The multiples of 1/rate_hz that lie in the extent, so that two sessions share one grid.

    Args:
        extent: Half-open stretch of time.
        rate_hz: Grid points per second, above 0 and at most 1e9.

    Returns:
        int64 ns, shape (g,), strictly increasing; empty where the extent holds no multiple.

    Raises:
        InvalidValueError: the rate is not above 0 Hz and at most 1 GHz.
    """
    if not np.isfinite(rate_hz) or not 0 < rate_hz <= NS_PER_S:
        raise InvalidValueError("a grid needs a rate above 0 and at most 1e9 Hz", got=rate_hz)
    period = NS_PER_S / rate_hz
    first = int(np.floor(extent.start_ns / period)) - 1
    last = int(np.ceil(extent.end_ns / period)) + 1
    times = np.rint(np.arange(first, last + 1, dtype=np.float64) * period).astype(np.int64)
    return times[(times >= extent.start_ns) & (times < extent.end_ns)]


def runs_of(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open ranges of indices where `flags` (n,) is true, in order."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False]))
    return [(first, stop) for first, stop in edges.reshape(-1, 2).tolist()]
