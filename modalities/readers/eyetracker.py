"""Eye trackers: gaze and pupil with their validity, and the experiment's messages (Tobii, Pupil Labs, EyeLink ASC)."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.session import STREAM_KINDS, StreamEntry
from data_schemas.stream import Marks, Signal, StreamInfo
from data_schemas.time import NS_PER_S
from modalities.readers.events import EventTableReader
from modalities.readers.eye_data import EyeData
from modalities.readers.eye_tables import read_eye_table
from modalities.readers.eyelink import read_eyelink
from modalities.readers.faults import reading
from modalities.readers.info import MARK_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.selection import Channel, choose, tracks_of, unfit
from modalities.readers.table import TableReader
from modalities.readers.text_lines import encoding_of, is_eyelink
from modalities.readers.timing import axis_of, epoch_unit

EYE_KINDS = ("gaze", "pupil")
"""Kinds of streams that an eye tracker gives; a file may hold both."""
MESSAGES = "messages"
_WHAT = "an eye tracker's recording"


class EyeTrackerReader:
    """Reads eye trackers' text files."""

    def probe(self, path: Path) -> FileInfo:
        """Gaze and pupil, and the messages; reads the whole file."""
        data = _read(path)
        rate = _rate(data)
        tracks: list[TrackInfo] = []
        if data.values:
            start = float(data.times_ns[0]) / NS_PER_S if len(data.times_ns) else 0.0
            tracks = tracks_of(_channels(data, rate, declared=True), start_s=start)
        if data.marks:
            tracks.append(TrackInfo(MESSAGES, "cues", n=len(data.marks), detail=f"{len(data.marks)} messages"))
        return FileInfo(path, "eyetracker", tuple(tracks), _wall(data), data.notes)

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Gaze ("gaze_x", "gaze_y"), pupil ("pupil_left", "pupil_right"), named columns, or the messages as marks.

        Gaze in degrees ("gaze_x_deg", "gaze_y_deg") comes along where the file has it.
        Gaze is in the unit that the file has (pixels of the screen or scene, shares of the picture, degrees), pupil in
        mm or in the tracker's own unit. Blinks and samples that the tracker is not sure of are invalid. With a
        `time_column` the file is read as any table.
        """
        if entry.time_column is not None:
            return (EventTableReader() if entry.kind in MARK_KINDS else TableReader()).open(entry, path, info)
        data = _read(path)
        info = replace(info, notes=(*info.notes, *data.notes), wall_start=_wall(data))
        if entry.kind in MARK_KINDS:
            if not data.marks:
                raise UnreadableFileError(f"the {data.maker} file holds no messages", file=path)
            return Marks.of(replace(info, origin="messages"), list(data.marks))
        if entry.kind not in EYE_KINDS and not entry.columns:
            raise unfit(entry, path, "an eye tracker's file holds gaze, pupils and messages", [*EYE_KINDS, *MARK_KINDS])
        if not data.values or not len(data.times_ns):
            raise UnreadableFileError(
                f"the {data.maker} file holds messages and no samples",
                file=path,
                mend="Export it again with samples.",
            )
        return _signal(entry, path, info, data)


def _signal(entry: StreamEntry, path: Path, info: StreamInfo, data: EyeData) -> Signal:
    picked = [list(data.values)[at] for at in choose(entry, path, _channels(data, None))]
    axis, kept, notes = axis_of(data.times_ns, data.step_ns)
    keep = slice(None) if kept is None else kept
    values = np.stack([data.values[name] for name in picked], axis=1)[keep]
    mask = np.stack([data.masks[name] for name in picked], axis=1)[keep] & np.isfinite(values)
    return Signal(
        info=replace(
            info,
            notes=(*info.notes, *notes),
            origin=f"{data.maker}: {', '.join(picked)}",
            nominal_rate_hz=data.rate_hz,
        ),
        axis=axis,
        values=np.where(mask, values, 0.0),
        columns=tuple(picked),
        units=tuple(data.units[name] for name in picked),
        mask=mask,
    )


def _read(path: Path) -> EyeData:
    with reading(path, _WHAT):
        with path.open("rb") as handle:
            head = handle.read(64 * 1024)
        if is_eyelink(head.decode(encoding_of(head), "replace")):
            return read_eyelink(path)
        return read_eye_table(path)


def _channels(data: EyeData, rate: float | None, declared: bool = False) -> list[Channel]:
    """Columns as channels; `declared` offers only kinds that a manifest may name."""
    known = [kind for kind in EYE_KINDS if not declared or kind in STREAM_KINDS]
    gaze = ("gaze_x", "gaze_y", "gaze_x_deg", "gaze_y_deg")
    out = []
    for name in data.values:
        kind = "gaze" if name in gaze else "pupil" if name in ("pupil_left", "pupil_right") else ""
        out.append(Channel(name, data.units[name], rate, len(data.times_ns), kind=kind if kind in known else ""))
    return out


def _rate(data: EyeData) -> float | None:
    if data.rate_hz is not None or len(data.times_ns) < 3:
        return data.rate_hz
    step = float(np.median(np.diff(data.times_ns)))
    return NS_PER_S / step if step > 0 else None


def _wall(data: EyeData) -> dt.datetime | None:
    """1970 where the times are dates (Pupil Invisible and Neon)."""
    dated = len(data.times_ns) and epoch_unit(float(data.times_ns[0])) == "ns"
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) if dated else None
