"""Making the catalogue from the results: `study.parquet` with all timelines, `study.duckdb` with all else."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.errors import TelltaleError, UnreadableFileError
from pipeline import __version__
from pipeline.batch.layout import Layout, State, read_json, write_json
from pipeline.catalogue.schema import DATABASE, PARQUET, TABLES, VERSION, create
from pipeline.manifest import load_manifest
from pipeline.privacy.keys import naming_withdrawn

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_ROWS = 50_000


def build_catalogue(layout: Layout, labels: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Make both files anew; each appears whole or not at all.

    Args:
        layout: The folder of a batch.
        labels: What the study's table says of each session; as written down by an earlier build where not given.

    Raises:
        UnreadableFileError: a result is damaged; the message names it.
        OSError: no space, or no right to write.
    """
    known = _labels(layout, labels)
    states = [state for name, state in layout.states().items() if labels is None or name in labels]
    done = [state for state in states if state.status == "done" and layout.is_done(state.session)]
    work = layout.inner / "work"
    parquet, database = work / PARQUET, work / DATABASE
    for path in (parquet, database):
        path.unlink(missing_ok=True)
    _write_timelines(layout, done, parquet)
    _write_database(layout, states, done, known, database)
    for path in (parquet, database):
        if path.exists():
            os.chmod(path, 0o600)
            os.replace(path, layout.root / path.name)
        else:
            (layout.root / path.name).unlink(missing_ok=True)


def _labels(layout: Layout, labels: Mapping[str, Mapping[str, str]] | None) -> dict[str, dict[str, str]]:
    file = layout.inner / "labels.json"
    if labels is None:
        return {str(name): dict(values) for name, values in read_json(file).items()}
    study = layout.study
    gone = set() if study is None else naming_withdrawn(study, {one for own in labels.values() for one in own.values()})
    found = {
        name: {key: value for key, value in own.items() if value not in gone} for name, own in labels.items()
    }  # fmt: skip
    write_json(file, found)
    return found


def _write_timelines(layout: Layout, done: Sequence[State], path: Path) -> None:
    """All timelines one below the other, read and written piece by piece."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [(state.session, layout.root / state.session / "timeline.parquet") for state in done]
    if not files:
        return
    schema = _schema(files)
    try:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for session, file in files:
                with pq.ParquetFile(file) as source:
                    for batch in source.iter_batches(_ROWS):
                        writer.write_table(_with_session(pa.Table.from_batches([batch]), session, schema))
    except pa.ArrowInvalid as error:
        raise _damaged(file, error) from error


def _schema(files: Sequence[tuple[str, Path]]) -> pa.Schema:
    """The columns of all timelines, in order of their first appearance."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.dictionary(pa.int32(), pa.string())
    fields: dict[str, pa.Field] = {"session": pa.field("session", text, metadata={"description": "name in the study"})}
    for _, file in files:
        try:
            found = pq.read_schema(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(file, error) from error
        for field in found:
            fields.setdefault(field.name, field)
    return pa.schema(list(fields.values()), metadata={"telltale": json.dumps({"catalogue": VERSION})})


def _with_session(table: pa.Table, session: str, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    n = table.num_rows
    columns = []
    for field in schema:
        if field.name == "session":
            columns.append(pa.array([session], pa.string()).dictionary_encode().take(pa.array([0] * n, pa.int32())))
        elif field.name in table.column_names:
            columns.append(table[field.name].cast(field.type))
        else:
            columns.append(pa.nulls(n, field.type))
    return pa.table(columns, schema=schema)


def _damaged(file: Path, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(
        "a result is damaged", file=file, got=str(error).splitlines()[0], mend="Delete its folder and run batch again."
    )


def _write_database(
    layout: Layout, states: Sequence[State], done: Sequence[State], labels: Mapping[str, Mapping[str, str]], path: Path
) -> None:
    import duckdb

    study = layout.study
    participants = {} if study is None else _participants(study if study.is_dir() else study.parent)
    with duckdb.connect(str(path)) as base:
        base.execute("SET threads = 1")
        base.execute("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
        _insert(base, "meta", [("schema_version", str(VERSION)), ("telltale_version", __version__)])
        for table in TABLES:
            base.execute(create(table))
        records = {state.session: read_json(layout.root / state.session / "result.json") for state in done}
        _insert(base, "sessions", [_session(state, records.get(state.session, {})) for state in states])
        for state in done:
            record = records[state.session]
            people, stated = _people(state, record)
            _insert(base, "people", people)
            own = {**stated, **labels.get(state.session, {})}
            rows = [(state.session, None, name, value) for name, value in own.items()]
            for person in record.get("people", []):
                known = participants.get(person, {})
                rows += [(state.session, person, name, value) for name, value in known.items()]
            _insert(base, "labels", rows)
            channels = [(state.session, c["person"], c["channel"], c["valid_share"]) for c in record["channels"]]
            _insert(base, "channels", channels)
            _add_events(base, layout.root / state.session / "events.parquet", state.session)
        base.execute(_CONDITION)


def _session(state: State, record: Mapping[str, Any]) -> tuple[Any, ...]:
    wanted = ("purpose", "duration_s", "grid_hz", "telltale_version")
    reason = state.reason or None
    return (
        state.session,
        record.get("session"),
        state.status,
        reason,
        state.exit_status,
        *[record.get(name) for name in wanted],
    )


def _people(state: State, record: Mapping[str, Any]) -> tuple[list[tuple[Any, ...]], dict[str, str]]:
    """The people of a session, and what its manifest says under [labels]; the result alone where there is none."""
    try:
        manifest = load_manifest(Path(state.source))
    except (TelltaleError, OSError):
        return [(state.session, person, *[None] * 4) for person in record.get("people", [])], {}
    people = [
        (state.session, one.id, *[getattr(one, name) or None for name in ("role", "sex", "age_group", "culture")])
        for one in manifest.people
        if one.id in record.get("people", [])
    ]
    stated = {name: _text(value) for name, value in manifest.labels.items()}
    gone = naming_withdrawn(Path(state.source), stated.values())
    return people, {name: value for name, value in stated.items() if value not in gone}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _participants(folder: Path) -> dict[str, dict[str, str]]:
    """What `participants.tsv` of BIDS says of each person, with and without the prefix "sub-"."""
    file = folder / "participants.tsv"
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    found: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(text.splitlines(), dialect="excel-tab"):
        name = (row.get("participant_id") or "").strip()
        values = {
            str(key): str(value).strip()
            for key, value in row.items()
            if key and key != "participant_id" and value is not None and str(value).strip() not in ("", "n/a")
        }
        if name:
            found[name] = found[name.removeprefix("sub-")] = values
    return found


def _add_events(base: duckdb.DuckDBPyConnection, file: Path, session: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as source:
            batches: Iterator[Any] = source.iter_batches(_ROWS)
            for batch in batches:
                base.register("found", pa.Table.from_batches([batch]))
                base.execute(_EVENTS, [session])
                base.unregister("found")
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise _damaged(file, error) from error


def _insert(base: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        base.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


_EVENTS = """
INSERT INTO events SELECT ?, person, channel, kind, CASE WHEN kind = 'cue' THEN details->>'$.kind' END,
CASE WHEN kind = 'cue' THEN details->>'$.condition' END, onset_s, apex_s, offset_s, score, label, details FROM found
"""

_INSTANT_S = 0.1
"""A condition no longer than this is a mark: it holds until the next one."""

_CONDITION = f"""
CREATE TEMP TABLE held AS
SELECT session, person, onset_s,
       CASE WHEN offset_s - onset_s <= {_INSTANT_S} THEN 'infinity'::DOUBLE ELSE offset_s END AS offset_s,
       coalesce(condition, label) AS condition
FROM events WHERE cue = 'condition';
CREATE TEMP TABLE told AS
SELECT session, any_value(value ORDER BY person NULLS LAST) AS condition FROM labels
WHERE name = 'condition' AND person IS NULL GROUP BY session;
CREATE TABLE events_told AS
SELECT e.* REPLACE (coalesce(
    e.condition, CASE WHEN e.onset_s < h.offset_s THEN h.condition END, p.value, t.condition) AS condition)
FROM events AS e
ASOF LEFT JOIN held AS h
    ON e.session = h.session AND e.person = h.person AND e.onset_s >= h.onset_s
LEFT JOIN (SELECT session, person, any_value(value) AS value FROM labels
           WHERE name = 'condition' AND person IS NOT NULL GROUP BY ALL) AS p
    ON p.session = e.session AND p.person = e.person
LEFT JOIN told AS t ON t.session = e.session
ORDER BY e.session, e.onset_s, e.person, e.channel, e.kind, e.offset_s, e.label;
DROP TABLE events;
ALTER TABLE events_told RENAME TO events;
"""
