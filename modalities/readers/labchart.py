"""LabChart text exports: data headers, then tab-separated rows, in blocks; comments behind "#*".

Layout after ADInstruments, "Data headers for reading text" (LabChart and Chart user's guides): `Interval=` (seconds per
sample), `ExcelDateTime=` (days since 1899-12-30 of the block's start), `TimeFormat=`, `ChannelTitle=`, `Range=` and
`UnitName=`; every block repeats them. A row is the time, where it was exported, then one value per channel; an empty
cell or NaN is no value.
"""

from __future__ import annotations

import datetime as dt
import re
from array import array
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import NS_PER_S, Int64Array, Regular, TimeAxis, to_ns
from modalities.readers.faults import reading
from modalities.readers.info import MARK_KINDS, SIGNAL_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.labels import canonical_unit
from modalities.readers.selection import Channel, choose, tracks_of, unfit
from modalities.readers.text_lines import lines_of
from modalities.readers.timing import axis_of

_WHAT = "a LabChart text export"
_TIME = {"hr": 3600.0, "min": 60.0, "s": 1.0, "sec": 1.0, "ms": 1e-3, "µs": 1e-6, "μs": 1e-6, "us": 1e-6}
_EPOCH = dt.datetime(1899, 12, 30)
COMMENTS = "comments"


@dataclass
class _Block:
    """One stretch of recording with its own headers."""

    interval_s: float = 0.0
    start: dt.datetime | None = None
    titles: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    cells: array[float] = field(default_factory=lambda: array("d"))
    times: array[float] = field(default_factory=lambda: array("d"))
    comments: list[tuple[int, str]] = field(default_factory=list)
    rows: int = 0
    timed: bool | None = None


@dataclass(frozen=True, eq=False)
class _Export:
    """All blocks on one axis: the first block's first sample is at its own printed time."""

    titles: tuple[str, ...]
    units: tuple[str, ...]
    axis: TimeAxis
    values: NDArray[np.float64]
    rate_hz: float
    wall: dt.datetime | None
    comments: list[Mark]
    notes: tuple[str, ...]


class LabChartReader:
    """Reads LabChart text exports."""

    def probe(self, path: Path) -> FileInfo:
        """Channels by kind, and the comments; reads the whole file."""
        export = _read(path)
        channels = [
            Channel(title, unit, export.rate_hz, len(export.values))
            for title, unit in zip(export.titles, export.units, strict=True)
        ]
        tracks = tracks_of(channels, start_s=export.axis.start_ns / NS_PER_S)
        if export.comments:
            words = f"{len(export.comments)} comments"
            tracks.append(TrackInfo(COMMENTS, "markers", n=len(export.comments), detail=words))
        return FileInfo(path, "labchart", tuple(tracks), export.wall, export.notes)

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """The channels of an entry, or, for markers and cues, the comments."""
        export = _read(path)
        info = replace(info, wall_start=export.wall, notes=(*info.notes, *export.notes))
        if entry.kind in MARK_KINDS:
            return Marks.of(replace(info, origin="comments"), export.comments)
        if entry.kind not in SIGNAL_KINDS:
            raise unfit(entry, path, "a LabChart export holds signals and comments", [*SIGNAL_KINDS, *MARK_KINDS])
        offered = [Channel(t, u, export.rate_hz) for t, u in zip(export.titles, export.units, strict=True)]
        picked = choose(entry, path, offered)
        names = tuple(export.titles[at] for at in picked)
        return Signal(
            info=replace(info, origin=f"channels {', '.join(names)}", nominal_rate_hz=export.rate_hz),
            axis=export.axis,
            values=np.where(np.isfinite(export.values), export.values, 0.0)[:, picked],
            columns=names,
            units=tuple(export.units[at] for at in picked),
            mask=np.isfinite(export.values)[:, picked],
        )


def _read(path: Path) -> _Export:
    with reading(path, _WHAT):
        blocks = [block for block in _blocks(path) if block.rows]
        if not blocks:
            raise UnreadableFileError("the LabChart export holds headers and no data", file=path)
        first = blocks[0]
        if not first.interval_s > 0:
            raise UnreadableFileError(
                "the LabChart export does not state its sampling interval",
                file=path,
                expected="a header Interval= with a time above 0",
                mend="Export it again with block headers.",
            )
        return _joined(path, blocks)


def _ticks(path: Path, number: int, start_s: float, block: _Block) -> Int64Array:
    try:
        with np.errstate(invalid="ignore", over="ignore"):
            times_s = start_s + np.arange(block.rows) * block.interval_s
        return to_ns(times_s)
    except InvalidValueError as error:
        raise UnreadableFileError(
            f"block {number} of the LabChart export has no times",
            file=path,
            got=f"{block.rows} rows {block.interval_s:g} s apart from {start_s:g} s on",
            mend="Look at its Interval= and ExcelDateTime=, or export it again.",
        ) from error


def _blocks(path: Path) -> list[_Block]:
    blocks = [_Block()]
    for line in lines_of(path):
        name, equals, rest = line.partition("=")
        if equals and name.strip().isalpha():
            if name.strip() in ("Interval", "ChannelTitle") and blocks[-1].rows:
                blocks.append(_Block(titles=blocks[-1].titles, units=blocks[-1].units))
            _header(blocks[-1], name.strip(), rest.strip("\t ").split("\t"))
            continue
        if line.strip():
            _row(blocks[-1], line)
    return blocks


def _header(block: _Block, name: str, cells: list[str]) -> None:
    cells = [cell.strip().strip('"') for cell in cells]
    if name == "Interval":
        number, _, unit = cells[0].partition(" ")
        block.interval_s = float(number.replace(",", ".")) * _TIME.get(unit.strip() or "s", 1.0)
    elif name == "ExcelDateTime":
        block.start = _EPOCH + dt.timedelta(days=float(cells[0].split()[0].replace(",", ".")))
    elif name == "ChannelTitle":
        block.titles = [title or f"channel_{at}" for at, title in enumerate(cells, 1)]
    elif name == "UnitName":
        block.units = [canonical_unit(unit.strip("* ")) for unit in cells]
    elif name == "Range" and not block.units:
        block.units = [canonical_unit(re.sub(r"^[\d.,+-]+\s*", "", cell)) for cell in cells]


def _row(block: _Block, line: str) -> None:
    line, _, comment = line.partition("#*")
    cells = line.rstrip("\t ").split("\t") if not comment else line.split("\t")
    width = len(block.titles) or max(1, len(cells) - 1)
    if block.timed is None:
        block.timed = len([cell for cell in cells if cell.strip()]) > width or (not comment and len(cells) > width)
        block.titles = block.titles or [f"channel_{at}" for at in range(1, width + 1)]
    first = 1 if block.timed else 0
    if comment:
        block.comments.append((block.rows, comment.strip()))
    if block.timed:
        block.times.append(_seconds(cells[0]))
    for at in range(first, first + width):
        block.cells.append(_number(cells[at]) if at < len(cells) else float("nan"))
    block.rows += 1


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        try:
            return float(cell.replace(",", "."))
        except ValueError:
            return float("nan")


def _seconds(cell: str) -> float:
    """A time in seconds, or as hours, minutes and seconds."""
    total = 0.0
    for part in cell.strip().split(":"):
        total = 60 * total + _number(part)
    return total


def _joined(path: Path, blocks: list[_Block]) -> _Export:
    """All blocks of the first one's channels on one axis."""
    first = blocks[0]
    notes: list[str] = []
    times: list[Int64Array] = []
    values: list[NDArray[np.float64]] = []
    comments: list[Mark] = []
    width = len(first.titles)
    zero = _start_s(first)
    for number, block in enumerate(blocks, 1):
        if len(block.titles) != width:
            notes.append(f"block {number} has other channels than the first and was left out")
            continue
        start = _start_s(block)
        if number > 1 and block.start is not None and first.start is not None:
            start = zero + (block.start - first.start).total_seconds()
        ticks = _ticks(path, number, start, block)
        if times and ticks[0] <= times[-1][-1]:
            ticks += times[-1][-1] + round(block.interval_s * NS_PER_S) - ticks[0]
            notes.append(f"where block {number} lies in time is not stated: it was put right behind the one before")
        times.append(ticks)
        values.append(np.frombuffer(block.cells, np.float64).reshape(-1, width))
        comments += [Mark(int(ticks[min(at, len(ticks) - 1)]), 0, text) for at, text in block.comments]
    axis, notes = _axis(blocks, times, notes)
    units = (first.units + ["1"] * width)[:width]
    return _Export(
        tuple(first.titles),
        tuple(units),
        axis,
        np.concatenate(values),
        1.0 / first.interval_s,
        first.start,
        comments,
        tuple(notes),
    )


def _axis(blocks: list[_Block], times: list[Int64Array], notes: list[str]) -> tuple[TimeAxis, list[str]]:
    if len(times) == 1:
        start = int(times[0][0])
        return Regular.from_rate(1.0 / blocks[0].interval_s, len(times[0]), start), notes
    axis, _, said = axis_of(np.concatenate(times), 1.0)
    return axis, [*notes, f"{len(times)} blocks, with gaps between them", *said]


def _start_s(block: _Block) -> float:
    seen = next((time for time in block.times if np.isfinite(time)), 0.0)
    return float(seen)
