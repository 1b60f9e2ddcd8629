"""A face in millimetres: its landmarks in the camera's axes, its distance, the distance between its eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.depth.surface import Surface
from modalities.face.models import FloatArray
from modalities.face.registration import HeadFit, fit_head

LEAST_SHARE = 0.3
"""Share of the landmarks that must have distances; with fewer there is only the mesh."""
REACH = 0.03
"""Half the side of the square in which a landmark's distance is looked up, inter-ocular distances."""
OFF_MM = 25.0
"""A distance farther than this from the mesh's belongs to something else: hair, a hand, what is behind."""
SOFT_MM = 6.0
"""Scale of the weights (Cauchy) with which the mesh's depth is fitted to the measured one."""
_EYES = ((33, 133), (263, 362))
_ROUNDS = 4
_FACE = slice(0, 468)


@dataclass(frozen=True, eq=False)
class MeasuredFace:
    """A face whose landmarks have distances.

    Attributes:
        points_mm: Landmarks in the camera's axes (x right, y down, z away), (478, 3); those without a distance have
            the mesh's, fitted to the others.
        valid: Those that were measured, bool (478,).
        head: The fit to the frontal template; its unit is the millimetre, not the pixel, and its points are those in
            space.
        eyes_mm: Inter-ocular distance: between the middles of the eyes' corners.
        distance_mm: From the camera to the point between the eyes.
    """

    points_mm: FloatArray
    valid: NDArray[np.bool_]
    head: HeadFit
    eyes_mm: float
    distance_mm: float

    @property
    def share(self) -> float:
        """Share of the landmarks that were measured, irises left out."""
        return float(self.valid[_FACE].mean())


def measure_face(points: FloatArray, surface: Surface) -> MeasuredFace | None:
    """The landmarks of a sighted face in millimetres.

    Args:
        points: `Sighting.points`, (478, 3), pixels of the picture that the surface is in.
        surface: Distances there.

    Returns:
        None where fewer than `LEAST_SHARE` of the landmarks have a distance.
    """
    eyes_px = float(np.linalg.norm(points[list(_EYES[1]), :2].mean(axis=0) - points[list(_EYES[0]), :2].mean(axis=0)))
    distance, valid = surface.at(points[:, :2], max(1.0, REACH * eyes_px))
    if valid[_FACE].mean() < LEAST_SHARE:
        return None
    fitted, valid = _fit_mesh(points, distance, valid)
    if valid[_FACE].mean() < LEAST_SHARE or fitted.min() <= 0:
        return None
    points_mm = surface.camera.points(points[:, :2].astype(np.float64), np.where(valid, distance, fitted))
    right, left = (points_mm[list(corners)].mean(axis=0) for corners in _EYES)
    middle = (right + left) / 2
    return MeasuredFace(
        points_mm, valid, fit_head(points_mm), float(np.linalg.norm(left - right)), float(np.linalg.norm(middle))
    )


def _fit_mesh(
    points: FloatArray, distance: FloatArray, valid: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The mesh's depth in millimetres, (478,), and which measured distances agree with it.

    The mesh's scale is fitted, and its lean across and along the picture: the network that guesses it turns it by less
    than the face is turned.
    """
    centre = points[_FACE].mean(axis=0)
    unit = max(1.0, float(np.ptp(points[_FACE, 0])))
    basis = np.column_stack([np.ones(len(points)), (points - centre) / unit])
    weight = valid.astype(np.float64)
    middle = float(np.median(distance[valid]))
    fitted = np.full(len(points), middle)
    ridge = np.diag([0.0, 1e-3, 1e-3, 1e-3]) * weight.sum()
    # Begin where nothing is known but the distance: hair and what is behind the face are a minority.
    for at in range(_ROUNDS):
        off = distance - fitted
        scale = 4 * SOFT_MM if at == 0 else SOFT_MM
        weights = weight / (1 + (off / scale) ** 2)
        gram = (basis * weights[:, None]).T
        fitted = basis @ np.linalg.solve(gram @ basis + ridge, gram @ (distance - middle)) + middle
    return fitted, valid & (np.abs(distance - fitted) <= OFF_MM)
