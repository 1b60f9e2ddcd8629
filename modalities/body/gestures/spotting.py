"""Where a gesture is, whatever its class: where some part of the body leaves its usual place, or swings."""

from __future__ import annotations

import numpy as np

from data_schemas.intervals import Interval
from modalities.body.contact import hysteresis
from modalities.body.gestures.axial import EARS, usual
from modalities.body.gestures.frame import BodyFrame, make_frame
from modalities.body.gestures.rhythm import swing
from modalities.body.skeleton import HANDS, HIPS, SHOULDERS, SIDES, FloatArray, Skeleton, index_of

HAND_AWAY, TRUNK_AWAY, SHOULDERS_AWAY, HEAD_AWAY_DEG = 0.45, 0.16, 0.07, 9.0
"""Distance from the usual place at which a part is away."""
SWINGS = 0.035
"""Amplitude of a swing of a knee, an ankle, the trunk or the hands that is a gesture, shoulder widths."""
NODS_DEG = 3.5
LEAST_S, MERGE_S = 0.4, 0.3
BLOCK_S, CONTEXT_S = 30.0, 15.0


def spot(skeleton: Skeleton) -> list[Interval]:
    """Intervals of gestures in order of onset, those of hands, head, trunk and legs by themselves.

    A person's usual place is the median over a minute. What lasts longer than that is the usual.
    """
    out: list[Interval] = []
    times_ns = skeleton.times_ns
    if not len(times_ns):
        return out
    block, context = round(BLOCK_S * 1e9), round(CONTEXT_S * 1e9)
    for begin in range(int(times_ns[0]), int(times_ns[-1]) + 1, block):
        first, last = np.searchsorted(times_ns, (begin - context, begin + block + context))
        part = Skeleton(
            times_ns[first:last], skeleton.points[first:last], skeleton.visibility[first:last],
            skeleton.found[first:last], skeleton.width, skeleton.height,
            None if skeleton.world is None else skeleton.world[first:last],
        )  # fmt: skip
        out += [one for one in spot_block(part) if begin <= one.start_ns < begin + block]
    return sorted(out, key=lambda one: (one.start_ns, one.end_ns))


def spot_block(skeleton: Skeleton) -> list[Interval]:
    """Intervals within one block."""
    frame = make_frame(skeleton)
    if not frame.valid.any():
        return []
    hands = np.maximum(*(_hand(frame, side) for side in SIDES))
    legs = index_of("left_knee", "right_knee", "left_ankle", "right_ankle")
    knees = frame.raw[:, legs, 1] - frame.raw[:, HIPS, 1].mean(axis=1, keepdims=True)
    signals = (hands, _head(frame), _trunk(frame), _swing(frame, knees, SWINGS))
    out = []
    for signal in signals:
        busy = hysteresis(signal, frame.valid, frame.times_s, 1.0, 0.7)
        out += _intervals(np.flatnonzero(busy), skeleton, frame)
    return out


def _hand(frame: BodyFrame, side: str) -> FloatArray:
    place = frame.points[:, HANDS[side]].mean(axis=1) - frame.middle(SHOULDERS)
    away = np.linalg.norm(place - _home(frame, place), axis=-1) / HAND_AWAY
    raw = frame.raw[:, HANDS[side]].mean(axis=1) - frame.raw[:, SHOULDERS].mean(axis=1)
    return np.maximum(away, _swing(frame, raw, 2 * SWINGS))


def _head(frame: BodyFrame) -> FloatArray:
    head, quick = frame.head, frame.quick_head
    away = [np.abs(v - usual(frame, v)) / HEAD_AWAY_DEG for v in (head.turn_deg, head.up_deg, head.tilt_deg)]
    nods = _swing(frame, np.c_[quick.up_deg, quick.turn_deg], NODS_DEG)
    return np.maximum(np.max(away, axis=0), nods)


def _trunk(frame: BodyFrame) -> FloatArray:
    shoulders = frame.middle(SHOULDERS)
    lift = frame.middle(EARS)[:, 1] - shoulders[:, 1]
    speed = np.linalg.norm(frame.velocity[:, [*SHOULDERS, *EARS]].mean(axis=1), axis=-1) / TRUNK_AWAY
    raw = frame.raw[:, [*SHOULDERS, *EARS]].mean(axis=1)
    return np.max([np.abs(lift - usual(frame, lift)) / SHOULDERS_AWAY, speed, _swing(frame, raw, SWINGS)], axis=0)


def _home(frame: BodyFrame, place: FloatArray) -> FloatArray:
    return np.asarray(np.median(place[frame.valid], axis=0))


def _swing(frame: BodyFrame, values: FloatArray, limit: float) -> FloatArray:
    amplitude, _, purity = swing(frame.times_s, values, frame.valid, 1.0, 5.0)
    return amplitude * purity / limit


def _intervals(rows: np.ndarray, skeleton: Skeleton, frame: BodyFrame) -> list[Interval]:
    if not len(rows):
        return []
    times_ns = skeleton.times_ns
    step = int(np.median(np.diff(times_ns))) if len(times_ns) > 1 else 1
    parts = np.split(rows, np.flatnonzero(np.diff(frame.times_s[rows]) > MERGE_S) + 1)
    spans = [(int(times_ns[part[0]]), int(times_ns[part[-1]]) + step) for part in parts]
    return [Interval(a, b) for a, b in spans if (b - a) * 1e-9 >= LEAST_S]
