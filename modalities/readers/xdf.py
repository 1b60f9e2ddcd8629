"""XDF files of the Lab Streaming Layer through pyxdf: clock offsets applied, time stamps kept, gaps left open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ManifestError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import to_ns
from modalities.readers.faults import hushed, reading
from modalities.readers.info import MARK_KINDS, SIGNAL_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.labels import canonical_unit, guess_kind, words_of
from modalities.readers.selection import Channel, choose, missing, tracks_of, unfit
from modalities.readers.timing import axis_of
from modalities.readers.xdf_chunks import XdfContents, XdfStream, scan
from modalities.readers.xdf_clock import OffsetLine, clock_lines, to_recorder
from modalities.readers.xdf_salvage import open_whole, report_losses, shortfall
from modalities.readers.xdf_stamps import Laid, lay_stamps
from modalities.readers.xdf_twins import Twins, find_twins_in

_WHAT = "an XDF file"
_CAMERA = {"video", "camera", "cam", "webcam", "frame", "frames", "videoraw", "videocompressed", "videostream"}
_COUNTED = {"frame", "frames", "framenumber", "frameindex", "framecount", "frameid"}


class XdfReader:
    """Reads XDF; `track` is the name of a stream, or its number where two have the same name."""

    def probe(self, path: Path) -> FileInfo:
        """Streams by their headers; counts samples without reading them."""
        with reading(path, _WHAT):
            contents = scan(path)
            tracks: list[TrackInfo] = []
            for stream in contents.streams.values():
                tracks += _tracks(stream, _key(stream, contents))
            notes = [*report_losses(contents), *(twins.sentence for twins in _twins(path, contents))]
        return FileInfo(path, "xdf", tuple(tracks), _wall(contents), tuple(notes))

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
            stamps, series, said = load_raw(path, contents, stream.number)
            if not np.all(np.isfinite(stamps)) or float(np.abs(stamps).max(initial=0)) > 9e9:
                raise UnreadableFileError(f"stream '{stream.name}' has impossible time stamps", file=path)
            lines = clock_lines(stream.clock_times, stream.clock_values)
            stamps, spans = to_recorder(stamps, lines)
            notes = [*info.notes, *said, *_notes(stream, contents), *_clock_notes(stream, lines, spans)]
            notes += [twins.sentence for twins in _twins(path, contents) if stream.number in twins.numbers]
            info = replace(info, origin=f"stream '{stream.name}'", wall_start=_wall(contents), notes=tuple(notes))
            if entry.kind in MARK_KINDS:
                return _marks(stream, stamps, series, info)
            laid = lay_stamps(stamps, [first for first, _, _ in spans], stream.rate_hz, steady=not _may_drop(stream))
            return _signal(entry, path, stream, laid, series, info)


def _notes(stream: XdfStream, contents: XdfContents) -> list[str]:
    """What was lost of the file, as far as it concerns this stream."""
    said = [text for text in report_losses(contents) if not text.startswith("stream '")]
    return said + ([text] if (text := shortfall(stream, contents)) else [])


def _clock_notes(
    stream: XdfStream, lines: Sequence[OffsetLine], spans: Sequence[tuple[int, int, OffsetLine]]
) -> list[str]:
    if not lines:
        return ["the file has no clock offsets for it: its times are those of its own computer"] if stream.n else []
    notes = []
    resets = len(spans) - 1
    if resets > 0:
        notes.append(f"its clock was reset {resets} time{'s' if resets > 1 else ''}: each part has its own offset")
    if len(lines) > max(1, len(spans)):
        lost = len(lines) - len(spans)
        notes.append(f"{lost} stretches of clock offsets far off the rest have no samples and were left out")
    for number, (_, _, line) in enumerate(spans, 1):
        which = f"part {number}: " if resets > 0 else ""
        spread = f"spread {line.spread_s * 1e3:.3f} ms over {len(line.times_s)} measurements"
        offset = f"clock offset {line.offset_s:.6f} s +- {line.ci95_s * 1e3:.2f} ms"
        notes.append(f"{which}{offset}, drift {line.drift_ppm:+.2f} ppm, {spread}")
    return notes


def _twins(path: Path, contents: XdfContents) -> tuple[Twins, ...]:
    state = path.stat()
    return _find_twins(path, state.st_size, state.st_mtime_ns) if len(contents.streams) > 1 else ()


@lru_cache(maxsize=8)
def _find_twins(path: Path, _size: int, _changed_ns: int) -> tuple[Twins, ...]:
    """Streams of a file that are the same; none where a stream cannot be read, which opening it will say."""
    contents = scan(path)
    try:
        with reading(path, _WHAT):
            return tuple(find_twins_in(contents, lambda number: load_raw(path, contents, number)[:2]))
    except UnreadableFileError:
        return ()


def _counts_frames(stream: XdfStream) -> bool:
    texts = [stream.name, stream.type, *stream.labels]
    about = {word for text in texts for word in (*words_of(text), "".join(words_of(text)))}
    return len(stream.labels) <= 2 and bool(about & _COUNTED) and bool(about & _CAMERA or "int" in stream.format)


def _may_drop(stream: XdfStream) -> bool:
    """A camera, or whatever says of itself that samples may be missing: its stamps are never put on a straight line."""
    about = {*words_of(stream.type), *words_of(stream.name), *(word for one in stream.labels for word in words_of(one))}
    return stream.may_drop or bool(about & _CAMERA)


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
    if _counts_frames(stream):
        about += ', frame numbers of a camera: kind = "markers" ties them to its video'
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


def load_raw(path: Path, contents: XdfContents, number: int) -> tuple[NDArray[np.float64], Any, list[str]]:
    """Time stamps (n,) on the stream's own clock, its values as pyxdf has them, and what pyxdf complained of.

    Of a damaged file the whole samples are read.

    Raises:
        UnreadableFileError: the stream cannot be read.
    """
    import pyxdf

    packed = path.name.lower().endswith(".gz") or path.suffix.lower() == ".xdfz"
    source: Any = open_whole(path, contents) if contents.losses or packed else path
    try:
        with hushed("pyxdf.pyxdf") as said:
            streams, _ = pyxdf.load_xdf(
                source, select_streams=number, synchronize_clocks=False, dejitter_timestamps=False
            )
    finally:
        if source is not path:
            source.close()
    if not streams:
        raise UnreadableFileError("the stream cannot be read", file=path, got="; ".join(said) or None)
    return np.asarray(streams[0]["time_stamps"], np.float64), streams[0]["time_series"], said


def clock_of(path: Path, track: int | str | None = None) -> list[OffsetLine]:
    """The clock of one stream of an XDF file by its clock offsets, one line from each reset to the next.

    For `sync.cues.lsl`. The streams that `XdfReader` opens have them applied already.

    Args:
        path: The file.
        track: Name or number of the stream; may be left out for a file of one stream.

    Raises:
        MissingTrackError: there is no such stream.
        ManifestError: the name fits several streams.
        UnreadableFileError: the file cannot be read.
    """
    with reading(path, _WHAT):
        contents = scan(path)
        if track is None and len(contents.streams) == 1:
            (stream,) = contents.streams.values()
        else:
            entry = StreamEntry(name="clock", kind="markers", file=path.name, track=track)
            stream = _pick(entry, path, contents)
        return clock_lines(stream.clock_times, stream.clock_values)


def _marks(stream: XdfStream, stamps: NDArray[np.float64], series: Any, info: StreamInfo) -> Marks:
    rows = []
    for at, sample in zip(stamps.tolist(), series, strict=True):
        cells = [value if isinstance(value, str) else value.item() for value in sample]
        columns = dict(zip(stream.labels[1:], cells[1:], strict=True))
        rows.append(Mark(to_ns(at), 0, _word(cells[0]), columns))
    return Marks.of(info, rows)


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _signal(entry: StreamEntry, path: Path, stream: XdfStream, laid: Laid, values: Any, info: StreamInfo) -> Signal:
    if stream.format == "string":
        raise unfit(entry, path, f"stream '{stream.name}' holds words", MARK_KINDS)
    channels = _channels(stream)
    picked = choose(entry, path, channels)
    if not len(laid.times_ns):
        raise UnreadableFileError(f"stream '{stream.name}' is empty", file=path)
    axis, kept, said = axis_of(laid.times_ns, 1_000.0)
    series = np.asarray(values)[:, picked]
    wide = series.dtype.itemsize > 4 or series.dtype == np.int32
    numbers: NDArray[np.floating] = series.astype(np.float64) if wide else series.astype(np.float32)
    return Signal(
        info=replace(info, notes=(*info.notes, *laid.notes, *said), nominal_rate_hz=stream.rate_hz or None),
        axis=axis,
        native_support=laid.support,
        values=numbers if kept is None else numbers[kept],
        columns=tuple(channels[at].name for at in picked),
        units=tuple(channels[at].unit for at in picked),
    )
