"""Graphs of a face: places as nodes, convolution and attention over them, transformers, unit relations."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.layers_parts import Shape, applied

if TYPE_CHECKING:
    from torch import nn

PLACES: tuple[tuple[float, float], ...] = (
    (0.18, 0.24), (0.30, 0.21), (0.42, 0.26), (0.58, 0.26), (0.70, 0.21), (0.82, 0.24),
    (0.22, 0.38), (0.32, 0.36), (0.42, 0.39), (0.58, 0.39), (0.68, 0.36), (0.78, 0.38),
    (0.50, 0.36), (0.50, 0.50), (0.42, 0.60), (0.58, 0.60), (0.25, 0.55), (0.75, 0.55),
    (0.30, 0.77), (0.40, 0.73), (0.50, 0.72), (0.60, 0.73), (0.70, 0.77),
    (0.40, 0.83), (0.50, 0.84), (0.60, 0.83), (0.38, 0.92), (0.62, 0.92),
)  # fmt: skip
"""28 points of an aligned face crop, right and down as shares of it: brows, eyes, nose, cheeks, mouth, chin."""
UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 25, 26)
"""Action units that are nodes or labels."""
_WHERE: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((0.40, 0.27), (0.60, 0.27)), 2: ((0.26, 0.25), (0.74, 0.25)), 4: ((0.38, 0.29), (0.62, 0.29)),
    5: ((0.32, 0.36), (0.68, 0.36)), 6: ((0.26, 0.50), (0.74, 0.50)), 7: ((0.32, 0.41), (0.68, 0.41)),
    9: ((0.43, 0.52), (0.57, 0.52)), 10: ((0.41, 0.68), (0.59, 0.68)), 12: ((0.33, 0.77), (0.67, 0.77)),
    14: ((0.32, 0.78), (0.68, 0.78)), 15: ((0.33, 0.80), (0.67, 0.80)), 17: ((0.46, 0.90), (0.54, 0.90)),
    25: ((0.45, 0.84), (0.55, 0.84)), 26: ((0.44, 0.90), (0.56, 0.90)),
}  # fmt: skip
"""Where the muscles of each unit pull most, both sides (FACS; Ekman, Friesen & Hager 2002)."""
_TOGETHER = ((1, 2), (1, 4), (1, 2, 5), (1, 2, 5, 26), (4, 7), (4, 9), (6, 12), (12, 25), (12, 14), (15, 17), (9, 10),
             (4, 5, 7), (14, 15), (1, 4, 15), (4, 7, 17))  # fmt: skip
"""Units that expressions show together (EMFACS; Friesen & Ekman 1983)."""


@dataclass(frozen=True)
class Nodes:
    """Squares of a map around places of a face: (c, h, w) to (nodes, c * side^2 + 2).

    The two last features are where the place is, right and down, -0.5..0.5.

    Attributes:
        at: "places": 28 points; "units": where the muscles of 14 action units pull, both sides in one node.
        side: Of a square, pixels, odd.
        where: Whether positions are features too.
    """

    at: Literal["places", "units"] = "places"
    side: int = 5
    where: bool = True

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch

        c, h, w = shape
        spots = [(one,) for one in PLACES] if self.at == "places" else [_WHERE[unit] for unit in UNITS]
        half, with_places = self.side // 2, self.where
        steps = np.arange(-half, half + 1)
        flat = []
        for spot in spots:
            for right, down in spot:
                x, y = int(right * w), int(down * h)
                rows, columns = (y + steps).clip(0, h - 1), (x + steps).clip(0, w - 1)
                flat.append((rows[:, None] * w + columns).ravel())
        picked = torch.from_numpy(np.stack(flat).ravel())
        centre = torch.tensor(np.array([np.mean(spot, axis=0) - 0.5 for spot in spots], np.float32))
        each = len(spots[0]) * self.side**2

        def gather(x: Any) -> Any:
            seen = x.flatten(2)[:, :, picked.to(x.device)].reshape(len(x), c, len(spots), each)
            seen = seen.transpose(1, 2).flatten(2)
            if not with_places:
                return seen
            return torch.cat([seen, centre.to(x.device).expand(len(x), -1, -1)], dim=2)

        return applied(gather)


@dataclass(frozen=True)
class GraphConvolution:
    """Each node becomes a weighted mean of its neighbours, through shared weights and ReLU (Kipf & Welling 2017).

    Attributes:
        width: Features that it gives.
        learnt: Whether edges are parameters, of any size; they begin as the fixed ones, see `neighbours`.
        dropout: Share of features left out in training.
    """

    width: int
    learnt: bool = False
    dropout: float = 0.0

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch
        from torch import nn

        nodes, size = shape
        start = torch.from_numpy(neighbours(nodes))
        learnt, width = self.learnt, self.width

        class Graph(nn.Module):
            """The layer."""

            def __init__(self) -> None:
                super().__init__()
                self.mix, self.own = nn.Linear(size, width), nn.Linear(size, width, bias=False)
                self.norm = nn.BatchNorm1d(width)
                if learnt:
                    self.edges = nn.Parameter(start.clone())
                else:
                    self.register_buffer("edges", start, persistent=False)

            def forward(self, x: Any) -> Any:
                """New features of each node."""
                out = self.own(x) + self.edges @ self.mix(x)
                return torch.relu(self.norm(out.transpose(1, 2)).transpose(1, 2))

        return nn.Sequential(Graph(), *([nn.Dropout(self.dropout)] if self.dropout else []))


@dataclass(frozen=True)
class GraphAttention:
    """Each node asks its neighbours, and takes from those that answer (Velickovic et al. 2018; dot products).

    Neighbours are those of `neighbours`: units that expressions show together, places that lie close.

    Attributes:
        width: Features that it gives.
        heads: Questions at once.
        share: Nodes kept, those of the greatest learnt score, scaled by it (Gao & Ji 2019); 1 for all.
    """

    width: int
    heads: int = 4
    share: float = 1.0

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch
        from torch import nn

        nodes, size = shape
        width, heads, kept = self.width, self.heads, max(1, round(self.share * nodes))
        strangers = torch.from_numpy(neighbours(nodes) <= 0)

        class Attending(nn.Module):
            """The layer."""

            strangers: Any

            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("strangers", strangers, persistent=False)
                self.lift = nn.Linear(size, width)
                self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
                self.norm = nn.LayerNorm(width)
                self.rank = nn.Linear(width, 1) if kept < nodes else None

            def forward(self, x: Any) -> Any:
                """New features of each node kept."""
                x = self.lift(x)
                x = torch.relu(
                    self.norm(x + self.attend(x, x, x, need_weights=False, attn_mask=self.strangers.to(x.device))[0])
                )
                if self.rank is None:
                    return x
                score = torch.sigmoid(self.rank(x))
                best = score[..., 0].topk(kept, dim=1).indices.sort(dim=1).values[..., None]
                return (x * score).gather(1, best.expand(-1, -1, width))

        return Attending()


@dataclass(frozen=True)
class Transformer:
    """Layers of a transformer's encoder (Vaswani et al. 2017) over nodes or frames, places learnt.

    Attributes:
        width: Features of each token.
        depth: Layers.
        heads: Of attention.
    """

    width: int = 32
    depth: int = 1
    heads: int = 4

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch
        from torch import nn

        tokens, size = shape
        width, depth, heads = self.width, self.depth, self.heads

        class Encoded(nn.Module):
            """The layers."""

            def __init__(self) -> None:
                super().__init__()
                self.lift = nn.Linear(size, width)
                self.place = nn.Parameter(torch.randn(1, tokens, width) * 0.02)
                layers = [
                    nn.TransformerEncoderLayer(width, heads, 2 * width, 0.1, batch_first=True) for _ in range(depth)
                ]
                self.layers = nn.Sequential(*layers)

            def forward(self, x: Any) -> Any:
                """New features of each token."""
                return self.layers(self.lift(x) + self.place)

        return Encoded()


@dataclass(frozen=True)
class TimeConvolution:
    """Dilated convolutions along nodes or frames, each added to its input (temporal convolution; Bai et al. 2018).

    Attributes:
        width: Features that it gives.
        dilations: Of each convolution.
    """

    width: int
    dilations: tuple[int, ...] = (1, 2)

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`; (steps, features) to (steps, width)."""
        from torch import nn

        from modalities.face.recognition.layers_parts import Conv, adding

        flat = (self.width, shape[0])
        parts: list[nn.Module] = [applied(lambda x: x.transpose(1, 2)), nn.Conv1d(shape[1], self.width, 1)]
        parts += [adding(Conv(self.width, 3, dilation=one).build(flat), nn.Identity()) for one in self.dilations]
        return nn.Sequential(*parts, applied(lambda x: x.transpose(1, 2)))


@dataclass(frozen=True)
class NodeMean:
    """Mean and greatest value of each feature over nodes or frames: (nodes, f) to (2 f,)."""

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch

        return applied(lambda x: torch.cat([x.mean(dim=1), x.amax(dim=1)], dim=1))


@dataclass(frozen=True)
class AskedByUnits:
    """Features of the whole face, asked by a graph of action units (MER-GCN; Lo et al. 2020).

    A graph of units, whose first features are one number for each unit, gives a weight vector for each; products with
    the features of the face say how much of each unit there is. Both are given.

    Attributes:
        width: Hidden features of the graph.
    """

    width: int = 16

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`; (features,) to (features + units,)."""
        import torch
        from torch import nn

        size, count, width = prod(shape), len(UNITS), self.width

        class Asked(nn.Module):
            """The part."""

            edges: Any

            def __init__(self) -> None:
                super().__init__()
                self.graph = nn.ParameterList(
                    [torch.randn(count, width) / count**0.5, torch.randn(width, size) / width**0.5]
                )
                self.register_buffer("edges", torch.from_numpy(neighbours(count)), persistent=False)

            def forward(self, x: Any) -> Any:
                """The features, then the units."""
                x = x.flatten(1)
                first = torch.relu(self.edges @ self.graph[0])
                asked = self.edges @ first @ self.graph[1]
                return torch.cat([x, x @ asked.T / size**0.5], dim=1)

        return Asked()


def neighbours(nodes: int) -> NDArray[np.float32]:
    """Weight of each neighbour of each node, (nodes, nodes), rows sum to 1; every node is its own neighbour.

    14 nodes are action units, joined where expressions show them together; 28 are places, joined where they lie close;
    any other number is joined throughout.
    """
    near = np.eye(nodes)
    if nodes == len(UNITS):
        for group in _TOGETHER:
            at = [UNITS.index(unit) for unit in group]
            near[np.ix_(at, at)] += np.where(np.eye(len(at)) > 0, 0, 1)
    elif nodes == len(PLACES):
        apart = np.linalg.norm(np.array(PLACES)[:, None] - np.array(PLACES)[None], axis=-1)
        near = np.exp(-((apart / 0.15) ** 2))
        near[near < 0.05] = 0
    else:
        near[:] = 1
    return (near / near.sum(axis=1, keepdims=True)).astype(np.float32)
