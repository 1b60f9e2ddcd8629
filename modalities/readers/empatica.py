"""Empatica E4 exports: a folder of small CSV files, each with its own start time and rate.

The first line of a file is the Unix time of its first sample, the second its rate in Hz; IBI.csv and tags.csv differ
(see the info.txt that comes with each export). All files of a folder share one clock; its zero is the earliest start.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.intervals import IntervalSet
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import Regular, to_ns
from modalities.readers.columns import read_columns
from modalities.readers.delimited import TableForm
from modalities.readers.faults import reading
from modalities.readers.info import MARK_KINDS, SIGNAL_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.selection import Channel, choose, missing, unfit

SIGNALS: dict[str, tuple[str | None, tuple[str, ...], str]] = {
    "ACC": ("acceleration", ("x", "y", "z"), "g"),
    "BVP": ("ppg", ("BVP",), "1"),
    "EDA": ("eda", ("EDA",), "uS"),
    "HR": (None, ("HR",), "bpm"),
    "TEMP": ("temperature", ("TEMP",), "degC"),
}
"""Kind, columns and unit of each file. HR is derived from BVP by the device, so it is no signal of its own."""
EVENTS = ("tags", "IBI")
_ACC_PER_G = 64.0
_WHAT = "an Empatica E4 file"


@dataclass(frozen=True)
class _Head:
    start_s: float
    rate_hz: float
    rows: int


def is_export(folder: Path) -> bool:
    """Whether a folder is an E4 export: at least two of its signal files with their two header lines."""
    return sum(_head_or_none(folder / f"{name}.csv") is not None for name in SIGNALS) >= 2


def is_single_export(path: Path) -> bool:
    """Whether a file is one of an E4 export."""
    return path.suffix.lower() == ".csv" and path.stem in SIGNALS and _head_or_none(path) is not None


def _first_lines(path: Path) -> list[list[str]]:
    with path.open("rb") as handle:
        head = handle.read(512).decode("ascii", "replace")
    return [[cell.strip() for cell in line.split(",")] for line in head.splitlines()[:3]]


def _head_or_none(path: Path) -> _Head | None:
    if not path.is_file():
        return None
    lines = _first_lines(path)
    if len(lines) < 2:
        return None
    try:
        start, rate = float(lines[0][0]), float(lines[1][0])
    except ValueError:
        return None
    if not 1e9 <= start < 1e10 or not 0 < rate <= 1000 or len(set(lines[1])) > 1:
        return None
    return _Head(start, rate, 0)


class EmpaticaReader:
    """Reads E4 export folders, or one file of an export."""

    def probe(self, path: Path) -> FileInfo:
        """One track per file of the export."""
        with reading(path, _WHAT):
            folder, only = (path, None) if path.is_dir() else (path.parent, path.stem)
            zero = _zero(folder)
            tracks, notes = [], []
            for name, (kind, columns, unit) in SIGNALS.items():
                head = _head_or_none(folder / f"{name}.csv")
                if (only is not None and name != only) or head is None:
                    continue
                n = _count(folder / f"{name}.csv")
                if n == 0:
                    notes.append(f"{name}.csv has no samples")
                tracks.append(
                    TrackInfo(
                        track=name,
                        kind=kind,
                        columns=columns,
                        units=(unit,) * len(columns),
                        rate_hz=head.rate_hz,
                        n=n,
                        start_s=head.start_s - zero,
                        duration_s=n / head.rate_hz,
                        detail=f"{name}.csv, {head.rate_hz:g} Hz, {n} samples",
                    )
                )
            for name in EVENTS:
                if only is None and (folder / f"{name}.csv").is_file():
                    marks = _events(folder, name, zero)
                    what = "button presses" if name == "tags" else "beat intervals"
                    tracks.append(
                        TrackInfo(
                            track=name,
                            kind="markers" if name == "tags" else None,
                            n=len(marks),
                            detail=f"{name}.csv, {len(marks)} {what}",
                        )
                    )
        return FileInfo(path, "empatica", tuple(tracks), dt.datetime.fromtimestamp(zero, dt.UTC), tuple(notes))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """One file of the export; `track` names it, else the kind does (EDA.csv for "eda")."""
        with reading(path, _WHAT):
            folder = path if path.is_dir() else path.parent
            zero = _zero(folder)
            name = _which(entry, path, folder)
            file = folder / f"{name}.csv"
            info = replace(
                info, files=(str(file),), origin=f"{name}.csv", wall_start=dt.datetime.fromtimestamp(zero, dt.UTC)
            )
            if name in EVENTS:
                if entry.kind not in MARK_KINDS:
                    raise unfit(entry, path, f"{name}.csv is a table of events", MARK_KINDS)
                return Marks.of(info, _events(folder, name, zero), _support(folder, zero))
            if entry.kind not in SIGNAL_KINDS:
                raise unfit(entry, path, f"{name}.csv is a signal", SIGNAL_KINDS)
            return _signal(entry, file, name, zero, info)


def _zero(folder: Path) -> float:
    heads = [_head_or_none(folder / f"{name}.csv") for name in SIGNALS]
    starts = [head.start_s for head in heads if head is not None]
    if not starts:
        raise UnreadableFileError("no file of the export has a start time and a rate", file=folder)
    return min(starts)


def _count(path: Path) -> int:
    with path.open("rb") as handle:
        lines = sum(1 for line in handle if line.strip())
    return max(0, lines - 2)


def _support(folder: Path, zero: float) -> IntervalSet:
    """From first to last sample of the whole export: where a button press would have been seen."""
    spans = []
    for name in SIGNALS:
        head = _head_or_none(folder / f"{name}.csv")
        if head is not None and (n := _count(folder / f"{name}.csv")):
            spans.append((to_ns(head.start_s - zero), to_ns(head.start_s - zero + n / head.rate_hz)))
    return IntervalSet(spans)


def _which(entry: StreamEntry, path: Path, folder: Path) -> str:
    there = [name for name in (*SIGNALS, *EVENTS) if (folder / f"{name}.csv").is_file()]
    if entry.track is not None:
        named = [name for name in there if name.lower() == str(entry.track).lower().removesuffix(".csv")]
        if not named:
            raise missing("track", entry.track, there, entry, path)
        return named[0]
    if path.is_file():
        return path.stem
    fitting = [name for name, (kind, _, _) in SIGNALS.items() if kind == entry.kind and name in there]
    if entry.kind in MARK_KINDS and "tags" in there:
        fitting = ["tags"]
    if not fitting:
        raise missing("track of kind", entry.kind, there, entry, path)
    return fitting[0]


def _events(folder: Path, name: str, zero: float) -> list[Mark]:
    """Button presses, or intervals between beats that end at their onset time."""
    rows: Sequence[str] = (folder / f"{name}.csv").read_text("ascii", "replace").splitlines()
    marks: list[Mark] = []
    for at, row in enumerate(rows):
        cells = [cell.strip() for cell in row.split(",")]
        if name == "IBI" and at == 0 and cells and _is_number(cells[0]):
            start = float(cells[0]) - zero
            continue
        if not cells or not _is_number(cells[0]):
            continue
        if name == "tags":
            marks.append(Mark(to_ns(float(cells[0]) - zero), 0, f"tag {len(marks) + 1}"))
        elif len(cells) > 1 and _is_number(cells[1]):
            marks.append(Mark(to_ns(start + float(cells[0])), 0, "beat", {"ibi_s": float(cells[1])}))
    return marks


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[+-]?\d+(\.\d*)?", cell))


def _signal(entry: StreamEntry, file: Path, name: str, zero: float, info: StreamInfo) -> Signal:
    head = _head_or_none(file)
    if head is None:
        raise UnreadableFileError("the file does not begin with a start time and a rate", file=file)
    _, columns, unit = SIGNALS[name]
    picked = choose(entry, file, [Channel(column, unit, kind=entry.kind) for column in columns])
    form = TableForm("ascii", ",", ".", columns, (unit,) * len(columns), 2, True, (True,) * len(columns), ())
    table = read_columns(file, form, picked)
    values = table.values / _ACC_PER_G if name == "ACC" else table.values
    return Signal(
        info=replace(info, notes=(*info.notes, *table.notes), nominal_rate_hz=head.rate_hz),
        axis=Regular.from_rate(head.rate_hz, len(values), to_ns(head.start_s - zero)),
        values=values.astype(np.float32),
        columns=tuple(columns[at] for at in picked),
        units=(unit,) * len(picked),
        mask=table.mask,
    )
