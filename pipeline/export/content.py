"""What an export takes: the result that `telltale analyze` left in a folder, and the recordings if they are at hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from data_schemas.errors import InvalidValueError, MissingFileError, MissingTrackError, UnreadableFileError
from data_schemas.event import EVENT_KINDS, Event
from data_schemas.result import ResultRecord, SyncReport
from data_schemas.time import Int64Array, to_ns
from pipeline.export.clock import FileClock
from pipeline.export.media import Medium, find_media, find_session
from pipeline.timeline import rows_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, repr=False)
class Content:
    """One result, ready to be written in some format.

    Attributes:
        folder: Where it was read from.
        record: Summary and provenance, the content of `result.json`.
        sync: Clock report.
        timeline: Arrow table, one row per person and grid time; see `pipeline.timeline.as_table`.
        events: In order of onset, on the session clock.
        media: The recordings, as far as is known where they are.
        session: The session folder, where it is known.
        kinds: The only kinds of events that are wanted; all of them where empty.
        coder: Whose events these are; None for the machine's.
        deidentified: Whether names, media and times have been hidden.
    """

    folder: Path
    record: ResultRecord
    sync: SyncReport
    timeline: pa.Table
    events: tuple[Event, ...]
    media: tuple[Medium, ...] = ()
    session: Path | None = None
    kinds: tuple[str, ...] = ()
    coder: str | None = None
    deidentified: bool = False

    @property
    def people(self) -> list[str]:
        """Who was recorded."""
        return list(self.record.people)

    @property
    def start_ns(self) -> int:
        """The earliest time of anything, session clock."""
        times = [to_ns(self.sync.session_start_s), *(event.onset_ns for event in self.events)]
        return min([*times, *(medium.start_ns for medium in self.media), *self.grid_ns[:1].tolist()])

    @property
    def end_ns(self) -> int:
        """The latest time of anything, session clock."""
        times = [to_ns(self.sync.session_end_s), *(event.offset_ns for event in self.events)]
        return max([*times, *self.grid_ns[-1:].tolist()])

    @property
    def grid_ns(self) -> Int64Array:
        """Times of the grid, int64 ns, shape (g,): the same ones for every person."""
        return np.unique(self.timeline.column("t_ns").to_numpy())

    @property
    def features(self) -> list[pa.Field]:
        """The columns that hold measured values, in order; unit, description and source in their metadata."""
        import pyarrow as pa

        return [field for field in self.timeline.schema if pa.types.is_floating(field.type)]

    def column(self, name: str, person: str) -> NDArray[np.float32]:
        """One feature of one person on the grid, float32, shape (g,); NaN where it is null."""
        return self._rows(person, name).column(name).to_numpy().astype(np.float32)

    def reasons(self, channel: str, person: str) -> list[str]:
        """Why the channel says nothing, per grid time; "" where it does."""
        name = f"{channel}.reason"
        words = self._rows(person, name).column(name).to_pylist()
        return [word or "" for word in words]

    def rows_of(self, person: str) -> pa.Table:
        """The timeline of one person."""
        return rows_of(self.timeline, person)

    def _rows(self, person: str, *names: str) -> pa.Table:
        return rows_of(self.timeline.select(["person", *names]), person)

    @property
    def channels(self) -> list[str]:
        """Channels of the timeline, in order."""
        return list(dict.fromkeys(field.name.split(".", 1)[0] for field in self.features))

    def clock(self, name: str) -> FileClock:
        """The clock of a file: "session", or the name of a stream whose medium is to be followed.

        Raises:
            MissingTrackError: no such stream; the message lists those there are.
        """
        if name == "session":
            return FileClock()
        for medium in self.media:
            if medium.stream == name:
                return FileClock(name, medium.start_ns, medium.drift_ppm)
        known = ["session", *(medium.stream for medium in self.media)]
        raise MissingTrackError(f"no stream '{name}' whose times could be followed", expected=", ".join(known))

    def only(self, kinds: Iterable[str]) -> Content:
        """The same with the events of some kinds alone, of which there may be none.

        Raises:
            InvalidValueError: one of them is no kind of event.
        """
        wanted = tuple(dict.fromkeys(kinds))
        known = {event.kind for event in self.events} | set(EVENT_KINDS)
        odd = [kind for kind in wanted if kind not in known]
        if odd:
            raise InvalidValueError(f"no kind of event: {', '.join(odd)}", expected=", ".join(sorted(known)))
        return replace(self, events=tuple(event for event in self.events if event.kind in wanted), kinds=wanted)

    def about(self, clock: FileClock | None = None) -> dict[str, Any]:
        """What travels along in every format: session, clock and where it came from, provenance, caveats.

        Args:
            clock: What the times of the file are on; the session clock by default.
        """
        record = self.record
        return {
            "telltale_version": record.telltale_version,
            "session": record.session,
            "purpose": record.purpose,
            "people": list(record.people),
            "time": (clock or FileClock()).as_dict(),
            "session_clock": clock_origin(self.sync, self.deidentified),
            "grid_hz": record.grid_hz,
            "coder": self.coder,
            "deidentified": self.deidentified,
            "provenance": [one.model_dump(mode="json") for one in record.provenance],
            "caveats": list(record.caveats),
        }


def clock_origin(sync: SyncReport, hidden: bool = False) -> dict[str, Any]:
    """Which devices make the session clock, and how each stream came onto it.

    Args:
        sync: Clock report.
        hidden: Leave out what could tell when something was recorded, and free text.
    """
    left_out = {"offset_s", "start_s", "end_s", "why"} if hidden else set()
    wanted = ("stream", "clock", "method", "offset_s", "drift_ppm", "ci95_ms", "start_s", "end_s", "verdict", "why")
    streams = [{name: getattr(one, name) for name in wanted if name not in left_out} for one in sync.streams]
    reference = sorted({one.clock for one in sync.streams if one.method == "reference"})
    return {"reference": reference, "streams": streams}


def read_content(folder: Path, session: Path | None = None) -> Content:
    """The result in a folder.

    Args:
        folder: What `telltale analyze -o` was given.
        session: The session folder, for its recordings; looked for beside the result where not given.

    Raises:
        MissingFileError: no such folder.
        UnreadableFileError: it holds no complete result, or a file of it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not folder.is_dir():
        raise MissingFileError("no such result folder", file=folder, mend="Name the folder that analyze left with -o.")
    for name in ("result.json", "sync.json", "timeline.parquet", "events.parquet"):
        if not (folder / name).is_file():
            raise UnreadableFileError(
                f"the folder holds no complete result: {name} is missing", file=folder, mend="Run telltale analyze."
            )
    try:
        record = ResultRecord.model_validate_json((folder / "result.json").read_text(encoding="utf-8"))
        sync = SyncReport.model_validate_json((folder / "sync.json").read_text(encoding="utf-8"))
        timeline = pq.read_table(folder / "timeline.parquet")
        rows = pq.read_table(folder / "events.parquet").to_pylist()
    except (ValidationError, UnicodeDecodeError, pa.ArrowException) as error:
        raise UnreadableFileError("the result is damaged", file=folder, got=str(error)[:300]) from error
    root = session if session is not None else find_session(folder, record.session, record.recordings)
    return Content(folder, record, sync, timeline, as_events(rows), find_media(record, sync, root), root)


def as_events(rows: Sequence[Mapping[str, Any]]) -> tuple[Event, ...]:
    """Rows of an events table (`pipeline.export.events.COLUMNS`) as events, in order.

    Raises:
        InvalidValueError: an event ends before it begins, or its apex lies outside.
    """
    out = []
    for row in rows:
        out.append(
            Event(
                channel=row["channel"],
                kind=row["kind"],
                onset_ns=to_ns(row["onset_s"]),
                offset_ns=to_ns(row["offset_s"]),
                apex_ns=None if row["apex_s"] is None else to_ns(row["apex_s"]),
                person=row["person"] or None,
                score=row["score"],
                label=row["label"] or "",
                details=json.loads(row["details"]) if row["details"] else {},
            )
        )
    return tuple(sorted(out, key=lambda event: (event.onset_ns, event.channel, event.kind)))
