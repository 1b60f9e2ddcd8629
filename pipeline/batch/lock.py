"""One run at a time: a lock on a folder that the system releases when the run ends, however it ends."""

from __future__ import annotations

import errno
import getpass
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_schemas.errors import TelltaleError


class BusyError(TelltaleError, BlockingIOError):
    """Another run holds the lock."""


@contextmanager
def held(path: Path, wait: bool = False) -> Iterator[None]:
    """Hold the lock `path` within.

    Args:
        path: The lock's file; it stays, for deleting it would let two runs hold it at once.
        wait: Wait for whoever holds it instead of refusing.

    Raises:
        BusyError: somebody else holds it; the message says who.
        OSError: it cannot be made, or the file system knows no locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(handle, wait):
            who = os.pread(handle, 500, 1).decode("utf-8", "replace").strip() if hasattr(os, "pread") else ""
            raise BusyError(
                "another run is at work here",
                file=path.parent.parent,
                got=who or None,
                mend="Wait until it is done, or stop it; the lock goes with it.",
            )
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, f" {getpass.getuser()}, process {os.getpid()} on {platform.node()}\n".encode())
        yield
    finally:
        os.close(handle)


def _take(handle: int, wait: bool) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
