"""A seated figure: sizes of the body, and joints in space from angles of trunk and head and goals of the hands."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from modalities.body.skeleton import JOINTS, SIDES, FloatArray

_HEAD = {
    "nose": (0, 0.03, 0.14), "left_eye_inner": (0.016, 0.065, 0.11), "left_eye": (0.03, 0.065, 0.1),
    "left_eye_outer": (0.044, 0.065, 0.09), "left_ear": (0.075, 0.045, 0), "mouth_left": (0.026, -0.015, 0.11),
}  # fmt: skip
"""Metres from the pivot between the ears' lower ends: to the person's left, up, to the front; the right mirrors it."""

HEAD_PLACES = {
    "touch_hair": (0.02, 0.175, 0.03), "touch_back_of_head": (0.02, 0.06, -0.1), "touch_forehead": (0.01, 0.11, 0.12),
    "touch_eyes": (0.032, 0.065, 0.115), "touch_nose": (0.005, 0.025, 0.155), "touch_mouth": (0.005, -0.018, 0.13),
    "touch_chin": (0.01, -0.075, 0.115), "touch_cheek": (0.062, 0.005, 0.075), "touch_ear": (0.085, 0.045, 0.0),
    "cover_face": (0.035, 0.03, 0.15),
}  # fmt: skip
"""Where a fingertip of the left hand touches the head."""

TRUNK_PLACES = {
    "touch_neck": (0.045, 0.09, 0.055), "touch_collar": (0.01, -0.03, 0.11), "touch_chest": (0.02, -0.17, 0.15),
    "touch_shoulder": (-0.16, 0.01, 0.06), "arms_akimbo": (0.16, -0.46, 0.04), "reach": (0.3, -0.12, 0.48),
    "together": (0.015, -0.3, 0.34), "gesturing": (0.26, -0.2, 0.45),
}  # fmt: skip
"""The same for the trunk, metres from the middle of the shoulders."""

RESTS = {
    "lap": (0.12, -0.36, 0.4), "thighs": (0.17, -0.42, 0.42), "table": (0.2, -0.24, 0.48), "armrests": (0.3, -0.28, 0.3)
}  # fmt: skip
"""Where fingertips rest."""


@dataclass(frozen=True)
class BodySize:
    """Proportions of a body as factors of an ordinary one.

    Attributes:
        stature: All lengths.
        shoulders: Width of the shoulders.
        trunk: Hips to shoulders.
        arms: Upper arm and forearm.
        head: Size of the head.
        neck: Shoulders to the pivot of the head.
        face_seed: Of the places of the face's joints, which lie up to a centimetre off the ordinary ones.
    """

    stature: float = 1.0
    shoulders: float = 1.0
    trunk: float = 1.0
    arms: float = 1.0
    head: float = 1.0
    neck: float = 1.0
    face_seed: int | None = None

    @classmethod
    def draw(cls, rng: np.random.Generator, held_out: bool) -> BodySize:
        """A body: stature 0.92 to 1.08, held-out ones below or above (0.8 to 0.92, 1.08 to 1.2)."""
        if held_out:
            stature = float(rng.uniform(0.8, 0.92) if rng.random() < 0.5 else rng.uniform(1.08, 1.2))
        else:
            stature = float(rng.uniform(0.92, 1.08))
        shoulders, trunk, arms, head, neck = (float(rng.uniform(0.93, 1.07)) for _ in range(5))
        return cls(stature, shoulders, trunk, arms, head, neck, int(rng.integers(2**31)))


@dataclass(eq=False)
class Posture:
    """What the figure does at n times; angles in degrees, lengths in metres.

    Attributes:
        side, forward, turn: Trunk: lean to the person's left, lean forward, turn to the left; (n,).
        shift: Where the hips are, (n, 3).
        shoulders_up: Lift of the shoulders, (n,).
        head_turn, head_up, head_tilt: Of the head against the trunk: to the left, up, to the left shoulder; (n,).
        knees_up: Lift of the left and the right knee, (n, 2).
    """

    n: int
    side: FloatArray = field(init=False)
    forward: FloatArray = field(init=False)
    turn: FloatArray = field(init=False)
    shift: FloatArray = field(init=False)
    shoulders_up: FloatArray = field(init=False)
    head_turn: FloatArray = field(init=False)
    head_up: FloatArray = field(init=False)
    head_tilt: FloatArray = field(init=False)
    knees_up: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        for name in ("side", "forward", "turn", "shoulders_up", "head_turn", "head_up", "head_tilt"):
            setattr(self, name, np.zeros(self.n))
        self.shift, self.knees_up = np.zeros((self.n, 3)), np.zeros((self.n, 2))


@dataclass(frozen=True, eq=False)
class Built:
    """Joints of trunk, head and legs, and what hands aim at.

    Attributes:
        size: Proportions.
        body: (n, 33, 3), arms still missing.
        trunk: Orientation of the trunk, (n, 3, 3).
        head: Orientation of the head, (n, 3, 3).
        middle: Middle of the shoulders without their lift, (n, 3).
        pivot: Pivot of the head, (n, 3).
    """

    size: BodySize
    body: FloatArray
    trunk: FloatArray
    head: FloatArray
    middle: FloatArray
    pivot: FloatArray

    def at_head(self, place: tuple[float, float, float], sign: int) -> FloatArray:
        """A place of the head, (n, 3); sign 1 for the left hand, -1 mirrors it."""
        scale = self.size.stature * self.size.head
        return np.asarray(self.pivot + self.head @ (np.array(place) * (sign, 1, 1) * scale))

    def at_trunk(self, place: tuple[float, float, float], sign: int) -> FloatArray:
        """A place of the trunk, (n, 3)."""
        wide = np.array((self.size.shoulders, self.size.trunk if place[1] < 0 else self.size.neck, 1.0))
        return np.asarray(self.middle + self.trunk @ (np.array(place) * (sign, 1, 1) * wide * self.size.stature))

    def joint(self, name: str) -> FloatArray:
        """One joint, (n, 3)."""
        return np.asarray(self.body[:, JOINTS.index(name)])


def build(posture: Posture, size: BodySize) -> Built:
    """Joints of trunk, head and legs from the posture."""
    n, s = posture.n, size.stature
    trunk = _turned(posture.turn, posture.forward, -posture.side)
    head = trunk @ _turned(posture.head_turn, -posture.head_up, -posture.head_tilt)
    hips = posture.shift
    middle = hips + trunk @ np.array((0.0, 0.5 * size.trunk * s, 0.0))
    pivot = middle + trunk @ np.array((0.0, 0.24 * size.neck * s, 0.0))
    body = np.zeros((n, len(JOINTS), 3))
    built = Built(size, body, trunk, head, middle, pivot)
    face = np.random.default_rng(size.face_seed)
    for name, place in _HEAD.items():
        x, y, z = np.array(place) + (0 if size.face_seed is None else face.normal(0, 0.004, 3) * (place[0] > 0, 1, 1))
        body[:, JOINTS.index(name)] = built.at_head((x, y, z), 1)
        if name != "nose":
            body[:, JOINTS.index(_mirror(name))] = built.at_head((x, y, z), -1)
    for at, (side, sign) in enumerate(zip(SIDES, (1, -1), strict=True)):
        up = np.stack([0 * posture.shoulders_up, posture.shoulders_up, 0 * posture.shoulders_up], axis=-1)
        shoulder = middle + np.einsum("nij,nj->ni", trunk, up + np.array((0.17 * size.shoulders * s * sign, 0.0, 0.0)))
        lift = np.stack([0 * up[:, 0], posture.knees_up[:, at], 0 * up[:, 0]], axis=-1)
        places = {"hip": (0.11, 0, 0.03), "knee": (0.16, 0, 0.45), "ankle": (0.15, -0.43, 0.42),
                  "heel": (0.15, -0.48, 0.38), "foot_index": (0.15, -0.48, 0.55)}  # fmt: skip
        body[:, JOINTS.index(f"{side}_shoulder")] = shoulder
        for name, place in places.items():
            share = {"knee": 1.0, "ankle": 0.9, "heel": 0.9}.get(name, 0.0)
            body[:, JOINTS.index(f"{side}_{name}")] = hips + np.array(place) * (sign * s, s, s) + share * lift
    return built


def place_arm(built: Built, side: str, tip: FloatArray, outward: FloatArray) -> None:
    """Write elbow, wrist and hand of one side into the body.

    Args:
        built: Changed in place.
        side: "left" or "right".
        tip: Fingertip, (n, 3).
        outward: How far the elbow points outward instead of down, 0..1, (n,).
    """
    sign = 1 if side == "left" else -1
    arm, hand = 0.275 * built.size.arms * built.size.stature, 0.17 * built.size.stature
    shoulder = built.joint(f"{side}_shoulder")
    down = np.stack([(0.35 + 0.65 * outward) * sign, -0.9 * (1 - outward), -0.25 * outward], axis=-1)
    source = shoulder + np.einsum("nij,nj->ni", built.trunk, down * 0.3 * built.size.stature)
    forward = tip - source
    forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-6)
    wrist = tip - hand * forward
    away = wrist - shoulder
    length = np.linalg.norm(away, axis=-1, keepdims=True)
    wrist = shoulder + away * np.minimum(1.0, 1.98 * arm / np.maximum(length, 1e-6))
    length = np.minimum(length, 1.98 * arm)
    bend = np.sqrt(np.clip(arm**2 - (length / 2) ** 2, 1e-4, None))
    along = away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
    pole = np.einsum("nij,nj->ni", built.trunk, down)
    pole -= along * np.sum(pole * along, axis=-1, keepdims=True)
    pole /= np.maximum(np.linalg.norm(pole, axis=-1, keepdims=True), 1e-6)
    body = built.body
    body[:, JOINTS.index(f"{side}_elbow")] = (shoulder + wrist) / 2 + bend * pole
    body[:, JOINTS.index(f"{side}_wrist")] = wrist
    across = np.cross(forward, built.trunk[:, :, 1]) * sign
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-6)
    for name, reach, apart in (("pinky", 0.08, -0.025), ("index", 0.09, 0.025), ("thumb", 0.06, 0.035)):
        scale = built.size.stature
        body[:, JOINTS.index(f"{side}_{name}")] = wrist + scale * (reach * forward + apart * across)


def _turned(turn: FloatArray, forward: FloatArray, side: FloatArray) -> FloatArray:
    """Rotations (n, 3, 3): about the axis forward (side), then across (forward), then up (turn); degrees."""
    y, x, z = (np.radians(angle) for angle in (turn, forward, side))
    zero, one = np.zeros_like(x), np.ones_like(x)

    def stack(*rows: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    about_y = stack((np.cos(y), zero, np.sin(y)), (zero, one, zero), (-np.sin(y), zero, np.cos(y)))
    about_x = stack((one, zero, zero), (zero, np.cos(x), -np.sin(x)), (zero, np.sin(x), np.cos(x)))
    about_z = stack((np.cos(z), -np.sin(z), zero), (np.sin(z), np.cos(z), zero), (zero, zero, one))
    return np.asarray(about_y @ about_x @ about_z)


def _mirror(name: str) -> str:
    return name.replace("left", "right")
