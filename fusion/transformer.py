"""The late-fusion transformer: tokens of all channels and one query per time step in, joint felt x shown out.

Every channel is projected by its own layer; a learned channel embedding and a sinusoidal time embedding are added;
masked tokens are hidden from attention. At every time step a learned query joins the sequence. After the layers each
query is read out as 16 logits: the joint probability of felt and shown emotion. The three statements follow from that
one table and therefore never contradict each other: felt and shown are its margins, concealed is what lies off
its diagonal. Further estimands (a response in a concealed information test, a lab's own label) get heads of their own
in `heads`.

torch is imported when a network is built, never when this module is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.emotion import CHANNELS, EMOTIONS
from data_schemas.errors import InvalidValueError
from fusion.vocabulary import WIDTHS

if TYPE_CHECKING:
    from torch import Tensor, nn

JOINT = len(EMOTIONS) ** 2


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of the network.

    Attributes:
        width: Length of the embeddings.
        layers: Number of attention layers.
        heads: Attention heads per layer.
        widening: Width of the feed-forward part over `width`.
        steps: Time steps per window, 0.5 s each.
        dropout: In training.
    """

    width: int = 64
    layers: int = 3
    heads: int = 4
    widening: int = 2
    steps: int = 40
    dropout: float = 0.05

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads) or min(self.width, self.layers, self.heads, self.steps) < 1:
            raise InvalidValueError("this network cannot be built", got=asdict(self), expected="width 2 * heads * k")


def build(shape: Shape) -> nn.Module:
    """A network with untrained weights; see `_classes` for its inputs and outputs."""
    network: nn.Module = _classes()[0](shape)
    return network


def steps_of(network: nn.Module) -> int:
    """Time steps per window that a network was built for."""
    shape: Any = network.shape
    return int(shape.steps)


def time_embedding(steps: int, width: int) -> np.ndarray:
    """Sinusoids of the step index, float32 (steps, width) (Vaswani et al. 2017); periods from 2 pi to 400 pi steps."""
    rates = np.exp(-np.log(200.0) * np.arange(0, width, 2) / width)
    angles = np.arange(steps)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def looks(heads: int, steps: int) -> np.ndarray:
    """Where in time each head looks at first, as logits to add; float32 (heads, 2 * steps - 1), from future to past.

    In turn: everywhere; at its own moment; at the next 4 s, where the skin answers; at the last 4 s, where the cue was.
    Training is free to change it.
    """
    ahead = np.arange(steps - 1, -steps, -1)
    bumps = [
        np.zeros(len(ahead)),
        -0.5 * (ahead / 1.5) ** 2,
        -0.5 * ((ahead - 4) / 3) ** 2,
        -0.5 * ((ahead + 4) / 3) ** 2,
    ]
    return np.stack([np.maximum(bumps[head % len(bumps)], -5.0) for head in range(heads)]).astype(np.float32)


@cache
def _classes() -> tuple[Any, ...]:
    """The network's classes, made on first use so that torch is not imported with this module."""
    import torch
    from torch import nn
    from torch.nn import functional as f

    class Layer(nn.Module):
        """Pre-norm self-attention with a learned preference for distances in time, then a feed-forward part."""

        def __init__(self, shape: Shape) -> None:
            super().__init__()
            self.heads, self.dropout = shape.heads, shape.dropout
            self.before_attention = nn.LayerNorm(shape.width)
            self.project = nn.Linear(shape.width, 3 * shape.width)
            self.merge = nn.Linear(shape.width, shape.width)
            self.before_mlp = nn.LayerNorm(shape.width)
            self.mlp = nn.Sequential(
                nn.Linear(shape.width, shape.widening * shape.width),
                nn.GELU(),
                nn.Linear(shape.widening * shape.width, shape.width),
            )
            self.distance = nn.Parameter(torch.from_numpy(looks(shape.heads, shape.steps)))

        def forward(self, x: Tensor, hidden: Tensor, apart: Tensor) -> Tensor:
            batch, length, width = x.shape
            q, k, v = (
                self.project(self.before_attention(x))
                .view(batch, length, 3, self.heads, width // self.heads)
                .permute(2, 0, 3, 1, 4)
            )
            near = self.distance[:, apart]
            bias = near.repeat(1, length // near.shape[1], length // near.shape[2])[None] + hidden
            rate = self.dropout if self.training else 0.0
            seen = f.scaled_dot_product_attention(q, k, v, attn_mask=bias)
            x = x + f.dropout(self.merge(seen.transpose(1, 2).reshape(batch, length, width)), rate, self.training)
            return x + f.dropout(self.mlp(self.before_mlp(x)), rate, self.training)

    class FusionTransformer(nn.Module):
        """Inputs: values and shares, channel -> float (batch, steps, width of the channel). Output: logits
        (batch, steps, 16), felt x shown, row-major in the order of `EMOTIONS`.
        """

        def __init__(self, shape: Shape) -> None:
            super().__init__()
            self.shape = shape
            self.inputs = nn.ModuleDict({c: nn.Linear(2 * WIDTHS[c], shape.width) for c in CHANNELS})
            self.channel = nn.Parameter(0.02 * torch.randn(len(CHANNELS), shape.width))
            self.query = nn.Parameter(0.02 * torch.randn(shape.width))
            self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
            self.norm = nn.LayerNorm(shape.width)
            self.heads = nn.ModuleDict({"felt_shown": nn.Linear(shape.width, JOINT)})
            self.when: Tensor
            self.apart: Tensor
            when = torch.from_numpy(time_embedding(shape.steps, shape.width))
            self.register_buffer("when", when, persistent=False)
            step = torch.arange(shape.steps)
            self.register_buffer("apart", step[:, None] - step[None, :] + shape.steps - 1, persistent=False)

        def forward(self, values: dict[str, Tensor], shares: dict[str, Tensor]) -> Tensor:
            first = values[CHANNELS[0]]
            batch, steps = first.shape[:2]
            tokens, masked, pooled = [], [], torch.zeros(batch, steps, self.shape.width, device=first.device)
            for at, channel in enumerate(CHANNELS):
                token = self.inputs[channel](torch.cat([values[channel], shares[channel]], dim=-1))
                absent = (shares[channel] <= 0).all(dim=-1)
                pooled = pooled + token * (~absent)[..., None]
                tokens.append(token + self.channel[at] + self.when)
                masked.append(absent)
            x = torch.cat([self.query + self.when + pooled / len(CHANNELS), *tokens], dim=1)
            nothing = torch.zeros(batch, steps, dtype=torch.bool, device=first.device)
            hidden = torch.zeros(batch, x.shape[1], device=first.device)
            hidden = hidden.masked_fill(torch.cat([nothing, *masked], dim=1), float("-inf"))[:, None, None]
            for layer in self.layers:
                x = layer(x, hidden, self.apart)
            return self.heads["felt_shown"](self.norm(x[:, :steps]))

    return FusionTransformer, Layer
