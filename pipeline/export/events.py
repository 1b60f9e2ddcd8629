"""Event tables: the same rows as parquet and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from data_schemas.event import Event
from data_schemas.time import to_s

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("person", "channel", "kind", "onset_s", "apex_s", "offset_s", "score", "label", "details")


def as_rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Events as plain rows in order of onset; seconds on the session clock, rounded to the microsecond."""
    ordered = sorted(events, key=lambda e: (e.onset_ns, e.person or "", e.channel, e.kind, e.offset_ns, e.label))
    return [
        {
            "person": event.person,
            "channel": event.channel,
            "kind": event.kind,
            "onset_s": round(to_s(event.onset_ns), 6),
            "apex_s": None if event.apex_ns is None else round(to_s(event.apex_ns), 6),
            "offset_s": round(to_s(event.offset_ns), 6),
            "score": None if event.score is None else float(event.score),
            "label": event.label,
            "details": json.dumps(dict(event.details), sort_keys=True, ensure_ascii=False),
        }
        for event in ordered
    ]


def as_arrow(events: Sequence[Event]) -> pa.Table:
    """Events as an Arrow table with the columns of `COLUMNS`."""
    import pyarrow as pa

    kinds = {"onset_s": pa.float64(), "apex_s": pa.float64(), "offset_s": pa.float64(), "score": pa.float64()}
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in COLUMNS])
    return pa.Table.from_pylist(as_rows(events), schema=schema)


def as_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str] = COLUMNS) -> str:
    """Rows as CSV text with a header, empty cells for None, lines ended by a newline."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
