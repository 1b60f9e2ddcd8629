"""The landmarks of a face in a photograph, and smooth displacement fields that move chosen landmarks exactly.

Landmarks are those of MediaPipe's face mesh (Kartynnik et al. 2019). Fields are radial-basis interpolants with
Wendland's compactly supported C2 function (1995), so that what lies beyond their reach does not move at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import NothingUsableError
from data_schemas.native_log import without_chatter

Pixels = NDArray[np.float64]
Picture = NDArray[np.uint8]
Field = NDArray[np.float32]

RIGHT_EYE = (33, 133)
LEFT_EYE = (362, 263)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Outline of the face."""


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """Landmarks of one face in pixels.

    Attributes:
        points: Shape (478, 2), x right and y down.
        depth: Shape (478,), pixels towards the camera; only differences mean something.
    """

    points: Pixels
    depth: Pixels

    @property
    def eyes(self) -> Pixels:
        """Centres of the person's right and left eye, shape (2, 2): the middle between the corners of each."""
        return np.stack([self.points[list(RIGHT_EYE)].mean(axis=0), self.points[list(LEFT_EYE)].mean(axis=0)])

    @property
    def iod(self) -> float:
        """Inter-ocular distance, pixels."""
        return float(np.linalg.norm(self.eyes[1] - self.eyes[0]))

    @property
    def across(self) -> Pixels:
        """Unit vector from the person's right to their left, shape (2,)."""
        return (self.eyes[1] - self.eyes[0]) / self.iod

    @property
    def upwards(self) -> Pixels:
        """Unit vector from chin to forehead in the picture, shape (2,)."""
        x, y = self.across
        return np.array([y, -x])

    @property
    def width(self) -> float:
        """Extent of the face across the picture, pixels."""
        return float(np.ptp(self.points[:, 0]))

    def moved(self, scale: float, shift: Pixels) -> FaceMesh:
        """The same face in a picture that was scaled and then shifted by (x, y) pixels."""
        return FaceMesh(self.points * scale + shift, self.depth * scale)


def find_mesh(picture: Picture) -> FaceMesh:
    """Landmarks of the one face in a photograph, searched once at large and once more on the enlarged face.

    Args:
        picture: RGB, shape (h, w, 3).

    Raises:
        NothingUsableError: no face was found.
    """
    import cv2

    rough = _run_mediapipe(picture)
    low, high = rough[:, :2].min(axis=0), rough[:, :2].max(axis=0)
    half = 0.9 * float((high - low).max())
    x0, y0 = np.maximum(np.floor((low + high) / 2 - half), 0).astype(int)
    x1, y1 = np.ceil((low + high) / 2 + half).astype(int)
    crop = picture[y0:y1, x0:x1]
    scale = 600.0 / max(crop.shape[:2])
    large = np.asarray(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    found = _run_mediapipe(large)
    actual = np.array([large.shape[1] / crop.shape[1], large.shape[0] / crop.shape[0]])
    return FaceMesh((found[:, :2] + 0.5) / actual - 0.5 + (x0, y0), -found[:, 2] / scale)


def _run_mediapipe(picture: Picture) -> Pixels:
    """Landmarks in pixels, shape (478, 3); z grows away from the camera."""
    import mediapipe

    with without_chatter():
        detector = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, refine_landmarks=True, max_num_faces=1
        )
        detector._graph.wait_until_idle()
    with detector:
        found = detector.process(np.ascontiguousarray(picture)).multi_face_landmarks
    if not found:
        raise NothingUsableError(
            "no face was found in a photograph of the simulator",
            got=f"{picture.shape[1]}x{picture.shape[0]} pixels",
            mend="The photographs come with scikit-image and matplotlib; install them again.",
        )
    h, w = picture.shape[:2]
    return np.array([(mark.x * w - 0.5, mark.y * h - 0.5, mark.z * w) for mark in found[0].landmark])


def wendland(distance: NDArray[np.floating]) -> NDArray[np.floating]:
    """Wendland's C2 function: 1 at distance 0, smoothly 0 from distance 1 on."""
    rest = np.clip(1 - distance, 0, None)
    return rest**4 * (4 * distance + 1)


def displacement_field(mesh: FaceMesh, moves: Mapping[int, Pixels], reach: float, at: NDArray[np.floating]) -> Field:
    """The smooth field that gives each landmark its displacement exactly.

    Args:
        mesh: The face.
        moves: Displacement (x, y) in pixels by landmark; (0, 0) holds it.
        reach: Pixels beyond which a landmark has no influence.
        at: Pixel positions (..., 2) at which the field is wanted.

    Returns:
        Displacements in pixels, float32 (..., 2).
    """
    if not moves:
        return np.zeros(at.shape, np.float32)
    knots = mesh.points[list(moves)]
    kernel = wendland(np.linalg.norm(knots[:, None] - knots[None], axis=-1) / reach)
    weights = np.linalg.solve(kernel, np.array(list(moves.values()), dtype=np.float64))
    out = np.zeros(at.shape, np.float64)
    for knot, weight in zip(knots, weights, strict=True):
        out += wendland(np.hypot(at[..., 0] - knot[0], at[..., 1] - knot[1]) / reach)[..., None] * weight
    return out.astype(np.float32)


def look_up(picture: NDArray[Any], place: NDArray[np.floating]) -> NDArray[Any]:
    """A picture's values at places between its pixels, linear; beyond its rim those of the rim.

    Args:
        picture: Shape (h, w) or (h, w, c).
        place: Columns and rows, shape (..., 2) of two dimensions before the last.

    Returns:
        The picture's own dtype, one value or c values per place.
    """
    import cv2

    remap = cast(Any, cv2).remap
    return remap(picture, place.astype(np.float32, copy=False), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
