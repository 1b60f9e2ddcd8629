"""What a coder changed: the events of a file against those that it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from data_schemas.event import Event
from pipeline.coding.layers import Edit, Scope, edit, scope_of

NEAR_NS = 1_000_000
"""Times closer than this are the same: coding tools keep whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Found:
    """One event of a coder's file.

    Attributes:
        event: On the session clock.
        says: Which of apex, score and details the file states; the others are taken from the machine's event.
        comment: The coder's own remark.
    """

    event: Event
    says: frozenset[str] = frozenset()
    comment: str = ""


def changes(baseline: Mapping[str, Event], found: Sequence[Found], scopes: set[Scope]) -> list[Edit]:
    """The edits that lead from the baseline to what a file holds, within the scopes of the file.

    An event that is where and what it was is left alone, to the nanosecond. What was moved or relabelled keeps what the
    file does not say. Pairs are sought among equal times first, then by the greatest overlap, one to one.

    Args:
        baseline: Events by identity, as they were before.
        found: The file's events.
        scopes: Person, channel and kind of which the file holds all events.
    """
    left = {identity: event for identity, event in baseline.items() if scope_of(event) in scopes}
    rest = list(found)
    edits: list[Edit] = []
    for near in (_same_place, _same_times_other_kind):
        rest, pairs = _take(left, rest, near)
        edits += [one for identity, was, now in pairs for one in _difference(identity, was, now)]
    for identity, was, now in _overlapping(left, rest):
        edits += _difference(identity, was, now)
    edits += [edit("add", "", after=one.event, comment=one.comment) for one in rest]
    edits += [edit("delete", identity, before=was) for identity, was in left.items()]
    return edits


def _same_times(a: Event, b: Event) -> bool:
    return abs(a.onset_ns - b.onset_ns) <= NEAR_NS and abs(a.offset_ns - b.offset_ns) <= NEAR_NS


def _same_place(a: Event, b: Event) -> bool:
    return scope_of(a) == scope_of(b) and _same_times(a, b)


def _same_times_other_kind(a: Event, b: Event) -> bool:
    return a.person == b.person and a.channel == b.channel and _same_times(a, b)


def _take(
    left: dict[str, Event], found: Sequence[Found], alike: Callable[[Event, Event], bool]
) -> tuple[list[Found], list[tuple[str, Event, Found]]]:
    """Pairs of alike events, taken out of `left`, and the rest of `found`; of several, one with the same label."""
    places: dict[int, list[str]] = {}
    for identity, event in left.items():
        places.setdefault(event.onset_ns // NEAR_NS, []).append(identity)
    rest, pairs = [], []
    for one in found:
        place = one.event.onset_ns // NEAR_NS
        near = [identity for at in (place - 1, place, place + 1) for identity in places.get(at, ())]
        choices = [identity for identity in near if identity in left and alike(left[identity], one.event)]
        choices.sort(key=lambda identity: left[identity].label != one.event.label)
        if choices:
            pairs.append((choices[0], left.pop(choices[0]), one))
        else:
            rest.append(one)
    return rest, pairs


def _overlapping(left: dict[str, Event], rest: list[Found]) -> Iterator[tuple[str, Event, Found]]:
    """Pairs of the same scope that overlap, the best assignment of all, taken out of both."""
    for scope in sorted({scope_of(one.event) for one in rest}, key=str):
        theirs = [identity for identity, event in left.items() if scope_of(event) == scope]
        ours = [one for one in rest if scope_of(one.event) == scope]
        for a, b in best_pairs([left[identity] for identity in theirs], [one.event for one in ours], 0.0):
            rest.remove(ours[b])
            yield theirs[a], left.pop(theirs[a]), ours[b]


def best_pairs(a: Sequence[Event], b: Sequence[Event], least_iou: float) -> list[tuple[int, int]]:
    """One-to-one pairs of overlapping events with the greatest sum of IoU (intersection over union).

    Args:
        a: Events.
        b: Events.
        least_iou: Pairs below this are none; of 0, any overlap will do.

    Returns:
        Indices into a and b, by a.
    """
    out = []
    for ours, theirs in _groups(a, b):
        out += _assigned(a, b, ours, theirs, least_iou)
    return sorted(out)


def _groups(a: Sequence[Event], b: Sequence[Event]) -> Iterator[tuple[list[int], list[int]]]:
    """Stretches in which events follow one another without a break, as indices into a and b: they are judged apart."""
    every = sorted([(one.onset_ns, one.offset_ns, 0, i) for i, one in enumerate(a)]
                   + [(one.onset_ns, one.offset_ns, 1, i) for i, one in enumerate(b)])  # fmt: skip
    group: tuple[list[int], list[int]] = ([], [])
    until = None
    for onset, offset, side, index in every:
        if until is not None and onset >= until:
            yield group
            group, until = ([], []), None
        group[side].append(index)
        until = offset if until is None else max(until, offset)
    yield group


def _assigned(
    a: Sequence[Event], b: Sequence[Event], rows: list[int], columns: list[int], least_iou: float
) -> list[tuple[int, int]]:
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    if not rows or not columns:
        return []
    ours = np.array([(a[i].onset_ns, a[i].offset_ns) for i in rows], dtype=np.float64)[:, None, :]
    theirs = np.array([(b[j].onset_ns, b[j].offset_ns) for j in columns], dtype=np.float64)[None, :, :]
    shared = np.clip(np.minimum(ours[..., 1], theirs[..., 1]) - np.maximum(ours[..., 0], theirs[..., 0]), 0, None)
    iou = shared / (ours[..., 1] - ours[..., 0] + theirs[..., 1] - theirs[..., 0] - shared)
    iou = np.where(iou >= least_iou - 1e-9, iou, 0)
    best = zip(*linear_sum_assignment(iou, maximize=True), strict=True)
    return [(rows[int(i)], columns[int(j)]) for i, j in best if iou[i, j] > 0]


def _difference(identity: str, was: Event, now: Found) -> list[Edit]:
    """The edit that turns one event into another; none where they are the same."""
    event = now.event
    onset = was.onset_ns if abs(event.onset_ns - was.onset_ns) <= NEAR_NS else event.onset_ns
    offset = was.offset_ns if abs(event.offset_ns - was.offset_ns) <= NEAR_NS else event.offset_ns
    apex = was.apex_ns
    if "apex" in now.says and (apex is None or event.apex_ns is None or abs(event.apex_ns - apex) > NEAR_NS):
        apex = event.apex_ns
    if apex is not None and not onset <= apex <= offset:
        apex = None
    score = was.score
    if "score" in now.says and not _close(event.score, was.score):
        score = event.score
    details = dict(event.details) if "details" in now.says else dict(was.details)
    after = replace(
        was,
        channel=event.channel,
        kind=event.kind,
        person=event.person,
        label=event.label,
        onset_ns=onset,
        offset_ns=offset,
        apex_ns=apex,
        score=score,
        details=details,
    )
    if after == was:
        return [edit("comment", identity, comment=now.comment)] if now.comment else []
    return [edit("change", identity, was, after, now.comment)]


def _close(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and abs(a - b) <= 1e-6 * max(1.0, abs(b)))
