"""Folds as jobs: each trained and tested by itself, in processes of one thread, kept in a folder when done."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import WorkerDiedError
from data_schemas.hook import Hook, silent
from data_schemas.threads import end_with_parent
from data_schemas.whole_file import write_whole
from modalities.face.recognition.protocols import Fold
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.scores import Answers
from modalities.face.recognition.selection import answers, inner_uf1, learn
from modalities.face.recognition.system import System

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
SHUFFLE_SEED = 7_919


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of work.

    Attributes:
        system: What to train.
        fold: On what, and what to test.
        seed: Of everything random.
        inner: 0 to train on all of the training set and test; else only the inner UF1 over so many folds is wanted,
            and the test set stays closed.
        oracle: Whether every candidate is tested too, for the dishonest figure.
        shuffled: Whether labels are shuffled within the training set: a control that must give chance.
    """

    system: System
    fold: Fold
    seed: int = 0
    inner: int = 0
    oracle: bool = False
    shuffled: bool = False

    @property
    def step(self) -> str:
        """What it is a part of, for the display of progress."""
        return "nomination, inside training sets" if self.inner else f"{self.system.name}, seed {self.seed}"

    def key(self, digest: str) -> str:
        """Hash of all that its result depends on: samples, split, declaration, seed, and this package's code."""
        made = hashlib.sha256("\n".join((digest, _code(), repr(self.system))).encode())
        made.update(repr((self.seed, self.inner, self.oracle, self.shuffled)).encode())
        for rows in (self.fold.train, self.fold.test):
            made.update(rows.astype(np.int64).tobytes() + b"|")
        return made.hexdigest()[:32]


@dataclass(frozen=True)
class Outcome:
    """What a job gives.

    Attributes:
        said: Class of each test row.
        setting: What was chosen, in words.
        inner: Inner UF1, where that was asked for.
        candidates: By name of the candidate the class of each test row, where asked for.
        ms_per_sample: Preparing a sample (reading, describing) and answering it, training apart, milliseconds; None
            where nothing was tested.
    """

    said: tuple[int, ...] = ()
    setting: str = ""
    inner: float | None = None
    candidates: dict[str, tuple[int, ...]] = field(default_factory=dict)
    ms_per_sample: float | None = field(default=None, compare=False)


def run_jobs(
    samples: Samples, jobs: Sequence[Job], *, workers: int = 1, keep: Path | None = None, hook: Hook = silent
) -> list[Outcome]:
    """Do jobs, in any order, and give what they gave in theirs.

    Args:
        samples: What all jobs are about.
        jobs: What to do; those of one system one after the other, which prepares the samples once.
        workers: Processes of one thread each; 1 works in this one.
        keep: Folder of finished jobs; what is there is not done again.
        hook: Told how many of each step are done.

    Raises:
        WorkerDiedError: a worker process was killed; what was finished before is kept in `keep`.
    """
    digest = samples.digest()
    files = [None if keep is None else keep / f"{job.key(digest)}.json" for job in jobs]
    done: dict[int, Outcome] = {}
    for at, file in enumerate(files):
        outcome = _recall(file)
        if outcome is not None:
            done[at] = outcome
    totals, counts = Counter(job.step for job in jobs), Counter(jobs[at].step for at in done)
    for step in totals:
        hook(step, counts[step], totals[step])
    try:
        for at, outcome in _work(samples, {at: job for at, job in enumerate(jobs) if at not in done}, workers):
            done[at] = outcome
            file = files[at]
            if file is not None:
                _store(file, outcome)
            step = jobs[at].step
            counts[step] += 1
            hook(step, counts[step], totals[step])
    except BrokenProcessPool as error:
        again = "; the finished folds are kept" if keep is not None else ", with --resume DIR to keep finished folds"
        raise WorkerDiedError(
            f"a worker process died after {len(done)} of {len(jobs)} folds; perhaps the memory was not enough",
            mend=f"Take fewer workers (-j {max(1, workers // 2)}){again}.",
        ) from error
    return [done[at] for at in range(len(jobs))]


def _work(samples: Samples, todo: dict[int, Job], workers: int) -> Iterator[tuple[int, Outcome]]:
    if min(workers, len(todo)) <= 1:
        with _one_thread():
            desk = _Desk(samples)
            for at, job in todo.items():
                yield at, desk.do(job)
        return
    with _one_thread(), ProcessPoolExecutor(
        min(workers, len(todo)), mp_context=get_context("spawn"), initializer=_open, initargs=(samples,)
    ) as pool:  # fmt: skip
        waiting = {pool.submit(_do, job): at for at, job in todo.items()}
        try:
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for one in finished:
                    yield waiting.pop(one), one.result()
        finally:
            for one in waiting:
                one.cancel()


class _Desk:
    """Does jobs about one set of samples; what is prepared for a system is kept while the next job wants it too."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._prepared: tuple[System, Any] | None = None
        self._prepare_ms = 0.0

    def do(self, job: Job) -> Outcome:
        samples, system, fold = self._samples, job.system, job.fold
        if self._prepared is None or self._prepared[0] != system:
            self._prepared = None
            started = time.perf_counter()
            self._prepared = (system, system.prepare(samples))
            self._prepare_ms = _ms_since(started) / len(samples)
        prepared = self._prepared[1]
        if job.shuffled:
            y = samples.y.copy()
            y[fold.train] = np.random.default_rng([SHUFFLE_SEED, job.seed]).permutation(y[fold.train])
            samples = samples.labelled(y)
        if job.inner:
            return Outcome(inner=inner_uf1(system, prepared, samples, fold.train, job.seed, job.inner))
        if job.oracle and len(system.architecture.settings(system)) == 1:
            return self._one_setting(job, samples, prepared)
        model, setting = learn(system, prepared, samples, fold.train, job.seed)
        started = time.perf_counter()
        said = tuple(answers(model, prepared, fold.test).tolist())
        ms = self._prepare_ms + _ms_since(started) / len(said)
        others = self._candidates(job, samples, prepared) if job.oracle else {}
        return Outcome(said, str(setting), None, others, round(ms, 4))

    def _one_setting(self, job: Job, samples: Samples, prepared: Any) -> Outcome:
        """Where nothing is chosen, the last candidate is the trained model: trained once, both are known."""
        spent: list[float] = []
        others = self._candidates(job, samples, prepared, spent)
        (setting,) = job.system.architecture.settings(job.system)
        ms = self._prepare_ms + spent[-1] / len(job.fold.test)
        return Outcome(list(others.values())[-1], str(setting), None, others, round(ms, 4))

    def _candidates(
        self, job: Job, samples: Samples, prepared: Any, spent: list[float] | None = None
    ) -> dict[str, tuple[int, ...]]:
        """What each candidate says; the milliseconds that each takes to answer are added to `spent`."""
        system, train = job.system, job.fold.train
        made = system.architecture.candidates(
            system, prepared, samples.y[train], train, len(samples.classes), job.seed
        )  # fmt: skip
        out = {}
        for name, one in made:
            started = time.perf_counter()
            out[name] = tuple(answers(one, prepared, job.fold.test).tolist())
            if spent is not None:
                spent.append(_ms_since(started))
        return out


def _ms_since(started: float) -> float:
    return 1000 * (time.perf_counter() - started)


_desk: list[_Desk] = []
"""The desk of a worker process."""


def _open(samples: Samples) -> None:
    import torch

    end_with_parent()
    torch.set_num_threads(1)
    _desk[:] = [_Desk(samples)]


def _do(job: Job) -> Outcome:
    return _desk[0].do(job)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for torch here, and for the libraries of processes that are started meanwhile."""
    import torch

    before, threads = {name: os.environ.get(name) for name in _THREADS}, torch.get_num_threads()
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _recall(file: Path | None) -> Outcome | None:
    """A finished job; None where it is not there or cannot be read, so that it is done again."""
    if file is None or not file.is_file():
        return None
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        others = {name: tuple(said) for name, said in held["candidates"].items()}
        return Outcome(tuple(held["said"]), held["setting"], held["inner"], others, held["ms_per_sample"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _store(file: Path, outcome: Outcome) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    held = {
        "said": outcome.said, "setting": outcome.setting, "inner": outcome.inner, "candidates": outcome.candidates,
        "ms_per_sample": outcome.ms_per_sample,
    }  # fmt: skip
    write_whole(file, json.dumps(held).encode())


@lru_cache(maxsize=1)
def _code() -> str:
    """Hash of this package's files, of those that describe clips and maps, and of the libraries' versions."""
    import sklearn
    import torch

    made = hashlib.sha256(" ".join((np.__version__, torch.__version__, sklearn.__version__)).encode())
    here = Path(__file__).parent
    methods = ("descriptors", "interpolation", "magnification", "divisions")
    for folder in (here, here / "zoo", *(here.parent / name for name in methods)):
        for file in sorted(folder.glob("*.py")):
            made.update(file.read_bytes())
    return made.hexdigest()


def pool_answers(samples: Samples, folds: Sequence[Fold], said: Sequence[Sequence[int]]) -> Answers:
    """Predictions of all folds as one table."""
    rows = np.concatenate([fold.test for fold in folds])
    return Answers(
        rows,
        samples.y[rows],
        np.concatenate([np.asarray(one, np.int64) for one in said]),
        samples.person[rows],
        np.concatenate([fold.group for fold in folds]),
    )


def best_of(samples: Samples, fold: Fold, outcome: Outcome) -> tuple[int, ...]:
    """The dishonest answer: for each person tested the candidate that is right most often, by looking at the truth."""
    names = list(outcome.candidates)
    table = np.array([outcome.candidates[name] for name in names])
    person = samples.person[fold.test]
    out = np.asarray(outcome.said, np.int64)
    for one in set(person.tolist()):
        here = person == one
        right = (table[:, here] == samples.y[fold.test][here]).sum(axis=1)
        out[here] = table[int(right.argmax()), here]
    return tuple(out.tolist())
