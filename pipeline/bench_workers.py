"""Many independent tasks shared out among worker processes of one thread each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

from data_schemas.errors import TelltaleError
from data_schemas.threads import end_with_parent, loading_for_one_thread

Task = TypeVar("Task")
Answer = TypeVar("Answer")

_DIED = "the worker process died over it; perhaps the memory was not enough (fewer jobs need less)"


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def share_out(
    function: Callable[[Task], Answer], tasks: Sequence[Task], jobs: int, done: Callable[[int], None]
) -> list[Answer | str]:
    """The answer to each task, in order; where a task failed, why, in words.

    Args:
        function: Importable by name; called once for each task, in any order.
        tasks: What to do; sent to workers by pickle.
        jobs: Worker processes; 1 does the work in this process.
        done: Told after each task how many are done.
    """
    answers: dict[int, Answer | str] = {}

    def settle(future: Future[Answer], at: int) -> bool:
        """Note an answer; False if the worker died."""
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            return False
        answers[at] = future.result() if error is None else _words(error)
        done(len(answers))
        return True

    while len(answers) < len(tasks):
        waiting = [at for at in range(len(tasks)) if at not in answers]
        with _executor(min(jobs, len(waiting))) as executor:
            futures = {executor.submit(function, tasks[at]): at for at in waiting}
            try:
                for future in as_completed(futures):
                    if not settle(future, futures[future]):
                        break
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                raise
        for at in [at for at in waiting if at not in answers][:jobs]:  # those at work when a worker died: one by one
            with _pool(1) as executor:
                if not settle(executor.submit(function, tasks[at]), at):
                    answers[at] = _DIED
                    done(len(answers))
    return [answers[at] for at in range(len(tasks))]


def _words(error: BaseException) -> str:
    if not isinstance(error, Exception):
        raise error
    return str(error) if isinstance(error, TelltaleError) else f"{type(error).__name__}: {error}"


@contextmanager
def _executor(jobs: int) -> Iterator[Executor]:
    if jobs > 1:
        with _pool(jobs) as pool:
            yield pool
    else:
        with _single_threaded(), ThreadPoolExecutor(1) as executor:
            yield executor


@contextmanager
def _pool(jobs: int) -> Iterator[Executor]:
    """Worker processes; libraries read how many threads they may use when they are loaded, so they are told before."""
    with (
        loading_for_one_thread(),
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin) as executor,
    ):
        yield executor


def _begin() -> None:
    """A worker's first act."""
    import cv2

    from pipeline.cli.terminal import silence_native_libraries

    end_with_parent()
    silence_native_libraries()
    cv2.setNumThreads(1)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """One thread for what is done in this process, as workers have it."""
    import cv2

    torch = sys.modules.get("torch")
    before = cv2.getNumThreads(), torch.get_num_threads() if torch else 1
    cv2.setNumThreads(1)
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        if torch:
            torch.set_num_threads(before[1])
