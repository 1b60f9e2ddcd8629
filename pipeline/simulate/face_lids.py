"""Eyelids: skin that slides over the eyeball, which itself stays where it is.

A lid is given as an inverse map in the photograph's own coordinates: for a place in the changed eye, where its colour
is found in the photograph. The skin between the crease and the lid's edge is stretched; between the edges of the lids
the eyeball shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.mesh import FaceMesh

OUTLINES = {
    "right": ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    "left": ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
}
"""Upper and lower lid of each eye, from left to right in the picture."""
_CREASE = 0.17
_BAG = 0.22
"""How far above and below the eye the skin gives way, in IOD."""
_LASH = 0.05
"""Height of the strip with the lashes, which moves without being stretched, in IOD."""
_EVEN = 0.5
"""Share of plain skin colour in a closed lid: the photograph shows only the shadow of its fold."""
_LASHES = 0.6
"""How much darker the edge of a lowered lid is."""
_MEETING = 0.85
"""Where the lids meet in a blink: share of the opening that the upper lid travels."""

Map = NDArray[np.float32]


class Lids:
    """The lids of one eye.

    Args:
        mesh: The face, in pixels of the photograph.
        side: "right" or "left", the person's own.
    """

    def __init__(self, mesh: FaceMesh, side: str) -> None:
        from scipy.interpolate import PchipInterpolator

        upper, lower = (mesh.points[list(marks)] for marks in OUTLINES[side])
        self.x0, self.x1 = int(np.floor(upper[0, 0])), int(np.ceil(upper[-1, 0]))
        columns = np.arange(self.x0, self.x1 + 1)
        top, bottom = (_curve(PchipInterpolator, line, columns) for line in (upper, lower))
        self._top = top
        self._open = np.maximum(bottom - top, 0.0)
        self.opening = float(self._open.max())
        self.iod = mesh.iod
        self.box = (self.x0, float(top.min() - _CREASE * mesh.iod), self.x1, float(bottom.max() + _BAG * mesh.iod))

    def edges(self, blink: float, lift_upper: float, lift_lower: float) -> tuple[float, float]:
        """How far the upper lid has come down and the lower one up, as shares of the opening; together at most 1.

        Args:
            blink: 0 as photographed to 1 closed.
            lift_upper: Upward displacement of the upper lid's middle by action units, pixels.
            lift_lower: The same of the lower lid.
        """
        raised = min(lift_lower / self.opening, 0.45)
        down = max(blink * _MEETING - (1 - blink) * lift_upper / self.opening, -0.6)
        up = blink * (1 - _MEETING) + (1 - blink) * raised
        return min(down, 1 - up), up

    def follow(self, x: Map, y: Map, down: float, up: float) -> tuple[Map, Map]:
        """What shows at (x, y) once the lids have moved.

        Args:
            x: Columns, pixels of the photograph.
            y: Rows, pixels of the photograph, same shape.
            down: Share of the opening by which the upper lid has come down; negative when it has gone up.
            up: Share by which the lower lid has gone up.

        Returns:
            Rows of the photograph, same shape, `y` itself beyond the corners of the eye; and what the upper lid has
            brought there: 1 for its skin over what was eyeball, -1 for its lashes.
        """
        at = np.clip(x - self.x0, 0, len(self._top) - 1)
        columns = np.arange(len(self._top))
        top = np.interp(at, columns, self._top).astype(np.float32)
        gap = np.interp(at, columns, self._open).astype(np.float32)
        gap = np.where((x <= self.x0) | (x >= self.x1), np.float32(0), gap)
        edge_top, edge_bottom = top + down * gap, top + gap - up * gap
        out = y.copy()
        lash = np.float32(_LASH * self.iod)
        crease, bag = top - _CREASE * self.iod, top + gap + _BAG * self.iod
        lid = (y > crease) & (y < edge_top)
        give = np.maximum(edge_top - lash - crease, 1e-3)
        out = np.where(lid, y - down * gap * _ease((y - crease) / give), out)
        skin = (y < bag) & (y >= edge_bottom) & ~lid
        out = np.where(skin, y + up * gap * _ease((bag - y) / np.maximum(bag - edge_bottom, 1e-3)), out)
        if down < 0:
            middle = top + 0.6 * gap
            wide = (y >= edge_top) & (y < np.minimum(middle, edge_bottom))
            out = np.where(wide, y - down * gap * (middle - y) / np.maximum(middle - edge_top, 1e-3), out)
        above = (edge_top - y) / lash
        skin = np.clip((y - top) / lash + 1, 0, 1) * np.clip(2 * above - 1, 0, 1)
        lashes = np.clip(1 - np.abs(above - 0.1) / 0.35, 0, 1)
        return out.astype(np.float32), ((skin - lashes) * np.clip(down * gap / lash, 0, 1)).astype(np.float32)

    def paint(self, picture: NDArray[np.uint8], brought: Map, colour: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The picture (h, w, 3) with the lid's skin evened out where it is stretched most, and its line of lashes."""
        skin = np.float32(_EVEN) * np.maximum(brought, 0)[..., None]
        lashes = np.float32(_LASHES) * np.minimum(brought, 0)[..., None]
        return np.rint((picture + skin * (colour - picture)) * (1 + lashes)).astype(np.uint8)


def _ease(share: NDArray[np.floating]) -> NDArray[np.floating]:
    """0 to 1 with no slope at 0: the skin gives way gently where it begins to."""
    share = np.clip(share, 0, 1)
    return share * share * (2 - share)


def _curve(interpolator: type, line: NDArray[np.float64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows of an outline at whole columns."""
    order = np.argsort(line[:, 0])
    x, keep = np.unique(line[order, 0], return_index=True)
    return np.asarray(interpolator(x, line[order][keep, 1], extrapolate=False)(np.clip(columns, x[0], x[-1])))
