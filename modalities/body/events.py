"""Events from the features: hand to face, and bursts of hand movement above the person's own baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_schemas.event import Event
from data_schemas.time import Int64Array, to_s
from modalities.body.contact import bridge_s, hysteresis
from modalities.body.geometry import Geometry
from modalities.body.skeleton import SIDES, BoolArray, FloatArray

LEAST_S = 0.3
"""Shortest event."""
MERGE_S = 0.3
"""Runs of one hand closer than this are one event."""
BURST_LIMITS = (0.6, 2.0)
"""A burst begins above the baseline's limit, but never below the first and always above the second, widths/s."""
SPREADS = 4.0
"""The baseline's limit lies this many spreads above it."""


@dataclass(frozen=True)
class Run:
    """Consecutive samples first..last, both included."""

    first: int
    last: int


def find_events(geometry: Geometry, times_ns: Int64Array, person: str) -> tuple[Event, ...]:
    """Hand-to-face and gesture events in order of onset."""
    found = [*_find_touches(geometry, times_ns, person), *_find_gestures(geometry, times_ns, person)]
    return tuple(sorted(found, key=lambda event: (event.onset_ns, event.kind, event.label)))


def _find_touches(geometry: Geometry, times_ns: Int64Array, person: str) -> list[Event]:
    """Score: how deep within the reach the hand came, 0 at its rim to 1 at the centre of the face."""
    events = []
    for side in SIDES:
        distance, _ = geometry.cells[f"hand_face_distance_{side}"]
        touching, sure = geometry.contact[side]
        for run in find_runs(touching, sure, times_ns):
            inside = np.arange(run.first, run.last + 1)
            inside = inside[sure[inside]]
            nearest = int(inside[np.argmin(distance[inside])])
            score = float(np.clip(1 - distance[nearest] / geometry.reach, 0, 1))
            events.append(_event("hand_to_face", run, nearest, times_ns, person, score, side))
    return events


def _find_gestures(geometry: Geometry, times_ns: Int64Array, person: str) -> list[Event]:
    """Score: peak speed in shoulder widths per second. Both hands at once are one event."""
    times_s = _seconds(times_ns)
    runs: list[tuple[Run, str]] = []
    peak = np.zeros(len(times_ns))
    for side in SIDES:
        speed, valid = geometry.cells[f"{side}_hand_speed"]
        limit = burst_limit(speed[valid])
        peak = np.maximum(peak, np.where(valid, speed, 0))
        busy = hysteresis(speed, valid, times_s, limit, 0.5 * limit)
        runs += [(run, side) for run in find_runs(busy, valid, times_ns, MERGE_S)]
    events = []
    for run, side in _join_hands(runs):
        apex = run.first + int(np.argmax(peak[run.first : run.last + 1]))
        events.append(_event("gesture", run, apex, times_ns, person, float(peak[apex]), side))
    return events


def burst_limit(speed: FloatArray) -> float:
    """Speed above which movement stands out of the person's own baseline, widths/s.

    Baseline and spread come from the slower half of the samples (25 % point, and from the 5 % to the 50 % point), so
    that gestures, which are the fast ones, do not raise their own limit.
    """
    if not len(speed):
        return BURST_LIMITS[0]
    low, base, middle = np.percentile(speed, [5, 25, 50])
    return float(np.clip(base + SPREADS * (middle - low), *BURST_LIMITS))


def find_runs(mask: BoolArray, valid: BoolArray, times_ns: Int64Array, merge_s: float = 0.0) -> list[Run]:
    """Runs of True of at least `LEAST_S`.

    Args:
        mask: bool (n,).
        valid: bool (n,). Invalid samples do not end a run when the valid ones around them are at most `bridge_s` apart.
        times_ns: int64 (n,).
        merge_s: Valid False samples do not end a run when the True ones around them are at most this far apart.
    """
    at = np.flatnonzero(mask)
    if not len(at):
        return []
    times_s = _seconds(times_ns)
    refused = np.r_[0, np.cumsum(valid & ~mask)]
    limit = np.where(refused[at[1:]] > refused[at[:-1]], merge_s, bridge_s(times_s))
    cut = np.flatnonzero(np.diff(times_s[at]) > limit)
    firsts, lasts = at[np.r_[0, cut + 1]], at[np.r_[cut, len(at) - 1]]
    runs = [Run(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True)]
    return [run for run in runs if to_s(_end_of(run, times_ns) - int(times_ns[run.first])) >= LEAST_S]


def _join_hands(runs: list[tuple[Run, str]]) -> list[tuple[Run, str]]:
    """Overlapping runs of the two hands become one, labelled "both"."""
    joined: list[tuple[Run, str]] = []
    for run, side in sorted(runs, key=lambda pair: pair[0].first):
        if joined and run.first <= joined[-1][0].last:
            before, label = joined[-1]
            shared = min(before.last, run.last) - run.first + 1
            shorter = min(before.last - before.first, run.last - run.first) + 1
            if label != side and 2 * shared >= shorter:
                joined[-1] = (Run(before.first, max(before.last, run.last)), "both")
                continue
        joined.append((run, side))
    return joined


def _end_of(run: Run, times_ns: Int64Array) -> int:
    """A run's last sample lasts up to the next one, or one median period where that is missing."""
    last = int(times_ns[run.last])
    longest = last + max(1, int(np.median(np.diff(times_ns)))) if len(times_ns) > 1 else last + 1
    return min(int(times_ns[run.last + 1]), longest) if run.last + 1 < len(times_ns) else longest


def _event(kind: str, run: Run, apex: int, times_ns: Int64Array, person: str, score: float, hand: str) -> Event:
    onset, offset = int(times_ns[run.first]), _end_of(run, times_ns)
    return Event("body", kind, onset, offset, int(times_ns[apex]), person, round(score, 4), hand, {"hand": hand})


def _seconds(times_ns: Int64Array) -> FloatArray:
    return np.asarray(to_s(times_ns - times_ns[0])) if len(times_ns) else np.zeros(0)
