"""Where on the mesh the parts of the face are: regions of expression, stable points, lids and lips.

Indices are those of MediaPipe's face mesh; "right" and "left" are the person's own. Regions follow the appearance
changes of the Facial Action Coding System (Ekman, Friesen & Hager 2002).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_PAIRED: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "brow_inner": ((107, 55), (336, 285)),
    "brow_middle": ((105, 52), (334, 282)),
    "brow_outer": ((70, 46), (300, 276)),
    "cheek_high": ((118, 101), (347, 330)),
    "cheek_bone": ((50, 123), (280, 352)),
    "cheek_low": ((205, 207), (425, 427)),
    "nose": ((198, 129), (420, 358)),
    "fold": ((206, 203), (426, 423)),
    "lip_corner": ((61, 57), (291, 287)),
    "upper_lip": ((39, 40), (269, 270)),
    "lower_lip": ((181, 91), (405, 321)),
}
_MIDDLE: dict[str, tuple[int, ...]] = {
    "brow_between": (9, 8),
    "upper_lip_middle": (0, 37, 267),
    "lower_lip_middle": (17, 84, 314),
    "chin": (199, 175),
}

_LATER: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "eyelid_upper": ((160, 159, 158), (387, 386, 385)),
    "eyelid_lower": ((144, 145, 153), (373, 374, 380)),
    "under_eye": ((229, 230, 231), (449, 450, 451)),
    "beside_mouth": ((212, 214), (432, 434)),
}


def _by_side(pairs: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    return {f"{name}_{side}": sides[at] for name, sides in pairs.items() for at, side in enumerate(("right", "left"))}


REGIONS: dict[str, tuple[int, ...]] = {**_by_side(_PAIRED), **_MIDDLE, **_by_side(_LATER)}
"""Landmarks of each region; its motion is their mean. New ones are added at the end: spotters know them by number."""

NAMES = tuple(REGIONS)
EYE = tuple(name for name in NAMES if "eye" in name)
"""The lids and what lies under them: blinks move them, so that they belong to no other group."""
UPPER = tuple(name for name in NAMES if name.startswith("brow"))
MOUTH = tuple(name for name in NAMES if "lip" in name or name == "chin" or "mouth" in name)
LOWER = tuple(name for name in NAMES if name not in UPPER and name not in EYE)
LEFT = tuple(name for name in NAMES if name.endswith("_left") and name not in EYE)
RIGHT = tuple(name for name in NAMES if name.endswith("_right") and name not in EYE)

TEMPLATE: dict[tuple[int, int], tuple[float, float, float]] = {
    (33, 263): (0.722, 0.017, -0.041),
    (133, 362): (0.278, -0.017, 0.041),
    (127, 356): (1.128, -0.074, -0.838),
    (234, 454): (1.123, -0.291, -0.920),
    (162, 389): (1.108, 0.153, -0.666),
    (21, 251): (1.058, 0.337, -0.450),
    (54, 284): (0.968, 0.507, -0.249),
    (10, 10): (0.0, 0.788, 0.266),
    (151, 151): (0.0, 0.557, 0.314),
    (168, 168): (0.0, 0.073, 0.319),
    (6, 6): (0.0, -0.049, 0.389),
    (197, 197): (0.0, -0.163, 0.470),
    (195, 195): (0.0, -0.270, 0.556),
}
"""A face looking level into the camera, by pairs (right, left) of points that expressions hardly move.

Position (out to the person's left, up, towards the camera) of the left one, in inter-ocular distances from the middle
between the eyes; the right one is its mirror image. Measured on the mesh of the two public-domain photographs of the
simulator, symmetrised; the tilt is such that official portraits read as 3 degrees down.
"""
TEMPLATE_WEIGHT = {33: 2.0, 133: 3.0, 168: 3.0, 6: 3.0, 197: 3.0, 195: 2.0}
"""Trust in the points of `TEMPLATE` by the right one's index; 1 where not listed."""

STABLE: dict[int, float] = {
    **dict.fromkeys((168, 6, 197, 195, 5, 122, 351, 196, 419, 188, 412), 2.0),
    **dict.fromkeys((143, 372, 35, 265, 111, 340, 116, 345, 227, 447, 137, 366, 34, 264), 1.0),
    **dict.fromkeys((117, 346, 118, 347, 119, 348, 101, 330, 50, 280, 123, 352, 147, 376, 177, 401), 0.5),
    **dict.fromkeys((4, 1, 45, 275, 51, 281, 198, 420, 131, 360), 0.5),
    **dict.fromkeys((151, 108, 337, 69, 299, 104, 333), 0.4),
    **dict.fromkeys((187, 411, 205, 425, 207, 427, 213, 433, 215, 435, 138, 367, 135, 364, 199, 175), 0.25),
}
"""Skin points from whose flow the head's motion is taken, and how far they are trusted before looking at the flow."""

EYES = {"right": (33, 133), "left": (263, 362)}
"""Outer and inner corner."""
LIDS = {"right": ((160, 144), (159, 145), (158, 153)), "left": ((387, 373), (386, 374), (385, 380))}
"""Pairs of upper and lower lid points."""
IRIS_CENTRES = (468, 473)
"""Of the right and left eye."""
IRIS_RINGS = ((469, 470, 471, 472), (474, 475, 476, 477))
"""Four points on the edge of each iris, the first opposite to the third."""
EYE_OUTLINES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
)
"""Edge of the opening between the lids, right and left."""
INNER_LIPS = ((13, 14), (81, 178), (311, 402))
"""Pairs of upper and lower points of the lips' inner edge."""


def averaging(size: int, order: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Matrix (regions, size) whose product with values at landmarks gives the mean of each region.

    Args:
        size: Number of landmarks in the values.
        order: Landmark index of each column; by default column i is landmark i.
    """
    columns = {int(index): at for at, index in enumerate(np.arange(size) if order is None else order)}
    out = np.zeros((len(NAMES), size))
    for row, points in enumerate(REGIONS.values()):
        out[row, [columns[index] for index in points]] = 1 / len(points)
    return out
