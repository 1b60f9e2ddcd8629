"""What all divisions of a face share: the regions that they give, the protocol, the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.named import find_named

Points = NDArray[np.floating]
"""Landmarks of MediaPipe's face mesh in pixels of the picture, x right and y down, (468 or 478, 2)."""


@dataclass(frozen=True, eq=False)
class Regions:
    """Parts of a picture.

    Attributes:
        names: Of each; "right" and "left" are the person's own.
        masks: Pixels of each, bool (regions, h, w); they may overlap.
    """

    names: tuple[str, ...]
    masks: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.masks.ndim != 3 or len(self.masks) != len(self.names):
            raise InvalidValueError(
                "masks do not fit their names", got=self.masks.shape, expected=f"({len(self.names)}, h, w)"
            )

    def means(self, pictures: NDArray[np.number]) -> NDArray[np.float64]:
        """Mean of each region, (..., regions); 0 for a region without pixels.

        Args:
            pictures: (..., h, w): grey levels, flow, strain.

        Raises:
            InvalidValueError: pictures of another size.
        """
        if pictures.shape[-2:] != self.masks.shape[1:]:
            raise InvalidValueError(
                "pictures of another size than the regions",
                got=pictures.shape,
                expected=f"(..., {self.masks.shape[1:]})",
            )
        _, h, w = self.masks.shape
        flat = self.masks.reshape(len(self.masks), h * w).astype(np.float64)
        shares = flat / np.maximum(flat.sum(axis=1, keepdims=True), 1)
        return np.asarray(pictures.reshape(*pictures.shape[:-2], h * w).astype(np.float64) @ shares.T)


class Division(Protocol):
    """A way to divide a face."""

    def divide(self, clip: NDArray[np.number], points: Points | None = None) -> Regions:
        """The regions of a clip whose face stands still.

        Args:
            clip: Aligned grey pictures, (t, h, w); a single picture is (1, h, w).
            points: Landmarks; divisions by blocks or by difference do without.

        Raises:
            InvalidValueError: no clip, or landmarks missing where they are needed.
        """


DIVISIONS: dict[str, str] = {
    "blocks": "modalities.face.divisions.blocks:EqualBlocks",
    "facs": "modalities.face.divisions.facs:FacsRegions",
    "eye-cheek-mask": "modalities.face.divisions.masks:EyeCheekMask",
    "eye-mouth": "modalities.face.divisions.masks:EyeMouth",
    "difference": "modalities.face.divisions.difference:DifferenceRegions",
    "patches": "modalities.face.divisions.patches:LandmarkPatches",
}
"""Name -> "module:Class" of this package."""


def find_division(name: str, **settings: Any) -> Division:
    """A division by name.

    Args:
        name: Of `DIVISIONS`.
        settings: Of its class.

    Raises:
        InvalidValueError: no such name.
    """
    maker: Callable[..., Division] = find_named(DIVISIONS, name, "division")
    return maker(**settings)


def frame_size(clip: NDArray[np.number]) -> tuple[int, int]:
    """Height and width of a clip.

    Raises:
        InvalidValueError: no clip.
    """
    if clip.ndim != 3 or 0 in clip.shape:
        raise InvalidValueError("no clip to divide", got=f"shape {clip.shape}", expected="grey pictures (t, h, w)")
    return int(clip.shape[1]), int(clip.shape[2])


def needed(points: Points | None) -> NDArray[np.float64]:
    """The landmarks.

    Raises:
        InvalidValueError: none, of another shape, or not finite.
    """
    if points is None or points.ndim != 2 or len(points) < 468 or points.shape[1] < 2:
        raise InvalidValueError(
            "this division needs landmarks",
            got=None if points is None else points.shape,
            expected="(468 or 478, 2), pixels of the picture",
        )
    out = np.asarray(points[:, :2], np.float64)
    if not np.isfinite(out).all():
        raise InvalidValueError("a landmark is not finite", mend="Leave such pictures out.")
    return out


def hull(points: NDArray[np.float64], which: tuple[int, ...], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels within the convex hull of some landmarks, bool (h, w)."""
    import cv2

    out = np.zeros(size, np.uint8)
    cv2.fillConvexPoly(out, cv2.convexHull(np.rint(points[list(which)]).astype(np.int32)), 1)
    return out > 0


def widened(mask: NDArray[np.bool_], by_px: float) -> NDArray[np.bool_]:
    """A mask and all pixels so near to it."""
    import cv2

    if by_px < 0.5:
        return mask
    side = 2 * round(by_px) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc) > 0)


def eye_distance(points: NDArray[np.float64]) -> float:
    """Distance between the middles of the eyes, pixels."""
    from modalities.face.regions import EYES

    right, left = (points[list(EYES[side])].mean(axis=0) for side in ("right", "left"))
    return float(np.linalg.norm(right - left))
