"""The catalogue: what its tables say, how it is asked, and what nobody can do through it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from data_schemas.errors import InvalidValueError, MissingFileError
from data_schemas.event import Event
from pipeline.batch.layout import Layout, State
from pipeline.catalogue.build import build_catalogue
from pipeline.catalogue.query import migrate, query, version_of
from pipeline.catalogue.schema import DATABASE, PARQUET, TABLES, VERSION
from pipeline.export.events import as_arrow

DOCS = Path(__file__).resolve().parent.parent / "docs" / "catalogue.md"
S = 10**9


def event(kind: str, onset_s: float, offset_s: float, label: str = "", channel: str = "face", details=None) -> Event:
    return Event(
        channel, kind, round(onset_s * S), round(offset_s * S), None, "p01", None, label, details or {}
    )  # fmt: skip


def cue(kind: str, onset_s: float, offset_s: float, label: str, **more: str) -> Event:
    return event("cue", onset_s, offset_s, label, "context", {"kind": kind, **more})


def put(layout: Layout, session: str, events: list[Event], columns: dict | None = None, **labels: str) -> None:
    """A result of a session, as small as can be."""
    import pyarrow as pa

    folder = layout.root / session
    folder.mkdir()
    values = {"person": pa.array(["p01"] * 3).dictionary_encode(), "t_ns": pa.array([0, 40, 80], pa.int64())}
    pq.write_table(pa.table({**values, **(columns or {})}), folder / "timeline.parquet")
    pq.write_table(as_arrow(events), folder / "events.parquet")
    record = {
        "session": session, "people": ["p01"], "purpose": "x", "duration_s": 9.0, "grid_hz": 25.0,
        "telltale_version": "1", "channels": [{"person": "p01", "channel": "face", "valid_share": 0.5}],
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(record))
    text = "".join(f'{name} = "{value}"\n' for name, value in labels.items())
    source = layout.root.parent / f"{session}.toml"
    source.write_text(
        f'name = "{session}"\n[labels]\n{text}[[people]]\nid = "p01"\nsex = "f"\n'
        '[[streams]]\nname = "f"\nkind = "face_rgb"\nfile = "f.mp4"\n'
    )
    layout.note(State(session, "done", people=("p01",), source=str(source)))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "out")
    made.make(tmp_path)
    made.note_study(tmp_path)
    put(
        made,
        "a",
        [
            cue("condition", 0, 0.01, "truth"), cue("condition", 50, 0.01 + 50, "lie"),
            cue("question", 10, 12, "Q1"), event("micro", 11.5, 11.8, "positive"), event("micro", 13, 13.2, "late"),
            cue("question", 60, 61, "Q2"), event("micro", 60.2, 60.5, "negative"), event("macro", 60.3, 62),
        ],
        {"face.au12_left": [0.1, None, 0.3]},
    )  # fmt: skip
    put(made, "b", [cue("question", 5, 6, "Q1", condition="drill"), event("micro", 5.5, 5.8, "surprise")],
        {"voice.pitch_hz": [100.0, 200.0, None]}, condition="control")  # fmt: skip
    made.note(State("c", "failed", "broken"))
    (tmp_path / "participants.tsv").write_text("participant_id\tage\tsex\nsub-p01\t34\tn/a\n")
    build_catalogue(made, {"a": {"group": "1"}, "b": {}, "c": {}})
    return made


def documented() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)


def test_the_documented_query_finds_micro_expressions_after_questions_by_condition(layout: Layout) -> None:
    rows = query(layout.root, documented()[0])
    assert [(row["condition"], row["session"], row["question"], row["after_s"], row["label"]) for row in rows] == [
        ("control", "b", "Q1", 0.5, "surprise"),
        ("lie", "a", "Q2", 0.2, "negative"),
        ("truth", "a", "Q1", 1.5, "positive"),
    ]
    assert {row["condition"]: row["n"] for row in query(layout.root, documented()[1])} == {
        "control": 1, "lie": 1, "truth": 1,
    }  # fmt: skip


def test_conditions_come_from_the_cue_then_what_is_in_force_then_the_label(layout: Layout) -> None:
    rows = query(layout.root, "SELECT condition FROM events WHERE cue = 'question' ORDER BY session, onset_s")
    assert [row["condition"] for row in rows] == ["truth", "lie", "drill"]


def test_every_table_has_the_documented_columns(layout: Layout) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for table, columns in TABLES.items():
        got = query(layout.root, f"DESCRIBE {table}")
        assert [row["column_name"] for row in got] == list(columns)
        assert f"`{table}`" in text
        assert not [name for name in columns if name not in text]


def test_what_is_known_of_sessions_people_and_channels(layout: Layout) -> None:
    sessions = query(layout.root, "SELECT session, status, reason, duration_s FROM sessions ORDER BY 1")
    assert sessions[2] == {"session": "c", "status": "failed", "reason": "broken", "duration_s": None}
    labels = query(layout.root, "SELECT * FROM labels WHERE session = 'a' ORDER BY name")
    assert [(row["person"], row["name"], row["value"]) for row in labels] == [
        ("p01", "age", "34"),
        (None, "group", "1"),
    ]
    assert query(layout.root, "SELECT sex FROM people WHERE session = 'b'") == [{"sex": "f"}]
    assert query(layout.root, "SELECT sum(valid_share) AS s FROM channels") == [{"s": 1.0}]


def test_timelines_with_other_columns_stand_below_each_other(layout: Layout) -> None:
    rows = query(layout.root, 'SELECT session, "face.au12_left" AS au, "voice.pitch_hz" AS hz FROM timeline')
    assert [row["session"] for row in rows] == ["a"] * 3 + ["b"] * 3
    assert rows[1]["au"] is None and rows[0]["hz"] is None and rows[4]["hz"] == 200.0


def test_the_same_results_give_the_same_tables(layout: Layout) -> None:
    before = (layout.root / PARQUET).read_bytes()
    rows = [query(layout.root, f"SELECT * FROM {table}") for table in TABLES]
    build_catalogue(layout)
    assert (layout.root / PARQUET).read_bytes() == before
    assert [query(layout.root, f"SELECT * FROM {table}") for table in TABLES] == rows


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')", "COPY sessions TO '/tmp/x.csv'", "DELETE FROM study.sessions",
        "CREATE TABLE study.x (a INT)", "ATTACH '/tmp/other.duckdb'", "SELECT nonsense", "INSTALL httpfs",
        "SET enable_external_access = true", "SELECT * FROM '../a.toml'", "",
    ],
)  # fmt: skip
def test_nobody_reads_other_files_or_writes_through_it(layout: Layout, sql: str) -> None:
    before = (layout.root / DATABASE).read_bytes()
    with pytest.raises(InvalidValueError, match="timeline"):
        query(layout.root, sql)
    assert (layout.root / DATABASE).read_bytes() == before


@pytest.mark.parametrize("how", ["older", "missing", "damaged", "no timelines"])
def test_an_older_or_damaged_catalogue_is_made_anew(layout: Layout, how: str) -> None:
    database = layout.root / DATABASE
    if how == "older":
        with duckdb.connect(str(database)) as base:
            base.execute("UPDATE meta SET value = '0' WHERE key = 'schema_version'")
            base.execute("ALTER TABLE events RENAME cue TO cue_kind")
    elif how == "missing":
        database.unlink()
    elif how == "damaged":
        database.write_bytes(b"no database")
    else:
        (layout.root / PARQUET).unlink()
    assert len(query(layout.root, "SELECT cue FROM events WHERE cue = 'question'")) == 3
    assert version_of(database) == VERSION and not migrate(layout)
    labels = query(layout.root, "SELECT value FROM labels WHERE name = 'group'")
    assert labels == [{"value": "1"}], "what the study's table said is kept"


def test_a_newer_catalogue_is_refused_and_none_is_said(layout: Layout, tmp_path: Path) -> None:
    with duckdb.connect(str(layout.root / DATABASE)) as base:
        base.execute(f"UPDATE meta SET value = '{VERSION + 1}' WHERE key = 'schema_version'")
    with pytest.raises(InvalidValueError, match="newer version"):
        query(layout.root, "SELECT 1")
    with pytest.raises(MissingFileError, match="telltale batch"):
        query(tmp_path / "nothing", "SELECT 1")
