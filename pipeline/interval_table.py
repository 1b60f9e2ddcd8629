"""Tables of spotted intervals: plain ones, and those that `telltale spot` writes."""

from __future__ import annotations

import csv
from pathlib import Path

from data_schemas.errors import MissingFileError, MissingTrackError, TelltaleError, UnreadableFileError
from modalities.face.spotting.evaluation import KINDS, Spotted


def read_intervals(path: Path) -> list[Spotted]:
    """Micro and macro intervals of a table; rows of other kinds (blinks) are left out.

    Args:
        path: CSV with the columns video, kind, onset, offset in inclusive frames, or video, kind, onset_frame,
            offset_frame as `telltale spot` writes them.

    Raises:
        MissingFileError: no such file.
        MissingTrackError: a column is missing.
        UnreadableFileError: a frame number is none; the message names the line.
    """
    if not path.is_file():
        raise MissingFileError("no such table", file=path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            frames = ("onset_frame", "offset_frame") if "onset_frame" in columns else ("onset", "offset")
            absent = [name for name in ("video", "kind", *frames) if name not in columns]
            if absent:
                raise MissingTrackError(
                    f"the table has no column {', '.join(absent)}",
                    file=path,
                    got=", ".join(columns) or "an empty file",
                    expected="video, kind, onset, offset (inclusive frames), or the table of telltale spot",
                )
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError("the table is no CSV text", file=path, got=str(error)) from error
    found = []
    for line, row in rows:
        if row["kind"] not in KINDS:
            continue
        try:
            onset, offset = (round(float(row[name])) for name in frames)
            found.append(Spotted(row["video"], row["kind"], onset, offset))
        except TelltaleError:
            raise
        except (TypeError, ValueError) as error:
            got = f"{row[frames[0]]!r}, {row[frames[1]]!r}"
            raise UnreadableFileError(f"line {line} has no frame numbers", file=path, got=got) from error
    return found
