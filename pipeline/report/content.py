"""What a page is told: lanes, values, events, videos, all JSON-serialisable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_schemas.event import Event
from data_schemas.result import ResultRecord
from data_schemas.time import to_s
from pipeline.report.happenings import add_evidence, happenings, meanings
from pipeline.report.lanes import Lane, as_json, lanes_of
from pipeline.report.tracks import Tracks, grid_of, size_of, tracks_of
from pipeline.timeline import rows_of

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.report.page import Extras


@dataclass(frozen=True)
class Material:
    """A result prepared for its page.

    Attributes:
        people: Whose rows there are, in order.
        timeline: The table of `timeline.parquet`.
        events: All events.
        lanes: Lanes of the page.
        tracks: Values of each person.
    """

    people: tuple[str, ...]
    timeline: pa.Table
    events: tuple[Event, ...]
    lanes: tuple[Lane, ...]
    tracks: Mapping[str, Tracks]

    @classmethod
    def of(cls, record: ResultRecord, timeline: pa.Table, events: Sequence[Event]) -> Material:
        """Of a result."""
        lanes = lanes_of(timeline.schema, events)
        drawn = {f"{lane.channel}.{name}" for lane in lanes for name in (*lane.features, "reason")}
        drawn |= {"person", "t_ns", "fused.cannot_say"}
        shown = timeline.select([name for name in timeline.column_names if name in drawn])
        tracks = {person: tracks_of(rows_of(shown, person), lanes) for person in record.people}
        return cls(tuple(record.people), timeline, tuple(events), tuple(lanes), tracks)

    @property
    def bytes(self) -> int:
        """What all values take."""
        return size_of(self.tracks)

    def chunks(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Name of a chunk, "<number of the person>-<lane>", and column -> all values; one after the other."""
        for number, person in enumerate(self.people):
            own = self.tracks[person]
            for lane, columns in own.full.items():
                yield f"{number}-{lane}", {column: own.values_of(column) for column in columns}


def page_data(
    material: Material, extras: Extras, sources: Sequence[Sequence[str]], edit: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The page's data.

    Args:
        material: Prepared result.
        extras: Videos and pictures.
        sources: Addresses of each video, then of each sound.
        edit: What a page that may edit knows of its server; None for others.
    """
    import numpy as np

    items = happenings(material.events)
    add_evidence(items, material.timeline)
    grid_ns = np.unique(material.timeline["t_ns"].to_numpy())
    shown = {f"{lane.channel}.{name}" for lane in material.lanes for name in lane.features}
    columns = {
        field.name: {
            "unit": (field.metadata or {}).get(b"unit", b"1").decode(),
            "what": (field.metadata or {}).get(b"description", b"").decode(),
        }
        for field in material.timeline.schema
        if field.name in shown
    }
    edges = [to_s(int(grid_ns[0])), to_s(int(grid_ns[-1]))] if len(grid_ns) else [0.0, 1.0]
    return {
        "people": list(material.people),
        "extent": [
            min([edges[0], *(item["on"] for item in items)]),
            max([edges[1], edges[0] + 0.2, *(item["on"] for item in items)]),
        ],
        "grid": grid_of(grid_ns),
        "columns": columns,
        "lanes": [as_json(lane) for lane in material.lanes],
        "tracks": [
            {"overview": one.overview, "range": one.range, "missing": one.missing, "silent": one.silent,
             "chunks": list(one.full)}
            for one in (material.tracks[person] for person in material.people)
        ],
        "events": items,
        "meanings": meanings(material.events),
        "pictures": {name: list(pair) for name, pair in extras.pictures.items()},
        "players": [player.as_json(own) for player, own in zip(extras.players, sources, strict=False)],
        "sounds": [one.as_json(own) for one, own in zip(extras.sounds, sources[len(extras.players) :], strict=True)],
        "edit": None if edit is None else dict(edit),
    }  # fmt: skip
