"""From scores to probabilities and decisions: temperature, calibration error, AUC, thresholds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
BINS = 15
LEAST_TRUE = 1 / 3
"""Share of the steps above the threshold of incongruence that must be true on held-out sessions."""
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Temperature:
    """What logits are divided by (Guo et al. 2017); it depends on which channels are there.

    One temperature for all would leave the model too sure with few channels and not sure enough with many.

    Attributes:
        base: Without any channel.
        slopes: Added to the logarithm by each channel that is there throughout, in the order of `CHANNELS`.
    """

    base: float = 1.0
    slopes: tuple[float, ...] = (0.0,) * len(CHANNELS)

    def __post_init__(self) -> None:
        if self.base <= 0 or len(self.slopes) != len(CHANNELS):
            raise InvalidValueError("a temperature needs a base above 0 and a slope per channel", got=self)
        object.__setattr__(self, "slopes", tuple(float(slope) for slope in self.slopes))

    def at(self, presence: Array) -> Array:
        """Temperature for the share 0..1 of a window in which each channel is there; shape (...) from (..., 5)."""
        return np.asarray(self.base * np.exp(presence @ np.asarray(self.slopes)))


@dataclass(frozen=True, slots=True)
class Decisions:
    """Numbers fitted on held-out sessions after training.

    Attributes:
        temperature: Logits are divided by it.
        cannot_say_above: Uncertainty from which the most likely felt emotion is wrong more often than right.
        conceal_enter: Probability of concealment above which an incongruence begins.
        conceal_leave: Probability below which it ends; smaller, so that it does not flicker.
    """

    temperature: Temperature = field(default_factory=Temperature)
    cannot_say_above: float = 1.0
    conceal_enter: float = 0.5
    conceal_leave: float = 0.35

    def __post_init__(self) -> None:
        if not 0 < self.conceal_leave <= self.conceal_enter <= 1:
            raise InvalidValueError("these decisions do not fit together", got=self)


def fit_temperature(logits: Tensor, targets: Tensor, presence: Tensor) -> Temperature:
    """The temperature that minimises the cross-entropy, with a weak pull of the slopes towards 0.

    Args:
        logits: Shape (n, k).
        targets: Class numbers, int64 (n,).
        presence: Share 0..1 of the window in which each channel was there, (n, 5).
    """
    import torch
    from torch.nn.functional import cross_entropy

    logits, presence = logits.double(), presence.double()
    weights = torch.zeros(1 + len(CHANNELS), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        log_temperature = weights[0] + presence @ weights[1:]
        loss = cross_entropy(logits / log_temperature.exp()[:, None], targets) + 1e-4 * (weights[1:] ** 2).sum()
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    found = [round(float(weight), DIGITS) for weight in weights.detach()]
    return Temperature(round(float(np.exp(found[0])), DIGITS), tuple(found[1:]))


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
    """Smallest probability within 0.2..0.5 from which on at least a third of what is said is true; else 0.5.

    Args:
        probability: Of concealment, shape (n,).
        happened: Whether felt differed from shown, shape (n,).
    """
    for threshold in np.linspace(0.2, 0.5, 31).tolist():
        said = probability >= threshold
        if said.any() and happened[said].mean() >= LEAST_TRUE:
            return float(threshold)
    return 0.5
