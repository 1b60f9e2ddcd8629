"""BIOPAC AcqKnowledge files (.acq) through bioread: channels at their own rates, markers, start time."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.intervals import IntervalSet
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import Regular
from modalities.readers.biopac_limits import check_headers, check_packed
from modalities.readers.faults import hushed, reading
from modalities.readers.info import MARK_KINDS, SIGNAL_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.labels import canonical_unit
from modalities.readers.selection import Channel, choose, missing, tracks_of, unfit

_WHAT = "a BIOPAC .acq file"
MARKERS = "markers"


class BiopacReader:
    """Reads AcqKnowledge files."""

    def probe(self, path: Path) -> FileInfo:
        """Channels by kind and rate, and the markers, from the headers."""
        with reading(path, _WHAT), hushed("bioread"):
            file = _headers(path)
            channels = _channels(file)
            tracks = tracks_of(channels)
            n = len(file.event_markers or [])
            if n:
                tracks.append(TrackInfo(track=MARKERS, kind="markers", n=n, detail=f"{n} event markers"))
            if not tracks:
                raise UnreadableFileError("the file has no channels", file=path)
            wall = _wall(file)
        return FileInfo(path, "biopac", tuple(tracks), wall)

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Channels of one rate as a signal, or the event markers as marks."""
        with reading(path, _WHAT), hushed("bioread"):
            file = _headers(path)
            if entry.track not in (None, MARKERS):
                raise missing("track", entry.track, [MARKERS], entry, path)
            info = replace(info, wall_start=_wall(file))
            if entry.kind in MARK_KINDS:
                return _marks(file, info)
            if entry.kind not in SIGNAL_KINDS:
                raise unfit(entry, path, "an .acq file holds signals and markers", [*SIGNAL_KINDS, *MARK_KINDS])
            return _signal(entry, path, file, info)


def _headers(path: Path) -> Any:
    import bioread

    check_headers(path)
    file = bioread.read_headers(str(path))
    if not file.channels or not file.samples_per_second or not np.isfinite(file.samples_per_second):
        raise UnreadableFileError("the file has no channels", file=path)
    return file


def _channels(file: Any) -> list[Channel]:
    names: list[str] = []
    for at, channel in enumerate(file.channels):
        name = str(channel.name).strip() or f"channel_{at + 1}"
        names.append(name if name not in names else f"{name} ({at + 1})")
    return [
        Channel(name, canonical_unit(str(one.units)), float(one.samples_per_second), int(one.point_count))
        for name, one in zip(names, file.channels, strict=True)
    ]


def _wall(file: Any) -> dt.datetime | None:
    """When the oldest marker was set, less its place in the recording; AcqKnowledge sets one where a segment starts."""
    dated = [marker for marker in file.event_markers or [] if isinstance(marker.date_created_utc, dt.datetime)]
    if not dated:
        return None
    oldest = min(dated, key=lambda marker: marker.date_created_utc)
    start = oldest.date_created_utc - dt.timedelta(seconds=oldest.sample_index / float(file.samples_per_second))
    return start if isinstance(start, dt.datetime) else None


def _marks(file: Any, info: StreamInfo) -> Marks:
    """Markers on the file's base rate; a marker that belongs to a channel names it."""
    base = Regular.from_rate(float(file.samples_per_second), 0)
    rows = []
    for marker in file.event_markers or []:
        columns: dict[str, Any] = {"type": str(marker.type_code or "").strip()}
        if marker.channel_number is not None:
            columns["channel"] = marker.channel_name or marker.channel_number
        rows.append(Mark(int(base.times_of(marker.sample_index)), 0, str(marker.text), columns))
    lengths = [Regular.from_rate(float(c.samples_per_second), int(c.point_count)).end_ns for c in file.channels]
    end = max([*lengths, *(row.onset_ns + 1 for row in rows)])
    support = IntervalSet([(min(0, *(row.onset_ns for row in rows)) if rows else 0, end)]) if end > 0 else None
    return Marks.of(replace(info, origin="event markers"), rows, support)


def _signal(entry: StreamEntry, path: Path, file: Any, info: StreamInfo) -> Signal:
    import bioread

    channels = _channels(file)
    picked = choose(entry, path, channels)
    check_packed(path, file, picked)
    full = bioread.read(str(path), channel_indexes=sorted(picked))
    data = [np.asarray(full.channels[at].data, dtype=np.float64) for at in picked]
    n = min(len(one) for one in data)
    notes = list(info.notes)
    promised = min(channels[at].n or 0 for at in picked)
    if n < promised:
        notes.append(f"the file is cut off: {promised} samples are promised, {n} are there")
    rate = channels[picked[0]].rate_hz or 0.0
    return Signal(
        info=replace(
            info,
            notes=tuple(notes),
            origin=f"channels {', '.join(channels[at].name for at in picked)}",
            nominal_rate_hz=rate,
        ),
        axis=Regular.from_rate(rate, n),
        values=np.column_stack([one[:n] for one in data]),
        columns=tuple(channels[at].name for at in picked),
        units=tuple(channels[at].unit for at in picked),
    )
