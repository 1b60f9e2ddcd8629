"""One channel of one file, without a manifest: open it, encode it, keep it on the file's own clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from data_schemas.errors import InvalidValueError, MissingTrackError, NothingUsableError
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.intervals import IntervalSet
from data_schemas.session import STREAM_KINDS, StreamEntry
from data_schemas.stream import Stream
from modalities.base import Task
from modalities.registry import load_encoder
from pipeline.complaints import explain
from sync.clock import ClockMap

if TYPE_CHECKING:
    import pyarrow as pa

    from modalities.readers import FileInfo, TrackInfo

NO_CONSENT = "no consent record: this command reads no manifest; make sure that the recorded people agreed"


def encode_file(
    path: Path,
    channel: str,
    *,
    rate_hz: float | None = None,
    columns: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    hook: Hook = silent,
) -> tuple[Encoding, dict[str, Stream]]:
    """Encode one channel of one file.

    Args:
        path: Recording; its first fitting tracks are taken.
        channel: "face", "voice", "body" or "physiology".
        rate_hz: Sampling rate where the file states none.
        columns: Columns to use instead of the guessed ones; each is taken for what its name says. In a table without
            a header: the kinds of its columns in order.
        settings: Of the encoder; the others keep their defaults.
        hook: Progress.

    Returns:
        The encoding, times counted from the file's own zero, and the streams it was made from.

    Raises:
        NothingUsableError: the file has no track for this channel.
        TelltaleError: the file cannot be read.
    """
    from modalities.readers import open_stream, probe

    info = probe(path)
    encoder = load_encoder(channel)
    picked = _name_columns(info, columns, path) if columns else None
    streams: dict[str, Stream] = {}
    for track in info.tracks:
        for kind, names in _wanted(track, channel, picked):
            if kind not in encoder.spec.inputs or any(s.info.kind == kind for s in streams.values()):
                continue
            values = {
                "name": kind,
                "kind": kind,
                "file": path.name,
                "track": track.track,
                "columns": list(names) if names and channel == "physiology" else None,
                "rate_hz": rate_hz,
                "time_column": track.time_column,
            }
            try:
                entry = StreamEntry.model_validate(values)
            except ValidationError as error:
                raise InvalidValueError(explain(error, StreamEntry), file=path) from error
            streams[kind] = open_stream(entry, path.parent, "p01").on(ClockMap.affine(), "session")
    if not streams:
        seen = ", ".join(f"{track.kind or 'unknown'} {'/'.join(track.columns)}".strip() for track in info.tracks)
        raise NothingUsableError(
            f"the file has nothing for the {channel} channel",
            file=path,
            got=seen or "no tracks",
            expected=" or ".join(encoder.spec.inputs),
            mend="Name the columns with --columns, e.g. --columns ecg,eda." if channel == "physiology" else None,
        )
    extent = _extent(list(streams.values()))
    if extent.extent is None:
        raise NothingUsableError("the file holds no samples", file=path)
    task = Task("p01", streams, extent.extent, dict(settings or {}), hook)
    return encoder.encode(task).check(), streams


def _extent(streams: Sequence[Stream]) -> IntervalSet:
    total = IntervalSet()
    for stream in streams:
        total = total | stream.support
    return total


def _wanted(track: TrackInfo, channel: str, picked: Mapping[str, str] | None) -> list[tuple[str, tuple[str, ...]]]:
    """Kinds to open from a track, each with its columns."""
    if picked is not None and channel == "physiology":
        return [(kind, (name,)) for name, kind in picked.items() if name in track.columns]
    kind = track.kind
    if channel in ("face", "body") and kind is None and track.detail[:1].isdigit():
        kind = "face_rgb" if channel == "face" else "body_video"
    return [(kind or "", tuple(track.columns))]


def _name_columns(info: FileInfo, wanted: Sequence[str], path: Path) -> dict[str, str]:
    """Column -> kind for the columns that the user named.

    A name may be a column of the file (in any case), or, for a table without a header, the kind of the column in that
    place ("ecg,eda": the first is ECG, the second EDA).

    Raises:
        MissingTrackError: a name is neither.
    """
    from modalities.readers.labels import guess_kind

    there = [name for track in info.tracks for name in track.columns]
    lower = {name.lower(): name for name in there}
    nameless = all(re.fullmatch(r"column_\d+", name) for name in there)
    picked: dict[str, str] = {}
    for place, name in enumerate(wanted):
        column = lower.get(name.lower())
        if column is None and nameless and name.lower() in STREAM_KINDS and place < len(there):
            column = there[place]
        if column is None:
            raise MissingTrackError(f"no column '{name}'", file=path, expected=f"of {', '.join(there)}")
        picked[column] = guess_kind(name, "") or name.lower()
    return picked


def track_table(encoding: Encoding) -> pa.Table:
    """The track as an Arrow table: `t_ns`, one nullable column per feature, `reason`."""
    import pyarrow as pa

    track = encoding.track
    fields = [pa.field("t_ns", pa.int64(), metadata={"unit": "ns", "description": "time in the file"})]
    columns: list[pa.Array] = [pa.array(track.times_ns)]
    for at, feature in enumerate(encoding.spec.features):
        metadata = {"unit": feature.unit, "description": feature.description, "source": feature.source}
        fields.append(pa.field(f"{encoding.spec.channel}.{feature.name}", pa.float32(), metadata=metadata))
        columns.append(pa.array(track.values[:, at], mask=~track.valid[:, at]))
    fields.append(pa.field(f"{encoding.spec.channel}.reason", pa.string()))
    columns.append(pa.array([str(word) or None for word in track.reason], pa.string()))
    return pa.table(columns, schema=pa.schema(fields))
