"""Killed at random and resumed, a study gives the same tables, byte for byte, as one run in peace."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.kills import ROOT, Survived, bytes_apart, is_worker, kill_batch, kill_worker
from pipeline.simulate.session import simulate_study

Telltale = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL of POSIX")


LONG = [pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(
    ("kills", "fidelity"),
    [(8, "signal"), pytest.param(120, "signal", marks=LONG), pytest.param(24, "rendered", marks=LONG)],
)
def test_a_worker_killed_at_random_steps_loses_nothing(tmp_path: Path, kills: int, fidelity: str) -> None:
    survived = kill_worker(tmp_path, kills, fidelity=fidelity)
    assert survived == Survived(kills, survived.resumed, halves=0, bytes_lost=0, left_over=0)
    assert survived.resumed >= 1, "no result was made from what a killed worker had finished"


@pytest.mark.parametrize(
    ("sessions", "kills", "jobs", "fidelity"),
    [
        (2, 1, 1, "signal"),
        pytest.param(20, 3, 2, "signal", marks=LONG),
        pytest.param(12, 5, 2, "signal", marks=LONG),
        pytest.param(4, 3, 2, "rendered", marks=LONG),
    ],
)
def test_a_batch_killed_and_resumed_gives_the_same_tables(
    telltale: Telltale, tmp_path: Path, sessions: int, kills: int, jobs: int, fidelity: str
) -> None:
    """Workers and the run itself are killed; the same call goes on each time."""
    study, peace, war = tmp_path / "study", tmp_path / "peace", tmp_path / "war"
    simulate_study(study, sessions, seconds=10, seed=20, fidelity=fidelity)
    names = sorted(path.name for path in study.iterdir())
    started = time.monotonic()
    assert telltale("batch", study, "-o", peace, "-j", jobs).returncode == 0
    assert kill_batch(COMMAND, study, war, kills, time.monotonic() - started, jobs) >= kills
    kept = [path for path in (war / ".telltale" / "cache").rglob("*") if path.is_file()]
    assert kept, "the last run went on from nothing"
    last = telltale("batch", study, "-o", war, "-j", jobs, "--retry", "--json")
    assert last.returncode == 0, last.stderr
    assert {row["status"] for row in json.loads(last.stdout)["rows"]} == {"done"}
    assert bytes_apart(war, peace, names) == 0
    asked = [telltale("query", out, "SELECT * FROM events", "--json").stdout for out in (peace, war)]
    assert asked[0] == asked[1] and '"kind": "r_peak"' in asked[0]


def test_workers_end_with_a_killed_run(tmp_path: Path) -> None:
    simulate_study(tmp_path / "study", 2, seconds=10, seed=30, fidelity="signal")
    words = [*COMMAND, "batch", str(tmp_path / "study"), "-o", str(tmp_path / "out"), "-j", "2"]
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    workers: list[psutil.Process] = []
    end = time.monotonic() + 180
    while time.monotonic() < end and len(workers) < 2:
        workers = [one for one in psutil.Process(run.pid).children(recursive=True) if is_worker(one)]
        time.sleep(0.1)
    assert len(workers) == 2
    time.sleep(0.5)
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    for one in alive:
        one.kill()
    assert not alive


def test_lost_bytes_are_counted(tmp_path: Path) -> None:
    for name, text in (("one", b"abcdef"), ("other", b"abXdefgh")):
        (tmp_path / name / "s").mkdir(parents=True)
        (tmp_path / name / "s" / "events.csv").write_bytes(text)
    assert bytes_apart(tmp_path / "one", tmp_path / "other", ["s"]) == 3
