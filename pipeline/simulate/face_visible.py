"""Which part of a moved surface a camera sees: the inverse of a displacement where the surface may hide itself.

Where nothing turns its back to the camera, nothing is hidden. Elsewhere nodes are sorted into cells of the picture, the
nearest that faces the camera wins its cell, and Newton steps go from there to the place that is seen at the middle of
the cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.mesh import Field, look_up

_FINER = 2
"""How much closer than the nodes of the grid the points lie that are sorted into cells."""
_STEPS = 5
_LONGEST_PX = 8.0
"""Longest Newton step."""
_LEAST_SLOPE = 0.12
"""Surfaces seen more obliquely than this are taken to be this oblique by the Newton steps, lest they run away."""
_NEAR_PX = 0.5
"""Longest step of a pixel's improvement: between two surfaces there is nothing to find."""
_LOST_PX = 2.0
"""A node whose place has not been found this closely takes that of its neighbours."""


def visible_places(grid: Field, forward: Field, distance: NDArray[np.floating], step: int) -> Field:
    """Backward displacement of every node: where the content that is seen there comes from, minus the node.

    Args:
        grid: Places of the nodes, px, (rows, columns, 2), `step` apart from half a step on.
        forward: Where each node's content moves to, minus the node, px, (rows, columns, 2).
        distance: Of that content from the camera, (rows, columns).
        step: Pixels between nodes.

    Returns:
        float32 (rows, columns, 2).
    """
    slopes = _slopes(forward, step)
    facing = slopes[0] * slopes[3] - slopes[1] * slopes[2]
    place = grid + _steady(grid, forward, step)
    if facing.min() < _LEAST_SLOPE:
        nearest, hit = _nearest(grid, forward, distance, facing, step)
        place = np.where(hit[..., None], nearest, place)
    table = np.dstack([forward, *slopes])
    for _ in range(_STEPS):
        at = look_up(table, (place + 0.5) / step - 0.5)
        missed = grid - place - at[..., :2]
        xx, xy, yx, yy = (at[..., n] for n in range(2, 6))
        scale = 1 / np.maximum(xx * yy - xy * yx, _LEAST_SLOPE)
        move = np.stack([yy * missed[..., 0] - xy * missed[..., 1], xx * missed[..., 1] - yx * missed[..., 0]], axis=-1)
        place = place + np.clip(scale[..., None] * move, -_LONGEST_PX, _LONGEST_PX)
    missed = grid - place - look_up(forward, (place + 0.5) / step - 0.5)
    back = place - grid
    lost = np.abs(missed).max(axis=-1) > _LOST_PX
    return _from_neighbours(back, lost) if lost.any() else np.asarray(back, np.float32)


def refined(pixels: Field, place: Field, forward: Field, step: int, rounds: int = 2) -> Field:
    """Places that are seen at pixels, found from good first guesses.

    Args:
        pixels: Where the pixels lie, px, (h, w, 2).
        place: First guesses, (h, w, 2).
        forward: Where each node's content moves to, minus the node, px, (rows, columns, 2).
        step: Pixels between nodes.
        rounds: Of improvement.

    Returns:
        float32 (h, w, 2).
    """
    import cv2

    fine = cv2.resize(forward, (forward.shape[1] * step, forward.shape[0] * step), interpolation=cv2.INTER_LINEAR)
    for _ in range(rounds):
        missed = pixels - place - look_up(fine, place)
        place = place + np.clip(missed, -_NEAR_PX, _NEAR_PX)
    return np.asarray(place, np.float32)


def _slopes(forward: Field, step: int) -> list[NDArray[np.float32]]:
    """Of the map node -> node + forward: d x/dx, d x/dy, d y/dx, d y/dy, float32 (rows, columns) each."""
    along_y, along_x = (np.asarray(slope) for slope in np.gradient(forward, step, axis=(0, 1)))
    return [
        (1 + along_x[..., 0]).astype(np.float32),
        along_y[..., 0].astype(np.float32),
        along_x[..., 1].astype(np.float32),
        (1 + along_y[..., 1]).astype(np.float32),
    ]


def _nearest(
    grid: Field, forward: Field, distance: NDArray[np.floating], facing: NDArray[np.floating], step: int
) -> tuple[Field, NDArray[np.bool_]]:
    """For each node the place of the nearest content that faces the camera in its cell; where there is any."""
    import cv2

    rows, columns = grid.shape[:2]
    size = (_FINER * columns, _FINER * rows)
    fine = cv2.resize(np.dstack([grid, grid + forward, distance, facing]).astype(np.float32), size)
    fine = fine.reshape(-1, 6)
    cell = np.rint((fine[:, 2:4] + 0.5) / step - 0.5).astype(np.int32)
    there = (fine[:, 5] > 0) & (cell >= 0).all(axis=1) & (cell < (columns, rows)).all(axis=1)
    fine, cell = fine[there], cell[there]
    order = np.argsort(-fine[:, 4])
    place = grid.astype(np.float32).copy()
    hit = np.zeros((rows, columns), bool)
    place[cell[order, 1], cell[order, 0]] = fine[order, :2]
    hit[cell[:, 1], cell[:, 0]] = True
    return place, hit


def _steady(grid: Field, forward: Field, step: int, rounds: int = 7) -> Field:
    """Backward displacement by fixed-point rounds, for what no node was sorted into."""
    back = -forward
    for _ in range(rounds):
        back = -look_up(forward, (grid + back + 0.5) / step - 0.5)
    return back


def _from_neighbours(back: Field, lost: NDArray[np.bool_]) -> Field:
    """The same with lost nodes filled in from those around them."""
    import cv2

    trust = (~lost).astype(np.float32)
    near = cv2.GaussianBlur(back.astype(np.float32) * trust[..., None], (0, 0), 2.0)
    share = cv2.GaussianBlur(trust, (0, 0), 2.0)
    filled = near / np.maximum(share, 1e-3)[..., None]
    return np.where(lost[..., None] & (share > 1e-3)[..., None], filled, back).astype(np.float32)
