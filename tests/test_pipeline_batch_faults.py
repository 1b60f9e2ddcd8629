"""Faults of the system: no space, no right, a killed run, two runs at once. Nothing half-written reads as complete."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_schemas.errors import InvalidValueError
from pipeline.batch.content import program_version
from pipeline.batch.discovery import find_sessions
from pipeline.batch.layout import Layout, State, words
from pipeline.batch.lock import BusyError, held
from pipeline.batch.plan import plan
from pipeline.batch.worker import run_session
from pipeline.config import Config
from pipeline.simulate.session import simulate_session

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "study" / "sim"
    simulate_session(folder, seconds=10, seed=1, fidelity="signal")
    return folder / "session.toml"


@pytest.fixture
def layout(session: Path, tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "out")
    made.make(session.parent.parent)
    return made


def job(session: Path, layout: Layout) -> dict:
    return {
        "session": "sim", "manifest": str(session), "out": str(layout.root), "config": Config().model_dump_json(),
        "program": program_version(), "quiet": False,
    }  # fmt: skip


HOLD = """
import sys, time
from pathlib import Path
from pipeline.batch.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@posix
def test_two_runs_exclude_each_other_and_a_killed_one_lets_go(layout: Layout) -> None:
    lock = layout.inner / "lock"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )  # fmt: skip
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    with pytest.raises(BusyError, match=f"process {other.pid}"), held(lock):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    with held(lock):
        pass


def test_a_full_disk_fails_the_session_with_a_clear_word(session: Path, layout: Layout) -> None:
    """Writing is limited, so that the system refuses it; the next run, with room, takes what was finished."""
    if sys.platform == "win32":
        pytest.skip("limits of POSIX")
    code = (
        "import json, resource, signal, sys\n"
        "from pipeline.batch.worker import run_session\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "print(json.dumps(run_session(json.loads(sys.argv[1]))))\n"
    )
    limited = subprocess.run(
        [sys.executable, "-c", code, json.dumps(job(session, layout))], capture_output=True, text=True, cwd=ROOT
    )
    answer = json.loads(limited.stdout.splitlines()[-1])
    assert answer["status"] == "failed" and answer["reason"].startswith("no space is left"), limited.stderr
    assert not (layout.root / "sim").exists()
    assert not list((layout.inner / "work").iterdir())
    again = run_session(job(session, layout))
    assert again["status"] == "done" and layout.is_done("sim")
    assert set(again["taken"]) == set(answer["made"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_the_systems_refusals_are_put_into_words(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, open("/dev/full", "w") as full:
        full.write("x")
        full.flush()
    assert "finished steps are kept" in words(caught.value)
    denied = PermissionError(errno.EACCES, "Permission denied", "/data/p01.wav")
    assert words(denied) == "permission denied (/data/p01.wav). Give yourself the right to it, or name another folder."
    assert "fewer jobs" in words(MemoryError())
    assert words(InvalidValueError("bad", mend="Mend it.")) == "bad. Mend it."


def test_what_failed_or_is_done_in_part_is_run_again_when_asked(session: Path, layout: Layout) -> None:
    places = find_sessions(session.parent.parent)
    study = session.parent.parent
    assert [one.todo for one in plan(places, layout, Config(), study)] == ["run"]
    mark = plan(places, layout, Config(), study)[0].state.fingerprint
    (layout.root / "sim").mkdir()
    (layout.root / "sim" / "result.json").write_text("{}")
    for status, exit_status, again in (("done", 0, "keep"), ("done", 1, "run"), ("failed", 2, "run")):
        layout.note(State("sim", status, fingerprint=mark, exit_status=exit_status))  # type: ignore[arg-type]
        assert [one.todo for one in plan(places, layout, Config(), study)] == ["keep"]
        assert [one.todo for one in plan(places, layout, Config(), study, retry=True)] == [again], status


def test_a_worker_of_another_version_is_refused(session: Path, layout: Layout) -> None:
    answer = run_session({**job(session, layout), "program": "other"})
    assert answer["status"] == "failed" and "another version" in answer["reason"]
    assert not (layout.root / "sim").exists()


def test_a_result_set_aside_by_an_interrupted_run_comes_back(layout: Layout) -> None:
    work, target = layout.inner / "work", layout.root / "sim"
    old = work / "sim-x.old"
    old.mkdir()
    (old / "result.json").write_text('{"former": true}')
    (old / "notes.txt").write_text("mine")
    (work / "sim-x.old.json").write_text('{"session": "sim"}')
    (work / "sim-y").mkdir()
    layout.clean()
    assert (target / "notes.txt").read_text() == "mine" and "former" in (target / "result.json").read_text()
    assert not list(work.iterdir())
    old.mkdir()  # and now interrupted a little later: the new result is there, the notes not yet moved
    shutil.move(target / "notes.txt", old / "notes.txt")
    (old / "result.json").write_text('{"former": true}')
    (target / "result.json").write_text('{"new": true}')
    (work / "sim-x.old.json").write_text('{"session": "sim"}')
    layout.clean()
    assert (target / "notes.txt").read_text() == "mine" and "new" in (target / "result.json").read_text()


def test_a_folder_of_somebody_else_is_never_replaced(session: Path, layout: Layout) -> None:
    (layout.root / "sim").mkdir()
    (layout.root / "sim" / "events.csv").write_text("not ours")
    answer = run_session(job(session, layout))
    assert answer["status"] == "failed" and "no earlier result" in answer["reason"]
    assert (layout.root / "sim" / "events.csv").read_text() == "not ours"


def test_damaged_notes_on_sessions_are_as_if_not_there(layout: Layout) -> None:
    layout.note(State("a", "done", fingerprint="x"))
    (layout.inner / "state" / "b.json").write_text("{")
    (layout.inner / "state" / "c.json").write_text('{"session": "c", "unknown": 1}')
    assert list(layout.states()) == ["a"]


@posix
def test_the_second_of_two_batches_is_refused(telltale, session: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    layout = Layout(out)
    layout.make(session.parent.parent)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(layout.inner / "lock")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )  # fmt: skip
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    started = time.monotonic()
    try:
        run = telltale("batch", session.parent.parent, "-o", out)
    finally:
        other.kill()
        other.wait()
    assert run.returncode == 2 and "another run is at work" in run.stderr
    assert time.monotonic() - started < 55, "it does not wait for the other one"
    assert not (out / "sim").exists()
