"""How good predictions are: balanced accuracy, AUC, calibration, decision curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.study.contrast import Floats
from pipeline.study.design import Design
from pipeline.study.table import Codes


def balanced_accuracy(scores: Floats, labels: NDArray[np.integer], weights: Floats | None = None) -> Floats:
    """Mean of the two classes' shares of right answers; a score of 0 counts half.

    Args:
        scores: Above 0 for label 1, shape (n, p).
        labels: 0 or 1, shape (n, p).
        weights: Of rows, shape (n, p); 1 by default.
    """
    w = np.ones(scores.shape) if weights is None else weights
    right = np.where(scores == 0, 0.5, (scores > 0) == (labels == 1))
    parts = []
    for side in (0, 1):
        rows = w * (labels == side)
        total = rows.sum(axis=0)
        parts.append(np.divide((rows * right).sum(axis=0), total, out=np.full(total.shape, np.nan), where=total > 0))
    return (parts[0] + parts[1]) / 2


def weighted_auc(scores: Floats, label: Codes, weights: Floats) -> Floats:
    """AUC of one set of scores, shape (n,), under rows of weights, shape (b, n); ties counted half."""
    order = np.argsort(scores, kind="stable")
    ranked, y, w = scores[order], label[order], weights[:, order]
    _, start = np.unique(ranked, return_index=True)
    low = np.add.reduceat(w * (y == 0), start, axis=1)
    high = np.add.reduceat(w * (y == 1), start, axis=1)
    below = np.cumsum(low, axis=1) - low / 2
    total = low.sum(axis=1) * high.sum(axis=1)
    return np.divide((high * below).sum(axis=1), total, out=np.full(len(w), np.nan), where=total > 0)


def draw_rows(design: Design, item: Codes | None, bootstraps: int, rng: np.random.Generator) -> Floats:
    """Weights of rows when people are drawn with replacement, and items too where these decide the label: (b, n)."""
    people = design.people
    weights = rng.multinomial(people, np.full(people, 1 / people), size=bootstraps)[:, design.person].astype(np.float64)
    if design.unit == "item":
        units = design.item if item is None else item
        count = int(units.max()) + 1
        weights *= rng.multinomial(count, np.full(count, 1 / count), size=bootstraps)[:, units]
    return weights


def interval(values: Floats, alpha: float) -> tuple[float | None, float | None]:
    """Percentile interval of draws; None where fewer than half of them are numbers."""
    good = values[np.isfinite(values)]
    if len(good) < len(values) / 2:
        return None, None
    low, high = np.quantile(good, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)


def calibration(probability: Floats, label: Codes, bins: int = 10) -> tuple[list[dict[str, Any]], float, float]:
    """Rows of predicted and observed share in bins of equal numbers, expected calibration error, Brier score."""
    order = np.argsort(probability, kind="stable")
    rows, error = [], 0.0
    for part in np.array_split(order, min(bins, max(1, len(order) // 10))):
        predicted, observed = float(probability[part].mean()), float(label[part].mean())
        error += abs(predicted - observed) * len(part) / len(order)
        rows.append({"predicted": predicted, "observed": observed, "rows": len(part)})
    return rows, error, float(((probability - label) ** 2).mean())


def decision_curve(probability: Floats, label: Codes) -> list[dict[str, Any]]:
    """Net benefit over thresholds, of the model, of calling all positive and of calling none (Vickers & Elkin 2006)."""
    rows, share = [], float(label.mean())
    for threshold in np.arange(0.05, 0.951, 0.05):
        odds = threshold / (1 - threshold)
        called = probability >= threshold
        benefit = float((called & (label == 1)).mean() - odds * (called & (label == 0)).mean())
        rows.append(
            {"threshold": round(float(threshold), 2), "model": benefit, "all": share - odds * (1 - share), "none": 0.0}
        )
    return rows
