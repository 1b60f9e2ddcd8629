"""A camera that looks at the puppet's head: where on the photograph's canvas each of its pixels lies, and how far away.

A camera's pixels are first laid on the canvas by the affine map that fits the resting face best; what is left is small:
turn, movement and parallax.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.camera import Camera
from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.mesh import Field, Picture, Pixels, look_up
from pipeline.simulate.face_fields import Pose
from pipeline.simulate.face_portrait import MARGIN_PX
from pipeline.simulate.face_surface import Points, Surface

DISTANCE_MM = 600.0
"""Of somebody who sits at a desk."""
WALL_MM = 900.0
"""From the eyes to the wall behind."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Who looks at the head, and from where.

    Attributes:
        camera: Its lens, and its pose among the cameras: the axes of the rig are those of the camera that took the
            photograph. None for that camera itself, which sees the photograph when the head is at rest.
        size: Width and height of its pictures, px; None for those of the photograph's frame.
        distance_mm: From the camera that took the photograph to the plane of the eyes at rest.
    """

    camera: Camera | None = None
    size: tuple[int, int] | None = None
    distance_mm: float = DISTANCE_MM

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < 64:
            raise InvalidValueError("a frame is too small", got=self.size, expected="at least 64 each way")


class Sight:
    """What follows from a view once for all frames.

    Args:
        surface: The head.
        view: Whose.
        frame: Width and height of the photograph's frame.

    Attributes:
        camera: The camera that looks.
        size: Width and height of its pictures.
        own: Whether it is the camera that took the photograph.
        frame: Place on the canvas of every pixel if the face were flat and at rest, float32 (h, w, 2).
    """

    def __init__(self, surface: Surface, view: View, frame: tuple[int, int]) -> None:
        self.surface = surface
        self.camera = surface.camera if view.camera is None else view.camera
        self.size = frame if view.size is None else (int(view.size[0]), int(view.size[1]))
        self.own = view.camera is None and self.size == frame
        self._turn, self._shift = np.eye(2), np.full(2, -float(MARGIN_PX))
        if view.camera is not None:
            self._turn, self._shift = self._fit()
        self._back = np.linalg.inv(self._turn)
        x, y = np.meshgrid(np.arange(self.size[0]), np.arange(self.size[1]))
        self.frame: Field = self.to_canvas(np.stack([x, y], axis=-1).astype(np.float64)).astype(np.float32)

    def _fit(self) -> tuple[Points, Points]:
        """Matrix (2, 2) and shift (2,) from the canvas to the picture, by the landmarks at rest."""
        marks = self.surface.fields.mesh.points
        rest = self.surface.moved(self.surface.skin_at(marks), np.zeros_like(marks), Pose(), {})
        seen = self.project(rest)
        solved = np.linalg.lstsq(np.column_stack([marks, np.ones(len(marks))]), seen, rcond=None)[0]
        return np.asarray(solved[:2].T, np.float64), np.asarray(solved[2], np.float64)

    def to_canvas(self, pixels: Pixels) -> Pixels:
        """Pixels of the picture (..., 2) to the canvas, by the affine map."""
        return (pixels - self._shift) @ self._back.T

    def to_picture(self, places: Pixels) -> Pixels:
        """The inverse of `to_canvas`."""
        return places @ self._turn.T + self._shift

    def project(self, points: Points) -> Pixels:
        """Points (n, 3) of the rig as they appear in the picture, px, (n, 2).

        Raises:
            InvalidValueError: some of them are behind the camera.
        """
        mine = self.camera.pose.from_rig(points)
        if len(mine) and mine[:, 2].min() <= 0:
            raise InvalidValueError("the camera stands in or behind the head", got=f"{mine[:, 2].min():.0f} mm")
        return self.camera.project(mine)

    def total(self, faces: Field, pose: Pose, outward_mm: Mapping[str, float]) -> tuple[Field, Points]:
        """Forward displacement of every node on the canvas, and the nodes' points in this camera's axes.

        Args:
            faces: The face's own displacement, px of the canvas, (rows, columns, 2).
            pose: Of the head.
            outward_mm: As `Surface.moved`.

        Returns:
            float32 (rows, columns, 2), px of the canvas; points, mm, (rows, columns, 3).
        """
        points = self.surface.moved(self.surface.nodes, faces, pose, outward_mm)
        seen = self.to_canvas(self.project(points.reshape(-1, 3))).reshape(faces.shape)
        return (seen - self.surface.fields.grid).astype(np.float32), self.camera.pose.from_rig(points)

    def marks(self, places: Pixels, faces: Pixels, pose: Pose, outward_mm: Mapping[str, float]) -> Points:
        """Points of this camera's axes, mm, (n, 3), of places of the canvas (n, 2) that the face moves by `faces`."""
        moved = self.surface.moved(self.surface.skin_at(places), faces, pose, outward_mm)
        points = self.camera.pose.from_rig(moved)
        relief = look_up(self.surface.relief, places[None])[0].astype(np.float64)
        return points * (1 - relief / points[:, 2])[:, None]

    def behind(self, background: Picture, wall_mm: float) -> NDArray[np.uint8]:
        """The photograph's background as this camera sees it, if it is a wall at a distance from the rig's origin."""
        if self.own:
            return background
        wall = self.wall(wall_mm)
        place = self.surface.camera.project(wall.reshape(-1, 3)).reshape(*wall.shape[:2], 2)
        return np.asarray(look_up(background, place), np.uint8)

    def wall(self, wall_mm: float) -> Points:
        """The point of a wall behind the head, rig's axes, mm, at every pixel, (h, w, 3).

        Args:
            wall_mm: Distance of the wall from the camera that took the photograph.

        Raises:
            InvalidValueError: the camera looks past it.
        """
        x, y = np.meshgrid(np.arange(self.size[0], dtype=float), np.arange(self.size[1], dtype=float))
        rays = self.camera.points(np.stack([x, y], axis=-1).reshape(-1, 2), np.ones(x.size))
        pose = self.camera.pose
        along = rays @ pose.rotation.T
        if along[:, 2].min() <= 0:
            raise InvalidValueError("the camera does not look towards the wall behind the head")
        wall = pose.translation_mm + along * ((wall_mm - pose.translation_mm[2]) / along[:, 2])[:, None]
        return np.asarray(wall.reshape(*x.shape, 3))
