"""A camera of the pinhole kind: where a point in space appears, and which point a distance picture shows.

Axes are a camera's: x right, y down, z away from it. Lengths are millimetres, places pixels whose centres are whole
numbers. Model and coefficients of the lens as OpenCV has them (Zhang 2000; Brown 1966).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

FloatArray = NDArray[np.float64]
PARALLEL = 1e-3
"""How far the rows of a rotation may be from right angles and unit length: four digits of a data sheet pass."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a camera stands: takes points from its axes to those of the rig, `rotation @ point + translation_mm`.

    Attributes:
        rotation: (3, 3).
        translation_mm: (3,).
    """

    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    translation_mm: FloatArray = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        rotation, translation = np.asarray(self.rotation, float), np.asarray(self.translation_mm, float)
        if (
            rotation.shape != (3, 3)
            or translation.shape != (3,)
            or not np.isfinite([*rotation.flat, *translation]).all()
        ):
            raise InvalidValueError(
                "a camera's pose is a rotation (3 x 3) and a shift (3)", got=(rotation.shape, translation.shape)
            )
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > PARALLEL or np.linalg.det(rotation) < 0:
            raise InvalidValueError(
                "a camera's rotation is none",
                got=rotation.round(4).tolist(),
                expected="rows at right angles and of length 1, no mirror",
                mend="Give it row by row, without scale.",
            )
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation_mm", translation)

    def to_rig(self, points_mm: FloatArray) -> FloatArray:
        """Points (..., 3) of this camera in the axes of the rig, mm."""
        return points_mm @ self.rotation.T + self.translation_mm

    def from_rig(self, points_mm: FloatArray) -> FloatArray:
        """Points (..., 3) of the rig in this camera's axes, mm."""
        return (points_mm - self.translation_mm) @ self.rotation


@dataclass(frozen=True, slots=True)
class Camera:
    """Lens and place of a camera.

    Attributes:
        fx: Focal length across, px.
        fy: Focal length down, px.
        cx: Column of the optical axis, px.
        cy: Row of the optical axis, px.
        distortion: k1, k2, p1, p2, k3 of the lens; none by default.
        pose: Where it stands among the cameras of the session.

    Raises:
        InvalidValueError: focal lengths that are not positive, a number of coefficients other than 0, 4 or 5.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    pose: Pose = field(default_factory=Pose)

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not np.isfinite(numbers).all() or min(self.fx, self.fy) <= 0:
            raise InvalidValueError(
                "a camera's focal lengths must be above 0", got=(self.fx, self.fy), expected="pixels"
            )
        if len(self.distortion) not in (0, 4, 5):
            raise InvalidValueError("a lens has other coefficients", got=self.distortion, expected="k1, k2, p1, p2, k3")

    def project(self, points_mm: FloatArray) -> FloatArray:
        """Where points in front of the camera appear.

        Args:
            points_mm: (n, 3), this camera's axes, z above 0.

        Returns:
            Columns and rows, (n, 2).
        """
        if not self.distortion:
            return points_mm[:, :2] / points_mm[:, 2:] * (self.fx, self.fy) + (self.cx, self.cy)
        import cv2

        places, _ = cv2.projectPoints(
            points_mm.reshape(-1, 1, 3).astype(float), np.zeros(3), np.zeros(3), self.matrix, np.array(self.distortion)
        )
        return np.asarray(places, float).reshape(-1, 2)

    def points(self, places: FloatArray, distance_mm: FloatArray) -> FloatArray:
        """The points that are seen at some places.

        Args:
            places: Columns and rows, (n, 2).
            distance_mm: Along the optical axis, as depth cameras give it, (n,).

        Returns:
            (n, 3), this camera's axes.
        """
        rays = (places - (self.cx, self.cy)) / (self.fx, self.fy)
        if self.distortion and len(places):
            import cv2

            flat = cv2.undistortPoints(places.reshape(-1, 1, 2).astype(float), self.matrix, np.array(self.distortion))
            rays = np.asarray(flat, float).reshape(-1, 2)
        return np.column_stack([rays * distance_mm[:, None], distance_mm])

    @property
    def matrix(self) -> FloatArray:
        """(3, 3), as OpenCV has it."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])
