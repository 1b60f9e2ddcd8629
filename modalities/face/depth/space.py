"""The surface of a face under its aligned picture: where in space each pixel of it lies, and the reverse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.camera import Camera
from modalities.face.depth.measured import OFF_MM, MeasuredFace
from modalities.face.depth.surface import Surface
from modalities.face.head_motion import spread
from modalities.face.models import FloatArray

SMOOTH_PX = 2.0
"""Standard deviation of the bell over which distances are averaged, pixels of the aligned picture."""
AFFINE_PX = 0.05
"""The aligned picture must be a scaled, turned and shifted copy of the picture to within this."""
_MESH_WEIGHT = 1e-3
_MESH_PX = 4.0
_FACE = slice(0, 468)


@dataclass(frozen=True, eq=False, slots=True)
class FaceSpace:
    """Distances under an aligned picture.

    Attributes:
        distance_mm: Smoothed; in holes the mesh's, float32 (s, s).
        known: How far each is measured, 0..1, float32 (s, s).
        back: From the aligned picture to the whole one, (2, 3).
        camera: Of the whole picture.
        rotation: From the camera's axes (right, up, towards it) to the face's, (3, 3).
        eyes_mm: Inter-ocular distance.
    """

    distance_mm: NDArray[np.float32]
    known: NDArray[np.float32]
    back: FloatArray
    camera: Camera
    rotation: FloatArray
    eyes_mm: float

    def points_mm(self, places: FloatArray) -> FloatArray:
        """Points under some places of the aligned picture, camera's axes, (n, 3)."""
        return self.points_at(places, look_up(self.distance_mm, places))

    def points_at(self, places: FloatArray, distance_mm: FloatArray) -> FloatArray:
        """The same at distances that are known otherwise, (n,)."""
        seen = np.asarray(places @ self.back[:, :2].T + self.back[:, 2], np.float64)
        return self.camera.points(seen, np.asarray(distance_mm, np.float64))

    def places(self, points_mm: FloatArray) -> FloatArray:
        """Where points appear in the aligned picture, (n, 2)."""
        seen = self.camera.project(np.asarray(points_mm, np.float64))
        return np.linalg.solve(self.back[:, :2], (seen - self.back[:, 2]).T).T

    def to_face(self, moved_mm: FloatArray) -> FloatArray:
        """Displacements in the camera's axes (n, 3) along the face's own, in inter-ocular distances."""
        return (moved_mm * (1.0, -1.0, -1.0)) @ self.rotation.T / self.eyes_mm


def look_up(field: NDArray[np.float32], places: FloatArray) -> FloatArray:
    """A field (h, w) or (h, w, c) between its pixels, float64 (n, ...)."""
    import cv2

    x, y = places.astype(np.float32).T[:, None]
    found = np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return found[0].astype(np.float64)


def face_space(
    face: MeasuredFace, surface: Surface, points: FloatArray, placed: NDArray[np.float32], side: int, eyes_mm: float
) -> FaceSpace | None:
    """The surface of a measured face under its aligned picture.

    Args:
        face: From `measure_face`.
        surface: Distances in the whole picture or a box of it.
        points: Landmarks in the whole picture, (478, 2).
        placed: The same in the aligned one, (478, 2).
        side: Of the aligned picture, px.
        eyes_mm: Inter-ocular distance of this person.

    Returns:
        None where the aligned picture is no copy of the whole one (piecewise registration).
    """
    import cv2

    basis = np.column_stack([placed.astype(np.float64), np.ones(len(placed))])
    back = np.linalg.lstsq(basis, points, rcond=None)[0].T
    if np.abs(basis @ back.T - points).max() > AFFINE_PX * np.hypot(*back[:, 0]):
        return None
    mesh = spread(placed[_FACE].astype(np.float64), face.points_mm[_FACE, 2], side)
    mesh = np.asarray(cv2.GaussianBlur(mesh, (0, 0), _MESH_PX), np.float32)
    shrink = float(np.hypot(*back[:, 0])) / surface.step
    grid, seen = surface.distance_mm, (surface.distance_mm > 0).astype(np.float32)
    if shrink > 1.2:
        share = cv2.GaussianBlur(seen, (0, 0), 0.4 * shrink)
        grid = np.asarray(
            cv2.GaussianBlur(grid, (0, 0), 0.4 * shrink) / np.maximum(share, np.float32(1e-6)), np.float32
        )
        seen = np.where(share > 0.5, np.float32(1), np.float32(0))
    through = back.copy() / surface.step
    through[:, 2] -= np.array(surface.corner) / surface.step
    inverse = cv2.WARP_INVERSE_MAP
    share = cv2.warpAffine(seen, through, (side, side), flags=cv2.INTER_LINEAR | inverse)
    total = cv2.warpAffine(grid * seen, through, (side, side), flags=cv2.INTER_LINEAR | inverse)
    measured = total / np.maximum(share, np.float32(1e-6))
    off = measured - mesh
    known = np.where((share > 0.75) & (np.abs(off) < OFF_MM), np.float32(1), np.float32(0))
    both = cv2.GaussianBlur(np.dstack([off * known, known]), (0, 0), SMOOTH_PX)
    smooth = mesh + both[..., 0] / (both[..., 1] + np.float32(_MESH_WEIGHT))
    return FaceSpace(
        smooth.astype(np.float32), np.minimum(both[..., 1], 1), back, surface.camera, face.head.rotation, eyes_mm
    )
