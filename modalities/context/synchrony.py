"""When are people in step? Correlation in a sliding window, against what the same search finds by chance; and what a
whole group does together.

In each window the correlation is searched over lags in both directions (windowed cross-correlation; Boker et al. 2002,
Psychological Methods 7). A search always finds something, so the highest value is given in standard deviations above
what it reaches when one person is turned round in time (Tschacher, Rees & Ramseyer 2014, Frontiers in Psychology 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.context.coupling import Course, Mask

CHANCE, LEAST_CHANCE, CHANCE_WINDOWS = 24, 6, 3000
"""Surrogates, each with as many windows as the recording: fewer where that makes many windows."""
LEAST_S = 8.0
"""Common valid time that a window needs, seconds."""
_LAG_STEP_S = 0.2


@dataclass(frozen=True, eq=False)
class InStep:
    """Synchrony of two people over time, one value per window.

    Attributes:
        middle: Sample in the middle of each window, int64 (w,).
        z: Highest correlation over the lags, in standard deviations above chance; 0 is chance.
        r: That correlation, -1..1.
        lag_s: Its lag, seconds; positive: the second person comes later.
        valid: Whether the window could be judged, bool (w,).
    """

    middle: NDArray[np.int64]
    z: Course
    r: Course
    lag_s: Course
    valid: Mask


def in_step(
    one: Course,
    other: Course,
    valid: Mask,
    valid_other: Mask,
    rate_hz: float,
    window_s: float,
    most_lag_s: float,
    rng: np.random.Generator,
    every_s: float = 1.0,
) -> InStep:
    """Synchrony of two courses over time.

    Args:
        one: Shape (n,), from `coupling.steady`.
        other: Likewise.
        valid: Shape (n,).
        valid_other: Shape (n,).
        rate_hz: Samples per second.
        window_s: Length of a window; the step is `every_s`.
        most_lag_s: Lags up to this are searched in both directions.
        rng: Of the surrogates.
        every_s: Distance of windows.
    """
    width = round(window_s * rate_hz)
    n = len(one)
    starts = np.arange(0, n - width + 1, max(1, round(every_s * rate_hz)))
    if not len(starts):
        empty = np.zeros(0)
        return InStep(np.zeros(0, np.int64), empty, empty, empty, np.zeros(0, bool))
    step = max(1, round(_LAG_STEP_S * rate_hz))
    most = round(most_lag_s * rate_hz) // step * step
    lags = np.arange(-most, most + 1, step)
    r, lag, good = _best(one, other, valid, valid_other, lags, starts, width, LEAST_S * rate_hz)
    chance = []
    if n >= 3 * width:
        for _ in range(int(np.clip(-(-CHANCE_WINDOWS // len(starts)), LEAST_CHANCE, CHANCE))):
            turn = int(rng.integers(width, n - width))
            found, _, told = _best(
                one, np.roll(other, turn), valid, np.roll(valid_other, turn), lags, starts, width, LEAST_S * rate_hz
            )
            chance.append(np.arctanh(np.clip(found[told], -0.999, 0.999)))
    pool = np.concatenate(chance) if chance else np.zeros(0)
    if len(pool) < 20 or not pool.std():
        good = np.zeros(len(starts), bool)
        return InStep(starts + width // 2, np.zeros(len(starts)), r, lag / rate_hz, good)
    z = (np.arctanh(np.clip(r, -0.999, 0.999)) - pool.mean()) / pool.std()
    return InStep(starts + width // 2, np.where(good, z, 0.0), r, lag / rate_hz, good)


def shared_course(courses: Course, valid: Mask, least: int = 2) -> tuple[Course, Mask]:
    """What a group does together: the mean of its people at each moment.

    Args:
        courses: Shape (people, n), each in its own standard deviations (`coupling.steady`).
        valid: Shape (people, n).
        least: With fewer valid people there is no group.

    Returns:
        float64 (n,) in standard deviations of one person, and where it is valid.
    """
    count = valid.sum(axis=0)
    mean = np.where(valid, courses, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count >= least, mean, 0.0), count >= least


def agreement(courses: Course, valid: Mask, rate_hz: float, window_s: float, every_s: float = 1.0) -> tuple[
    NDArray[np.int64], Course, Mask
]:  # fmt: skip
    """How far a group moves alike: mean correlation of all pairs at the same time, in a sliding window.

    From the variance of the mean of standardised courses, Var = (1 + (k - 1) r) / k for k people.

    Args:
        courses: Shape (people, n).
        valid: Shape (people, n).
        rate_hz: Samples per second.
        window_s: Length of a window.
        every_s: Distance of windows.

    Returns:
        Middle sample of each window, mean correlation -1..1, and where it is valid: at least two people are valid in
        `LEAST_S` of the window together.
    """
    width = round(window_s * rate_hz)
    starts = np.arange(0, courses.shape[1] - width + 1, max(1, round(every_s * rate_hz)))
    out, good = np.zeros(len(starts)), np.zeros(len(starts), bool)
    for at, begin in enumerate(starts.tolist()):
        window = slice(begin, begin + width)
        there = valid[:, window].sum(axis=1) >= LEAST_S * rate_hz
        common = valid[there, window].all(axis=0) if there.any() else np.zeros(width, bool)
        if there.sum() < 2 or common.sum() < LEAST_S * rate_hz:
            continue
        part = courses[there, window][:, common]
        spread = part.std(axis=1)
        part = part[spread > 1e-9]
        if len(part) < 2:
            continue
        unit = (part - part.mean(axis=1, keepdims=True)) / part.std(axis=1, keepdims=True)
        k = len(unit)
        out[at], good[at] = float((k * unit.mean(axis=0).var() - 1) / (k - 1)), True
    return starts + width // 2, out, good


def _best(
    one: Course,
    other: Course,
    valid: Mask,
    valid_other: Mask,
    lags: NDArray[np.int64],
    starts: NDArray[np.int64],
    width: int,
    least: float,
) -> tuple[Course, Course, Mask]:
    """Highest correlation over the lags in each window, its lag in samples, and whether there is one."""
    best, lag_of = np.full(len(starts), -np.inf), np.zeros(len(starts))
    n = len(one)
    for lag in lags.tolist():
        moved, there = np.zeros(n), np.zeros(n, bool)
        to, source = slice(max(0, -lag), n - max(0, lag)), slice(max(0, lag), n - max(0, -lag))
        moved[to], there[to] = other[source], valid_other[source]
        both = valid & there
        x, y = np.where(both, one, 0.0), np.where(both, moved, 0.0)
        m, sx, sy, sxx, syy, sxy = (_sums(v, starts, width) for v in (both, x, y, x * x, y * y, x * y))
        enough = m >= least
        m = np.maximum(m, 1)
        spread = (sxx - sx * sx / m) * (syy - sy * sy / m)
        enough &= spread > 1e-9 * m * m
        r = np.where(enough, (sxy - sx * sy / m) / np.sqrt(np.where(enough, spread, 1.0)), -np.inf)
        better = r > best
        best, lag_of = np.where(better, r, best), np.where(better, lag, lag_of)
    good = np.isfinite(best)
    return np.where(good, best, 0.0), lag_of, good


def _sums(values: NDArray[np.generic], starts: NDArray[np.int64], width: int) -> Course:
    summed = np.r_[0.0, np.cumsum(values, dtype=np.float64)]
    return np.asarray(summed[starts + width] - summed[starts])
