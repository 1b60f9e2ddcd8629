"""What careless users do, and what must not happen then."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

Telltale = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def simulated(telltale: Telltale, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated session without videos."""
    folder = tmp_path_factory.mktemp("sim ü")
    run = telltale("simulate", "--seconds", "20", "--seed", "5", "--fidelity", "signal", "-o", folder)
    assert run.returncode == 0, run.stderr
    return next(path.parent for path in folder.rglob("session.toml"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_result_never_lands_on_recordings(telltale: Telltale, simulated: Path, tmp_path: Path) -> None:
    before = contents(simulated)
    run = telltale("analyze", simulated, "-o", simulated)
    assert run.returncode == 2 and "session folder" in run.stderr
    assert contents(simulated) == before
    other = tmp_path / "recordings"
    other.mkdir()
    (other / "events.csv").write_text("somebody's own table\n", encoding="utf-8")
    run = telltale("analyze", simulated, "-o", other)
    assert run.returncode == 2 and "events.csv" in run.stderr
    assert (other / "events.csv").read_text(encoding="utf-8") == "somebody's own table\n"
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert telltale("analyze", simulated, "-o", tmp_path / "file").returncode == 2


def test_a_result_inside_the_session_folder_is_not_taken_for_a_recording(
    telltale: Telltale, simulated: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(simulated, tmp_path / "session"))
    assert telltale("analyze", folder, "-o", folder / "result").returncode == 0
    (folder / "session.toml").unlink()
    rows = json.loads(telltale("init", folder, "--json").stdout)["rows"]
    assert not [row for row in rows if row["file"].startswith("result")]


def test_streams_of_nobody_are_not_given_to_everybody(telltale: Telltale, simulated: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(simulated, tmp_path / "session"))
    text = (folder / "session.toml").read_text(encoding="utf-8")
    text = text.replace("[[streams]]", '[[people]]\nid = "p02"\n\n[[streams]]', 1)
    before, ecg = text.split('name = "ecg"', 1)
    (folder / "session.toml").write_text(
        before + 'name = "ecg"' + ecg.replace('person = "p01"\n', "", 1), encoding="utf-8"
    )
    run = telltale("analyze", folder, "-o", tmp_path / "out")
    assert run.returncode == 1
    assert "stream 'ecg' does not say whom it records" in run.stderr
    table = pq.read_table(tmp_path / "out" / "timeline.parquet")
    assert table["physiology.heart_rate_bpm"].null_count == table.num_rows


def test_wrong_numbers_and_names_end_in_a_message(telltale: Telltale, simulated: Path, tmp_path: Path) -> None:
    table = simulated / "physio.csv"
    run = telltale("physio", table, "-o", tmp_path / "a", "--rate", "0", "--json")
    assert run.returncode == 2 and "rate_hz" in run.stderr
    assert "rate_hz" in json.loads(run.stdout)["error"]
    run = telltale("physio", table, "-o", tmp_path / "b", "--columns", "ecg_mv,nope")
    assert run.returncode == 2 and "no column 'nope'" in run.stderr
    for hertz in ("0", "nan", "-3"):
        assert telltale("analyze", simulated, "-o", tmp_path / "c", "--grid-hz", hertz).returncode == 2


def test_columns_of_a_table_without_header_are_named_in_order(
    telltale: Telltale, simulated: Path, tmp_path: Path
) -> None:
    values = np.loadtxt(simulated / "physio.csv", delimiter=",", skiprows=1, usecols=(1, 2))
    np.savetxt(tmp_path / "bare.csv", values, delimiter=",", fmt="%.5f")
    run = telltale("physio", tmp_path / "bare.csv", "-o", tmp_path / "out", "--rate", "500", "--columns", "ecg,eda")
    assert run.returncode == 0, run.stderr
    track = pq.read_table(tmp_path / "out" / "tracks.parquet")
    assert track["physiology.heart_rate_bpm"].null_count < track.num_rows
    assert track["physiology.eda_tonic_us"].null_count < track.num_rows


def test_a_folder_of_answers_alone_is_no_session(telltale: Telltale, tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / "answers.csv").write_text("item,answer\n1,4\n2,5\n3,1\n4,2\n", encoding="utf-8")
    telltale("init", folder, "--consent", "analyse")
    assert telltale("check", folder).returncode == 1
    assert telltale("analyze", folder, "-o", tmp_path / "out").returncode == 2


def test_marker_tables_are_for_clocks_and_no_context(telltale: Telltale, simulated: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(simulated, tmp_path / "session"))
    (folder / "beats.csv").write_text("onset_s,label\n" + "".join(f"{i},N\n" for i in range(1, 19)), encoding="utf-8")
    with (folder / "session.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[streams]]\nname = "beats"\nkind = "markers"\nfile = "beats.csv"\nclock = "lab"\n')
    for name, session in (("with", folder), ("without", simulated)):
        assert telltale("analyze", session, "-o", tmp_path / name).returncode == 0
    one, other = (pq.read_table(tmp_path / name / "timeline.parquet") for name in ("with", "without"))
    assert one["fused.concealed"].equals(other["fused.concealed"])
