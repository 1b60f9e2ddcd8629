"""What an action unit does to one face: displacement of its landmarks, and smooth fields around them.

The line between the lips is a cut: what lies above it and what lies below it have fields of their own, so that lips can
part and press together without smearing into each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.action_units import ABOVE, BELOW, LIDS, POINTS, ROWS, ActionUnit, find_row
from modalities.face.synthesis.mesh import FaceMesh, Field, Pixels, displacement_field


def unit_fields(
    mesh: FaceMesh, au: str, at: NDArray[np.floating], row: ActionUnit | None = None
) -> tuple[Field, Field]:
    """Displacement by one action unit at intensity 1, for tissue above and for tissue below the line between the lips.

    Args:
        mesh: The face.
        au: Name with or without a side.
        at: Positions (..., 2), pixels.
        row: What it does, if not what the table says.

    Returns:
        Two float32 arrays (..., 2), pixels. Movements of the lids are not part of it (see the renderer).
    """
    row = row or find_row(au)[0]
    moves = landmark_moves(mesh, au, row)
    above = {mark: moves[mark] for mark in moves if mark not in _marks(BELOW)}
    below = {mark: moves[mark] for mark in moves if mark not in _marks(ABOVE)}
    reach = row.reach * mesh.iod
    first = displacement_field(mesh, above, reach, at) if _any(above) else np.zeros(at.shape, np.float32)
    if above.keys() == below.keys():
        return first, first
    return first, displacement_field(mesh, below, reach, at) if _any(below) else np.zeros(at.shape, np.float32)


def landmark_moves(mesh: FaceMesh, au: str, row: ActionUnit | None = None) -> dict[int, Pixels]:
    """Planted displacement (x, y) in pixels at intensity 1 by landmark; zero for those that are held.

    Lids are left out: they slide over the eyeball (see the renderer).
    """
    listed, side = find_row(au)
    row = row or listed
    out: dict[int, Pixels] = {}
    held = [point for point in row.holds if point not in row.moves]
    for point, (outwards, upwards) in [*row.moves.items(), *((point, (0.0, 0.0)) for point in held)]:
        if point in LIDS and point in row.moves:
            continue
        for which, marks in zip(("right", "left"), POINTS[point], strict=True):
            active = side in ("both", which) or POINTS[point][0] == POINTS[point][1]
            sign = 1.0 if which == "left" else -1.0
            step = mesh.iod * (sign * outwards * mesh.across + upwards * mesh.upwards)
            out.update({mark: step if active else np.zeros(2) for mark in marks})
    return out


def _marks(points: frozenset[str]) -> set[int]:
    return {mark for point in points for marks in POINTS[point] for mark in marks}


def _any(moves: Mapping[int, Pixels]) -> bool:
    return any(np.any(step) for step in moves.values())


_LID_MARKS = {
    "lid_upper": (((160, 0.8), (159, 1.0), (158, 0.8), (161, 0.45), (157, 0.45)),
                  ((387, 0.8), (386, 1.0), (385, 0.8), (388, 0.45), (384, 0.45))),
    "lid_lower": (((144, 0.8), (145, 1.0), (153, 0.8), (163, 0.45), (154, 0.45)),
                  ((373, 0.8), (374, 1.0), (380, 0.8), (390, 0.45), (381, 0.45))),
}  # fmt: skip
"""Points of the lids' edges (right, left) and how far each moves with the middle one."""
_HELD = ((33, 133, 468, 52, 105, 230, 118), (263, 362, 473, 282, 334, 450, 347))
"""What stays when lids move: corners, iris, brow, the skin beneath the eye."""
_LID_REACH = 0.25


def lid_field(mesh: FaceMesh, au: str, at: NDArray[np.floating], row: ActionUnit | None = None) -> Field:
    """Displacement of the lids by one action unit at intensity 1 as if they were skin, pixels, float32 (..., 2).

    Args:
        mesh: The face; its irises (478 landmarks) are held.
        au: Name with or without a side.
        at: Positions (..., 2), pixels.
        row: What it does, if not what the table says.
    """
    listed, side = find_row(au)
    row = row or listed
    moving = [lid for lid in LIDS if lid in row.moves]
    moves: dict[int, Pixels] = {}
    for which, name in enumerate(("right", "left")):
        if not moving or side not in ("both", name):
            continue
        moves.update({mark: np.zeros(2) for mark in _HELD[which]})
        for lid in LIDS:
            up = row.moves[lid][1] if lid in moving else 0.0
            moves.update({mark: mesh.iod * up * share * mesh.upwards for mark, share in _LID_MARKS[lid][which]})
    return displacement_field(mesh, moves, _LID_REACH * mesh.iod, at)


def lid_moves(intensities: Mapping[str, float]) -> dict[str, float]:
    """Upward displacement of "lid_upper" and "lid_lower" in IOD by the action units that move lids."""
    out = dict.fromkeys(LIDS, 0.0)
    for au, intensity in intensities.items():
        row = ROWS[au.partition("_")[0]]
        for lid in LIDS:
            if lid in row.moves:
                out[lid] += intensity * row.moves[lid][1]
    return out
