"""Time axes: int64 nanoseconds, either regular or explicit, never both.

A time axis says where samples lie on one clock. Seconds appear only in names ending `_s`.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data_schemas.errors import InvalidValueError

NS_PER_S = 1_000_000_000
FARTHEST_NS = 9.2e18
"""Times beyond this, 292 years from zero, do not fit an int64."""
Int64Array = NDArray[np.int64]
FloatArray = NDArray[np.floating]


@overload
def to_ns(seconds: float) -> int: ...
@overload
def to_ns(seconds: NDArray[np.floating]) -> Int64Array: ...
def to_ns(seconds: float | NDArray[np.floating]) -> int | Int64Array:
    """Seconds to int64 nanoseconds, rounded to the nearest.

    Raises:
        InvalidValueError: a value is NaN or infinite, or beyond 292 years.
    """
    values = np.asarray(seconds, dtype=np.float64)
    if not np.all(np.isfinite(values)):
        raise InvalidValueError("a time is not a finite number", got=seconds, expected="finite seconds")
    if np.any(np.abs(values) >= FARTHEST_NS / NS_PER_S):
        raise InvalidValueError("a time is out of range", got=f"{np.abs(values).max():g} s", expected="below 292 years")
    out = np.rint(values * NS_PER_S).astype(np.int64)
    return int(out) if out.ndim == 0 else out


@overload
def to_s(nanoseconds: int) -> float: ...
@overload
def to_s(nanoseconds: Int64Array) -> NDArray[np.float64]: ...
def to_s(nanoseconds: int | Int64Array) -> float | NDArray[np.float64]:
    """Int64 nanoseconds to seconds as float64."""
    out = np.asarray(nanoseconds, dtype=np.float64) / NS_PER_S
    return float(out) if out.ndim == 0 else out


def nearest(times: Int64Array | FloatArray, wanted: Int64Array | FloatArray) -> Int64Array:
    """Index of the time that lies nearest to each one wanted, the earlier of two, int64 (m,).

    Args:
        times: Increasing, at least one, shape (n,).
        wanted: In the same unit, any order, shape (m,).
    """
    right = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    left = np.clip(right - 1, 0, None)
    return np.where(np.abs(wanted - times[left]) <= np.abs(times[right] - wanted), left, right).astype(np.int64)


def longest_increasing(times_ns: Int64Array) -> Int64Array:
    """Indices of a longest strictly increasing selection of time stamps, int64 (k,): the repair of disorder.

    Nothing is moved or invented: as few stamps as possible are dropped, so that a lone outlier, forwards or backwards,
    costs one sample (patience sorting, n log n). Of equal stamps one is kept.

    Args:
        times_ns: int64, shape (n,), in the order in which the samples were written.
    """
    tails: list[int] = []
    ends: list[int] = []
    before = np.full(len(times_ns), -1, dtype=np.int64)
    for at, value in enumerate(times_ns.tolist()):
        place = bisect_left(tails, value)
        if place == len(tails):
            tails.append(value)
            ends.append(at)
        elif tails[place] != value:
            tails[place], ends[place] = value, at
        before[at] = ends[place - 1] if place else -1
    out: list[int] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        out.append(at)
        at = int(before[at])
    return np.array(out[::-1], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Regular:
    """Samples at `start_ns + round(i * period_ns)` for i in [0, n).

    Attributes:
        start_ns: Time of sample 0, nanoseconds.
        period_ns: Sample period in nanoseconds; a float, because 1/360 s is no whole number of nanoseconds.
            With i * period below 2**53 ns (104 days) the rounding error stays under one nanosecond.
        n: Number of samples, >= 0.
    """

    start_ns: int
    period_ns: float
    n: int

    def __post_init__(self) -> None:
        if not np.isfinite(self.period_ns) or self.period_ns < 1:
            raise InvalidValueError("a sample period must be at least 1 ns", got=self.period_ns)
        if self.n < 0:
            raise InvalidValueError("a number of samples cannot be negative", got=self.n)
        if abs(self.start_ns) + self.n * self.period_ns >= FARTHEST_NS:
            raise InvalidValueError(
                "the samples lie beyond all time",
                got=f"{self.n} samples of {self.period_ns / NS_PER_S:g} s from {self.start_ns / NS_PER_S:g} s",
                expected="below 292 years",
            )

    @classmethod
    def from_rate(cls, rate_hz: float, n: int, start_ns: int = 0) -> Regular:
        """Axis of `n` samples at `rate_hz` (> 0) from `start_ns`."""
        if not np.isfinite(rate_hz) or rate_hz <= 0:
            raise InvalidValueError("a sampling rate must be above 0 Hz", got=rate_hz)
        return cls(int(start_ns), NS_PER_S / rate_hz, int(n))

    @property
    def rate_hz(self) -> float:
        """Samples per second."""
        return NS_PER_S / self.period_ns

    def __len__(self) -> int:
        return self.n

    def times_of(self, indices: ArrayLike) -> Int64Array:
        """Times, ns, of the samples with these indices (any integers; beyond the end extrapolates)."""
        return self.start_ns + np.rint(np.asarray(indices, dtype=np.float64) * self.period_ns).astype(np.int64)

    @property
    def times_ns(self) -> Int64Array:
        """All times, int64 ns, shape (n,)."""
        return self.times_of(np.arange(self.n))

    @property
    def end_ns(self) -> int:
        """One period after the last sample: the end of the half-open extent."""
        return int(self.times_of(self.n))


@dataclass(frozen=True, slots=True, eq=False)
class Explicit:
    """Samples at given times: variable frame rates, event-driven sensors.

    Attributes:
        times_ns: int64, shape (n,), strictly increasing.

    Raises:
        InvalidValueError: the times are not one-dimensional integers or do not strictly increase.
            `longest_increasing` is the named repair.
    """

    times_ns: Int64Array

    def __post_init__(self) -> None:
        times = np.asarray(self.times_ns)
        if times.ndim != 1 or not np.issubdtype(times.dtype, np.integer):
            raise InvalidValueError("explicit times must be a 1-D integer array", got=f"{times.dtype} {times.shape}")
        back = np.flatnonzero(np.diff(times) <= 0)
        if back.size:
            at = int(back[0]) + 1
            raise InvalidValueError(
                f"{back.size} time stamps do not come after their predecessor",
                time_s=float(times[at]) / NS_PER_S,
                got=f"{times[at]} after {times[at - 1]} at sample {at}",
                expected="strictly increasing nanoseconds",
                mend="Keep the samples that data_schemas.time.longest_increasing names, and say how many were dropped.",
            )
        times = times.astype(np.int64, copy=True)
        times.flags.writeable = False
        object.__setattr__(self, "times_ns", times)

    def __len__(self) -> int:
        return len(self.times_ns)

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.times_ns)

    @property
    def start_ns(self) -> int:
        """Time of the first sample (0 for an empty axis)."""
        return int(self.times_ns[0]) if len(self.times_ns) else 0

    @property
    def period_ns(self) -> float:
        """Median distance of neighbours; one second for fewer than two samples."""
        return float(np.median(np.diff(self.times_ns))) if len(self.times_ns) > 1 else float(NS_PER_S)

    @property
    def rate_hz(self) -> float:
        """Samples per second by the median distance."""
        return NS_PER_S / self.period_ns

    @property
    def end_ns(self) -> int:
        """One median period after the last sample."""
        return int(self.times_ns[-1] + round(self.period_ns)) if len(self.times_ns) else 0

    def times_of(self, indices: ArrayLike) -> Int64Array:
        """Times, ns, of the samples with these indices."""
        return self.times_ns[np.asarray(indices, dtype=np.int64)]


TimeAxis = Regular | Explicit
