"""Regions by muscles: where the action units of the Facial Action Coding System show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.divisions.base import Points, Regions, frame_size, hull, needed

_PAIRED: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "forehead": (
        (1, 2),
        (10, 109, 67, 103, 63, 105, 66, 107, 9),
        (10, 338, 297, 332, 293, 334, 296, 336, 9),
    ),
    "brow_inner": ((1, 4), (9, 107, 66, 65, 55, 8), (9, 336, 296, 295, 285, 8)),
    "brow_outer": ((2,), (66, 105, 63, 70, 46, 53, 52, 65), (296, 334, 293, 300, 276, 283, 282, 295)),
    "eye": (
        (5, 7, 43, 45),
        (226, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25),
        (446, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255),
    ),
    "cheek": (
        (6,),
        (116, 117, 118, 119, 100, 142, 203, 206, 207, 187, 123),
        (345, 346, 347, 348, 329, 371, 423, 426, 427, 411, 352),
    ),
    "fold": ((10, 11), (129, 203, 206, 216, 186, 92, 165, 98, 64), (358, 423, 426, 436, 410, 322, 391, 327, 294)),
    "lip_corner": ((12, 14, 15, 20), (186, 57, 212, 202, 106, 91, 76, 61), (410, 287, 432, 422, 335, 321, 306, 291)),
}
_MIDDLE: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "nose": ((9,), (168, 193, 122, 217, 198, 129, 98, 2, 327, 358, 420, 437, 351, 417)),
    "upper_lip": ((10, 18, 25), (61, 40, 39, 37, 0, 267, 269, 270, 291, 391, 164, 165)),
    "lower_lip": ((16, 23, 24, 25), (61, 91, 181, 84, 17, 314, 405, 321, 291, 402, 14, 178)),
    "chin": ((17, 26), (18, 83, 182, 194, 32, 171, 175, 396, 262, 418, 406, 313)),
}
"""Action units that show there, and landmarks around the region."""
_ALL: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    **{
        f"{name}_{side}": (units, around[at])
        for name, (units, *around) in _PAIRED.items()
        for at, side in enumerate(("right", "left"))
    },
    **_MIDDLE,
}

UNITS_OF: dict[str, tuple[int, ...]] = {name: units for name, (units, _) in _ALL.items()}
"""Action units that show in each region."""


@dataclass(frozen=True)
class FacsRegions:
    """Hulls of landmarks over the muscles (Ekman, Friesen & Hager 2002), in the manner of the FACS-based regions of
    Polikovsky et al. (2009) and Davison, Merghani & Yap (2018); the 18 outlines on MediaPipe's mesh are ours.
    """

    def divide(self, clip: NDArray[np.number], points: Points | None = None) -> Regions:
        """See `base.Division`."""
        size, places = frame_size(clip), needed(points)
        return Regions(tuple(_ALL), np.stack([hull(places, around, size) for _, around in _ALL.values()]))
