"""From time stamps as a file has them to a time axis: repair of disorder, regular where the stamps are regular."""

from __future__ import annotations

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.time import NS_PER_S, Explicit, FloatArray, Int64Array, Regular, TimeAxis, longest_increasing

UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_EPOCHS = ((1e9, 1e10, "s"), (1e12, 1e13, "ms"), (1e15, 1e16, "us"), (1e18, 1e19, "ns"))


def stamps_to_ns(values: FloatArray, unit: str, rate_hz: float | None = None) -> Int64Array:
    """Time stamps in `unit` ("s", "ms", "us", "ns", or "samples" with a rate) as int64 ns, shape as given.

    Raises:
        UnreadableFileError: a stamp lies beyond what 64 bits of nanoseconds hold (292 years).
    """
    scale = NS_PER_S / rate_hz if unit == "samples" and rate_hz else float(UNIT_NS.get(unit, NS_PER_S))
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size and float(np.abs(numbers).max()) * scale >= 9.2e18:
        raise UnreadableFileError("a time stamp is out of range", got=f"{np.abs(numbers).max():g} {unit}")
    if scale < 1e6:
        return np.rint(numbers * scale).astype(np.int64)
    whole = np.trunc(numbers)
    if unit == "samples":
        return np.rint(numbers * scale).astype(np.int64)
    return whole.astype(np.int64) * int(scale) + np.rint((numbers - whole) * scale).astype(np.int64)


def epoch_unit(first: float) -> str | None:
    """Unit of a time stamp that can only be a date of 2001 to 2286 in that unit; None for any other number."""
    for low, high, unit in _EPOCHS:
        if low <= first < high:
            return unit
    return None


def print_step_ns(values: FloatArray, unit: str) -> float:
    """Step, ns, to which printed time stamps were rounded, judged by their decimals; at most one unit."""
    scale = float(UNIT_NS.get(unit, NS_PER_S))
    some = np.asarray(values, dtype=np.float64)
    some = some[:: max(1, len(some) // 2000)]
    for decimals in range(10):
        shifted = some * 10.0**decimals
        slack = 1e-3 + np.abs(shifted).max(initial=0) * 4e-16
        if slack > 0.2 or np.all(np.abs(shifted - np.rint(shifted)) <= slack):
            return scale * 10.0**-decimals
    return scale * 1e-9


def axis_of(times_ns: Int64Array, step_ns: float = 0.0) -> tuple[TimeAxis, Int64Array | None, list[str]]:
    """The axis that time stamps lie on.

    As few stamps as possible are dropped to make them strictly increase. Stamps that a regular axis explains to within
    their own rounding become one.

    Args:
        times_ns: int64 ns, shape (n,), in the order of the file.
        step_ns: Step to which the stamps were rounded.

    Returns:
        The axis, the indices of the samples that were kept (None for all), and notes.

    Raises:
        UnreadableFileError: more than a fifth of the stamps repeat or go backwards.
    """
    notes: list[str] = []
    kept: Int64Array | None = None
    if np.any(np.diff(times_ns) <= 0):
        kept = longest_increasing(times_ns)
        lost = len(times_ns) - len(kept)
        if lost > max(1, len(times_ns) // 5):
            raise UnreadableFileError(
                "the time stamps do not increase",
                got=f"{lost} of {len(times_ns)} repeat or go backwards",
                mend="If the time column is too coarse, leave time_column out and write rate_hz.",
            )
        at = int(np.flatnonzero(np.diff(times_ns) <= 0)[0]) + 1
        notes.append(
            f"{lost} of {len(times_ns)} time stamps repeat or go backwards, the first near "
            f"{times_ns[at] / NS_PER_S:.3f} s: their samples were dropped"
        )
        times_ns = times_ns[kept]
    regular = _regular(times_ns, step_ns)
    return (Explicit(times_ns) if regular is None else regular), kept, notes


def _regular(times_ns: Int64Array, step_ns: float) -> Regular | None:
    """The regular axis that explains the times to 2 ns, or to 0.75 steps of at most half a period; else None."""
    n = len(times_ns)
    if n < 3:
        return None
    index = np.arange(n, dtype=np.float64)
    since = (times_ns - times_ns[0]).astype(np.float64)
    centred = index - index.mean()
    period = float(centred @ since / (centred @ centred))
    start = float(since.mean() - period * index.mean())
    off = float(np.abs(since - start - period * index).max())
    if period < 1 or (off > 2 and (period < 2 * step_ns or off > 0.75 * step_ns)):
        return None
    for plain in (NS_PER_S / max(1e-3, round(NS_PER_S / period, 3)), float(round(period))):
        # A rate or period in round numbers that explains the times as well is the one that was meant.
        if np.abs(since - plain * index).max() <= 1.05 * off + 2:
            return Regular(int(times_ns[0]), plain, n)
    return Regular(int(times_ns[0]) + round(start), period, n)
