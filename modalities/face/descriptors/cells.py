"""From what is measured at each voxel to a vector: histograms and means over the cells of a grid.

A grid may be a tuple of several, from coarse to fine: then cells of all of them are used side by side, the hierarchical
division of Zong, Huang, Zheng, Cui & Zhao (2018, "Learning from hierarchical spatiotemporal descriptors for
micro-expression recognition"), there 1, 2, 4 and 8 cells a side, 85 in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Grid = int | tuple[int, ...]
"""Cells a side; several grids make a hierarchy."""
HIERARCHY = (1, 2, 4, 8)
"""Grids of the hierarchical division."""
Scale = Literal["none", "sum", "length"]


@dataclass(frozen=True, eq=False)
class Codes:
    """A number at each voxel, to be counted.

    Attributes:
        codes: 0 to labels - 1, int64 (t, h, w).
        labels: How many there are.
        weights: How much each voxel counts, (t, h, w); None for all alike.
    """

    codes: NDArray[np.int64]
    labels: int
    weights: NDArray[np.floating] | None = None

    def pool(self, grid: int, grid_t: int) -> NDArray[np.float32]:
        """Histogram of each cell, each of sum 1 (0 where nothing counts), (grid_t * grid * grid, labels)."""
        cells = grid_t * grid**2
        joint = (cell_numbers(self.codes.shape, grid, grid_t) * self.labels + self.codes).ravel()
        weights = None if self.weights is None else self.weights.ravel()
        counts = np.bincount(joint, weights, cells * self.labels).reshape(cells, self.labels).astype(np.float32)
        total = counts.sum(axis=1, keepdims=True)
        return np.asarray(counts / np.where(total > 0, total, 1), np.float32)


@dataclass(frozen=True, eq=False)
class Votes:
    """Several values at each voxel, to be averaged.

    Attributes:
        values: (t, h, w, channels).
        scale: Each cell's means divided by their sum, by their length, or as they are.
    """

    values: NDArray[np.floating]
    scale: Scale = "none"

    def pool(self, grid: int, grid_t: int) -> NDArray[np.float32]:
        """Means of each cell, (grid_t * grid * grid, channels)."""
        t, h, w, channels = self.values.shape
        shares = [_whole_shares(size, n) for size, n in ((t, grid_t), (h, grid), (w, grid))]
        out: NDArray[np.float64] = np.tensordot(shares[0], self.values.astype(np.float64), axes=(1, 0))
        out = np.einsum("gh,shwc->sgwc", shares[1], out, optimize=True)
        out = np.einsum("kw,sgwc->sgkc", shares[2], out, optimize=True).reshape(-1, channels)
        if self.scale != "none":
            size = out.sum(axis=1) if self.scale == "sum" else np.linalg.norm(out, axis=1)
            out = out / np.where(size > 1e-12, size, 1)[:, None]
        return out.astype(np.float32)


Part = Codes | Votes


def pool_parts(parts: list[Part], grid: Grid, grid_t: int) -> NDArray[np.float32]:
    """All parts of all cells as one vector: grid by grid, cell by cell, part by part."""
    grids = (grid,) if isinstance(grid, int) else grid
    return np.concatenate([np.concatenate([one.pool(n, grid_t) for one in parts], axis=1).ravel() for n in grids])


def cell_count(grid: Grid, grid_t: int) -> int:
    """Cells of all grids together."""
    return grid_t * sum(n * n for n in ((grid,) if isinstance(grid, int) else grid))


def finest(grid: Grid) -> int:
    """Cells a side of the finest grid."""
    return grid if isinstance(grid, int) else max(grid)


def cell_numbers(shape: tuple[int, ...], grid: int, grid_t: int = 1) -> NDArray[np.int64]:
    """Number of the cell of each voxel, (t, h, w); time counts slowest, then rows."""
    times, rows, columns = (np.arange(size) * n // size for size, n in zip(shape, (grid_t, grid, grid), strict=True))
    return (times[:, None, None] * grid + rows[:, None]) * grid + columns


def _whole_shares(side: int, cells: int) -> NDArray[np.float64]:
    """Share of each voxel in the mean of its cell, every voxel in one cell alone, (cells, side)."""
    one_hot = (np.arange(side) * cells // side == np.arange(cells)[:, None]).astype(np.float64)
    return one_hot / one_hot.sum(axis=1, keepdims=True)
