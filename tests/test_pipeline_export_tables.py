"""Parquet, Feather, CSV, BORIS, netCDF, pandas and xarray: each read back by its own library."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr
from pyarrow import feather

from pipeline.export.content import Content, as_events, read_content
from pipeline.export.events import COLUMNS, as_rows
from pipeline.export.run import export_result
from pipeline.export.sample import DRIFT_PPM, EVENTS, PEOPLE, START_S, write_sample
from pipeline.export.views import events_frame, timeline_dataset, timeline_frame


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def content(result: Path) -> Content:
    return read_content(result)


def rows() -> list[dict[str, object]]:
    return as_rows(EVENTS)


@pytest.mark.parametrize("to", ["parquet", "feather"])
def test_arrow_files_hold_timeline_events_and_where_they_come_from(
    result: Path, content: Content, tmp_path: Path, to: str
) -> None:
    target = tmp_path / f"a.{to}"
    done = export_result(result, to, target)
    read = pq.read_table if to == "parquet" else feather.read_table
    timeline, events = read(target), read(tmp_path / f"a_events.{to}")
    assert timeline.equals(content.timeline), "values, nulls and all"
    assert as_events(events.to_pylist()) == content.events
    assert {path.name for path in done.files} == {f"a.{to}", f"a_events.{to}"}
    about = json.loads(timeline.schema.metadata[b"telltale"])
    assert about["session_clock"]["reference"] == ["lab"]
    assert {one["stream"]: one["method"] for one in about["session_clock"]["streams"]} == {
        "face": "offset",
        "voice": "reference",
    }
    assert next(one["step"] for one in about["provenance"]) == "read"
    assert timeline.schema.field("face.yaw_deg").metadata[b"unit"] == b"deg"


def test_wide_csv_has_every_value_and_an_empty_cell_for_null(result: Path, content: Content, tmp_path: Path) -> None:
    export_result(result, "csv", tmp_path / "w.csv")
    read = pd.read_csv(tmp_path / "w.csv")
    assert list(read.columns[:2]) == ["person", "time_s"]
    for person in PEOPLE:
        own = read[read.person == person]
        assert np.allclose(own.time_s * 1e9, content.grid_ns, atol=1)
        for field in content.features:
            assert np.array_equal(
                own[field.name].to_numpy(np.float32), content.column(field.name, person), equal_nan=True
            )
        assert [word if isinstance(word, str) else "" for word in own["face.reason"]] == content.reasons("face", person)
    events = pd.read_csv(tmp_path / "w_events.csv", keep_default_na=False)
    assert [row["label"] for row in rows()] == list(events.label)
    said = json.loads((tmp_path / "w.json").read_text(encoding="utf-8"))
    assert said["columns"]["physiology.heart_rate_bpm"]["unit"] == "bpm"
    assert said["time"] == {**said["time"], "clock": "session", "zero_s": 0.0}


def test_units_row(result: Path, tmp_path: Path) -> None:
    export_result(result, "csv", tmp_path / "u.csv", options={"units_row": "yes"})
    with (tmp_path / "u.csv").open(encoding="utf-8", newline="") as file:
        names, units = (line for line, _ in zip(csv.reader(file), range(2), strict=False))
    assert dict(zip(names, units, strict=True))["face.yaw_deg"] == "deg"
    assert dict(zip(names, units, strict=True))["time_s"] == "s"
    assert pd.read_csv(tmp_path / "u.csv", header=[0, 1]).shape[0] == len(pd.read_csv(tmp_path / "u.csv")) - 1


def test_tidy_csv_has_one_row_per_value(result: Path, content: Content, tmp_path: Path) -> None:
    export_result(result, "csv", tmp_path / "t.csv", options={"layout": "tidy"})
    read = pd.read_csv(tmp_path / "t.csv")
    there = sum(np.isfinite(content.column(f.name, p)).sum() for f in content.features for p in PEOPLE)
    assert len(read) == there
    one = read[(read.person == "ada") & (read.feature == "au12")]
    values = content.column("face.au12", "ada")
    assert np.array_equal(one.value.to_numpy(np.float32), values[np.isfinite(values)])
    assert set(read[read.feature == "heart_rate_bpm"].unit) == {"bpm"}
    assert set(read[read.feature == "heart_rate_bpm"].person) == {"ada"}, "p-02's heart was never recorded"


@pytest.mark.parametrize("clock", ["session", "face"])
def test_boris_table(result: Path, tmp_path: Path, clock: str) -> None:
    export_result(result, "boris", tmp_path / "b.csv", options={"clock": clock})
    read = pd.read_csv(tmp_path / "b.csv", keep_default_na=False)
    start = read["Start (s)"].astype(float)
    if clock == "face":
        assert set(read["Media file"]) == {"face.mp4"}
        start = START_S + start * (1 + DRIFT_PPM * 1e-6)
    assert np.allclose(start, [row["onset_s"] for row in rows()], atol=1e-3)
    assert list(read["Behavior"]) == [row["kind"] for row in rows()]
    assert list(read["Modifiers"]) == [row["label"] for row in rows()]
    assert set(read["Subject"]) == {"ada", "p-02", "No focal subject"}
    micro = read[(read.Behavior == "micro") & (read.Subject == "ada")].iloc[0]
    assert json.loads(micro["Comment start"]) == {"apex_s": 1.1005, "score": 0.75, "details": {"aus": {"au04": 0.31}}}


def test_netcdf_opens_in_xarray(result: Path, content: Content, tmp_path: Path) -> None:
    export_result(result, "netcdf", tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as read:
        assert dict(read.sizes) == {"person": 2, "time": len(content.grid_ns)}
        assert np.array_equal(read.t_ns, content.grid_ns)
        assert np.allclose(read.time * 1e9, content.grid_ns, atol=1)
        for field in content.features:
            got = read[field.name.replace(".", "_")]
            for person in PEOPLE:
                assert np.array_equal(got.sel(person=person), content.column(field.name, person), equal_nan=True)
        assert read.face_yaw_deg.attrs["units"] == "deg"
        assert list(read.face_reason.sel(person="ada").values) == content.reasons("face", "ada")
        assert json.loads(read.attrs["telltale"])["session"] == "sample"
    with xr.open_dataset(tmp_path / "a.nc", group="events") as events:
        assert np.allclose(events.onset_s, [row["onset_s"] for row in rows()], atol=1e-9)
        assert list(events.label.values) == [row["label"] for row in rows()]
        assert list(events.details.values) == [row["details"] for row in rows()]
        assert list(np.isnan(events.apex_s.values)) == [row["apex_s"] is None for row in rows()]


def test_views_in_python(content: Content) -> None:
    frame = timeline_frame(content)
    assert frame.index.names == ["person", "time_s"] and frame.attrs["units"]["face.yaw_deg"] == "deg"
    values = frame.loc["ada", "face.au12"].to_numpy(np.float32)
    assert np.array_equal(values, content.column("face.au12", "ada"), equal_nan=True)
    assert frame.loc["p-02", "physiology.reason"].unique().tolist() == ["no_stream"]
    events = events_frame(content)
    assert list(events.columns) == list(COLUMNS) and events.loc[events.kind == "macro", "details"].iloc[0]["onset_s"]
    assert events[events.person.isna()].kind.tolist() == ["cue"]
    dataset = timeline_dataset(content)
    assert float(dataset.face_au12.sel(person="p-02").sel(time=0, method="nearest")) == pytest.approx(
        np.sin(1), abs=0.03
    )
