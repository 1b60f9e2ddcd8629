"""The command over many sessions: what it leaves, what it says, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_schemas.errors import TelltaleError
from pipeline.simulate.session import simulate_session

if TYPE_CHECKING:
    from click.testing import Result

Run = subprocess.CompletedProcess[str]
Telltale = Callable[..., Run]
Here = Callable[..., "Result"]
TABLES = ("timeline.parquet", "events.parquet", "events.csv")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions of different people, one without consent, one that is broken."""
    folder = tmp_path_factory.mktemp("batch") / "study"
    for number in range(4):
        place = folder / f"sub-{number + 1:02d}"
        simulate_session(place, seconds=10, seed=number, fidelity="signal", name=f"sim{number + 1:02d}")
        text = (place / "session.toml").read_text().replace('"p01"', f'"p{number + 1:02d}"')
        (place / "session.toml").write_text(text)
    third, fourth = folder / "sub-03" / "session.toml", folder / "sub-04" / "session.toml"
    third.write_text(third.read_text().replace('"analyse", ', ""))
    fourth.write_text(fourth.read_text().replace("kind = ", "knid = ", 1))
    return folder


@pytest.fixture(scope="module")
def here() -> Iterator[Callable[..., Result]]:
    """Runs the command within this process, on a cluster within it, where what it imports is imported once."""
    from distributed import LocalCluster
    from typer.testing import CliRunner

    from pipeline.cli.app import app

    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**options, host="127.0.0.1", protocol="tcp://") as cluster:

        def run(*words: object) -> Result:
            works = words[0] == "batch" and not {"--dry-run", "-j", "--scheduler", "--slurm"} & set(words)
            more = ["--scheduler", cluster.scheduler_address] if works else []
            return CliRunner().invoke(app, [*map(str, words), *more])

        yield run


@pytest.fixture(scope="module")
def done(telltale: Telltale, study: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    out = tmp_path_factory.mktemp("out") / "results"
    return out, telltale("batch", study, "-o", out, "-j", "1", "--json")


def rows(run: Run | Result) -> dict[str, dict]:
    return {row["session"]: row for row in json.loads(run.stdout)["rows"]}


def test_it_goes_on_past_what_fails_and_says_why(done: tuple[Path, Run]) -> None:
    out, run = done
    assert run.returncode == 1
    table = rows(run)
    assert {name: row["status"] for name, row in table.items()} == {
        "sub-01": "done", "sub-02": "done", "sub-03": "skipped", "sub-04": "failed",
    }  # fmt: skip
    assert "consent" in table["sub-03"]["reason"] and "did you mean 'kind'" in table["sub-04"]["reason"]
    assert {path.name for path in out.iterdir()} == {".telltale", "sub-01", "sub-02", "study.parquet", "study.duckdb"}
    assert {*TABLES, "result.json", "report.html"} <= {path.name for path in (out / "sub-01").iterdir()}
    assert "[2/2]" in run.stderr and "sessions/h" in run.stderr
    assert not list((out / ".telltale" / "work").iterdir())


def test_two_workers_give_what_one_gives(
    telltale: Telltale, done: tuple[Path, Run], study: Path, tmp_path: Path
) -> None:
    run = telltale("batch", study, "-o", tmp_path / "out", "-j", "2", "--json")
    assert run.returncode == 1 and rows(run)["sub-02"]["status"] == "done", run.stderr
    for name in ("study.parquet", *(f"{session}/{table}" for session in ("sub-01", "sub-02") for table in TABLES)):
        assert (tmp_path / "out" / name).read_bytes() == (done[0] / name).read_bytes(), name


def test_results_are_private(done: tuple[Path, Run]) -> None:
    for folder in (done[0], done[0] / "sub-01", done[0] / ".telltale", done[0] / ".telltale" / "cache"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert stat.S_IMODE((done[0] / "study.duckdb").stat().st_mode) == 0o600


def test_a_batch_says_what_analyze_says(here: Here, done: tuple[Path, Run], study: Path, tmp_path: Path) -> None:
    assert here("analyze", study / "sub-01", "-o", tmp_path / "one").exit_code == 0
    for name in TABLES:
        assert (tmp_path / "one" / name).read_bytes() == (done[0] / "sub-01" / name).read_bytes(), name


def test_dry_run_writes_nothing(here: Here, study: Path, done: tuple[Path, Run], tmp_path: Path) -> None:
    run = here("batch", study, "-o", tmp_path / "none", "--dry-run", "--json")
    assert run.exit_code == 1 and not (tmp_path / "none").exists()
    assert [row["status"] for row in rows(run).values()] == ["would run", "would run", "skipped", "failed"]
    before = {path: path.stat().st_mtime_ns for path in done[0].rglob("*")}
    again = rows(here("batch", study, "-o", done[0], "--dry-run", "--json", "--only", "sub-01"))
    assert [(row["status"], row["reason"]) for row in again.values()] == [("done", "done before")]
    assert {path: path.stat().st_mtime_ns for path in done[0].rglob("*")} == before


def test_a_folder_without_a_manifest_and_one_name_in_several_sessions_are_told(
    here: Here, study: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        shutil.copytree(study / "sub-01", tmp_path / "study" / name)
    (tmp_path / "study" / "c").mkdir()
    shutil.copy(study / "sub-01" / "voice.wav", tmp_path / "study" / "c")
    run = here("batch", tmp_path / "study", "-o", tmp_path / "out", "--dry-run", "--json")
    table = rows(run)
    assert [row["status"] for row in table.values()] == ["would run", "would run", "skipped"]
    assert "no session.toml" in table["c"]["reason"] and "telltale init" in table["c"]["reason"]
    assert "p01 occurs in 2 sessions: taken as one person" in run.stderr
    for name in ("a", "b"):
        (tmp_path / "study" / name).rename(tmp_path / "study" / f"p01-{name}")
    assert "occurs in" not in here("batch", tmp_path / "study", "-o", tmp_path / "out", "--dry-run").stderr


def test_only_changed_and_failed_sessions_are_run_again(
    here: Here, study: Path, done: tuple[Path, Run], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(study, tmp_path / "study"))
    out = Path(shutil.copytree(done[0], tmp_path / "out"))
    (out / ".telltale" / "study.json").write_text(json.dumps({"study": str(copy)}))
    (out / "sub-01" / "notes.txt").write_text("a coder's own notes")
    shutil.rmtree(copy / "sub-02")
    broken = copy / "sub-04" / "session.toml"
    broken.write_text(broken.read_text().replace("knid = ", "kind = "))
    for path in [*(copy / "sub-04").glob("*.csv"), *(copy / "sub-04").glob("*.wav")]:
        path.write_bytes(b"")
    (copy / "sub-01" / "physio.csv").touch()
    first = here("batch", copy, "-o", out, "--json")
    table = rows(first)
    assert table["sub-01"]["status"] == "done" and table["sub-04"]["status"] == "failed"
    assert "not one stream" in table["sub-04"]["reason"]
    assert (out / "sub-01" / "notes.txt").read_text() == "a coder's own notes"
    assert "finished steps of an earlier run were kept" in first.stderr, "a newer file, and the same content"
    held = here("batch", copy, "-o", out, "--json")
    assert "0 to run" in held.stderr and "--retry" in rows(held)["sub-04"]["reason"]
    again = here("batch", copy, "-o", out, "--retry", "--json")
    assert "1 to run" in again.stderr and rows(again)["sub-04"]["status"] == "failed"
    sessions = json.loads(here("query", out, "SELECT session FROM sessions WHERE status = 'done'", "--json").stdout)
    assert sessions["rows"] == [{"session": "sub-01"}]


def test_calls_that_make_no_sense_are_refused(
    telltale: Telltale, here: Here, study: Path, done: tuple[Path, Run], tmp_path: Path
) -> None:
    for words in (
        ["batch", tmp_path / "nowhere", "-o", tmp_path / "o"],
        ["batch", study, "-o", study],
        ["batch", study, "-o", study / "sub-01"],
        ["batch", study, "-o", tmp_path / "o", "--only", "nobody"],
        ["batch", study, "-o", tmp_path / "o", "-j", "2", "--scheduler", "tcp://127.0.0.1:1"],
        ["batch", study, "-o", tmp_path / "o", "--slurm", tmp_path / "no.toml"],
        ["batch", study / "sub-01", "-o", done[0]],
        ["query", tmp_path, "SELECT 1"],
    ):
        assert isinstance(here(*words).exception, TelltaleError), words  # which the command turns into status 2
        assert not (study / ".telltale").exists() and not (tmp_path / "o" / "study.parquet").exists()
    run = telltale(*words)
    assert run.returncode == 2 and run.stderr.startswith("telltale: "), run.stderr


def test_nothing_done_never_reads_as_success(telltale: Telltale, study: Path, tmp_path: Path) -> None:
    run = telltale("batch", study, "-o", tmp_path / "o", "--only", "sub-03,sub-04")
    assert run.returncode == 2 and "0 done, 1 failed, 1 skipped" in run.stderr
    assert "telltale query" not in run.stderr
    assert not (tmp_path / "o" / "study.parquet").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and devices of POSIX")
def test_a_folder_that_may_not_be_written_is_said(telltale: Telltale, study: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    place = locked / "out"
    if os.geteuid() == 0:  # root may write anywhere but where the system itself says no
        place = Path("/proc/telltale/out")
    else:
        locked.chmod(0o500)
    run = telltale("batch", study, "-o", place, "--only", "sub-01")
    assert run.returncode == 2
    assert "refused" in run.stderr and str(place.parent) in run.stderr
