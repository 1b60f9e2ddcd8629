"""Faults of the system: no space, no right, a killed run, two runs at once. Nothing half-written reads as complete."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from data_schemas.errors import InvalidValueError, TelltaleError, UnreadableFileError
from data_schemas.result import Problem
from data_schemas.whole_file import write_whole
from pipeline.batch.content import program_version
from pipeline.batch.discovery import find_sessions
from pipeline.batch.failures import Cause, cause_of, words
from pipeline.batch.layout import Layout, State
from pipeline.batch.lock import BusyError, held
from pipeline.batch.plan import plan
from pipeline.batch.worker import run_session
from pipeline.config import Config
from pipeline.export.sample import write_sample
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


def test_what_failed_or_is_done_in_part_is_run_again_when_asked(session: Path, layout: Layout, tmp_path: Path) -> None:
    places = find_sessions(session.parent.parent)
    study = session.parent.parent
    assert [one.todo for one in plan(places, layout, Config(), study)] == ["run"]
    mark = plan(places, layout, Config(), study)[0].state.fingerprint
    write_sample(tmp_path / "sample").rename(layout.root / "sim")
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


SPOIL = {
    "empty record": ("result.json", lambda data: b""),
    "torn record": ("result.json", lambda data: data[: len(data) // 2]),
    "record of zeros": ("result.json", lambda data: bytes(len(data))),
    "record of something else": ("result.json", lambda data: b"{}"),
    "no timeline": ("timeline.parquet", None),
    "torn timeline": ("timeline.parquet", lambda data: data[:-1]),
    "empty events": ("events.parquet", lambda data: b""),
    "events of zeros": ("events.parquet", lambda data: bytes(len(data))),
    "only an end": ("events.parquet", lambda data: data[-40:]),
}


@pytest.mark.parametrize("what", SPOIL)
def test_what_a_power_cut_left_of_a_result_is_made_anew(
    what: str, session: Path, layout: Layout, tmp_path: Path
) -> None:
    study = session.parent.parent
    places = find_sessions(study)
    mark = plan(places, layout, Config(), study)[0].state.fingerprint
    write_sample(tmp_path / "sample").rename(layout.root / "sim")
    layout.note(State("sim", "done", fingerprint=mark))
    assert layout.is_done("sim") and plan(places, layout, Config(), study)[0].todo == "keep"
    name, spoil = SPOIL[what]
    path = layout.root / "sim" / name
    if spoil is None:
        path.unlink()
    else:
        path.write_bytes(spoil(path.read_bytes()))
    assert not layout.is_done("sim")
    entry = plan(places, layout, Config(), study)[0]
    assert (entry.todo, entry.why) == ("run", "its result is gone")


@posix
def test_a_result_is_on_the_disk_before_anything_says_that_it_is_there(
    session: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system is asked for, in order: contents before names, and the names before the note on the session."""
    said: list[tuple[str, object]] = []
    settle, replace, rename = os.fsync, os.replace, os.rename

    def fsync(handle: int) -> None:
        settle(handle)
        said.append(("settled", os.fstat(handle).st_ino))

    def moved(do: Callable[..., None]) -> Callable[..., None]:
        def move(source: object, target: object, **more: object) -> None:
            said.append(("moved", (os.stat(source).st_ino, str(target))))
            do(source, target, **more)

        return move

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", moved(replace))
    monkeypatch.setattr(os, "rename", moved(rename))
    assert run_session(job(session, layout))["status"] == "done"
    layout.note(State("sim", "done"))
    state = layout.inner / "state" / "sim.json"
    settled = [what for how, what in said if how == "settled"]
    for name in ("result.json", "timeline.parquet", "events.parquet", "events.csv", "report.html"):
        number = (layout.root / "sim" / name).stat().st_ino
        at = next(at for at, one in enumerate(said) if one[0] == "moved" and one[1][0] == number)  # type: ignore[index]
        assert ("settled", number) in said[:at], name
    noted = next(at for at, one in enumerate(said) if one[0] == "moved" and one[1][1] == str(state))  # type: ignore[index]
    assert ("settled", layout.root.stat().st_ino) in said[:noted]
    assert settled[-1] == state.parent.stat().st_ino and state.stat().st_ino in settled


def test_what_lies_in_the_machine_is_tried_again_and_what_lies_in_the_recording_is_not(
    session: Path, layout: Layout
) -> None:
    study = session.parent.parent
    places = find_sessions(study)
    mark = plan(places, layout, Config(), study)[0].state.fingerprint
    system = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENOMEM, errno.EIO, errno.ETIMEDOUT)
    machine = [*(OSError(number, os.strerror(number)) for number in system), MemoryError(), TimeoutError()]
    wrapped = UnreadableFileError("not readable as a table")
    wrapped.__cause__ = OSError(errno.EIO, "Input/output error")
    recording = [InvalidValueError("times go backwards"), UnreadableFileError("cut off"), ValueError("x")]
    for errors, cause, todo in (([*machine, wrapped], "machine", "run"), (recording, "session", "keep")):
        for error in errors:
            assert cause_of(error) == cause, error
            if isinstance(error, TelltaleError):
                assert Problem.of(error).machine == (cause == "machine"), "and so does what a channel failed for"
        layout.note(State("sim", "failed", words(errors[0]), mark, 2, cause=cause))  # type: ignore[arg-type]
        entry = plan(places, layout, Config(), study)[0]
        assert entry.todo == todo
        assert ("--retry" in entry.state.reason) == (todo == "keep")


@pytest.mark.parametrize(("cause", "todo"), [("machine", "run"), ("session", "keep")])
def test_what_is_done_in_part_for_the_machine_is_tried_again(
    cause: Cause, todo: str, session: Path, layout: Layout, tmp_path: Path
) -> None:
    study = session.parent.parent
    places = find_sessions(study)
    mark = plan(places, layout, Config(), study)[0].state.fingerprint
    write_sample(tmp_path / "sample").rename(layout.root / "sim")
    layout.note(State("sim", "done", "in part: x", mark, 1, cause=cause))
    (entry,) = plan(places, layout, Config(), study)
    assert entry.todo == todo
    assert entry.why == ("done in part before" if todo == "run" else "")
    assert plan(places, layout, Config(), study, retry=True)[0].todo == "run"


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second" and stat.S_IMODE(path.stat().st_mode) == 0o600
    if sys.platform != "win32":
        import resource

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(OSError, match="large"):
                write_whole(path, b"x" * 2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"second" and list(tmp_path.iterdir()) == [path]
