"""What commands print: tables that never lose a column without a word, and titles that count what they name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.terminal import _fitting, counted, show_table
from pipeline.export.run import export_result, rows_in
from pipeline.export.sample import write_sample

Here = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("tables"))


def test_of_too_many_columns_those_that_fit_are_shown_and_the_others_said(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{f"face.measure_{number:03}": number / 7 for number in range(200)} for _ in range(2)]
    show_table(rows, as_named=True, mend="--json shows them, or SELECT fewer")
    told = capsys.readouterr()
    assert "face.measure_000" in told.out and "0.143" in told.out
    shown = told.out.count("face.measure_")
    assert 5 <= shown < 200
    said = " ".join(told.err.split())
    assert f"{200 - shown} of 200 columns do not fit" in said and "SELECT fewer" in said


def test_names_stay_as_sql_has_them_where_that_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([{"exit_status": 0, "count_star()": 3}], as_named=True)
    assert {"exit_status", "count_star()"} <= set(capsys.readouterr().out.split())
    show_table([{"exit_status": 0, "label[1]": "x"}])
    told = capsys.readouterr()
    assert "exit status" in told.out and "label[1]" in told.out and told.err == ""


@given(st.lists(st.integers(1, 300), max_size=40), st.integers(1, 200))
def test_the_columns_that_fit_are_as_many_as_there_is_room_for(widths: list[int], room: int) -> None:
    fitting = _fitting(widths, room)
    assert fitting <= 1 or sum(widths[:fitting]) + 2 * (fitting - 1) <= room
    assert fitting == len(widths) or sum(widths[: fitting + 1]) + 2 * fitting > room


def test_one_thing_is_not_many() -> None:
    assert [counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


def test_an_export_says_how_many_rows_each_table_has(here: Here, sample: Path, tmp_path: Path) -> None:
    run = here("export", sample, "--to", "megc", "-o", tmp_path / "a.csv", "--kinds", "cue", "--json")
    told = json.loads(run.stdout)
    assert told["rows"][0] == 0 and told["files"][0].endswith("a.csv")
    shown = here("export", sample, "--to", "csv", "-o", tmp_path / "b.csv")
    assert "Written as csv" in shown.stdout and "events, as" not in shown.stdout
    lines = {name: (tmp_path / name).read_text().count("\n") - 1 for name in ("b.csv", "b_events.csv")}
    for name, count in lines.items():
        line = next(line for line in shown.stdout.splitlines() if line.split() and line.split()[0].endswith(name))
        assert str(count) in line.split()


def test_rows_are_counted_as_records_not_lines(sample: Path, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text('a,b\n1,"two\nlines, and ""quotes"""\n2,x\n')
    assert rows_in(table) == 2 and rows_in(tmp_path) is None
    plain = export_result(sample, "csv", tmp_path / "p.csv").rows
    assert plain == export_result(sample, "csv", tmp_path / "u.csv", options={"units_row": "yes"}).rows
    timeline = plain[0]
    assert timeline is not None and timeline > 0
    for form, suffix in (("parquet", "parquet"), ("feather", "feather")):
        assert export_result(sample, form, tmp_path / f"t.{suffix}").rows[0] == timeline


def test_a_missing_rate_is_asked_for_by_its_option_and_said_once(here: Here, tmp_path: Path) -> None:
    table = tmp_path / "ecg.csv"
    table.write_text("ecg\n" + "0.1\n0.3\n" * 500)
    run = here("physio", table, "-o", tmp_path / "out")
    assert run.returncode == 2
    assert "expected --rate HZ" in run.stderr and "rate_hz" not in run.stderr
    assert run.stderr.count("nothing states the sampling rate") == 1
    again = here("physio", table, table, "-o", tmp_path / "out")
    assert again.returncode == 2 and again.stderr.count("nothing states the sampling rate") == 2
    assert "nothing states" in json.loads(here("physio", table, table, "-o", tmp_path / "o", "--json").stdout)["error"]


def test_a_recording_is_no_session_folder(here: Here, tmp_path: Path) -> None:
    for name, words in (("a.mp4", "telltale spot"), ("a.wav", "telltale voice"), ("a.xyz", "telltale init")):
        (tmp_path / name).write_bytes(b"x")
        run = here("analyze", tmp_path / name, "-o", tmp_path / "out")
        assert run.returncode == 2 and words in run.stderr and "session folder" in run.stderr


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(here: Here, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("CUDA is there")
    (tmp_path / "empty").mkdir()
    run = here("analyze", tmp_path / "empty", "-o", tmp_path / "out", "--device", "cuda")
    assert run.returncode == 2 and "this device cannot be used here" in run.stderr


def test_the_table_of_systems_explains_its_words_and_says_the_year_once(here: Here) -> None:
    run = here("me", "models")
    assert "2007  2007" not in run.stdout and "Zhao & Pietikainen" in run.stdout
    assert "kind of: the idea of the paper" in run.stderr
    rows = json.loads(here("me", "models", "--json").stdout)["rows"]
    years = {row["model"]: row["year"] for row in rows}
    assert years["dcp-top-linear"] == 2016 and years["st-gabor-rbf"] == 2007
    told = {row["status"] for row in rows}
    assert all(f"{status}: " in run.stderr for status in told)


def test_an_option_that_is_not_given_leaves_the_setting_of_the_file(here: Here, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.toml").write_text('device = "mps"\n')
    words = ("analyze", tmp_path / "empty", "-o", tmp_path / "out", "--config", tmp_path / "bad.toml")
    assert "this device cannot be used here; got mps" in here(*words).stderr
    assert "session.toml" in here(*words, "--device", "cpu").stderr
