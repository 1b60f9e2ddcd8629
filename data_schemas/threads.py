"""How many threads a process takes, and worker processes that do not outlive their parent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

_shared = False
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
"""Environment by which numerical libraries take one thread when they are loaded."""


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread within, restored after: small layers are faster, and sums are always taken in the same order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Shared:
    """A state that is entered by the first of several threads and left by the last."""

    def __init__(self, state: Callable[[], AbstractContextManager[None]]) -> None:
        self._state, self._lock, self._inside = state, Lock(), 0
        self._entered: AbstractContextManager[None] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._entered = self._state()
                self._entered.__enter__()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside and self._entered is not None:
                    self._entered.__exit__(None, None, None)


@contextmanager
def _environment() -> Iterator[None]:
    import os

    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _pools() -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


loading_for_one_thread = _Shared(_environment)
"""Context: what is loaded within, by this process or by those that it starts, takes one thread; the environment is
restored after.
"""
_limited = _Shared(_pools)


@contextmanager
def sums_in_order() -> Iterator[None]:
    """Within, numerical libraries take one thread; those that are loaded within keep it.

    Products of matrices are added up in another order by several threads, and how many there are depends on the
    machine: a study analysed by many workers would differ in the last digit from its sessions analysed one by one.
    """
    with loading_for_one_thread(), _limited():
        yield


def share_the_cores() -> None:
    """This process is one of many workers: from now on it works in one thread."""
    global _shared
    _shared = True


def may_overlap() -> bool:
    """Whether this process may work in several threads: it is no worker, and there is more than one core."""
    import os
    from multiprocessing import parent_process

    return not _shared and parent_process() is None and (os.cpu_count() or 1) > 1


def import_apart(name: str) -> None:
    """Import a module in a thread of its own; at once if it is there already.

    A library may keep an error that it met while it was imported (MediaPipe does, where there is no PortAudio), and
    with it every function that was being run then, with all that it held: of the first video, all that was kept of its
    faces. A thread of its own runs nothing else.

    Raises:
        ImportError: it cannot be imported; other errors as the module raises them.
    """
    import sys
    import threading
    from importlib import import_module

    if name in sys.modules:
        return
    failed: list[BaseException] = []

    def load() -> None:
        try:
            import_module(name)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    loader = threading.Thread(target=load, name=f"import {name}")
    loader.start()
    loader.join()
    if failed:
        raise failed[0]


def end_with_parent() -> None:
    """In a worker process: end when the process that started it does, even if that was killed. Call it once, first."""
    import os
    import threading
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="end with parent", daemon=True).start()
