"""Studies of analysed sessions: windows, cues, designs, what does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_schemas.errors import InvalidValueError, MissingTrackError, NothingUsableError
from data_schemas.event import Event
from data_schemas.time import to_ns
from pipeline.export.events import as_arrow
from pipeline.study.analysis import analyse_study
from pipeline.study.roles import Roles
from pipeline.study.sessions import find_sessions, read_sessions, read_sessions_unlabelled
from pipeline.study.settings import Settings
from pipeline.study.windows import CHANNELS

HZ, SECONDS = 10, 40
QUESTIONS_S = (4.0, 13.0, 22.0, 31.0)
QUICK = Settings(permutations=199, prediction_permutations=99, bootstraps=200, repeats=1)


def leave_session(folder: Path, name: str, seed: int, conditions: bool = False, effect: float = 3.0) -> list[int]:
    """What `telltale analyze` leaves, in small: au04 rises by `effect` after questions that are lied to."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    t = np.arange(HZ * SECONDS) / HZ
    lies = rng.permutation([0, 0, 1, 1]).tolist()
    au04, pitch = rng.normal(0, 1, len(t)), rng.normal(120, 5, len(t))
    events = []
    for at, (onset, lie) in enumerate(zip(QUESTIONS_S, lies, strict=True)):
        au04[(t >= onset) & (t < onset + 5)] += effect * lie
        details: dict[str, Any] = {"kind": "question"} | ({"condition": ["truth", "lie"][lie]} if conditions else {})
        start = to_ns(onset)
        events.append(
            Event("context", "cue", start, start + to_ns(5.0), person=None, label=f"Q{at + 1}", details=details)
        )
        events += [
            Event("face", "blink", start + to_ns(0.5 * one), start + to_ns(0.5 * one + 0.2), person="p")
            for one in (1, 2)
        ]
    valid = t >= 6.0
    columns: dict[str, Any] = {
        "person": pa.array(["p"] * len(t)).dictionary_encode(),
        "t_ns": pa.array((t * 1e9).astype(np.int64)),
        "face.au04": pa.array(au04.astype(np.float32)),
        "face.confidence": pa.array(np.full(len(t), 0.9, dtype=np.float32)),
        "face.face_size_px": pa.array(np.full(len(t), 200.0, dtype=np.float32)),
        "face.valid": pa.array(np.ones(len(t), dtype=bool)),
        "voice.pitch_hz": pa.array(pitch.astype(np.float32), mask=~valid),
        "context.condition_code": pa.array(np.ones(len(t), dtype=np.float32)),
        "fused.concealed": pa.array(np.zeros(len(t), dtype=np.float32)),
    }
    pq.write_table(pa.table(columns), folder / "timeline.parquet")
    pq.write_table(as_arrow(events), folder / "events.parquet")
    (folder / "result.json").write_text(json.dumps({"session": name, "people": ["p"]}))
    return lies


Study = Callable[..., Path]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Eight sessions with a design beside them."""

    def make(conditions: bool = False, label: str | None = "label", people: int = 8) -> Path:
        rows = []
        for at in range(people):
            lies = leave_session(tmp_path / f"s{at}", f"s{at}", at, conditions)
            rows += [
                {"session": f"s{at}", "item": f"Q{one + 1}", "sex": "fm"[at % 2]} | ({label: lie} if label else {})
                for one, lie in enumerate(lies)
            ]
        if not conditions:
            pd.DataFrame(rows).to_csv(tmp_path / "design.csv", index=False)
        return tmp_path

    return make


def test_sessions_of_people_of_one_name_are_one_person(study: Study) -> None:
    root = study()
    with pytest.raises(NothingUsableError, match="one single subject"):
        read_sessions(root, Roles(), CHANNELS)
    design = pd.read_csv(root / "design.csv")
    design.assign(subject="who_" + design["session"]).to_csv(root / "design.csv", index=False)
    table, roles = read_sessions(root, Roles(), CHANNELS)
    assert roles.subject == "subject" and len(set(table.subject)) == 8


def test_a_study_of_sessions_from_files_to_effects(study: Study) -> None:
    root = study()
    for at in range(8):
        rename_person(root / f"s{at}", f"p{at}")
    table, roles = read_sessions(root, Roles(), CHANNELS)
    assert len(table) == 32 and roles.label == "label" and roles.subject == "person" and roles.item == "item"
    assert set(table.names) == {"face.au04", "voice.pitch_hz"}  # two blinks in every window: constant, left out
    assert {"sex", "order", "length_s", "quality"} <= set(table.nuisance.columns)
    assert np.allclose(table.nuisance["length_s"], 5) and np.allclose(table.nuisance["quality"], 0.9)
    first = table.cues[(table.subject == "p0") & (table.item == "Q1")]
    assert first["voice.pitch_hz"].notna().all()  # valid from 6 s on: three of five seconds
    result = analyse_study(table, QUICK)
    row = {one["cue"]: one for one in result.effects.rows}["face.au04"]
    assert row["difference"] == pytest.approx(3.0, abs=0.4) and row["p"] <= 0.05
    assert {one.cue for one in table.courses} == {"face.au04", "voice.pitch_hz"}
    course = next(one for one in table.courses if one.cue == "face.au04")
    lying = course.values[table.label == 1]
    before, after = course.times_s < -0.5, (course.times_s > 0.5) & (course.times_s < 4)
    assert np.nanmean(lying[:, after]) - np.nanmean(lying[:, before]) == pytest.approx(3.0, abs=0.5)


def rename_person(folder: Path, person: str) -> None:
    """Give the one person of a session another name."""
    timeline = pq.read_table(folder / "timeline.parquet").to_pandas()
    timeline["person"] = person
    timeline.to_parquet(folder / "timeline.parquet")
    events = pq.read_table(folder / "events.parquet").to_pandas()
    events.loc[events["person"].notna(), "person"] = person
    events.to_parquet(folder / "events.parquet")
    record = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(record | {"people": [person]}))


def test_conditions_of_cues_are_a_design(study: Study) -> None:
    root = study(conditions=True)
    for at in range(8):
        rename_person(root / f"s{at}", f"p{at}")
    table, roles = read_sessions(root, Roles(), CHANNELS)
    assert roles.label == "condition" and table.label_values == ("truth", "lie") and len(table) == 32
    assert set(table.item) == {"Q1", "Q2", "Q3", "Q4"}  # type: ignore[arg-type]


def test_windows_by_time_and_whole_sessions(study: Study) -> None:
    root = study()
    for at in range(8):
        rename_person(root / f"s{at}", f"p{at}")
    whole = pd.DataFrame({"session": [f"s{at}" for at in range(8)], "outcome": [0, 1] * 4})
    whole.to_csv(root / "design.csv", index=False)
    table, roles = read_sessions(root, Roles(), CHANNELS)
    assert len(table) == 8 and table.item is None and roles.label == "outcome" and table.courses == ()
    assert np.allclose(table.nuisance["length_s"], SECONDS, atol=0.2)
    whole.assign(onset_s=0.0, offset_s=3.0).to_csv(root / "design.csv", index=False)
    table, _ = read_sessions(root, Roles(), CHANNELS)
    assert "voice.pitch_hz" not in table.names  # nothing valid in the first three seconds
    whole.assign(onset_s=50.0, offset_s=60.0).to_csv(root / "design.csv", index=False)
    with pytest.raises(InvalidValueError, match=r"outside session 's0'.*50 to 60 s"):
        read_sessions(root, Roles(), CHANNELS)


def test_designs_that_do_not_fit(study: Study, tmp_path: Path) -> None:
    root = study()
    design = pd.read_csv(root / "design.csv")

    def refused(frame: pd.DataFrame, words: str, kind: type[Exception]) -> None:
        frame.to_csv(root / "design.csv", index=False)
        with pytest.raises(kind, match=words):
            read_sessions(root, Roles(), CHANNELS)

    refused(design.assign(session="s99"), "not analysed.*s99", InvalidValueError)
    refused(design.drop(columns="session"), "no column 'session'", MissingTrackError)
    refused(design.drop(columns="label"), "no column with the label", MissingTrackError)
    refused(design.assign(person="q"), "a person that session 's0' does not have.*q", InvalidValueError)
    refused(design.assign(item="Q9"), "name of 0 cues", InvalidValueError)
    (root / "design.csv").unlink()
    with pytest.raises(NothingUsableError, match=r"no design\.csv"):
        read_sessions(root, Roles(), CHANNELS)
    with pytest.raises(NothingUsableError, match="no analysed session"):
        find_sessions(tmp_path / "s0" / "none")


def test_labels_may_be_absent_from_a_plan(study: Study) -> None:
    root = study(label=None)
    for at in range(8):
        rename_person(root / f"s{at}", f"p{at}")
    table, roles, labelled = read_sessions_unlabelled(root, Roles(), CHANNELS)
    assert not labelled and roles.label == "label" and "face.au04" in table.names
