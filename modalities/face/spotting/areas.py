"""Twelve small squares of the aligned picture where expressions move the skin: brows, nose, mouth.

The regions of Li, Soladie & Seguier (2018): three at each brow, one beside each wing of the nose, four around the
mouth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.models import FloatArray, Picture
from modalities.face.regions import REGIONS

AREAS = (
    "brow_inner_right",
    "brow_middle_right",
    "brow_outer_right",
    "brow_inner_left",
    "brow_middle_left",
    "brow_outer_left",
    "nose_right",
    "nose_left",
    "lip_corner_right",
    "lip_corner_left",
    "upper_lip_middle",
    "lower_lip_middle",
)
SIDE_PX = 16
"""Side of a square; the inter-ocular distance of the aligned picture is 60 pixels."""
STEADY_S = 2.0
"""Squares follow the landmarks this slowly, so that an expression moves the skin through them."""


class Squares:
    """Where the squares are: landmarks of one face, smoothed over time."""

    def __init__(self) -> None:
        self._centres: FloatArray | None = None
        self._last_ns = 0

    def place(self, points: NDArray[np.float32], t_ns: int, side: int) -> NDArray[np.int64]:
        """Left and top of each square, within the picture, (areas, 2).

        Args:
            points: Landmarks in the aligned picture, (478, 2).
            t_ns: Time of the picture.
            side: Of the picture, pixels.
        """
        now = np.array([points[list(REGIONS[name])].mean(axis=0) for name in AREAS], np.float64)
        if self._centres is None:
            self._centres = now
        else:
            share = 1 - np.exp(-(t_ns - self._last_ns) / (STEADY_S * 1e9))
            self._centres = self._centres + share * (now - self._centres)
        self._last_ns = t_ns
        corners = np.rint(self._centres - SIDE_PX / 2).astype(np.int64)
        return np.clip(corners, 0, side - SIDE_PX)


def cut_squares(picture: NDArray[np.generic], corners: NDArray[np.int64]) -> NDArray[np.generic]:
    """The squares of a picture, (areas, `SIDE_PX`, `SIDE_PX`).

    Args:
        picture: (h, w).
        corners: Left and top of each, (areas, 2).
    """
    return np.stack([picture[y : y + SIDE_PX, x : x + SIDE_PX] for x, y in corners.tolist()])


def grey_squares(patch: Picture, corners: NDArray[np.int64]) -> NDArray[np.float32]:
    """Grey levels of the squares, each minus its mean, float32 (areas, pixels)."""
    flat = cut_squares(patch, corners).reshape(len(corners), -1).astype(np.float32)
    return flat - flat.mean(axis=1, keepdims=True)
