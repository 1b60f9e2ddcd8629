"""Patterns of integral projections: what the sums over rows and columns of changing pictures look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.descriptors.base import ClipDescriptor
from modalities.face.descriptors.cells import Codes, Part, finest, pool_parts
from modalities.face.descriptors.sampling import LABELS, Volume, pattern_codes, uniform_bins

_RING = ((0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (1.0, -1.0), (0.0, -1.0), (-1.0, -1.0), (-1.0, 0.0), (-1.0, 1.0))
"""Neighbours in the picture of projections over time: frames, places."""


@dataclass(frozen=True, kw_only=True)
class StlbpIp(ClipDescriptor):
    """STLBP-IP (Huang, Wang, Zhao & Pietikainen 2015): binary patterns of integral projections of difference pictures.

    Pictures minus the one before are averaged over the rows of each strip of cells (and over the columns of each): a
    profile for each frame. Shape is told by one-dimensional patterns along the profiles, 2 ** `mask` labels; motion
    by uniform patterns of the picture that profiles make over time. Both ways, counted in each cell: 2 x 256 + 2 x 59
    = 630 numbers a cell with 8 neighbours. The paper projects each block by itself; strips keep the neighbours that
    patterns at the edge of a small block would lack.

    Attributes:
        mask: Neighbours along a profile, half of them on each side.
    """

    mask: int = 8

    @property
    def margin(self) -> tuple[int, int]:
        """See `ClipDescriptor`."""
        return 2, self.mask // 2

    @property
    def per_cell(self) -> int:
        """630 with 8 neighbours."""
        return 2 * 2**self.mask + 2 * LABELS

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`; of the finest grid."""
        return self._parts(volume, finest(self.grid))

    def pool(self, volume: Volume) -> NDArray[np.float32]:
        """See `ClipDescriptor`; profiles are made anew for each grid."""
        grids = (self.grid,) if isinstance(self.grid, int) else self.grid
        return np.concatenate([pool_parts(self._parts(volume, one), one, self.grid_t) for one in grids])

    def _parts(self, volume: Volume, grid: int) -> list[Part]:
        change = np.diff(volume, axis=0)
        lying = strip_means(change, grid)
        standing = strip_means(change.transpose(0, 2, 1), grid)
        shape = [self._along(lying), self._along(standing).transpose(0, 2, 1)]
        motion = [_over_time(lying), _over_time(standing).transpose(0, 2, 1)]
        return [*(Codes(one, 2**self.mask) for one in shape), *(Codes(one, LABELS) for one in motion)]

    def _along(self, profiles: Volume) -> NDArray[np.int64]:
        """Patterns along each profile, (frames, strips, places)."""
        half = self.mask // 2
        t, strips, w = profiles.shape
        inner = (slice(0, t), slice(0, strips), slice(half, w - half))
        steps = [(0.0, 0.0, float(step)) for step in (*range(-half, 0), *range(1, half + 1))]
        return pattern_codes(profiles, inner, steps)


def strip_means(pictures: Volume, strips: int) -> Volume:
    """Mean over the rows of each of equal strips, float32 (t, strips, w)."""
    edges = -(-np.arange(strips) * pictures.shape[1] // strips)
    sums = np.add.reduceat(pictures, edges, axis=1)
    return np.asarray(sums / np.diff([*edges, pictures.shape[1]])[:, None], np.float32)


def _over_time(profiles: Volume) -> NDArray[np.int64]:
    """Uniform patterns of the picture that each strip's profiles make over time, (frames, strips, places)."""
    t, strips, w = profiles.shape
    inner = (slice(1, t - 1), slice(0, strips), slice(1, w - 1))
    return uniform_bins()[pattern_codes(profiles, inner, [(t, 0.0, x) for t, x in _RING])]
