"""XDF files of the Lab Streaming Layer through pyxdf: clock offsets applied, time stamps kept, gaps left open."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ManifestError, UnreadableFileError
from data_schemas.intervals import IntervalSet
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import NS_PER_S, Int64Array, to_ns
from modalities.readers.faults import hushed, reading
from modalities.readers.info import MARK_KINDS, SIGNAL_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.labels import canonical_unit, guess_kind, words_of
from modalities.readers.selection import Channel, choose, missing, tracks_of, unfit
from modalities.readers.timing import axis_of
from modalities.readers.xdf_chunks import XdfContents, XdfStream, open_bytes, scan

_WHAT = "an XDF file"
_GAP_S = 1.5


class XdfReader:
    """Reads XDF; `track` is the name of a stream, or its number where two have the same name."""

    def probe(self, path: Path) -> FileInfo:
        """Streams by their headers; counts samples without reading them."""
        with reading(path, _WHAT):
            contents = scan(path)
            tracks: list[TrackInfo] = []
            for stream in contents.streams.values():
                tracks += _tracks(stream, _key(stream, contents))
        notes = (contents.broken,) if contents.broken else ()
        return FileInfo(path, "xdf", tuple(tracks), _wall(contents), notes)

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """One stream. Times are LSL seconds of the recording computer, with the clock offsets applied.

        Raises:
            ManifestError: which of several streams is meant cannot be told.
            UnreadableFileError: the stream is empty.
        """
        with reading(path, _WHAT):
            contents = scan(path)
            if entry.kind not in (*SIGNAL_KINDS, *MARK_KINDS):
                raise unfit(entry, path, "an XDF file holds signals and markers", [*SIGNAL_KINDS, *MARK_KINDS])
            stream = _pick(entry, path, contents)
            loaded, said = _load(path, contents, stream.number)
            notes = [*info.notes, *said, *([contents.broken] if contents.broken else [])]
            info = replace(info, origin=f"stream '{stream.name}'", wall_start=_wall(contents), notes=tuple(notes))
            if entry.kind in MARK_KINDS:
                return _marks(stream, loaded, info)
            return _signal(entry, path, stream, loaded, info)


def _wall(contents: XdfContents) -> dt.datetime | None:
    """Wall-clock time of LSL zero: when the recording began, less the earliest time stamp."""
    firsts = [one.first_s + (one.offset_s or 0.0) for one in contents.streams.values() if one.first_s is not None]
    try:
        began = dt.datetime.fromisoformat(contents.started)
        return began - dt.timedelta(seconds=min(firsts))
    except (ValueError, OverflowError):
        return None


def _key(stream: XdfStream, contents: XdfContents) -> str | int:
    alike = [one for one in contents.streams.values() if one.name == stream.name]
    return stream.name if len(alike) == 1 else stream.number


def _is_markers(stream: XdfStream) -> bool:
    about = {*words_of(stream.type), *words_of(stream.name)}
    return stream.format == "string" or (stream.rate_hz == 0 and bool(about & {"marker", "markers", "event", "events"}))


def _channels(stream: XdfStream) -> list[Channel]:
    rate = stream.rate_hz if stream.rate_hz > 0 else None
    general = guess_kind(stream.type, "") or guess_kind(stream.name, "")
    out = []
    for label, unit in zip(stream.labels, stream.units, strict=True):
        kind = guess_kind(label, unit) or (general if len(stream.labels) <= 4 else None)
        out.append(Channel(label, canonical_unit(unit), rate, stream.n, kind))
    return out


def _tracks(stream: XdfStream, key: str | int) -> list[TrackInfo]:
    start = 0.0 if stream.first_s is None else stream.first_s + (stream.offset_s or 0.0)
    about = f"{stream.type or 'untyped'}, {stream.n} samples"
    if _is_markers(stream):
        kind = "markers" if stream.n else None
        detail = about if stream.n else f"{about}: empty"
        return [TrackInfo(key, kind, stream.labels, ("1",) * len(stream.labels), None, stream.n, start, detail=detail)]
    tracks = tracks_of(_channels(stream), key, start)
    if not stream.n:
        tracks = [replace(track, kind=None, detail=f"{about}: empty") for track in tracks]
    return [replace(track, detail=f"{about}, {track.detail}") if stream.n else track for track in tracks]


def _pick(entry: StreamEntry, path: Path, contents: XdfContents) -> XdfStream:
    streams = list(contents.streams.values())
    if entry.track is not None:
        by_name = [one for one in streams if one.name == str(entry.track)]
        by_number = [one for one in streams if str(one.number) == str(entry.track)]
        found = by_name if len(by_name) == 1 else by_number or by_name
        if not found:
            raise missing("stream", entry.track, [str(_key(one, contents)) for one in streams], entry, path)
        if len(found) > 1:
            raise ManifestError(
                f"{len(found)} streams are called '{entry.track}'",
                file=path,
                expected=f"track = one of the numbers {', '.join(str(one.number) for one in found)}",
            )
        return found[0]
    if entry.kind in MARK_KINDS:
        fitting = [one for one in streams if one.n and _is_markers(one)]
    else:
        fitting = [one for one in streams if one.n and any(c.guess == entry.kind for c in _channels(one))]
    if len(fitting) != 1 and len(streams) != 1:
        raise ManifestError(
            f"which stream holds the {entry.kind} cannot be told",
            file=path,
            expected=f"track = one of {', '.join(str(_key(one, contents)) for one in fitting or streams)}",
        )
    return fitting[0] if fitting else streams[0]


def _load(path: Path, contents: XdfContents, number: int) -> tuple[dict[str, Any], list[str]]:
    """One stream through pyxdf, and what it complained of. Of a broken file the well-formed part is read."""
    import pyxdf

    source: Any = path
    if contents.broken:
        with open_bytes(path) as handle:
            source = io.BytesIO(handle.read(contents.good_bytes))
    elif path.name.lower().endswith(".gz") or path.suffix.lower() == ".xdfz":
        source = io.BytesIO(open_bytes(path).read())
    with hushed("pyxdf.pyxdf") as said:
        streams, _ = pyxdf.load_xdf(source, select_streams=number, synchronize_clocks=True, dejitter_timestamps=False)
    if not streams:
        raise UnreadableFileError("the stream cannot be read", file=path, got="; ".join(said) or None)
    return streams[0], [one for one in said if "Segments and clock-segments differ" not in one]


def _marks(stream: XdfStream, loaded: dict[str, Any], info: StreamInfo) -> Marks:
    rows = []
    for at, sample in zip(np.asarray(loaded["time_stamps"]).tolist(), loaded["time_series"], strict=True):
        cells = [value if isinstance(value, str) else value.item() for value in sample]
        columns = dict(zip(stream.labels[1:], cells[1:], strict=True))
        rows.append(Mark(to_ns(at), 0, _word(cells[0]), columns))
    return Marks.of(info, rows)


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _signal(entry: StreamEntry, path: Path, stream: XdfStream, loaded: dict[str, Any], info: StreamInfo) -> Signal:
    if stream.format == "string":
        raise unfit(entry, path, f"stream '{stream.name}' holds words", MARK_KINDS)
    channels = _channels(stream)
    picked = choose(entry, path, channels)
    stamps = np.asarray(loaded["time_stamps"], dtype=np.float64)
    if not len(stamps):
        raise UnreadableFileError(f"stream '{stream.name}' is empty", file=path)
    if not np.all(np.isfinite(stamps)) or float(np.abs(stamps).max()) > 9e9:
        raise UnreadableFileError(f"stream '{stream.name}' has impossible time stamps", file=path)
    notes = list(info.notes)
    times = np.rint(stamps * NS_PER_S).astype(np.int64)
    pieces = _pieces(stamps, loaded["info"].get("clock_segments") or [], stream.rate_hz)
    times, said = _even_out(times, pieces, stream.rate_hz)
    notes += said
    axis, kept, said = axis_of(times, 1_000.0)
    notes += said
    series = np.asarray(loaded["time_series"])[:, picked]
    wide = series.dtype.itemsize > 4 or series.dtype == np.int32
    values: NDArray[np.floating] = series.astype(np.float64) if wide else series.astype(np.float32)
    support = None
    if len(pieces) > 1:
        period = round(NS_PER_S / stream.rate_hz) if stream.rate_hz else 1
        spans = [(int(times[a : b + 1].min()), int(times[a : b + 1].max()) + period) for a, b in pieces]
        support = IntervalSet(spans)
        notes.append(f"{len(pieces)} segments; nothing lies between them")
    rate = _effective_rate(stamps, pieces)
    if stream.rate_hz and rate and abs(rate / stream.rate_hz - 1) > 0.01:
        notes.append(f"effective rate {rate:.2f} Hz, nominal {stream.rate_hz:g} Hz")
    return Signal(
        info=replace(info, notes=tuple(notes), nominal_rate_hz=stream.rate_hz or None),
        axis=axis,
        native_support=support,
        values=values if kept is None else values[kept],
        columns=tuple(channels[at].name for at in picked),
        units=tuple(channels[at].unit for at in picked),
    )


def _pieces(stamps: NDArray[np.float64], segments: Sequence[tuple[int, int]], rate_hz: float) -> list[tuple[int, int]]:
    """Index ranges (inclusive) without a clock reset or, for regular streams, a gap inside."""
    starts = {0, *(int(first) for first, _ in segments)}
    if rate_hz > 0:
        starts |= set((np.flatnonzero(np.abs(np.diff(stamps)) > max(_GAP_S, 5 / rate_hz)) + 1).tolist())
    ordered = sorted(starts)
    return list(zip(ordered, [*(start - 1 for start in ordered[1:]), len(stamps) - 1], strict=True))


def _even_out(times: Int64Array, pieces: Sequence[tuple[int, int]], rate_hz: float) -> tuple[Int64Array, list[str]]:
    """Time stamps that jitter so much that they go backwards, put on the straight line through their segment.

    Only regular streams, only segments that need it: elsewhere the stamps stay as they are.
    """
    notes: list[str] = []
    for first, last in pieces:
        here = times[first : last + 1]
        if rate_hz <= 0 or len(here) < 3 or not np.any(np.diff(here) <= 0):
            continue
        index = np.arange(len(here), dtype=np.float64)
        since = (here - here[0]).astype(np.float64)
        slope, start = np.polyfit(index, since, 1)
        if slope <= 0:
            continue
        back = int((np.diff(here) <= 0).sum())
        moved = np.abs(start + slope * index - since).max() / 1e6
        times = times.copy()
        times[first : last + 1] = here[0] + np.rint(start + slope * index).astype(np.int64)
        notes.append(
            f"{back} time stamps went backwards by jitter: the segment was evened out, by up to {moved:.1f} ms"
        )
    return times, notes


def _effective_rate(stamps: NDArray[np.float64], pieces: Sequence[tuple[int, int]]) -> float | None:
    """Samples per second over all segments, each by the straight line through its time stamps."""
    count, spans = 0, 0.0
    for first, last in pieces:
        if last - first >= 2:
            here = stamps[first : last + 1] - stamps[first]
            spans += float(np.polyfit(np.arange(len(here)), here, 1)[0]) * (last - first)
            count += last - first
    return count / spans if spans > 0 else None
