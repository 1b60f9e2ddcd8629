"""Landmarks of one followed face, frame after frame, whatever its size in the picture.

The mesh sees only a window around the face, shrunk to about the same size, so that a 4K picture costs no more than a
small one. The window stays where it is until the face has moved away from its middle: the mesh follows the face within
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from data_schemas.time import NS_PER_S
from modalities.face.detection import by_prominence, find_faces
from modalities.face.models import FaceModels, FloatArray, MeshModel, Picture

WINDOW = 2.2
"""Side of the window in sides of the face."""
WINDOW_SIDE_PX = 320
"""The window is shrunk to this at most before the mesh sees it: its face is then 145 px, where the mesh's own input
has 128 px and the aligned picture 138 px for it."""
KEEP_OVERLAP = 0.55
"""The window moves when its overlap (intersection over union) with the wanted window falls below this."""
HOLD_S = 0.3
"""How long a face may be lost in its window before the window is given up."""
SEARCH_EVERY_S = 0.5
"""How often the slow search on tiles is repeated while there is no face."""
MOST_TRIED = 3
"""So many of the found boxes are tried: what a detector takes for a face may be a pattern in the background."""
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

    @cached_property
    def box(self) -> FloatArray:
        """Left, top, right, bottom of the landmarks, pixels of the whole picture, (4,)."""
        x, y = self.points[FACE_POINTS, :2].T
        return np.array([x.min(), y.min(), x.max(), y.max()])

    def in_window(self, points: FloatArray) -> FloatArray:
        """Picture positions (..., 2) as positions in the window."""
        return (points + 0.5 - self.corner) * self.scale - 0.5


class FaceWindow:
    """Follows one face in a window around it.

    Args:
        mesh: A mesh that looks at nothing else.
    """

    def __init__(self, mesh: MeshModel) -> None:
        self._mesh = mesh
        self._place: tuple[int, int, int, int] | None = None
        self.seen_ns = 0

    @property
    def open(self) -> bool:
        """Whether there is a face to follow."""
        return self._place is not None

    def begin(self, picture: Picture, box: FloatArray, t_ns: int) -> Sighting | None:
        """Follow the face in a box (left, top, right, bottom) from this picture on; None if the mesh finds none."""
        self._mesh.forget()
        sighting = self._look(picture, window_around(box, (picture.shape[1], picture.shape[0])))
        if sighting is not None:
            self._follow(sighting, picture, t_ns)
        return sighting

    def find(self, picture: Picture, t_ns: int) -> Sighting | None:
        """The face in the next picture; closes the window when the face was lost for longer than `HOLD_S`."""
        if self._place is None:
            return None
        sighting = self._look(picture, self._place)
        if sighting is not None:
            self._follow(sighting, picture, t_ns)
        elif t_ns - self.seen_ns > HOLD_S * NS_PER_S:
            self._place = None
        return sighting

    def _follow(self, sighting: Sighting, picture: Picture, t_ns: int) -> None:
        """Note where the face is; move the window when the face has left its middle."""
        self.seen_ns = t_ns
        wanted = window_around(sighting.box, (picture.shape[1], picture.shape[0]))
        if self._place is None or overlap(self._place, wanted) < KEEP_OVERLAP:
            self._place = wanted
            self._mesh.forget()

    def _look(self, picture: Picture, window: tuple[int, int, int, int]) -> Sighting | None:
        small, scale = cut_window(picture, window)
        points = self._mesh.find(small)
        if points is None:
            return None
        flat = (points[:, :2] + 0.5) / scale - 0.5 + window[:2]
        whole = np.column_stack([flat, points[:, 2] / scale])
        return Sighting(whole, small, np.array([scale, scale]), (window[0], window[1]))


class FaceTracker:
    """Finds and follows the one face of a video.

    Args:
        models: Models lent for this video.
    """

    def __init__(self, models: FaceModels) -> None:
        self._models = models
        self._window = FaceWindow(models.mesh())
        self._search_ns: int | None = None

    def find(self, picture: Picture, t_ns: int) -> Sighting | None:
        """The face in the next picture.

        Args:
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time; times increase from call to call.
        """
        if self._window.open:
            sighting = self._window.find(picture, t_ns)
            if sighting is not None:
                self._search_ns = None
            if sighting is not None or self._window.open:
                return sighting
        thorough = self._search_ns is None or t_ns - self._search_ns >= SEARCH_EVERY_S * NS_PER_S
        if thorough:
            self._search_ns = t_ns
        boxes = find_faces(self._models, picture, thorough=thorough)
        for box in by_prominence(boxes, (picture.shape[1], picture.shape[0]))[:MOST_TRIED]:
            sighting = self._window.begin(picture, box[:4], t_ns)
            if sighting is not None:
                self._search_ns = None
                return sighting
        return None


def cut_window(picture: Picture, window: tuple[int, int, int, int]) -> tuple[Picture, float]:
    """A window of the picture, shrunk by a whole number so that every pixel of it counts alike.

    Whole numbers are also what makes it fast: averaging over blocks of pixels costs a tenth of averaging over shares of
    pixels, which for large faces would be as much as the mesh itself.

    Args:
        picture: RGB, uint8 (h, w, 3).
        window: Left, top, right, bottom.

    Returns:
        The window, its shorter side at least `WINDOW_SIDE_PX` unless it is smaller in the picture, and the scale.
    """
    import cv2

    left, top, right, bottom = window
    factor = max(1, min(right - left, bottom - top) // WINDOW_SIDE_PX)
    if factor == 1:
        return np.ascontiguousarray(picture[top:bottom, left:right]), 1.0
    size = ((right - left) // factor, (bottom - top) // factor)
    cut = picture[top : top + size[1] * factor, left : left + size[0] * factor]
    return cv2.resize(cut, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), 1 / factor


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
