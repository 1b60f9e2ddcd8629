"""Asking the catalogue: SQL that can read the study's tables and nothing else, and change nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.errors import InvalidValueError, MissingFileError
from pipeline.batch.layout import Layout
from pipeline.batch.lock import held
from pipeline.catalogue.build import build_catalogue
from pipeline.catalogue.schema import DATABASE, PARQUET, TABLES, VERSION

if TYPE_CHECKING:
    import duckdb


_TABLES = f"Tables: {', '.join([*TABLES, 'timeline'])}; docs/catalogue.md has their columns."


def query(out: Path, sql: str) -> list[dict[str, Any]]:
    """The rows that a query gives, one mapping each; the tables are those of `docs/catalogue.md`.

    Args:
        out: Folder of a batch.
        sql: DuckDB's SQL.

    Raises:
        MissingFileError: there is no catalogue.
        InvalidValueError: the query is wrong, or the catalogue is of a newer version.
    """
    import duckdb

    if not sql.strip(" ;\n\t"):
        raise InvalidValueError("the query is empty", mend=_TABLES)
    with opened(out) as base:
        try:
            answer = base.execute(sql)
            names = _distinct([str(column[0]) for column in answer.description or []])
            return [dict(zip(names, map(_plain, row), strict=True)) for row in answer.fetchall()]
        except duckdb.Error as error:
            raise InvalidValueError(
                "the query cannot be answered",
                got=" ".join(str(error).split()),
                mend=_TABLES,
            ) from error


@contextmanager
def opened(out: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees the study's tables and no file besides; an older catalogue is brought up to date first.

    Raises:
        MissingFileError: there is no catalogue.
        InvalidValueError: it is of a newer version.
    """
    import duckdb

    layout = Layout(out)
    if not (out / DATABASE).is_file() and not any(state.status == "done" for state in layout.states().values()):
        raise MissingFileError(
            "no catalogue here", file=out, mend="Name the folder that telltale batch wrote its results into."
        )
    migrate(layout)
    with duckdb.connect(":memory:") as base:
        base.execute(f"ATTACH {_quoted(out / DATABASE)} AS study (READ_ONLY)")
        for table in (*TABLES, "meta"):
            base.execute(f"CREATE VIEW {table} AS SELECT * FROM study.{table}")
        timelines = out / PARQUET
        if timelines.is_file():
            base.execute("SET allowed_paths = [" + _quoted(timelines) + "]")
            base.execute(f"CREATE VIEW timeline AS SELECT * FROM read_parquet({_quoted(timelines)})")
        base.execute("SET enable_external_access = false")
        base.execute("SET lock_configuration = true")
        yield base


def migrate(layout: Layout) -> bool:
    """Make a catalogue anew that is missing, damaged, or of an older version; True if it was.

    Everything in it comes from the results, so that making it anew is the migration.

    Raises:
        InvalidValueError: it was made by a newer version.
        BusyError: a batch is running.
    """
    version = version_of(layout.root / DATABASE)
    if version is not None and version > VERSION:
        raise InvalidValueError(
            "the catalogue was made by a newer version of Telltale", file=layout.root / DATABASE, got=version,
            expected=f"at most {VERSION}", mend="Update Telltale.",
        )  # fmt: skip
    if version == VERSION and (layout.root / PARQUET).is_file():
        return False
    (layout.inner / "work").mkdir(mode=0o700, parents=True, exist_ok=True)
    with held(layout.inner / "lock"):
        build_catalogue(layout)
    return True


def version_of(database: Path) -> int | None:
    """Version of a catalogue; None where there is none or it cannot be read."""
    import duckdb

    if not database.is_file():
        return None
    try:
        with duckdb.connect(str(database), read_only=True) as base:
            row = base.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
            return None if row is None else int(row[0])
    except (duckdb.Error, ValueError):
        return None


def _quoted(path: Path) -> str:
    return "'" + str(path.absolute()).replace("'", "''") + "'"


def _distinct(names: list[str]) -> list[str]:
    """The same names, a number behind those that occur again."""
    found: list[str] = []
    for name in names:
        new, number = name, 1
        while new in found:
            number += 1
            new = f"{name}_{number}"
        found.append(new)
    return found


def _plain(value: Any) -> Any:
    """A value as a table shows it and JSON can say it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return str(value)
