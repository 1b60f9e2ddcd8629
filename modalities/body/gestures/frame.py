"""Joints in the person's own units: what the evidence for gestures is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.body.cleaning import remove_outliers, smooth
from modalities.body.geometry import Movement, clean
from modalities.body.gestures.head import HeadPose, fit_head
from modalities.body.skeleton import HANDS, HIPS, JOINTS, SHOULDERS, SIDES, BoolArray, FloatArray, Skeleton, index_of

HEIGHT_OF_TRUNK = 1.47
"""Shoulders to hips in shoulder widths, where hips are not seen."""
TIP = 2.0
"""MediaPipe's joints of a hand are knuckles: fingertips are twice as far from the wrist."""


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """Joints of n samples in shoulder widths, y up, from a fixed corner of the picture.

    Attributes:
        times_s: (n,).
        points: Smoothed joints, all of them, (n, 33, 2); those that are not seen are the tracker's guess.
        raw: The same without smoothing, outliers and swaps removed.
        velocity: (n, 33, 2) per second.
        visibility: (n, 33), 0..1.
        valid: bool (n,): body found and scale known.
        seen: bool (n, 33).
        tips: Fingertips by side, (n, 2).
        across: From the right to the left shoulder, slow, (n, 2).
        up: From the hips to the shoulders, slow, (n, 2).
        front: One shoulder width to the front as it looks in the picture, slow, (n, 2).
        head: Fitted head.
        quick_head: The same without smoothing, for movement that swings.
        depth: By side: how far the fingertips are in front of the ears, shoulder widths (n,); None without world
            coordinates.
        lean: How much nearer to the camera the shoulders are than the hips, shoulder widths (n,); None without world
            coordinates.
        space: By side: the hand in space, not smoothed, shoulder widths (n, 3); None without world coordinates.
    """

    times_s: FloatArray
    points: FloatArray
    raw: FloatArray
    velocity: FloatArray
    visibility: FloatArray
    valid: BoolArray
    seen: BoolArray
    tips: dict[str, FloatArray]
    across: FloatArray
    up: FloatArray
    front: FloatArray
    head: HeadPose
    quick_head: HeadPose
    depth: dict[str, FloatArray] | None
    lean: FloatArray | None
    space: dict[str, FloatArray] | None

    def at(self, name: str) -> FloatArray:
        """One smoothed joint, (n, 2)."""
        return np.asarray(self.points[:, JOINTS.index(name)])

    def middle(self, pair: list[int]) -> FloatArray:
        """Middle of smoothed joints, (n, 2)."""
        return np.asarray(self.points[:, pair].mean(axis=1))


def make_frame(skeleton: Skeleton, movement: Movement | None = None) -> BodyFrame:
    """Put a skeleton into the person's own units.

    Args:
        skeleton: As observed.
        movement: The same, cleaned; computed where it is not given.
    """
    m = clean(skeleton) if movement is None else movement
    scale = m.scale[:, None, None]
    flip = np.array((1.0, -1.0))
    points, velocity = m.estimated / scale * flip, m.velocity / scale * flip
    found = np.broadcast_to(m.skeleton.found[:, None], m.seen.shape)
    times_s = m.skeleton.times_s
    raw = _without_spikes(m.skeleton.points / scale * flip, m.skeleton.found)
    tips = {}
    for side in SIDES:
        wrist, *knuckles = HANDS[side]
        tips[side] = points[:, wrist] + TIP * (points[:, knuckles].mean(axis=1) - points[:, wrist])
    shoulders, hips = points[:, SHOULDERS], points[:, HIPS].mean(axis=1)
    across = _slow(shoulders[:, 0] - shoulders[:, 1], m.scaled)
    hips_seen = m.seen[:, HIPS].all(axis=1)
    up = _slow(shoulders.mean(axis=1) - hips, m.scaled & hips_seen)
    if not (m.scaled & hips_seen).any():
        up = np.tile((0.0, HEIGHT_OF_TRUNK), (len(points), 1))
    head, quick_head = (fit_head(joints, m.skeleton.visibility, m.scaled) for joints in (points, raw))
    world = m.skeleton.world
    if world is None:
        front, depth, lean, space = _slow(head.forward, m.scaled), None, None, None
    else:
        steady, _, _ = smooth(remove_outliers(world, found, times_s), found, times_s)
        front, depth = _slow(_front_of(steady), m.scaled), _depth_of(steady)
        lean = (steady[:, HIPS, 2].mean(axis=1) - steady[:, SHOULDERS, 2].mean(axis=1)) / _width_of(steady)
        loose = _without_spikes(world / _width_of(steady), m.skeleton.found)
        space = {side: loose[:, HANDS[side]].mean(axis=1) for side in SIDES}
    return BodyFrame(
        times_s, points, raw, velocity, m.skeleton.visibility, m.scaled, m.seen, tips, across, up, front, head,
        quick_head, depth, lean, space,
    )  # fmt: skip


def _front_of(world: FloatArray) -> FloatArray:
    """The trunk's normal in the picture, length 1 for one that lies in it, y up, (n, 2)."""
    across = world[:, SHOULDERS[0]] - world[:, SHOULDERS[1]]
    up = world[:, SHOULDERS].mean(axis=1) - world[:, HIPS].mean(axis=1)
    normal = np.cross(across, up)
    length = np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    return np.asarray((normal / length)[:, :2] * (1.0, -1.0))


def _depth_of(world: FloatArray) -> dict[str, FloatArray]:
    """How much nearer to the camera the fingertips are than the ears, in shoulder widths of the world coordinates."""
    scale = _width_of(world)
    ears = world[:, index_of("left_ear", "right_ear"), 2].mean(axis=1)
    out = {}
    for side in SIDES:
        wrist, *knuckles = HANDS[side]
        tip = world[:, wrist, 2] + TIP * (world[:, knuckles, 2].mean(axis=1) - world[:, wrist, 2])
        out[side] = (ears - tip) / scale
    return out


def _width_of(world: FloatArray) -> float:
    """Shoulder width in metres of the world coordinates."""
    width = np.linalg.norm(world[:, SHOULDERS[0]] - world[:, SHOULDERS[1]], axis=-1)
    return max(float(np.median(width)) if len(width) else 0.0, 0.05)


def _slow(vectors: FloatArray, valid: BoolArray) -> FloatArray:
    """The median over all valid samples of the block, for every sample, (n, 2)."""
    used = vectors[valid]
    return np.tile(np.median(used, axis=0) if len(used) else np.zeros(vectors.shape[1]), (len(vectors), 1))


def _without_spikes(points: FloatArray, found: BoolArray) -> FloatArray:
    """Single samples far from both neighbours, which agree, are put between these; invalid samples mean nothing."""
    out = points.copy()
    if len(points) < 3:
        return out
    before, here, after = points[:-2], points[1:-1], points[2:]
    between = (before + after) / 2
    off = np.linalg.norm(here - between, axis=-1)
    apart = np.linalg.norm(after - before, axis=-1)
    spike = (off > 0.12) & (off > 1.5 * apart) & (found[:-2] & found[1:-1] & found[2:])[:, None]
    out[1:-1] = np.where(spike[..., None], between, here)
    return out
