"""Attention: squeeze and excitation, convolutional block attention, micro-attention, non-local, by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modalities.face.recognition.layers_parts import Conv, Shape, by_axes, chain

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SqueezeExcitation:
    """Each channel is scaled by what the means of all say of it (Hu et al. 2018).

    Attributes:
        ratio: Channels to hidden units.
        greatest: Whether greatest values count beside means, as in the channel half of CBAM (Woo et al. 2018).
    """

    ratio: int = 4
    greatest: bool = False

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch
        from torch import nn

        channels, greatest = shape[0], self.greatest
        axes = tuple(range(2, len(shape) + 1))
        hidden = max(2, channels // self.ratio)

        class Squeeze(nn.Module):
            """The layer."""

            def __init__(self) -> None:
                super().__init__()
                self.excite = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

            def forward(self, x: Any) -> Any:
                """Scaled channels."""
                told = self.excite(x.mean(dim=axes))
                if greatest:
                    told = told + self.excite(x.amax(dim=axes))
                return x * torch.sigmoid(told).view(*told.shape, *(1,) * len(axes))

        return Squeeze()


@dataclass(frozen=True)
class SpatialAttention:
    """Each place is scaled by what mean and greatest channel around it say (spatial half of CBAM; Woo et al. 2018)."""

    kernel: int = 7

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch
        from torch import nn

        axes, kernel = len(shape) - 1, self.kernel

        class Spatial(nn.Module):
            """The layer."""

            def __init__(self) -> None:
                super().__init__()
                self.look = by_axes("Conv", axes)(2, 1, kernel, padding=kernel // 2)

            def forward(self, x: Any) -> Any:
                """Scaled places."""
                seen = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
                return x * torch.sigmoid(self.look(seen))

        return Spatial()


@dataclass(frozen=True)
class BlockAttention:
    """Convolutional block attention (Woo et al. 2018): channels, then places."""

    ratio: int = 4
    kernel: int = 7

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        return chain((SqueezeExcitation(self.ratio, greatest=True), SpatialAttention(self.kernel)), shape)


@dataclass(frozen=True)
class MicroAttention:
    """A map of attention from several scales of the block's own features (Wang et al. 2020, micro-attention).

    1x1 and 3x3 convolutions and 3x3 means each give a map; their 1x1 mixture, through a sigmoid, scales the features,
    which are added again.
    """

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch
        from torch import nn

        channels = shape[0]

        class Micro(nn.Module):
            """The layer."""

            def __init__(self) -> None:
                super().__init__()
                self.near, self.wide = nn.Conv2d(channels, 1, 1), nn.Conv2d(channels, 1, 3, padding=1)
                self.mean, self.mix = nn.AvgPool2d(3, 1, 1), nn.Conv2d(3, 1, 1)

            def forward(self, x: Any) -> Any:
                """Scaled features, added to what they were."""
                near = self.near(x)
                return x * (1 + torch.sigmoid(self.mix(torch.cat([near, self.wide(x), self.mean(near)], dim=1))))

        return Micro()


@dataclass(frozen=True)
class NonLocal:
    """Every place sees every other, weighted by likeness (Wang et al. 2018, non-local networks); added to the input.

    Attributes:
        width: Channels in which places are compared.
    """

    width: int = 8

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        from torch import nn
        from torch.nn import functional

        convolve, channels, width = by_axes("Conv", len(shape) - 1), shape[0], self.width

        class Global(nn.Module):
            """The layer."""

            def __init__(self) -> None:
                super().__init__()
                self.ask, self.key, self.value = (convolve(channels, width, 1) for _ in range(3))
                self.back = convolve(width, channels, 1)

            def forward(self, x: Any) -> Any:
                """The input and what was seen."""
                ask, key, value = (part(x).flatten(2).transpose(1, 2) for part in (self.ask, self.key, self.value))
                seen = functional.scaled_dot_product_attention(ask, key, value).transpose(1, 2)
                return x + self.back(seen.reshape(len(x), width, *x.shape[2:]))

        return Global()


@dataclass(frozen=True)
class ExpressionBranches:
    """Features that all classes share are refined by a branch of attention for each, and joined again.

    As the expression-proposal module of feature refinement (Zhou et al. 2022): K branches, each its own map of
    attention over the shared features; what they give is joined.

    Attributes:
        branches: How many.
        width: Channels of each.
    """

    branches: int = 3
    width: int = 16

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch
        from torch import nn

        count, width, channels = self.branches, self.width, shape[0]

        class Branches(nn.Module):
            """The branches."""

            def __init__(self) -> None:
                super().__init__()
                self.propose = nn.ModuleList(nn.Conv2d(channels, 1, 3, padding=1) for _ in range(count))
                self.refine = nn.ModuleList(Conv(width, 3).build(shape) for _ in range(count))

            def forward(self, x: Any) -> Any:
                """Channels of all branches."""
                pairs = zip(self.propose, self.refine, strict=True)
                return torch.cat([refine(x * torch.sigmoid(propose(x))) for propose, refine in pairs], dim=1)

        return Branches()
