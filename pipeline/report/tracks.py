"""The features of a page as text that a script reads without parsing numbers: little-endian floats in base64."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array, to_s
from pipeline.report.decimation import kept_indices
from pipeline.report.lanes import Lane

if TYPE_CHECKING:
    import pyarrow as pa

OVERVIEW_POINTS = 1600
"""Points of a line that the page draws at once; more are read when somebody zooms in."""
_MOST_STRETCHES = 1500


@dataclass(frozen=True)
class Tracks:
    """All that the lanes of one person draw.

    Attributes:
        overview: Column -> {"at": indices, "values": values}, thinned; without "at" where nothing had to be thinned.
        full: Lane -> columns that had to be thinned; `values_of` gives all values of one.
        rows: The person's rows of the timeline.
        range: Column -> [least, greatest] value.
        missing: Channel -> [start_s, end_s, why] of the stretches in which nothing of it is known.
        silent: [start_s, end_s] of the stretches in which the fusion cannot say anything.
    """

    overview: dict[str, dict[str, str]] = field(default_factory=dict)
    full: dict[str, list[str]] = field(default_factory=dict)
    range: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, list[list[Any]]] = field(default_factory=dict)
    silent: list[list[float]] = field(default_factory=list)
    rows: pa.Table = None

    def values_of(self, column: str) -> str:
        """All values of a column as base64 of float32."""
        return as_base64(_values(self.rows, column, _silenced(self.rows)))


def as_base64(values: NDArray[Any]) -> str:
    """Numbers as base64 of their little-endian bytes."""
    return b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def grid_of(times_ns: Int64Array) -> dict[str, Any]:
    """The grid as the page knows it: start and period, or all times where it is not regular to the microsecond."""
    n = len(times_ns)
    if n < 2:
        return {"n": n, "start_s": float(to_s(int(times_ns[0]))) if n else 0.0, "period_s": 0.04}
    period = (int(times_ns[-1]) - int(times_ns[0])) / (n - 1)
    off = np.abs(times_ns - times_ns[0] - np.arange(n) * period).max()
    known: dict[str, Any] = {"n": n, "start_s": to_s(int(times_ns[0])), "period_s": period / NS_PER_S}
    return known if off <= 1000 else known | {"times": as_base64(to_s(times_ns))}


def tracks_of(rows: pa.Table, lanes: Sequence[Lane]) -> Tracks:
    """What the lanes draw of one person.

    Args:
        rows: The person's rows of the timeline, g of them.
        lanes: The lanes of the page.
    """
    seconds = to_s(rows["t_ns"].to_numpy())
    silent = _silenced(rows)
    found = Tracks(silent=_stretches(seconds, silent), rows=rows)
    for lane in lanes:
        for name in lane.features:
            column = f"{lane.channel}.{name}"
            if column not in rows.column_names or column in found.overview:
                continue
            values = _values(rows, column, silent)
            finite = values[np.isfinite(values)]
            if not len(finite):
                continue
            found.range[column] = [float(finite.min()), float(finite.max())]
            at = kept_indices(values, OVERVIEW_POINTS)
            thinned = {"values": as_base64(values[at])}
            if len(at) < len(values):
                thinned["at"] = as_base64(at.astype(np.uint32))
                found.full.setdefault(lane.id, []).append(column)
            found.overview[column] = thinned
        reason = f"{lane.channel}.reason"
        if lane.channel not in found.missing and reason in rows.column_names:
            found.missing[lane.channel] = _reasons(seconds, rows[reason].to_pylist())
    return found


def size_of(people: Mapping[str, Tracks]) -> int:
    """Bytes that all values take on the page, four characters for three bytes."""
    each = [(sum(map(len, one.full.values())), one.rows.num_rows) for one in people.values()]
    return sum(columns * 4 * -(-4 * n // 3) for columns, n in each)


def _values(rows: pa.Table, column: str, silent: NDArray[np.bool_]) -> NDArray[np.float32]:
    values = np.asarray(rows[column].to_numpy(zero_copy_only=False), np.float32)
    return np.where(silent, np.float32(np.nan), values) if column.startswith("fused.") else values


def _silenced(rows: pa.Table) -> NDArray[np.bool_]:
    if "fused.cannot_say" not in rows.column_names:
        return np.zeros(rows.num_rows, bool)
    return np.nan_to_num(rows["fused.cannot_say"].to_numpy(zero_copy_only=False).astype(np.float32)) > 0.5


def _stretches(seconds: NDArray[np.float64], inside: NDArray[np.bool_]) -> list[list[float]]:
    words = ["yes" if one else None for one in inside.tolist()]
    return [[start, end] for start, end, _ in _reasons(seconds, words)]


def _reasons(seconds: NDArray[np.float64], words: Sequence[str | None]) -> list[list[Any]]:
    """Stretches of the same word as [start_s, end_s, word]; of too many the longest."""
    if not len(seconds):
        return []
    codes = np.array([word or "" for word in words])
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    ends = np.r_[starts[1:], len(codes)]
    last = seconds[-1] + (float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.04)
    edge = np.r_[seconds, last]
    found: list[list[Any]] = [
        [round(float(edge[a]), 4), round(float(edge[b]), 4), str(codes[a])]
        for a, b in zip(starts, ends, strict=True)
        if codes[a]
    ]
    if len(found) > _MOST_STRETCHES:
        longest = sorted(found, key=lambda one: one[0] - one[1])[:_MOST_STRETCHES]
        found = sorted(longest, key=lambda one: one[0])
    return found
