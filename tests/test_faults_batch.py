"""Faults of a batch: what happens is said, and once mended, the same call gives what an undisturbed run gives."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.kills import ROOT, bytes_apart
from pipeline.simulate.session import simulate_session

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and capabilities of Linux")

COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()"]
Call = Callable[..., tuple[int, str]]
"""The command's words -> exit status, and all that it says."""


@pytest.fixture(scope="module")
def here() -> Iterator[Call]:
    """The command on a worker within this process."""
    from distributed import LocalCluster
    from typer.testing import CliRunner

    from pipeline.cli.app import app

    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**options, host="127.0.0.1", protocol="tcp://") as cluster:

        def run(*words: object) -> tuple[int, str]:
            done = CliRunner().invoke(app, [*map(str, words), "--scheduler", cluster.scheduler_address])
            return done.exit_code, done.output

        yield run


@pytest.fixture(scope="module")
def peace(here: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of one session, and what a run in peace leaves."""
    folder = tmp_path_factory.mktemp("peace")
    simulate_session(folder / "study" / "sim", seconds=10, seed=1, fidelity="signal")
    assert here("batch", folder / "study", "-o", folder / "out")[0] == 0
    return folder


@pytest.fixture
def war(peace: Path, tmp_path: Path) -> Path:
    """The same study, not analysed yet."""
    shutil.copytree(peace / "study", tmp_path / "study")
    return tmp_path


def start(war: Path, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    words = [*COMMAND, "batch", str(war / "study"), "-o", str(war / "out"), "-j", "1", "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, preexec_fn=before)


def end(run: subprocess.Popen[str]) -> tuple[int, str]:
    said = "".join(run.communicate(timeout=300))
    assert "Traceback" not in said, said
    return run.returncode, said


def limit_files(process: int, size: int) -> None:
    """From now on the system refuses to let a process write a file beyond this size."""
    import resource

    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def without_power() -> None:
    """For the program that is started next: even root keeps to the rights of files (prctl(2), PR_CAPBSET_DROP)."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # to override rights, and to search where there is none
        libc.prctl(24, capability, 0, 0, 0)


def until(what: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 200
    while not what():
        assert run.poll() is None and time.monotonic() < limit, end(run)
        time.sleep(0.01)


Fault = Callable[[Path], tuple[int, str]]


def full_for_the_worker(war: Path) -> tuple[int, str]:
    return end(start(war, lambda: limit_files(0, 60_000)))


def full_for_what_is_known(war: Path) -> tuple[int, str]:
    return full_for_the_run(war, 150)


def full_for_the_catalogue(war: Path) -> tuple[int, str]:
    return full_for_the_run(war, 4_000)


def full_for_the_run(war: Path, size: int) -> tuple[int, str]:
    """The worker may write, and the process that started it may not, from the moment when the worker has begun."""
    run = start(war)
    until(lambda: (war / "out" / ".telltale" / "cache" / "sim").is_dir(), run)
    limit_files(run.pid, size)
    return end(run)


def forbidden_recording(war: Path) -> tuple[int, str]:
    (war / "study" / "sim" / "physio.csv").chmod(0)
    return end(start(war, without_power))


def forbidden_cache(war: Path) -> tuple[int, str]:
    (war / "out" / ".telltale" / "cache").mkdir(parents=True)
    (war / "out" / ".telltale" / "cache").chmod(0o500)
    return end(start(war, without_power))


def allow(war: Path) -> None:
    (war / "study" / "sim" / "physio.csv").chmod(0o600)
    (war / "out" / ".telltale" / "cache").chmod(0o700)


def nothing(war: Path) -> None:
    """The fault went with the process that it was put upon."""


@pytest.mark.parametrize(
    ("fault", "status", "said", "mend"),
    [
        (full_for_the_worker, 2, "no space is left to write", nothing),
        (full_for_what_is_known, 2, "Make room and run again", nothing),
        (full_for_the_catalogue, 2, "Make room and run again", nothing),
        (forbidden_recording, 1, "ermission denied", allow),
        (forbidden_cache, 2, "Give yourself the right to it", allow),
    ],
)
def test_mended_the_same_call_gives_the_same_tables(
    here: Call, peace: Path, war: Path, fault: Fault, status: int, said: str, mend: Callable[[Path], None]
) -> None:
    found, text = fault(war)
    assert (found, said in text) == (status, True), text
    assert not list((war / "out" / ".telltale" / "work").glob("sim-*"))
    mend(war)
    found, text = here("batch", war / "study", "-o", war / "out")
    assert found == 0 and "1 done, 0 failed" in text, text
    assert bytes_apart(war / "out", peace / "out", ["sim"]) == 0


@pytest.mark.parametrize(
    ("name", "tenths"),
    [
        ("physio.csv", 0),
        ("voice.wav", 6),
        pytest.param("physio.csv", 6, marks=pytest.mark.long),
        pytest.param("voice.wav", 0, marks=pytest.mark.long),
    ],
)
def test_a_recording_that_was_cut_off_and_is_exchanged_for_the_whole_one(
    here: Call, peace: Path, war: Path, name: str, tenths: int
) -> None:
    file = war / "study" / "sim" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * tenths // 10])
    found, text = here("batch", war / "study", "-o", war / "out")
    assert found == (0 if tenths else 1), text
    result = json.loads((war / "out" / "sim" / "result.json").read_text())
    told = [one["what"] for one in result["problems"] if name.partition(".")[0] in json.dumps(one)]
    assert told, "what is missing is said"
    assert bytes_apart(war / "out", peace / "out", ["sim"]) > 0
    file.write_bytes(whole)
    found, text = here("batch", war / "study", "-o", war / "out")
    assert found == 0 and "1 to run" in text, text
    assert bytes_apart(war / "out", peace / "out", ["sim"]) == 0


def test_damaged_steps_in_the_cache_are_told_and_done_anew(here: Call, peace: Path, war: Path) -> None:
    assert here("batch", war / "study", "-o", war / "out")[0] == 0
    kept = sorted((war / "out" / ".telltale" / "cache" / "sim").glob("*.parquet"))
    assert kept
    for number, path in enumerate(kept):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x55
        path.write_bytes(bytes(data) if number % 2 else bytes(data[:-9]))
    shutil.rmtree(war / "out" / "sim")
    found, text = here("batch", war / "study", "-o", war / "out")
    assert found == 0 and f"{len(kept)} damaged files in the cache were found" in text, text
    assert bytes_apart(war / "out", peace / "out", ["sim"]) == 0


def test_of_two_batches_at_once_one_is_refused_and_the_other_undisturbed(peace: Path, war: Path) -> None:
    first = start(war)
    until(lambda: (war / "out" / ".telltale" / "cache" / "sim").is_dir(), first)
    status, text = end(start(war))
    assert status == 2 and "another run is at work here" in text and f"process {first.pid}" in text, text
    assert first.poll() is None, "the first was at work all the time"
    status, text = end(first)
    assert status == 0, text
    assert bytes_apart(war / "out", peace / "out", ["sim"]) == 0


@pytest.mark.long
def test_a_worker_that_dies_over_one_session_spares_the_others(
    here: Call, peace: Path, war: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whenever a step of this session begins, the worker process is killed, as the system does for want of memory."""
    from pipeline.batch.engine import local
    from pipeline.batch.run import run_batch
    from pipeline.cli.batch_display import Lines
    from pipeline.config import Config

    class Killing(Lines):
        killed: set[int] = set()  # noqa: RUF012

        def step(self, session: str, step: str, completed: int, total: int | None) -> None:
            super().step(session, step, completed, total)
            for one in psutil.Process().children(recursive=True) if session == "sim" else ():
                if "spawn_main" in " ".join(one.cmdline()) and one.pid not in self.killed:
                    self.killed.add(one.pid)
                    one.kill()

    for name in ("before", "zlast"):
        shutil.copytree(war / "study" / "sim", war / "study" / name)
    outcome = run_batch(war / "study", war / "out", Config(), lambda _: local(1), Killing())
    states = {state.session: state for state in outcome.states}
    assert len(Killing.killed) > 3 and outcome.exit_status == 1
    assert {name: state.status for name, state in states.items()} == {
        "before": "done",
        "sim": "failed",
        "zlast": "done",
    }
    assert "the worker process died over it" in states["sim"].reason
    for name in ("before", "zlast"):
        assert (war / "out" / name / "timeline.parquet").read_bytes() == (
            peace / "out" / "sim" / "timeline.parquet"
        ).read_bytes()
    found, text = here("batch", war / "study", "-o", war / "out", "--json")
    assert found == 0 and "1 to run, 2 done before" in text, text
    shutil.rmtree(war / "out" / "study.parquet", ignore_errors=True)
    assert (war / "out" / "sim" / "timeline.parquet").read_bytes() == (
        peace / "out" / "sim" / "timeline.parquet"
    ).read_bytes()
