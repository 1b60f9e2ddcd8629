"""Parts of assembled networks: convolutions in one to three dimensions, branches, residuals, and what ends a chain.

A part is built for the shape that it gets (without the batch): (channels, h, w), (channels, frames, h, w),
(nodes, features) or (features,). So one convolution serves pictures, sequences and clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]


class Part(Protocol):
    """A part of a network."""

    def build(self, shape: Shape) -> nn.Module:
        """The module for inputs (batch, *shape)."""


@dataclass(frozen=True)
class Conv:
    """Convolution, batch normalisation, ReLU, perhaps greatest values, perhaps dropout; 1-D to 3-D by the input.

    Attributes:
        width: Channels that it gives.
        kernel: Side of the kernel, or one for each axis.
        stride: Step.
        pool: Side and step of the squares (cubes) whose greatest value is taken, or one for each axis; 1 for none.
        normalise: Whether there is a batch normalisation.
        dropout: Share of channels left out in training.
        groups: Channels are split into so many parts that do not see each other.
        dilation: Distance of the pixels that a kernel sees.
    """

    width: int
    kernel: int | tuple[int, ...] = 3
    stride: int | tuple[int, ...] = 1
    pool: int | tuple[int, ...] = 1
    normalise: bool = True
    dropout: float = 0.0
    groups: int = 1
    dilation: int = 1

    def build(self, shape: Shape) -> nn.Module:
        """See `Part`."""
        from torch import nn

        axes = len(shape) - 1
        sides = (self.kernel,) * axes if isinstance(self.kernel, int) else self.kernel
        padding = tuple(self.dilation * (side // 2) for side in sides)
        parts: list[nn.Module] = [
            by_axes("Conv", axes)(
                shape[0], self.width, sides, self.stride, padding, self.dilation, self.groups, bias=not self.normalise
            )
        ]
        parts += [by_axes("BatchNorm", axes)(self.width)] if self.normalise else []
        parts += [nn.ReLU(inplace=True)]
        parts += [by_axes("MaxPool", axes)(self.pool)] if self.pool != 1 else []
        parts += [nn.Dropout(self.dropout)] if self.dropout else []
        return nn.Sequential(*parts)


@dataclass(frozen=True)
class Residual:
    """Two convolutions whose input is added to what they give (He et al. 2016), perhaps with attention before that.

    Attributes:
        width: Channels that it gives.
        stride: Step of the first convolution and of the shortcut.
        attention: A part that keeps the shape.
    """

    width: int
    stride: int | tuple[int, ...] = 1
    attention: Part | None = None

    def build(self, shape: Shape) -> nn.Module:
        """See `Part`."""
        from torch import nn

        axes = len(shape) - 1
        convolve, normalise = by_axes("Conv", axes), by_axes("BatchNorm", axes)
        inner: list[nn.Module] = [
            convolve(shape[0], self.width, 3, self.stride, 1, bias=False), normalise(self.width), nn.ReLU(inplace=True),
            convolve(self.width, self.width, 3, 1, 1, bias=False), normalise(self.width),
        ]  # fmt: skip
        if self.attention is not None:
            inner.append(self.attention.build(shape_after(nn.Sequential(*inner), shape)))
        same = self.stride == 1 and shape[0] == self.width
        short = nn.Identity() if same else convolve(shape[0], self.width, 1, self.stride, bias=False)
        return adding(nn.Sequential(*inner), short)


@dataclass(frozen=True)
class Beside:
    """Chains that see the same input, their channels one after the other."""

    chains: tuple[tuple[Part, ...], ...]

    def build(self, shape: Shape) -> nn.Module:
        """See `Part`."""
        from modalities.face.recognition.layers import side_by_side

        return side_by_side([chain(parts, shape) for parts in self.chains])


@dataclass(frozen=True)
class Accretive:
    """Chains that see the same input, each added to the sum of those before it: all sums, one after the other.

    Features of one size of kernel are carried on into the next (accretive layers; Verma et al. 2020, LEARNet). All
    chains give the same shape.
    """

    chains: tuple[tuple[Part, ...], ...]

    def build(self, shape: Shape) -> nn.Module:
        """See `Part`."""
        from itertools import accumulate

        import torch
        from torch import nn

        class Accreting(nn.Module):
            """The part."""

            def __init__(self, chains: Sequence[nn.Module]) -> None:
                super().__init__()
                self.chains = nn.ModuleList(chains)

            def forward(self, x: Any) -> Any:
                """Channels of the sums."""
                return torch.cat(list(accumulate(one(x) for one in self.chains)), dim=1)

        return Accreting([chain(parts, shape) for parts in self.chains])


@dataclass(frozen=True)
class Average:
    """Mean over everything but the channels, or over cells of a grid.

    Attributes:
        cells: Cells a side; 1 gives (channels,).
    """

    cells: int = 1

    def build(self, shape: Shape) -> nn.Module:
        """See `Part`."""
        from torch import nn

        return nn.Sequential(by_axes("AdaptiveAvgPool", len(shape) - 1)(self.cells), nn.Flatten())


@dataclass(frozen=True)
class Hidden:
    """A fully connected layer with ReLU.

    Attributes:
        units: How many.
        dropout: Share of them left out in training.
    """

    units: int
    dropout: float = 0.0

    def build(self, shape: Shape) -> nn.Module:
        """See `Part`."""
        from torch import nn

        size = 1
        for one in shape:
            size *= one
        parts: list[nn.Module] = [nn.Flatten(), nn.Linear(size, self.units), nn.ReLU()]
        return nn.Sequential(*parts, *([nn.Dropout(self.dropout)] if self.dropout else []))


@dataclass(frozen=True)
class Region:
    """A part of the picture, (..., h, w).

    Attributes:
        top: Where it begins, as a share of the height.
        bottom: Where it ends.
        left: Where it begins, as a share of the width.
        right: Where it ends.
    """

    top: float
    bottom: float
    left: float
    right: float

    def build(self, shape: Shape) -> nn.Module:
        """See `Part`."""
        h, w = shape[-2:]
        rows = slice(round(self.top * h), round(self.bottom * h))
        columns = slice(round(self.left * w), round(self.right * w))
        return applied(lambda x: x[..., rows, columns])


def by_axes(name: str, axes: int) -> Any:
    """The layer of torch for so many axes: "Conv" and 3 give Conv3d."""
    from torch import nn

    return getattr(nn, f"{name}{axes}d")


def chain(parts: Sequence[Part], shape: Shape) -> nn.Sequential:
    """Parts one after the other, each built for what the one before gives."""
    from torch import nn

    built: list[nn.Module] = []
    for part in parts:
        built.append(part.build(shape))
        shape = shape_after(built[-1], shape)
    return nn.Sequential(*built)


def shape_after(module: nn.Module, shape: Shape) -> Shape:
    """Shape that a module gives for (1, *shape), without the batch; its running means are left as they are."""
    import torch

    was_training = module.training
    module.eval()
    with torch.no_grad():
        given = tuple(module(torch.zeros(1, *shape)).shape[1:])
    module.train(was_training)
    return given


def applied(function: Any) -> nn.Module:
    """A function without parameters as a module."""
    from torch import nn

    class Applied(nn.Module):
        """The function."""

        def forward(self, x: Any) -> Any:
            """What it gives."""
            return function(x)

    return Applied()


def adding(inner: nn.Module, short: nn.Module) -> nn.Module:
    """ReLU of the sum of two modules."""
    import torch
    from torch import nn

    class Adding(nn.Module):
        """The sum."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.short = inner, short

        def forward(self, x: Any) -> Any:
            """Both, added."""
            return torch.relu(self.inner(x) + self.short(x))

    return Adding()
