"""A straight line through points some of which are wrong: Huber's M-estimate with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HUBER = 1.5
"""Residuals beyond this many robust standard deviations count less (Huber, Ann. Math. Statist. 35, 1964)."""


@dataclass(frozen=True, eq=False)
class Line:
    """`y = level + slope * (x - anchor)`.

    Attributes:
        anchor: Weighted mean of x, where level and slope are independent.
        level: y at the anchor.
        slope: Rise per unit of x.
        residuals: What each point lies above the line, shape (n,).
        ci95_level: Half width of the 95 % interval of the level, > 0.
        ci95_slope: Half width of the 95 % interval of the slope, > 0.
    """

    anchor: float
    level: float
    slope: float
    residuals: Floats
    ci95_level: float
    ci95_slope: float

    def at(self, x: Floats | float) -> Floats:
        """Heights of the line at these x, same shape."""
        return np.asarray(self.level + self.slope * (np.asarray(x, np.float64) - self.anchor))


def fit_line(x: Floats, y: Floats, *, noise: float, slope_prior: float = np.inf) -> Line:
    """Fit a line, robustly.

    Args:
        x: Shape (n,), n >= 1.
        y: Shape (n,).
        noise: Standard deviation of a point that is expected before any was seen, > 0; worth one point, so that few
            points never look perfect.
        slope_prior: Standard deviation of slopes that occur; holds the slope towards 0 where the points say less.
    """
    from scipy.special import stdtrit

    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    weights = np.ones(len(x))
    anchor, level, slope, scale = float(x.mean()), float(np.median(y)), 0.0, noise
    for _ in range(20):
        anchor = float(np.average(x, weights=weights))
        level = float(np.average(y - slope * (x - anchor), weights=weights))
        across = float(np.sum(weights * (x - anchor) ** 2)) + (scale / slope_prior) ** 2
        slope = float(np.sum(weights * (x - anchor) * (y - level))) / across if across > 0 else 0.0
        residuals = y - level - slope * (x - anchor)
        scale = _scale(residuals, noise)
        weights = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residuals), 1e-300))
    residuals = y - level - slope * (x - anchor)
    free = max(1, len(x) - 2)
    spread = float(np.sqrt((np.sum(weights * residuals**2) + noise**2) / (free + 1)))
    across = float(np.sum(weights * (x - anchor) ** 2)) + (scale / slope_prior) ** 2
    quantile = float(stdtrit(free + 1, 0.975))
    ci_slope = quantile * spread / float(np.sqrt(across)) if across > 0 else np.inf
    ci_level = quantile * spread / float(np.sqrt(weights.sum()))
    return Line(anchor, level, slope, residuals, ci_level, ci_slope)


def _scale(residuals: Floats, noise: float) -> float:
    """Robust standard deviation, with a prior worth one point."""
    free = max(0, len(residuals) - 2)
    spread = 1.4826 * float(np.median(np.abs(residuals))) if free else 0.0
    return float(np.sqrt((free * spread**2 + noise**2) / (free + 1)))
