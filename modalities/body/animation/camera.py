"""The camera and the tracker: perspective, angle, occlusion, noise, dropouts, swaps of left and right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.body.skeleton import FACE, HANDS, SIDES, FloatArray, Skeleton, index_of

WIDTH, HEIGHT = 640, 480
SHOULDERS_PX = 80.0
"""Width of an ordinary person's shoulders in the picture at the ordinary distance."""
DISTANCE_M = 2.2

_ARMS = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
_LEGS = ("hip", "knee", "ankle", "heel", "foot_index")


@dataclass(frozen=True)
class Camera:
    """Where the camera is.

    Attributes:
        yaw_deg: Positive when it sees more of the person's left side.
        pitch_deg: Positive when it looks down.
        distance_m: From the person.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    distance_m: float = DISTANCE_M

    @classmethod
    def draw(cls, rng: np.random.Generator, held_out: bool) -> Camera:
        """A camera from one of two ranges that share no angle and no distance.

        For development: 0 to 10 or 20 to 30 degrees to a side, -3 to 4 or 9 to 14 down, 1.9 to 2.6 m away. Held out: 10
        to 20 or 30 to 35 to a side, 4 to 9 or -8 to -3 down, 1.5 to 1.9 or 2.6 to 3.4 m away.
        """
        yaws, pitches, distances = (
            (((10, 20), (30, 35)), ((4, 9), (-8, -3)), ((1.5, 1.9), (2.6, 3.4)))
            if held_out
            else (((0, 10), (20, 30)), ((-3, 4), (9, 14)), ((1.9, 2.2), (2.2, 2.6)))
        )
        yaw, pitch, distance = (float(rng.uniform(*pair[int(rng.integers(2))])) for pair in (yaws, pitches, distances))
        return cls(float(rng.choice([-1, 1])) * yaw, pitch, distance)


@dataclass(frozen=True)
class TrackerErrors:
    """What the tracker gets wrong; `benchmarks/body_recording.py` measures these on a recording.

    Attributes:
        noise: Standard deviation of each joint from sample to sample, shoulder widths.
        drift: Standard deviation of each joint's error that lasts about 0.4 s, shoulder widths.
        hidden_noise: Factor on both for a joint that something hides.
        depth_noise: Factor on both for the third coordinate.
        depth_bias: Standard deviation of a constant error in depth of the head and of each arm, metres.
        dropout: Share of samples without a body, in runs of 1 to 4.
        swaps: Share of samples whose left and right arms, hands or legs are swapped.
        hidden: Share of samples, joint by joint, that have a visibility below the limit for no reason.
        world: Whether the tracker gives coordinates in space.
        table: Whether a table hides what lies below the hips.
    """

    noise: float = 0.008
    drift: float = 0.012
    hidden_noise: float = 3.0
    depth_noise: float = 2.5
    depth_bias: float = 0.03
    dropout: float = 0.06
    swaps: float = 0.04
    hidden: float = 0.02
    world: bool = True
    table: bool = False


def film(
    times_s: FloatArray, body: FloatArray, camera: Camera, errors: TrackerErrors, rng: np.random.Generator
) -> Skeleton:
    """A body in space as a pose tracker reports it.

    Args:
        times_s: (n,).
        body: (n, 33, 3) metres: to the person's left, up, to the front.
        camera: Where it is.
        errors: What the tracker gets wrong.
        rng: Source of the errors.
    """
    seen = _rotate(body - body.mean(axis=(0, 1)), camera)
    focal = SHOULDERS_PX * DISTANCE_M / 0.34
    depth = np.maximum(camera.distance_m - seen[..., 2], 0.3)
    points = np.stack([WIDTH / 2 + focal * seen[..., 0] / depth, HEIGHT / 2 - focal * seen[..., 1] / depth], axis=-1)
    shoulders_px = focal * 0.34 / camera.distance_m
    occluded = _occluded(seen)
    factor = np.where(occluded, errors.hidden_noise, 1.0)[..., None] * shoulders_px
    points = points + factor * _errors_of(times_s, points.shape, errors, rng)
    hips = seen[:, index_of("left_hip", "right_hip")].mean(axis=1, keepdims=True)
    world = (seen - hips) * (1.0, -1.0, -1.0)
    axes = np.array((1.0, 1.0, errors.depth_noise)) * 0.34
    spread = np.where(occluded, errors.hidden_noise, 1.0)[..., None] * axes
    world = world + spread * _errors_of(times_s, world.shape, errors, rng)
    for group in (range(11), *(index_of(*(f"{side}_{name}" for name in _ARMS[1:])) for side in SIDES)):
        world[:, list(group), 2] += rng.normal(0, errors.depth_bias)
    visibility = np.where(occluded, rng.uniform(0.25, 0.7, occluded.shape), rng.uniform(0.85, 1.0, occluded.shape))
    if errors.table:
        visibility[:, index_of(*(f"{side}_{name}" for side in SIDES for name in _LEGS[1:]))] = 0.1
    visibility[rng.random(visibility.shape) < errors.hidden] = 0.1
    _swap(points, world, visibility, errors, rng)
    found = ~_in_runs(len(times_s), errors.dropout, rng)
    times_ns = np.rint(np.asarray(times_s) * 1e9).astype(np.int64)
    return Skeleton(times_ns, points, visibility, found, WIDTH, HEIGHT, world if errors.world else None)


def _rotate(body: FloatArray, camera: Camera) -> FloatArray:
    """Into axes of the camera: right in the picture, up, towards the camera."""
    yaw, pitch = np.radians(camera.yaw_deg), np.radians(camera.pitch_deg)
    x = body[..., 0] * np.cos(yaw) - body[..., 2] * np.sin(yaw)
    z = body[..., 0] * np.sin(yaw) + body[..., 2] * np.cos(yaw)
    y = body[..., 1] * np.cos(pitch) - z * np.sin(pitch)
    return np.stack([x, y, body[..., 1] * np.sin(pitch) + z * np.cos(pitch)], axis=-1)


def _occluded(seen: FloatArray) -> np.ndarray:
    """Joints that head, trunk or a hand hides, bool (n, 33)."""
    hidden = np.zeros(seen.shape[:2], dtype=bool)
    head = seen[:, index_of("left_ear", "right_ear")].mean(axis=1)
    shoulders, hips = (seen[:, index_of(*(f"{side}_{name}" for side in SIDES))] for name in ("shoulder", "hip"))
    trunk = (shoulders.mean(axis=1) + hips.mean(axis=1)) / 2
    half = np.abs(shoulders[:, 0, 0] - shoulders[:, 1, 0]) / 2
    for side in SIDES:
        hand = index_of(*(f"{side}_{name}" for name in _ARMS[2:]))
        for joint in hand:
            near = np.linalg.norm(seen[:, joint, :2] - head[:, :2], axis=-1) < 0.12
            hidden[:, joint] |= near & (seen[:, joint, 2] < head[:, 2] - 0.02)
            behind = (np.abs(seen[:, joint, 0] - trunk[:, 0]) < half) & (seen[:, joint, 2] < trunk[:, 2] - 0.03)
            hidden[:, joint] |= behind & (seen[:, joint, 1] < shoulders[:, :, 1].mean(axis=1))
        palm = seen[:, HANDS[side]].mean(axis=1)
        for joint in [*FACE, *index_of("left_ear", "right_ear")]:
            over = np.linalg.norm(seen[:, joint, :2] - palm[:, :2], axis=-1) < 0.05
            hidden[:, joint] |= over & (palm[:, 2] > seen[:, joint, 2])
    left, right = (seen[:, HANDS[side]].mean(axis=1) for side in SIDES)
    together = np.linalg.norm(left - right, axis=-1) < 0.09
    hidden[:, index_of(*(f"right_{name}" for name in _ARMS[3:]))] |= together[:, None]
    return hidden


def _errors_of(
    times_s: FloatArray, shape: tuple[int, ...], errors: TrackerErrors, rng: np.random.Generator
) -> FloatArray:
    """Errors in shoulder widths; half of what the head's joints do, they do together."""
    white, slow = rng.standard_normal(shape), rng.standard_normal(shape)
    keep = np.exp(-np.diff(times_s) / 0.4)
    for at in range(1, len(slow)):
        slow[at] = keep[at - 1] * slow[at - 1] + np.sqrt(1 - keep[at - 1] ** 2) * slow[at]
    for values in (white, slow):
        values[:, :11] = np.sqrt(0.5) * (values[:, :11] + values[:, :1])
    return np.asarray(errors.noise * white + errors.drift * slow)


def _in_runs(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    for at in np.flatnonzero(rng.random(n) < share / 2.5):
        mask[at : at + int(rng.integers(1, 5))] = True
    return mask


def _swap(
    points: FloatArray, world: FloatArray, visibility: FloatArray, errors: TrackerErrors, rng: np.random.Generator
) -> None:
    swapped, what = _in_runs(len(points), errors.swaps, rng), rng.integers(0, 3, len(points))
    for rows, names in ((what == 0, _ARMS), (what == 1, _ARMS[2:]), (what == 2, _LEGS)):
        left, right = (index_of(*(f"{side}_{name}" for name in names)) for side in SIDES)
        at = np.flatnonzero(swapped & rows)[:, None]
        for values in (points, world, visibility):
            values[at, left], values[at, right] = values[at, right].copy(), values[at, left].copy()
