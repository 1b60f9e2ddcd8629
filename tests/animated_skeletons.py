"""Animated skeletons with known truth: a seated person in space, seen by a camera that errs as pose trackers do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.body.skeleton import JOINTS, SIDES, FloatArray, Skeleton, index_of

WIDTH, HEIGHT = 640, 480
SHARPNESS_PX = 230.0
"""Pixels per metre at the person's distance, for a body of size 1."""

_REST = {
    "nose": (0, 0.27, 0.14), "left_eye_inner": (0.016, 0.305, 0.11), "left_eye": (0.03, 0.305, 0.1),
    "left_eye_outer": (0.044, 0.305, 0.09), "left_ear": (0.075, 0.285, 0), "mouth_left": (0.026, 0.225, 0.11),
    "left_shoulder": (0.17, 0, 0), "left_hip": (0.11, -0.5, 0.03), "left_knee": (0.16, -0.5, 0.45),
    "left_ankle": (0.15, -0.95, 0.42), "left_heel": (0.15, -0.98, 0.38), "left_foot_index": (0.16, -0.99, 0.55),
}  # fmt: skip
"""Metres from the middle of the shoulders: to the person's left, up, to the camera. The right side mirrors it."""

LAP = (0.12, -0.36, 0.3)
"""Where the wrist rests."""
TOUCHES = {
    "mouth": (0.0, 0.2, 0.15), "chin": (0.0, 0.16, 0.15), "cheek": (0.07, 0.23, 0.1), "ear": (0.085, 0.28, 0.03),
    "forehead": (0.02, 0.35, 0.13), "nose": (0.0, 0.26, 0.18), "eyes": (0.03, 0.3, 0.14),
}  # fmt: skip
"""Where a fingertip may touch the face."""
NEAR_MISSES = {"collar": (0.02, -0.02, 0.14), "chest": (0.0, -0.15, 0.2), "shoulder": (-0.16, 0.0, 0.1)}
"""Where hands go that do not go to the face (the last is the other shoulder)."""
HAND_M = 0.17
"""Wrist to fingertip."""


@dataclass(frozen=True)
class Act:
    """One planted movement.

    Attributes:
        kind: "hand_to_face", "near_miss" or "gesture".
        side: "left" or "right", the person's own.
        place: Key of `TOUCHES` or `NEAR_MISSES`; unused for a gesture.
        onset_s: Movement begins.
        offset_s: Movement is over.
        contact_s: First and last moment at the goal; for a gesture, of the beating.
    """

    kind: str
    side: str
    place: str
    onset_s: float
    offset_s: float
    contact_s: tuple[float, float]


@dataclass(frozen=True)
class Errors:
    """What the tracker gets wrong.

    Attributes:
        noise: Standard deviation of each joint, in shoulder widths.
        dropout: Share of samples without a body.
        hidden: Share of samples, joint by joint, with a visibility below the limit.
        swaps: Share of samples whose left and right arms, or hands, are swapped.
    """

    noise: float = 0.015
    dropout: float = 0.05
    hidden: float = 0.02
    swaps: float = 0.03


def draw_acts(rng: np.random.Generator, seconds: float) -> tuple[Act, ...]:
    """Movements one after the other with 1.5 to 4 s of rest between them."""
    acts: list[Act] = []
    at = float(rng.uniform(1.5, 3))
    while True:
        kind = str(rng.choice(["hand_to_face", "near_miss", "gesture"], p=[0.5, 0.25, 0.25]))
        places = list(TOUCHES if kind == "hand_to_face" else NEAR_MISSES)
        way, stay = float(rng.uniform(0.35, 0.8)), float(rng.uniform(0.6, 2.5))
        end = at + 2 * way + stay
        if end > seconds - 1:
            return tuple(acts)
        side, place = SIDES[int(rng.integers(2))], places[int(rng.integers(len(places)))]
        acts.append(Act(kind, side, place, at, end, (at + way, at + way + stay)))
        at = end + float(rng.uniform(1.5, 4))


def animate(
    times_s: FloatArray,
    acts: tuple[Act, ...],
    rng: np.random.Generator,
    *,
    size: float = 1.0,
    yaw_deg: float = 0.0,
    sway: float = 0.02,
    errors: Errors | None = None,
) -> Skeleton:
    """A seated person who performs these acts, as a pose tracker would report it.

    Args:
        times_s: Sample times, (n,), increasing.
        acts: Planted movements.
        rng: Source of the errors, the sway and the beats.
        size: Body size in the picture, 1 for about 80 px between the shoulders.
        yaw_deg: Angle of the camera, positive when it sees more of the person's left side.
        sway: Amplitude of the trunk's sway, metres.
        errors: The tracker's errors; by default those of `Errors`.
    """
    errors = Errors() if errors is None else errors
    n = len(times_s)
    body = np.zeros((n, len(JOINTS), 3))
    for name, place in _REST.items():
        body[:, JOINTS.index(name)] = place
        if name != "nose":
            body[:, JOINTS.index(_mirror(name))] = np.array(place) * (-1, 1, 1)
    for side, sign in zip(SIDES, (1, -1), strict=True):
        _pose_arm(body, side, _tips(times_s, [act for act in acts if act.side == side], sign, rng), sign)
    upper = [
        at for at, name in enumerate(JOINTS) if not any(low in name for low in ("hip", "knee", "ank", "hee", "foot"))
    ]
    wave = np.sin(2 * np.pi * float(rng.uniform(0.1, 0.3)) * times_s + float(rng.uniform(0, 6)))
    body[:, upper, 0] += sway * wave[:, None]
    turn = np.radians(yaw_deg)
    x = body[..., 0] * np.cos(turn) - body[..., 2] * np.sin(turn)
    scale = SHARPNESS_PX * size
    points = np.stack([WIDTH / 2 + scale * x, 0.42 * HEIGHT - scale * body[..., 1]], axis=-1)
    return _observe(times_s, points, rng, errors, 0.34 * scale)


def _tips(times_s: FloatArray, acts: list[Act], sign: int, rng: np.random.Generator) -> FloatArray:
    """Fingertip of one hand, (n, 3)."""
    rest = np.array((LAP[0] * sign, LAP[1], LAP[2] + HAND_M))
    tip = np.tile(rest, (len(times_s), 1))
    for act in acts:
        ramp = np.interp(times_s, (act.onset_s, *act.contact_s, act.offset_s), (0, 1, 1, 0))
        share = (0.5 - 0.5 * np.cos(np.pi * ramp))[:, None]
        if act.kind == "gesture":
            beat = float(rng.uniform(1.2, 2.0))
            phase = 2 * np.pi * beat * (times_s - act.contact_s[0])
            goal = np.array((0.26 * sign, -0.2, 0.45)) + 0.09 * np.sin(phase)[:, None] * (sign, 1.0, 0.0)
        else:
            goal = np.array({**TOUCHES, **NEAR_MISSES}[act.place]) * (sign, 1, 1)
        tip = tip + share * (goal - rest)
    return tip


def _pose_arm(body: FloatArray, side: str, tip: FloatArray, sign: int) -> None:
    """Write wrist, hand and elbow of one side into `body` (n, 33, 3)."""
    shoulder = body[:, JOINTS.index(f"{side}_shoulder")]
    source = shoulder + np.array((0.12 * sign, -0.28, 0.12))
    forward = tip - source
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    wrist = tip - HAND_M * forward
    body[:, JOINTS.index(f"{side}_wrist")] = wrist
    for name, along in (("pinky", 0.08), ("index", 0.09), ("thumb", 0.07)):
        body[:, JOINTS.index(f"{side}_{name}")] = wrist + along * forward
    half = (shoulder + wrist) / 2
    reach = np.linalg.norm(wrist - shoulder, axis=-1) / 2
    bend = np.sqrt(np.clip(0.27**2 - reach**2, 0.001, None))
    body[:, JOINTS.index(f"{side}_elbow")] = half + bend[:, None] * np.array((0.5 * sign, -0.85, 0.0))


def _observe(
    times_s: FloatArray, points: FloatArray, rng: np.random.Generator, errors: Errors, shoulders_px: float
) -> Skeleton:
    n = len(times_s)
    points = points + rng.normal(0, errors.noise * shoulders_px, points.shape)
    visibility = rng.uniform(0.8, 1.0, points.shape[:2])
    visibility[rng.random(visibility.shape) < errors.hidden] = 0.1
    arms = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
    swapped = rng.random(n) < errors.swaps
    hands_only = rng.random(n) < 0.5
    for rows, names in ((swapped & ~hands_only, arms), (swapped & hands_only, arms[2:])):
        left, right = (index_of(*(f"{side}_{name}" for name in names)) for side in SIDES)
        at = np.flatnonzero(rows)[:, None]
        points[at, left], points[at, right] = points[at, right].copy(), points[at, left].copy()
    found = rng.random(n) >= errors.dropout
    times_ns = np.rint(np.asarray(times_s) * 1e9).astype(np.int64)
    return Skeleton(times_ns, points, visibility, found, WIDTH, HEIGHT)


def _mirror(name: str) -> str:
    return name.replace("left", "right")
