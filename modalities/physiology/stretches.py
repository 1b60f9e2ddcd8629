"""A signal cut into stretches that can be filtered: regular in time, without holes, without dead electrode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data_schemas.intervals import runs_of
from data_schemas.stream import Signal
from data_schemas.time import NS_PER_S, Int64Array

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Regular samples without a hole.

    Attributes:
        start_ns: Time of the first sample.
        rate_hz: Samples per second.
        values: float64 (n,), finite.
    """

    start_ns: int
    rate_hz: float
    values: Values

    @property
    def seconds(self) -> float:
        """Length: one period for each sample."""
        return len(self.values) / self.rate_hz

    @property
    def end_ns(self) -> int:
        """One period after the last sample."""
        return int(self.times_of(np.array([len(self.values)]))[0])

    def times_of(self, samples: ArrayLike) -> Int64Array:
        """Times, ns, of samples by index; fractions are allowed."""
        return self.start_ns + np.rint(np.asarray(samples, dtype=np.float64) * (NS_PER_S / self.rate_hz)).astype(
            np.int64
        )

    def slowed(self, rate_hz: float) -> Stretch:
        """The same at about `rate_hz` (at least that, at most its own rate), low-passed before it is thinned out."""
        from scipy.signal import firwin, oaconvolve

        step = int(self.rate_hz // rate_hz)
        if step < 2:
            return self
        taps = firwin(16 * step + 1, 0.8 / step)
        half = 8 * step
        padded = np.pad(self.values, half, mode="reflect" if len(self.values) > half else "edge")
        smooth = oaconvolve(padded, taps, mode="valid")
        return Stretch(self.start_ns, self.rate_hz / step, smooth[::step])


@dataclass(frozen=True, eq=False)
class Cut:
    """What `cut` made of one column.

    Attributes:
        stretches: In order of time.
        off_ns: Bounds of the flat parts that were left out, int64 (k, 2).
        recorded_s: Seconds for which the column has valid samples, flat or not.
    """

    stretches: tuple[Stretch, ...]
    off_ns: Int64Array
    recorded_s: float


def cut(signal: Signal, column: str, *, bridge_s: float, flat_s: float | None) -> Cut:
    """Cut one column into stretches.

    Args:
        signal: The stream, on the session clock.
        column: Name of the column.
        bridge_s: Masked holes up to this length (or 2.5 samples, if longer) are filled by straight lines, so that
            filters run through; longer ones, and the borders of the support, divide stretches.
        flat_s: Parts that do not change for this long are left out as dead electrode; None keeps them.
    """
    values, mask = signal.column(column)
    times = signal.times_ns
    bounds = signal.support.bounds
    piece = np.searchsorted(bounds[:, 0], times, side="right") - 1 if len(bounds) else np.full(len(times), -1)
    inside = (piece >= 0) & (times < bounds[np.maximum(piece, 0), 1]) if len(bounds) else np.zeros(len(times), bool)
    keep = np.flatnonzero(mask & inside)
    if not len(keep):
        return Cut((), np.zeros((0, 2), np.int64), 0.0)
    t, v, own = times[keep], values[keep].astype(np.float64), piece[keep]
    period = float(np.median(np.diff(times))) if len(times) > 1 else float(NS_PER_S)
    off = np.zeros(len(v), bool) if flat_s is None else _flat(v, min(flat_s * NS_PER_S / period, len(v)))
    limit = max(bridge_s * NS_PER_S, 2.5 * period)
    split = (np.diff(t) > limit) | (np.diff(own) != 0) | np.diff(off)
    starts = np.r_[0, np.flatnonzero(split) + 1]
    stops = np.r_[starts[1:], len(t)]
    stretches, dead = [], []
    for first, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if off[first]:
            dead.append((int(t[first]), int(t[stop - 1] + round(period))))
        else:
            stretches.append(_regular(t[first:stop], v[first:stop], period))
    return Cut(tuple(stretches), np.array(dead, np.int64).reshape(-1, 2), len(t) * period / NS_PER_S)


def _flat(values: Values, samples: float) -> Flags:
    """Where the value stays the same for at least this many samples, bool (n,)."""
    still = np.abs(np.diff(values)) <= 1e-9 * np.maximum(np.abs(values[1:]), 1e-9)
    off = np.zeros(len(values), bool)
    for first, stop in runs_of(still):
        if stop - first + 1 >= max(samples, 3):
            off[first : stop + 1] = True
    return off


def _regular(times: Int64Array, values: Values, period: float) -> Stretch:
    """Samples of one stretch on a regular axis; straight lines in between where they are not regular already."""
    n = len(times)
    if n == 1:
        return Stretch(int(times[0]), NS_PER_S / period, values)
    span = float(times[-1] - times[0])
    even = times[0] + np.arange(n) * (span / (n - 1))
    if np.max(np.abs(times - even)) <= 0.3 * period and abs(span / (n - 1) / period - 1) < 0.1:
        return Stretch(int(times[0]), (n - 1) * NS_PER_S / span, values)
    count = int(span // period) + 1
    since = (times - times[0]).astype(np.float64)
    return Stretch(int(times[0]), NS_PER_S / period, np.interp(np.arange(count) * period, since, values))
