"""The mouth: which of the two lips a place in the picture belongs to, and what shows between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.mesh import FaceMesh

LOWER_LIP_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Upper edge of the lower lip, from left to right in the picture; teeth that show belong to what is above it."""
DARK = np.array([38.0, 14.0, 14.0], np.float32)
"""Colour inside the mouth, RGB; near the lips it is a little redder."""
NEAR = np.array([96.0, 38.0, 36.0], np.float32)

Map = NDArray[np.float32]


class Mouth:
    """The cut between the lips of one photograph.

    Args:
        mesh: The face, in pixels of the photograph.
        width: Of the canvas, pixels.
    """

    def __init__(self, mesh: FaceMesh, width: int) -> None:
        from scipy.interpolate import PchipInterpolator

        line = mesh.points[list(LOWER_LIP_INNER)]
        slope = mesh.across[1] / mesh.across[0]
        ends = [(x, near[1] + slope * (x - near[0])) for x, near in ((-2.0 * width, line[0]), (3.0 * width, line[-1]))]
        knots = np.array([ends[0], *line, ends[1]])
        self._rows = PchipInterpolator(knots[:, 0], knots[:, 1])(np.arange(width)).astype(np.float32)
        self.x0, self.x1 = float(line[0, 0]), float(line[-1, 0])
        self.iod = mesh.iod

    def below(self, place: Map) -> Map:
        """How far places (..., 2) of the photograph lie below the line between the lips, pixels, shape (...)."""
        at = np.clip(place[..., 0], 0, len(self._rows) - 1)
        first = np.minimum(at.astype(np.int32), len(self._rows) - 2)
        share = at - first
        return place[..., 1] - (self._rows[first] * (1 - share) + self._rows[first + 1] * share)

    def choose(self, above: Map, below: Map) -> tuple[Map, Map]:
        """Where in the photograph to look, and how much of the dark inside of the mouth to show.

        Args:
            above: Places (..., 2) found by following the tissue above the line back to the photograph.
            below: The same by the tissue below the line.

        Returns:
            Places (..., 2), and a share 0..1 (...) of the inside of the mouth. The lower lip lies in front.
        """
        inside_lower = self.below(below)
        inside_upper = -self.below(above)
        hidden = np.maximum(-inside_lower, 0) + np.maximum(-inside_upper, 0)
        gap_share = np.maximum(-inside_upper, 0) / np.maximum(hidden, 1e-4)
        overlap = np.clip(inside_lower / 1.5, 0, 1)
        share = np.where(inside_upper > 0, overlap, np.where(inside_lower > 0, np.float32(1), gap_share))
        place = above + share[..., None] * (below - above)
        opening = np.minimum(np.maximum(-inside_lower, 0), np.maximum(-inside_upper, 0))
        edge = np.clip(opening / 1.5, 0, 1)
        side = np.clip(np.minimum(place[..., 0] - self.x0, self.x1 - place[..., 0]) / (0.06 * self.iod), 0, 1)
        return place, (edge * side).astype(np.float32)

    def paint(self, picture: NDArray[np.uint8], share: Map) -> NDArray[np.uint8]:
        """The picture (h, w, 3), RGB, covered with the inside of the mouth where `share` (h, w) says."""
        import cv2

        deep = cv2.GaussianBlur(share, (0, 0), 0.03 * self.iod)[..., None]
        colour = NEAR + (DARK - NEAR) * np.clip(1.6 * deep - 0.5, 0, 1)
        return np.rint(picture + share[..., None] * (colour - picture)).astype(np.uint8)
