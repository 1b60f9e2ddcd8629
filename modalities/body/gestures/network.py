"""A spatial-temporal graph convolutional network (Yan, Xiong & Lin 2018, AAAI), small enough for a laptop."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from modalities.body.gestures.layouts import COMMON, EDGES

CHANNELS = 5
WIDTHS = ((32, 1), (32, 1), (64, 2), (64, 1), (96, 2))
"""Channels and stride in time of each block."""
_ROOTS = (COMMON.index("left_shoulder"), COMMON.index("right_shoulder"))


def adjacency() -> Tensor:
    """Three normalised graphs, (3, 19, 19): a joint itself, neighbours nearer to the shoulders, and farther ones."""
    count = len(COMMON)
    linked = np.zeros((count, count), dtype=bool)
    for a, b in EDGES:
        linked[a, b] = linked[b, a] = True
    hops = np.full(count, count)
    hops[list(_ROOTS)] = 0
    for _ in range(count):
        for a, b in EDGES:
            hops[a], hops[b] = min(hops[a], hops[b] + 1), min(hops[b], hops[a] + 1)
    whole = linked | np.eye(count, dtype=bool)
    share = whole / whole.sum(axis=0, keepdims=True)
    nearer = linked & (hops[:, None] <= hops[None, :])
    parts = [np.eye(count, dtype=bool), nearer, linked & ~nearer]
    return torch.tensor(np.stack([np.where(part, share, 0.0) for part in parts]), dtype=torch.float32)


class Block(nn.Module):
    """Convolution over the graph, then over time, with a residual path."""

    def __init__(self, graphs: Tensor, before: int, after: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("graphs", graphs, persistent=False)
        self.weights = nn.Parameter(torch.ones_like(graphs))
        self.spatial = nn.Conv2d(before, after * len(graphs), 1)
        self.temporal = nn.Sequential(
            nn.BatchNorm2d(after), nn.ReLU(), nn.Conv2d(after, after, (7, 1), (stride, 1), (3, 0)),
            nn.BatchNorm2d(after), nn.Dropout(dropout),
        )  # fmt: skip
        same = before == after and stride == 1
        self.residual: nn.Module = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(before, after, 1, (stride, 1)), nn.BatchNorm2d(after))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, before, t, 19) -> (b, after, t / stride, 19)."""
        b, _, t, v = x.shape
        graphs: Tensor = self.graphs * self.weights  # type: ignore[operator]
        y = self.spatial(x).view(b, len(graphs), -1, t, v)
        y = torch.einsum("bkctv,kvw->bctw", y, graphs)
        return torch.relu(self.temporal(y) + self.residual(x))


class GestureNet(nn.Module):
    """Log-odds of classes from clips of joints, (b, 5, t, 19) -> (b, classes)."""

    def __init__(self, classes: int, dropout: float = 0.2) -> None:
        super().__init__()
        graphs = adjacency()
        self.first = nn.BatchNorm1d(CHANNELS * len(COMMON))
        blocks, before = [], CHANNELS
        for after, stride in WIDTHS:
            blocks.append(Block(graphs, before, after, stride, dropout))
            before = after
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(2 * before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Log-odds, (b, classes)."""
        b, c, t, v = x.shape
        x = self.first(x.permute(0, 1, 3, 2).reshape(b, c * v, t)).view(b, c, v, t).permute(0, 1, 3, 2)
        x = self.blocks(x).mean(dim=2)
        return self.last(torch.cat([x.mean(dim=-1), x.amax(dim=-1)], dim=1))
