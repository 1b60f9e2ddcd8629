"""CSV: the timeline wide or tidy, the events, and what the columns mean in a JSON file beside them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.time import to_s
from pipeline.export.content import Content
from pipeline.export.events import COLUMNS, as_csv, as_rows
from pipeline.export.format import is_on, one_of
from pipeline.export.tiers import empty_tiers

if TYPE_CHECKING:
    import pyarrow as pa

TIDY = ("person", "time_s", "channel", "feature", "value", "unit")
EVENT_UNITS = {"onset_s": "s", "apex_s": "s", "offset_s": "s"}


class Csv:
    """`x.csv` is the timeline, `x_events.csv` the events, `x.json` says what they are.

    Wide: one row per person and time, one column per feature, an empty cell for null. Tidy: one row per value, nulls
    left out. Times are seconds on the session clock.
    """

    suffix = ".csv"
    options: Mapping[str, str] = {
        "layout": "wide (default) or tidy",
        "units_row": "yes: a second row with the unit of each column, in the wide layout and in the events",
    }

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        units = is_on(options, "units_row")
        if one_of(options, "layout", ("wide", "tidy")) == "tidy":
            _write_tidy(content, target)
        else:
            _write_wide(content, target, units)
        text = as_csv(as_rows(content.events))
        if units:
            head, _, rest = text.partition("\n")
            text = f"{head}\n{_line([EVENT_UNITS.get(name, '') for name in COLUMNS])}{rest}"
        target.with_name(f"{target.stem}_events.csv").write_text(text, encoding="utf-8", newline="")
        write_sidecar(content, target, {"columns": described_columns(content), "events": list(COLUMNS)})
        return []


def described_columns(content: Content) -> dict[str, dict[str, str]]:
    """Unit, description and source of every column of the timeline."""
    out = {}
    for field in content.timeline.schema:
        said = field.metadata or {}
        out[field.name] = {key.decode(): value.decode() for key, value in said.items() if value}
    return out


def write_sidecar(content: Content, target: Path, more: Mapping[str, Any], **about: Any) -> None:
    """Put `Content.about` and more into a JSON file beside one that has no room for it."""
    said = {**content.about(**about), **more, "coded": coded_tiers(content)}
    text = json.dumps(said, indent=2, ensure_ascii=False)
    beside = target.with_suffix(".json") if target.suffix != ".json" else target.with_name(f"{target.name}.json")
    beside.write_text(text + "\n", encoding="utf-8")


def coded_tiers(content: Content) -> list[list[str | None]]:
    """Person, channel and kind of which the file holds all events: a coder who deletes the last one has said so."""
    found = {(event.person, event.channel, event.kind) for event in content.events}
    found |= {(one.person, one.channel, one.kind) for one in empty_tiers(content)}
    return [list(one) for one in sorted(found, key=lambda one: tuple(word or "" for word in one))]


def _write_wide(content: Content, target: Path, units: bool) -> None:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = ["time_s" if name == "t_ns" else name for name in content.timeline.column_names]
    described = described_columns(content)
    with target.open("wb") as file:
        file.write(_line(names).encode())
        if units:
            row = [described[name].get("unit", "") for name in content.timeline.column_names]
            file.write(
                _line(["s" if name == "time_s" else unit for name, unit in zip(names, row, strict=True)]).encode()
            )
        columns = []
        for name in content.timeline.column_names:
            column = content.timeline.column(name)
            if name == "t_ns":
                column = pa.chunked_array([pa.array(to_s(column.to_numpy()))])
            elif pa.types.is_dictionary(column.type):
                column = column.cast(pa.string())
            columns.append(column)
        how = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
        arrow_csv.write_csv(pa.table(columns, names=names), file, how)


def _write_tidy(content: Content, target: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    kinds = [pa.string(), pa.float64(), pa.string(), pa.string(), pa.float32(), pa.string()]
    schema = pa.schema(list(zip(TIDY, kinds, strict=True)))
    seconds = to_s(content.grid_ns)
    how = arrow_csv.WriteOptions(quoting_style="needed")
    with target.open("wb") as file, arrow_csv.CSVWriter(file, schema, write_options=how) as writer:
        for person in content.people:
            for field in content.features:
                values = content.column(field.name, person)
                there = np.isfinite(values)
                channel, feature = field.name.split(".", 1)
                unit = (field.metadata or {}).get(b"unit", b"").decode()
                writer.write_table(_tidy_rows(schema, person, seconds[there], channel, feature, values[there], unit))


def _tidy_rows(
    schema: pa.Schema, person: str, seconds: Any, channel: str, feature: str, values: Any, unit: str
) -> pa.Table:
    import pyarrow as pa

    n = len(values)
    columns = [pa.repeat(person, n), pa.array(seconds), pa.repeat(channel, n), pa.repeat(feature, n)]
    return pa.Table.from_arrays([*columns, pa.array(values), pa.repeat(unit, n)], schema=schema)


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
