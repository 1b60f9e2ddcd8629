"""What a recognition system is: input x block x architecture x strategy x loss.

These are the parts by which the survey of Li et al. (2022, "Deep learning for micro-expression recognition") sorts
systems; those that are no networks fit into them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.recognition.samples import KIND_WORDS, Kind, Labels, Rows, Samples

Scores = NDArray[np.float64]
Loss = Literal["cross_entropy", "balanced_cross_entropy", "hinge", "squared"]


class Input(Protocol):
    """What a system looks at. Reads each sample by itself and learns nothing."""

    @property
    def kind(self) -> Kind:
        """Samples that it takes."""

    def read(self, samples: Samples) -> NDArray[Any]:
        """What the block gets."""


class Model(Protocol):
    """A trained system."""

    def scores(self, prepared: Any, rows: Rows) -> Scores:
        """Evidence for each class, (len(rows), classes); the greatest is the answer."""


class Architecture(Protocol):
    """How blocks are put together and end in classes."""

    def prepare(self, system: System, samples: Samples) -> Any:
        """Whatever can be computed of each sample, or pair of samples, without labels and without learning."""

    def settings(self, system: System) -> tuple[Any, ...]:
        """Settings among which training may choose; one where everything is fixed."""

    def fits(
        self, system: System, prepared: Any, y: Labels, rows: Rows, settings: Sequence[Any], classes: int, seed: int
    ) -> Iterator[Model]:
        """Train on the samples `rows` with labels `y` (one per row): a model for each of the settings."""

    def candidates(
        self, system: System, prepared: Any, y: Labels, rows: Rows, classes: int, seed: int
    ) -> Iterator[tuple[str, Model]]:
        """Every model that a dishonest evaluation would choose from by looking at the test: settings, or epochs."""


@dataclass(frozen=True)
class System:
    """One recognition system as a declaration of its parts.

    Attributes:
        name: Name in the table.
        input: What it looks at.
        block: Descriptor formulas, or the layer that networks repeat.
        architecture: How blocks are put together.
        strategy: How it is trained, and what may be chosen by inner folds.
        loss: What training makes small.
        source: Where it was published, and what differs here.
    """

    name: str
    input: Input
    block: Any
    architecture: Architecture
    strategy: Any
    loss: Loss
    source: str

    def check(self, samples: Samples) -> None:
        """Refuse samples that the input does not take.

        Raises:
            InvalidValueError: samples of another kind.
        """
        if samples.kind != self.input.kind:
            raise InvalidValueError(
                f"'{self.name}' cannot be run on {KIND_WORDS[samples.kind]}",
                expected=KIND_WORDS[self.input.kind],
                mend="Choose a system for this kind of data; `telltale me models` lists what each takes.",
            )

    def prepare(self, samples: Samples) -> Any:
        """See `Architecture.prepare`.

        Raises:
            InvalidValueError: samples of another kind than the input takes.
        """
        self.check(samples)
        return self.architecture.prepare(self, samples)

    def row(self) -> dict[str, str]:
        """The declaration as a row of a table."""
        return {
            "model": self.name,
            "takes": KIND_WORDS[self.input.kind],
            "input": type(self.input).__name__,
            "block": _words(self.block),
            "architecture": _words(self.architecture),
            "strategy": _words(self.strategy),
            "loss": self.loss,
            "source": self.source,
        }


def _words(part: Any) -> str:
    return " + ".join(_words(one) for one in part) if isinstance(part, tuple) else repr(part)
