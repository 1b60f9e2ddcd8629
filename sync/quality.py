"""How good a time axis is: repair of stamps that go backwards, gaps, effective against nominal rate."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from data_schemas.errors import InvalidValueError
from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S, Int64Array, Regular, TimeAxis, to_s


@dataclass(frozen=True, slots=True)
class TimesRepair:
    """What `repair_times` dropped.

    Attributes:
        total: Stamps given.
        duplicates: Dropped because they equal the stamp kept before them.
        out_of_order: Dropped because they lie before a stamp kept earlier or after one kept later.
        first_s: Time of the first dropped stamp, seconds; None if none was.
        largest_step_back_s: Greatest step backwards between neighbours as given, seconds, >= 0.
    """

    total: int
    duplicates: int
    out_of_order: int
    first_s: float | None
    largest_step_back_s: float

    @property
    def dropped(self) -> int:
        """Stamps dropped in all."""
        return self.duplicates + self.out_of_order

    def __str__(self) -> str:
        if not self.dropped:
            return f"all {self.total} time stamps increase"
        return (
            f"{self.dropped} of {self.total} time stamps dropped ({self.duplicates} repeated, {self.out_of_order} "
            f"out of order, by up to {self.largest_step_back_s:.3f} s), the first at {self.first_s:.3f} s"
        )


def repair_times(times_ns: Int64Array) -> tuple[Int64Array, Int64Array, TimesRepair]:
    """The longest strictly increasing selection of time stamps.

    Nothing is moved or invented: as few stamps as possible are dropped, so that a lone outlier, forwards or backwards,
    costs one sample. Of equal stamps the first is kept.

    Args:
        times_ns: int64, shape (n,), in the order in which the samples were written.

    Returns:
        Kept times (k,), their indices (k,) into `times_ns`, and a report.

    Raises:
        InvalidValueError: the times are not one-dimensional integers.
    """
    times = np.asarray(times_ns)
    if times.ndim != 1 or not np.issubdtype(times.dtype, np.integer):
        raise InvalidValueError("time stamps must be a 1-D integer array", got=f"{times.dtype} {times.shape}")
    times = times.astype(np.int64)
    steps = np.diff(times)
    kept = np.arange(len(times)) if np.all(steps > 0) else _longest_increasing(times)
    lost = np.ones(len(times), dtype=bool)
    lost[kept] = False
    dropped = np.flatnonzero(lost)
    repeated = int(np.isin(times[dropped], times[kept]).sum())
    report = TimesRepair(
        total=len(times),
        duplicates=repeated,
        out_of_order=len(dropped) - repeated,
        first_s=to_s(int(times[dropped[0]])) if len(dropped) else None,
        largest_step_back_s=max(0.0, -to_s(int(steps.min()))) if len(steps) else 0.0,
    )
    return times[kept], kept, report


def _longest_increasing(times: Int64Array) -> Int64Array:
    """Indices of a longest strictly increasing subsequence (patience sorting, n log n)."""
    tails: list[int] = []
    at: list[int] = []
    before = np.full(len(times), -1, dtype=np.int64)
    for index, value in enumerate(times.tolist()):
        place = bisect_left(tails, value)
        if place < len(tails) and tails[place] == value:
            continue
        before[index] = at[place - 1] if place else -1
        if place == len(tails):
            tails.append(value)
            at.append(index)
        else:
            tails[place], at[place] = value, index
    chain, index = [], at[-1] if at else -1
    while index >= 0:
        chain.append(index)
        index = int(before[index])
    return np.array(chain[::-1], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class AxisQuality:
    """How regularly a stream was sampled.

    Attributes:
        samples: Number of samples.
        effective_hz: Samples per second of covered time, gaps left out; None for fewer than two samples.
        nominal_hz: What the header claims; None where it claims nothing.
        jitter_ms: Robust standard deviation of the distances of neighbours, milliseconds.
        gaps: Where samples are missing.
    """

    samples: int
    effective_hz: float | None
    nominal_hz: float | None
    jitter_ms: float
    gaps: IntervalSet

    @property
    def deviation(self) -> float | None:
        """Effective over nominal rate minus 1; None where one is unknown."""
        if self.effective_hz is None or self.nominal_hz is None:
            return None
        return self.effective_hz / self.nominal_hz - 1


def gaps_of(axis: TimeAxis, max_gap_ns: int | None = None) -> IntervalSet:
    """Holes between the first and the last sample.

    Args:
        axis: Any time axis.
        max_gap_ns: Longest distance of neighbours that is none; as in `IntervalSet.of_axis` by default.
    """
    covered = IntervalSet.of_axis(axis, max_gap_ns)
    return IntervalSet([covered.extent]) - covered if covered.extent is not None else covered


def axis_quality(axis: TimeAxis, nominal_hz: float | None = None, max_gap_ns: int | None = None) -> AxisQuality:
    """Rate, jitter and gaps of a time axis."""
    holes = gaps_of(axis, max_gap_ns)
    if axis.n < 2:
        return AxisQuality(axis.n, None, nominal_hz, 0.0, holes)
    if isinstance(axis, Regular):
        return AxisQuality(axis.n, axis.rate_hz, nominal_hz, 0.0, holes)
    steps = np.diff(axis.times_ns)
    if len(holes):
        limit = max(1_500_000_000, 5 * axis.period_ns) if max_gap_ns is None else max_gap_ns
        steps = steps[steps <= limit]
    if not len(steps):
        return AxisQuality(axis.n, None, nominal_hz, 0.0, holes)
    jitter = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / 1e6
    return AxisQuality(axis.n, NS_PER_S / float(steps.mean()), nominal_hz, jitter, holes)
