"""Heads: what turns features into one number for each class, linear, cosine or capsules."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

from modalities.face.recognition.layers_parts import Shape

if TYPE_CHECKING:
    from torch import nn


class Head(Protocol):
    """The end of a network."""

    def end(self, shape: Shape, classes: int) -> nn.Module:
        """From (batch, *shape) to (batch, classes)."""


@dataclass(frozen=True)
class Linear:
    """Weighted sums of all features."""

    dropout: float = 0.0

    def end(self, shape: Shape, classes: int) -> nn.Module:
        """See `Head`."""
        from torch import nn

        before = [nn.Dropout(self.dropout)] if self.dropout else []
        return nn.Sequential(nn.Flatten(), *before, nn.Linear(prod(shape), classes))


@dataclass(frozen=True)
class Cosine:
    """Cosine between features and a direction for each class, stretched: what margins between classes are measured in.

    Attributes:
        scale: Score of a cosine of 1.
    """

    scale: float = 16.0

    def end(self, shape: Shape, classes: int) -> nn.Module:
        """See `Head`."""
        import torch
        from torch import nn
        from torch.nn import functional

        scale, size = self.scale, prod(shape)

        class Angles(nn.Module):
            """The head."""

            def __init__(self) -> None:
                super().__init__()
                self.direction = nn.Parameter(torch.randn(classes, size) / size**0.5)

            def forward(self, x: Any) -> Any:
                """Stretched cosines."""
                known = functional.normalize(self.direction, dim=1)
                return scale * functional.normalize(x.flatten(1), dim=1) @ known.T

        return Angles()


@dataclass(frozen=True)
class Capsules:
    """Capsules with routing by agreement (Sabour et al. 2017): a class is as likely as its capsule is long.

    A convolution without ReLU gives the first capsules, one of each kind at each place; each votes for each class by a
    matrix that places share.

    Attributes:
        kinds: Of first capsules.
        first: Numbers in a first capsule.
        last: Numbers in the capsule of a class.
        rounds: Of routing.
        scale: Score of a capsule of length 1.
    """

    kinds: int = 4
    first: int = 8
    last: int = 8
    rounds: int = 2
    scale: float = 10.0

    def end(self, shape: Shape, classes: int) -> nn.Module:
        """See `Head`."""
        import torch
        from torch import nn

        channels, kinds, first, last, rounds, scale = (
            shape[0], self.kinds, self.first, self.last, self.rounds, self.scale
        )  # fmt: skip

        class Routed(nn.Module):
            """The head."""

            def __init__(self) -> None:
                super().__init__()
                self.primary = nn.Conv2d(channels, kinds * first, 3, stride=2, padding=1)
                self.votes = nn.Parameter(torch.randn(kinds, classes, first, last) / first**0.5)

            def forward(self, x: Any) -> Any:
                """Stretched lengths."""
                low = squash(self.primary(x).flatten(2).reshape(len(x), kinds, first, -1).permute(0, 1, 3, 2))
                votes = torch.einsum("bkpf,kcfl->bkpcl", low, self.votes).flatten(1, 2)
                trust = torch.zeros(votes.shape[:3], dtype=votes.dtype, device=votes.device)
                for at in range(rounds):
                    high = squash((torch.softmax(trust, dim=2)[..., None] * votes).sum(dim=1))
                    if at + 1 < rounds:
                        trust = trust + (votes.detach() * high.detach()[:, None]).sum(dim=-1)
                return scale * (high.square().sum(dim=-1) + 1e-9).sqrt()

        def squash(s: Any) -> Any:
            size = s.square().sum(dim=-1, keepdim=True)
            return s * size.sqrt() / (1 + size)

        return Routed()
