"""Descriptors of a flow map: numbers or a histogram for each cell of a grid.

All take levelled flow maps (n, h, w, 3) with channels u (right), v (down), strain, and give features (n, d).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]
Features = NDArray[np.float32]


def pooled(maps: NDArray[np.floating], grid: int) -> NDArray[np.float64]:
    """Means over the cells of a grid, exact also where cells cut pixels: (n, h, w, c) to (n, grid, grid, c)."""
    rows, columns = _shares(maps.shape[1], grid), _shares(maps.shape[2], grid)
    return np.einsum("gh,nhwc,kw->ngkc", rows, maps, columns, optimize=True)


def _shares(side: int, grid: int) -> NDArray[np.float64]:
    """Share of each pixel in each cell's mean, (grid, side)."""
    edges = np.linspace(0, side, grid + 1)
    starts = np.arange(side)
    inside = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    inside = np.clip(inside, 0, None)
    return inside / inside.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class PooledFlow:
    """Mean u and v of each cell."""

    grid: int = 10

    @property
    def dimension(self) -> int:
        """Length of the vector."""
        return self.grid**2 * 2

    def describe(self, maps: Maps) -> Features:
        """Features (n, grid * grid * 2)."""
        return pooled(maps[..., :2], self.grid).reshape(len(maps), -1).astype(np.float32)


@dataclass(frozen=True)
class FlowGradients:
    """Mean spatial derivatives of u and v of each cell: stretch and shear, which no shift of the head changes."""

    grid: int = 10

    @property
    def dimension(self) -> int:
        """Length of the vector."""
        return self.grid**2 * 4

    def describe(self, maps: Maps) -> Features:
        """Features (n, grid * grid * 4): u_x, u_y, v_x, v_y."""
        down, right = np.gradient(maps[..., :2].astype(np.float64), axis=(1, 2))
        parts = np.concatenate([right, down], axis=-1)
        return pooled(parts, self.grid).reshape(len(maps), -1).astype(np.float32)


@dataclass(frozen=True)
class Hoof:
    """Histogram of oriented optical flow (Chaudhry et al. 2009): directions counted by magnitude, in each cell.

    The original merges left and right; kept apart here, as in its uses for micro-expressions, since the grid already
    tells the sides.

    Attributes:
        grid: Cells a side.
        bins: Directions.
        share: Whether each histogram is divided by its sum, as in the original; else all of a face by their sum, so
            that cells without motion stay small.
    """

    grid: int = 5
    bins: int = 8
    share: bool = True

    @property
    def dimension(self) -> int:
        """Length of the vector."""
        return self.grid**2 * self.bins

    def describe(self, maps: Maps) -> Features:
        """Features (n, grid * grid * bins)."""
        votes = direction_votes(maps, self.bins)
        counts = pooled(votes, self.grid)
        total = counts.sum(axis=-1, keepdims=True) if self.share else counts.sum(axis=(1, 2, 3), keepdims=True)
        return (counts / np.maximum(total, 1e-9)).reshape(len(maps), -1).astype(np.float32)


@dataclass(frozen=True)
class BiWoof:
    """Bi-weighted oriented optical flow (Liong et al. 2018, "Less is more").

    Directions are counted by magnitude (the local weight); each cell's histogram is multiplied by its mean optical
    strain (the global weight).
    """

    grid: int = 8
    bins: int = 8

    @property
    def dimension(self) -> int:
        """Length of the vector."""
        return self.grid**2 * self.bins

    def describe(self, maps: Maps) -> Features:
        """Features (n, grid * grid * bins)."""
        counts = pooled(direction_votes(maps, self.bins), self.grid)
        weighted = counts * pooled(maps[..., 2:], self.grid)
        total = weighted.sum(axis=(1, 2, 3), keepdims=True)
        return (weighted / np.maximum(total, 1e-9)).reshape(len(maps), -1).astype(np.float32)


@dataclass(frozen=True)
class Mdmo:
    """Main directional mean optical flow (Liu et al. 2016): in each region the mean of the most frequent direction.

    The original has 36 regions drawn by facial landmarks and averages over the frames of a clip. A flow map has
    neither, so the regions are the 36 cells of a 6 x 6 grid and the clip is its one flow from onset to apex. As there,
    features are polar and weighted: magnitude times alpha beside angle times (1 - alpha).

    Attributes:
        grid: Cells a side.
        bins: Directions among which the main one is looked for.
        alpha: Weight of magnitude against angle (the paper's best on CASME II is 0.9).
    """

    grid: int = 6
    bins: int = 8
    alpha: float = 0.9

    @property
    def dimension(self) -> int:
        """Length of the vector."""
        return self.grid**2 * 2

    def describe(self, maps: Maps) -> Features:
        """Features (n, grid * grid * 2)."""
        members = _one_hot_directions(maps, self.bins)
        counts = pooled(members, self.grid)
        main = counts.argmax(axis=-1)[..., None]
        u, v = (
            np.take_along_axis(pooled(members * maps[..., at : at + 1], self.grid), main, axis=-1)
            / np.maximum(np.take_along_axis(counts, main, axis=-1), 1e-9)
            for at in (0, 1)
        )
        size, angle = np.hypot(u, v), np.arctan2(v, u)
        size = size / np.maximum(size.max(axis=(1, 2), keepdims=True), 1e-9)
        parts = [self.alpha * size, (1 - self.alpha) * angle / np.pi]
        return np.concatenate(parts, axis=-1).reshape(len(maps), -1).astype(np.float32)


@dataclass(frozen=True)
class Fhofo:
    """Fuzzy histogram of optical flow orientations (Happy & Routray 2019): directions counted whatever the magnitude.

    Each vector belongs to every direction to a degree that falls off as a Gaussian of the angle between them, degrees
    summing to 1; how far it moves does not count, so that weak and strong expressions look alike. Vectors shorter than
    a share of the longest ones are noise and left out. The spread is half the distance of two directions, and cells
    are those of a grid; both are ours.

    Attributes:
        grid: Cells a side.
        bins: Directions.
        least: Share of the 98th percentile of the magnitude below which a vector is left out.
    """

    grid: int = 5
    bins: int = 8
    least: float = 0.2

    @property
    def dimension(self) -> int:
        """Length of the vector."""
        return self.grid**2 * self.bins

    def describe(self, maps: Maps) -> Features:
        """Features (n, grid * grid * bins): share of each direction among a cell's vectors, 0 without any."""
        u, v = maps[..., 0].astype(np.float64), maps[..., 1].astype(np.float64)
        size = np.hypot(u, v)
        counts = size > np.maximum(self.least * np.percentile(size, 98, axis=(1, 2), keepdims=True), 1e-9)
        away = np.arctan2(v, u)[..., None] - 2 * np.pi * np.arange(self.bins) / self.bins
        away = (away + np.pi) % (2 * np.pi) - np.pi
        degree = np.exp(-(away**2) / (2 * (np.pi / self.bins) ** 2))
        degree *= (counts / degree.sum(axis=-1))[..., None]
        sums = pooled(degree, self.grid)
        total = sums.sum(axis=-1, keepdims=True)
        return (sums / np.where(total > 1e-12, total, 1)).reshape(len(maps), -1).astype(np.float32)


def direction_votes(maps: Maps, bins: int) -> NDArray[np.float64]:
    """Magnitude of each pixel shared between the two directions nearest to its own, (n, h, w, bins)."""
    u, v = maps[..., 0].astype(np.float64), maps[..., 1].astype(np.float64)
    size, place = np.hypot(u, v), np.arctan2(v, u) / (2 * np.pi) * bins % bins
    low = np.floor(place).astype(np.int64) % bins
    part = place - np.floor(place)
    out: NDArray[np.float64] = np.zeros((*u.shape, bins))
    np.put_along_axis(out, low[..., None], (size * (1 - part))[..., None], axis=-1)
    after = ((low + 1) % bins)[..., None]
    np.put_along_axis(out, after, np.take_along_axis(out, after, axis=-1) + (size * part)[..., None], axis=-1)
    return out


def _one_hot_directions(maps: Maps, bins: int) -> NDArray[Any]:
    angle = np.arctan2(maps[..., 1], maps[..., 0])
    nearest = np.rint(angle / (2 * np.pi) * bins).astype(np.int64) % bins
    return (nearest[..., None] == np.arange(bins)).astype(np.float64)
