"""Logs of experiment programs, where questions, stimuli and conditions are written: PsychoPy and E-Prime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, StreamInfo
from modalities.readers import eprime, psychopy
from modalities.readers.events import EventTableReader
from modalities.readers.faults import reading
from modalities.readers.info import MARK_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.selection import missing, unfit
from modalities.readers.text_lines import encoding_of, is_eprime, is_psychopy_log, psychopy_table

_WHAT = "a log of PsychoPy or E-Prime"


class ExperimentLogReader:
    """Reads PsychoPy's tables and logs, and E-Prime's text files."""

    def probe(self, path: Path) -> FileInfo:
        """One track of cues: components or objects, and answers."""
        program, marks, notes = _read(path)
        columns = tuple(dict.fromkeys(name for mark in marks for name in mark.columns))
        onsets = [mark.onset_ns for mark in marks]
        ends = [mark.onset_ns + mark.duration_ns for mark in marks]
        track = TrackInfo(
            kind="cues",
            columns=columns,
            units=("1",) * len(columns),
            n=len(marks),
            start_s=min(onsets) * 1e-9,
            duration_s=(max(ends) - min(onsets)) * 1e-9,
            detail=f"{len(marks)} events of {program}",
        )
        return FileInfo(path, "experiment_log", (track,), None, tuple(notes))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """What was shown and answered. `columns` restricts which further columns are kept.

        With a `time_column` the file is read as any table of events.

        Raises:
            MissingTrackError: a named column is not there.
        """
        if entry.kind not in MARK_KINDS:
            raise unfit(entry, path, "a log of an experiment holds events", MARK_KINDS)
        if entry.time_column is not None:
            return EventTableReader().open(entry, path, info)
        program, marks, notes = _read(path)
        if entry.columns:
            there = list(dict.fromkeys(name for mark in marks for name in mark.columns))
            for name in entry.columns:
                if name not in there:
                    raise missing("column", name, there, entry, path)
            wanted = {*entry.columns, "kind"}
            marks = [replace(m, columns={k: v for k, v in m.columns.items() if k in wanted}) for m in marks]
        return Marks.of(replace(info, origin=f"events of {program}", notes=(*info.notes, *notes)), marks)


def _read(path: Path) -> tuple[str, list[Mark], list[str]]:
    with reading(path, _WHAT):
        with path.open("rb") as handle:
            head = handle.read(64 * 1024)
        text = head.decode(encoding_of(head), "replace").lstrip("\ufeff")
        lines = [line for line in text.splitlines() if line.strip()]
        if lines and is_eprime(lines):
            return "E-Prime", *eprime.read_run(path)
        if lines and psychopy_table(lines[0]):
            return "PsychoPy", *psychopy.read_table(path)
        if lines and is_psychopy_log(lines):
            return "PsychoPy", *psychopy.read_log(path)
        raise UnreadableFileError(
            "not a log of a known experiment program",
            file=path,
            expected="a table or log of PsychoPy, or a text file of E-Prime",
            mend="List any other table of events with kind = 'cues' and a time_column.",
        )
