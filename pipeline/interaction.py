"""Several people: who follows whom, when they are in step, and what the group does together."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Encoding, FeatureSpec, Track
from data_schemas.hook import Hook, silent
from data_schemas.intervals import Interval, grid
from data_schemas.time import NS_PER_S, Int64Array
from modalities.context.coincidence import coincide, onsets_of
from modalities.context.coupling import SURROGATES, Course, Mask, false_discovery, follows, steady
from modalities.context.prewhitening import follows_in_turns, without_jumps, without_shape_of_turns
from modalities.context.synchrony import agreement, in_step, shared_course
from modalities.face.action_units import ACTIVE
from pipeline.simulate.chance import generator
from sync.resample import resample

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

RATE_HZ = 12.5
"""Courses are compared on this grid; the lag of a peak is interpolated to a fraction of its step."""
COARSE = 3
"""Synchrony over time is followed on every so many samples averaged."""
GROUP_LAG_S = 1.0
ALPHA = 0.05


@dataclass(frozen=True)
class Behaviour:
    """What of each person is compared.

    Attributes:
        name: In the table and in the names of columns.
        channel: Whose encoding it is taken from.
        features: Columns of its track; their mean is compared.
        most_lag_s: Longest delay after which one person still answers the other.
        slow_s: What moves more slowly is taken out.
        window_s: Of the synchrony over time.
        event_kinds: Events of the encoding whose coincidence is tested.
        rises: Thresholds (onset, offset) by which events are made from the course instead.
        spoken: Exists in the own turns of a dialogue alone, as pitch does: compared in octaves, without the tracker's
            jumps, and prewhitened.
    """

    name: str
    channel: str
    features: tuple[str, ...]
    most_lag_s: float = 5.0
    slow_s: float = 30.0
    window_s: float = 30.0
    event_kinds: tuple[str, ...] = ()
    rises: tuple[float, float] | None = None
    spoken: bool = False


BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour("smile", "face", ("au12_left", "au12_right"), rises=(ACTIVE, ACTIVE / 2)),
    Behaviour("gesture", "body", ("movement_energy",), event_kinds=("gesture", "hand_to_face")),
    Behaviour("pitch", "voice", ("pitch_hz",), most_lag_s=8.0, slow_s=120.0, window_s=120.0, spoken=True),
    Behaviour("heart_rate", "physiology", ("heart_rate_bpm",), most_lag_s=8.0, slow_s=60.0, window_s=60.0),
)
"""Faces are answered within 5 s (Hess & Bourgeois 2010, Biological Psychology 84); bodies within 5 s (Chartrand &
Lakin 2013, Annual Review of Psychology 64); hearts and voices more slowly (Palumbo et al. 2017, Personality and Social
Psychology Review 21)."""


@dataclass(frozen=True)
class Tie:
    """One row of the table: does `follower` do as `leader` did?

    Attributes:
        leader: Who does it first; "group" in rows of a person with the mean of the others.
        follower: Who does it later.
        behaviour: Name of the behaviour.
        measure: "correlation" of the courses or "coincidence" of events.
        lag_s: Delay, seconds; None where nothing could be compared, as all that follow.
        strength: Correlation at the lag (-1..1), or share of the leader's events that are answered (0..1).
        expected: What chance gives at one given lag.
        p: Probability of so high a peak without a relation, 0..1.
        q: The same, corrected for the number of rows (Benjamini and Hochberg).
        leads: Whether this direction is the likelier of the two.
        found: q below 0.05 in the likelier direction.
        valid_s: Time in which both are valid at that lag, seconds.
        events: Number of the leader's and the follower's events.
        reason: Why there is no answer; "" where there is one.
    """

    leader: str
    follower: str
    behaviour: str
    measure: str
    lag_s: float | None = None
    strength: float | None = None
    expected: float | None = None
    p: float | None = None
    q: float | None = None
    leads: bool = False
    found: bool = False
    valid_s: float | None = None
    events: tuple[int, int] | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Interaction:
    """What several people do to each other.

    Attributes:
        ties: For each ordered pair, behaviour and measure one row; then each person with the group (three or more).
        tracks: Synchrony over time by the pair's two names, one sample per second, columns of `pair_features`.
        group: The group's shared course, columns of `group_features`; None for fewer than two people.
    """

    ties: tuple[Tie, ...]
    tracks: Mapping[tuple[str, str], Track]
    group: Track | None

    def rows(self) -> list[dict[str, Any]]:
        """The table, JSON-serialisable."""
        return [asdict(tie) | {"events": list(tie.events) if tie.events else None} for tie in self.ties]

    def tracks_table(self) -> pa.Table:
        """All tracks as one Arrow table: `pair` ("p01-p02" or "group"), `t_ns`, then the columns; null is invalid."""
        import pyarrow as pa

        parts = [("-".join(pair), track) for pair, track in self.tracks.items()]
        parts += [("group", self.group)] if self.group is not None else []
        fields = (*pair_features(), *group_features())
        tables = []
        for name, track in parts:
            columns = {"pair": pa.array([name] * len(track.times_ns), pa.string()), "t_ns": pa.array(track.times_ns)}
            for feature in fields:
                there = feature.name in track.names
                values, valid = track.column(feature.name) if there else (np.zeros(len(track.times_ns)), False)
                columns[feature.name] = pa.array(values, pa.float32(), mask=~np.broadcast_to(valid, values.shape))
            tables.append(pa.table(columns))
        return pa.concat_tables(tables) if tables else pa.table({"pair": pa.array([], pa.string())})


def as_frame(interaction: Interaction) -> pd.DataFrame:
    """The table, one row per tie; `events_leader` and `events_follower` in place of the pair of counts."""
    import pandas as pd

    rows = []
    for row in interaction.rows():
        counts = row.pop("events") or (None, None)
        rows.append(row | {"events_leader": counts[0], "events_follower": counts[1]})
    return pd.DataFrame(rows, columns=[*(rows[0] if rows else [])])


def pair_features() -> tuple[FeatureSpec, ...]:
    """Columns of the tracks of pairs."""
    source = "Boker et al. 2002; Tschacher et al. 2014"
    return tuple(
        spec
        for one in BEHAVIOURS
        for spec in (
            FeatureSpec(f"{one.name}_synchrony", "sd", f"highest correlation over lags in {one.window_s:g} s, "
                        "in standard deviations above chance", None, None, source=source),
            FeatureSpec(f"{one.name}_lag_s", "s", "its lag, positive: the second person comes later",
                        -one.most_lag_s, one.most_lag_s, "nearest", source),
        )
    )  # fmt: skip


def group_features() -> tuple[FeatureSpec, ...]:
    """Columns of the group's track."""
    return tuple(
        spec
        for one in BEHAVIOURS
        for spec in (
            FeatureSpec(f"{one.name}_shared", "sd", f"{one.name}: mean of the people, each in own standard deviations"),
            FeatureSpec(f"{one.name}_agreement", "1", f"mean correlation of all pairs in {one.window_s:g} s", -1, 1),
        )
    )


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
        got, good = resample(track.times_ns, values[:, None], valid[:, None], times, ["continuous"], max_gap_ns=gap)
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
    right = np.clip(np.searchsorted(at_ns, seconds), 0, len(at_ns) - 1)
    left = np.clip(right - 1, 0, None)
    nearest = np.where(np.abs(at_ns[left] - seconds) <= np.abs(at_ns[right] - seconds), left, right)
    near = np.abs(at_ns[nearest] - seconds) <= NS_PER_S // 2
    return np.where(near, values[nearest], 0.0), near & valid[nearest]


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
