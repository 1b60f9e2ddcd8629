"""Telling that no worker is there to do the work: a cluster may have none yet, or have lost those that it had."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

_LOOK_S = 1.0
_AGAIN_S = 300.0
_LOST_S = 30.0
"""Workers that died are started again within this time, mostly; of that nothing is said."""


@contextmanager
def waiting_told(client: Client, tell: Callable[[str, bool], None], again_s: float = _AGAIN_S) -> Iterator[None]:
    """While this is held, tell when there is no worker: at once where none came yet, and then rarely.

    Args:
        client: Of the cluster.
        tell: Given the scheduler's address and whether there is no worker; from another thread.
        again_s: Seconds until it is told again.
    """
    end = threading.Event()
    watch = threading.Thread(target=_watch, args=(client, tell, end, again_s), name="telltale workers", daemon=True)
    watch.start()
    try:
        yield
    finally:
        end.set()
        watch.join(timeout=5)


def _watch(client: Client, tell: Callable[[str, bool], None], end: threading.Event, again_s: float) -> None:
    had, told = False, False
    gone = time.monotonic()
    say_at = gone
    while True:
        now = time.monotonic()
        try:
            info = client.scheduler_info()
        except (OSError, RuntimeError, ValueError, TimeoutError):  # the cluster is gone: its sessions say so
            return
        if info.get("workers"):
            if told:
                tell(str(info.get("address", "")), False)
            had, told, gone = True, False, now
        elif now >= (say_at if told else gone + (_LOST_S if had else 0.0)):
            told, say_at = True, now + again_s
            tell(str(info.get("address", "")), True)
        if end.wait(_LOOK_S):
            return
