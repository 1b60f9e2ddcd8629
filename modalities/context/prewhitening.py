"""Who follows whom in what exists only in turns, such as pitch: prewhitened, so that short overlaps tell.

In a dialogue one person's pitch and the other's lie within a given lag of each other for some seconds of a minute only.
A plain correlation wastes them: pitch moves slowly, so that a second of it is hardly more than one observation, and the
peak over lags is as broad as that. The remedy is that of Box and Jenkins: whiten each course by what it does by itself
before the two are compared (Dean & Dunsmuir 2016, "Dangers and uses of cross-correlation in analyzing time series in
perception, performance, movement, and neuroscience", Behavior Research Methods 48). A filter that whitens loses the
beginning of every stretch between two gaps; here the covariance of the valid samples is inverted instead (its Cholesky
factor), so that nothing is lost and nothing filled in. What comes out is the score test of a relation between two
Gaussian processes that are known at these moments only.

The null keeps both people's turns where they are, for that somebody speaks when the other is silent is no relation of
their pitches: what each turn of the follower adds gets a sign by lot, as if they had raised their voice where they
lowered it (the wild bootstrap, Liu 1988, Annals of Statistics 16). Nothing is assumed of what goes on within a turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.context.coupling import (
    LEAST_S,
    SURROGATES,
    Course,
    Follow,
    Mask,
    between,
    correlation_at,
    peak_heights,
    peak_of,
    pieces,
    rank_p,
)

PAUSE_S, TURN_S = 1.0, 5.0
"""A longer silence ends a turn; a longer turn counts as several."""
SHAPE_S, LEAST_TURNS = 0.5, 8
"""The common shape of turns is a mean in steps so long; with fewer turns there is none."""
REACH_S = 3.0
"""Samples further apart than this are taken as unrelated within a person."""
NOISE = 0.02
"""Least share of the variance that is counted as noise, equally at all frequencies."""
MOST_Z = 4.0
"""Innovations beyond so many standard deviations are pulled in."""
LEAST_OVERLAP_S = 2.0
"""At a lag at which less is known of both, nothing is compared."""
SMOOTH_S, JUMP = 0.1, 0.4
"""A measured pitch is the median of its surroundings within `SMOOTH_S` on both sides; one that lies `JUMP` octaves off
it is a mistake of the tracker, mostly by an octave."""
_LEAST_SAMPLES = 5
_NOTHING = -1e3


def follows_in_turns(
    leader: Course,
    follower: Course,
    valid_leader: Mask,
    valid_follower: Mask,
    rate_hz: float,
    lags_s: tuple[float, float],
    rng: np.random.Generator,
    surrogates: int = SURROGATES,
) -> tuple[Follow, float]:
    """Whether `follower` does as `leader` did, so much later; both may be invalid most of the time.

    Args:
        leader: Shape (n,), from `coupling.steady`.
        follower: Shape (n,), likewise.
        valid_leader: Shape (n,).
        valid_follower: Shape (n,).
        rate_hz: Samples per second of both.
        lags_s: Shortest and longest lag that is looked at, seconds; as in `coupling.follows` a rise towards the edge is
            no answer where an inner peak can be had.
        rng: Of the surrogates.
        surrogates: How many; p is never below 1 / (surrogates + 1).

    Returns:
        The answer, and the height of the highest peak at the same lags with the other sign: the higher one says who is
        likelier to lead. `r` is the correlation of the two at the lag where both are valid, 0 where they hardly are;
        `valid_s` for how long both are valid at the lag, or about as much is known of them from close by.
    """
    from scipy.linalg import solve_triangular

    n = len(leader)
    both = float((valid_leader & valid_follower).sum()) / rate_hz
    nothing = Follow(float("nan"), float("nan"), float("nan"), both, reason="too_short"), float("-inf")
    told = min(valid_leader.sum(), valid_follower.sum()) >= _LEAST_SAMPLES
    if n < LEAST_S * rate_hz or not told or not (np.any(leader) and np.any(follower)):
        return nothing
    first, last = (round(lag * rate_hz) for lag in lags_s)
    lags = np.arange(first - 1, last + 2)
    edges = pieces(n, rate_hz, max(abs(first), abs(last)))
    covariance = _covariance(leader, valid_leader, rate_hz)
    expected = np.zeros(n)
    for begin, end in edges:
        new, lower, near = _whitened(leader[begin:end], valid_leader[begin:end], *covariance)
        if len(new):
            expected[begin:end] = solve_triangular(lower, new, trans="T", lower=True) @ near
    covariance = _covariance(follower, valid_follower, rate_hz)
    total, back, known = np.zeros((surrogates + 1, len(lags))), np.zeros(len(lags)), np.zeros((2, len(lags)))
    for begin, end in edges:
        new, lower, near = _whitened(follower[begin:end], valid_follower[begin:end], *covariance)
        if not len(new):
            continue
        wanted = near @ _delayed(expected, begin, end, np.r_[lags, -lags])
        ahead, behind = np.split(solve_triangular(lower, wanted, lower=True), 2, axis=1)
        parts = np.add.reduceat(new[:, None] * ahead, _turns(valid_follower[begin:end], rate_hz), axis=0)
        signs = rng.choice([-1.0, 1.0], (surrogates + 1, len(parts)))
        signs[0] = 1.0
        total += signs @ parts
        back += new @ behind
        known += (ahead**2).sum(axis=0), (behind**2).sum(axis=0)
    enough = known >= LEAST_OVERLAP_S * rate_hz
    scale = np.sqrt(np.maximum(known, 1.0))
    height, reverse = (np.where(enough[way], (total, back)[way] / scale[way], _NOTHING) for way in (0, 1))
    if height[0].max() <= _NOTHING:
        return nothing
    top = peak_of(height[0])
    lag = float(lags[top]) + between(height[0], top)
    r = correlation_at(leader, follower, valid_leader, valid_follower, round(lag))
    tops = peak_heights(height)
    p = rank_p(tops[0], tops[1:], rng)
    found = Follow(r, lag / rate_hz, p, float(known[0, top]) / rate_hz, float(height[0, top]))
    return found, float(peak_heights(reverse[None])[0])


def without_jumps(octaves: Course, valid: Mask, times_ns: Int64Array) -> tuple[Course, Mask]:
    """Pitch as the median of its surroundings, without the octave errors of the tracker.

    Args:
        octaves: Shape (n,), binary logarithm of the pitch.
        valid: Shape (n,).
        times_ns: Shape (n,), rising.

    Returns:
        Octaves and validity; stretches between pauses longer than `SMOOTH_S` are smoothed by themselves.
    """
    from scipy.ndimage import median_filter

    out, good = octaves.copy(), valid.copy()
    at = np.flatnonzero(valid)
    pauses = np.diff(times_ns[at])
    reach = round(SMOOTH_S * NS_PER_S)
    half = round(reach / np.median(pauses)) if len(pauses) else 0
    for stretch in np.split(at, np.flatnonzero(pauses > reach) + 1):
        values = octaves[stretch]
        out[stretch] = median_filter(values, 2 * half + 1, mode="reflect")
        good[stretch] = np.abs(values - out[stretch]) <= JUMP
    return out, good


def without_shape_of_turns(course: Course, valid: Mask, rate_hz: float) -> Course:
    """A course without what all turns of the person have in common: voices fall in the course of a turn (declination,
    Ladd 1984, Phonology Yearbook 1), so that two people who take turns seem to follow each other.

    Args:
        course: Shape (n,), from `coupling.steady`.
        valid: Shape (n,).
        rate_hz: Samples per second.

    Returns:
        float64 (n,): less the mean of all turns so long after their beginning, where there are `LEAST_TURNS` turns.
    """
    at = np.flatnonzero(valid)
    if not len(at):
        return course
    fresh = np.r_[True, np.diff(at) > PAUSE_S * rate_hz]
    turn = np.cumsum(fresh) - 1
    step = ((at - at[fresh][turn]) / (SHAPE_S * rate_hz)).astype(int)
    count = np.bincount(step)
    turns = np.bincount(np.unique(np.stack([step, turn], axis=1), axis=0)[:, 0])
    mean = np.where(turns >= LEAST_TURNS, np.bincount(step, course[at]) / np.maximum(count, 1), 0.0)
    out = course.copy()
    middle = (np.arange(len(mean)) + 0.5) * SHAPE_S * rate_hz
    out[at] -= np.interp(at - at[fresh][turn], middle, mean)
    return out


def _covariance(course: Course, valid: Mask, rate_hz: float) -> tuple[Course, Course]:
    """A course's covariance by the distance of two samples, and its root by convolution; from the valid samples."""
    reach, n = round(REACH_S * rate_hz), 2 * len(course)
    held = np.where(valid, course, 0.0)
    products = np.fft.irfft(np.abs(np.fft.rfft(held, n)) ** 2, n)[: reach + 1]
    pairs = np.fft.irfft(np.abs(np.fft.rfft(valid.astype(np.float64), n)) ** 2, n)[: reach + 1]
    taper = 0.5 * (1 + np.cos(np.pi * np.arange(reach + 1) / (reach + 1)))
    covariance = taper * products / np.maximum(pairs, 1.0)
    size = 1 << int(np.ceil(np.log2(8 * reach)))
    both = np.zeros(size)
    both[: reach + 1], both[-reach:] = covariance, covariance[:0:-1]
    power = np.maximum(np.fft.rfft(both).real, NOISE * covariance[0])
    return np.fft.irfft(power, size)[: size // 2], np.fft.irfft(np.sqrt(power), size)[: size // 2]


def _whitened(
    course: Course, valid: Mask, covariance: Course, root: Course
) -> tuple[Course, NDArray[np.float64], NDArray[np.float64]]:
    """Innovations of the m valid samples, (m,); the factor that made them, (m, m); their way to all moments, (m, n)."""
    from scipy.linalg import cholesky, solve_triangular

    at, n = np.flatnonzero(valid), len(course)
    if len(at) < _LEAST_SAMPLES:
        return np.zeros(0), np.zeros((0, 0)), np.zeros((0, n))
    lower = cholesky(_at_distance(covariance, at, at), lower=True)
    new = solve_triangular(lower, course[at], lower=True)
    return np.clip(new, -MOST_Z, MOST_Z), lower, _at_distance(root, at, np.arange(n))


def _delayed(course: Course, begin: int, end: int, lags: Int64Array) -> NDArray[np.float64]:
    """What the course was each of the lags before the moments of a piece, 0 outside; shape (end - begin, lags)."""
    then = np.arange(begin, end)[:, None] - lags
    return np.where((then >= 0) & (then < len(course)), course[np.clip(then, 0, len(course) - 1)], 0.0)


def _at_distance(values: Course, rows: Int64Array, columns: Int64Array) -> NDArray[np.float64]:
    """`values` at the distances of all rows and columns, 0 beyond its end; shape (rows, columns)."""
    apart = np.abs(rows[:, None] - columns[None, :])
    return np.where(apart < len(values), values[np.minimum(apart, len(values) - 1)], 0.0)


def _turns(valid: Mask, rate_hz: float) -> Int64Array:
    """Where turns begin, as positions among the valid samples."""
    at = np.flatnonzero(valid)
    begins = [0]
    for here in range(1, len(at)):
        if at[here] - at[here - 1] > PAUSE_S * rate_hz or at[here] - at[begins[-1]] >= TURN_S * rate_hz:
            begins.append(here)
    return np.array(begins, dtype=np.int64)
