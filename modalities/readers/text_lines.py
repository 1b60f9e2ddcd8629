"""Text files that are no plain tables: their beginning, their lines, and which program wrote them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from data_schemas.errors import UnreadableFileError

_HEAD = 64 * 1024
_TOBII_TIMES = ("recording timestamp", "recordingtimestamp")
_TOBII_GAZE = ("gaze point x", "gazepointx", "gaze point left x", "gazepointleftx")
_PUPIL_SETS = (
    {"gaze_timestamp", "norm_pos_x", "norm_pos_y"},
    {"pupil_timestamp", "diameter", "confidence"},
    {"timestamp [ns]", "gaze x [px]", "gaze y [px]"},
    {"timestamp [ns]", "pupil diameter left [mm]"},
)


def encoding_of(head: bytes) -> str:
    """Encoding of a text by its first bytes: UTF-16 and UTF-8 by their marks, else UTF-8, else Windows-1252."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) > 3 and head[1::2][:200].count(0) > len(head[1::2][:200]) * 0.8:
        return "utf-16-le"
    for cut in range(4):
        try:
            head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return "utf-8-sig"
    return "cp1252"


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a text file without their ends, one by one.

    Raises:
        UnreadableFileError: it cannot be read.
    """
    try:
        with path.open("rb") as handle:
            encoding = encoding_of(handle.read(_HEAD))
        with path.open("r", encoding=encoding, errors="replace", newline=None) as text:
            for line in text:
                yield line.rstrip("\r\n")
    except OSError as error:
        raise UnreadableFileError("the file cannot be read", file=path, got=error.strerror) from error


def program_of(head: bytes) -> str | None:
    """Which of the text formats with a reader of their own a file is, by its beginning.

    Returns:
        "eyetracker", "experiment_log", "labchart", "biopac_text", or None for any other text.
    """
    text = head.decode("utf-16" if encoding_of(head) == "utf-16" else encoding_of(head), "replace").lstrip("\ufeff")
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    if not lines:
        return None
    if is_eyelink(text) or any(eye_table(line) for line in lines[:3]):
        return "eyetracker"
    if is_eprime(lines) or psychopy_table(lines[0]) or is_psychopy_log(lines):
        return "experiment_log"
    if lines[0].startswith(("Interval=", "ChannelTitle=")):
        return "labchart"
    if any(re.match(r"\s*[\d.,]+\s*(msec/sample|samples?/sec)", line, re.IGNORECASE) for line in lines[1:3]):
        return "biopac_text"
    return None


def is_eyelink(text: str) -> bool:
    """Whether a text is an ASC file of EyeLink: its converter's preamble, or a START line with its SAMPLES line."""
    if re.search(r"^\*\* (CONVERTED FROM|VERSION: EYELINK|TYPE: EDF_FILE)", text, re.MULTILINE):
        return True
    return bool(re.search(r"^START\s+\d+\s+(LEFT|RIGHT)", text, re.MULTILINE) and re.search(r"^SAMPLES\s", text, re.M))


def eye_table(line: str) -> str | None:
    """Maker of the eye tracker whose table has this header: "tobii", "pupil", or None."""
    cells = {cell.strip().strip('"').lower() for cell in re.split(r"[\t,;]", line)}
    if any(cell.startswith(_TOBII_TIMES) for cell in cells) and any(cell.startswith(_TOBII_GAZE) for cell in cells):
        return "tobii"
    return "pupil" if any(wanted <= cells for wanted in _PUPIL_SETS) else None


def psychopy_table(line: str) -> bool:
    """Whether this is the header of a table that PsychoPy's Builder or ExperimentHandler wrote."""
    cells = [cell.strip().strip('"') for cell in re.split(r"[,\t;]", line)]
    return "psychopyVersion" in cells or ("frameRate" in cells and any(cell.endswith(".thisN") for cell in cells))


def is_psychopy_log(lines: list[str]) -> bool:
    """Whether lines are those of PsychoPy's log: time, level, message, between tabs."""
    some = lines[:20]
    fits = [re.match(r"^\s*\d+\.\d+\s*\t\s*(EXP|DATA|INFO|WARNING|DEBUG|ERROR|CRITICAL)\s*\t", line) for line in some]
    return sum(match is not None for match in fits) * 2 > len(some)


def is_eprime(lines: list[str]) -> bool:
    """Whether lines begin an E-Prime text file, or a table that E-DataAid exported."""
    if "*** Header Start ***" in lines[0]:
        return True
    return any({"ExperimentName", "Subject", "Session"} <= set(line.split("\t")) for line in lines[:3])
