"""A straight line through sliding estimates of an offset, some of them wrong: consensus, robust fit, intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_HUBER = 1.5
_WILD = 4.0
"""Measurements this many times beyond the limit do not count at all."""
DRIFT_PRIOR = 1.5e-4
"""Crystal clocks differ by tens of parts per million: what a short recording says is held against that."""
_MOST_CORRELATED = 0.8
_MOST_PAIRED = 300


@dataclass(frozen=True, eq=False)
class Line:
    """`offset + drift * (time - anchor)`.

    Attributes:
        anchor_s: Time at which `offset_s` holds, the middle of what was measured.
        offset_s: Offset there.
        drift: Slope, dimensionless.
        ci95_s: Half width of the 95 % interval of the offset at the anchor.
        drift_ci95: Half width of that of the slope; infinite where it could not be measured.
    """

    anchor_s: float
    offset_s: float
    drift: float = 0.0
    ci95_s: float = float("inf")
    drift_ci95: float = float("inf")

    def at(self, times_s: Floats | float) -> Floats:
        """Offsets at these times."""
        return np.asarray(self.offset_s + self.drift * (np.asarray(times_s) - self.anchor_s), dtype=np.float64)


def consensus(
    times_s: Floats, offsets_s: Floats, weights: Floats, window: NDArray[np.int64], slopes: Floats, tolerance_s: float
) -> list[tuple[float, Line]]:
    """Lines on which many measurements lie, best first.

    Every measurement is tried as a point of the line, with every slope; a line is worth the sum, over windows, of the
    largest weight of a measurement of that window within the tolerance.

    Args:
        times_s: Times of the measurements, shape (n,).
        offsets_s: What they say, shape (n,).
        weights: Worth of each, >= 0, shape (n,).
        window: Number of the window that each came from, shape (n,), ascending.
        slopes: Slopes to try, shape (k,).
        tolerance_s: Largest distance from the line.

    Returns:
        (worth, line) for every measurement with its best slope, by falling worth.
    """
    first = np.flatnonzero(np.r_[True, np.diff(window) > 0])
    found: list[tuple[float, Line]] = []
    for time, offset in zip(times_s.tolist(), offsets_s.tolist(), strict=True):
        away = (offsets_s - offset)[None, :] - slopes[:, None] * (times_s - time)[None, :]
        inside = np.where(np.abs(away) <= tolerance_s, weights[None, :], 0.0)
        worth = np.maximum.reduceat(inside, first, axis=1).sum(axis=1)
        # Of equal slopes the smallest wins: nothing speaks for a drift.
        best = int(np.argmax(worth - 1e-9 * np.abs(slopes) / max(1e-12, float(np.abs(slopes).max()))))
        found.append((float(worth[best]), Line(time, offset, float(slopes[best]))))
    return sorted(found, key=lambda pair: -pair[0])


def fit_line(
    times_s: Floats, offsets_s: Floats, weights: Floats | None, prior_s: float, floor_s: float, max_drift: float
) -> tuple[Line, Floats]:
    """Robust line with 95 % intervals from the scatter around it.

    Huber's M-estimate of offset and slope (Huber, 1964, "Robust estimation of a location parameter"), begun at the
    median slope (Theil, 1950; Sen, 1968) or at least squares, and held towards no drift where the measurements say
    little of it. The scatter gets a prior worth one measurement, so that two that happen to agree are not taken for
    perfect, and is widened for measurements that err together (effective sample size by the autocorrelation of
    neighbours' residuals).

    Args:
        times_s: Times, increasing, shape (k,), k >= 1.
        offsets_s: Offsets measured there, shape (k,).
        weights: Relative precision (inverse variance) of each, > 0, shape (k,); None for all alike.
        prior_s: Scatter expected of a single measurement.
        floor_s: Error that all measurements share and the scatter cannot show, standard deviation.
        max_drift: Slopes beyond this are cut off.

    Returns:
        The line, anchored at the weighted middle, and the residuals (k,).
    """
    from scipy.special import stdtrit

    k = len(times_s)
    base = np.ones(k) if weights is None else weights / weights.mean()
    huber = np.ones(k)
    anchor, offset, slope = float(np.average(times_s, weights=base)), float(np.median(offsets_s)), 0.0
    if k > 3:
        slope, offset = _start(times_s - anchor, offsets_s, _WILD * _HUBER * prior_s, max_drift)
    residuals = offsets_s - offset - slope * (times_s - anchor)
    for _ in range(12):
        scaled = np.abs(residuals) * np.sqrt(base)
        limit = _HUBER * max(prior_s, 1.4826 * float(np.median(scaled)))
        huber = np.where(scaled < _WILD * limit, np.minimum(1.0, limit / np.maximum(scaled, 1e-15)), 0.0)
        if not np.any(huber):
            huber = np.ones(k)
        total = base * huber
        anchor = float(np.average(times_s, weights=total))
        offset = float(np.average(offsets_s, weights=total))
        away = times_s - anchor
        if k > 1:
            spread = float(np.sum(total * away**2))
            moment = float(np.sum(total * away * (offsets_s - offset)))
            free = offsets_s - offset - moment / max(spread, 1e-12) * away
            variance = (float(np.sum(total * free**2)) + prior_s**2) / (k - 1)
            slope = float(np.clip(moment / (spread + variance / DRIFT_PRIOR**2), -max_drift, max_drift))
        residuals = offsets_s - offset - slope * away
    degrees = max(0, k - (2 if k > 2 else 1))
    # Variance of a measurement of mean precision; Huber's correction for the tails that were cut.
    share = float(np.mean(huber >= 1)) if k > 2 else 1.0
    clipped = float(np.sum(base * (huber * residuals) ** 2)) / max(share, 0.5) ** 2
    scatter = np.sqrt((clipped + prior_s**2) / (degrees + 1))
    wider = _widening(residuals * np.sqrt(base))
    quantile = float(stdtrit(degrees + 1, 0.975))
    # The larger of two: errors as the weights have them, and as the residuals have them, whatever the weights.
    total, away = base * huber, times_s - anchor
    own = np.sqrt(k / max(1, degrees)) * total * residuals
    error = wider * max(float(scatter / np.sqrt(base.sum())), float(np.linalg.norm(own) / total.sum()))
    lever = float(np.sum(base * away**2))
    drift_error = float("inf")
    if k > 1 and lever > 0:
        alone = wider * max(
            float(scatter / np.sqrt(lever)), float(np.linalg.norm(own * away) / np.sum(total * away**2))
        )
        drift_error = alone / float(np.hypot(1, alone / DRIFT_PRIOR))
    ci = float(np.hypot(quantile * error, 1.96 * floor_s))
    return Line(anchor, offset, slope, ci, quantile * drift_error), residuals


def _start(away: Floats, offsets_s: Floats, wild_s: float, max_drift: float) -> tuple[float, float]:
    """The line to begin at: of the median slope, or by least squares where fewer are wild then.

    Among few measurements most slopes are of neighbours that say little, and their median throws out the one far away.
    """
    found = []
    for slope in (_median_slope(away, offsets_s), float(np.polyfit(away, offsets_s, 1)[0])):
        slope = float(np.clip(slope, -max_drift, max_drift))
        offset = float(np.median(offsets_s - slope * away))
        cost = float(np.minimum(np.abs(offsets_s - offset - slope * away), wild_s).sum())
        found.append((cost, slope, offset))
    return min(found, key=lambda one: one[0])[1:]


def _median_slope(times_s: Floats, offsets_s: Floats) -> float:
    """Median of the slopes of all pairs (Theil-Sen), of many measurements only of some spread over all."""
    some = np.unique(np.linspace(0, len(times_s) - 1, min(len(times_s), _MOST_PAIRED)).astype(np.int64))
    times_s, offsets_s = times_s[some], offsets_s[some]
    i, j = np.triu_indices(len(times_s), 1)
    return float(np.median((offsets_s[j] - offsets_s[i]) / np.maximum(times_s[j] - times_s[i], 1e-9)))


def _widening(residuals: Floats) -> float:
    """How much a mean of these errs more than one of independent measurements, >= 1 (first-order autoregression)."""
    k = len(residuals)
    if k < 6:
        return 1.0
    scale = float(np.sum(residuals**2))
    together = float(np.sum(residuals[1:] * residuals[:-1])) / scale if scale > 0 else 0.0
    # The residuals of a fitted line look less alike than the errors are (bias of about -(1 + 3 rho) / k).
    together = float(np.clip(together + 1 / k, 0.0, _MOST_CORRELATED))
    return float(np.sqrt((1 + together) / (1 - together)))


def chance_of(k: int, n: int, p: float) -> float:
    """log10 of the chance that k or more of n windows agree where each does so with chance p."""
    from scipy.stats import binom

    if k <= 0:
        return 0.0
    return float(binom.logsf(k - 1, n, min(p, 1.0)) / np.log(10))
