"""The fused output: what was felt, what was shown, whether they differ, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.features import FeatureSpec
from data_schemas.time import Int64Array

EMOTIONS = ("neutral", "negative", "positive", "surprise")
CHANNELS = ("face", "voice", "body", "physiology", "context")

FUSED_FEATURES: tuple[FeatureSpec, ...] = (
    *(FeatureSpec(f"felt_{e}", "1", f"probability that the felt emotion is {e}", 0, 1) for e in EMOTIONS),
    *(FeatureSpec(f"shown_{e}", "1", f"probability that the shown emotion is {e}", 0, 1) for e in EMOTIONS),
    FeatureSpec("concealed", "1", "probability that felt differs from shown; not a probability of lying", 0, 1),
    FeatureSpec("uncertainty", "1", "0 sure, 1 nothing known: entropy of the felt emotion over its maximum", 0, 1),
    FeatureSpec("cannot_say", "1", "1 where the evidence does not allow a statement", 0, 1, "nearest"),
    *(
        FeatureSpec(f"share_{c}", "1", f"share of the {c} channel in the statement; the shares sum to 1", 0, 1)
        for c in CHANNELS
    ),
)
"""Columns of the fused track, in order."""


@dataclass(frozen=True, eq=False)
class EmotionTrack:
    """Fused statement for one person on a regular grid of n times.

    Attributes:
        person: Whom it concerns.
        times_ns: int64 (n,), session clock.
        values: float32 (n, len(FUSED_FEATURES)), columns as in `FUSED_FEATURES`.
        valid: bool (n,): False where no channel had anything to say.
    """

    person: str
    times_ns: Int64Array
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        expected = (len(self.times_ns), len(FUSED_FEATURES))
        if self.values.shape != expected or self.valid.shape != expected[:1]:
            raise InvalidValueError("fused values do not fit the grid", got=self.values.shape, expected=expected)

    def column(self, name: str) -> NDArray[np.float32]:
        """One column by name, shape (n,)."""
        return self.values[:, [feature.name for feature in FUSED_FEATURES].index(name)]
