"""The geometric recogniser: gestures from joints, piece by piece as they come, with a score each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data_schemas.event import Event
from data_schemas.gesture_schemes import GEOMETRIC
from data_schemas.time import to_ns
from modalities.body.gestures.axial import head_scores, leg_scores, shoulder_scores, trunk_scores
from modalities.body.gestures.decoding import Run, best_path, runs_of
from modalities.body.gestures.frame import BodyFrame, make_frame
from modalities.body.gestures.hands import Scores, hand_scores, pair_scores
from modalities.body.skeleton import HANDS, SHOULDERS, SIDES, Skeleton, index_of

KIND = "micro_gesture"
BLOCK_S = 15.0
"""Events are given block by block."""
CONTEXT_S = 15.0
"""What is looked at before and after a block, so that a person's usual position is known; also the delay."""
LEAST_S = {"illustrate": 0.7, "nod": 0.6, "shake_head": 0.6, "shake_body": 0.8, "shake_leg": 0.8, "rub_leg": 1.2,
           "rub_hands": 0.7, "shrug": 0.25}  # fmt: skip
"""Shortest events; `LEAST_OTHER_S` for all others."""
LEAST_OTHER_S = 0.4
MERGE_S = 0.6
"""Runs of one gesture closer than this are one event."""
_JOINTS = {
    "head": index_of("nose", "left_ear", "right_ear"), "trunk": SHOULDERS, "shoulders": SHOULDERS,
    "left_leg": index_of("left_knee", "left_ankle"), "right_leg": index_of("right_knee", "right_ankle"),
    "left": HANDS["left"], "right": HANDS["right"], "pair": [*HANDS["left"], *HANDS["right"]],
}  # fmt: skip
"""Joints whose visibility is the confidence of each part's events."""


@dataclass(frozen=True)
class Found:
    """One gesture.

    Attributes:
        part: "left" or "right" (a hand), "pair", "head", "shoulders", "trunk", "left_leg" or "right_leg".
        name: A key of `GEOMETRIC`.
        side: "left", "right", "both" or "".
        onset_ns: First moment.
        offset_ns: End.
        apex_ns: When it is surest.
        score: How sure it is, 0..1.
        confidence: Mean visibility of the joints it rests on, 0..1.
    """

    part: str
    name: str
    side: str
    onset_ns: int
    offset_ns: int
    apex_ns: int
    score: float
    confidence: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.offset_ns - self.onset_ns) * 1e-9


class GestureRecogniser:
    """Takes joints in pieces of any length and gives gestures; it keeps at most `BLOCK_S + 2 * CONTEXT_S` of them."""

    def __init__(self) -> None:
        self._kept: Skeleton | None = None
        self._block_ns: int | None = None
        self._open: list[Found] = []

    def push(self, skeleton: Skeleton) -> list[Found]:
        """Take the next joints; the gestures that have become sure, in order of onset.

        Args:
            skeleton: Later than what came before; joints as observed.
        """
        if len(skeleton.times_ns):
            self._kept = skeleton if self._kept is None else _joined(self._kept, skeleton)
            if self._block_ns is None:
                self._block_ns = int(skeleton.times_ns[0])
        out: list[Found] = []
        while self._kept is not None and self._block_ns is not None:
            end_ns = self._block_ns + to_ns(BLOCK_S)
            if self._kept.times_ns[-1] < end_ns + to_ns(CONTEXT_S):
                break
            out += self._pass(end_ns)
            self._block_ns = end_ns
            self._kept = _cut(self._kept, end_ns - to_ns(CONTEXT_S), None)
        return out

    def flush(self) -> list[Found]:
        """The last gestures; the recogniser is empty after it."""
        out = []
        if self._kept is not None:
            out = self._pass(int(self._kept.times_ns[-1]) + 1)
        out += _whole(self._open)
        self._kept, self._block_ns, self._open = None, None, []
        return sorted(out, key=_order)

    def _pass(self, end_ns: int) -> list[Found]:
        """Gestures that begin before the end of the block, of which those that end before it, too, are done."""
        if self._kept is None or self._block_ns is None:
            return []
        seen = _cut(self._kept, self._block_ns - to_ns(CONTEXT_S), end_ns + to_ns(CONTEXT_S))
        for one in find_gestures(seen):
            if one.onset_ns >= end_ns or one.offset_ns <= self._block_ns:
                continue
            before = [other for other in self._open if (other.part, other.name) == (one.part, one.name)]
            near = [other for other in before if one.onset_ns <= other.offset_ns + to_ns(MERGE_S)]
            if near:
                self._open.remove(near[-1])
                self._open.append(replace(near[-1], offset_ns=max(one.offset_ns, near[-1].offset_ns)))
            elif one.onset_ns >= self._block_ns:
                self._open.append(one)
        done = [one for one in self._open if one.offset_ns + to_ns(MERGE_S) < end_ns]
        self._open = [one for one in self._open if one not in done]
        return sorted(_whole(done), key=_order)


def recognise(skeleton: Skeleton) -> list[Found]:
    """All gestures of a skeleton, in order of onset; the same as in any pieces."""
    recogniser = GestureRecogniser()
    return [*recogniser.push(skeleton), *recogniser.flush()]


def as_events(found: list[Found], person: str) -> tuple[Event, ...]:
    """Events of kind `micro_gesture`; the label is the gesture, the details say side, role and the classes' names."""
    return tuple(_event(one, person) for one in found)


def find_gestures(skeleton: Skeleton) -> list[Found]:
    """Gestures of one block: every part of the body by itself, then what two hands do together goes before one's."""
    frame = make_frame(skeleton)
    if not frame.valid.any():
        return []
    found = [
        _found(part, run, skeleton, frame)
        for part, scores, cost in _parts(frame)
        for run in _merged(_runs(frame, scores, cost), frame)
    ]
    return sorted(_resolved(found), key=_order)


def _parts(frame: BodyFrame) -> Iterator[tuple[str, Scores, float]]:
    for side in SIDES:
        yield side, hand_scores(frame, side), 6.0
        yield f"{side}_leg", leg_scores(frame, side), 6.0
    yield "pair", pair_scores(frame), 6.0
    yield "head", head_scores(frame), 4.5
    yield "shoulders", shoulder_scores(frame), 3.0
    yield "trunk", trunk_scores(frame), 4.0


def _runs(frame: BodyFrame, scores: Scores, switch_cost: float) -> list[Run]:
    path = best_path(scores, frame.times_s, frame.valid, switch_cost)
    return runs_of(scores, path, frame.valid, frame.times_s)


def _merged(runs: list[Run], frame: BodyFrame) -> list[Run]:
    """Runs of the same gesture close to each other are one."""
    out: list[Run] = []
    for run in runs:
        near = bool(out) and frame.times_s[run.first] - frame.times_s[out[-1].last] <= MERGE_S
        if near and out[-1].name == run.name:
            a = out[-1]
            long, short = a.last - a.first + 1, run.last - run.first + 1
            score = (a.score * long + run.score * short) / (long + short)
            out[-1] = Run(a.name, a.first, run.last, score, a.peak if a.score >= run.score else run.peak)
        else:
            out.append(run)
    return out


def _found(part: str, run: Run, skeleton: Skeleton, frame: BodyFrame) -> Found:
    times_ns = skeleton.times_ns
    last = int(times_ns[run.last])
    step = int(np.median(np.diff(times_ns))) if len(times_ns) > 1 else 1
    side = part.removesuffix("_leg") if part.startswith(SIDES) else "both" if part == "pair" else ""
    rows = np.arange(run.first, run.last + 1)
    rows = rows[frame.valid[rows]]
    confidence = float(np.clip(frame.visibility[rows][:, _JOINTS[part]].mean(), 0, 1))
    onset, apex = int(times_ns[run.first]), int(times_ns[run.peak])
    return Found(part, run.name, side, onset, last + step, apex, run.score, confidence)


def _resolved(found: list[Found]) -> list[Found]:
    """One event for what two hands do together; hands that beat at the same time are one gesture."""
    pairs = [one for one in found if one.part == "pair" and one.seconds >= _least(one.name)]
    out: list[Found] = []
    beating: list[Found] = []
    for one in found:
        if one.part in SIDES and any(_shared(one, pair) > 0.4 for pair in pairs):
            continue
        (beating if one.name == "illustrate" else out).append(one)
    while beating:
        one = beating.pop(0)
        for other in [other for other in beating if other.side != one.side and _shared(one, other) > 0.4]:
            beating.remove(other)
            onset, offset = min(one.onset_ns, other.onset_ns), max(one.offset_ns, other.offset_ns)
            one = replace(one, side="both", onset_ns=onset, offset_ns=offset, score=max(one.score, other.score))
        out.append(one)
    return out


def _shared(one: Found, other: Found) -> float:
    """Overlap as a share of the shorter one."""
    both = min(one.offset_ns, other.offset_ns) - max(one.onset_ns, other.onset_ns)
    return max(both, 0) / max(1, min(one.offset_ns - one.onset_ns, other.offset_ns - other.onset_ns))


def _least(name: str) -> float:
    return LEAST_S.get(name, LEAST_OTHER_S)


def _whole(found: list[Found]) -> list[Found]:
    return [one for one in found if one.seconds >= _least(one.name)]


def _order(one: Found) -> tuple[int, str, str]:
    return one.onset_ns, one.part, one.name


def _event(one: Found, person: str) -> Event:
    gesture = GEOMETRIC[one.name]
    details = {"side": one.side, "role": gesture.role, "imigue": gesture.imigue, "ma52": gesture.ma52,
               "confidence": round(one.confidence, 3), "by": "geometry"}  # fmt: skip
    return Event("body", KIND, one.onset_ns, one.offset_ns, one.apex_ns, person, round(one.score, 4), one.name, details)


def _joined(first: Skeleton, second: Skeleton) -> Skeleton:
    world = None
    if first.world is not None and second.world is not None:
        world = np.concatenate([first.world, second.world])
    return replace(
        first,
        times_ns=np.concatenate([first.times_ns, second.times_ns]),
        points=np.concatenate([first.points, second.points]),
        visibility=np.concatenate([first.visibility, second.visibility]),
        found=np.concatenate([first.found, second.found]),
        world=world,
    )


def _cut(skeleton: Skeleton, from_ns: int, to_before_ns: int | None) -> Skeleton:
    first = int(np.searchsorted(skeleton.times_ns, from_ns))
    last = len(skeleton.times_ns) if to_before_ns is None else int(np.searchsorted(skeleton.times_ns, to_before_ns))
    rows = slice(first, last)
    return replace(
        skeleton, times_ns=skeleton.times_ns[rows], points=skeleton.points[rows], found=skeleton.found[rows],
        visibility=skeleton.visibility[rows], world=None if skeleton.world is None else skeleton.world[rows],
    )  # fmt: skip
