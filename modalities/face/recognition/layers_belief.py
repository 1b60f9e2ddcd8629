"""Parts of belief networks: values over 0..1, and layers of logistic units, as restricted Boltzmann machines have."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from modalities.face.recognition.layers_parts import Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Stretched:
    """Each value over 0..1, by its least and its greatest in the training set, beyond them 0 or 1.

    A strategy that trains layer by layer calls `learn_range` of the module; before that the range is 0..1.
    """

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`; (batch, *shape) to the same."""
        import torch
        from torch import nn

        class Stretch(nn.Module):
            """The part."""

            low: Any
            high: Any

            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("low", torch.zeros(shape))
                self.register_buffer("high", torch.ones(shape))

            def learn_range(self, x: Any) -> None:
                """Take the range of each value over samples (n, *shape)."""
                self.low.copy_(x.amin(dim=0))
                self.high.copy_(x.amax(dim=0))

            def forward(self, x: Any) -> Any:
                """Values over 0..1."""
                return ((x - self.low) / (self.high - self.low).clamp_min(1e-6)).clamp(0, 1)

        return Stretch()


@dataclass(frozen=True)
class Logistic:
    """A fully connected layer whose units give the logistic function of their sums, 0..1.

    Attributes:
        units: How many.
    """

    units: int

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`; (batch, *shape) to (batch, units)."""
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), self.units), nn.Sigmoid())
