"""Local cube binary patterns: how the eight neighbours of a voxel change over three frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.face.descriptors.base import ClipDescriptor
from modalities.face.descriptors.cells import Codes, Part
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


@dataclass(frozen=True, kw_only=True)
class Lcbp(ClipDescriptor):
    """Local cube binary patterns (Yu, Guo, Yu, Wang & Cen 2019): direction, amplitude and spatial difference.

    Of the cube of three frames around a voxel: does each of its 8 neighbours keep getting brighter (or darker) over
    the three frames; does it change by at least as much as the cube's neighbours do on average; is its mean over the
    three frames at least that of the voxel itself? Three histograms of uniform patterns, 177 numbers a cell. These
    three follow the paper's description of its parts; its weighted energy map is left to the machine's kernel.

    Attributes:
        radius: Pixels.
    """

    radius: float = 1.0

    @property
    def margin(self) -> tuple[int, int]:
        """See `ClipDescriptor`."""
        return 1, int(np.ceil(self.radius))

    @property
    def per_cell(self) -> int:
        """177."""
        return 3 * LABELS

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        steps = ring(PLANES[0], (1.0, self.radius, self.radius))
        before, now, after = (
            [shifted(volume, inner, (shift, y, x)) for _, y, x in steps] for shift in (-1.0, 0.0, 1.0)
        )
        change = [late - early for early, late in zip(before, after, strict=True)]
        usual = np.mean([np.abs(one) for one in change], axis=0)
        mean = (volume[:-2] + volume[1:-1] + volume[2:])[(slice(None), *inner[1:])]
        slack = np.float32(SLACK)
        direction = [
            (late - middle) * (middle - early) >= -slack for early, middle, late in zip(before, now, after, strict=True)
        ]
        amplitude = [np.abs(one) >= usual - slack for one in change]
        spatial = [e + m + a >= mean - slack for e, m, a in zip(before, now, after, strict=True)]
        return [Codes(uniform_bins()[joined(bits)], LABELS) for bits in (direction, amplitude, spatial)]
