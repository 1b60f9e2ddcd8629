"""Whose body it is: where to look for the body of a face, and which pose belongs to which face.

MediaPipe's pose follows one person. Where several are seen, each person's body is looked for in the part of the picture
around that person's face, and a pose counts only if its head lies on that face.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modalities.body.skeleton import FACE, FloatArray

Place = tuple[FloatArray, float]
"""Middle (x, y) and height, forehead to chin, of a face, px."""
Window = tuple[int, int, int, int]
"""Left, top, right, bottom, px."""

ASIDE, ABOVE, BELOW = 2.6, 1.2, 7.5
"""The part of the picture to each side of, above and below a face that holds its body, in heights of the face."""
NEAR = 0.9
"""Greatest distance of a pose's face from a face, in heights of the face."""
LONGEST_NS = 1_000_000_000
"""A body whose face is hidden and whose joints are not found is given up after this long."""


def region_of(centre: FloatArray, height: float, width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the picture that holds the body of a face, within the picture."""
    left, right = centre[0] - ASIDE * height, centre[0] + ASIDE * height
    top, bottom = centre[1] - ABOVE * height, centre[1] + BELOW * height
    return (
        int(np.clip(np.floor(left), 0, width_px - 1)),
        int(np.clip(np.floor(top), 0, height_px - 1)),
        int(np.clip(np.ceil(right), 1, width_px)),
        int(np.clip(np.ceil(bottom), 1, height_px)),
    )


def belongs(points: FloatArray, centre: FloatArray, height: float) -> bool:
    """Whether a pose (33, 2), px, has its head on a face."""
    return bool(np.linalg.norm(points[FACE].mean(axis=0) - centre) <= NEAR * height)


def window_of(place: Place, others: Sequence[Place], width_px: int, height_px: int, narrow: bool) -> Window:
    """Part of the picture in which the body of a face is looked for: without the heads of those who sit beside it.

    Args:
        place: Of the face.
        others: Places of other faces.
        width_px: Of the picture.
        height_px: Of the picture.
        narrow: End halfway to the neighbours instead of before their heads.
    """
    (x, y), height = place
    left, top, right, bottom = region_of(place[0], height, width_px, height_px)
    for (other_x, other_y), other_height in others:
        apart = float(other_x - x)
        if abs(other_y - y) > 2 * height or abs(apart) < 0.8 * height:
            continue
        reach = abs(apart) / 2 if narrow else max(abs(apart) - 0.7 * other_height, abs(apart) / 2)
        if apart > 0:
            right = min(right, int(x + reach))
        else:
            left = max(left, int(np.ceil(x - reach)))
    return left, top, max(right, left + 2), max(bottom, top + 2)
