"""How well scores rank what happened before what did not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def auc(scores: ArrayLike, happened: ArrayLike) -> NDArray[np.float64]:
    """Area under the ROC curve of every column, ties counted half; from ranks (Hanley & McNeil 1982).

    Args:
        scores: Shape (n, p).
        happened: Whether it did, by 0 and 1 or truth values, shape (n, p).

    Returns:
        0..1, shape (p,); not a number where only one outcome occurs.
    """
    from scipy.stats import rankdata

    ranks, truth = rankdata(scores, axis=0), np.asarray(happened, dtype=np.float64)
    n1 = truth.sum(axis=0)
    n0 = len(truth) - n1
    above = (ranks * truth).sum(axis=0) - n1 * (n1 + 1) / 2
    return np.divide(above, n0 * n1, out=np.full(n1.shape, np.nan), where=n0 * n1 > 0)


def auc_of(score: ArrayLike, happened: ArrayLike) -> float:
    """The same of one set of scores; shapes (n,)."""
    return float(auc(np.asarray(score)[:, None], np.asarray(happened)[:, None])[0])
