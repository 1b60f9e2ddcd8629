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
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from data_schemas.threads import ONE_THREAD

ROOT = Path(__file__).resolve().parent.parent
TABLES = ("timeline.parquet", "events.parquet", "events.csv", "sync.json")


@dataclass(frozen=True)
class Survived:
    """What became of a study that was killed again and again.

    Attributes:
        kills: How many times something was killed while it worked.
        resumed: How many results were made from steps that a killed one had finished.
        halves: Results that lay in their place without being whole, seen after a kill.
        bytes_lost: Bytes of tables, over all results, that differ from those of an undisturbed run, or are not there.
        left_over: Files that finished runs left in their scratch folder.
    """

    kills: int
    resumed: int
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


def kill_worker(folder: Path, kills: int, seed: int = 1, fidelity: str = "signal") -> Survived:
    """Analyse one session in worker processes that are killed at random moments, each going on where the last was hit.

    Whenever one gets through, its tables are compared, and all is thrown away, so that early steps are hit as well as
    late ones; the last is let through, and what is killed before it has finished a step: something is resumed always.

    Args:
        folder: Empty folder to work in.
        kills: How many workers to kill.
        seed: Of session and moments.
        fidelity: Of the simulated session: "signal", or "rendered" with videos of face and body.

    Raises:
        RuntimeError: a worker failed of itself.
    """
    words = [sys.executable, "-m", "benchmarks.kills", str(folder), str(kills), str(seed), fidelity]
    alone = {**os.environ, **ONE_THREAD}
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, check=False, env=alone
    )  # threads do not fork
    if done.returncode:
        raise RuntimeError(f"the workers failed of themselves: {done.stderr[-2000:]}")
    return Survived(**json.loads(done.stdout.splitlines()[-1]))


def _killed_here(folder: Path, kills: int, seed: int, fidelity: str) -> Survived:
    from pipeline.batch.layout import Layout
    from pipeline.batch.worker import run_session
    from pipeline.simulate.session import simulate_study

    simulate_study(folder / "study", 1, seconds=10, seed=5, fidelity=fidelity)
    (place,) = (folder / "study").iterdir()
    manifest, name = place / "session.toml", place.name
    peace, war = Layout(folder / "peace"), Layout(folder / "war")
    for layout in (peace, war):
        layout.make(folder / "study")
    way = "spawn" if fidelity == "rendered" else "fork"  # MediaPipe's threads do not survive a fork
    if way == "fork" and (answer := run_session(job(manifest, peace.root, name)))["status"] != "done":
        raise RuntimeError(str(answer))  # what a child needs is imported by now
    shutil.rmtree(peace.root / name, ignore_errors=True)
    shutil.rmtree(peace.cache_of(name), ignore_errors=True)
    started = time.monotonic()
    _one_life(job(manifest, peace.root, name), way)
    took = time.monotonic() - started
    rng, killed, resumed, halves, lost, left = random.Random(seed), 0, 0, 0, 0, 0
    while True:
        war.clean()
        before = _kept(war.cache_of(name))
        last = killed >= kills
        if killed == kills - 1 and not before:
            died = _one_life(job(manifest, war.root, name), way, kept=war.cache_of(name))
        else:
            died = _one_life(job(manifest, war.root, name), way, 600 if last else rng.uniform(0, 1.2 * took + 0.1))
        killed += died
        halves += (war.root / name).exists() and not war.is_done(name)
        if died:
            continue
        resumed += before
        lost += bytes_apart(war.root, peace.root, [name])
        left += len(list((war.inner / "work").iterdir()))
        if last:
            return Survived(killed, resumed, halves, lost, left)
        shutil.rmtree(war.root / name)
        shutil.rmtree(war.cache_of(name))


def _kept(cache: Path) -> bool:
    """Whether a finished step lies in a cache."""
    return any(cache.rglob("*-*-*.*"))


def _one_life(work: dict[str, Any], way: str, longest_s: float = 600, kept: Path | None = None) -> bool:
    """A worker in a process of its own; whether it was killed before it was through.

    Args:
        work: See `job`.
        way: "fork", or "spawn", which takes some seconds for imports.
        longest_s: When it is killed.
        kept: A cache; it is killed as soon as a finished step lies there.

    Raises:
        RuntimeError: it failed of itself.
    """
    processes: Any = get_context(way)
    child = processes.Process(target=_live, args=(work,))
    child.start()
    end = time.monotonic() + longest_s
    while kept is not None and child.exitcode is None and not _kept(kept) and time.monotonic() < end:
        child.join(0.002)
    child.join(0 if kept is not None else longest_s)
    if child.exitcode is None:
        child.kill()
        child.join()
    if child.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a worker failed of itself: {child.exitcode}")
    return child.exitcode != 0


def _live(work: dict[str, Any]) -> None:
    from pipeline.batch.worker import run_session

    if run_session(work)["status"] != "done":
        raise SystemExit(3)


def kill_batch(
    telltale: Sequence[str], study: Path, out: Path, kills: int, took_s: float, jobs: int = 2, seed: int = 7
) -> int:
    """Run a batch again and again; each time a worker is killed first, and a little later the run itself.

    What is left was interrupted and goes on from what was finished: a run that ended before it was hit is thrown away,
    and the last is not hit before a finished step lies in the cache.

    Args:
        telltale: Words that begin the command.
        study: The study.
        out: Where its results go.
        kills: How often the run itself is killed.
        took_s: How long an undisturbed run takes.
        jobs: Workers of the batch.
        seed: Of the moments.

    Returns:
        How often the run was killed at work since it last ended by itself; fewer than asked for where runs end too
        early.
    """
    import psutil

    rng, killed = random.Random(seed), 0
    life_s = took_s * min(1.0, 1.5 / kills)  # as each goes on where the last was hit, all together must not be through
    words = [*telltale, "batch", str(study), "-o", str(out), "-j", str(jobs)]
    for _ in range(5 * kills):
        if killed >= kills:
            break
        run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        _wait(run, rng.uniform(0.3, 0.6) * life_s)
        while killed == kills - 1 and run.poll() is None and not _kept(out / ".telltale" / "cache"):
            _wait(run, 0.01)
        if run.poll() is None:
            for victim in [one for one in psutil.Process(run.pid).children(recursive=True) if is_worker(one)][:1]:
                victim.kill()
            _wait(run, rng.uniform(0.05, 0.2) * life_s)
        if run.poll() is None:
            run.kill()
            killed += 1
        elif out.exists():
            shutil.rmtree(out)
            killed = 0
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
    place, number, start, form = sys.argv[1:]
    print(json.dumps(vars(_killed_here(Path(place), int(number), int(start), form))))
