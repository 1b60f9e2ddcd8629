"""Landmarks of the one followed face, frame after frame, whatever its size in the picture.

The mesh sees only a window around the face, shrunk to a fixed size, so that a 4K picture costs no more than a small
one. The window stays where it is until the face has moved away from its middle: the mesh follows the face within it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_schemas.time import NS_PER_S
from modalities.face.detection import find_face, shrink
from modalities.face.models import FaceModels, FloatArray, Picture

WINDOW = 2.2
"""Side of the window in sides of the face."""
WINDOW_SIDE_PX = 512
"""The window is shrunk to this before the mesh sees it: its face is then 230 px, the mesh's own input 192 px."""
KEEP_OVERLAP = 0.55
"""The window moves when its overlap (intersection over union) with the wanted window falls below this."""
HOLD_S = 0.3
"""How long a face may be lost in its window before the window is given up."""
SEARCH_EVERY_S = 0.5
"""How often the slow search on tiles is repeated while there is no face."""
FACE_POINTS = slice(0, 468)
"""The mesh without the irises."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A face in one picture.

    Attributes:
        points: float64 (478, 3), x right, y down in pixels of the whole picture, z away from the camera.
        window: RGB part of the picture around the face, shrunk, uint8 (h, w, 3).
        scale: Window pixels per picture pixel, along x and y, float64 (2,).
        corner: Left and top of the window in the picture, pixels.
    """

    points: FloatArray
    window: Picture
    scale: FloatArray
    corner: tuple[int, int]

    @property
    def box(self) -> FloatArray:
        """Left, top, right, bottom of the landmarks, pixels of the whole picture, (4,)."""
        flat = self.points[FACE_POINTS, :2]
        return np.r_[flat.min(axis=0), flat.max(axis=0)]

    def in_window(self, points: FloatArray) -> FloatArray:
        """Picture positions (..., 2) as positions in the window."""
        return (points + 0.5 - self.corner) * self.scale - 0.5


class FaceTracker:
    """Follows one face through the pictures of one video.

    Args:
        models: Models lent for this video.
    """

    def __init__(self, models: FaceModels) -> None:
        self._models = models
        self._window: tuple[int, int, int, int] | None = None
        self._seen_ns = 0
        self._search_ns: int | None = None

    def find(self, picture: Picture, t_ns: int) -> Sighting | None:
        """The face in the next picture.

        Args:
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time; times increase from call to call.
        """
        if self._window is not None:
            sighting = self._look(picture, self._window)
            if sighting is not None:
                self._follow(sighting, picture, t_ns)
                return sighting
            if t_ns - self._seen_ns <= HOLD_S * NS_PER_S:
                return None
            self._window = None
        thorough = self._search_ns is None or t_ns - self._search_ns >= SEARCH_EVERY_S * NS_PER_S
        if thorough:
            self._search_ns = t_ns
        box = find_face(self._models, picture, thorough=thorough)
        if box is None:
            return None
        self._models.forget_face()
        sighting = self._look(picture, window_around(box, (picture.shape[1], picture.shape[0])))
        if sighting is not None:
            self._follow(sighting, picture, t_ns)
        return sighting

    def _follow(self, sighting: Sighting, picture: Picture, t_ns: int) -> None:
        """Note where the face is; move the window when the face has left its middle."""
        self._seen_ns, self._search_ns = t_ns, None
        wanted = window_around(sighting.box, (picture.shape[1], picture.shape[0]))
        if self._window is None or overlap(self._window, wanted) < KEEP_OVERLAP:
            self._window = wanted
            self._models.forget_face()

    def _look(self, picture: Picture, window: tuple[int, int, int, int]) -> Sighting | None:
        left, top, right, bottom = window
        cut = picture[top:bottom, left:right]
        small, _ = shrink(cut, WINDOW_SIDE_PX)
        points = self._models.mesh(small)
        if points is None:
            return None
        scale = np.array([small.shape[1] / cut.shape[1], small.shape[0] / cut.shape[0]])
        flat = (points[:, :2] + 0.5) / scale - 0.5 + (left, top)
        return Sighting(np.column_stack([flat, points[:, 2] / scale[0]]), small, scale, (left, top))


def window_around(box: FloatArray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Square of `WINDOW` face sides around a box, cut to the picture: left, top, right, bottom.

    Args:
        box: Left, top, right, bottom of a face, pixels.
        size: Width and height of the picture.
    """
    middle = (box[:2] + box[2:4]) / 2
    half = WINDOW * float(np.max(box[2:4] - box[:2])) / 2
    low = np.clip(np.floor(middle - half), 0, np.array(size) - 2).astype(int)
    high = np.clip(np.ceil(middle + half), low + 2, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union
