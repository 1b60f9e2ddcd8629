"""From scores to probabilities and decisions: temperature, calibration error, AUC, thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
BINS = 15


@dataclass(frozen=True, slots=True)
class Decisions:
    """Numbers fitted on held-out sessions after training.

    Attributes:
        temperature: Logits are divided by it (Guo et al. 2017).
        cannot_say_above: Uncertainty from which the most likely felt emotion is wrong more often than right.
        conceal_enter: Probability of concealment above which an incongruence begins.
        conceal_leave: Probability below which it ends; smaller, so that it does not flicker.
    """

    temperature: float = 1.0
    cannot_say_above: float = 1.0
    conceal_enter: float = 0.5
    conceal_leave: float = 0.35

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 < self.conceal_leave <= self.conceal_enter <= 1:
            raise InvalidValueError("these decisions do not fit together", got=self)


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Temperature that minimises the cross-entropy, between 0.25 and 4.

    Args:
        logits: Shape (n, k).
        targets: Class numbers, int64 (n,).
    """
    from torch.nn.functional import cross_entropy

    low, high = np.log(0.25), np.log(4.0)
    golden = (np.sqrt(5) - 1) / 2

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(logits.double() / float(np.exp(log_temperature)), targets))

    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(30):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))


def calibration_error(probability: Array, happened: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error of a probability, 0..1 (Naeini et al. 2015), over bins of equal width.

    Args:
        probability: Shape (n,).
        happened: Shape (n,).
        bins: Number of bins.
    """
    at = np.clip((probability * bins).astype(int), 0, bins - 1)
    gap = np.bincount(at, probability, bins) - np.bincount(at, happened.astype(float), bins)
    return float(np.abs(gap).sum() / max(1, len(probability)))


def auc_of(score: Array, happened: NDArray[np.bool_]) -> float:
    """Area under the ROC curve, ties counted half; NaN where only one outcome occurs. Shapes (n,)."""
    positives = int(np.count_nonzero(happened))
    negatives = len(happened) - positives
    if not positives or not negatives:
        return float("nan")
    order = np.sort(score[~happened])
    below = np.searchsorted(order, score[happened], side="left")
    level = np.searchsorted(order, score[happened], side="right")
    return float((below + level).sum() / 2 / positives / negatives)


def cannot_say_threshold(uncertainty: Array, right: NDArray[np.bool_], bins: int = 40) -> float:
    """Smallest uncertainty from which on, bin by bin, the top emotion is wrong more often than right; else 1.

    Args:
        uncertainty: 0..1, shape (n,).
        right: Whether the most likely felt emotion was the true one, shape (n,).
        bins: Number of bins of equal width; those with fewer than 50 cases take their upper neighbour's word.
    """
    at = np.clip((uncertainty * bins).astype(int), 0, bins - 1)
    cases = np.bincount(at, minlength=bins)
    hits = np.bincount(at, right.astype(float), bins)
    threshold = 1.0
    for which in range(bins - 1, -1, -1):
        if cases[which] < 50:
            continue
        if hits[which] / cases[which] >= 0.5:
            break
        threshold = which / bins
    return threshold


def conceal_threshold(probability: Array, happened: NDArray[np.bool_]) -> float:
    """Threshold with the best F1 within 0.5..0.8, so that what is said is likelier true than not. Shapes (n,)."""
    candidates = np.linspace(0.5, 0.8, 16)
    scores = []
    for threshold in candidates:
        said = probability >= threshold
        hits = np.count_nonzero(said & happened)
        scores.append(2 * hits / max(1, int(np.count_nonzero(said)) + int(np.count_nonzero(happened))))
    return float(candidates[int(np.argmax(scores))])
