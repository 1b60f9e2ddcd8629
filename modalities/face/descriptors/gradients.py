"""Histograms of image gradients: on three orthogonal planes, and in space and time at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modalities.face.descriptors.base import ClipDescriptor
from modalities.face.descriptors.cells import Codes, Grid, Part, Votes
from modalities.face.descriptors.sampling import PLANES, Volume

GOLDEN = (1 + np.sqrt(5)) / 2


@dataclass(frozen=True, kw_only=True)
class HogTop(ClipDescriptor):
    """HOG-TOP (Li et al. 2018, "Towards reading hidden emotions"): directions of gradients on three planes.

    Central differences; each voxel counts by the length of its gradient in the plane. 8 directions over the whole
    circle, 24 numbers a cell.

    Attributes:
        bins: Directions.
        weighted: Whether the length of the gradient counts.
    """

    bins: int = 8
    weighted: bool = True

    @property
    def margin(self) -> tuple[int, int]:
        """See `ClipDescriptor`."""
        return 1, 1

    @property
    def per_cell(self) -> int:
        """Bins of three planes."""
        return len(PLANES) * self.bins

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        slopes = central_differences(volume)
        out: list[Part] = []
        for first, second in PLANES:
            along, across = slopes[first], slopes[second]
            size = np.hypot(along, across)
            place = np.arctan2(across, along) / (2 * np.pi) * self.bins
            codes = np.floor(place + 1e-6).astype(np.int64) % self.bins
            out.append(Codes(codes, self.bins, size if self.weighted else (size > 0).astype(np.float32)))
        return out


@dataclass(frozen=True, kw_only=True)
class HigoTop(HogTop):
    """HIGO-TOP (Li et al. 2018): as HOG-TOP, but every voxel with any gradient counts alike, which light does not
    change.
    """

    weighted: bool = False


@dataclass(frozen=True, kw_only=True)
class Hog3d(ClipDescriptor):
    """Histograms of gradients in space and time (Klaser, Marszalek & Schmid 2008), "3DHOG" in surveys.

    The gradient (x, y, t) is projected onto the 20 normals of an icosahedron; what exceeds the projection of one
    normal on the next is kept, scaled to the length of the gradient. With their 4 x 4 x 3 cells 960 numbers. Polikovsky
    et al. (2009) were the first to read micro-expressions off gradients in space and time, with bins of their own.
    """

    grid: Grid = 4
    grid_t: int = 3

    @property
    def margin(self) -> tuple[int, int]:
        """See `ClipDescriptor`."""
        return 1, 1

    @property
    def per_cell(self) -> int:
        """20."""
        return 20

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        slope_t, slope_y, slope_x = central_differences(volume)
        slopes = np.stack([slope_x, slope_y, slope_t], axis=-1).astype(np.float64)
        size = np.linalg.norm(slopes, axis=-1, keepdims=True)
        axes, least = icosahedron()
        kept = np.maximum(slopes @ axes.T / np.maximum(size, 1e-9) - least, 0)
        length = np.linalg.norm(kept, axis=-1, keepdims=True)
        return [Votes(np.where(length > 1e-9, kept / np.maximum(length, 1e-9) * size, 0), "length")]


def central_differences(volume: Volume) -> tuple[Volume, Volume, Volume]:
    """Half the difference of the two neighbours along t, y and x, where all are there, (t - 2, h - 2, w - 2)."""
    core, half = slice(1, -1), np.float32(0.5)
    along_t = (volume[2:, core, core] - volume[:-2, core, core]) * half
    along_y = (volume[core, 2:, core] - volume[core, :-2, core]) * half
    along_x = (volume[core, core, 2:] - volume[core, core, :-2]) * half
    return along_t, along_y, along_x


@lru_cache(maxsize=1)
def icosahedron() -> tuple[NDArray[np.float64], float]:
    """Unit normals of its faces, (20, 3), and the projection of a normal on the nearest other one, sqrt(5) / 3."""
    corners = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    short, long = 1 / GOLDEN, GOLDEN
    others = [(0.0, a * short, b * long) for a in (-1, 1) for b in (-1, 1)]
    turned = [(one[at % 3], one[(at + 1) % 3], one[(at + 2) % 3]) for at in range(3) for one in others]
    axes = np.array([*corners, *turned], np.float64) / np.sqrt(3)
    return axes, float(np.sqrt(5) / 3)
