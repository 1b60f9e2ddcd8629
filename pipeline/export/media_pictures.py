"""Pictures with their faces hidden, in squares so coarse that what remains is a few colours.

How coarse: people know a face of 16 squares across (Harmon & Julesz 1973), and hardly one of fewer than 15 (Bachmann
1991), but coarser ones when they move (Lander, Bruce & Hill 2001), and networks trained on mosaics of the same people
coarser ones still (McPherson, Shokri & Shmatikov 2016). Here a face is three across.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.export.media_faces import MARGINS, Boxes

FACE_SQUARES = 3
"""Squares across a face."""
PICTURE_SQUARES = 6
"""Squares along the longer side where a whole picture is hidden: the face may fill all of it."""

Picture = NDArray[Any]
"""uint8 RGB (h, w, 3), or uint8 or uint16 (h, w)."""


def hide_heads(picture: Picture, heads: Boxes | None, depth: bool = False) -> Picture:
    """A copy of the picture without its faces.

    Args:
        picture: RGB, grey, or depth.
        heads: See `Sightings.heads`; None hides the whole picture.
        depth: The picture holds distances: a head becomes a flat plate at the median of its distances, for squares
            of distances would still be a relief.

    Returns:
        Same shape and type; outside of the heads the same values.
    """
    out = picture.copy()
    height, width = picture.shape[:2]
    if heads is None:
        out[:] = _flat(picture) if depth else _squares(picture, max(height, width) / PICTURE_SQUARES)
        return out
    for left, top, right, bottom in merged(heads):
        side = (right - left) / (1 + MARGINS[0] + MARGINS[2])
        rows = slice(max(0, int(np.floor(top))), min(height, int(np.ceil(bottom))))
        columns = slice(max(0, int(np.floor(left))), min(width, int(np.ceil(right))))
        part = picture[rows, columns]
        if part.size:
            out[rows, columns] = _flat(part) if depth else _squares(part, side / FACE_SQUARES)
    return out


def merged(boxes: Boxes) -> Boxes:
    """Boxes that overlap as one that holds both, until none overlap; float64 (m, 4)."""
    left: list[NDArray[np.float64]] = []
    for new in boxes:
        box = new
        while True:
            touching = [one for one in left if (one[:2] < box[2:]).all() and (box[:2] < one[2:]).all()]
            if not touching:
                break
            left = [one for one in left if not any(one is other for other in touching)]
            both = np.vstack([box, *touching])
            box = np.concatenate([both[:, :2].min(axis=0), both[:, 2:].max(axis=0)])
        left.append(box)
    return np.array(left, dtype=np.float64).reshape(-1, 4)


def _squares(part: Picture, side_px: float) -> Picture:
    import cv2

    height, width = part.shape[:2]
    few = (max(1, int(width / side_px)), max(1, int(height / side_px)))
    small = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), part.dtype)


def _flat(part: Picture) -> Picture:
    known = part[part > 0]
    return np.full_like(part, np.median(known) if known.size else 0)
