"""From a manifest entry to a stream: find the files, pick the reader, check that the kind fits, convert units."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import TypeVar

from data_schemas.errors import ManifestError, MissingFileError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Marks, Signal, StreamInfo, Video
from modalities.readers.faults import reading
from modalities.readers.info import MARK_KINDS, VIDEO_KINDS, AnyStream
from modalities.readers.labels import canonical_unit, to_field_unit
from modalities.readers.registry import load_reader
from modalities.readers.selection import unfit
from modalities.readers.sniff import format_of, resolve

_Sampled = TypeVar("_Sampled", Signal, Audio)


def open_entry(entry: StreamEntry, root: Path, person: str | None) -> AnyStream:
    """`modalities.readers.open_stream`."""
    paths: list[Path] = []
    try:
        if entry.kind == "ignore":
            raise ManifestError("the stream is listed as ignored", mend="Give it another kind to read it.")
        paths = [_find(root, name) for name in entry.paths]
        if not paths:
            raise ManifestError("files = [] names no file")
        chapters = [_open_one(entry, path, person) for path in paths]
        if len(chapters) == 1:
            return chapters[0]
        from modalities.readers.chapters import join

        return join(chapters, paths)
    except TelltaleError as error:
        error.stream = error.stream or entry.name
        if error.file is None and len(paths) == 1:
            error.file = str(paths[0])
        raise


def _find(root: Path, name: str) -> Path:
    path = root / name
    try:
        if path.exists():
            return resolve(path)
        folder = path.parent
        there = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    except (OSError, ValueError) as error:  # too long for the system, no right to look, or a NUL in it
        said = error.strerror if isinstance(error, OSError) else str(error)
        shown = str(path) if len(str(path)) < 300 else f"{str(path)[:300]} ..."
        raise UnreadableFileError("the file cannot be looked for", file=shown.replace("\0", "\\0"), got=said) from error
    near = get_close_matches(path.name, there, n=1, cutoff=0.6)
    raise MissingFileError(
        "no such file", file=path, mend=f"Did you mean '{near[0]}'?" if near else "Correct the path in the manifest."
    )


def _open_one(entry: StreamEntry, path: Path, person: str | None) -> AnyStream:
    info = StreamInfo(entry.name, entry.kind, entry.clock, person, (str(path),))
    form = format_of(path, entry.kind)
    with reading(path, f"a recording ({form})"):
        stream = load_reader(form).open(entry, path, info)
    wanted: type | UnionType = Signal
    if entry.kind in VIDEO_KINDS:
        wanted = Video
    elif entry.kind in MARK_KINDS:
        wanted = Marks
    elif entry.kind in ("audio", "sync_audio"):
        wanted = Audio
    elif entry.kind == "pulse":
        wanted = Signal | Audio
    if not isinstance(stream, wanted):
        raise unfit(entry, path, f"the file gives {type(stream).__name__.lower()}", ["that of such a stream"])
    if isinstance(stream, Audio):
        return _with_rate_checked(entry, stream)
    return _in_field_units(entry, _with_rate_checked(entry, stream), path) if isinstance(stream, Signal) else stream


def _with_rate_checked(entry: StreamEntry, stream: _Sampled) -> _Sampled:
    """The stream, with a note where the manifest states another rate than the file."""
    rate = stream.axis.rate_hz
    if entry.rate_hz is None or not stream.axis.n or abs(rate / entry.rate_hz - 1) <= 0.01:
        return stream
    note = f"rate_hz = {entry.rate_hz:g} of the manifest was not used: the file itself gives {rate:.4g} Hz"
    return replace(stream, info=replace(stream.info, notes=(*stream.info.notes, note)))


def _in_field_units(entry: StreamEntry, stream: Signal, path: Path) -> Signal:
    """The signal with the manifest's units instead of the file's, converted to those of the field."""
    units = stream.units
    if entry.units is not None:
        if len(entry.units) != len(stream.columns):
            raise ManifestError(
                "units must have one entry per column",
                file=path,
                got=f"{len(entry.units)} units",
                expected=f"{len(stream.columns)}: {', '.join(stream.columns)}",
            )
        units = tuple(canonical_unit(unit) for unit in entry.units)
    converted = stream.values
    out = list(units)
    for at, unit in enumerate(units):
        column, out[at] = to_field_unit(entry.kind, stream.values[:, at], unit)
        if out[at] != unit:
            if converted is stream.values:
                converted = stream.values.copy()
            converted[:, at] = column
    return replace(stream, values=converted, units=tuple(out))
