"""The default recogniser as a recognition system, so that benches can measure it: it learns nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_schemas.errors import InvalidValueError
from modalities.face.recognition.samples import CLASSES, Labels, Rows, Samples
from modalities.face.recognition.system import Scores, System


@dataclass(frozen=True)
class Shipped:
    """Weights that came with the package; training sets are not looked at."""

    def prepare(self, system: System, samples: Samples) -> Scores:
        """Probabilities of every sample, (n, 3).

        Raises:
            InvalidValueError: samples with other classes.
        """
        from modalities.face.recognition.default.recogniser import DefaultRecogniser

        if samples.classes != CLASSES:
            raise InvalidValueError(
                "the default recogniser has classes of its own", got=samples.classes, expected=CLASSES
            )
        return DefaultRecogniser.load().recognise(samples.x)

    def settings(self, system: System) -> tuple[None, ...]:
        """Nothing is chosen."""
        return (None,)

    def fits(
        self, system: System, prepared: Any, y: Labels, rows: Rows, settings: Sequence[Any], classes: int, seed: int
    ) -> Iterator[Known]:
        """The same for any training set."""
        return iter([Known()] * len(settings))

    def candidates(
        self, system: System, prepared: Any, y: Labels, rows: Rows, classes: int, seed: int
    ) -> Iterator[tuple[str, Known]]:
        """There is but one."""
        return iter([("shipped", Known())])


@dataclass(frozen=True)
class Known:
    """Answers were known before any training set was."""

    def scores(self, prepared: Any, rows: Rows) -> Scores:
        """See `system.Model`."""
        return np.asarray(prepared[rows], np.float64)
