"""Workers and whole batches killed at random and resumed: what is lost. POSIX only."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLES = ("timeline.parquet", "events.parquet", "events.csv", "sync.json")


@dataclass(frozen=True)
class Survived:
    """What became of a study that was killed again and again.

    Attributes:
        kills: How many times something was killed while it worked.
        halves: Results that lay in their place without being whole, seen after a kill.
        bytes_lost: Bytes of tables that differ from those of an undisturbed run, or are not there.
        left_over: Files that a resumed run left in its scratch folder.
    """

    kills: int
    halves: int
    bytes_lost: int
    left_over: int


def job(manifest: Path, out: Path, session: str) -> dict[str, Any]:
    """What a worker is given to analyse one session."""
    from pipeline.batch.content import program_version
    from pipeline.config import Config

    return {
        "session": session, "manifest": str(manifest), "out": str(out), "config": Config().model_dump_json(),
        "program": program_version(), "quiet": False,
    }  # fmt: skip


def kill_worker(folder: Path, kills: int, seed: int = 1) -> Survived:
    """Analyse one session in worker processes that are killed at random moments, until one is let through.

    Args:
        folder: Empty folder to work in.
        kills: How many workers to kill; every fourth time all finished work is thrown away, so that early steps are
            hit as well as late ones.
        seed: Of session and moments.

    Raises:
        RuntimeError: a worker failed of itself.
    """
    words = [sys.executable, "-m", "benchmarks.kills", str(folder), str(kills), str(seed)]
    alone = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, check=False, env=alone
    )  # threads do not fork
    if done.returncode:
        raise RuntimeError(f"the workers failed of themselves: {done.stderr[-2000:]}")
    return Survived(**json.loads(done.stdout.splitlines()[-1]))


def _killed_here(folder: Path, kills: int, seed: int) -> Survived:
    from pipeline.batch.layout import Layout
    from pipeline.batch.worker import run_session
    from pipeline.simulate.session import simulate_study

    simulate_study(folder / "study", 1, seconds=10, seed=5, fidelity="signal")
    (place,) = (folder / "study").iterdir()
    manifest, name = place / "session.toml", place.name
    peace, war = Layout(folder / "peace"), Layout(folder / "war")
    for layout in (peace, war):
        layout.make(folder / "study")
    if (answer := run_session(job(manifest, peace.root, name)))["status"] != "done":  # imports all that a child needs
        raise RuntimeError(str(answer))
    shutil.rmtree(peace.root / name)
    shutil.rmtree(peace.cache_of(name))
    started = time.monotonic()
    _one_life(job(manifest, peace.root, name))
    took = time.monotonic() - started
    rng, killed, halves = random.Random(seed), 0, 0
    while killed < kills:
        died = _one_life(job(manifest, war.root, name), rng.uniform(0, 1.2 * took + 0.1))
        killed += died
        halves += (war.root / name).exists() and not war.is_done(name)
        if not died or killed % 4 == 0:
            war.clean()
            shutil.rmtree(war.root / name, ignore_errors=True)
            shutil.rmtree(war.cache_of(name), ignore_errors=True)
    war.clean()
    _one_life(job(manifest, war.root, name))
    left = len(list((war.inner / "work").iterdir()))
    return Survived(killed, halves, bytes_apart(war.root, peace.root, [name]), left)


def _one_life(work: dict[str, Any], longest_s: float = 600) -> bool:
    """A worker in a process of its own; whether it was killed before it was through.

    Raises:
        RuntimeError: it failed of itself.
    """
    child = os.fork()
    if child == 0:
        status = 3
        try:
            from pipeline.batch.worker import run_session

            status = 0 if run_session(work)["status"] == "done" else 3
        finally:
            os._exit(status)
    end = time.monotonic() + longest_s
    while time.monotonic() < end:
        pid, code = os.waitpid(child, os.WNOHANG)
        if pid:
            if code:
                raise RuntimeError(f"a worker failed of itself: {code}")
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return bool(os.WIFSIGNALED(os.waitpid(child, 0)[1]))


def kill_batch(
    telltale: Sequence[str], study: Path, out: Path, kills: int, took_s: float, jobs: int = 2, seed: int = 7
) -> int:
    """Run a batch again and again; each time a worker is killed first, and a little later the run itself.

    Args:
        telltale: Words that begin the command.
        study: The study.
        out: Where its results go.
        kills: How many at least.
        took_s: How long an undisturbed run takes.
        jobs: Workers of the batch.
        seed: Of the moments.

    Returns:
        How many kills hit something that was at work; fewer than asked for where runs end too early.
    """
    import psutil

    rng, killed = random.Random(seed), 0
    words = [*telltale, "batch", str(study), "-o", str(out), "-j", str(jobs)]
    for _ in range(5 * kills):
        if killed >= kills:
            break
        run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        _wait(run, rng.uniform(0.3, 0.6) * took_s)
        if run.poll() is None:
            for victim in [one for one in psutil.Process(run.pid).children(recursive=True) if is_worker(one)][:1]:
                victim.kill()
                killed += 1
            _wait(run, rng.uniform(0.05, 0.2) * took_s)
        if run.poll() is None:
            run.kill()
            killed += 1
        elif out.exists():
            shutil.rmtree(out)
        run.wait()
    return killed


def _wait(run: subprocess.Popen[bytes], seconds: float) -> None:
    """Until a program ends, at most so long."""
    with suppress(subprocess.TimeoutExpired):
        run.wait(timeout=seconds)


def is_worker(process: Any) -> bool:
    """Whether a process is a worker of a batch."""
    import psutil

    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def bytes_apart(one: Path, other: Path, sessions: Sequence[str]) -> int:
    """Bytes of the tables of sessions, and of `study.parquet`, that differ between two folders of results."""
    names = [f"{session}/{table}" for session in sessions for table in TABLES]
    names += ["study.parquet"] if (other / "study.parquet").exists() else []
    apart = 0
    for name in names:
        first, second = ((root / name).read_bytes() if (root / name).is_file() else b"" for root in (one, other))
        apart += abs(len(first) - len(second)) + sum(a != b for a, b in zip(first, second, strict=False))
    return apart


if __name__ == "__main__":
    print(json.dumps(vars(_killed_here(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
