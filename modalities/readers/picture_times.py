"""When pictures were taken that carry no times themselves: a table of time stamps beside them, or a rate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_schemas.errors import ManifestError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.time import Int64Array, to_s
from modalities.readers.timing import stamps_to_ns

STAMP_FILES = ("timestamps.csv", "timestamps.txt", "timestamps.tsv")


def stamp_files(folder: Path, prefix: str) -> list[Path]:
    """Tables of time stamps in a folder, that of this prefix ("cam_timestamps.csv") before that of all."""
    names = [f"{prefix}_{name}" for name in STAMP_FILES] if prefix else []
    return [folder / name for name in (*names, *STAMP_FILES) if (folder / name).is_file()]


def read_stamps(
    folder: Path, prefix: str, n: int, names: Sequence[str] = (), column: str | None = None, unit: str | None = None
) -> Int64Array | None:
    """Times, ns, of pictures from the table beside them, (n,); None where there is no table.

    Args:
        folder: Where the table lies.
        prefix: Its own table goes before that of the whole folder.
        n: Number of pictures.
        names: File name of each; where the table names them all, its rows may stand in any order.
        column: Of the times; found by its name where it is None or not there.
        unit: Of the times; None: as the column's name says.

    Raises:
        UnreadableFileError: as many rows as pictures are not there, or one holds no number.
    """
    from modalities.readers.delimited import read_text_columns, sniff_table
    from modalities.readers.labels import time_unit_in_name

    table = next(iter(stamp_files(folder, prefix)), None)
    if table is None:
        return None
    form = sniff_table(table)
    rows = read_text_columns(table, form)
    at = _stamp_column(form.names, column)
    by_name = {Path(cell.strip()).name: row for row in rows for cell in row} if names else {}
    if names and all(name in by_name for name in names):
        rows = [by_name[name] for name in names]
    if len(rows) != n:
        raise UnreadableFileError(
            "pictures and time stamps differ in number", file=table, got=f"{n} pictures, {len(rows)} time stamps"
        )
    try:
        values = np.array([float(row[at].replace(",", ".") if form.decimal == "," else row[at]) for row in rows])
    except (ValueError, IndexError) as error:
        raise UnreadableFileError("a time stamp is no number", file=table, got=str(error)) from error
    if not np.all(np.isfinite(values)):
        raise UnreadableFileError("a time stamp is no number", file=table)
    return stamps_to_ns(values, unit or time_unit_in_name(form.names[at]) or "s")


def times_of_pictures(
    entry: StreamEntry, path: Path, folder: Path, prefix: str, numbers: Sequence[int], names: Sequence[str] = ()
) -> tuple[Int64Array, list[str]]:
    """Times, ns, of pictures by the table beside them, else by `rate_hz` and their numbers; and notes.

    Args:
        entry: Its time column, unit and rate.
        path: For messages.
        folder: Where the table of time stamps may lie.
        prefix: See `read_stamps`.
        numbers: Of the pictures, increasing; one that is missing is a gap.
        names: See `read_stamps`.

    Raises:
        UnreadableFileError: time stamps that cannot be read, are too few or do not increase; two equal numbers.
        ManifestError: there is neither a table nor a rate.
    """
    unit = entry.time_unit if "time_unit" in entry.model_fields_set else None
    stamps = read_stamps(folder, prefix, len(numbers), names, entry.time_column, unit)
    if stamps is not None:
        back = np.flatnonzero(np.diff(stamps) <= 0)
        if len(back):
            raise UnreadableFileError(
                "the time stamps of the pictures do not increase",
                file=path,
                time_s=to_s(int(stamps[back[0] + 1])),
                got=f"{len(back)} of {len(stamps)}",
                mend="Correct the table of time stamps, or remove it and write rate_hz.",
            )
        return stamps, []
    if entry.rate_hz is None:
        raise ManifestError(
            "nothing says when the pictures were taken",
            file=path,
            stream=entry.name,
            expected=f"a table {STAMP_FILES[0]} beside them, or rate_hz in the manifest",
        )
    counted = np.array(numbers, dtype=np.int64)
    counted -= counted[0]
    lost = int(counted[-1]) + 1 - len(counted)
    notes = [f"{lost} numbers are missing between the pictures: gaps"] if lost else []
    if np.any(np.diff(counted) <= 0):
        raise UnreadableFileError("two pictures carry the same number", file=path)
    return np.rint(counted * (1e9 / entry.rate_hz)).astype(np.int64), notes


def _stamp_column(names: tuple[str, ...], wanted: str | None) -> int:
    if wanted in names:
        return names.index(wanted or "")
    likely = [at for at, name in enumerate(names) if re.search(r"time|stamp|^t$|sec|^ms$", name.lower())]
    return likely[0] if likely else len(names) - 1
