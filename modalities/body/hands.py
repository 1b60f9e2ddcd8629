"""What the fingers do: hands looked at beside the pose, at a rate of their own, and the features that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import Int64Array, to_s
from modalities.body.hand_model import TIPS, Hand, load_hand_model
from modalities.body.skeleton import SIDES, BoolArray, FloatArray, index_of

SURE = 0.6
"""Least visibility of the wrist at which a hand is looked at."""
LEAST_PX = 12.0
"""Least length from the wrist to the middle knuckle, px of the video: fingers of smaller hands cannot be judged."""
BENT, STRETCHED = 120.0, 28.0
"""Bend of a finger, summed over its two outer joints, that counts as closed and as open, degrees: what the model says
of drawn fists (150 degrees) and flat hands (15 degrees), see `benchmarks/body_hands.py`."""
HOLD = 1.6
"""A look holds for this many periods of the hands' rate."""
_WRISTS = index_of("left_wrist", "right_wrist")
_INDEX, _PINKY = index_of("left_index", "right_index"), index_of("left_pinky", "right_pinky")
_FINGERS = tuple(range(first, first + 4) for first in (1, 5, 9, 13, 17))
"""Joints of each finger from its root, thumb first."""


@dataclass(frozen=True, eq=False)
class OneHand:
    """One look at one hand.

    Attributes:
        looked: Whether it was looked at.
        sure: Probability that a hand of this side was seen, 0 where none was.
        bend: Bend of thumb and fingers, degrees, (5,).
        tips: Fingertips, px, (5, 2).
    """

    looked: bool
    sure: float
    bend: FloatArray
    tips: FloatArray


NOTHING = OneHand(False, 0.0, np.zeros(5), np.zeros((5, 2)))
"""Of a hand that was left alone."""


@dataclass(frozen=True, eq=False)
class HandLook:
    """One look at both hands of a person, left then right.

    Attributes:
        looked: bool (2,); see `OneHand` for this and the others.
        sure: (2,).
        bend: (2, 5).
        tips: (2, 5, 2).
    """

    looked: BoolArray
    sure: FloatArray
    bend: FloatArray
    tips: FloatArray

    @classmethod
    def of(cls, hands: Sequence[OneHand]) -> HandLook:
        """From the left and the right hand."""
        return cls(
            np.array([one.looked for one in hands]),
            np.array([one.sure for one in hands]),
            np.stack([one.bend for one in hands]),
            np.stack([one.tips for one in hands]),
        )


def place_of_hand(points: FloatArray, visibility: FloatArray, size: tuple[int, ...], at: int) -> FloatArray | None:
    """Wrist and middle knuckle of a hand, px, (2, 2); None where the pose does not surely see it or it is too small.

    Args:
        points: Joints of the pose, px, (33, 2).
        visibility: (33,).
        size: Width and height of the picture.
        at: 0 for the left hand, 1 for the right.
    """
    wrist = points[_WRISTS[at]]
    knuckle = (2 * points[_INDEX[at]] + points[_PINKY[at]]) / 3
    inside = (knuckle >= 0).all() and (knuckle < size).all()
    if visibility[_WRISTS[at]] < SURE or not inside or np.hypot(*(knuckle - wrist)) < LEAST_PX:
        return None
    return np.stack([wrist, knuckle])


def look_at_hand(picture: NDArray[np.generic], ends: FloatArray, side: str) -> OneHand:
    """Look at the hand at a place.

    Args:
        picture: Any frame.
        ends: Wrist and middle knuckle, px, (2, 2).
        side: "left" or "right", the person's own.
    """
    hand = load_hand_model().find(picture, *ends)
    if hand is None:
        return OneHand(True, 0.0, np.zeros(5), np.zeros((5, 2)))
    sure = hand.left if side == "left" else 1 - hand.left
    return OneHand(True, sure, bends_of(hand), hand.points[list(TIPS)])


def bends_of(hand: Hand) -> FloatArray:
    """Bend of thumb and fingers: angles at the two outer joints together, 0 for a straight one, degrees, (5,)."""
    out = np.zeros(5)
    for at, joints in enumerate(_FINGERS):
        bones = np.diff(hand.world[list(joints)], axis=0)
        bones = bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)
        cosine = np.clip(np.sum(bones[1:] * bones[:-1], axis=-1), -1, 1)
        out[at] = float(np.degrees(np.arccos(cosine)).sum())
    return out


def openness_of(bend: FloatArray) -> FloatArray:
    """0 for a fist to 1 for a flat hand, (...,), from the bend of the four fingers, (..., 5)."""
    return np.asarray(np.clip((BENT - bend[..., 1:].mean(axis=-1)) / (BENT - STRETCHED), 0, 1))


def measure_hands(
    looks: Sequence[HandLook | None],
    times_ns: Int64Array,
    mouth: FloatArray,
    mouth_known: BoolArray,
    scale: FloatArray,
    scaled: BoolArray,
    rate_hz: float,
) -> dict[str, tuple[FloatArray, BoolArray]]:
    """Features of both hands at n samples; between looks the last one holds for up to `HOLD` periods.

    Args:
        looks: One per sample, None where nobody looked.
        times_ns: int64 (n,).
        mouth: Middle of the mouth, px, (n, 2).
        mouth_known: bool (n,).
        scale: Shoulder width, px, (n,).
        scaled: bool (n,), where it is known.
        rate_hz: Of the looks.

    Returns:
        Values and validity, each (n,), of `SIDE_hand_confidence`, `SIDE_hand_openness`, `SIDE_finger_motion` and
        `fingertip_mouth_distance_SIDE`.
    """
    n, times_s = len(times_ns), np.asarray(to_s(times_ns), dtype=np.float64)
    cells: dict[str, tuple[FloatArray, BoolArray]] = {}
    for at, side in enumerate(SIDES):
        rows = [row for row, look in enumerate(looks) if look is not None and look.looked[at]]
        kept = [look for look in looks if look is not None and look.looked[at]]
        sure = np.array([look.sure[at] for look in kept])
        bend = np.array([look.bend[at] for look in kept]).reshape(-1, 5)
        tips = np.array([look.tips[at] for look in kept]).reshape(-1, 5, 2)
        motion, moving = _motion(bend, sure > 0, times_s[rows], HOLD / rate_hz)
        last = np.searchsorted(rows, np.arange(n), side="right") - 1
        held = (last >= 0) & (len(rows) > 0)
        pick = np.maximum(last, 0)
        if rows:
            held &= times_s - times_s[np.array(rows)[pick]] <= HOLD / rate_hz
        else:
            sure, motion, moving = np.zeros(1), np.zeros(1), np.zeros(1, dtype=bool)
            bend, tips = np.zeros((1, 5)), np.zeros((1, 5, 2))
        seen = held & (sure[pick] > 0)
        nearest = np.linalg.norm(tips[pick] - mouth[:, None], axis=-1).min(axis=1) / np.where(scaled, scale, 1.0)
        cells[f"{side}_hand_confidence"] = (sure[pick], held)
        cells[f"{side}_hand_openness"] = (openness_of(bend)[pick], seen)
        cells[f"{side}_finger_motion"] = (motion[pick], held & moving[pick])
        cells[f"fingertip_mouth_distance_{side}"] = (nearest, seen & scaled & mouth_known)
    return cells


def _motion(bend: FloatArray, seen: BoolArray, times_s: FloatArray, longest_s: float) -> tuple[FloatArray, BoolArray]:
    """Mean change of the fingers' bend since the look before, degrees per second, and where it is known, (k,)."""
    k = len(bend)
    motion, known = np.zeros(k), np.zeros(k, dtype=bool)
    if k > 1:
        step = np.diff(times_s)
        motion[1:] = np.abs(np.diff(bend, axis=0)).mean(axis=1) / np.maximum(step, 1e-6)
        known[1:] = seen[1:] & seen[:-1] & (step <= longest_s)
    return motion, known
