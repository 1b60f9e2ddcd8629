"""Does one person follow another? Lagged correlation of two courses against a null that keeps how each one moves.

Two courses that move slowly correlate by chance alone, so that the usual test of a correlation finds a relation
everywhere. Here the null is made of the recording itself: both courses are cut into pieces of about a minute, and in
each piece one course is turned round (circularly shifted) by a random amount of its own. This keeps the distribution,
the rhythm, the bursts and the gaps of either course, and destroys only how they lie to each other. Whatever the search
over lags picks in the recording it also picks in every such surrogate, so that looking at many lags is paid for.
Shifting whole recordings is the usual surrogate (Moulder et al. 2018, "Determining synchrony between behavioral time
series", Psychological Methods 23); it allows no small p in a short session, because a window of lags then fits into it
only a few times. Pieces that are shifted independently do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Course = NDArray[np.float64]
Mask = NDArray[np.bool_]

SURROGATES = 1999
PIECE_S, LEAST_S = 60.0, 60.0
"""Length of a piece; the shortest pair of courses that anything is said of."""
HIGH_PASS_S = 30.0
"""What moves more slowly than this is taken out: two drifts agree by chance."""
MOST_Z = 5.0
"""Values beyond so many standard deviations are pulled in, lest one artefact decides."""
LEAST_OVERLAP_S = 10.0
"""At a lag with less common valid time nothing is compared."""
SHARP_HZ, SHARPEN_S, WHOLE = 0.7, 0.6, 0.9
"""Lags are sharpened in courses of which at least the share `WHOLE` is valid: the edges of gaps are sharp too."""
_NOTHING = -1e3


@dataclass(frozen=True, eq=False)
class Follow:
    """Whether and how late one course follows another.

    Attributes:
        r: Correlation at the lag, -1..1; NaN where nothing could be compared.
        lag_s: By how much the second course comes later, seconds; NaN as `r`.
        p: Probability of so high a peak without any relation, 0..1; NaN as `r`.
        valid_s: Time in which both are valid at that lag, seconds.
        height: The peak in the scale in which peaks are ranked: of two directions the higher one is the likelier.
        reason: "" or "too_short" (a key of `data_schemas.features.REASONS`).
    """

    r: float
    lag_s: float
    p: float
    valid_s: float
    height: float = float("-inf")
    reason: str = ""


def _nothing(valid_s: float) -> Follow:
    return Follow(float("nan"), float("nan"), float("nan"), valid_s, reason="too_short")


def steady(values: Course, valid: Mask, rate_hz: float, over_s: float = HIGH_PASS_S) -> Course:
    """A course without its slow changes, in its own standard deviations, 0 where it is invalid.

    Args:
        values: Shape (n,), any unit.
        valid: Shape (n,).
        rate_hz: Samples per second.
        over_s: The mean over so many seconds around each sample is taken out.

    Returns:
        float64 (n,), within +-`MOST_Z`; all 0 where the course does not move.
    """
    count = _moving_sum(valid.astype(np.float64), rate_hz, over_s)
    total = _moving_sum(np.where(valid, values, 0.0), rate_hz, over_s)
    out = np.where(valid, values - total / np.maximum(count, 1), 0.0)
    spread = float(out[valid].std()) if valid.any() else 0.0
    scale = float(np.abs(values[valid]).max()) if valid.any() else 0.0
    if spread <= 1e-9 * max(scale, 1e-30):
        return np.zeros(len(out))
    return np.clip(out / spread, -MOST_Z, MOST_Z)


def follows(
    leader: Course,
    follower: Course,
    valid_leader: Mask,
    valid_follower: Mask,
    rate_hz: float,
    lags_s: tuple[float, float],
    rng: np.random.Generator,
    surrogates: int = SURROGATES,
) -> Follow:
    """Whether `follower` does as `leader` did, so much later.

    Args:
        leader: Shape (n,), from `steady`.
        follower: Shape (n,), from `steady`.
        valid_leader: Shape (n,).
        valid_follower: Shape (n,).
        rate_hz: Samples per second of both.
        lags_s: Shortest and longest lag that is looked at, seconds; a rise towards the edge is no answer where an inner
            peak can be had, because it may belong to a lag outside, such as the other person's lead.
        rng: Of the surrogates.
        surrogates: How many; p is never below 1 / (surrogates + 1).
    """
    both = float((valid_leader & valid_follower).sum()) / rate_hz
    n = len(leader)
    if n < LEAST_S * rate_hz or not (np.any(leader) and np.any(follower)):
        return _nothing(both)
    first, last = (round(lag * rate_hz) for lag in lags_s)
    lags = np.arange(first - 1, last + 2)
    least = LEAST_OVERLAP_S * rate_hz
    total, common = np.zeros((surrogates + 1, len(lags))), np.zeros((surrogates + 1, len(lags)))
    for begin, end in pieces(n, rate_hz, max(abs(first), abs(last))):
        there, here = valid_leader[begin:end], valid_follower[begin:end]
        one, other = _centred(leader[begin:end], there), _centred(follower[begin:end], here)
        shifts = rng.integers(0, end - begin, surrogates + 1)
        shifts[0] = 0
        at = (shifts[:, None] + lags) % (end - begin)
        total += turned_products(one, other)[at]
        common += turned_products(there.astype(np.float64), here.astype(np.float64))[at]
    height = np.where(common >= least, total / np.sqrt(np.maximum(common, 1.0)), _NOTHING)
    if height[0].max() <= _NOTHING:
        return _nothing(both)
    tops = peak_heights(height)
    top = peak_of(height[0])
    lag = float(lags[top]) + between(height[0], top)
    if min(valid_leader.mean(), valid_follower.mean()) >= WHOLE:
        lag = _sharpened(leader, follower, lag, (first, last), rate_hz)
    r = correlation_at(leader, follower, valid_leader, valid_follower, round(lag))
    p = rank_p(tops[0], tops[1:], rng)
    return Follow(r, lag / rate_hz, p, float(common[0, top]) / rate_hz, float(height[0, top]))


def pieces(n: int, rate_hz: float, longest_lag: int) -> list[tuple[int, int]]:
    """Begin and end of the pieces that are shifted independently, of about `PIECE_S` and many times the longest lag."""
    length = max(PIECE_S * rate_hz, 6.0 * longest_lag)
    edges = np.linspace(0, n, max(1, int(n // length)) + 1).astype(int)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def turned_products(one: Course, other: Course) -> Course:
    """At k: sum over t of one[t] * other[t + k], where `other` goes round; shape (n,)."""
    return np.fft.irfft(np.conj(np.fft.rfft(one)) * np.fft.rfft(other), len(one))


def peak_heights(heights: Course) -> Course:
    """Highest inner peak of each row; where there is none the highest value, ranked below every peak.

    Args:
        heights: Shape (rows, lags).
    """
    inner = heights[:, 1:-1]
    peak = (inner >= heights[:, :-2]) & (inner > heights[:, 2:]) & (inner > _NOTHING)
    best = np.where(peak, inner, -np.inf).max(axis=1)
    return np.where(np.isfinite(best), best, inner.max(axis=1) + 2 * _NOTHING)


def peak_of(height: Course) -> int:
    """Where the highest inner peak of one row is, or its highest inner value."""
    inner = height[1:-1]
    peak = (inner >= height[:-2]) & (inner > height[2:])
    return 1 + int(np.argmax(np.where(peak, inner, -np.inf) if peak.any() else inner))


def rank_p(seen: float, chance: Course, rng: np.random.Generator) -> float:
    """Probability of a value at least as high by chance; ties are decided by lot, so that p is uniform without a
    relation even for counts (Dufour 2006, Journal of Econometrics 133).
    """
    above, equal = int((chance > seen).sum()), int((chance == seen).sum())
    return (above + int(rng.integers(0, equal + 1)) + 1) / (len(chance) + 1)


def false_discovery(p: Course) -> Course:
    """The q of each p (Benjamini and Hochberg 1995): share of false answers among all with a q at most as high.

    Args:
        p: Shape (n,); NaN stays NaN and is not counted.
    """
    out = np.full(len(p), np.nan)
    told = np.flatnonzero(np.isfinite(p))
    order = told[np.argsort(p[told])]
    least = 1.0
    for rank, at in reversed(list(enumerate(order.tolist(), 1))):
        least = min(least, float(p[at]) * len(order) / rank)
        out[at] = least
    return out


def _moving_sum(values: Course, rate_hz: float, over_s: float) -> Course:
    half = max(1, round(over_s * rate_hz / 2))
    summed = np.r_[0.0, np.cumsum(values)]
    index = np.arange(len(values))
    return summed[np.minimum(index + half + 1, len(values))] - summed[np.maximum(index - half, 0)]


def _centred(values: Course, valid: Mask) -> Course:
    return np.where(valid, values - values[valid].mean(), 0.0) if valid.any() else np.zeros(len(values))


def _sharpened(leader: Course, follower: Course, lag: float, lags: tuple[int, int], rate_hz: float) -> float:
    """The lag, in samples, where slow changes count less: their broad peak is easily pulled aside by chance.

    Frequencies are weighted by f * exp(-(f / `SHARP_HZ`)^2), a compromise between the plain and the whitened
    correlation (Knapp & Carter 1976); the answer stays within `SHARPEN_S` of the plain one, which is kept where there
    is no peak.
    """
    n = 2 * len(leader)
    hz = np.fft.rfftfreq(n, 1 / rate_hz)
    weight = hz * np.exp(-((hz / SHARP_HZ) ** 2))
    products = np.fft.irfft(np.conj(np.fft.rfft(leader, n)) * np.fft.rfft(follower, n) * weight, n)
    reach = SHARPEN_S * rate_hz
    near = np.arange(max(lags[0], round(lag - reach)) - 1, min(lags[1], round(lag + reach)) + 2)
    if len(near) < 3:
        return lag
    height = products[near % n]
    inner = 1 + int(np.argmax(height[1:-1]))
    if not (height[inner] >= height[inner - 1] and height[inner] > height[inner + 1]):
        return lag
    return float(near[inner]) + between(height, inner)


def between(height: Course, at: int) -> float:
    """Distance of a peak's top from its sample, by a parabola through three, -0.5..0.5."""
    left, top, right = height[at - 1], height[at], height[at + 1]
    bend = left - 2 * top + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 and left > _NOTHING < right else 0.0


def correlation_at(one: Course, other: Course, valid: Mask, valid_other: Mask, lag: int) -> float:
    """Correlation of `one` with `other` so many samples later, over what is valid of both; 0 where that is nothing."""
    n = len(one)
    early, late = slice(max(0, -lag), n - max(0, lag)), slice(max(0, lag), n - max(0, -lag))
    both = valid[early] & valid_other[late]
    if both.sum() < 3 or not one[early][both].std() or not other[late][both].std():
        return 0.0
    return float(np.corrcoef(one[early][both], other[late][both])[0, 1])
