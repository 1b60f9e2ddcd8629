"""Bring samples to another time grid without inventing any: never across a gap, never through an invalid sample."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.time import NS_PER_S, Int64Array

Join = Literal["linear", "nearest", "hold"]


def to_grid(
    times_ns: Int64Array,
    values: NDArray[np.floating],
    valid: NDArray[np.bool_],
    grid_ns: Int64Array,
    join: Join,
    max_gap_ns: int,
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Values of a track at the times of a grid.

    - linear: between the two samples around the grid time, where both are valid and at most `max_gap_ns` apart. Where
      the track has more than twice the rate of the grid, the mean of that interpolation over the grid cell, narrowed
      symmetrically where a gap is near, so that no alias arises and a straight line stays one.
    - nearest: the nearest sample, the earlier of two, if it is valid and at most `max_gap_ns / 2` away.
    - hold: the last sample at or before the grid time, if it is valid and at most `max_gap_ns` old.

    An invalid sample is a statement (unvoiced, no face): none of the three looks past it.

    Args:
        times_ns: int64, shape (n,), strictly increasing.
        values: Shape (n, f).
        valid: bool, shape (n, f).
        grid_ns: int64, shape (g,), increasing.
        join: How to join.
        max_gap_ns: Longest distance of samples that is no gap, >= 0.

    Returns:
        Values (g, f), 0 where invalid, of the dtype of `values` (float64 for integers), and validity, bool (g, f).

    Raises:
        InvalidValueError: the shapes do not fit together, or there is no such join.
    """
    times, ticks = np.asarray(times_ns, dtype=np.int64), np.asarray(grid_ns, dtype=np.int64)
    if values.ndim != 2 or values.shape != valid.shape or len(values) != len(times):
        raise InvalidValueError(
            "times, values and validity do not fit together",
            got=(times.shape, values.shape, valid.shape),
            expected="(n,), (n, f), (n, f)",
        )
    if join not in ("linear", "nearest", "hold"):
        raise InvalidValueError(f"no join '{join}'", expected="linear, nearest or hold")
    dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.dtype(np.float64)
    usable = valid & np.isfinite(values)
    if not len(times) or not len(ticks) or not values.shape[1]:
        shape = (len(ticks), values.shape[1])
        return np.zeros(shape, dtype), np.zeros(shape, dtype=bool)
    out: NDArray[np.floating]
    if join == "linear":
        out, ok = _linear(times, values.astype(np.float64), usable, ticks, max_gap_ns)
    else:
        at, distance = _latest(times, ticks) if join == "hold" else _nearest(times, ticks)
        ok = usable[at] & (distance <= (max_gap_ns if join == "hold" else max_gap_ns / 2))[:, None]
        out = values[at]
    return np.where(ok, out, 0).astype(dtype), ok


def _latest(times: Int64Array, ticks: Int64Array) -> tuple[Int64Array, NDArray[np.floating]]:
    """Index of the last sample at or before each tick, and its age (infinite where there is none)."""
    at = np.searchsorted(times, ticks, side="right") - 1
    clipped = np.clip(at, 0, None)
    return clipped, np.where(at < 0, np.inf, (ticks - times[clipped]).astype(np.float64))


def _nearest(times: Int64Array, ticks: Int64Array) -> tuple[Int64Array, NDArray[np.floating]]:
    right = np.clip(np.searchsorted(times, ticks), 0, len(times) - 1)
    left = np.clip(right - 1, 0, None)
    at = np.where(np.abs(ticks - times[left]) <= np.abs(times[right] - ticks), left, right)
    return at, np.abs(ticks - times[at]).astype(np.float64)


def _linear(
    times: Int64Array, values: NDArray[np.float64], usable: NDArray[np.bool_], ticks: Int64Array, max_gap_ns: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    step = float(np.median(np.diff(times))) if len(times) > 1 else np.inf
    cell = float(np.median(np.diff(ticks))) if len(ticks) > 1 else 0.0
    values = np.where(usable, values, 0)
    left = np.clip(np.searchsorted(times, ticks, side="right") - 1, 0, None)
    hit = times[left] == ticks
    right = np.clip(left + 1, None, len(times) - 1)
    joined = usable[1:] & usable[:-1] & (np.diff(times) <= max_gap_ns)[:, None]
    inside = (ticks >= times[0]) & (ticks < times[-1])
    between = np.zeros((len(ticks), values.shape[1]), dtype=bool)
    if len(times) > 1:
        between = joined[np.clip(left, None, len(joined) - 1)] & inside[:, None]
    ok = between | (usable[left] & hit[:, None])
    share = np.where(hit | ~inside, 0.0, (ticks - times[left]) / np.maximum(1, times[right] - times[left]))
    out = values[left] + share[:, None] * (values[right] - values[left])
    if 2 * step < cell:
        averaged, whole = _cell_means(times, values, joined, ticks, cell / 2)
        out = np.where(whole, averaged, out)
    return out, ok


def _cell_means(
    times: Int64Array,
    values: NDArray[np.float64],
    joined: NDArray[np.bool_],
    ticks: Int64Array,
    half: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Means of the piecewise linear curve over `tick - h` to `tick + h`, h <= half and inside the tick's run."""
    n, f = values.shape
    seconds = (times - times[0]) / NS_PER_S
    centre = values.mean(axis=0)
    level = values - centre
    area = np.zeros((n, f))
    area[1:] = np.cumsum(np.diff(seconds)[:, None] * (level[1:] + level[:-1]) / 2 * joined, axis=0)
    index = np.broadcast_to(np.arange(n)[:, None], (n, f))
    breaks = np.vstack([np.ones((1, f), dtype=bool), ~joined])
    first = np.maximum.accumulate(np.where(breaks, index, 0), axis=0)
    last = n - 1 - np.maximum.accumulate(np.where(np.vstack([breaks[1:], breaks[:1]])[::-1], index, 0), axis=0)[::-1]
    left = np.clip(np.searchsorted(times, ticks, side="right") - 1, 0, None)
    tick_s = ((ticks - times[0]) / NS_PER_S)[:, None]
    reach = np.minimum(tick_s - seconds[first[left]], seconds[last[left]] - tick_s)
    reach = np.minimum(reach, half / NS_PER_S)
    whole = reach > 0
    reach = np.where(whole, reach, 1.0)

    def area_until(moment: NDArray[np.float64]) -> NDArray[np.float64]:
        at = np.clip(np.searchsorted(seconds, moment, side="right") - 1, 0, n - 2)
        column = np.arange(f)
        length = seconds[at + 1] - seconds[at]
        done = np.clip(moment - seconds[at], 0, length)
        start, end = level[at, column], level[at + 1, column]
        return area[at, column] + joined[at, column] * done * (start + (end - start) * done / length / 2)

    mean = (area_until(tick_s + reach) - area_until(tick_s - reach)) / (2 * reach)
    return mean + centre, whole
