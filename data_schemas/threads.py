"""How many threads a process takes, and worker processes that do not outlive their parent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_shared = False


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
