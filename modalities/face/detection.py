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
SAME_FACE = 0.45
"""Boxes that share more than this part of the smaller one are of the same face."""


def find_face(models: FaceModels, picture: Picture, *, thorough: bool) -> FloatArray | None:
    """The largest and most central face.

    Args:
        models: Loaded models.
        picture: RGB, uint8 (h, w, 3), any size.
        thorough: See `find_faces`.

    Returns:
        Left, top, right, bottom in pixels, float64 (4,); None where no face was found.
    """
    return most_prominent(find_faces(models, picture, thorough=thorough), (picture.shape[1], picture.shape[0]))


def find_faces(models: FaceModels, picture: Picture, *, thorough: bool, at_least: int = 1) -> FloatArray:
    """All faces of a picture that are found with reasonable effort.

    Args:
        models: Loaded models. A user's own detector is asked once, with the whole picture.
        picture: RGB, uint8 (h, w, 3), any size.
        thorough: Also search with the full-range model: whole, with a rim around the picture (for faces that are cut
            off or fill all of it), and tile by tile; takes tens of milliseconds on large pictures.
        at_least: With fewer faces than this the next, slower search follows.

    Returns:
        float64 (n, 5): left, top, right, bottom in pixels, and score, each face once, best score first.
    """
    if models.own is not None:
        return one_each(models.boxes(picture, far=False))
    small, scale = shrink(picture, DETECTION_SIDE_PX)
    rescale = np.array([scale, scale, scale, scale, 1])
    found = one_each(models.boxes(small, far=False) / rescale)
    if not thorough:
        return found
    found = one_each(np.vstack([found, models.boxes(small, far=True) / rescale]))
    if len(found) < at_least:
        found = one_each(np.vstack([found, _search_with_rim(models, small) / rescale]))
    if len(found) < at_least:
        found = one_each(np.vstack([found, search_tiles(models, picture, at_least=at_least)]))
    return found


def one_each(boxes: FloatArray) -> FloatArray:
    """The best box of each face: of boxes that cover each other by more than `SAME_FACE`, that of the greatest score.

    Args:
        boxes: (n, 5), left, top, right, bottom, score.
    """
    kept: list[FloatArray] = []
    for box in boxes[np.argsort(-boxes[:, 4], kind="stable")]:
        if all(shared_part(box, other) <= SAME_FACE for other in kept):
            kept.append(box)
    return np.array(kept, dtype=np.float64).reshape(-1, 5)


def shared_part(a: FloatArray, b: FloatArray) -> float:
    """Common area of two boxes as a share of the smaller one, 0..1."""
    common = np.maximum(0, np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2])).prod()
    return float(common / max(1e-9, min((a[2:4] - a[:2]).prod(), (b[2:4] - b[:2]).prod())))


def _search_with_rim(models: FaceModels, small: Picture) -> FloatArray:
    """Boxes found when the picture gets a grey rim of half its size all around."""
    import cv2

    height, width = small.shape[:2]
    rim = max(height, width) // 2
    framed = cv2.copyMakeBorder(small, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(127, 127, 127))
    found = models.boxes(framed.astype(np.uint8, copy=False), far=False) - (rim, rim, rim, rim, 0)
    found[:, :4] = np.clip(found[:, :4], 0, (width, height, width, height))
    return found[(found[:, 2] - found[:, 0] > 8) & (found[:, 3] - found[:, 1] > 8)]


def search_tiles(models: FaceModels, picture: Picture, *, at_least: int = 1) -> FloatArray:
    """Faces found by the full-range model on overlapping tiles, coarse tiles first.

    Returns:
        float64 (n, 5): left, top, right, bottom in pixels, and score; smaller tiles are searched until `at_least` faces
        were found.
    """
    height, width = picture.shape[:2]
    side = max(height, width) / 2
    found: FloatArray = np.zeros((0, 5))
    while side >= TILE_PX / 1.5 and len(found) < at_least:
        parts = [found]
        for left, top in tile_corners(width, height, round(side)):
            tile, scale = shrink(picture[top : top + round(side), left : left + round(side)], TILE_PX)
            boxes = models.boxes(tile, far=True) / (scale, scale, scale, scale, 1)
            parts.append(boxes + np.array([left, top, left, top, 0]))
        found = one_each(np.vstack(parts))
        side /= 2
    return found


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
    """The first of `by_prominence`, left, top, right, bottom; None of none."""
    return by_prominence(boxes, size)[0, :4] if len(boxes) else None


def by_prominence(boxes: FloatArray, size: tuple[int, int]) -> FloatArray:
    """The boxes by area times centrality (1 in the middle, 0.5 in a corner), greatest first.

    Args:
        boxes: (n, 5), left, top, right, bottom, score.
        size: Width and height of the picture.
    """
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    away = np.linalg.norm(middle / size - 0.5, axis=1) / np.sqrt(0.5)
    area = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    return boxes[np.argsort(-area * (1 - 0.5 * np.minimum(away, 1)), kind="stable")]


def shrink(picture: Picture, longest_px: int) -> tuple[Picture, float]:
    """The picture with its longer side at most `longest_px`, and the scale that was applied (at most 1)."""
    import cv2

    scale = min(1.0, longest_px / max(picture.shape[:2]))
    if scale == 1.0:
        return picture, 1.0
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), scale
