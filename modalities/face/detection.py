"""Finding a face of any size in a picture: whole picture first, then overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modalities.face.models import FaceModels, FloatArray, Picture

TILE_PX = 480
"""Side of a tile: a face of 40 px is still 16 px wide in the model's 192 px input."""
TILE_OVERLAP = 0.35
"""A face up to this share of a tile lies whole in at least one tile."""
DETECTION_SIDE_PX = 640
"""Pictures are shrunk to this before a detector sees them whole; its own input is far smaller."""


def find_face(models: FaceModels, picture: Picture, *, thorough: bool) -> FloatArray | None:
    """The largest and most central face.

    Args:
        models: Loaded models.
        picture: RGB, uint8 (h, w, 3), any size.
        thorough: Also search with the full-range model, whole and tile by tile; takes tens of milliseconds on large
            pictures.

    Returns:
        Left, top, right, bottom in pixels, float64 (4,); None where no face was found.
    """
    small, scale = shrink(picture, DETECTION_SIDE_PX)
    found = models.boxes(small, far=False) / (scale, scale, scale, scale, 1)
    if thorough:
        found = np.vstack([found, models.boxes(small, far=True) / (scale, scale, scale, scale, 1)])
        if not len(found):
            found = search_tiles(models, picture)
    return most_prominent(found, (picture.shape[1], picture.shape[0]))


def search_tiles(models: FaceModels, picture: Picture) -> FloatArray:
    """Faces found by the full-range model on overlapping tiles, coarse tiles first.

    Returns:
        float64 (n, 5): left, top, right, bottom in pixels, and score; from the coarsest size of tile that held any.
    """
    height, width = picture.shape[:2]
    side = max(height, width) / 2
    while side >= TILE_PX / 1.5:
        found = []
        for left, top in tile_corners(width, height, round(side)):
            tile, scale = shrink(picture[top : top + round(side), left : left + round(side)], TILE_PX)
            boxes = models.boxes(tile, far=True) / (scale, scale, scale, scale, 1)
            found.append(boxes + np.array([left, top, left, top, 0]))
        boxes = np.vstack(found)
        if len(boxes):
            return boxes
        side /= 2
    return np.zeros((0, 5))


def tile_corners(width: int, height: int, side: int) -> Iterator[tuple[int, int]]:
    """Left and top corners of square tiles that cover a picture, neighbours sharing at least `TILE_OVERLAP`."""
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top


def _starts(length: int, side: int) -> list[int]:
    if side >= length:
        return [0]
    count = 1 + int(np.ceil((length - side) / (side * (1 - TILE_OVERLAP))))
    return np.rint(np.linspace(0, length - side, count)).astype(int).tolist()


def most_prominent(boxes: FloatArray, size: tuple[int, int]) -> FloatArray | None:
    """The box of the greatest area times centrality (1 in the middle, 0.5 in a corner); None of none.

    Args:
        boxes: (n, 5), left, top, right, bottom, score.
        size: Width and height of the picture.
    """
    if not len(boxes):
        return None
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    away = np.linalg.norm(middle / size - 0.5, axis=1) / np.sqrt(0.5)
    area = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    return boxes[int(np.argmax(area * (1 - 0.5 * np.minimum(away, 1)))), :4]


def shrink(picture: Picture, longest_px: int) -> tuple[Picture, float]:
    """The picture with its longer side at most `longest_px`, and the scale that was applied (at most 1)."""
    import cv2

    scale = min(1.0, longest_px / max(picture.shape[:2]))
    if scale == 1.0:
        return picture, 1.0
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), scale
