"""Squares around landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.divisions.base import Points, Regions, eye_distance, frame_size, needed
from modalities.face.regions import REGIONS

NAMES = tuple(
    f"{name}_{side}"
    for name in ("brow_inner", "brow_outer", "cheek_high", "fold", "lip_corner")
    for side in ("right", "left")
)
"""Of `regions.REGIONS`, around whose middle the squares lie, besides those below."""
MIDDLE = ("brow_between", "upper_lip_middle", "lower_lip_middle", "chin")


@dataclass(frozen=True)
class LandmarkPatches:
    """Squares of one size around landmarks, as local patches for networks and histograms take them.

    Attributes:
        names: Of `regions.REGIONS`; the middle of the region's landmarks is the patch's.
        side: Inter-ocular distances.
    """

    names: tuple[str, ...] = (*NAMES, *MIDDLE)
    side: float = 0.3

    def divide(self, clip: NDArray[np.number], points: Points | None = None) -> Regions:
        """See `base.Division`.

        Raises:
            InvalidValueError: a region that does not exist.
        """
        (h, w), places = frame_size(clip), needed(points)
        unknown = [name for name in self.names if name not in REGIONS]
        if unknown:
            raise InvalidValueError(f"no region '{unknown[0]}'", expected=f"one of {', '.join(REGIONS)}")
        centres = np.array([places[list(REGIONS[name])].mean(axis=0) for name in self.names])
        half = self.side * eye_distance(places) / 2
        near_x = np.abs(np.arange(w) - centres[:, :1]) <= half
        near_y = np.abs(np.arange(h) - centres[:, 1:]) <= half
        return Regions(self.names, near_y[:, :, None] & near_x[:, None, :])
