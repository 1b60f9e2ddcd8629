"""Tables of samples in text (CSV, TSV): a declared time column or a rate, columns by name."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ManifestError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import Int64Array, Regular, TimeAxis, to_s
from modalities.readers.columns import Columns, read_columns
from modalities.readers.delimited import TableForm, is_number, open_text, read_text_columns, sniff_table
from modalities.readers.faults import reading
from modalities.readers.info import SIGNAL_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.selection import Channel, choose, tracks_of, unfit
from modalities.readers.times_column import declared, find_time_column, parse_dates, unit_for, zero_of
from modalities.readers.timing import axis_of, print_step_ns, stamps_to_ns

_WHAT = "a table of text"


class TableReader:
    """Reads tables of samples; `probe` also recognises tables of events."""

    def probe(self, path: Path) -> FileInfo:
        """Columns by kind, and the rate where a time column tells it; reads the first and last rows only."""
        from modalities.readers.events import EventTableReader, looks_like_events

        with reading(path, _WHAT):
            form = sniff_table(path)
            if looks_like_events(form):
                return EventTableReader().describe(path, form)
            timed = find_time_column(form)
            channels = [
                Channel(name, form.units[at]) for at, name in enumerate(form.names) if at != timed and form.numeric[at]
            ]
            if not channels:
                raise UnreadableFileError(
                    "the table has no column of numbers", file=path, got=f"columns {', '.join(form.names[:8])}"
                )
            n = count_rows(path, form)
            rate, start = (None, 0.0) if timed is None else _rate(path, form, timed, n)
            channels = [replace(channel, rate_hz=rate, n=n) for channel in channels]
            tracks = [_timed(track, form, timed) for track in tracks_of(channels, start_s=start)]
        return FileInfo(
            path, "table", tuple(tracks), None, () if form.has_header else ("no header: columns are numbered",)
        )

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """The columns of an entry as a signal.

        Raises:
            ManifestError: neither a time column nor a rate is stated, or the kind is not one of a signal.
        """
        if entry.kind not in SIGNAL_KINDS:
            raise unfit(entry, path, "a table of samples holds signals", [*SIGNAL_KINDS, "markers", "cues"])
        with reading(path, _WHAT):
            form = sniff_table(path)
            return open_columns(entry, path, info, form)


def open_columns(entry: StreamEntry, path: Path, info: StreamInfo, form: TableForm) -> Signal:
    """The columns of an entry as a signal, on its time column or its rate."""
    timed = declared(entry, path, form)
    at = [number for number in range(len(form.names)) if number != timed]
    numeric = [number for number in at if form.numeric[number]] or at
    offered = at if entry.columns else numeric
    picked = [offered[one] for one in choose(entry, path, [Channel(form.names[k], form.units[k]) for k in offered])]
    if timed is None and entry.rate_hz is None:
        likely = find_time_column(form)
        raise ManifestError(
            "nothing states the sampling rate",
            file=path,
            stream=entry.name,
            expected="rate_hz = ..., or time_column = '...'",
            mend=f"The column '{form.names[likely]}' may hold the times." if likely is not None else None,
        )
    dates = timed is not None and not form.numeric[timed]
    table = read_columns(path, form, picked if timed is None or dates else [*picked, timed])
    notes, wall = list(table.notes), info.wall_start
    columns = slice(0, len(picked))
    values, mask = table.values[:, columns], table.mask[:, columns]
    axis: TimeAxis
    if timed is None:
        axis = Regular.from_rate(float(entry.rate_hz or 0), len(values))
    else:
        since, valid, step, wall, said = _times(entry, path, form, timed, table, dates, wall)
        notes += said
        values, mask = values[valid], mask[valid]
        axis, kept, said = axis_of(since[valid], step)
        notes += said
        if kept is not None:
            values, mask = values[kept], mask[kept]
    return Signal(
        info=replace(
            info,
            notes=(*info.notes, *notes),
            origin=f"columns {', '.join(form.names[k] for k in picked)}",
            wall_start=wall,
            nominal_rate_hz=entry.rate_hz,
        ),
        axis=axis,
        values=values,
        columns=tuple(form.names[k] for k in picked),
        units=tuple(form.units[k] for k in picked),
        mask=mask,
    )


def _times(
    entry: StreamEntry,
    path: Path,
    form: TableForm,
    timed: int,
    table: Columns,
    dates: bool,
    wall: dt.datetime | None,
) -> tuple[Int64Array, NDArray[np.bool_], float, dt.datetime | None, list[str]]:
    """ns, validity, rounding step in ns, wall start, notes."""
    name = form.names[timed]
    if dates:
        cells = [row[timed] for row in read_text_columns(path, form)]
        if len(cells) != len(table.values):
            raise UnreadableFileError(f"rows of the table differ in length, so '{name}' cannot be matched", file=path)
        since, valid, dated = parse_dates(cells, path, name)
        words = "dates: time zero is 1970 (UTC)" if dated else "times of day: time zero is midnight"
        decimals = max((len(re.sub(r"^.*?(\.(\d*))?[^.]*$", r"\2", cell)) for cell in cells[:500]), default=0)
        return since, valid, 1e9 * 10.0**-decimals, zero_of(dated, None, "s") or wall, [f"'{name}' holds {words}"]
    stamps, valid = table.values[:, -1], table.mask[:, -1]
    unit, notes = unit_for(entry, name, float(stamps[valid][0]))
    lost = int((~valid).sum())
    if lost:
        notes.append(f"{lost} rows without a time were dropped")
    step = print_step_ns(stamps[valid], unit) if unit != "samples" else 0.0
    wall = zero_of(False, float(stamps[valid][0]), unit) or wall
    return stamps_to_ns(stamps, unit, entry.rate_hz), valid, step, wall, notes


def count_rows(path: Path, form: TableForm) -> int:
    """Rows of data, by counting line ends."""
    lines, last = 0, b"\n"
    with open_text(path) as handle:
        while block := handle.read(1 << 20):
            lines += block.count(b"\n") or block.count(b"\r")
            last = block[-1:]
    lines += last not in (b"\n", b"\r", b"\x00")
    return max(0, lines - form.first_row)


def _rate(path: Path, form: TableForm, timed: int, n: int) -> tuple[float | None, float]:
    """Rate and start, s, by the first and last time stamps."""
    from modalities.readers.labels import time_unit_in_name
    from modalities.readers.timing import UNIT_NS, epoch_unit

    decimal = form.decimal
    cells = [row[timed] for row in form.sample if timed < len(row) and is_number(row[timed], decimal)]
    if len(cells) < 2:
        return None, 0.0
    numbers = [float(cell.replace(",", ".") if decimal == "," else cell) for cell in cells]
    unit = time_unit_in_name(form.names[timed]) or epoch_unit(numbers[0]) or "s"
    scale = UNIT_NS.get(unit, 0) * 1e-9
    span, count = (numbers[-1] - numbers[0]) * scale, len(numbers) - 1
    last = _last_number(path, form, timed)
    if last is not None and last > numbers[0] and n > 1:
        span, count = (last - numbers[0]) * scale, n - 1
    return (count / span if span > 0 else None), numbers[0] * scale


def _last_number(path: Path, form: TableForm, timed: int) -> float | None:
    """Time of the last whole row, for files that need not be unpacked."""
    from modalities.readers.delimited import cells_of

    if path.suffix.lower() == ".gz" or form.encoding == "utf-16":
        return None
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - 65536))
        lines = handle.read().decode(form.encoding, "replace").split("\n")
    for line in reversed(lines[1:]):
        cells = cells_of(line.strip("\r"), form.delimiter)
        if len(cells) >= len(form.names) and is_number(cells[timed], form.decimal):
            return float(cells[timed].replace(",", ".") if form.decimal == "," else cells[timed])
    return None


def _timed(track: TrackInfo, form: TableForm, timed: int | None) -> TrackInfo:
    if timed is None:
        return replace(track, detail=f"{track.detail}, no time column")
    name = form.names[timed]
    length = f", {to_s(round((track.duration_s or 0) * 1e9)):.1f} s" if track.duration_s else ""
    return replace(track, time_column=name, detail=f"{track.detail}, times in '{name}'{length}")
