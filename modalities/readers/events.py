"""Tables of events in text: onset, duration or offset, label, and whatever else the lab notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import ManifestError
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, StreamInfo
from modalities.readers.delimited import TableForm, is_number, read_text_columns, sniff_table
from modalities.readers.faults import reading
from modalities.readers.info import MARK_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.labels import time_unit_in_name
from modalities.readers.selection import missing, unfit
from modalities.readers.times_column import ONSETS, bare, declared, find_time_column, parse_dates, unit_for, zero_of
from modalities.readers.timing import stamps_to_ns

_DURATIONS = ("duration", "dur", "length")
_OFFSETS = ("offset", "end", "stop", "offset_time", "end_time")
_NAMES = (
    "label",
    "trial_type",
    "event",
    "name",
    "marker",
    "description",
    "stimulus",
    "stim",
    "condition",
    "type",
    "kind",
)
_CODES = (
    "value",
    "code",
    "text",
    "annotation",
    "message",
    "trigger",
    "stim_type",
    "event_type",
    "question",
    "category",
)
_LABELS = (*_NAMES, *_CODES)
_CUES = {"kind", "trial_type", "stimulus", "stimuli", "question", "condition", "expected", "cue"} | {
    *("stim_type", "event_type", "stim", "stim_file", "category")
}


def looks_like_events(form: TableForm) -> bool:
    """Whether a table lists events: a column of onsets, or times beside words."""
    if not form.has_header:
        return False
    onset = find_time_column(form, ONSETS)
    if onset is not None and _fits_time(form, onset):
        return True
    at = find_time_column(form)
    if at is None:
        return False
    others = [k for k in range(len(form.names)) if k != at and bare(form.names[k]) not in (*_DURATIONS, *_OFFSETS)]
    wordy = [k for k in others if not form.numeric[k] and any(_cell(row, k) for row in form.sample)]
    return bool(wordy) and any(bare(form.names[k]) in _LABELS for k in others)


def _fits_time(form: TableForm, at: int) -> bool:
    return form.numeric[at] or not form.sample


def _cell(row: Sequence[str], at: int) -> str:
    return row[at] if at < len(row) else ""


class EventTableReader:
    """Reads tables of events."""

    def probe(self, path: Path) -> FileInfo:
        """As the reader of tables, which tells events from samples."""
        from modalities.readers.table import TableReader

        return TableReader().probe(path)

    def describe(self, path: Path, form: TableForm) -> FileInfo:
        """One track of events; "cues" where a column speaks of questions, stimuli or conditions, else "markers"."""
        at = find_time_column(form, ONSETS)
        at = find_time_column(form) if at is None else at
        onset = form.names[at or 0]
        rows = read_text_columns(path, form)
        kind = "cues" if any(bare(name) in _CUES for name in form.names) else "markers"
        others = tuple(name for name in form.names if name != onset)
        track = TrackInfo(
            kind=kind,
            columns=others,
            units=tuple(unit for name, unit in zip(form.names, form.units, strict=True) if name != onset),
            n=len(rows),
            detail=f"{len(rows)} events, onsets in '{onset}'",
            time_column=onset,
        )
        return FileInfo(path, "events", (track,))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """The rows of the table.

        `time_column` names the column of onsets where it is not called onset, start or time; `columns` restricts which
        others are kept. Rows without an onset are dropped and counted.

        Raises:
            ManifestError: no column holds onsets.
            MissingTrackError: a named column is not there.
        """
        if entry.kind not in MARK_KINDS:
            raise unfit(entry, path, "a table of events holds events", MARK_KINDS)
        with reading(path, "a table of events"):
            form = sniff_table(path)
            onset = _onset_column(entry, path, form)
            rows = read_text_columns(path, form)
            marks, notes, wall = _marks(entry, path, form, onset, rows)
        origin = f"onsets in '{form.names[onset]}'"
        info = replace(info, notes=(*info.notes, *notes), origin=origin, wall_start=wall or info.wall_start)
        return Marks.of(info, marks)


def _onset_column(entry: StreamEntry, path: Path, form: TableForm) -> int:
    at = declared(entry, path, form)
    if at is None:
        at = find_time_column(form, ONSETS)
    if at is None:
        at = find_time_column(form)
    if at is None and len(form.names) == 1 and form.numeric[0]:
        at = 0
    if at is None:
        raise ManifestError(
            "which column holds the onsets cannot be told",
            file=path,
            stream=entry.name,
            expected=f"time_column = one of {', '.join(form.names)}",
        )
    return at


def _marks(
    entry: StreamEntry, path: Path, form: TableForm, onset: int, rows: list[list[str]]
) -> tuple[list[Mark], list[str], Any]:
    numbers = [_number(row[onset], form.decimal) for row in rows]
    known = [number for number in numbers if number is not None]
    wall = None
    notes: list[str] = []
    if rows and not known:
        since, valid, dated = parse_dates([row[onset] for row in rows], path, form.names[onset])
        wall = zero_of(dated, None, "s")
        times = [int(ns) if good else None for ns, good in zip(since, valid, strict=True)]
        unit = "s"
    else:
        unit, notes = unit_for(entry, form.names[onset], known[0] if known else None)
        wall = zero_of(False, known[0] if known else None, unit)
        times = [None if x is None else int(stamps_to_ns(np.array([x]), unit, entry.rate_hz)[0]) for x in numbers]
    lengths = _lengths(entry, form, onset, unit, rows, times)
    kept = _kept_columns(entry, path, form, onset)
    label = _label_column(form, kept)
    marks, dropped, negative = [], 0, 0
    for row, at, length in zip(rows, times, lengths, strict=True):
        if at is None:
            dropped += any(row)
            continue
        if length < 0:
            negative, length = negative + 1, 0
        told = [k for k in kept if k != label and row[k] != ""]
        columns = {form.names[k]: _value(row[k], form.decimal) for k in told}
        marks.append(Mark(at, length, row[label] if label is not None else "", columns))
    if dropped:
        notes.append(f"{dropped} rows without an onset were dropped")
    if negative:
        notes.append(f"{negative} events end before they start: taken as instants")
    return marks, notes, wall


def _lengths(
    entry: StreamEntry, form: TableForm, onset: int, unit: str, rows: list[list[str]], times: list[int | None]
) -> list[int]:
    """Duration of each row, ns: of a duration or offset column, in the unit its name says or that of the onsets."""
    span = _span_column(form, onset)
    if span is None:
        return [0] * len(rows)
    at, from_onset = span
    own = time_unit_in_name(form.names[at]) or unit
    own = unit if own == "samples" and entry.rate_hz is None else own
    out = []
    for row, start in zip(rows, times, strict=True):
        number = _number(row[at], form.decimal)
        if number is None or start is None:
            out.append(0)
            continue
        length = int(stamps_to_ns(np.array([number]), own, entry.rate_hz)[0])
        out.append(length - start if from_onset else length)
    return out


def _span_column(form: TableForm, onset: int) -> tuple[int, bool] | None:
    """The column that tells how long events last, and whether it holds their ends rather than their lengths."""
    for names, is_end in ((_DURATIONS, False), (_OFFSETS, True)):
        for at, name in enumerate(form.names):
            if bare(name) in names and at != onset:
                return at, is_end
    return None


def _kept_columns(entry: StreamEntry, path: Path, form: TableForm, onset: int) -> list[int]:
    if not entry.columns:
        span = _span_column(form, onset)
        return [k for k in range(len(form.names)) if k != onset and (span is None or k != span[0])]
    lower = [name.lower() for name in form.names]
    for name in entry.columns:
        if name.lower() not in lower:
            raise missing("column", name, form.names, entry, path)
    return [lower.index(name.lower()) for name in entry.columns if lower.index(name.lower()) != onset]


def _label_column(form: TableForm, kept: list[int]) -> int | None:
    for word in _LABELS:
        for k in kept:
            if bare(form.names[k]) == word:
                return k
    times = (*_DURATIONS, *_OFFSETS)
    return next((k for k in kept if not form.numeric[k] and bare(form.names[k]) not in times), None)


def _number(cell: str, decimal: str) -> float | None:
    if not is_number(cell, decimal):
        return None
    return float(cell.replace(",", ".") if decimal == "," else cell)


def _value(cell: str, decimal: str) -> Any:
    """A cell of a further column: a number where it is one, else its text."""
    number = _number(cell, decimal)
    if number is None:
        return cell
    whole = number.is_integer() and abs(number) < 2**53 and not set(".,eE") & set(cell)
    return int(number) if whole else number
