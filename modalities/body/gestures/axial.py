"""Evidence for what head, shoulders, trunk and legs do; a column is positive where a gesture is likelier than none."""

from __future__ import annotations

import numpy as np

from modalities.body.gestures.frame import BodyFrame
from modalities.body.gestures.hands import Scores
from modalities.body.gestures.rhythm import drift, swing
from modalities.body.skeleton import HIPS, JOINTS, SHOULDERS, FloatArray, index_of

EARS = index_of("left_ear", "right_ear")
NOD_DEG, SHAKE_DEG = 3.0, 4.5
"""Amplitude at which a swing of the head is a nod or a shake."""
UP_DEG, DOWN_DEG, TILT_DEG, TURN_DEG = 10.0, 10.0, 8.5, 16.0
"""Angle against the person's usual one at which the head is raised, bowed, tilted or turned."""
SHRUG = 0.075
"""Lift of the shoulders against the ears and against the hips, shoulder widths."""
SHAKE_BODY = 0.03
SHIFT = 0.14
"""Change of the trunk's place within 1.6 s that is a shift of posture where it lasts, shoulder widths."""
SHIFT_SPEED = 0.15
LEAN_WEIGHT = 0.6
"""How much the trunk's lean in depth counts, which is less sure than what the picture shows."""
SHAKE_LEG = 0.027


def head_scores(frame: BodyFrame) -> Scores:
    """Nods, shakes, and positions that are held."""
    head, quick = frame.head, frame.quick_head
    nod, _, pure_nod = swing(frame.times_s, quick.up_deg[:, None], frame.valid, 1.0, 3.6)
    shake, _, pure_shake = swing(frame.times_s, quick.turn_deg[:, None], frame.valid, 0.9, 3.4)
    line = frame.points[:, SHOULDERS[0]] - frame.points[:, SHOULDERS[1]]
    leaning = -np.degrees(np.arctan2(line[:, 1], np.maximum(np.abs(line[:, 0]), 1e-6)))
    up = head.up_deg - usual(frame, head.up_deg)
    turn, tilt = (np.abs(v - usual(frame, v)) for v in (head.turn_deg, head.tilt_deg - leaning))
    nodding = nod * pure_nod - 0.25 * np.abs(_around(frame, up))
    shaking = shake * pure_shake - 0.25 * _around(frame, turn)
    turned = np.maximum(turn / TURN_DEG, 0)
    columns = {
        "": np.zeros(len(up)),
        "nod": _against(nodding - 0.3 * shaking, NOD_DEG),
        "shake_head": _against(shaking - 0.5 * nodding, SHAKE_DEG),
        "head_up": _against(up - 0.3 * turn, UP_DEG),
        "head_down": _against(-up - 0.3 * turn, DOWN_DEG),
        "tilt_head": _against(tilt, TILT_DEG) - np.maximum(turned - 1, 0),
        "turn_head": _against(turn, TURN_DEG),
    }
    return Scores(tuple(columns), np.stack(list(columns.values()), axis=1))


def shoulder_scores(frame: BodyFrame) -> Scores:
    """Shrugs: shoulders that rise towards the ears and away from the hips."""
    shoulders = frame.middle(SHOULDERS)
    to_ears = frame.middle(EARS)[:, 1] - shoulders[:, 1]
    lifted = usual(frame, to_ears) - to_ears
    from_hips = shoulders[:, 1] - frame.middle(HIPS)[:, 1]
    risen = from_hips - usual(frame, from_hips)
    hips = frame.seen[:, HIPS].all(axis=1)
    lift = np.where(hips, np.minimum(lifted, 1.4 * risen), lifted)
    return Scores(("", "shrug"), np.stack([np.zeros(len(lift)), _against(lift, SHRUG)], axis=1))


def trunk_scores(frame: BodyFrame) -> Scores:
    """Rocking, and shifts of posture."""
    upper = frame.raw[:, [*SHOULDERS, *EARS]].mean(axis=1)
    rock, _, purity = swing(frame.times_s, upper, frame.valid, 0.8, 3.2)
    sliding = drift(frame.times_s, upper, frame.valid)
    width = np.linalg.norm(frame.points[:, SHOULDERS[0]] - frame.points[:, SHOULDERS[1]], axis=-1)
    place = np.c_[frame.middle(SHOULDERS), frame.middle(HIPS), 1.3 * np.log(np.maximum(width, 0.1))]
    if frame.lean is not None:
        place = np.c_[place, LEAN_WEIGHT * frame.lean]
    moved = np.minimum(_step(frame, place, 1.6), _step(frame, place, 3.0))
    going = np.minimum(moved / SHIFT, _step(frame, place, 0.5) / (0.5 * SHIFT_SPEED))
    columns = {
        "": np.zeros(len(upper)),
        "shake_body": _against(rock * purity - 0.3 * np.maximum(sliding - 0.12, 0), SHAKE_BODY),
        "posture_shift": _against(going, 1.0),
    }
    return Scores(tuple(columns), np.stack(list(columns.values()), axis=1))


def leg_scores(frame: BodyFrame, side: str) -> Scores:
    """A knee that bounces."""
    knee, ankle = (frame.raw[:, JOINTS.index(f"{side}_{name}")] for name in ("knee", "ankle"))
    hips = frame.raw[:, HIPS].mean(axis=1)
    both = np.stack([knee[:, 1] - hips[:, 1], ankle[:, 1] - hips[:, 1]], axis=1)
    seen = frame.valid & frame.seen[:, JOINTS.index(f"{side}_knee")]
    amplitude, _, purity = swing(frame.times_s, both, seen, 1.6, 6.0)
    values = np.where(seen, _against(amplitude * purity, SHAKE_LEG), 0.0)
    return Scores(("", "shake_leg"), np.stack([np.where(seen, 0.0, 1.0), values], axis=1))


def usual(frame: BodyFrame, values: FloatArray) -> FloatArray:
    """The block's usual value: the median of the valid samples, for every sample."""
    return np.full(len(values), float(np.median(values[frame.valid])) if frame.valid.any() else 0.0)


def _around(frame: BodyFrame, values: FloatArray) -> FloatArray:
    """Mean over the second around each sample, (n,)."""
    rows = np.flatnonzero(frame.valid)
    if not len(rows):
        return np.zeros(len(values))
    total, times = np.r_[0, np.cumsum(values[rows])], frame.times_s[rows]
    first = np.searchsorted(times, frame.times_s - 0.5)
    last = np.searchsorted(times, frame.times_s + 0.5, side="right")
    return np.asarray((total[last] - total[first]) / np.maximum(last - first, 1))


def _against(values: FloatArray, limit: float) -> FloatArray:
    """Log-odds from -2.5 to 2.5 that grow with the value and are 0 at the limit."""
    return np.clip(4 * (values / limit - 1), -2.5, 2.5)


def _step(frame: BodyFrame, place: FloatArray, window_s: float) -> FloatArray:
    """Distance of the places half a window before and after, (n,)."""
    rows = np.flatnonzero(frame.valid)
    if len(rows) < 2:
        return np.zeros(len(place))
    times, known = frame.times_s[rows], place[rows]

    def at(moments: FloatArray) -> FloatArray:
        return np.stack([np.interp(moments, times, known[:, axis]) for axis in range(known.shape[1])], axis=1)

    half = window_s / 2
    return np.asarray(np.linalg.norm(at(frame.times_s + half) - at(frame.times_s - half), axis=-1))
