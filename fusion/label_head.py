"""The head of a lab's own label: linear readings of pooled steps, their mean the answer, their spread the doubt.

A third estimand beside felt and shown emotion and the concealed-information test; it shares their input and none of
their columns. Each member was stopped early on people that it was not fitted to, so members differ as much as a handful
of people more or less would change the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from fusion.label_steps import joined

Floats = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a head says of m stretches.

    Attributes:
        probability: Of each class, (m, k), rows sum to 1.
        data: Uncertainty that more training would not remove, 0..1: mean entropy of the members over log k, (m,).
        epistemic: Uncertainty that it would: mutual information between answer and member over log k, 0..1, (m,).
    """

    probability: Array
    data: Array
    epistemic: Array

    @property
    def uncertainty(self) -> Array:
        """Both together: entropy of the mean over log k, (m,)."""
        return np.clip(self.data + self.epistemic, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class LabelHead:
    """Linear members over blocks of pooled columns.

    Attributes:
        blocks: Blocks that are read, in order; see `fusion.label_steps.pool`.
        middle: Mean of each column in training, (p,).
        scale: What each column is divided by, (p,); infinite for one that did not vary.
        weights: (members, p, k).
        offsets: (members, k).
        prior: Share of each class in training, (k,); members were fitted with all classes alike.
        temperature: Logits are divided by it.
    """

    blocks: tuple[str, ...]
    middle: Floats
    scale: Floats
    weights: Floats
    offsets: Floats
    prior: Floats
    temperature: float = 1.0

    def __post_init__(self) -> None:
        members, p, k = self.weights.shape
        fits = self.middle.shape == self.scale.shape == (p,) and self.offsets.shape == (members, k)
        if not fits or self.prior.shape != (k,) or self.temperature <= 0 or k < 2:
            raise InvalidValueError("the parts of a head do not fit together", got=self.weights.shape)

    def logits(self, blocks: Mapping[str, Floats]) -> Array:
        """Logits of each member at the lab's own shares of the classes, before the temperature, (members, m, k)."""
        x = (joined(blocks, self.blocks) - self.middle) / self.scale
        balanced = np.einsum("mp,apk->amk", x.astype(np.float64), self.weights.astype(np.float64))
        return balanced + self.offsets[:, None] + np.log(self.prior)

    def answer(self, blocks: Mapping[str, Floats]) -> Answer:
        """Probabilities and both uncertainties of m stretches."""
        from scipy.special import softmax

        return combine(softmax(self.logits(blocks) / self.temperature, axis=-1))


def combine(members: Array) -> Answer:
    """One answer from the members' probabilities (members, m, k)."""
    mean = members.mean(axis=0)
    most = np.log(mean.shape[-1])
    data = _entropy(members).mean(axis=0) / most
    epistemic = np.clip(_entropy(mean) / most - data, 0.0, 1.0)
    return Answer(mean, np.clip(data, 0.0, 1.0), epistemic)


def together(heads: list[LabelHead]) -> LabelHead:
    """All members of several heads of the same blocks and scale as one; the temperature is their geometric mean.

    Raises:
        InvalidValueError: they read different columns.
    """
    first = heads[0]
    if any(one.blocks != first.blocks or not np.array_equal(one.middle, first.middle) for one in heads):
        raise InvalidValueError("heads of different columns cannot be joined", got=[one.blocks for one in heads])
    return LabelHead(
        first.blocks,
        first.middle,
        first.scale,
        np.concatenate([one.weights for one in heads]),
        np.concatenate([one.offsets for one in heads]),
        first.prior,
        float(np.exp(np.mean([np.log(one.temperature) for one in heads]))),
    )


def _entropy(probability: Array) -> Array:
    return np.asarray(-(probability * np.log(np.clip(probability, 1e-15, 1.0))).sum(axis=-1))
