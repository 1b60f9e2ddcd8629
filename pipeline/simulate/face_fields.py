"""How the points of a photograph move: action units, then the head, as forward displacements on a coarse grid.

The line between the lips is a cut: what lies above it and what lies below it have fields of their own, so that lips can
part and press together without smearing into each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.fields import unit_fields
from modalities.face.synthesis.mesh import OVAL, FaceMesh, Field, Pixels
from pipeline.simulate.motion import ACTION_UNITS

STEP = 4
"""Pixels between nodes of the coarse grid; the finest structure of a field is ten times as wide."""
SPEECH: Mapping[str, float] = {"au26": 0.8, "au25": 0.5}
"""The jaw opening of speech, as a mixture of action units."""
EARS = (234, 454)
_ROUNDING = 0.18
"""How far the steep sides of the face are smoothed, in IOD, so that a turn does not fold the picture."""
_SURFACE = 468
"""Landmarks on the skin; the rest are irises."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Turn, tilt and place of the head in one frame; see `FaceMotion` for the directions."""

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    shift_px: tuple[float, float] = (0.0, 0.0)

    def rotation(self) -> Pixels:
        """Rotation of (x right, y down, z towards the camera), shape (3, 3): yaw, then pitch, then roll."""
        yaw, pitch, roll = np.radians([self.yaw_deg, self.pitch_deg, self.roll_deg])
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        tilt = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        lean = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        return lean @ tilt @ turn

    def rotation_of_camera(self) -> Pixels:
        """The same rotation where z points away from the camera, shape (3, 3)."""
        flip = np.diag([1.0, 1.0, -1.0])
        return flip @ self.rotation() @ flip


class FaceFields:
    """All fields of one face, computed once.

    Args:
        mesh: Landmarks on the canvas.
        canvas: Width and height of the canvas in pixels, multiples of `STEP`.
    """

    def __init__(self, mesh: FaceMesh, canvas: tuple[int, int]) -> None:
        self.mesh = mesh
        nodes = [(np.arange(n // STEP, dtype=np.float32) + 0.5) * STEP - 0.5 for n in canvas]
        self.grid: Field = np.stack(np.meshgrid(*nodes), axis=-1)
        fields = {au: unit_fields(mesh, au, self.grid) for au in ACTION_UNITS}
        mixture = [sum(share * fields[au][part] for au, share in SPEECH.items()) for part in (0, 1)]
        self.names = (*ACTION_UNITS, "speech")
        self._stack = np.stack([np.stack(pair) for pair in (*fields.values(), mixture)]).astype(np.float32)
        self.depth = depth_field(mesh, self.grid)
        self.weight = head_weight(mesh, self.grid)
        self.pivot = np.array([*mesh.points[list(EARS)].mean(axis=0), mesh.depth[list(EARS)].mean()])

    def total(self, intensities: NDArray[np.float64], pose: Pose) -> tuple[Field, Field]:
        """Forward displacement of every node, above and below the line between the lips.

        Args:
            intensities: One per entry of `names`.
            pose: Of the head.

        Returns:
            Two float32 arrays (rows, columns, 2), pixels; one and the same where the lips move as one.
        """
        faces = self.faces(intensities)
        above = self._posed(faces[0], pose)
        return above, above if np.array_equal(faces[0], faces[1]) else self._posed(faces[1], pose)

    def faces(self, intensities: NDArray[np.float64]) -> Field:
        """The face's own displacement, above and below the line between the lips, px, float32 (2, rows, columns, 2).

        Args:
            intensities: One per entry of `names`.
        """
        used = np.flatnonzero(intensities)
        return np.tensordot(intensities[used].astype(np.float32), self._stack[used], axes=1)

    def _posed(self, face: Field, pose: Pose) -> Field:
        """Displacement by the face's own movement and then by the head's."""
        turn = pose.rotation().astype(np.float32)
        x, y = (self.grid + face - self.pivot[:2].astype(np.float32)).transpose(2, 0, 1)
        z = self.depth
        out = np.empty_like(face)
        for axis, value in enumerate((x, y)):
            turned = turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2] * z + np.float32(pose.shift_px[axis])
            out[..., axis] = face[..., axis] + self.weight * (turned - value)
        return out


def depth_field(mesh: FaceMesh, grid: Field) -> Field:
    """Pixels towards the camera, relative to the ears, at every node: the mesh's own, and none around it."""
    import cv2
    from scipy.interpolate import RBFInterpolator

    middle = mesh.points[list(EARS)].mean(axis=0)
    around = np.vstack([middle + reach * (mesh.points[list(OVAL)] - middle) for reach in (1.5, 2.2, 3.5)])
    knots = np.vstack([mesh.points[:_SURFACE], around])
    depth = np.r_[mesh.depth[:_SURFACE] - mesh.depth[list(EARS)].mean(), np.zeros(len(around))]
    surface = RBFInterpolator(knots / mesh.iod, depth, kernel="thin_plate_spline", smoothing=1e-4)
    fine = surface(grid.reshape(-1, 2).astype(np.float64) / mesh.iod).reshape(grid.shape[:2]).astype(np.float32)
    wide = cv2.GaussianBlur(fine, (0, 0), _ROUNDING * mesh.iod / STEP)
    centre = mesh.points[list(OVAL)].mean(axis=0)
    inner = centre + 0.72 * (mesh.points[list(OVAL)] - centre)
    within = np.zeros(fine.shape, np.float32)
    cv2.fillPoly(within, [np.rint((inner - grid[0, 0]) / STEP).astype(np.int32)], 1.0)
    within = cv2.GaussianBlur(within, (0, 0), 0.5 * _ROUNDING * mesh.iod / STEP)
    return wide + within * (fine - wide)


def head_weight(mesh: FaceMesh, grid: Field) -> Field:
    """1 for the head, falling smoothly to 0 for the shoulders over the length of the neck."""
    chin = mesh.points[152]
    below = -((grid - chin.astype(np.float32)) @ mesh.upwards.astype(np.float32)) / mesh.iod
    ramp = np.clip((below + 0.1) / 1.2, 0, 1)
    return (1 - ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
