"""Several people: who follows whom, when they are in step, and what the group does together."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Encoding, FeatureSpec, Track
from data_schemas.hook import Hook, silent
from data_schemas.intervals import Interval, grid
from data_schemas.time import NS_PER_S, Int64Array, nearest
from modalities.context.coincidence import coincide, onsets_of
from modalities.context.coupling import SURROGATES, Course, Mask, false_discovery, follows, steady
from modalities.context.prewhitening import follows_in_turns, without_jumps, without_shape_of_turns
from modalities.context.synchrony import agreement, in_step, shared_course
from pipeline.interaction_table import BEHAVIOURS, Behaviour, Interaction, Tie, group_features, pair_features
from pipeline.simulate.chance import generator
from sync.resample import to_grid

RATE_HZ = 12.5
"""Courses are compared on this grid; the lag of a peak is interpolated to a fraction of its step."""
COARSE = 3
"""Synchrony over time is followed on every so many samples averaged."""
GROUP_LAG_S = 1.0
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class _Person:
    """One person's behaviour on the grid."""

    course: Course
    valid: Mask
    events: Int64Array | None


def interact(
    encodings: Sequence[Encoding],
    extent: Interval,
    *,
    seed: int = 0,
    surrogates: int = SURROGATES,
    behaviours: Sequence[Behaviour] = BEHAVIOURS,
    tracks: bool = True,
    hook: Hook = silent,
) -> Interaction:
    """Compare all people of a session with each other.

    Args:
        encodings: Of all people and channels, on the session clock.
        extent: First to last moment of the session.
        seed: Of the surrogates; the same seed gives the same p.
        surrogates: How many for each row.
        behaviours: What is compared.
        tracks: Whether to follow synchrony over time too.
        hook: Progress.

    Returns:
        No row for a behaviour that fewer than two people show.
    """
    times = grid(extent, RATE_HZ)
    ties: list[Tie] = []
    pair_columns: dict[tuple[str, str], dict[str, tuple[Course, Mask]]] = {}
    group_columns: dict[str, tuple[Course, Mask]] = {}
    for done, what in enumerate(behaviours):
        hook("interaction", done, len(behaviours))
        people = _people(encodings, what, times)
        for one, other in permutations(people, 2):
            rng = _chance(seed, people[one], people[other])
            ties += _ties((one, people[one]), (other, people[other]), what, extent, rng, surrogates)
        for pair in combinations(people, 2) if tracks else ():
            rng = _chance(seed, people[pair[0]], people[pair[1]])
            pair_columns.setdefault(pair, {}).update(_in_step(people[pair[0]], people[pair[1]], what, times, rng))
        if len(people) >= 2 and tracks:
            group_columns |= _group(list(people.values()), what, times)
        if len(people) >= 3:
            ties += _with_group(people, what, _chance(seed, *people.values()), surrogates)
    hook("interaction", len(behaviours), len(behaviours))
    seconds = grid(extent, 1.0)
    names = [one.name for one in behaviours]
    by_pair = {pair: _track(columns, _only(pair_features(), names), seconds) for pair, columns in pair_columns.items()}
    group = _track(group_columns, _only(group_features(), names), seconds) if group_columns else None
    return Interaction(tuple(_corrected(ties)), by_pair, group)


def _chance(seed: int, *people: _Person) -> np.random.Generator:
    """Chance that differs from recording to recording, lest the ties of all are decided by the same lot."""
    marks = [str(zlib.crc32(person.course.tobytes())) for person in people]
    return generator(seed, " ".join(marks))


def _only(features: Sequence[FeatureSpec], names: Sequence[str]) -> list[str]:
    return [one.name for one in features if any(one.name.startswith(f"{name}_") for name in names)]


def _people(encodings: Sequence[Encoding], what: Behaviour, times: Int64Array) -> dict[str, _Person]:
    """Everybody who shows a behaviour."""
    out: dict[str, _Person] = {}
    for encoding in encodings:
        track = encoding.track
        names = [name for name in what.features if name in track.names]
        if encoding.spec.channel != what.channel or not names or not len(track.times_ns) or encoding.person in out:
            continue
        columns = [track.column(name) for name in names]
        valid = np.asarray(np.all([valid for _, valid in columns], axis=0))
        values = np.asarray(np.mean([values for values, _ in columns], axis=0, dtype=np.float64))
        if "speech" in track.names:
            said, told = track.column("speech")
            valid = valid & told & (said > 0)
        if what.spoken:
            valid = valid & (values > 0)
            values, valid = without_jumps(np.log2(np.where(valid, values, 1.0)), valid, track.times_ns)
        gap = round(max(encoding.spec.max_gap_s, 0.2) * NS_PER_S)
        got, good = to_grid(track.times_ns, values[:, None], valid[:, None], times, "linear", gap)
        course, there = np.asarray(got[:, 0], np.float64), good[:, 0]
        if not there.any():
            continue
        events = None
        if what.rises is not None:
            events = onsets_of(values, valid, track.times_ns, *what.rises)
        elif what.event_kinds:
            chosen = [event.onset_ns for event in encoding.events if event.kind in what.event_kinds]
            events = np.array(sorted(chosen), dtype=np.int64)
        course = steady(course, there, RATE_HZ, what.slow_s)
        if what.spoken:
            course = without_shape_of_turns(course, there, RATE_HZ)
        out[encoding.person] = _Person(course, there, events)
    return out


def _ties(
    leader: tuple[str, _Person],
    follower: tuple[str, _Person],
    what: Behaviour,
    extent: Interval,
    rng: np.random.Generator,
    surrogates: int,
) -> list[Tie]:
    (one, first), (other, second) = leader, follower
    lags = (0.0, what.most_lag_s)
    args = (first.course, second.course, first.valid, second.valid, RATE_HZ)
    if what.spoken:
        found, back = follows_in_turns(*args, lags, rng, surrogates)
    else:
        found = follows(*args, lags, rng, surrogates)
        back = follows(*args, (-what.most_lag_s, 0.0), rng, 1).height
    tie = Tie(one, other, what.name, "correlation", valid_s=round(found.valid_s, 3), reason=found.reason)
    if not found.reason:
        tie = replace(tie, lag_s=found.lag_s, strength=found.r, expected=0.0, p=found.p, leads=found.height > back)
    out = [tie]
    if first.events is not None and second.events is not None:
        span = (extent.start_ns, extent.end_ns)
        pairs = coincide(first.events, second.events, span, lags, rng, surrogates)
        tie = Tie(one, other, what.name, "coincidence", events=pairs.events, reason=pairs.reason)
        if not pairs.reason:
            reverse = coincide(second.events, first.events, span, lags, rng, 1)
            leads = pairs.height > reverse.height
            tie = replace(
                tie, lag_s=pairs.lag_s, strength=pairs.share, expected=pairs.expected, p=pairs.p, leads=leads
            )  # fmt: skip
        out.append(tie)
    return out


def _with_group(people: Mapping[str, _Person], what: Behaviour, rng: np.random.Generator, surrogates: int) -> list[Tie]:
    """Each person against the mean of the others, at the same time (within a second)."""
    out = []
    for name, person in people.items():
        others = [one for other, one in people.items() if other != name]
        mean, valid = shared_course(np.stack([one.course for one in others]), np.stack([one.valid for one in others]))
        lags = (-GROUP_LAG_S, GROUP_LAG_S)
        found = follows(mean, person.course, valid, person.valid, RATE_HZ, lags, rng, surrogates)
        tie = Tie("group", name, what.name, "correlation", valid_s=round(found.valid_s, 3), reason=found.reason)
        if not found.reason:
            tie = replace(tie, lag_s=found.lag_s, strength=found.r, expected=0.0, p=found.p, leads=True)
        out.append(tie)
    return out


def _in_step(
    first: _Person, second: _Person, what: Behaviour, times: Int64Array, rng: np.random.Generator
) -> dict[str, tuple[Course, Mask]]:
    (one, here), (other, there) = (_coarse(person) for person in (first, second))
    found = in_step(one, other, here, there, RATE_HZ / COARSE, what.window_s, what.most_lag_s, rng)
    middle = np.minimum(found.middle * COARSE + COARSE // 2, len(times) - 1)
    at = times[middle] if len(middle) else np.zeros(0, np.int64)
    return {
        f"{what.name}_synchrony": _at_seconds(at, found.z, found.valid, times),
        f"{what.name}_lag_s": _at_seconds(at, found.lag_s, found.valid, times),
    }


def _coarse(person: _Person) -> tuple[Course, Mask]:
    """A course at a lower rate: means of the valid samples of each `COARSE`."""
    n = len(person.course) // COARSE * COARSE
    valid = person.valid[:n].reshape(-1, COARSE)
    total = np.where(valid, person.course[:n].reshape(-1, COARSE), 0.0).sum(axis=1)
    return total / np.maximum(valid.sum(axis=1), 1), np.asarray(valid.any(axis=1))


def _group(people: Sequence[_Person], what: Behaviour, times: Int64Array) -> dict[str, tuple[Course, Mask]]:
    courses, valid = np.stack([one.course for one in people]), np.stack([one.valid for one in people])
    mean, there = shared_course(courses, valid)
    middle, alike, good = agreement(courses, valid, RATE_HZ, what.window_s)
    return {
        f"{what.name}_shared": _at_seconds(times, mean, there, times),
        f"{what.name}_agreement": _at_seconds(times[middle], alike, good, times),
    }


def _at_seconds(at_ns: Int64Array, values: Course, valid: Mask, times: Int64Array) -> tuple[Course, Mask]:
    """Values at the whole seconds of the grid, from the nearest sample within half a second."""
    extent = Interval(int(times[0]), int(times[-1]) + 1) if len(times) else Interval(0, 1)
    seconds = grid(extent, 1.0)
    if not len(at_ns):
        return np.zeros(len(seconds)), np.zeros(len(seconds), bool)
    at = nearest(at_ns, seconds)
    near = np.abs(at_ns[at] - seconds) <= NS_PER_S // 2
    return np.where(near, values[at], 0.0), near & valid[at]


def _track(columns: Mapping[str, tuple[Course, Mask]], names: Sequence[str], seconds: Int64Array) -> Track:
    """The columns by name; those that the pair has not are invalid."""
    n = min([len(seconds), *(len(values) for values, _ in columns.values())])
    nothing = (np.zeros(n), np.zeros(n, bool))
    picked = [columns.get(name, nothing) for name in names]
    values = np.stack([values[:n] for values, _ in picked], axis=1).astype(np.float32)
    valid = np.stack([valid[:n] for _, valid in picked], axis=1)
    reason: NDArray[np.object_] = np.where(valid.any(axis=1), "", "too_short").astype(object)
    return Track(seconds[:n], tuple(names), values, valid, reason)


def _corrected(ties: Sequence[Tie]) -> list[Tie]:
    q = false_discovery(np.array([float("nan") if tie.p is None else tie.p for tie in ties], dtype=np.float64))
    return [
        tie if tie.p is None else replace(tie, q=float(value), found=bool(value < ALPHA and tie.leads))
        for tie, value in zip(ties, q.tolist(), strict=True)
    ]
