"""Blocks of networks: the layer that an architecture repeats, built from numbers of channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn


class Layer(Protocol):
    """A block of a network."""

    def build(self, channels: int, width: int) -> nn.Module:
        """From (batch, channels, h, w) to (batch, width, fewer rows, fewer columns)."""


@dataclass(frozen=True)
class Convolution:
    """Convolution, ReLU, perhaps batch normalisation, greatest values, perhaps dropout.

    Attributes:
        kernel: Side of the kernel.
        padding: Pixels added around the picture.
        pool: Side and step of the squares whose greatest value is taken.
        pool_padding: Pixels added around before that.
        normalise: Whether there is a batch normalisation.
        dropout: Share of values left out in training.
    """

    kernel: int
    padding: int
    pool: int
    pool_padding: int = 0
    normalise: bool = False
    dropout: float = 0.0

    def build(self, channels: int, width: int) -> nn.Module:
        """See `Layer`."""
        from torch import nn

        parts: list[nn.Module] = [nn.Conv2d(channels, width, self.kernel, padding=self.padding), nn.ReLU(inplace=True)]
        parts += [nn.BatchNorm2d(width)] if self.normalise else []
        parts += [nn.MaxPool2d(self.pool, self.pool, self.pool_padding)]
        parts += [nn.Dropout(self.dropout)] if self.dropout else []
        return nn.Sequential(*parts)


@dataclass(frozen=True)
class Inception:
    """Four branches side by side (Szegedy et al. 2015), then greatest values of 2 x 2.

    1x1; 1x1 and 3x3; 1x1 and 5x5; 3x3 greatest values and 1x1: each gives a quarter of the channels.
    """

    pool: int = 2

    def build(self, channels: int, width: int) -> nn.Module:
        """See `Layer`."""
        from torch import nn

        part = width // 4

        def branch(kernel: int) -> list[nn.Module]:
            narrow: list[nn.Module] = [nn.Conv2d(channels, part, 1), nn.ReLU(inplace=True)]
            wide = [nn.Conv2d(part, part, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
            return narrow if kernel == 1 else narrow + wide

        pooled = [nn.MaxPool2d(3, 1, 1), nn.Conv2d(channels, part, 1), nn.ReLU(inplace=True)]
        branches = [nn.Sequential(*one) for one in (branch(1), branch(3), branch(5), pooled)]
        return nn.Sequential(side_by_side(branches), nn.MaxPool2d(self.pool))


@dataclass(frozen=True)
class RecurrentConvolution:
    """A convolution that runs several times with shared weights, its input added each time (Liang & Hu 2015).

    As in the networks of Xia et al. (2020): a 1x1 convolution gives the first state; each round convolves the sum of
    the input and all states before. Then greatest values of 2 x 2 and dropout.

    Attributes:
        rounds: How often the shared 3x3 convolution runs.
        dropout: Share of values left out in training.
    """

    rounds: int = 3
    dropout: float = 0.5

    def build(self, channels: int, width: int) -> nn.Module:
        """See `Layer`; `channels` equals `width`. Called with a second argument, that map scales the first state."""
        from torch import nn

        rounds, dropout = self.rounds, self.dropout

        class Recurrent(nn.Module):
            """The layer."""

            def __init__(self) -> None:
                super().__init__()
                self.first = nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
                self.shared = nn.Sequential(
                    nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
                )
                self.last = nn.Sequential(nn.MaxPool2d(2), nn.Dropout(dropout))

            def forward(self, x: Any, attention: Any = None) -> Any:
                """From (batch, width, h, w) to half the rows and columns."""
                state = self.first(x)
                total = x + (state if attention is None else attention * state)
                for _ in range(rounds - 1):
                    total = total + self.shared(total)
                return self.last(self.shared(total))

        return Recurrent()


def side_by_side(branches: Sequence[nn.Module]) -> nn.Module:
    """Branches that see the same input, their channels one after the other."""
    import torch
    from torch import nn

    class Beside(nn.Module):
        """The branches."""

        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList(branches)

        def forward(self, x: Any) -> Any:
            """Channels of all branches."""
            return torch.cat([branch(x) for branch in self.branches], dim=1)

    return Beside()
