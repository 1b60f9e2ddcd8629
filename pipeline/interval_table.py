"""Tables of spotted intervals: plain ones, those that `telltale spot` writes, and those of the MEGC challenges."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Literal

from data_schemas.errors import (
    InvalidValueError,
    MissingFileError,
    MissingTrackError,
    TelltaleError,
    UnreadableFileError,
)
from modalities.face.spotting.base import MICRO_S
from modalities.face.spotting.evaluation import KINDS, Spotted
from modalities.face.spotting.megc import COLUMNS, is_table, read_log, read_table

LOG_ENDINGS = (".txt", ".log")


@dataclass(frozen=True)
class IntervalTable:
    """Intervals of one file.

    Attributes:
        intervals: Frames as the file counts them.
        first_frame: What it calls the first frame of a video; None where it does not say.
    """

    intervals: tuple[Spotted, ...]
    first_frame: int | None


def read_intervals(
    path: Path, role: Literal["truth", "detections"] = "detections", fps: float | None = None
) -> IntervalTable:
    """Micro and macro intervals of a table; rows of other kinds (blinks) are left out.

    Args:
        path: CSV with the columns video, kind, onset, offset in inclusive frames (apex and emotion if there are any);
            with video, kind, onset_frame, apex_frame, offset_frame as `telltale spot` writes them; a CSV or a log
            (.txt) of the MEGC challenges (`modalities.face.spotting.megc`).
        role: Which of its two tables a log is asked for.
        fps: Frame rate, which only a log needs: it does not say what is micro.

    Raises:
        MissingFileError: no such file.
        MissingTrackError: a column is missing.
        InvalidValueError: an interval ends before it begins, or a log without a frame rate.
        UnreadableFileError: a frame number is none; the message names the line.
    """
    if not path.is_file():
        raise MissingFileError("no such table", file=path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() in LOG_ENDINGS:
            return _log(text, role, fps)
        reader = csv.DictReader(StringIO(text, newline=""))
        columns = reader.fieldnames or []
        return IntervalTable(tuple(read_table(text)), 1) if is_table(columns) else _plain(reader, columns)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError("the table is no CSV text", file=path, got=str(error)) from error
    except TelltaleError as error:
        error.file = error.file or str(path)
        raise


def _log(text: str, role: str, fps: float | None) -> IntervalTable:
    if fps is None or not fps > 0:
        raise InvalidValueError(
            "a log does not say which intervals are micro", mend="State its frame rate with --fps, e.g. --fps 30."
        )
    truth, found = read_log(text, round(MICRO_S * fps))
    return IntervalTable(tuple(truth if role == "truth" else found), 1)


def _plain(reader: csv.DictReader[str], columns: Sequence[str]) -> IntervalTable:
    ours = "onset_frame" in columns
    onset, offset, apex = ("onset_frame", "offset_frame", "apex_frame") if ours else ("onset", "offset", "apex")
    absent = [name for name in ("video", "kind", onset, offset) if name not in columns]
    if absent:
        raise MissingTrackError(
            f"the table has no column {', '.join(absent)}",
            got=", ".join(columns) or "an empty file",
            expected="video, kind, onset, offset (inclusive frames), the table of telltale spot, "
            f"or {', '.join(COLUMNS)}",
        )
    found = []
    for row in reader:
        if row["kind"] not in KINDS:
            continue
        try:
            first, last = round(float(row[onset])), round(float(row[offset]))
            top = round(float(row[apex])) if row.get(apex) else None
        except (TypeError, ValueError) as error:
            got = f"{row[onset]!r}, {row[offset]!r}"
            raise UnreadableFileError(f"line {reader.line_num} has no frame numbers", got=got) from error
        found.append(Spotted(row["video"], row["kind"], first, last, top, row.get("emotion") or ""))
    return IntervalTable(tuple(found), 0 if ours else None)


def bring_together(truth: IntervalTable, found: IntervalTable) -> tuple[list[Spotted], list[Spotted], list[str]]:
    """Both tables in the frames and the video names of the truth, and what had to be done for it.

    Frames are shifted where both tables are known to count from different ones; names lose their endings where no video
    is named alike in both otherwise ("a.mp4" and "a").
    """
    true, given, notes = list(truth.intervals), list(found.intervals), []
    if truth.first_frame is not None and found.first_frame is not None and truth.first_frame != found.first_frame:
        by = truth.first_frame - found.first_frame
        given = [
            replace(one, onset=one.onset + by, offset=one.offset + by, apex=None if one.apex is None else one.apex + by)
            for one in given
        ]
        notes.append(f"frames of the detections were shifted by {by:+d}: the tables count from different first frames")
    names = {one.video for one in true}
    stems = {Path(name).stem for name in names}
    if given and not names & {one.video for one in given} and stems & {Path(one.video).stem for one in given}:
        true, given = ([replace(one, video=Path(one.video).stem) for one in table] for table in (true, given))
        notes.append("videos were matched by their names without endings")
    return true, given, notes
