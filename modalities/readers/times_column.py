"""The time column of a table: which one it is, its unit, and its cells as nanoseconds."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ManifestError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.time import Int64Array
from modalities.readers.delimited import TableForm
from modalities.readers.labels import time_unit_in_name
from modalities.readers.selection import missing
from modalities.readers.timing import epoch_unit

_DAY_NS = 86_400_000_000_000
ONSETS = ("onset", "onsets", "start", "begin", "onset_time", "start_time", "event_time", "latency")
_TIMES = (
    "time",
    "times",
    "t",
    "timestamp",
    "timestamps",
    "time_stamp",
    "sec",
    "secs",
    "seconds",
    "ms",
    "msec",
    "elapsed",
)
_MORE_TIMES = (
    "elapsed_time",
    "unix",
    "unix_time",
    "lsl_time",
    "lsltime",
    "datetime",
    "date_time",
    "clock",
    "unixtimestamp",
)
TIMES = (*_TIMES, *_MORE_TIMES)
_SUFFIX = re.compile(r"[\s_.-]*[\[(]?(s|sec|secs|seconds|ms|msec|us|usec|ns|samples?)[\])]?$")


def bare(name: str) -> str:
    """A column name in lower case without its unit: "Time [ms]" gives "time", "onset_s" gives "onset"."""
    lower = name.strip().lower()
    if lower in TIMES:
        return lower
    return re.sub(r"[\s.-]+", "_", _SUFFIX.sub("", lower).strip()) or lower


def find_time_column(form: TableForm, words: Sequence[str] = TIMES) -> int | None:
    """Number of the column whose name says that it holds times; None where there is none."""
    for at, name in enumerate(form.names):
        if bare(name) in words:
            return at
    return None


def declared(entry: StreamEntry, path: Path, form: TableForm) -> int | None:
    """Number of the column that an entry declares as its times; None where it declares none.

    Raises:
        MissingTrackError: there is no such column.
    """
    if entry.time_column is None:
        return None
    lower = [name.lower() for name in form.names]
    if entry.time_column.lower() not in lower:
        raise missing("time column", entry.time_column, form.names, entry, path)
    return lower.index(entry.time_column.lower())


def unit_for(entry: StreamEntry, name: str, first: float | None) -> tuple[str, list[str]]:
    """Unit of the times: as declared; else as the column's name says; else seconds, unless they can only be a date.

    Raises:
        ManifestError: the times count samples and no rate is stated.
    """
    unit, notes = str(entry.time_unit), []
    if "time_unit" not in entry.model_fields_set:
        named = time_unit_in_name(name)
        dated = None if first is None else epoch_unit(first)
        if named is not None and named != "s":
            unit = named
            notes.append(f"time_unit is not stated; the column's name '{name}' says {unit}")
        elif dated is not None and dated != "s":
            unit = dated
            notes.append(f"time_unit is not stated; '{name}' holds Unix time in {unit}")
    if unit == "samples" and entry.rate_hz is None:
        raise ManifestError("times that count samples need rate_hz", stream=entry.name, expected="rate_hz = ...")
    return unit, notes


def parse_dates(cells: Sequence[str], path: Path, name: str) -> tuple[Int64Array, NDArray[np.bool_], bool]:
    """Times written as dates (ns since 1970, UTC where no zone is stated) or as times of day (ns since midnight).

    Returns:
        Times, which of them are valid, and whether they are dates.

    Raises:
        UnreadableFileError: they are neither.
    """
    import pandas as pd

    text = pd.Series(list(cells), dtype="string").str.strip()
    daytime = bool(text.str.match(r"^\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?$").fillna(False).mean() > 0.5)
    out = np.zeros(len(cells), dtype=np.int64)
    if daytime:
        whole = text.str.replace(",", ".", regex=False).str.replace(r"^(\d{1,2}:\d{2})$", r"\1:00", regex=True)
        parsed: Any = pd.to_timedelta(whole, errors="coerce")
        valid = parsed.notna().to_numpy(bool)
        out[valid] = parsed[valid].to_numpy("timedelta64[ns]").astype(np.int64)
        out[valid] += _DAY_NS * np.r_[0, np.cumsum(np.diff(out[valid]) < -_DAY_NS // 2)]
    else:
        parsed = pd.to_datetime(text, errors="coerce", format="mixed", utc=True)
        valid = parsed.notna().to_numpy(bool)
        out[valid] = parsed[valid].dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64)
    if valid.sum() < max(1, len(cells) // 2):
        raise UnreadableFileError(f"the time column '{name}' holds neither numbers nor dates", file=path)
    return out, valid, not daytime


def zero_of(dates: bool, first: float | None, unit: str) -> dt.datetime | None:
    """Wall-clock time of zero for times that are dates or Unix time; None for all others."""
    is_date = dates or (first is not None and epoch_unit(first) == unit)
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) if is_date else None
