"""EDF, EDF+ and BDF through MNE; channels of different rates are read apart, never resampled."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import StreamInfo
from modalities.readers.faults import hushed, reading, require_readable
from modalities.readers.info import MARK_KINDS, SIGNAL_KINDS, AnyStream, FileInfo
from modalities.readers.labels import canonical_unit
from modalities.readers.mne_raw import annotation_track, check_track, marks_of, scale_for, signal_of
from modalities.readers.selection import Channel, choose, tracks_of, unfit

_WHAT = "an EDF or BDF file"


@dataclass(frozen=True)
class EdfHeader:
    """The plain-text header of an EDF or BDF file.

    Attributes:
        channels: Channels other than annotations, with unit and rate.
        annotated: Whether it has annotation channels.
        discontinuous: EDF+D: its records are not contiguous.
        n_records: Data records that are really in the file.
        promised: Data records by the header; -1 where it does not say.
    """

    channels: tuple[Channel, ...]
    annotated: bool
    discontinuous: bool
    n_records: int
    promised: int


def read_header(path: Path) -> EdfHeader:
    """Read the header of an EDF or BDF file (Kemp et al. 1992; Kemp & Olivan 2003).

    Raises:
        UnreadableFileError: a field is no number, or the file ends before its data.
    """
    with path.open("rb") as handle:
        fixed = handle.read(256)
        if len(fixed) < 256:
            raise UnreadableFileError("the file ends within its header", file=path, got=f"{len(fixed)} bytes")
        count, length = _int(fixed[252:256], path), _int(fixed[184:192], path)
        promised, record_s = _int(fixed[236:244], path), float(_text(fixed[244:252]) or 0)
        if not 0 < count <= 4096 or length != 256 * (count + 1):
            raise UnreadableFileError(
                "the header contradicts itself", file=path, got=f"{count} signals in {length} bytes"
            )
        table = handle.read(256 * count)
    if len(table) < 256 * count:
        raise UnreadableFileError("the file ends within its header", file=path)
    size = 3 if fixed[0] == 0xFF else 2
    labels = [_text(table[16 * k : 16 * k + 16]) for k in range(count)]
    units = [_text(table[96 * count + 8 * k : 96 * count + 8 * k + 8]) for k in range(count)]
    samples = [_int(table[216 * count + 8 * k : 216 * count + 8 * k + 8], path) for k in range(count)]
    if min(samples) < 0 or sum(samples) == 0:
        raise UnreadableFileError("the header states no samples", file=path)
    there = (path.stat().st_size - length) // (size * sum(samples))
    if there <= 0:
        raise UnreadableFileError("the file ends before its first data record", file=path, mend="Copy it again.")
    n_records = there if promised < 0 else min(promised, there)
    names = _as_mne_names(labels)
    channels = tuple(
        Channel(name, canonical_unit(unit), per / record_s if record_s > 0 else None, per * n_records)
        for name, unit, per, label in zip(names, units, samples, labels, strict=True)
        if not _is_annotation(label) and per
    )
    subtype = _text(fixed[192:236])
    annotated = any(_is_annotation(label) for label in labels)
    return EdfHeader(channels, annotated, subtype.startswith(("EDF+D", "BDF+D")), n_records, promised)


def _is_annotation(label: str) -> bool:
    return label in ("EDF Annotations", "BDF Annotations")


def _text(field: bytes) -> str:
    return field.decode("latin-1").strip("\x00 ")


def _int(field: bytes, path: Path) -> int:
    try:
        return int(_text(field) or 0)
    except ValueError as error:
        raise UnreadableFileError("a field of the header is no number", file=path, got=repr(_text(field))) from error


def _as_mne_names(labels: Sequence[str]) -> list[str]:
    """Channel names as MNE gives them: repeated ones are numbered from 0."""
    return [f"{one}-{labels[:at].count(one)}" if labels.count(one) > 1 else one for at, one in enumerate(labels)]


class EdfReader:
    """Reads EDF, EDF+ and BDF."""

    def probe(self, path: Path) -> FileInfo:
        """Channels by kind and rate from the header; annotations through MNE."""
        with reading(path, _WHAT), hushed("mne") as said:
            header = read_header(path)
            raw = _open(path, [header.channels[0].name]) if header.channels else _open(path, None)
            tracks = tracks_of(header.channels) + annotation_track(raw)
            wall = raw.info["meas_date"]
        return FileInfo(path, "edf", tuple(tracks), wall, tuple(_notes(header, said)))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Channels of one rate as a signal, or the annotations as marks."""
        with reading(path, _WHAT), hushed("mne") as said:
            require_readable(path)
            header = read_header(path)
            check_track(entry, path)
            if entry.kind in MARK_KINDS:
                first = [header.channels[0].name] if header.channels else None
                return marks_of(_open(path, first), replace(info, notes=tuple(_notes(header, said))))
            if entry.kind not in SIGNAL_KINDS:
                raise unfit(entry, path, "an EDF file holds signals and annotations", [*SIGNAL_KINDS, *MARK_KINDS])
            if header.discontinuous:
                raise UnreadableFileError(
                    "the recording is discontinuous (EDF+D)",
                    file=path,
                    mend="Export it as continuous EDF, one file per part.",
                )
            picked = [header.channels[at] for at in choose(entry, path, header.channels)]
            raw = _open(path, [channel.name for channel in picked])
            units = [channel.unit for channel in picked]
            names = [channel.name for channel in picked]
            stream = signal_of(raw, names, units, [scale_for(unit) for unit in units], info)
        return replace(stream, info=replace(stream.info, notes=(*info.notes, *_notes(header, said))))


def _open(path: Path, names: Sequence[str] | None) -> Any:
    """The recording with these channels alone: MNE would bring channels of several rates to the highest."""
    import mne

    with path.open("rb") as handle:
        binary = handle.read(1) == b"\xff"
    read = mne.io.read_raw_bdf if binary else mne.io.read_raw_edf
    # As UTF-8 a single wrong byte in the annotations would stop MNE; `marks_of` makes UTF-8 of them where it can.
    choice: dict[str, Any] = {"encoding": "latin1", **({} if names is None else {"include": list(names)})}
    if path.suffix.lower() == (".bdf" if binary else ".edf"):
        return read(path, preload=False, stim_channel=None, verbose="WARNING", **choice)
    # MNE insists on its suffixes, but not for what is in memory.
    return read(io.BytesIO(path.read_bytes()), preload=True, stim_channel=None, verbose="WARNING", **choice)


def _notes(header: EdfHeader, said: Sequence[str]) -> list[str]:
    notes = []
    if 0 <= header.n_records < header.promised:
        notes.append(
            f"the file is cut off: its header promises {header.promised} data records, {header.n_records} are there"
        )
    told = ("highpass", "lowpass", "does not match the file size", "physical", "cutoff")
    return notes + [one for one in said if not any(word in one for word in told)]
