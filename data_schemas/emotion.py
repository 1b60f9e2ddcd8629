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
    FeatureSpec(
        "uncertainty_data", "1", "part of the uncertainty that even the right model would keep", 0, 1, "linear",
        "Depeweg et al. 2018",
    ),
    FeatureSpec(
        "uncertainty_model", "1", "part of the uncertainty in which networks trained apart disagree: the model itself "
        "does not know", 0, 1, "linear", "Depeweg et al. 2018; Lakshminarayanan et al. 2017",
    ),
)  # fmt: skip
"""Columns of the fused track that the fusion model fills, in order."""

CIT_FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec(
        "cit_response", "1", "probability that the concealed item was responded to otherwise than the irrelevant ones; "
        "one value per person over the span of a concealed information test, null elsewhere", 0, 1, "nearest",
        "Meijer et al. 2014 (sizes of the effects); see docs/cit.md",
    ),
    FeatureSpec(
        "cit_uncertainty", "1", "0 sure, 1 nothing known: entropy of cit_response in bits", 0, 1, "nearest"
    ),
)  # fmt: skip
"""Columns of the fused channel that only a concealed information test fills, in order."""

FUSED_COLUMNS: tuple[FeatureSpec, ...] = (*FUSED_FEATURES, *CIT_FEATURES)
"""All columns of the fused channel."""


@dataclass(frozen=True, eq=False)
class CitColumns:
    """The columns of a concealed information test on the grid of an `EmotionTrack` of n times.

    Attributes:
        values: float32 (n, len(CIT_FEATURES)); 0 where there is no test.
        valid: bool (n,): within the span of a test of which something can be said.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        expected = (len(self.valid), len(CIT_FEATURES))
        if self.values.shape != expected:
            raise InvalidValueError("the columns of a test do not fit", got=self.values.shape, expected=expected)


@dataclass(frozen=True, eq=False)
class EmotionTrack:
    """Fused statement for one person on a regular grid of n times.

    Attributes:
        person: Whom it concerns.
        times_ns: int64 (n,), session clock.
        values: float32 (n, len(FUSED_FEATURES)), columns as in `FUSED_FEATURES`.
        valid: bool (n,): False where no channel had anything to say.
        cit: The columns of a concealed information test; None where the session has none.
    """

    person: str
    times_ns: Int64Array
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    cit: CitColumns | None = None

    def __post_init__(self) -> None:
        expected = (len(self.times_ns), len(FUSED_FEATURES))
        if self.values.shape != expected or self.valid.shape != expected[:1]:
            raise InvalidValueError("fused values do not fit the grid", got=self.values.shape, expected=expected)
        if self.cit is not None and len(self.cit.valid) != len(self.times_ns):
            raise InvalidValueError(
                "the columns of a test do not fit the grid", got=len(self.cit.valid), expected=len(self.times_ns)
            )

    def cells(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values and validity of every cell, columns as in `FUSED_COLUMNS`; shape (n, len(FUSED_COLUMNS)) each."""
        n = len(self.times_ns)
        none = CitColumns(np.zeros((n, len(CIT_FEATURES)), np.float32), np.zeros(n, bool))
        cit = none if self.cit is None else self.cit
        valid = [np.repeat(self.valid[:, None], len(FUSED_FEATURES), axis=1)]
        valid.append(np.repeat(cit.valid[:, None], len(CIT_FEATURES), axis=1))
        return np.concatenate([self.values, cit.values], axis=1), np.concatenate(valid, axis=1)

    def column(self, name: str) -> NDArray[np.float32]:
        """One column of `FUSED_COLUMNS` by name, shape (n,)."""
        return self.cells()[0][:, [feature.name for feature in FUSED_COLUMNS].index(name)]
