"""From joints to features: a pure function of arrays, so that animated skeletons test it without a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.body.cleaning import remove_outliers, smooth, unswap
from modalities.body.contact import find_contact, reach_of
from modalities.body.skeleton import (
    EYES,
    FACE,
    HANDS,
    HIPS,
    JUDGED,
    MOVING,
    SHOULDERS,
    SIDES,
    BoolArray,
    FloatArray,
    Skeleton,
)  # fmt: skip

SCALE_WINDOW_S = 10.0
"""Shoulder width is the median over this window."""
TRUNK_TO_SHOULDERS = 0.6
"""This share of the trunk, hip to shoulder, stands in for the shoulder width of a person who is turned away."""

SURE = 0.6
"""Least visibility of the wrist at which contact is judged: below it MediaPipe takes collars for hands."""

Cells = tuple[FloatArray, BoolArray]
"""Values and validity of one feature, each (n,)."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """Features of n samples.

    Attributes:
        cells: Values and validity by feature name, each (n,).
        contact: For each side bool (n,) that the hand is at the face, and where that can be judged, bool (n,).
        reach: Distance of hand and face centre, in shoulder widths, at which the hand is at the face.
    """

    cells: dict[str, Cells]
    contact: dict[str, tuple[BoolArray, BoolArray]]
    reach: float


@dataclass(frozen=True, eq=False)
class Movement:
    """Cleaned joints of n samples.

    Attributes:
        skeleton: Without swaps.
        scale: Shoulder width, px, (n,); 1 where unknown.
        scaled: bool (n,), where it is known and a body was found.
        seen: bool (n, 33), joints that can be used.
        points: Smoothed (n, 33, 2), of seen joints.
        estimated: Smoothed (n, 33, 2), of all joints, as MediaPipe guesses those that it does not see.
        velocity: (n, 33, 2), px/s.
        moving: bool (n, 33), where velocity is known.
    """

    skeleton: Skeleton
    scale: FloatArray
    scaled: BoolArray
    seen: BoolArray
    points: FloatArray
    estimated: FloatArray
    velocity: FloatArray
    moving: BoolArray


def measure(skeleton: Skeleton, movement: Movement | None = None) -> Geometry:
    """Features of a skeleton; lengths in shoulder widths, angles in degrees, positive clockwise in the picture.

    Swaps are undone, single outliers removed, positions and velocities smoothed (`modalities.body.cleaning`).

    Args:
        skeleton: As observed.
        movement: The same, cleaned; computed where it is not given.
    """
    movement = clean(skeleton) if movement is None else movement
    distances = _hand_distances(movement)
    reach = reach_of(_eye_distances(movement))
    contact = _contact(movement, distances, reach)
    return Geometry(
        {
            **_speeds(movement),
            **distances,
            "hand_to_face": _any_contact(movement, contact),
            **_posture(movement),
            "confidence": _confidence(movement.skeleton),
        },
        contact,
        reach,
    )


def clean(skeleton: Skeleton) -> Movement:
    """Undo swaps, remove outliers, smooth, and find the person's scale."""
    skeleton = unswap(skeleton, shoulder_width(skeleton))
    scale = shoulder_width(skeleton)
    scaled = np.isfinite(scale) & skeleton.found
    seen = skeleton.seen
    found = np.broadcast_to(skeleton.found[:, None], seen.shape)
    raw = remove_outliers(skeleton.points, found, skeleton.times_s)
    points, velocity, moving = smooth(raw, seen, skeleton.times_s)
    estimated, _, _ = smooth(raw, found, skeleton.times_s)
    return Movement(skeleton, np.where(scaled, scale, 1.0), scaled, seen, points, estimated, velocity, moving)


def shoulder_width(skeleton: Skeleton) -> FloatArray:
    """The person's shoulder width in px, (n,), NaN where shoulders are not seen within `SCALE_WINDOW_S`.

    Each sample's width is that between the shoulders, or `TRUNK_TO_SHOULDERS` of the trunk where that is longer (a
    person turned sideways); the result is their running median, so that breathing and turning do not change the unit.
    """
    seen, times_s, points = skeleton.seen, skeleton.times_s, skeleton.points
    width = np.linalg.norm(points[:, SHOULDERS[0]] - points[:, SHOULDERS[1]], axis=-1)
    trunk = np.linalg.norm((points[:, SHOULDERS] - points[:, HIPS]).mean(axis=1), axis=-1)
    width = np.where(seen[:, HIPS].all(axis=1), np.maximum(width, TRUNK_TO_SHOULDERS * trunk), width)
    usable = seen[:, SHOULDERS].all(axis=1) & (width > 1)
    if not usable.any():
        return np.full(len(width), np.nan)
    known_s, known = times_s[usable], width[usable]
    knots = np.unique(np.r_[np.arange(times_s[0], times_s[-1], 1.0), times_s[-1]])
    first = np.searchsorted(known_s, knots - SCALE_WINDOW_S / 2)
    last = np.searchsorted(known_s, knots + SCALE_WINDOW_S / 2, side="right")
    filled = last > first
    medians = [float(np.median(known[a:b])) for a, b in zip(first[filled], last[filled], strict=True)]
    after = np.searchsorted(known_s, times_s).clip(0, len(known_s) - 1)
    before = (after - 1).clip(0)
    nearest_s = np.minimum(np.abs(times_s - known_s[before]), np.abs(times_s - known_s[after]))
    return np.where(nearest_s <= SCALE_WINDOW_S, np.interp(times_s, knots[filled], medians), np.nan)


def line_tilt(across: FloatArray) -> FloatArray:
    """Tilt of lines against the horizontal in degrees, -90..90, positive clockwise in the picture.

    Args:
        across: (n, 2), x right and y down; its sense does not matter (a person may face away).
    """
    sense = np.where(across[:, 0] < 0, -1.0, 1.0)
    return np.asarray(np.degrees(np.arctan2(across[:, 1] * sense, across[:, 0] * sense)))


def _speeds(m: Movement) -> dict[str, Cells]:
    """Movement energy in the picture; hand speeds against the shoulders, so that sway is no hand movement."""
    counted = m.moving[:, MOVING]
    number = counted.sum(axis=1)
    speed = np.linalg.norm(m.velocity[:, MOVING], axis=-1)
    energy = (speed * counted).sum(axis=1) / np.maximum(number, 1) / m.scale
    cells: dict[str, Cells] = {"movement_energy": (energy, m.scaled & (number >= 3))}
    trunk = m.velocity[:, SHOULDERS].mean(axis=1)
    known = m.scaled & m.moving[:, SHOULDERS].all(axis=1)
    for side in SIDES:
        wrist = HANDS[side][0]
        against = np.linalg.norm(m.velocity[:, wrist] - trunk, axis=-1) / m.scale
        cells[f"{side}_hand_speed"] = (against, known & m.moving[:, wrist])
    return cells


def _hand_distances(m: Movement) -> dict[str, Cells]:
    face = m.estimated[:, FACE].mean(axis=1)
    known = m.scaled & (m.seen[:, FACE].sum(axis=1) >= 3)
    cells: dict[str, Cells] = {}
    for side in SIDES:
        hand = m.estimated[:, HANDS[side]].mean(axis=1)
        distance = np.linalg.norm(hand - face, axis=-1) / m.scale
        cells[f"hand_face_distance_{side}"] = (distance, known & m.seen[:, HANDS[side][0]])
    return cells


def _eye_distances(m: Movement) -> FloatArray:
    rows = m.scaled & m.seen[:, EYES].all(axis=1)
    return np.asarray(np.linalg.norm(m.points[rows, EYES[0]] - m.points[rows, EYES[1]], axis=-1) / m.scale[rows])


def _contact(m: Movement, distances: dict[str, Cells], reach: float) -> dict[str, tuple[BoolArray, BoolArray]]:
    out = {}
    for side in SIDES:
        distance, valid = distances[f"hand_face_distance_{side}"]
        sure = valid & (m.skeleton.visibility[:, HANDS[side][0]] >= SURE)
        out[side] = (find_contact(distance, sure, m.skeleton.times_s, reach), sure)
    return out


def _any_contact(m: Movement, contact: dict[str, tuple[BoolArray, BoolArray]]) -> Cells:
    """Known where the face is seen and a hand surely so, or both hands are known to be out of the picture."""
    at_face = np.logical_or.reduce([touching for touching, _ in contact.values()])
    hand_sure = np.logical_or.reduce([sure for _, sure in contact.values()])
    away = ~m.skeleton.inside[:, [HANDS[side][0] for side in SIDES]].any(axis=1)
    face = m.scaled & (m.seen[:, FACE].sum(axis=1) >= 3)
    return at_face.astype(np.float64), face & (hand_sure | away)


def _posture(m: Movement) -> dict[str, Cells]:
    def both(pair: list[int]) -> BoolArray:
        return np.asarray(m.seen[:, pair].all(axis=1))

    up = m.points[:, SHOULDERS].mean(axis=1) - m.points[:, HIPS].mean(axis=1)
    wrists = [HANDS[side][0] for side in SIDES]
    apart = np.linalg.norm(m.points[:, wrists[0]] - m.points[:, wrists[1]], axis=-1) / m.scale
    cells: dict[str, Cells] = {
        "trunk_lean_deg": (np.degrees(np.arctan2(up[:, 0], -up[:, 1])), both(SHOULDERS) & both(HIPS))
    }
    for name, pair in (("shoulder_tilt_deg", SHOULDERS), ("head_tilt_deg", EYES)):
        cells[name] = (line_tilt(m.points[:, pair[0]] - m.points[:, pair[1]]), both(pair))
    cells["posture_openness"] = (apart, m.scaled & both(wrists))
    return cells


def _confidence(skeleton: Skeleton) -> Cells:
    judged = np.where(skeleton.inside[:, JUDGED], skeleton.visibility[:, JUDGED], 0.0)
    return np.clip(judged.mean(axis=1), 0, 1), skeleton.found.copy()
