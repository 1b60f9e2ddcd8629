"""What a depth camera saw: distances of a picture's pixels, and the camera that saw them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.camera import Camera
from data_schemas.stream import Video
from modalities.face.models import FloatArray

ASSUMED_VIEW_DEG = 60.0
"""Angle of view along the longer side of a picture whose camera nobody described; webcams and depth cameras have 55 to
75 degrees."""
LEAST_SEEN = 0.35
"""Share of the pixels around a place that must have distances."""
EDGE = 0.025
"""Distances around a place that differ by more than this share of them (the middle half of them) lie on two things."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Distances in a picture, or in a box of it.

    Attributes:
        distance_mm: Along the optical axis, float32 (h, w); 0 is a hole.
        camera: That of the whole picture.
        corner: Left and top of the box in the picture, px.
        step: Every so many pixels of the picture there is a distance: element (i, j) is that of the picture's pixel
            `corner + step * (j, i)`.
    """

    distance_mm: NDArray[np.float32]
    camera: Camera
    corner: tuple[int, int] = (0, 0)
    step: int = 1

    def elements_of(self, places: FloatArray) -> FloatArray:
        """Columns and rows of the distances at some places of the picture, (n, 2)."""
        return (places - self.corner) / self.step

    def at(self, places: FloatArray, reach_px: float = 2.0) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Distances at some places of the picture: the median of those around each.

        Args:
            places: Columns and rows, (n, 2).
            reach_px: Half the side of the square around a place.

        Returns:
            Distances in mm, (n,), 0 where there is none; and where there is one: not in a hole, not where the picture
            goes from one thing to another, not outside.
        """
        reach = max(1, round(reach_px / self.step))
        height, width = self.distance_mm.shape
        middle = np.rint(self.elements_of(places)).astype(np.int64)
        offset = np.arange(-reach, reach + 1)
        columns = middle[:, 0, None, None] + offset[None, None, :]
        rows = middle[:, 1, None, None] + offset[None, :, None]
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        around = self.distance_mm[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
        around = np.where(inside, around, 0).reshape(len(places), -1)
        seen = (around > 0).sum(axis=1)
        ordered = np.sort(np.where(around > 0, around, np.inf), axis=1)
        at = np.arange(len(places))
        quarter, half, rest = (ordered[at, np.maximum((seen * k) // 4 - (k == 3), 0)] for k in (1, 2, 3))
        other = ordered[at, np.maximum((seen - 1) // 2, 0)]
        enough = seen >= np.maximum(1, LEAST_SEEN * around.shape[1])
        distance = np.where(enough, (np.where(enough, half, 0) + np.where(enough, other, 0)) / 2, 0.0)
        spread = np.where(enough, rest, 0) - np.where(enough, quarter, 0)
        valid = enough & (spread <= EDGE * distance)
        return np.where(valid, distance, 0.0).astype(np.float64), valid

    def points_mm(self, places: FloatArray, reach_px: float = 2.0) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Points seen at some places, (n, 3) in the camera's axes, meaningless where the second answer is False."""
        distance, valid = self.at(places, reach_px)
        return self.camera.points(np.asarray(places, np.float64), np.asarray(distance, np.float64)), valid


def surface_of(image: NDArray[np.generic], scale_m: float, camera: Camera) -> Surface:
    """The surface that a depth picture shows.

    Args:
        image: uint16 (h, w), 0 where there is no distance.
        scale_m: Metres per unit.
        camera: Of the picture.
    """
    return Surface(image.astype(np.float32) * np.float32(1000 * scale_m), camera)


def camera_of(video: Video) -> tuple[Camera, str]:
    """The camera of a video, an assumed one where the manifest has none; and then a sentence that warns of it."""
    if video.camera is not None:
        return video.camera, ""
    return assume_camera(video.width, video.height), (
        f"'{video.info.name}' has no intrinsics: a view of {ASSUMED_VIEW_DEG:g} degrees along the longer side of the "
        "picture is assumed, so that lengths in millimetres may be off by a fifth"
    )


def assume_camera(width: int, height: int) -> Camera:
    """A camera for a picture of this size of which nothing is known."""
    focal = max(width, height) / 2 / np.tan(np.radians(ASSUMED_VIEW_DEG / 2))
    return Camera(float(focal), float(focal), (width - 1) / 2, (height - 1) / 2)
