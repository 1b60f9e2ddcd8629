"""The classifier: ridge regression on the label, whose answers are linear in it, so that permutations cost little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.study.contrast import Floats
from pipeline.study.splits import Split
from pipeline.study.table import Codes


@dataclass(frozen=True, slots=True)
class Fitted:
    """What one split needs to answer for any labels of its training rows.

    Attributes:
        split: Its rows.
        test: Scaled cues of the rows to predict, shape (n_test, k).
        train: Scaled cues of the rows to learn from, shape (n_train, k).
        solver: Weights per label, shape (k, n_train).
    """

    split: Split
    test: Floats
    train: Floats
    solver: Floats

    def weights(self, labels: NDArray[np.integer]) -> Floats:
        """Weights of the cues for labels of shape (n, p): shape (k, p)."""
        y = labels[self.split.train] * 2.0 - 1.0
        return self.solver @ (y - y.mean(axis=0))

    def score(self, labels: NDArray[np.integer]) -> Floats:
        """Scores of the rows to predict for labels of shape (n, p): shape (n_test, p).

        0 is the middle between the training means of the two labels, so that unequal classes do not move it.
        """
        beta = self.weights(labels)
        ones = labels[self.split.train].astype(np.float64)
        n1 = ones.sum(axis=0)
        n0 = len(ones) - n1
        total = self.train.sum(axis=0)[:, None]
        sum1 = self.train.T @ ones
        middle = (sum1 / np.maximum(n1, 1) + (total - sum1) / np.maximum(n0, 1)) / 2
        return self.test @ beta - (middle * beta).sum(axis=0)


def fit(values: Floats, split: Split) -> Fitted:
    """Prepare one split.

    Cues are scaled and gaps filled by the mean of the training rows. The penalty is the number of cues: the prior under
    which all cues together explain half of the label's variance. Nothing is tuned.
    """
    raw = values[split.train]
    known = np.isfinite(raw)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, raw, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (raw - mean) ** 2, 0.0).sum(axis=0) / count)
    spread[spread <= 1e-12 * np.maximum(1.0, np.abs(mean))] = np.inf
    train = np.where(known, (raw - mean) / spread, 0.0)
    wanted = values[split.test]
    test = np.where(np.isfinite(wanted), (wanted - mean) / spread, 0.0)
    n, k = train.shape
    penalty = float(max(k, 1))
    if k <= n:
        solver = np.linalg.solve(train.T @ train + penalty * np.eye(k), train.T)
    else:
        solver = np.linalg.solve(train @ train.T + penalty * np.eye(n), train).T
    return Fitted(split, test, train, solver.astype(np.float64, copy=False))


def predict(values: Floats, labels: NDArray[np.integer], repeats: list[list[Split]]) -> Floats:
    """Scores of every row, averaged over repeats, for labels of shape (n, p): same shape; NaN where never predicted."""
    total, times = np.zeros(labels.shape), np.zeros(len(labels))
    for splits in repeats:
        for split in splits:
            total[split.test] += fit(values, split).score(labels)
            times[split.test] += 1
    return np.where(times[:, None] > 0, total / np.maximum(times[:, None], 1), np.nan)


def learn_probability(scores: Floats, label: Codes) -> tuple[float, float]:
    """Slope and offset that turn a score into a probability (Platt 1999), with his targets away from 0 and 1."""
    from scipy.optimize import minimize

    n1 = float(label.sum())
    n0 = len(label) - n1
    target = np.where(label == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    scale = float(np.std(scores)) or 1.0
    x = scores / scale

    def loss(point: Floats) -> float:
        z = point[0] * x + point[1]
        return float((np.logaddexp(0, z) - target * z).sum())

    found = minimize(loss, np.zeros(2), method="BFGS").x
    return float(found[0]) / scale, float(found[1])
