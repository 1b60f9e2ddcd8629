"""Do one person's events follow another's? Pairs of events by their lag, against events turned round in pieces.

Event coincidence analysis (Donges et al. 2016, European Physical Journal Special Topics 225) counts how many events of
one kind are followed by one of another within a window. Here the window slides over the lags, so that the lag comes
out too, and the null is that of `coupling`: each person keeps the own bursts and pauses of events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.context.coupling import (
    LEAST_S,
    SURROGATES,
    Course,
    peak_heights,
    peak_of,
    pieces,
    rank_p,
    turned_products,
)

STEP_HZ = 20.0
WIDTH_S = 0.5
"""Lags within this distance of each other count as the same (triangular weights)."""
LEAST_EVENTS = 5
"""With fewer events of either person nothing is said."""


@dataclass(frozen=True)
class Coincidence:
    """Whether and how late one person's events follow another's.

    Attributes:
        share: Share of the leader's events that the follower answers within `WIDTH_S` of the lag, 0..1; NaN where
            there are too few events.
        expected: The same share at one given lag if the follower's events came at random at their own rate.
        lag_s: Lag, seconds; NaN as `share`.
        p: Probability of so many by chance, 0..1; NaN as `share`.
        events: Events of the leader and of the follower.
        height: Weighted number of answers; of two directions the higher one is the likelier.
        reason: "" or "too_short".
    """

    share: float
    expected: float
    lag_s: float
    p: float
    events: tuple[int, int]
    height: float = 0.0
    reason: str = ""


def coincide(
    leader_ns: Int64Array,
    follower_ns: Int64Array,
    extent_ns: tuple[int, int],
    lags_s: tuple[float, float],
    rng: np.random.Generator,
    surrogates: int = SURROGATES,
) -> Coincidence:
    """Whether the follower's events come at a fixed lag after the leader's.

    Args:
        leader_ns: Event times, int64 ns, any order.
        follower_ns: Likewise.
        extent_ns: Begin and end of the time in which both were observed; events outside do not count.
        lags_s: Shortest and longest lag looked at, seconds.
        rng: Of the surrogates.
        surrogates: How many.
    """
    n = int((extent_ns[1] - extent_ns[0]) / NS_PER_S * STEP_HZ)
    one, other = (_within(times, extent_ns) for times in (leader_ns, follower_ns))
    counts = (len(one), len(other))
    if min(counts) < LEAST_EVENTS or n < LEAST_S * STEP_HZ:
        return Coincidence(float("nan"), float("nan"), float("nan"), float("nan"), counts, reason="too_short")
    first, last = (round(lag * STEP_HZ) for lag in lags_s)
    lags = np.arange(first - 1, last + 2)
    total = np.zeros((surrogates + 1, len(lags)))
    plain, smooth = _counts(one, n), _spread(_counts(other, n))
    for begin, end in pieces(n, STEP_HZ, max(abs(first), abs(last))):
        length = end - begin
        shifts = rng.integers(0, length, surrogates + 1)
        shifts[0] = 0
        index = (shifts[:, None] + lags) % length
        total += turned_products(plain[begin:end], smooth[begin:end])[index]
    total = np.round(total, 6)
    tops = peak_heights(total)
    at = peak_of(total[0])
    lag_s = float(lags[at]) / STEP_HZ
    differences = (other[None, :] - one[:, None]) / STEP_HZ
    for _ in range(3):
        near = np.abs(differences - lag_s) <= WIDTH_S
        if not near.any():
            break
        lag_s = float(np.median(differences[near]))
    share = float((np.abs(differences - lag_s) <= WIDTH_S).any(axis=1).mean())
    rate = len(other) / n * STEP_HZ
    expected = 1.0 - float(np.exp(-2 * WIDTH_S * rate))
    return Coincidence(share, expected, lag_s, rank_p(tops[0], tops[1:], rng), counts, float(total[0, at]))


def onsets_of(
    values: Course, valid: NDArray[np.bool_], times_ns: Int64Array, high: float, low: float, foot: float = 0.25
) -> Int64Array:
    """Times at which a course begins to rise above `high`, again only after it fell below `low`; int64 ns, shape (k,).

    A high and a low rise cross a threshold at different times after they began. So the onset is where the rise to the
    top that follows left a quarter of that top behind.

    Args:
        values: Shape (n,).
        valid: Shape (n,); invalid samples end whatever was on.
        times_ns: Shape (n,).
        high: Threshold of onset.
        low: Threshold of offset, at most `high`.
        foot: Share of the top at which the rise begins.
    """
    out: list[int] = []
    above = np.where(valid, values, -np.inf) >= high
    ends, holes = np.flatnonzero(~valid | (values < low)), np.flatnonzero(~valid)
    last = 0
    for at in np.flatnonzero(above & ~np.r_[False, above[:-1]]).tolist():
        hole = int(np.searchsorted(holes, at)) - 1
        first = max(last, int(holes[hole]) + 1 if hole >= 0 else 0)
        if not np.any(values[first:at] < low):
            continue
        after = int(np.searchsorted(ends, at))
        end = int(ends[after]) if after < len(ends) else len(values)
        top, begin = float(values[at:end].max()), at
        while begin > first and values[begin - 1] >= foot * top:
            begin -= 1
        out.append(int(times_ns[begin]))
        last = end
    return np.array(out, dtype=np.int64)


def _within(times_ns: Int64Array, extent_ns: tuple[int, int]) -> Course:
    """Sorted times in steps since the beginning of the extent."""
    times = np.sort(np.asarray(times_ns, dtype=np.int64))
    times = times[(times >= extent_ns[0]) & (times < extent_ns[1])]
    return (times - extent_ns[0]) / NS_PER_S * STEP_HZ


def _counts(steps: Course, n: int) -> Course:
    return np.bincount(np.minimum(steps.astype(int), n - 1), minlength=n).astype(np.float64)


def _spread(counts: Course) -> Course:
    half = round(WIDTH_S * STEP_HZ)
    kernel = 1 - np.abs(np.arange(-half, half + 1)) / (half + 1)
    return np.convolve(counts, kernel, mode="same")
