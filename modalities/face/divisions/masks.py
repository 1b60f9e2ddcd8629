"""Masks: the face without eyes and cheeks, and the eyes and the mouth alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.divisions.base import Points, Regions, eye_distance, frame_size, hull, needed, widened
from modalities.face.regions import EYE_OUTLINES
from modalities.face.synthesis.mesh import OVAL

_CHEEKS = (
    (234, 116, 117, 118, 119, 100, 36, 205, 207, 214, 135, 136, 172, 58, 132, 93),
    (454, 345, 346, 347, 348, 329, 266, 425, 427, 434, 364, 365, 397, 288, 361, 323),
)
_BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
_LIPS = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)


@dataclass(frozen=True)
class EyeCheekMask:
    """One region: the face within its outline, eyes and cheeks hidden.

    Blinks would outshine any micro-expression, and cheeks are smooth, so that flow and texture there are mostly noise;
    masks of this kind are used before strain and texture are pooled (Shreve et al. 2011; Liong et al. 2016).

    Attributes:
        rim: Hidden around the eyes, in inter-ocular distances.
    """

    rim: float = 0.08

    def divide(self, clip: NDArray[np.number], points: Points | None = None) -> Regions:
        """See `base.Division`."""
        size, places = frame_size(clip), needed(points)
        rim = self.rim * eye_distance(places)
        eyes = [widened(hull(places, around, size), rim) for around in EYE_OUTLINES]
        hidden = np.any([*eyes, *(hull(places, around, size) for around in _CHEEKS)], axis=0)
        return Regions(("face_without_eyes_and_cheeks",), (hull(places, OVAL, size) & ~hidden)[None])


@dataclass(frozen=True)
class EyeMouth:
    """Three regions: each eye with its brow, and the mouth (Liong, See, Phan & Wong 2018: most units show there).

    Attributes:
        rim: Added around each, in inter-ocular distances.
    """

    rim: float = 0.12

    def divide(self, clip: NDArray[np.number], points: Points | None = None) -> Regions:
        """See `base.Division`."""
        size, places = frame_size(clip), needed(points)
        rim = self.rim * eye_distance(places)
        parts = [(*eye, *brow) for eye, brow in zip(EYE_OUTLINES, _BROWS, strict=True)] + [_LIPS]
        masks = np.stack([widened(hull(places, around, size), rim) for around in parts])
        return Regions(("eye_right", "eye_left", "mouth"), masks)
