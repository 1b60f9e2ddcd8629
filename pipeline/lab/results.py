"""Results that `telltale analyze` left, read back as what the encoders said; written from encodings for simulation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval, IntervalSet, grid
from data_schemas.result import ChannelSummary, ResultRecord, SyncReport
from data_schemas.time import to_ns, to_s
from fusion.vocabulary import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

FILES = ("result.json", "sync.json", "timeline.parquet", "events.parquet")


def is_result(folder: Path) -> bool:
    """Whether a whole result lies in a folder."""
    return all((folder / name).is_file() for name in FILES)


def people_in(folder: Path) -> Iterator[tuple[str, tuple[Encoding, ...], Interval]]:
    """Each person of a result with an encoding per channel and the session's extent, one person at a time.

    The tracks are those of the timeline, on its grid; their columns are the ones that fusion reads.

    Raises:
        UnreadableFileError: a file of the result is damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        people = json.loads((folder / "result.json").read_text(encoding="utf-8"))["people"]
        sync = json.loads((folder / "sync.json").read_text(encoding="utf-8"))
        extent = Interval(to_ns(float(sync["session_start_s"])), to_ns(float(sync["session_end_s"])))
        schema = pq.read_schema(folder / "timeline.parquet")
        wanted = [name for name in schema.names if _is_read(name)]
        rows = pq.read_table(folder / "events.parquet").to_pylist()
        events = [event for event in map(_event, rows) if event.channel in CHANNELS]
        for person in people:
            table = pq.read_table(
                folder / "timeline.parquet", columns=["t_ns", *wanted], filters=pc.field("person") == str(person)
            )
            own = [event for event in events if event.person in (person, None)]
            yield str(person), tuple(_encoding(channel, str(person), table, own) for channel in CHANNELS), extent
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        if isinstance(error, InvalidValueError):
            raise
        raise UnreadableFileError(
            "the result is damaged", file=folder, got=f"{type(error).__name__}: {str(error)[:200]}",
            mend="Analyse the session again.",
        ) from error  # fmt: skip


def _is_read(name: str) -> bool:
    channel, _, feature = name.partition(".")
    return channel in TABLES and feature in TABLES[channel].features


def _event(row: Mapping[str, Any]) -> Event:
    return Event(
        channel=row["channel"],
        kind=row["kind"],
        onset_ns=to_ns(row["onset_s"]),
        offset_ns=max(to_ns(row["offset_s"]), to_ns(row["onset_s"]) + 1),
        apex_ns=None if row["apex_s"] is None else to_ns(row["apex_s"]),
        person=row["person"] or None,
        score=row["score"],
        label=row["label"] or "",
        details=json.loads(row["details"]) if row["details"] else {},
    )


def _encoding(channel: str, person: str, table: pa.Table, events: Sequence[Event]) -> Encoding:
    names = [name for name in table.column_names if name.startswith(f"{channel}.")]
    values = np.zeros((table.num_rows, len(names)), np.float32)
    valid = np.zeros(values.shape, bool)
    for at, name in enumerate(names):
        column = table.column(name)
        valid[:, at] = column.is_valid().to_numpy()
        values[:, at] = column.fill_null(0).to_numpy()
    short = tuple(name.split(".", 1)[1] for name in names)
    track = Track(
        table.column("t_ns").to_numpy(), short, values, valid, np.where(valid.any(axis=1), "", "gap").astype(object)
    )
    features = tuple(FeatureSpec(name, "1", name) for name in short)
    own = tuple(event for event in events if event.channel == channel)
    return Encoding(EncoderSpec("timeline", "1", channel, (), features), person, track, own)


def write_result(
    folder: Path, session: str, people: Mapping[str, Sequence[Encoding]], extent: Interval, grid_hz: float = 25.0
) -> None:
    """Write encodings as a result that `people_in` reads: timeline, events, clock report and record, without a page.

    Raises:
        OSError: the folder cannot be written.
    """
    import pyarrow.parquet as pq

    from pipeline import __version__, timeline
    from pipeline.export.events import as_arrow

    folder.mkdir(parents=True, exist_ok=True)
    grid_ns = grid(extent, grid_hz)
    whole = IntervalSet([extent])
    specs = {one.spec.channel: one.spec for encodings in people.values() for one in encodings}
    grids, events, summaries = [], [], []
    for person, encodings in people.items():
        own = {one.spec.channel: one for one in encodings}
        channels = [
            timeline.joined(own[c], grid_ns, whole) if c in own else timeline.absent(specs[c], grid_ns, "no_stream")
            for c in specs
        ]
        grids.append((person, channels))
        events += [event for one in encodings for event in one.events]
        summaries += [
            ChannelSummary(person=person, channel=one.channel, valid_share=float(one.valid.any(axis=1).mean()))
            for one in channels
        ]
    start_s, end_s = float(to_s(extent.start_ns)), float(to_s(extent.end_ns))
    record = ResultRecord(
        telltale_version=__version__, session=session, purpose="", people=list(people), grid_hz=grid_hz,
        duration_s=end_s - start_s, exit_status=0, channels=summaries, problems=[], provenance=[], caveats=[],
    )  # fmt: skip
    sync = SyncReport(streams=[], session_start_s=start_s, session_end_s=end_s)
    pq.write_table(timeline.as_table(grids, grid_ns, {"session": session}), folder / "timeline.parquet")
    pq.write_table(as_arrow(events), folder / "events.parquet")
    (folder / "sync.json").write_text(sync.model_dump_json() + "\n", encoding="utf-8")
    (folder / "result.json").write_text(record.model_dump_json() + "\n", encoding="utf-8")
