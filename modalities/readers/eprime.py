"""E-Prime: the text file of a run, and the table that E-DataAid exports.

Layout after Psychology Software Tools' E-Prime documentation: the text file (UTF-16) has a header and one "log frame"
per trial, block and session, of lines `Name: value`. `<object>.OnsetTime`, `.OffsetTime` and `.RTTime` are
milliseconds of the run's clock, `.RESP` the answer, `.ACC` whether it was right; 0 means that there was none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_schemas.errors import UnreadableFileError
from data_schemas.stream import Mark
from modalities.readers.delimited import is_number
from modalities.readers.text_lines import lines_of

_MS = 1_000_000
_TIMED = (
    *("OnsetTime", "OffsetTime", "RTTime", "RT", "OnsetDelay", "DurationError", "OnsetToOnsetTime", "StartTime"),
    *("FinishTime", "TargetOnsetTime", "TargetOffsetTime", "OffsetDelay", "Duration", "ActionTime", "ActionDelay"),
    *("RESP", "ACC", "CRESP", "CustomOnsetTime", "CustomOffsetTime", "TimingMode", "PreRelease"),
)
_OF_SESSION = (
    "ExperimentName",
    "Subject",
    "Session",
    "Display.RefreshRate",
    "RandomSeed",
    "SessionDate",
    "SessionTime",
)


def read_run(path: Path) -> tuple[list[Mark], list[str]]:
    """What was shown and answered, in order, and notes.

    Raises:
        UnreadableFileError: no object has an onset.
    """
    marks: list[Mark] = []
    frames = 0
    seen: set[tuple[str, int]] = set()
    for frame in _frames(path):
        frames += 1
        about = _about(frame)
        for name, cell in frame.items():
            owner, dot, what = name.rpartition(".")
            owner = owner.partition("[")[0] if owner.endswith("]") else owner
            if not dot or what != "OnsetTime":
                continue
            onset = _ms(cell)
            if onset is None or onset <= 0 or (owner, onset) in seen:
                continue
            seen.add((owner, onset))
            end = _ms(frame.get(f"{owner}.OffsetTime", ""))
            length = end - onset if end is not None and end > onset else 0
            marks.append(Mark(onset * _MS, length * _MS, owner, about))
            marks += _answer(frame, owner, about)
    if not marks:
        raise UnreadableFileError(
            "the E-Prime file holds no onsets",
            file=path,
            got=f"{frames} log frames",
            expected="values such as Stimulus.OnsetTime",
            mend="Set the objects' data logging to Standard or Time Audit.",
        )
    return sorted(marks, key=lambda mark: mark.onset_ns), [
        f"{frames} log frames",
        "times count on the clock of E-Prime's run",
    ]


def _frames(path: Path) -> Iterator[dict[str, str]]:
    """Each log frame, or each row of an exported table, by name."""
    lines = lines_of(path)
    first = next(lines, "").lstrip("\ufeff")
    if "*** Header Start ***" in first:
        yield from _log_frames(lines)
        return
    header = first.split("\t")
    while "ExperimentName" not in header:
        line = next(lines, None)
        if line is None:
            raise UnreadableFileError("not a file of E-Prime", file=path, expected="a header or ExperimentName column")
        header = line.split("\t")
    for line in lines:
        if line.strip():
            cells = line.split("\t")
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
            yield {name: "" if cell == "NULL" else cell for name, cell in row.items()}


def _log_frames(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    frame: dict[str, str] | None = None
    for line in lines:
        text = line.strip()
        if text == "*** LogFrame Start ***":
            frame = {}
        elif text == "*** LogFrame End ***":
            if frame is not None:
                yield frame
            frame = None
        elif frame is not None:
            name, colon, value = text.partition(":")
            if colon:
                frame[name.strip()] = value.strip()
    if frame:
        # The run was stopped within a trial: what it logged still counts.
        yield frame


def _about(frame: Mapping[str, str]) -> dict[str, Any]:
    """Conditions and procedure of the trial: all that is no time and no answer."""
    out: dict[str, Any] = {}
    for name, cell in frame.items():
        if not cell or name in _OF_SESSION or name.rpartition(".")[2] in _TIMED:
            continue
        out[name] = int(cell) if cell.lstrip("-").isdigit() and len(cell) < 18 else cell
    return out


def _answer(frame: Mapping[str, str], owner: str, about: dict[str, Any]) -> list[Mark]:
    at = _ms(frame.get(f"{owner}.RTTime", ""))
    if at is None or at <= 0:
        return []
    given, right = frame.get(f"{owner}.RESP", ""), frame.get(f"{owner}.ACC", "")
    columns = {**about, "kind": "answer", "response": given}
    if right in ("0", "1"):
        columns["correct"] = int(right)
    return [Mark(at * _MS, 0, f"{owner} {given}".strip(), columns)]


def _ms(cell: str) -> int | None:
    return round(float(cell)) if is_number(cell) else None
