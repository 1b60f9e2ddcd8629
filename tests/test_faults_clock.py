"""Clocks that go backwards: those of devices, and the computer's own."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz_seeds import seeds_of
from data_schemas.errors import TelltaleError
from data_schemas.session import StreamEntry
from data_schemas.stream import Marks
from modalities.readers import open_stream
from pipeline.batch.content import fingerprint
from pipeline.batch.discovery import find_sessions
from pipeline.batch.layout import Layout, State
from pipeline.batch.plan import plan
from pipeline.config import Config
from pipeline.export.sample import write_sample
from pipeline.manifest import load_manifest
from pipeline.privacy import audit
from pipeline.simulate.session import simulate_session


def entry(kind: str, file: str, **more: object) -> StreamEntry:
    return StreamEntry.model_validate({"name": "s", "kind": kind, "file": file, **more})


@pytest.mark.parametrize("back_s", [0.0, 0.02, 5.0, 1e6])
def test_a_table_whose_clock_is_set_back_is_refused_or_says_so(tmp_path: Path, back_s: float) -> None:
    times = np.arange(200) / 50.0
    times[100:] -= back_s
    rows = "".join(f"{t:.3f},{at}\n" for at, t in enumerate(times))
    (tmp_path / "t.csv").write_text("time_s,ecg_mV\n" + rows)
    wish = entry("ecg", "t.csv", time_column="time_s")
    if not back_s:
        assert open_stream(wish, tmp_path, "p01").axis.n == 200
        return
    try:
        stream = open_stream(wish, tmp_path, "p01")
    except TelltaleError as error:
        assert "back" in str(error) or "increas" in str(error) or "order" in str(error)
        return
    assert np.all(np.diff(stream.times_ns) > 0)
    assert any("back" in note or "order" in note for note in stream.info.notes), stream.info.notes


@pytest.mark.parametrize("reader", ["eyetracker", "xdf", "labchart", "events", "experiment_log"])
def test_other_devices_clocks_set_back(tmp_path: Path, reader: str) -> None:
    """Second half of the samples stamped anew from before the first: no stream runs backwards, and none is silent."""
    (tmp_path / "seeds").mkdir()
    seed = seeds_of(reader, tmp_path / "seeds")[{"eyetracker": 1}.get(reader, 0)]
    if reader == "xdf":
        from pipeline.simulate.xdf import SimulatedStream, write_xdf

        times = np.r_[100 + np.arange(100) / 50, 40 + np.arange(100) / 50]
        write_xdf(tmp_path / seed.name, [SimulatedStream("amp", "ECG", times, np.arange(200.0)[:, None], 50)])
        kind = "ecg"
    else:
        lines = seed.files[seed.name].decode("utf-8-sig").splitlines(keepends=True)
        middle = len(lines) - (len(lines) - 10) // 2
        head = next((at for at, line in enumerate(lines) if line[:1].isdigit()), 1)
        lines = lines[:head] + lines[middle:] + lines[head:middle]
        (tmp_path / seed.name).write_text("".join(lines), encoding="utf-8")
        kind = {"eyetracker": "pupil", "labchart": "ecg"}.get(reader, "markers")
    try:
        stream = open_stream(entry(kind, seed.name), tmp_path, "p01")
    except TelltaleError as error:
        assert str(error)
        return
    assert np.all(np.diff(stream.times_ns) > 0)
    if isinstance(stream, Marks):
        assert [row.onset_ns for row in stream.rows] == sorted(row.onset_ns for row in stream.rows)
    else:
        assert stream.info.notes


def test_a_recording_exchanged_for_one_with_an_older_date_is_analysed_anew(tmp_path: Path) -> None:
    simulate_session(tmp_path / "study" / "sim", seconds=10, seed=1, fidelity="signal")
    manifest = tmp_path / "study" / "sim" / "session.toml"
    files = [path for one in load_manifest(manifest).streams for path in one.paths]
    layout = Layout(tmp_path / "out")
    layout.make(tmp_path / "study")
    before = fingerprint(manifest, files, Config().model_dump_json())
    write_sample(tmp_path / "sample").rename(layout.root / "sim")
    layout.note(State("sim", "done", fingerprint=before))
    places = find_sessions(tmp_path / "study", layout.root)
    assert [one.todo for one in plan(places, layout, Config(), tmp_path / "study")] == ["keep"]
    os.utime(tmp_path / "study" / "sim" / "physio.csv", (1_000_000, 1_000_000))  # 1970: the clock was wrong
    assert [one.todo for one in plan(places, layout, Config(), tmp_path / "study")] == ["run"]


def test_the_audit_log_stays_whole_when_the_computers_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))

    class Clock(dt.datetime):
        days = 0

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            cls.days -= 400
            return dt.datetime(2030, 1, 1, tzinfo=tz) + dt.timedelta(days=cls.days)

    monkeypatch.setattr(audit.dt, "datetime", Clock)
    times = [audit.record("batch", tmp_path, {"s": ["p01"]})["time"] for _ in range(4)]
    assert times == sorted(times, reverse=True)
    assert audit.verify() == audit.Verdict(4, ())
    shutil.rmtree(tmp_path / "home")
