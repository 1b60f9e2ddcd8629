"""Looking for traces of a person in a folder of results: what `forget` proves itself with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.batch.layout import read_json

_TEXT = (
    ".json",
    ".jsonl",
    ".csv",
    ".tsv",
    ".toml",
    ".txt",
    ".md",
    ".html",
    ".eaf",
    ".textgrid",
    ".vtt",
    ".err",
    ".out",
)


@dataclass(frozen=True)
class Trace:
    """One place that names a person.

    Attributes:
        file: Where.
        what: How.
    """

    file: Path
    what: str


def word(person: str) -> re.Pattern[str]:
    """The person's name as a word of its own, also within a file name such as "sub-p01_task"."""
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(person)}(?![A-Za-z0-9])")


def traces(folder: Path, person: str) -> list[Trace]:
    """Every file below a folder that names the person: in its path, its text, or a text column of a table.

    A report of a session that does not list the person is not read: it is made from that session's other files, and
    the program text within it holds many short words.
    """
    name = word(person)
    found: list[Trace] = []
    for path in sorted(folder.rglob("*")):
        if name.search(path.relative_to(folder).as_posix()):
            found.append(Trace(path, "its name"))
        elif path.is_file():
            found += [Trace(path, what) for what in _within(path, name, person)]
    return found


def names(path: Path, person: str) -> bool:
    """Whether a file or folder names the person, in its own name or within."""
    own = word(person)
    if own.search(path.name):
        return True
    return bool(traces(path, person)) if path.is_dir() else any(True for _ in _within(path, own, person))


def _within(path: Path, name: re.Pattern[str], person: str) -> Iterator[str]:
    if path.name == "report.html" or path.parent.name == "report" or path.parent.parent.name == "report":
        places = (path.parent, path.parent.parent, path.parent.parent.parent)
        record = next((found for one in places if (found := read_json(one / "result.json"))), {})
        if record and person not in record.get("people", []):
            return
    if path.suffix == ".parquet":
        yield from _in_parquet(path, name)
    elif path.suffix == ".duckdb":
        yield from _in_database(path, name)
    elif path.suffix.lower() in _TEXT:
        with path.open(encoding="utf-8", errors="replace") as source:
            if any(name.search(line) for line in source):
                yield "its text"
    else:
        data = path.read_bytes() if path.stat().st_size < 50_000_000 else b""
        if re.search(rb"(?<![A-Za-z0-9])" + re.escape(person.encode()) + rb"(?![A-Za-z0-9])", data):
            yield "its bytes"


def _in_parquet(path: Path, name: re.Pattern[str]) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as source:
            about = source.schema_arrow.metadata or {}
            if any(name.search(value.decode("utf-8", "replace")) for value in about.values()):
                yield "its metadata"
            texts = [field.name for field in source.schema_arrow if _is_text(field.type)]
            for column in texts:
                for batch in source.iter_batches(columns=[column]):
                    if any(value is not None and name.search(value) for value in _values(batch.column(0))):
                        yield f"column {column}"
                        break
    except (pa.ArrowInvalid, OSError):
        yield "unreadable, so that nobody can tell"


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _values(array: Any) -> list[str | None]:
    """The distinct values, those of a dictionary that no row uses among them."""
    values = array.dictionary if hasattr(array, "dictionary") else array.unique()
    return [None if one is None else str(one) for one in values.to_pylist()]


def _in_database(path: Path, name: re.Pattern[str]) -> Iterator[str]:
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as base:
            columns = base.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'VARCHAR'"
            ).fetchall()
            for table, column in columns:
                rows = base.execute(f'SELECT DISTINCT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
                if any(name.search(str(row[0])) for row in rows.fetchall()):
                    yield f"table {table}, column {column}"
    except duckdb.Error:
        yield "unreadable, so that nobody can tell"
