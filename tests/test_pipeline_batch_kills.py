"""Killed at random and resumed, a study gives the same tables, byte for byte, as one run in peace."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline.batch.content import program_version
from pipeline.batch.layout import Layout
from pipeline.batch.worker import run_session
from pipeline.config import Config
from pipeline.simulate.session import simulate_study

Telltale = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).resolve().parent.parent
TABLES = ("timeline.parquet", "events.parquet", "events.csv", "sync.json")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL of POSIX")


def tables(out: Path, sessions: list[str]) -> dict[str, bytes]:
    found = {f"{name}/{table}": (out / name / table).read_bytes() for name in sessions for table in TABLES}
    if (out / "study.parquet").exists():
        found["study.parquet"] = (out / "study.parquet").read_bytes()
    return found


def job(manifest: Path, layout: Layout) -> dict:
    return {
        "session": "sim01", "manifest": str(manifest), "out": str(layout.root), "config": Config().model_dump_json(),
        "program": program_version(), "quiet": False,
    }  # fmt: skip


KILLER = """
import json, os, random, signal, sys, time
import pipeline.analyzer, pipeline.batch.cache, modalities.registry, pipeline.report.page
from pipeline.batch.content import program_version
from pipeline.batch.worker import run_session
import librosa, torch, scipy.signal, pyarrow.parquet, fusion.inference, pipeline.interaction
job, kills, seed, longest = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
program_version()
rng, done, killed = random.Random(seed), 0, 0
while killed < kills:
    child = os.fork()
    if child == 0:
        answer = run_session(job)
        os._exit(0 if answer["status"] == "done" else 3)
    end = time.monotonic() + rng.uniform(0, longest)
    status = None
    while time.monotonic() < end and status is None:
        pid, code = os.waitpid(child, os.WNOHANG)
        status = code if pid else None
        time.sleep(0.002)
    if status is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        killed += 1
    else:
        assert status == 0, status
        done += 1
    from pipeline.batch.layout import Layout
    from pathlib import Path
    layout = Layout(Path(job["out"]))
    half = (layout.root / "sim01").exists() and not layout.is_done("sim01")
    assert not half, "a half-written result lies in its place"
    if done and killed % 4 == 0:
        import shutil
        layout.clean()
        shutil.rmtree(layout.root / "sim01", ignore_errors=True)
        shutil.rmtree(layout.cache_of("sim01"), ignore_errors=True)
        done = 0
print(json.dumps({"killed": killed}))
"""


@pytest.mark.parametrize("kills", [16, pytest.param(120, marks=pytest.mark.long)])
def test_a_worker_killed_at_random_steps_loses_nothing(tmp_path: Path, kills: int) -> None:
    simulate_study(tmp_path / "study", 1, seconds=10, seed=5, fidelity="signal")
    manifest = tmp_path / "study" / "sim01" / "session.toml"
    peace, war = Layout(tmp_path / "peace"), Layout(tmp_path / "war")
    for layout in (peace, war):
        layout.make(tmp_path / "study")
    assert run_session(job(manifest, peace))["status"] == "done"
    before = time.monotonic()
    shutil.rmtree(peace.root / "sim01")
    shutil.rmtree(peace.cache_of("sim01"))
    assert run_session(job(manifest, peace))["status"] == "done"
    took = time.monotonic() - before
    words = [json.dumps(job(manifest, war)), str(kills), "1", str(1.2 * took + 0.3)]
    run = subprocess.run([sys.executable, "-c", KILLER, *words], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1])["killed"] == kills
    war.clean()
    answer = run_session(job(manifest, war))
    assert answer["status"] == "done", answer
    assert tables(war.root, ["sim01"]) == tables(peace.root, ["sim01"])
    assert not list((war.inner / "work").iterdir())


@pytest.mark.parametrize(("sessions", "kills"), [(3, 3), pytest.param(20, 12, marks=pytest.mark.long)])
def test_a_batch_killed_and_resumed_gives_the_same_tables(
    telltale: Telltale, tmp_path: Path, sessions: int, kills: int
) -> None:
    """The run itself and its workers are killed, in turn; the same call goes on each time."""
    study, peace, war = tmp_path / "study", tmp_path / "peace", tmp_path / "war"
    simulate_study(study, sessions, seconds=10, seed=20, fidelity="signal")
    names = sorted(path.name for path in study.iterdir())
    started = time.monotonic()
    assert telltale("batch", study, "-o", peace, "-j", "2").returncode == 0
    took = time.monotonic() - started
    rng, killed = random.Random(7), 0
    for turn in range(10 * kills):
        if killed == kills:
            break
        run = start(study, war)
        until = time.monotonic() + rng.uniform(0.4, 0.8) * took
        while run.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        if run.poll() is not None:
            shutil.rmtree(war)
            continue
        if turn % 2:
            run.kill()
        else:
            victims = [one for one in psutil.Process(run.pid).children(recursive=True) if "spawn_main" in cmd(one)]
            for victim in victims[:1]:
                victim.kill()
            killed += bool(victims)
            run.wait(timeout=300)
            continue
        run.wait()
        killed += 1
    assert killed == kills
    last = telltale("batch", study, "-o", war, "-j", "2", "--retry", "--json")
    assert last.returncode == 0, last.stderr
    assert {row["status"] for row in json.loads(last.stdout)["rows"]} == {"done"}
    assert tables(war, names) == tables(peace, names)
    asked = [telltale("query", out, "SELECT * FROM events", "--json").stdout for out in (peace, war)]
    assert asked[0] == asked[1] and '"kind": "r_peak"' in asked[0]


def start(study: Path, out: Path) -> subprocess.Popen[bytes]:
    code = "from pipeline.cli import main; main()"
    words = [sys.executable, "-c", code, "batch", str(study), "-o", str(out), "-j", "2"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)


def cmd(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_workers_end_with_a_killed_run(tmp_path: Path) -> None:
    simulate_study(tmp_path / "study", 2, seconds=10, seed=30, fidelity="signal")
    run = start(tmp_path / "study", tmp_path / "out")
    workers: list[psutil.Process] = []
    end = time.monotonic() + 180
    while time.monotonic() < end and len(workers) < 2:
        workers = [one for one in psutil.Process(run.pid).children(recursive=True) if "spawn_main" in cmd(one)]
        time.sleep(0.1)
    assert len(workers) == 2
    time.sleep(1)
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    for one in alive:
        one.kill()
    assert not alive
