"""Bayes factors of t tests with a Cauchy prior on the effect (JZS)."""

from __future__ import annotations

import numpy as np


def jzs_bayes_factor(t: float, n0: int, n1: int | None = None, scale: float = 0.707) -> float:
    """Evidence for an effect over none, BF10, of Rouder, Speckman, Sun, Morey & Iverson 2009 (equation 1).

    Above 1 the data speak for an effect, below 1 for none. The integral over g is done numerically.

    Args:
        t: The t statistic.
        n0: Pairs; in groups, the size of the first group.
        n1: Size of the second group; None for paired data.
        scale: Width of the Cauchy prior of the standardised effect.

    Returns:
        BF10; NaN where there are fewer than two units or no t.
    """
    from scipy.integrate import quad

    if n1 is None:
        n, df = float(n0), n0 - 1
    else:
        n, df = (n0 * n1 / (n0 + n1) if n0 + n1 else 0.0), n0 + n1 - 2
    if not np.isfinite(t) or df < 1 or n <= 0:
        return float("nan")
    power = (df + 1) / 2
    null = -power * np.log1p(t * t / df)

    def log_integrand(u: float) -> float:
        g = np.exp(u)
        spread = 1 + n * g * scale * scale
        likelihood = -0.5 * np.log(spread) - power * np.log1p(t * t / (spread * df))
        prior = -0.5 * np.log(2 * np.pi) - 1.5 * u - 1 / (2 * g)
        return float(likelihood + prior + u - null)

    grid = np.linspace(-12, 25, 400)
    peak = max(log_integrand(u) for u in grid)
    area, _ = quad(lambda u: np.exp(log_integrand(u) - peak), -12, 40, points=[-3, 0, 5, 10], limit=200)
    return float(np.exp(min(peak + np.log(area), 690.0)))
