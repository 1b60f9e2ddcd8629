"""Distances of one camera in the picture of another one.

The depth camera's points are thrown onto a coarse grid of the other picture, whose elements keep the nearest (z-buffer;
Catmull 1974). From there each pixel looks for its own point: the distance that was guessed says where the depth camera
saw it, the distance found there is the next guess. Cameras that stand side by side agree after two or three rounds.
What the depth camera did not see, or the other camera does not see, stays a hole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.camera import Camera
from modalities.face.depth.surface import Surface

SAME_SURFACE = 0.02
"""Points that lie farther behind the nearest one around a place, as a share of its distance, are hidden by it."""
SETTLED_PX = 1.0
"""A pixel whose place in the depth picture still moves by more has no point of its own."""
_CELL, _SPARSE, _ROUNDS = 4, 2, 2
_RIM = 8
_Box = tuple[int, int, int, int]
Field = NDArray[np.float32]


def align(surface: Surface, camera: Camera, box: _Box) -> Surface:
    """The surface as a box of another camera's picture shows it.

    Args:
        surface: Of a depth picture.
        camera: Of the other picture; its pose and the depth camera's are in the same rig.
        box: Left, top, right, bottom in the other picture, px; may reach beyond it.

    Returns:
        Distances from the other camera. Where its pixels are smaller than the depth camera's, only every second, third
        ... has one.
    """
    own = surface.camera
    if _is_same(own, camera):
        return _cut(surface, box)
    step = max(1, int(surface.step * camera.fx / own.fx + 0.5))
    size = (-(-(box[2] - box[0]) // step), -(-(box[3] - box[1]) // step))
    front = _front(surface, camera, box[:2], step, size)
    if front is None:
        return Surface(np.zeros(size[::-1], np.float32), camera, box[:2], step)
    return Surface(_look_up(surface, camera, *front, _rays(camera, box[:2], step, size)), camera, box[:2], step)


def _is_same(one: Camera, other: Camera) -> bool:
    return (
        _lens(one) == _lens(other)
        and np.array_equal(one.pose.rotation, other.pose.rotation)
        and np.array_equal(one.pose.translation_mm, other.pose.translation_mm)
    )


def _lens(camera: Camera) -> tuple[float, ...]:
    return (camera.fx, camera.fy, camera.cx, camera.cy, *camera.distortion)


def _cut(surface: Surface, box: _Box) -> Surface:
    """The same picture, cut to the box; beyond it there is nothing."""
    step = surface.step
    first = np.floor(surface.elements_of(np.array(box[:2], float))).astype(int)
    last = np.ceil(surface.elements_of(np.array(box[2:], float))).astype(int)
    height, width = surface.distance_mm.shape
    (left, top), (right, bottom) = np.clip(first, 0, (width, height)), np.clip(last, 0, (width, height))
    corner = (surface.corner[0] + step * int(left), surface.corner[1] + step * int(top))
    return Surface(surface.distance_mm[top:bottom, left:right], surface.camera, corner, step)


def _between(one: Camera, other: Camera) -> tuple[Field, Field]:
    """Rotation (3, 3) and shift (3,) that take points of the one camera to the other."""
    turn = other.pose.rotation.T @ one.pose.rotation
    shift = other.pose.rotation.T @ (one.pose.translation_mm - other.pose.translation_mm)
    return turn.astype(np.float32), shift.astype(np.float32)


def _front(
    surface: Surface, camera: Camera, corner: tuple[int, int], step: int, size: tuple[int, int]
) -> tuple[Field, Field] | None:
    """The nearest distance near each element of the box, and farther around it, inf for none, float32 (h, w) each.
    None where nothing falls into the box.

    Every second distance is thrown onto cells of 4 elements.
    """
    import cv2

    first = _relevant(surface, camera, corner, step, size)
    if first is None:
        return None
    sparse = surface.distance_mm[first][::_SPARSE, ::_SPARSE]
    flat = np.flatnonzero(sparse)
    rows, columns = np.divmod(flat, sparse.shape[1])
    begin = (first[1].start * surface.step + surface.corner[0], first[0].start * surface.step + surface.corner[1])
    places = np.column_stack([columns, rows]) * float(_SPARSE * surface.step) + begin
    turn, shift = _between(surface.camera, camera)
    points = surface.camera.points(places, sparse.ravel()[flat].astype(np.float64)).astype(np.float32) @ turn.T + shift
    ahead = points[:, 2] > 1
    points = points[ahead]
    if not len(points):
        return None
    x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
    u, v = _to_pixels(camera, x, y)
    cells = (-(-size[0] // _CELL) + 2, -(-size[1] // _CELL) + 2)
    column = np.floor((u - corner[0]) / (step * _CELL)).astype(np.int64) + 1
    row = np.floor((v - corner[1]) / (step * _CELL)).astype(np.int64) + 1
    inside = (column >= 0) & (column < cells[0]) & (row >= 0) & (row < cells[1])
    if not inside.any():
        return None
    at, depth = row[inside] * cells[0] + column[inside], points[inside, 2]
    order = np.argsort(depth)[::-1]
    nearest = np.full(cells[0] * cells[1], np.inf, np.float32)
    nearest[at[order]] = depth[order]
    near = nearest.reshape(cells[::-1])
    around = cv2.erode(near, np.ones((3, 3), np.uint8))
    fine = [
        cv2.resize(one[1:-1, 1:-1], None, fx=_CELL, fy=_CELL, interpolation=cv2.INTER_NEAREST)[: size[1], : size[0]]
        for one in (near, around)
    ]
    return np.asarray(fine[0], np.float32), np.asarray(fine[1], np.float32)


def _relevant(
    surface: Surface, camera: Camera, corner: tuple[int, int], step: int, size: tuple[int, int]
) -> tuple[slice, slice] | None:
    """Rows and columns of the distances that can appear in the box; None for none.

    What a pixel shows lies on a line through the depth picture, between the places of the nearest and farthest point.
    """
    coarse = surface.distance_mm[::_RIM, ::_RIM]
    there = coarse[coarse > 0]
    if not there.size:
        return None
    low, high = np.array(corner, float), np.array(corner, float) + step * np.array(size)
    rim = np.array([[x, y] for x in (low[0], (low[0] + high[0]) / 2, high[0]) for y in (low[1], high[1])])
    turn, shift = _between(surface.camera, camera)
    ways = [
        camera.points(rim, np.full(len(rim), z)) for z in ((there.min() + shift[2]), (there.max() + shift[2])) if z > 1
    ]
    points = (np.concatenate([*ways, np.zeros((0, 3))]) - shift) @ turn
    points = points[points[:, 2] > 1]
    if not len(points):
        return None
    places = surface.elements_of(surface.camera.project(np.asarray(points, np.float64)))
    height, width = surface.distance_mm.shape
    left, top = np.clip(np.floor(places.min(axis=0)).astype(int) - _RIM, 0, (width, height))
    right, bottom = np.clip(np.ceil(places.max(axis=0)).astype(int) + _RIM, 0, (width, height))
    return (slice(int(top), int(bottom)), slice(int(left), int(right))) if right > left and bottom > top else None


def _rays(camera: Camera, corner: tuple[int, int], step: int, size: tuple[int, int]) -> tuple[Field, Field]:
    """Points at distance 1 that the elements of the box see: x and y, each broadcast to (h, w)."""
    import cv2

    columns, rows = (first + step * np.arange(n, dtype=np.float32) for first, n in zip(corner, size, strict=True))
    if not camera.distortion:
        x, y = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
        return x[None].astype(np.float32), y[:, None].astype(np.float32)
    # A lens bends so smoothly that every eighth pixel tells.
    coarse = [np.linspace(axis[0], axis[-1], max(2, len(axis) // 8)) for axis in (columns, rows)]
    u, v = np.meshgrid(*coarse)
    points = camera.points(np.column_stack([u.ravel(), v.ravel()]), np.ones(u.size))[:, :2].astype(np.float32)
    at = np.meshgrid(
        *(np.linspace(0, len(axis) - 1, n, dtype=np.float32) for axis, n in zip(coarse, size, strict=True))
    )
    fine = cv2.remap(points.reshape(*u.shape, 2), at[0], at[1], cv2.INTER_LINEAR)
    return np.asarray(fine[..., 0], np.float32), np.asarray(fine[..., 1], np.float32)


def _look_up(surface: Surface, camera: Camera, front: Field, around: Field, rays: tuple[Field, Field]) -> Field:
    """Distances from the camera at each element, 0 for none."""
    import cv2

    own, step = surface.camera, np.float32(surface.step)
    turn, shift = _between(camera, own)
    back, moved = _between(own, camera)
    x, y = rays
    ahead = [turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] for k in range(3)]
    depth = np.where(np.isfinite(around), around, np.float32(0))
    u = v = np.zeros_like(depth)
    for last in range(_ROUNDS, -1, -1):
        before = u, v
        one = 1 / np.maximum(depth * ahead[2] + shift[2], np.float32(1))
        right, down = (depth * ahead[0] + shift[0]) * one, (depth * ahead[1] + shift[1]) * one
        u, v = _to_pixels(own, right, down)
        u, v = (u - surface.corner[0]) / step, (v - surface.corner[1]) / step
        nearest = cv2.remap(surface.distance_mm, u, v, cv2.INTER_NEAREST, borderValue=0)
        if last:
            found = nearest * (back[2, 0] * right + back[2, 1] * down + back[2, 2]) + moved[2]
            depth = np.where(nearest > 0, found, depth)
    settled = np.maximum(np.abs(u - before[0]), np.abs(v - before[1])) <= SETTLED_PX / step
    between = cv2.remap(surface.distance_mm, u, v, cv2.INTER_LINEAR, borderValue=0)
    # Between two things, or beside a hole, the nearest distance is right and the mean of four is none.
    own_depth = np.where(np.abs(between - nearest) <= SAME_SURFACE / 2 * nearest, between, nearest)
    found = own_depth * (back[2, 0] * right + back[2, 1] * down + back[2, 2]) + moved[2]
    seen = settled & (nearest > 0) & (found <= front * np.float32(1 + SAME_SURFACE)) & (found > 0)
    return np.where(seen, found, np.float32(0)).astype(np.float32)


def _to_pixels(camera: Camera, x: Field, y: Field) -> tuple[Field, Field]:
    """Columns and rows of points at distance 1, the lens included (`Camera.project` for whole pictures)."""
    if camera.distortion:
        k1, k2, p1, p2, k3 = (np.float32(one) for one in (*camera.distortion, 0.0)[:5])
        xx, yy, xy = x * x, y * y, 2 * x * y
        r = xx + yy
        bend = 1 + r * (k1 + r * (k2 + r * k3))
        x, y = x * bend + p1 * xy + p2 * (r + 2 * xx), y * bend + p1 * (r + 2 * yy) + p2 * xy
    return (
        x * np.float32(camera.fx) + np.float32(camera.cx),
        y * np.float32(camera.fy) + np.float32(camera.cy),
    )
