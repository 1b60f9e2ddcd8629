"""Bring samples to another time grid without inventing any: never across a gap, never through an invalid sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.features import Join
from data_schemas.time import NS_PER_S, Int64Array, nearest

Kind = Literal["continuous", "angle", "label", "event", "state"]

JOINS: dict[Kind, Join] = {
    "continuous": "linear",
    "angle": "angle",
    "label": "exact",
    "event": "event",
    "state": "hold",
}
"""How a column of each kind is joined: only continuous columns and angles are ever interpolated."""
_SLACK = 1.1
"""Time stamps shake: an exact join reaches a tenth further than half a period."""
_AT_ONCE = 4
"""Columns that are joined together: an hour of a hundred of them would take gigabytes on the way."""
_SHIFTS = (-1 / 4, -1 / 12, 1 / 12, 1 / 4)
"""Middles of the plain means that make up the trapezium, in shares of its half width."""


def resample(
    times_ns: Int64Array,
    values: NDArray[np.floating],
    valid: NDArray[np.bool_],
    grid_ns: Int64Array,
    kinds: Sequence[Kind],
    *,
    max_gap_ns: int,
    tolerance_ns: int | None = None,
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Values of a table with columns of several kinds at the times of a grid.

    Continuous columns and angles are interpolated, and averaged where the rate is reduced. Labels and integers are
    matched: a grid time gets the value of the nearest sample, or none. Events are counted at the nearest grid time, so
    that none is lost or doubled. A state holds until the next sample.

    Args:
        times_ns: int64, shape (n,), strictly increasing.
        values: Shape (n, f).
        valid: bool, shape (n, f).
        grid_ns: int64, shape (g,), increasing.
        kinds: One per column, shape (f,).
        max_gap_ns: Longest distance of samples that is no gap, >= 0.
        tolerance_ns: How far a matched sample may lie from its grid time; by default as for an exact join of `to_grid`.

    Returns:
        As `to_grid`.

    Raises:
        InvalidValueError: the shapes do not fit together, or there is no such kind.
    """
    if values.ndim != 2 or len(kinds) != values.shape[1] or any(kind not in JOINS for kind in kinds):
        raise InvalidValueError(
            "each column needs a kind", got=(values.shape, tuple(kinds)), expected=f"one of {', '.join(JOINS)} each"
        )
    if valid.shape != values.shape:
        raise InvalidValueError("values and validity differ in shape", got=valid.shape, expected=values.shape)
    dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.dtype(np.float64)
    out = np.zeros((len(grid_ns), len(kinds)), dtype)
    ok = np.zeros(out.shape, dtype=bool)
    for kind in sorted(set(kinds)):
        at = [column for column, name in enumerate(kinds) if name == kind]
        out[:, at], ok[:, at] = to_grid(
            times_ns, values[:, at], valid[:, at], grid_ns, JOINS[kind], max_gap_ns, tolerance_ns
        )
    return out, ok


def to_grid(
    times_ns: Int64Array,
    values: NDArray[np.floating],
    valid: NDArray[np.bool_],
    grid_ns: Int64Array,
    join: Join,
    max_gap_ns: int,
    tolerance_ns: int | None = None,
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Values of a track at the times of a grid.

    - linear: between the two samples around the grid time, where both are valid and at most `max_gap_ns` apart. Where
      the track has more than twice the rate of the grid, the mean of that interpolation under a trapezium of one and a
      half grid cells, narrowed symmetrically where a gap is near: what lies above the grid's rate is lowered to a
      twelfth or less, and a straight line stays one.
    - angle: the same for angles in degrees, the short way round; -180..180.
    - nearest: the nearest sample, the earlier of two, if it is valid and at most `max_gap_ns / 2` away.
    - exact: the nearest sample, the earlier of two, if it is valid and within the tolerance.
    - event: how much happened, the sum of the samples to which the grid time is the nearest; 0 where no sample is, but
      a valid one within the tolerance.
    - hold: the last sample at or before the grid time, if it is valid and at most `max_gap_ns` old.

    An invalid sample is a statement (unvoiced, no face): none of these looks past it.

    Args:
        times_ns: int64, shape (n,), strictly increasing.
        values: Shape (n, f).
        valid: bool, shape (n, f).
        grid_ns: int64, shape (g,), increasing.
        join: How to join.
        max_gap_ns: Longest distance of samples that is no gap, >= 0.
        tolerance_ns: Largest distance of an exact join; by default half the median distance of samples (and a tenth of
            that for stamps that shake), never more than half of `max_gap_ns`.

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
    if join not in JOINS.values() and join != "nearest":
        raise InvalidValueError(f"no join '{join}'", expected="linear, angle, nearest, exact, event or hold")
    if values.shape[1] > _AT_ONCE:
        groups = np.array_split(np.arange(values.shape[1]), -(-values.shape[1] // _AT_ONCE))
        columns = [slice(group[0], group[-1] + 1) for group in groups]
        parts = [to_grid(times, values[:, at], valid[:, at], ticks, join, max_gap_ns, tolerance_ns) for at in columns]
        return np.concatenate([got for got, _ in parts], axis=1), np.concatenate([ok for _, ok in parts], axis=1)
    dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.dtype(np.float64)
    usable = valid & np.isfinite(values)
    if not len(times) or not len(ticks) or not values.shape[1]:
        shape = (len(ticks), values.shape[1])
        return np.zeros(shape, dtype), np.zeros(shape, dtype=bool)
    out: NDArray[np.floating]
    if join == "linear":
        out, ok = _linear(times, values.astype(np.float64), usable, ticks, max_gap_ns)
    elif join == "angle":
        out, ok = _angle(times, values.astype(np.float64), usable, ticks, max_gap_ns)
    elif join == "event":
        out, ok = _counted(times, values, usable, ticks, _reach(times, max_gap_ns, tolerance_ns))
    else:
        at, distance = _latest(times, ticks) if join == "hold" else _nearest(times, ticks)
        limits = {"hold": max_gap_ns, "nearest": max_gap_ns / 2, "exact": _reach(times, max_gap_ns, tolerance_ns)}
        ok = usable[at] & (distance <= limits[join])[:, None]
        out = values[at]
    return np.where(ok, out, 0).astype(dtype), ok


def _reach(times: Int64Array, max_gap_ns: int, tolerance_ns: int | None) -> float:
    """How far a sample may be matched."""
    if tolerance_ns is not None:
        return float(tolerance_ns)
    return float(min(_SLACK * np.median(np.diff(times)) / 2, max_gap_ns / 2)) if len(times) > 1 else max_gap_ns / 2


def _counted(
    times: Int64Array, values: NDArray[np.floating], usable: NDArray[np.bool_], ticks: Int64Array, reach: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Sums of the samples nearest to each tick."""
    cell = float(np.median(np.diff(ticks))) if len(ticks) > 1 else 2 * reach
    home, away = _nearest(ticks, times)
    mine = away <= max(cell / 2, reach)
    out, count = np.zeros((len(ticks), values.shape[1])), np.zeros((len(ticks), values.shape[1]), np.int64)
    np.add.at(out, home[mine], np.where(usable, values, 0)[mine])
    np.add.at(count, home[mine], usable[mine])
    at, distance = _nearest(times, ticks)
    heard = np.zeros(len(ticks), np.int64)
    np.add.at(heard, home[mine], 1)
    quiet = (heard == 0)[:, None] & usable[at] & (distance <= reach)[:, None]
    return out, (count > 0) | quiet


def _angle(
    times: Int64Array, values: NDArray[np.float64], usable: NDArray[np.bool_], ticks: Int64Array, max_gap_ns: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Unwrapped between neighbours that are joined, and wrapped again."""
    values = np.where(usable, values, 0)
    joined = usable[1:] & usable[:-1] & (np.diff(times) <= max_gap_ns)[:, None]
    turns = np.zeros_like(values)
    turns[1:] = np.cumsum(np.where(joined, -360 * np.rint(np.diff(values, axis=0) / 360), 0), axis=0)
    out, ok = _linear(times, values + turns, usable, ticks, max_gap_ns)
    return (out + 180) % 360 - 180, ok


def _latest(times: Int64Array, ticks: Int64Array) -> tuple[Int64Array, NDArray[np.floating]]:
    """Index of the last sample at or before each tick, and its age (infinite where there is none)."""
    at = np.searchsorted(times, ticks, side="right") - 1
    clipped = np.clip(at, 0, None)
    return clipped, np.where(at < 0, np.inf, (ticks - times[clipped]).astype(np.float64))


def _nearest(times: Int64Array, ticks: Int64Array) -> tuple[Int64Array, NDArray[np.floating]]:
    at = nearest(times, ticks)
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
        averaged, whole = _cell_means(times, values, joined, ticks, 0.75 * cell)
        out = np.where(whole, averaged, out)
    return out, ok


def _cell_means(
    times: Int64Array,
    values: NDArray[np.float64],
    joined: NDArray[np.bool_],
    ticks: Int64Array,
    half: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Means of the piecewise linear curve from `tick - h` to `tick + h`, h <= half and inside the tick's run.

    Weighted by a trapezium: the mean of four plain means over two thirds of that width, side by side.
    """
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

    mean = np.zeros(reach.shape)
    part = reach * 2 / 3
    for shift in _SHIFTS:
        middle = tick_s + shift * reach
        mean += (area_until(middle + part) - area_until(middle - part)) / (2 * part * len(_SHIFTS))
    return mean + centre, whole
