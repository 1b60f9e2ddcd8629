"""How well scores rank what happened before what did not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def auc(scores: ArrayLike, happened: ArrayLike) -> NDArray[np.float64]:
    """Area under the ROC curve of every column, see `auc_of`; scores and outcomes of shape (n, p), areas (p,)."""
    return np.array([auc_of(*one) for one in zip(np.asarray(scores).T, np.asarray(happened).T, strict=True)])


def auc_of(score: ArrayLike, happened: ArrayLike) -> float:
    """Area under the ROC curve: the share of pairs in the right order, ties counted half (Hanley & McNeil 1982).

    Args:
        score: Shape (n,).
        happened: Whether it did, by 0 and 1 or truth values, shape (n,).

    Returns:
        0..1; not a number where only one outcome occurs.
    """
    said, truth = np.asarray(score), np.asarray(happened).astype(bool)
    positives = int(np.count_nonzero(truth))
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    order = np.sort(said[~truth])
    below = np.searchsorted(order, said[truth], side="left")
    level = np.searchsorted(order, said[truth], side="right")
    return float((below + level).sum() / 2 / positives / negatives)
