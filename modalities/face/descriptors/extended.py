"""Second-order binary patterns on three planes: radial and angular differences, two-order gradients, dual crosses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.face.descriptors.cells import Codes, Part
from modalities.face.descriptors.lbp_top import LbpTop, PlanePatterns
from modalities.face.descriptors.sampling import (
    LABELS,
    PLANES,
    SLACK,
    Volume,
    inside,
    joined,
    ring,
    shifted,
    uniform_bins,
)

CROSSES = ((0, 2, 4, 6), (1, 3, 5, 7))
"""Neighbours of the upright and the slanting cross."""


@dataclass(frozen=True, kw_only=True)
class AdlbpTop(PlanePatterns):
    """ADLBP-TOP (Guo et al. 2019): is each neighbour at least as bright as the next one around the circle?

    177 numbers a cell: uniform patterns of three planes, as for LBP-TOP.

    Attributes:
        ahead: How many places ahead the other neighbour lies.
    """

    ahead: int = 1

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        out: list[Part] = []
        for plane in PLANES:
            around = [shifted(volume, inner, step) for step in ring(plane, self.radii)]
            later = around[self.ahead :] + around[: self.ahead]
            bits = [one >= other - np.float32(SLACK) for one, other in zip(around, later, strict=True)]
            out.append(Codes(uniform_bins()[joined(bits)], LABELS))
        return out


@dataclass(frozen=True, kw_only=True)
class RdlbpTop(PlanePatterns):
    """RDLBP-TOP (Guo et al. 2019): is each neighbour on the outer circle at least as bright as that on the inner one?

    177 numbers a cell.

    Attributes:
        inner_share: Radii of the inner circle in those of the outer one.
    """

    radius: float = 2.0
    inner_share: float = 0.5

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        near = tuple(self.inner_share * one for one in self.radii)
        out: list[Part] = []
        for plane in PLANES:
            pairs = zip(ring(plane, self.radii), ring(plane, (near[0], near[1], near[2])), strict=True)
            bits = [
                shifted(volume, inner, far) >= shifted(volume, inner, close) - np.float32(SLACK) for far, close in pairs
            ]
            out.append(Codes(uniform_bins()[joined(bits)], LABELS))
        return out


@dataclass(frozen=True, kw_only=True)
class ElbpTop(PlanePatterns):
    """ELBPTOP (Guo et al. 2019, "Extended local binary patterns for efficient and robust spontaneous facial
    micro-expression recognition"): LBP-TOP, RDLBP-TOP and ADLBP-TOP side by side; 531 numbers a cell.

    The paper reduces them by whitened principal components; here kernel machines take them whole.
    """

    radius: float = 2.0

    @property
    def per_cell(self) -> int:
        """531."""
        return 3 * len(PLANES) * LABELS

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        kinds: tuple[type[PlanePatterns], ...] = (LbpTop, RdlbpTop, AdlbpTop)
        three = [kind(radius=self.radius, radius_t=self.radius_t) for kind in kinds]
        return [part for one in three for part in one.parts(volume)]


@dataclass(frozen=True, kw_only=True)
class Ltogp(PlanePatterns):
    """Local two-order gradient pattern (Niu, Li, Tao & Wang 2018): the sign of the second difference in 8 directions.

    Along each direction the difference from the inner to the outer neighbour is compared with that from the centre to
    the inner one. The paper codes pictures; here also the planes XT and YT, as in LBP-TOP: 177 numbers a cell.
    """

    radius: float = 2.0

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        near = (self.radius_t / 2, self.radius / 2, self.radius / 2)
        centre = volume[inner]
        out: list[Part] = []
        for plane in PLANES:
            bits = []
            for far, close in zip(ring(plane, self.radii), ring(plane, near), strict=True):
                middle = shifted(volume, inner, close)
                bits.append(shifted(volume, inner, far) - middle >= middle - centre - np.float32(SLACK))
            out.append(Codes(uniform_bins()[joined(bits)], LABELS))
        return out


@dataclass(frozen=True, kw_only=True)
class DcpTop(PlanePatterns):
    """Dual-cross patterns (Ding, Choi, Tao & Davis 2016) on three planes, as Ben et al. (2018) use them.

    In each of 8 directions two bits: is the inner neighbour at least as bright as the centre, and the outer one as the
    inner one? The four directions of each cross make one number: 2 x 256 labels a plane, 1536 numbers a cell.
    """

    radius: float = 2.0

    @property
    def per_cell(self) -> int:
        """1536."""
        return len(PLANES) * len(CROSSES) * 256

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        near = (self.radius_t / 2, self.radius / 2, self.radius / 2)
        slack = np.float32(SLACK)
        out: list[Part] = []
        for plane in PLANES:
            close = [shifted(volume, inner, step) for step in ring(plane, near)]
            far = [shifted(volume, inner, step) for step in ring(plane, self.radii)]
            for cross in CROSSES:
                pairs = [(far[k] >= close[k] - slack, close[k] >= volume[inner] - slack) for k in cross]
                out.append(Codes(joined([bit for pair in pairs for bit in pair]), 256))
        return out
