"""The fused timeline: one row per person and grid time, every channel brought to the same grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import FUSED_COLUMNS, EmotionTrack
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Join, Track
from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S, Int64Array, nearest
from sync.resample import to_grid

if TYPE_CHECKING:
    import pyarrow as pa

    from fusion.label_inference import LabelTrack


@dataclass(frozen=True)
class ChannelGrid:
    """One channel of one person on the grid.

    Attributes:
        channel: Its name, the prefix of the columns.
        features: Specs of the f columns.
        values: float32 (g, f).
        valid: bool (g, f).
        reason: object array of str (g,), "" where any cell is valid.
    """

    channel: str
    features: tuple[FeatureSpec, ...]
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    reason: NDArray[np.object_]


def absent(spec: EncoderSpec, grid_ns: Int64Array, reason: str) -> ChannelGrid:
    """A channel that has nothing: all null for one reason."""
    shape = (len(grid_ns), len(spec.features))
    reasons = np.full(len(grid_ns), reason, dtype=object)
    return ChannelGrid(spec.channel, spec.features, np.zeros(shape, np.float32), np.zeros(shape, bool), reasons)


def joined(encoding: Encoding, grid_ns: Int64Array, support: IntervalSet) -> ChannelGrid:
    """A channel's track brought to the grid, column by column as its spec says.

    Args:
        encoding: What the encoder gave.
        grid_ns: Grid times, shape (g,).
        support: Where the channel's streams have data; outside, the reason is "gap".
    """
    spec, track = encoding.spec, encoding.track
    gap_ns = round(spec.max_gap_s * NS_PER_S)
    values = np.zeros((len(grid_ns), len(spec.features)), np.float32)
    valid = np.zeros(values.shape, bool)
    for join in get_args(Join):
        at = [i for i, feature in enumerate(spec.features) if feature.join == join]
        if at and len(track.times_ns):
            got, ok = to_grid(track.times_ns, track.values[:, at], track.valid[:, at], grid_ns, join, gap_ns)
            values[:, at], valid[:, at] = np.clip(got, *_range([spec.features[i] for i in at])), ok
    valid &= support.contains(grid_ns)[:, None]
    reason, described = _nearest_reason(encoding, grid_ns, gap_ns)
    reason[~support.contains(grid_ns)] = "gap"
    more = valid & ~described
    reason[more.any(axis=1)] = ""
    return ChannelGrid(spec.channel, spec.features, np.where(valid, values, 0), valid, reason)


def _range(features: Sequence[FeatureSpec]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and greatest possible value of each feature, infinite where it has no bound."""
    low = [float("-inf") if feature.low is None else feature.low for feature in features]
    high = [float("inf") if feature.high is None else feature.high for feature in features]
    return np.array(low), np.array(high)


def _nearest_reason(
    encoding: Encoding, grid_ns: Int64Array, gap_ns: int
) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """The reason of the nearest sample at each grid time, (g,), and which cells are valid in spite of it, (g, f).

    Those are the cells that describe the picture rather than the person, such as the angles of a head turned away.
    """
    track = encoding.track
    out = np.full(len(grid_ns), "gap", dtype=object)
    described = np.zeros((len(grid_ns), len(track.names)), bool)
    if not len(track.times_ns):
        return out, described
    at = nearest(track.times_ns, grid_ns)
    close = np.abs(track.times_ns[at] - grid_ns) <= gap_ns
    out[close] = track.reason[at[close]]
    said = close & (out != "")
    described[said] = track.valid[at[said]]
    out[out == ""] = "gap"
    return out, described


def with_relative(
    grid: ChannelGrid, grid_ns: Int64Array, baseline: IntervalSet
) -> tuple[ChannelGrid, dict[str, int], tuple[str, ...]]:
    """The channel with a column `<feature>_z` per measured feature: robust z against the person's own baseline.

    Args:
        grid: One channel of one person.
        grid_ns: Grid times, shape (g,).
        baseline: Where that person's baseline was recorded; empty takes the whole session.

    Returns:
        The channel, how many of its columns are relative to "baseline" and to "session", and what should be known.
    """
    from modalities.context.baselines import relative_to_baseline

    names = tuple(feature.name for feature in grid.features)
    found = relative_to_baseline(Track(grid_ns, names, grid.values, grid.valid, grid.reason), grid.features, baseline)
    described = {feature.name: feature.description for feature in grid.features}
    features = [
        replace(
            feature,
            description=f"{described[scale.feature]}; robust z against the person's own baseline, or against the whole "
            "session where none was recorded",
        )
        for feature, scale in zip(found.features, found.scales, strict=True)
    ]
    sources = [scale.source for scale in found.scales if scale.samples]
    wide = ChannelGrid(
        grid.channel,
        (*grid.features, *features),
        np.concatenate([grid.values, found.track.values], axis=1),
        np.concatenate([grid.valid, found.track.valid], axis=1),
        grid.reason,
    )
    counts = {source: sources.count(source) for source in ("baseline", "session") if sources}
    return wide, counts, found.warnings


def fused(track: EmotionTrack | None, grid_ns: Int64Array) -> ChannelGrid:
    """The fused track as a channel; it must lie on the grid already."""
    if track is None or not len(track.times_ns):
        shape = (len(grid_ns), len(FUSED_COLUMNS))
        reasons = np.full(len(grid_ns), "no_stream", dtype=object)
        return ChannelGrid("fused", FUSED_COLUMNS, np.zeros(shape, np.float32), np.zeros(shape, bool), reasons)
    values, valid = to_grid(
        track.times_ns,
        *track.cells(),
        grid_ns,
        "nearest",
        round(2 * np.median(np.diff(track.times_ns))) if len(track.times_ns) > 1 else NS_PER_S,
    )
    reason = np.where(valid.any(axis=1), "", "gap").astype(object)
    return ChannelGrid("fused", FUSED_COLUMNS, values, valid, reason)


def with_label(grid: ChannelGrid, labels: Sequence[LabelTrack], person: str, grid_ns: Int64Array) -> ChannelGrid:
    """The fused channel with the columns of a lab's own label; null for a person of whom it says nothing."""
    if not labels:
        return grid
    features = labels[0].features
    values = np.zeros((len(grid_ns), len(features)), np.float32)
    valid = np.zeros(values.shape, bool)
    own = next((one for one in labels if one.person == person), None)
    if own is not None:
        there = np.repeat(own.valid[:, None], len(features), axis=1)
        values, valid = to_grid(own.times_ns, own.values, there, grid_ns, "nearest", NS_PER_S)
    return ChannelGrid(
        grid.channel,
        (*grid.features, *features),
        np.concatenate([grid.values, values], axis=1).astype(np.float32),
        np.concatenate([grid.valid, valid], axis=1),
        grid.reason,
    )


def rows_of(timeline: pa.Table, person: str) -> pa.Table:
    """The rows of one person; no copy of them where they stand together, as `as_table` writes them."""
    import pyarrow.compute as pc

    theirs = pc.equal(timeline.column("person").cast("string"), person)
    at = np.flatnonzero(theirs.to_numpy())
    if len(at) and at[-1] - at[0] + 1 == len(at):
        return timeline.slice(int(at[0]), len(at))
    return timeline.filter(theirs)


def as_table(
    person_grids: Sequence[tuple[str, Sequence[ChannelGrid]]], grid_ns: Int64Array, about: dict[str, Any]
) -> pa.Table:
    """The Arrow table of `timeline.parquet`.

    Args:
        person_grids: For each person the channels, the same ones in the same order.
        grid_ns: Grid times, shape (g,), session clock.
        about: Provenance, stored as JSON in the schema's metadata.

    Returns:
        `len(person_grids) * g` rows; an invalid cell is null; unit, source and description in each field's metadata.
    """
    table = TableBuilder([person for person, _ in person_grids], grid_ns)
    for grids in zip(*(channels for _, channels in person_grids), strict=True):
        table.add(grids)
    return table.finish(about)


class TableBuilder:
    """See `as_table`; takes one channel after the other, so that none has to be held twice.

    Args:
        people: Whose rows there are, in order.
        grid_ns: Grid times, shape (g,), session clock.
    """

    def __init__(self, people: Sequence[str], grid_ns: Int64Array) -> None:
        import pyarrow as pa

        self._fields = [
            pa.field("person", pa.dictionary(pa.int32(), pa.string()), metadata={"description": "who"}),
            pa.field("t_ns", pa.int64(), metadata={"unit": "ns", "description": "session time"}),
        ]
        codes = np.repeat(np.arange(len(people), dtype=np.int32), len(grid_ns))
        self._columns: list[Any] = [
            pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(people, pa.string())),
            pa.array(np.tile(grid_ns, len(people))),
        ]

    def add(self, grids: Sequence[ChannelGrid]) -> None:
        """Take the columns of a channel, of each person in order."""
        import pyarrow as pa

        first = grids[0]
        for at, feature in enumerate(first.features):
            metadata = {"unit": feature.unit, "description": feature.description, "source": feature.source}
            self._fields.append(pa.field(f"{first.channel}.{feature.name}", pa.float32(), metadata=metadata))
            values = np.concatenate([grid.values[:, at] for grid in grids])
            self._columns.append(pa.array(values, mask=~np.concatenate([grid.valid[:, at] for grid in grids])))
        valid = {"description": "any feature is valid"}
        self._fields.append(pa.field(f"{first.channel}.valid", pa.bool_(), metadata=valid))
        self._columns.append(pa.array(np.concatenate([grid.valid.any(axis=1) for grid in grids])))
        why = {"description": "why nothing of the channel is valid here; null where something is"}
        words = pa.dictionary(pa.int32(), pa.string())
        self._fields.append(pa.field(f"{first.channel}.reason", words, metadata=why))
        reasons = np.concatenate([grid.reason for grid in grids])
        told = [str(word) if word else None for word in reasons]
        self._columns.append(pa.array(told, pa.string()).dictionary_encode())

    def finish(self, about: dict[str, Any]) -> pa.Table:
        """The table; `about` is stored as JSON in the schema's metadata."""
        import pyarrow as pa

        schema = pa.schema(self._fields, metadata={"telltale": json.dumps(about, sort_keys=True)})
        return pa.table(self._columns, schema=schema)
