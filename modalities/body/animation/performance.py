"""What an animated person performs: acts with known class, side and interval, and the joints that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modalities.body.animation.camera import Camera, TrackerErrors, film
from modalities.body.animation.figure import (
    HEAD_PLACES,
    RESTS,
    TRUNK_PLACES,
    BodySize,
    Built,
    Posture,
    build,
    place_arm,
)  # fmt: skip
from modalities.body.skeleton import SIDES, FloatArray, Skeleton

BOTH_HANDS = ("cover_face", "hands_together", "rub_hands", "fold_arms", "arms_akimbo")
ONE_HAND = (
    *(name for name in HEAD_PLACES if name != "cover_face"), "touch_neck", "touch_collar", "touch_chest",
    "touch_shoulder", "touch_arm", "rub_leg", "illustrate",
)  # fmt: skip
HEAD = ("nod", "shake_head", "head_up", "head_down", "tilt_head", "turn_head")
TRUNK = ("posture_shift", "shake_body", "shrug")
LEGS = ("shake_leg",)
NEGATIVE = ("reach",)
"""What a hand does that is no listed gesture."""
CONTACT_SPREAD_M = 0.006
"""Standard deviation of where exactly a fingertip touches; whoever is farther off touches another place."""
KEEPS_FACING = 0.7
"""Share of a forward lean that the head makes up for, as who looks at somebody does."""
GESTURES = (*ONE_HAND, *BOTH_HANDS, *HEAD, *TRUNK, *LEGS)


@dataclass(frozen=True)
class Act:
    """One planted gesture.

    Attributes:
        name: One of `GESTURES` or `NEGATIVE`.
        side: "left", "right", "both" or "".
        start_s: It is fully there from here.
        end_s: Until here.
        ramp_s: Time that going there and coming back take, each.
        seed: Of its amplitude, rate and direction.
    """

    name: str
    side: str
    start_s: float
    end_s: float
    ramp_s: float
    seed: int

    @property
    def span_s(self) -> tuple[float, float]:
        """Its interval: from halfway there to halfway back; a shift of posture is the way itself."""
        if self.name == "posture_shift":
            return self.start_s - self.ramp_s, self.start_s
        return self.start_s - self.ramp_s / 2, self.end_s + self.ramp_s / 2

    @property
    def whole_s(self) -> tuple[float, float]:
        """First to last moment at which it moves anything."""
        return self.start_s - self.ramp_s, self.end_s + (0 if self.name == "posture_shift" else self.ramp_s)

    def envelope(self, times_s: FloatArray) -> FloatArray:
        """How much of it is there, 0..1, (n,)."""
        back = self.end_s + self.ramp_s
        ramp = np.interp(times_s, (self.start_s - self.ramp_s, self.start_s, self.end_s, back), (0, 1, 1, 0))
        if self.name == "posture_shift":
            ramp = np.interp(times_s, (self.start_s - self.ramp_s, self.start_s), (0, 1))
        return np.asarray(0.5 - 0.5 * np.cos(np.pi * ramp))


def draw_act(name: str, at_s: float, rng: np.random.Generator) -> Act:
    """An act of ordinary length that begins to move at `at_s`."""
    quick = name in ("nod", "shake_head", "shake_body", "shake_leg")
    if name == "posture_shift":
        ramp, stay = rng.uniform(0.6, 1.4), 0.0
    elif name == "shrug":
        ramp, stay = rng.uniform(0.25, 0.45), rng.uniform(0.3, 1.0)
    elif quick:
        ramp, stay = 0.25, rng.uniform(1.4, 3.0)
    elif name in HEAD:
        ramp, stay = rng.uniform(0.3, 0.6), rng.uniform(0.8, 2.5)
    else:
        repeats = name in ("rub_leg", "rub_hands", "illustrate")
        ramp, stay = rng.uniform(0.4, 0.8), rng.uniform(1.8 if repeats else 1.0, 3.5 if repeats else 3.0)
    side = "both" if name in BOTH_HANDS else "" if name in HEAD or name in TRUNK else SIDES[int(rng.integers(2))]
    if name == "illustrate" and rng.random() < 0.4:
        side = "both"
    start = at_s + float(ramp)
    return Act(name, side, start, start + float(stay), float(ramp), int(rng.integers(2**31)))


def perform(
    times_s: FloatArray,
    acts: Sequence[Act],
    seed: int,
    *,
    size: BodySize | None = None,
    camera: Camera | None = None,
    errors: TrackerErrors | None = None,
    rest: str | None = None,
) -> Skeleton:
    """A seated person who performs these acts, as a pose tracker would report it.

    Args:
        times_s: Sample times, (n,), increasing.
        acts: Planted gestures; those of one hand, of the head or of the trunk must not overlap.
        seed: Of sway, wander and the tracker's errors.
        size: Body; an ordinary one by default.
        camera: Straight in front by default.
        errors: Those of `TrackerErrors` by default.
        rest: Where the hands rest, a key of `RESTS`; by default drawn.
    """
    rng = np.random.default_rng(seed)
    errors = TrackerErrors() if errors is None else errors
    body = joints(times_s, acts, rng, size or BodySize(), rest)
    return film(times_s, body, camera or Camera(), errors, rng)


def joints(
    times_s: FloatArray,
    acts: Sequence[Act],
    rng: np.random.Generator,
    size: BodySize,
    rest: str | None = None,
    posture: Posture | None = None,
) -> FloatArray:
    """Joints in space without any error, (n, 33, 3) metres: to the person's left, up, to the front.

    Args:
        times_s: (n,).
        acts: Planted gestures.
        rng: Source of sway and wander.
        size: Body.
        rest: Where the hands rest, a key of `RESTS`; by default drawn.
        posture: What trunk, head and legs do besides; changed in place.
    """
    posture = Posture(len(times_s)) if posture is None else posture
    posture.side += _wander(times_s, 0.8, rng)
    posture.forward += rng.uniform(-4, 8) + _wander(times_s, 0.8, rng)
    for angle, spread in ((posture.head_turn, 2.5), (posture.head_up, 2.0), (posture.head_tilt, 1.2)):
        angle += _wander(times_s, spread, rng)
    for act in acts:
        _move_body(posture, act, times_s)
    posture.head_up += KEEPS_FACING * (posture.forward - posture.forward[:1])
    built = build(posture, size)
    rest = rest or str(rng.choice(list(RESTS)))
    goals = {}
    for side, sign in zip(SIDES, (1, -1), strict=True):
        drift = np.stack([_wander(times_s, 0.006, rng) for _ in range(3)], axis=-1)
        place = np.array(RESTS[rest]) * (1, 1, size.arms)
        goals[side] = built.at_trunk((float(place[0]), float(place[1]), float(place[2])), sign) + drift
    resting = dict(goals)
    tips, outward = dict(goals), {side: np.zeros(len(times_s)) for side in SIDES}
    for act in sorted(acts, key=lambda one: one.name == "touch_arm"):
        for side in SIDES:
            if act.side in (side, "both") and act.name not in LEGS:
                share = act.envelope(times_s)
                goal, elbow = _hand_goal(built, act, side, times_s, resting)
                tips[side] = tips[side] + share[:, None] * (goal - tips[side])
                outward[side] = outward[side] + share * (elbow - outward[side])
    for side in SIDES:
        place_arm(built, side, tips[side], outward[side])
    return built.body


def _move_body(posture: Posture, act: Act, times_s: FloatArray) -> None:
    """Add what an act does to trunk, head and legs."""
    rng = np.random.default_rng(act.seed)
    share, since = act.envelope(times_s), times_s - (act.start_s - act.ramp_s)
    sign = float(rng.choice([-1, 1]))
    phase = 2 * np.pi * since

    def beat(low: float, high: float, least_hz: float, most_hz: float) -> FloatArray:
        return np.asarray(rng.uniform(low, high) * share * np.sin(rng.uniform(least_hz, most_hz) * phase))

    name = act.name
    if name == "nod":
        posture.head_up += beat(6, 13, 1.3, 3.0)
    elif name == "shake_head":
        posture.head_turn += beat(9, 20, 1.2, 2.6)
    elif name == "head_up":
        posture.head_up += rng.uniform(16, 28) * share
    elif name == "head_down":
        posture.head_up -= rng.uniform(18, 35) * share
    elif name == "tilt_head":
        posture.head_tilt += sign * rng.uniform(14, 25) * share
    elif name == "turn_head":
        posture.head_turn += sign * rng.uniform(28, 50) * share
    elif name == "shrug":
        posture.shoulders_up += rng.uniform(0.04, 0.07) * share
    elif name == "shake_body":
        if rng.random() < 0.5:
            posture.side += beat(2.5, 5, 1.0, 2.5)
        else:
            posture.shift[:, 0] += beat(0.012, 0.025, 1.0, 2.5)
    elif name == "shake_leg":
        at = 0 if act.side == "left" else 1
        posture.knees_up[:, at] += 0.5 * share * rng.uniform(0.03, 0.05) * (1 + np.sin(rng.uniform(2.2, 4.3) * phase))
    elif name == "posture_shift":
        kind = int(rng.integers(3))
        if kind == 0:
            posture.side += sign * rng.uniform(10, 20) * share
        elif kind == 1:
            posture.forward += (rng.uniform(18, 30) if sign > 0 else -rng.uniform(14, 22)) * share
        else:
            posture.shift += np.outer(share, (sign * rng.uniform(0.07, 0.14), 0.0, 0.0))
            posture.side += sign * rng.uniform(-4, 4) * share


def _hand_goal(
    built: Built, act: Act, side: str, times_s: FloatArray, resting: dict[str, FloatArray]
) -> tuple[FloatArray, float]:
    """Where the fingertip goes, (n, 3), and how far out the elbow is."""
    rng = np.random.default_rng(act.seed)
    sign, n = (1 if side == "left" else -1), len(times_s)
    phase = 2 * np.pi * (times_s - act.start_s)
    jitter = rng.normal(0, CONTACT_SPREAD_M, 3)
    scratch = np.outer(np.sin(rng.uniform(2, 4) * phase), rng.uniform(0, 0.012) * np.array((0.6, 0.8, 0.0)))
    beats, reach = rng.uniform(1.0, 2.2), rng.uniform(0.05, 0.1)
    way = rng.uniform(0.2, np.pi / 2)
    where = rng.uniform(-1, 1, 3)
    name, other = act.name, "right" if side == "left" else "left"
    if name in HEAD_PLACES:
        return built.at_head(HEAD_PLACES[name], sign) + jitter + scratch, 0.35
    if name == "reach":
        place = np.array(TRUNK_PLACES["reach"]) + where * (0.08, 0.1, 0.04)
        return built.at_trunk((float(place[0]), float(place[1]), float(place[2])), sign), 0.1
    if name == "illustrate":
        moving = np.outer(np.sin(beats * phase), reach * np.array((np.cos(way), np.sin(way), 0.2)))
        moving = moving * (1, 1, 1) if side == "left" else moving * (-1, 1, 1)
        return built.at_trunk(TRUNK_PLACES["gesturing"], sign) + where * (0.04, 0.06, 0.03) + moving, 0.15
    if name in ("hands_together", "rub_hands"):
        goal = built.at_trunk(TRUNK_PLACES["together"], sign) + where * (0.02, 0.08, 0.03)
        if name == "rub_hands":
            rub = np.sin(rng.uniform(1.5, 3.2) * phase) * rng.uniform(0.025, 0.045) * sign
            goal = goal + np.outer(rub, (np.cos(way), np.sin(way), 0.3))
        return goal, 0.15
    if name == "fold_arms":
        over = 0.05 if (side == "left") == (where[0] > 0) else -0.02
        return built.at_trunk((-0.2, -0.2 + over, 0.1 + over / 2), sign) + scratch * 0, 0.25
    if name == "arms_akimbo":
        return built.at_trunk(TRUNK_PLACES["arms_akimbo"], sign) + jitter, 1.0
    if name == "touch_arm":
        shoulder, hand = built.joint(f"{other}_shoulder"), resting[other]
        place_arm(built, other, hand, np.zeros(n))
        elbow, wrist = built.joint(f"{other}_elbow"), built.joint(f"{other}_wrist")
        along = rng.uniform(0.25, 0.8)
        upper = rng.random() < 0.5
        goal = elbow + (along * (shoulder - elbow) * 0.8 if upper else along * (wrist - elbow) * 0.8)
        return goal + (0, 0.02, 0.03) + scratch * 2, 0.2
    if name == "rub_leg":
        rub = np.sin(rng.uniform(1.0, 2.0) * phase) * rng.uniform(0.06, 0.1)
        thigh = built.joint(f"{side}_knee") - built.joint(f"{side}_hip")
        along = thigh / np.linalg.norm(thigh, axis=-1, keepdims=True)
        return built.joint(f"{side}_knee") - 0.12 * along + (0, 0.05, 0) + rub[:, None] * along, 0.1
    return built.at_trunk(TRUNK_PLACES[name], sign) + jitter + scratch, 0.3


def _wander(times_s: FloatArray, spread: float, rng: np.random.Generator) -> FloatArray:
    """Slow changes of this standard deviation, (n,): three sines of 0.05 to 0.3 Hz."""
    rates, phases = rng.uniform(0.05, 0.3, 3), rng.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * np.outer(times_s, rates) + phases).sum(axis=1)
    return np.asarray(spread * waves / np.sqrt(1.5))
