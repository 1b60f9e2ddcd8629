"""Plant movements into the pictures of any face: displacement fields on the mesh, drawn frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, NothingUsableError
from modalities.face.synthesis.events import PlantedExpression, frame_truth
from modalities.face.synthesis.families import family
from modalities.face.synthesis.following import FacePath
from modalities.face.synthesis.mesh import FaceMesh, Field, Picture, find_mesh, look_up

_RIM = 0.5
"""How far around the landmarks, in inter-ocular distances, the picture may move."""
_NODES_PER_IOD = 24
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Movement:
    """How one expression moves the face at one moment.

    Attributes:
        aus: Action units, each with or without a side.
        percent: Greatest displacement, percent of the inter-ocular distance.
        family: Name of the family of fields.
    """

    aus: tuple[str, ...]
    percent: float
    family: str = "bench"


def plant(
    frames: Iterable[Picture], path: FacePath, times_s: NDArray[np.float64], events: Sequence[PlantedExpression]
) -> Iterator[Picture]:
    """The same video with expressions planted; frames outside of them are passed on untouched.

    Args:
        frames: RGB pictures, uint8 (h, w, 3).
        path: Where the face is in each (`following.follow_face`).
        times_s: Time of each, shape (n,).
        events: What to plant; only such as `visible` keeps.

    Yields:
        RGB pictures of the same size, one for each taken.

    Raises:
        InvalidValueError: an expression falls on a frame without a face.
    """
    if visible(events, path, times_s) != list(events):
        raise InvalidValueError(
            "an expression cannot be planted where there is no face",
            mend="Keep those that modalities.face.synthesis.planting.visible returns.",
        )
    sizes = np.array([event.at(times_s) for event in events]).reshape(len(events), len(times_s))
    for at, picture in enumerate(frames):
        active = np.flatnonzero(sizes[:, at] > 0).tolist()
        mesh = path.mesh(at) if len(active) else None
        if mesh is None:
            yield picture
            continue
        moves = [Movement(events[i].aus, float(sizes[i, at]), events[i].family) for i in active]
        yield displace(picture, mesh, moves)


def visible(
    events: Iterable[PlantedExpression], path: FacePath, times_s: NDArray[np.float64]
) -> list[PlantedExpression]:
    """The expressions that show: in at least one frame, with a face in every frame from onset to offset."""
    out = []
    for event in events:
        truth = frame_truth(event, times_s)
        if truth is not None and path.found[truth.onset_frame : truth.offset_frame + 1].all():
            out.append(event)
    return out


def animate(
    photograph: Picture, times_s: NDArray[np.float64], events: Sequence[PlantedExpression]
) -> Iterator[Picture]:
    """A photograph as a video in which only the planted expressions move.

    Args:
        photograph: RGB, uint8 (h, w, 3), one face.
        times_s: Frame times, shape (n,).
        events: What to plant.

    Raises:
        NothingUsableError: no face in the photograph.
    """
    mesh = find_mesh(photograph)
    points = np.broadcast_to(mesh.points.astype(np.float32), (len(times_s), *mesh.points.shape))
    path = FacePath(points, np.ones(len(times_s), bool))
    return plant((photograph for _ in times_s), path, times_s, events)


def displace(picture: Picture, mesh: FaceMesh, moves: Sequence[Movement]) -> Picture:
    """One picture with its face moved; the argument is left as it was.

    Args:
        picture: RGB, uint8 (h, w, 3).
        mesh: Its face.
        moves: What moves, and how far; fields of several add up.

    Raises:
        NothingUsableError: the face lies outside of the picture.
    """
    return warp_face(picture, mesh, lambda at: forward_field(mesh, moves, at))


def warp_face(picture: Picture, mesh: FaceMesh, forward: Callable[[NDArray[np.floating]], Field]) -> Picture:
    """One picture with its tissue displaced; the argument is left as it was.

    Args:
        picture: RGB, uint8 (h, w, 3).
        mesh: Its face.
        forward: Displacement (..., 2) in pixels of the tissue at positions (..., 2).

    Raises:
        NothingUsableError: the face lies outside of the picture.
    """
    import cv2

    height, width = picture.shape[:2]
    rim = _RIM * mesh.iod
    low = np.maximum(np.floor(mesh.points.min(axis=0) - rim), 0).astype(int)
    high = np.minimum(np.ceil(mesh.points.max(axis=0) + rim), (width, height)).astype(int)
    if np.any(high - low < 8):
        raise NothingUsableError("the face lies outside of the picture", got=f"{low} to {high}")
    step = max(1, int(mesh.iod / _NODES_PER_IOD))
    nodes = [np.arange(-(-(b - a) // step) + 1) * step + (step - 1) / 2 + a for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*nodes), axis=-1).astype(np.float32)
    back = _invert(forward(grid), grid, step)
    size = (back.shape[1] * step, back.shape[0] * step)
    fine = cv2.resize(back, size, interpolation=cv2.INTER_LINEAR)[: high[1] - low[1], : high[0] - low[0]]
    columns, rows = np.arange(low[0], high[0], dtype=np.float32), np.arange(low[1], high[1], dtype=np.float32)
    place_x, place_y = fine[..., 0] + columns, fine[..., 1] + rows[:, None]
    out = picture.copy()
    out[low[1] : high[1], low[0] : high[0]] = cv2.remap(
        picture, place_x, place_y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
    )
    return out


def forward_field(mesh: FaceMesh, moves: Sequence[Movement], at: NDArray[np.floating]) -> Field:
    """Displacement of tissue: each movement's greatest one over the positions is its percentage of the IOD.

    Args:
        mesh: The face.
        moves: What moves.
        at: Positions (..., 2) that cover the face, pixels.

    Returns:
        Displacements in pixels, float32 (..., 2).
    """
    out = np.zeros(at.shape, np.float32)
    for move in moves:
        field = np.sum([family(move.family).field(mesh, au, at) for au in move.aus], axis=0)
        peak = float(np.linalg.norm(field, axis=-1).max())
        if peak > 0:
            out += np.float32(move.percent / 100 * mesh.iod / peak) * field
    return out


def _invert(forward: Field, grid: Field, step: int) -> Field:
    """Backward displacement at every node: where its content comes from, minus the node (fixed-point rounds)."""
    back = -forward
    for _ in range(_ROUNDS):
        back = -look_up(forward, (grid + back - grid[0, 0]) / step)
    return back
