"""The head of a photograph as a surface in millimetres: at rest, moved by action units, pushed out, turned.

Axes are those of the camera that took the photograph: x right, y down, z away from it. Its focal length follows from
the distance of the eyes, because the eyes' centres are `IOD_MM` apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.camera import Camera
from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.mesh import FaceMesh, Field, Pixels, look_up, wendland
from pipeline.simulate.face_fields import STEP, FaceFields, Pose
from pipeline.simulate.face_portrait import MARGIN_PX, Portrait
from pipeline.simulate.face_relief import fine_relief_mm

IOD_MM = 63.0
"""Between the eyes' centres of an adult: mean pupillary distance 63 mm (Dodgson 2004)."""
NEAREST_MM, FARTHEST_MM = 250.0, 5000.0
_FINEST_MM = 1.7
"""What is finer in the mesh than this (standard deviation of the smoothing) is error of its landmarks' depth."""
_PUSHED = {"lips": ((0, 17), 0.75), "cheeks": ((205, 425), 0.6)}
"""Landmarks in the middle of what is pushed out, and how far from them the push ends, in IOD."""

Points = NDArray[np.float64]


def photographing_camera(mesh: FaceMesh, size: tuple[int, int], distance_mm: float) -> Camera:
    """The camera that saw a face of this size at this distance, its axis through the middle of the picture.

    Args:
        mesh: The face at rest.
        size: Width and height of the frame, px.
        distance_mm: From the camera to the plane of the eyes.

    Raises:
        InvalidValueError: nobody sits there.
    """
    if not NEAREST_MM <= distance_mm <= FARTHEST_MM:
        raise InvalidValueError(
            "a head cannot be at this distance", got=distance_mm, expected=f"{NEAREST_MM:g} to {FARTHEST_MM:g} mm"
        )
    focal = distance_mm * mesh.iod / IOD_MM
    return Camera(focal, focal, (size[0] - 1) / 2, (size[1] - 1) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """Some points of the head at rest.

    Attributes:
        place: On the canvas, px, (..., 2).
        distance: Along the axis, mm, (...).
        weight: 1 where they follow the head, 0 for the shoulders, (...).
        outward: How far each is pushed out with a part of the face, 0..1, (...) each.
    """

    place: Pixels
    distance: NDArray[np.float64]
    weight: NDArray[np.float64]
    outward: Mapping[str, NDArray[np.float64]]


class Surface:
    """The head of one photograph.

    Args:
        fields: Of the face.
        portrait: The photograph.
        distance_mm: From the camera to the plane of the eyes at rest.

    Attributes:
        camera: Which took the photograph.
        nodes: Every node of the coarse grid.
        mm_per_px: At the plane of the eyes.
        relief: How far every pixel of the canvas stands out towards whoever looks, mm, float32 (H, W). It is too fine
            to be seen to shift against its surroundings when the head turns.
    """

    def __init__(self, fields: FaceFields, portrait: Portrait, distance_mm: float) -> None:
        mesh, size = fields.mesh, portrait.background.shape[1::-1]
        self.fields, self.distance_mm = fields, distance_mm
        self.camera = photographing_camera(mesh, size, distance_mm)
        self.mm_per_px = IOD_MM / mesh.iod
        self.relief = fine_relief_mm(portrait, self.mm_per_px)
        depth = _smooth(fields.depth, _FINEST_MM / (self.mm_per_px * STEP)).astype(np.float64) * self.mm_per_px
        eyes = float(at_places(depth, mesh.eyes).mean())
        outward = {name: _push(mesh, fields.grid, *how) for name, how in _PUSHED.items()}
        self.nodes = Skin(
            fields.grid.astype(np.float64), distance_mm + eyes - depth, fields.weight.astype(np.float64), outward
        )
        self.pivot = self.camera.points(fields.pivot[None, :2] - MARGIN_PX, np.array([distance_mm + eyes]))[0]

    def skin_at(self, marks: Pixels) -> Skin:
        """Points of the head by their places on the canvas, (n, 2)."""
        nodes = self.nodes
        return Skin(
            marks,
            at_places(nodes.distance, marks),
            at_places(nodes.weight, marks),
            {name: at_places(share, marks) for name, share in nodes.outward.items()},
        )

    def moved(self, skin: Skin, faces: NDArray[np.floating], pose: Pose, outward_mm: Mapping[str, float]) -> Points:
        """Where points of the head are in one frame, mm, (..., 3).

        Args:
            skin: The points at rest, (...).
            faces: Displacement by the face's own movement in the plane of the picture, px, (..., 2).
            pose: Of the head; its shift counts at the plane of the eyes.
            outward_mm: How far parts are pushed out, by `motion.OUTWARD`.
        """
        pushed = sum((much * skin.outward[name] for name, much in outward_mm.items() if much), np.zeros(1))
        rays = (skin.place + faces - MARGIN_PX - (self.camera.cx, self.camera.cy)) / (self.camera.fx, self.camera.fy)
        points = np.concatenate([rays * skin.distance[..., None], (skin.distance - pushed)[..., None]], axis=-1)
        turn = pose.rotation_of_camera()
        shift = np.array([*pose.shift_px, 0.0]) * self.mm_per_px
        if not np.any(shift) and np.array_equal(turn, np.eye(3)):
            return points
        return points + skin.weight[..., None] * ((points - self.pivot) @ (turn - np.eye(3)).T + shift)


def _smooth(nodes: Field, sigma: float) -> Field:
    import cv2

    return np.asarray(cv2.GaussianBlur(nodes, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)


def at_places(nodes: NDArray[np.floating], place: Pixels) -> NDArray[np.float64]:
    """A map of the coarse grid (rows, columns, ...) at places of the canvas (n, 2): linear, (n, ...)."""
    return np.asarray(look_up(nodes, ((place[None] + 0.5) / STEP - 0.5).astype(np.float32))[0], np.float64)


def _push(mesh: FaceMesh, grid: Field, marks: tuple[int, ...], reach: float) -> NDArray[np.float64]:
    """0..1 at every node: 1 between (or at) the landmarks, 0 beyond the reach."""
    middles = mesh.points[list(marks)]
    if marks == _PUSHED["lips"][0]:
        middles = middles.mean(axis=0, keepdims=True)
    away = np.min([np.linalg.norm(grid - middle, axis=-1) for middle in middles], axis=0)
    return np.asarray(wendland(away / (reach * mesh.iod)), np.float64)
