"""Fewer points for a drawing that looks the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 3000
"""So many points of a line are drawn at most; a screen is not wider."""


def decimate(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most about `MAX_POINTS` points that keep every peak: minimum and maximum of each stretch, gaps kept as NaN."""
    at = kept_indices(y)
    return x[at], y[at]


def kept_indices(y: NDArray[np.floating], most: int = MAX_POINTS) -> NDArray[np.int64]:
    """Which samples are drawn, int64 (k,), increasing: least, greatest and first missing one of each stretch.

    Args:
        y: Values, (n,), NaN where missing.
        most: About so many samples at most, times 1.5 where much is missing.
    """
    n = len(y)
    if n <= most:
        return np.arange(n)
    step = int(np.ceil(2 * n / most))
    rows = -(-n // step)
    padded = np.full(rows * step, np.nan)
    padded[:n] = y
    grid = padded.reshape(rows, step)
    there = np.isfinite(grid)
    starts = np.arange(rows) * step
    some = there.any(axis=1)
    low = starts + np.argmin(np.where(there, grid, np.inf), axis=1)
    high = starts + np.argmax(np.where(there, grid, -np.inf), axis=1)
    gap = starts + np.argmin(there, axis=1)
    holes = ~there.all(axis=1)
    at = np.concatenate([low[some], high[some], gap[holes]])
    return np.unique(at[at < n]).astype(np.int64)
