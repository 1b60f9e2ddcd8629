"""Local binary patterns on three orthogonal planes, and with six intersection points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.face.descriptors.base import ClipDescriptor
from modalities.face.descriptors.cells import Codes, Part
from modalities.face.descriptors.sampling import LABELS, PLANES, Volume, inside, pattern_codes, ring, uniform_bins


@dataclass(frozen=True, kw_only=True)
class PlanePatterns(ClipDescriptor):
    """What the descriptors on three planes with a circle of neighbours share.

    Attributes:
        radius: In x and y, pixels.
        radius_t: In time, frames.
    """

    radius: float = 1.0
    radius_t: float = 2.0

    @property
    def margin(self) -> tuple[int, int]:
        """See `ClipDescriptor`."""
        return int(np.ceil(self.radius_t)), int(np.ceil(self.radius))

    @property
    def radii(self) -> tuple[float, float, float]:
        """Along t, y and x."""
        return self.radius_t, self.radius, self.radius

    @property
    def per_cell(self) -> int:
        """A histogram of uniform patterns for each plane."""
        return len(PLANES) * LABELS


@dataclass(frozen=True, kw_only=True)
class LbpTop(PlanePatterns):
    """LBP-TOP (Zhao & Pietikainen 2007): histograms of uniform patterns of the three planes; 177 numbers a cell.

    5 cells a side as in Yan et al. (2014).
    """

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        return [
            Codes(uniform_bins()[pattern_codes(volume, inner, ring(plane, self.radii))], LABELS) for plane in PLANES
        ]


@dataclass(frozen=True, kw_only=True)
class LbpSip(PlanePatterns):
    """LBP-SIP (Wang, See, Phan & Oh 2014): the six points where the three planes' circles of 4 neighbours meet.

    The four in the picture and the two in time are counted apart: 16 + 4 = 20 numbers a cell instead of the 48 of
    LBP-TOP with 4 neighbours.
    """

    @property
    def per_cell(self) -> int:
        """20."""
        return 20

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        space = pattern_codes(volume, inner, ring(PLANES[0], self.radii, 4))
        time = pattern_codes(volume, inner, [(-self.radius_t, 0.0, 0.0), (self.radius_t, 0.0, 0.0)])
        return [Codes(space, 16), Codes(time, 4)]
