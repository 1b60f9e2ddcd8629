"""What the study could have found, and how many people the next one needs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

EFFECTS = (0.2, 0.3, 0.4, 0.5, 0.65, 0.8)
"""Standardised effects of the sample size table."""


def least_detectable(n0: int, n1: int | None, alpha: float, power: float) -> float:
    """The least standardised effect that a two-sided t test finds with the power.

    Args:
        n0: Pairs; in groups, the size of the first group.
        n1: Size of the second group; None for paired data.
        alpha: Level.
        power: Chance to find it.

    Returns:
        d_z of pairs, d of groups; NaN with too few units.
    """
    df, root = (n0 - 1, math.sqrt(n0)) if n1 is None else (n0 + n1 - 2, math.sqrt(n0 * n1 / max(1, n0 + n1)))
    if df < 2 or root == 0:
        return float("nan")
    from scipy.optimize import brentq

    return float(brentq(lambda d: power_of(d, df, d * root, alpha) - power, 1e-4, 60 / root + 1))


def power_of(effect: float, df: float, noncentrality: float, alpha: float) -> float:
    """Power of a two-sided t test (noncentral t); `effect` only says that there is none at 0."""
    from scipy.stats import nct, t

    if effect == 0:
        return alpha
    edge = float(t.ppf(1 - alpha / 2, df))
    above = float(nct.sf(edge, df, noncentrality))
    below = float(nct.cdf(-edge, df, noncentrality))
    return above + (below if np.isfinite(below) else 0.0)


def people_needed(effect: float, alpha: float, power: float, paired: bool) -> int:
    """People (in groups: of both groups together, of equal size) that a two-sided t test needs."""
    low, high = 2, 4
    while _power_with(high, effect, alpha, paired) < power:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power_with(middle, effect, alpha, paired) >= power else (middle, high)
    return high if paired else 2 * high


def sample_sizes(alpha: float, cues: int, paired: bool) -> list[dict[str, Any]]:
    """Rows of effect, and people needed at a power of 0.8 and 0.9, for one cue and for as many as were tested."""
    rows = []
    for effect in EFFECTS:
        row: dict[str, Any] = {"effect": effect}
        for power in (0.8, 0.9):
            row[f"power {power:g}, one cue"] = people_needed(effect, alpha, power, paired)
            row[f"power {power:g}, {cues} cues"] = people_needed(effect, alpha / max(1, cues), power, paired)
        rows.append(row)
    return rows


def _power_with(n: int, effect: float, alpha: float, paired: bool) -> float:
    df, root = (n - 1, math.sqrt(n)) if paired else (2 * n - 2, math.sqrt(n / 2))
    return power_of(effect, df, effect * root, alpha)
