"""WFDB (PhysioNet) records: signals by their header, annotation files as tracks of marks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import Regular
from modalities.readers.faults import reading, require_readable
from modalities.readers.info import MARK_KINDS, SIGNAL_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.labels import canonical_unit
from modalities.readers.selection import Channel, choose, missing, tracks_of, unfit

_WHAT = "a WFDB record"
_MOST_HZ, _MOST_SIGNALS, _MOST_PER_BYTE_OF_FLAC = 1e8, 4096, 5000
_ANNOTATORS = ("atr", "ann", "ecg", "qrs", "wqrs", "man", "pwave", "stf", "st", "hea2")
_BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""Annotation codes that mark a beat (PhysioNet, "PhysioBank Annotations")."""


class WfdbReader:
    """Reads WFDB records by their .hea file."""

    def probe(self, path: Path) -> FileInfo:
        """Signals by kind and rate, and each annotation file as a track."""
        with reading(path, _WHAT):
            header = _header(path)
            tracks = tracks_of(_channels(header))
            for name in _annotators(path):
                annotation = _annotation(path, name)
                n = len(annotation.sample)
                tracks.append(
                    TrackInfo(track=name, kind="markers", n=n, detail=f"{n} annotations in {path.stem}.{name}")
                )
            if not tracks:
                raise UnreadableFileError("the record has neither signals nor annotations", file=path)
        return FileInfo(path, "wfdb", tuple(tracks), header.base_datetime)

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Signals of one rate in physical units, or an annotation file as marks (label: the code; `beat` says whether
        the code marks a beat).
        """
        with reading(path, _WHAT):
            header = _header(path)
            info = replace(info, wall_start=header.base_datetime)
            if entry.kind in MARK_KINDS:
                return _marks(entry, path, header, info)
            if entry.kind not in SIGNAL_KINDS:
                raise unfit(entry, path, "a WFDB record holds signals and annotations", [*SIGNAL_KINDS, *MARK_KINDS])
            if entry.track is not None:
                raise missing("track for a signal", entry.track, ["none: name its columns"], entry, path)
            return _signal(entry, path, header, info)


def _stem(path: Path) -> str:
    return str(path.with_suffix(""))


def _header(path: Path) -> Any:
    import wfdb

    header = wfdb.rdheader(_stem(path))
    if not header.fs or not 0 < header.fs <= _MOST_HZ:
        raise UnreadableFileError("the header states no possible sampling rate", file=path, got=header.fs)
    if getattr(header, "seg_name", None):
        raise UnreadableFileError("records of several segments are not supported", file=path, mend="Name one segment.")
    for name in set(header.file_name or []):
        if not (path.parent / name).is_file():
            raise UnreadableFileError(f"the header names '{name}', which is not beside it", file=path)
    _require_believable(header, path)
    return header


def _require_believable(header: Any, path: Path) -> None:
    """Return if the files can hold the samples that the header promises: wfdb asks for memory for them.

    Raises:
        UnreadableFileError: they cannot.
    """
    stored = sum((path.parent / name).stat().st_size for name in set(header.file_name or []))
    packed = {"508", "516", "524"} & {str(one) for one in header.fmt or []}  # FLAC
    most = stored * (_MOST_PER_BYTE_OF_FLAC if packed else 2) + 1
    frames = [int(one or 1) for one in header.samps_per_frame or [1]]
    promised = int(header.sig_len or 0) * max(1, *frames)
    if int(header.n_sig or 0) > _MOST_SIGNALS or not 0 <= promised <= most or min(frames) < 0:
        raise UnreadableFileError(
            "the header promises more than its files can hold",
            file=path,
            got=f"{header.n_sig} signals of {promised} samples in {stored} bytes",
        )


def _channels(header: Any) -> list[Channel]:
    if not header.n_sig:
        return []
    frames = header.samps_per_frame or [1] * header.n_sig
    names = [str(name or f"signal_{at + 1}") for at, name in enumerate(header.sig_name)]
    return [
        Channel(
            names[at] if names.index(names[at]) == at else f"{names[at]}_{at + 1}",
            canonical_unit(header.units[at]),
            float(header.fs) * frames[at],
            None if header.sig_len is None else int(header.sig_len) * frames[at],
        )
        for at in range(header.n_sig)
    ]


def _annotators(path: Path) -> list[str]:
    return [name for name in _ANNOTATORS if path.with_suffix(f".{name}").is_file()]


def _annotation(path: Path, name: str) -> Any:
    import wfdb

    return wfdb.rdann(_stem(path), name)


def _marks(entry: StreamEntry, path: Path, header: Any, info: StreamInfo) -> Marks:
    there = _annotators(path)
    name = str(entry.track) if entry.track is not None else (there[0] if there else "atr")
    if name not in there:
        raise missing("annotation track", name, there, entry, path)
    require_readable(path.with_suffix(f".{name}"))
    annotation = _annotation(path, name)
    rate = float(annotation.fs or header.fs)
    axis = Regular.from_rate(rate, 0)
    times = axis.times_of(np.asarray(annotation.sample)).tolist()
    notes = annotation.aux_note or [""] * len(times)
    rows = []
    for at, code, note in zip(times, annotation.symbol, notes, strict=True):
        columns: dict[str, Any] = {"beat": code in _BEATS}
        if note and note.strip("\x00 "):
            columns["note"] = note.strip("\x00 ")
        rows.append(Mark(int(at), 0, str(code), columns))
    file = path.with_suffix(f".{name}")
    return Marks.of(replace(info, files=(str(path), str(file)), origin=f"annotations {file.name}"), rows)


def _signal(entry: StreamEntry, path: Path, header: Any, info: StreamInfo) -> Signal:
    import wfdb

    channels = _channels(header)
    picked = choose(entry, path, channels)
    require_readable(*(path.parent / name for name in sorted({header.file_name[at] for at in picked})))
    record = wfdb.rdrecord(_stem(path), channels=picked, physical=True, smooth_frames=False)
    order = {at: k for k, at in enumerate(sorted(picked))}
    values = np.column_stack([record.e_p_signal[order[at]] for at in picked])
    rate = channels[picked[0]].rate_hz or float(header.fs)
    files = sorted({str(path.parent / header.file_name[at]) for at in picked})
    return Signal(
        info=replace(
            info,
            files=(str(path), *files),
            origin=f"signals {', '.join(channels[at].name for at in picked)}",
            nominal_rate_hz=rate,
        ),
        axis=Regular.from_rate(rate, len(values)),
        values=values,
        columns=tuple(channels[at].name for at in picked),
        units=tuple(channels[at].unit for at in picked),
    )
