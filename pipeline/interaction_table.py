"""What several people do to each other, as tables: the ties between them, and synchrony over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.features import FeatureSpec, Track
from modalities.face.action_units import ACTIVE

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


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
