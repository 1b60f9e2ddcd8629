"""Evidence for what hands do: where they touch, whether they beat in the air, are together, folded, on the hips.

Every column is a log-likelihood per 0.1 s; where a hand is, counts against an even spread over the space around.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from modalities.body.gestures.frame import BodyFrame
from modalities.body.gestures.rhythm import drift, swing
from modalities.body.skeleton import HANDS, HIPS, JOINTS, SHOULDERS, SIDES, FloatArray

HEAD_TARGETS = {
    "touch_hair": (0.0, 0.17, 0.02), "touch_back_of_head": (0.0, 0.06, -0.1), "touch_forehead": (0.0, 0.11, 0.115),
    "touch_eyes": (0.032, 0.065, 0.11), "touch_nose": (0.0, 0.03, 0.15), "touch_mouth": (0.0, -0.016, 0.13),
    "touch_chin": (0.0, -0.075, 0.11), "touch_cheek": (0.065, 0.005, 0.07), "touch_ear": (0.085, 0.045, 0.0),
}  # fmt: skip
"""Metres in the head's model (`gestures.head`), on the side of the left hand."""
PAIRED = ("touch_eyes", "touch_cheek", "touch_ear")
TRUNK_TARGETS = {
    "touch_neck": (0.1, 0.16, 0.15), "touch_collar": (0.0, -0.06, 0.33), "touch_chest": (0.02, -0.35, 0.45),
}  # fmt: skip
"""Shares of the shoulders across, of the trunk (below) or the neck (above) up, of the shoulders to the front."""

HEAD_SPREAD, TRUNK_SPREAD, ARM_SPREAD = 0.085, 0.12, 0.12
"""Standard deviation of a fingertip around the place it touches, shoulder widths."""
HOME_SPREAD = 0.15
THIGH = 0.36
"""Distance to the line from hip to knee within which a hand is on the thigh, shoulder widths."""
DEPTH_SPREAD = 0.28
"""Standard deviation of a fingertip's depth against the place it touches, shoulder widths."""
BEHIND, BESIDE = -0.2, -0.05
"""Places of the head so much farther than the ears are hidden by the head, or perhaps, shoulder widths."""
OTHER_SIDE = 1.5
"""What it costs to believe that a hand is at the other side's eye, cheek or ear."""
SPACE = 4.0
"""Area around a person in which a hand may be, square shoulder widths."""
TOUCH_SPEED = 0.9
"""Speed against the place touched that makes a touch unlikely, shoulder widths per second."""
BUSY_WINDOW_S = 1.2
BUSY, BUSY_SPREAD = 0.22, 0.15
"""Way beyond the net displacement, shoulder widths per second, at which a hand beats rather than rests."""


class Scores(NamedTuple):
    """Log-likelihoods of what one part of the body may do.

    Attributes:
        names: k names; the first is "" for nothing.
        values: (n, k).
    """

    names: tuple[str, ...]
    values: FloatArray


def hand_scores(frame: BodyFrame, side: str) -> Scores:
    """What one hand does."""
    tip, sign = frame.tips[side], 1 if side == "left" else -1
    background = -np.log(SPACE)
    slow = _slowness(frame, side)
    beating = np.clip((busyness(frame, side) - BUSY) / BUSY_SPREAD, -1.5, 1)
    resting = _resting(frame, side, background)
    columns: dict[str, FloatArray] = {"": resting - 3 * np.maximum(beating, 0)}
    for name, place in HEAD_TARGETS.items():
        columns[name] = _at_head(frame, side, (place[0] * sign, place[1], place[2])) + slow
        if name in PAIRED:
            other = _at_head(frame, side, (-place[0] * sign, place[1], place[2])) + slow - OTHER_SIDE
            columns[name] = np.maximum(columns[name], other)
    for name, (across, up, front) in TRUNK_TARGETS.items():
        target = trunk_place(frame, (across * sign, up, front))
        columns[name] = _normal(np.linalg.norm(tip - target, axis=-1), TRUNK_SPREAD) + slow + _reach_term(frame, side)
    columns["touch_shoulder"] = _normal(_to_other_shoulder(frame, side), TRUNK_SPREAD) + slow
    columns["touch_arm"] = _normal(_to_other_arm(frame, side), ARM_SPREAD) - 0.7 + slow
    columns["illustrate"] = background + 3 * beating - 4 * np.clip((THIGH - _to_thigh(frame, side)) / 0.08, 0, 1)
    columns["rub_leg"] = resting + _rubbing_leg(frame, side)
    return Scores(tuple(columns), np.stack(list(columns.values()), axis=1))


def pair_scores(frame: BodyFrame) -> Scores:
    """What both hands do together; nothing is 0."""
    left, right = frame.tips["left"], frame.tips["right"]
    apart = np.linalg.norm(left - right, axis=-1)
    face = frame.head.place((0.0, 0.03, 0.13))
    to_face = np.maximum(np.linalg.norm(left - face, axis=-1), np.linalg.norm(right - face, axis=-1))
    folded = np.maximum(_to_other_arm(frame, "left", True), _to_other_arm(frame, "right", True))
    crossed = _crossing(frame)
    together = np.where(to_face > 0.45, 6 * (1 - apart / 0.36), -3.0)
    if frame.depth is not None:
        uneven = np.abs(frame.depth["left"] - frame.depth["right"])
        together = together - np.minimum(uneven / 0.4, 3.0) ** 2 / 2
    together = np.where(folded < 0.3, np.minimum(together, 0.0), together)
    rub = _rubbing(frame)
    columns = {
        "": np.zeros(len(left)),
        "cover_face": 6 * (1 - to_face / 0.36),
        "hands_together": np.clip(together, -3, 3) - 1.5 * np.clip(rub, 0, 1),
        "rub_hands": np.clip(together, -3, 3) + 1.5 * np.clip(rub, -1, 1),
        "fold_arms": np.clip(5 * (1 - folded / 0.4), -3, 3) + np.clip(4 * crossed, -3, 1) + _raised(frame),
        "arms_akimbo": _akimbo(frame),
    }
    return Scores(tuple(columns), np.clip(np.stack(list(columns.values()), axis=1), -4, 3))


def trunk_place(frame: BodyFrame, place: tuple[float, float, float]) -> FloatArray:
    """A place of the trunk in the picture, (n, 2); see `TRUNK_TARGETS`."""
    across, up, front = place
    middle = frame.middle(SHOULDERS)
    neck = frame.head.centre - middle
    upward = up * frame.up if up < 0 else up / 0.41 * neck
    return np.asarray(middle + across * frame.across + upward + front * frame.front)


def busyness(frame: BodyFrame, side: str) -> FloatArray:
    """How far the hand goes beyond its net displacement in a window, shoulder widths per second, (n,).

    Both in the picture and against the trunk: a hand that only rides along with a rocking trunk, or rests while the
    trunk rocks, does not beat.
    """
    hand, trunk = frame.raw[:, HANDS[side]].mean(axis=1), frame.raw[:, SHOULDERS].mean(axis=1)
    return np.minimum(_excess(frame, hand), _excess(frame, hand - trunk))


def _excess(frame: BodyFrame, place: FloatArray) -> FloatArray:
    rows = np.flatnonzero(frame.valid)
    out = np.zeros(len(place))
    if len(rows) < 4:
        return out
    times, place = frame.times_s[rows], place[rows]
    steps = np.linalg.norm(np.diff(place, axis=0), axis=-1)
    noise = float(np.median(np.linalg.norm(place[2:] - 2 * place[1:-1] + place[:-2], axis=-1))) / np.sqrt(3)
    path = np.r_[0, np.cumsum(np.maximum(steps - noise, 0))]
    first = np.searchsorted(times, times - BUSY_WINDOW_S / 2)
    last = np.minimum(np.searchsorted(times, times + BUSY_WINDOW_S / 2), len(times) - 1)
    span = np.maximum(times[last] - times[first], BUSY_WINDOW_S / 2)
    net = np.linalg.norm(place[last] - place[first], axis=-1)
    out[rows] = np.maximum(path[last] - path[first] - net, 0) / span
    return out


def _normal(distance: FloatArray, spread: float) -> FloatArray:
    return np.asarray(-np.log(2 * np.pi * spread**2) - np.minimum(distance / spread, 6.0) ** 2 / 2)


def _resting(frame: BodyFrame, side: str, background: float) -> FloatArray:
    """A hand that does nothing is anywhere, or where this hand usually is, unless that is at the head."""
    tip = frame.tips[side]
    if not frame.valid.any():
        return np.full(len(tip), background)
    place = (tip - frame.middle(SHOULDERS))[frame.valid]
    home = np.median(place, axis=0)
    if home[1] > -0.15:
        return np.full(len(tip), background)
    distance = np.linalg.norm(tip - frame.middle(SHOULDERS) - home, axis=-1)
    return np.maximum(background, _normal(distance, HOME_SPREAD))


def _reach_term(frame: BodyFrame, side: str) -> FloatArray:
    """A hand far before the trunk does not touch it; 0 where depth is not given."""
    if frame.depth is None:
        return np.zeros(len(frame.times_s))
    return np.asarray(-(np.minimum(np.maximum(frame.depth[side] - 0.75, 0) / 0.2, 2.5) ** 2) / 2)


def _slowness(frame: BodyFrame, side: str) -> FloatArray:
    knuckles = frame.velocity[:, HANDS[side]].mean(axis=1) - frame.velocity[:, SHOULDERS].mean(axis=1)
    return np.asarray(-(np.minimum(np.linalg.norm(knuckles, axis=-1) / TOUCH_SPEED, 3.0) ** 2) / 2)


def _at_head(frame: BodyFrame, side: str, place: tuple[float, float, float]) -> FloatArray:
    """A fingertip at a place of the head: by the picture, by depth where it is given, by whether the head hides it."""
    distance = np.linalg.norm(frame.tips[side] - frame.head.place(place), axis=-1)
    expected = frame.head.depth_of(place)
    seen = frame.visibility[:, HANDS[side]].mean(axis=1)
    hidden = 2.0 * np.clip((0.75 - seen) / 0.15, -1, 1)
    term = np.where(
        expected < BEHIND,
        hidden - 1.0,
        np.where(expected < BESIDE, -0.5 * np.maximum(hidden, 0), -np.maximum(hidden, 0)),
    )
    if frame.depth is not None:
        term = term - np.minimum(np.abs(frame.depth[side] - expected) / DEPTH_SPREAD, 2.5) ** 2 / 2
    return np.asarray(_normal(distance, HEAD_SPREAD) + term)


def _to_other_shoulder(frame: BodyFrame, side: str) -> FloatArray:
    at = SHOULDERS[1 if side == "left" else 0]
    target = frame.points[:, at] + 0.15 * frame.front
    return np.asarray(np.linalg.norm(frame.tips[side] - target, axis=-1))


def _to_other_arm(frame: BodyFrame, side: str, upper_only: bool = False) -> FloatArray:
    """Fingertip to the other arm: from below the shoulder to before the wrist, or its upper part alone."""
    other = "right" if side == "left" else "left"
    shoulder, elbow, wrist = (frame.at(f"{other}_{name}") for name in ("shoulder", "elbow", "wrist"))
    tip = frame.tips[side]
    upper = _to_segment(tip, elbow, elbow + 0.65 * (shoulder - elbow))
    if upper_only:
        return upper
    return np.minimum(upper, _to_segment(tip, elbow, elbow + 0.7 * (wrist - elbow)))


def _to_segment(point: FloatArray, begin: FloatArray, end: FloatArray) -> FloatArray:
    way = end - begin
    share = np.sum((point - begin) * way, axis=-1) / np.maximum(np.sum(way**2, axis=-1), 1e-9)
    return np.asarray(np.linalg.norm(point - begin - np.clip(share, 0, 1)[:, None] * way, axis=-1))


def _crossing(frame: BodyFrame) -> FloatArray:
    """How far the wrists are on the other side of each other, shoulder widths, (n,)."""
    across = frame.across / np.maximum(np.linalg.norm(frame.across, axis=-1, keepdims=True), 1e-6)
    wrists = [np.sum(frame.at(f"{side}_wrist") * across, axis=-1) for side in ("left", "right")]
    return np.asarray(wrists[1] - wrists[0])


def _raised(frame: BodyFrame) -> FloatArray:
    """0 where both fingertips are above the lower part of the trunk, negative below."""
    hips, trunk = frame.middle(HIPS), np.maximum(np.linalg.norm(frame.up, axis=-1), 1e-6)
    lowest = np.minimum(*(np.sum((frame.tips[side] - hips) * frame.up, axis=-1) / trunk**2 for side in SIDES))
    return np.clip(10 * (lowest - 0.4), -4, 0)


def _rubbing(frame: BodyFrame) -> FloatArray:
    """Hands that move against each other, -1..1, (n,)."""
    hands = [frame.raw[:, HANDS[side]].mean(axis=1) for side in ("left", "right")]
    amplitude, _, purity = swing(frame.times_s, hands[0] - hands[1], frame.valid, 1.2, 4.5)
    return np.asarray(np.clip((amplitude * purity - 0.075) / 0.04, -1, 1))


def _rubbing_leg(frame: BodyFrame, side: str) -> FloatArray:
    """A hand that swings on the own thigh, against one that does nothing."""
    place = frame.raw[:, HANDS[side]].mean(axis=1) - frame.raw[:, SHOULDERS].mean(axis=1)
    elbow = frame.raw[:, JOINTS.index(f"{side}_elbow")] - frame.raw[:, SHOULDERS].mean(axis=1)
    swinging = np.c_[place, elbow] if frame.space is None else np.c_[place, frame.space[side]]
    amplitude, _, purity = swing(frame.times_s, swinging, frame.valid, 0.9, 2.6, 2.0)
    moving = np.clip((amplitude * np.maximum(2 * purity - 1, 0) - 0.05) / 0.03, -1.5, 1)
    rocking, _, pure = swing(frame.times_s, frame.raw[:, SHOULDERS].mean(axis=1), frame.valid, 0.9, 2.6, 2.0)
    moving = moving - np.maximum(rocking * pure - 0.03, 0) / 0.02
    moving = moving - np.maximum(drift(frame.times_s, place, frame.valid) - 0.15, 0) / 0.1
    near = np.clip((THIGH - _to_thigh(frame, side)) / 0.08, -3, 1)
    return np.asarray(3.5 * np.minimum(moving, near))


def _to_thigh(frame: BodyFrame, side: str) -> FloatArray:
    hip, knee = frame.at(f"{side}_hip"), frame.at(f"{side}_knee")
    return _to_segment(frame.tips[side], hip, knee + 0.2 * (knee - hip))


def _akimbo(frame: BodyFrame) -> FloatArray:
    """Both hands at the hips, both elbows away from the line from shoulder to hand."""
    across = frame.across / np.maximum(np.linalg.norm(frame.across, axis=-1, keepdims=True), 1e-6)
    at_hips, out_by = [], []
    for sign, side in ((1, "left"), (-1, "right")):
        shoulder, elbow, wrist = (frame.at(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist"))
        hip = frame.points[:, HIPS[0 if side == "left" else 1]]
        at_hips.append(np.linalg.norm((wrist + frame.tips[side]) / 2 - hip - 0.18 * sign * frame.across, axis=-1))
        out_by.append(sign * np.sum((elbow - (shoulder + wrist) / 2) * across, axis=-1))
    near = 6 * (1 - np.maximum(*at_hips) / 0.7)
    out = np.minimum(near, 10 * np.minimum(np.mean(out_by, axis=0) - 0.4, np.min(out_by, axis=0) - 0.25))
    if frame.depth is not None:
        out = np.minimum(out, 8 * (0.6 - (frame.depth["left"] + frame.depth["right"]) / 2))
    return np.clip(out, -4, 3)
