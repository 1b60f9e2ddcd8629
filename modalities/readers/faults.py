"""What file libraries throw at broken files, turned into one clear error; and what they log, turned into notes."""

from __future__ import annotations

import configparser
import errno
import logging
import mmap
import stat
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from data_schemas.causes import NO_RIGHT, lies_in_machine
from data_schemas.errors import TelltaleError, UnreadableFileError

_BLOCK, _PAGE = 1 << 20, 1 << 12
_MOST_AT_ONCE = (1 << 31) - 1
"""Bytes that FFmpeg asks the system for at once at the most (`max_alloc` of libavutil); more it refuses by itself."""
LIBRARY_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,
    MemoryError,
    AssertionError,
    NameError,
    SyntaxError,
    StopIteration,
    BufferError,
    struct.error,
    zlib.error,
    configparser.Error,
)
"""Parsers of binary files fail in all of these ways when the bytes are not what they expect."""


@contextmanager
def reading(path: Path, what: str, mend: str | None = None, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn whatever a library throws while it reads `path` as `what` into an `UnreadableFileError`.

    Args:
        path: The file.
        what: What it is read as, with its article.
        mend: What the user can do.
        also: Errors of the library's own that derive from none of `LIBRARY_ERRORS`.
    """
    try:
        yield
    except TelltaleError as error:
        error.file = error.file or str(path)
        raise
    except (*LIBRARY_ERRORS, *also) as error:
        refuse(f"not readable as {what}", path, error, mend)


def refuse(what: str, path: Path, error: Exception, mend: str | None = None) -> NoReturn:
    """Refuse a file for what a library threw at it.

    What a library throws is the cause of the refusal, so that a batch can tell what lies in the machine (a disk that
    does not read, too little memory) from what lies in the file. What a library says does not tell: where the disk does
    not read, FFmpeg finds invalid data as often as an "Input/output error", which it also says of some files that are
    cut off; and it answers a length stated in a damaged file that no memory could hold with "Cannot allocate memory".
    So the file is read through once, and what lies in it is said as what it is.

    Args:
        what: What happened, one clause.
        path: The file.
        error: What the library threw.
        mend: What the user can do.

    Raises:
        UnreadableFileError: always.
    """
    require_disk(path, error)
    if _states_too_much(error):
        raise UnreadableFileError(
            what,
            file=path,
            got="a length in it that is far more than there is of it: the file is damaged",
            mend=mend or "Copy it again, or from a backup.",
        ) from None
    if _is_ffmpegs(error) and isinstance(error, OSError) and error.errno == errno.EIO:  # and the disk reads it
        raise UnreadableFileError(
            what,
            file=path,
            got="it ends, or goes on, where it should not: the file is damaged",
            mend=mend or "Copy it again, or from a backup.",
        ) from None
    said = " ".join(str(error).split())[:200] or type(error).__name__
    raise UnreadableFileError(what, file=path, got=said, mend=mend) from error


def _states_too_much(error: Exception) -> bool:
    """Whether FFmpeg was out of memory while the system has as much as FFmpeg ever asks for at once."""
    if not (isinstance(error, MemoryError) and _is_ffmpegs(error)):
        return False
    try:
        mmap.mmap(-1, _MOST_AT_ONCE).close()  # addresses alone: nothing is written there, so no memory is taken
    except (OSError, ValueError, MemoryError):
        return False
    return True


def _is_ffmpegs(error: Exception) -> bool:
    return isinstance(error, getattr(sys.modules.get("av"), "FFmpegError", ()))


def require_disk(path: Path, error: BaseException | None = None) -> None:
    """Return unless the disk fails to read a file.

    It is read through once, and again only if it has changed, or if something says that the disk has failed since.

    Args:
        path: The file.
        error: What a library threw while it read it.

    Raises:
        UnreadableFileError: as `require_readable`, and only where the disk, or the way to it, is the cause.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            return
        if _lies_in_disk(error):
            require_readable(path)
        else:
            _read_through(path, facts.st_size, facts.st_mtime_ns)
    except UnreadableFileError as unread:
        if _lies_in_disk(unread.__cause__):
            raise
    except OSError as gone:
        if _lies_in_disk(gone):
            raise UnreadableFileError(
                "the disk does not show the file",
                file=path,
                got=gone.strerror,
                mend="Check that the disk, or the network, is there.",
            ) from gone


@lru_cache(maxsize=256)
def _read_through(path: Path, size: int, mtime_ns: int) -> None:
    require_readable(path)


def _lies_in_disk(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno not in NO_RIGHT and lies_in_machine(error)


def require_readable(*paths: Path) -> None:
    """Return if files can be read to their ends; each is read through once.

    `numpy.fromfile`, by which the libraries of some formats read, can give what happened to be in the memory where the
    disk does not read, without an error. What is read here comes from the system's cache the second time.

    Raises:
        UnreadableFileError: one cannot; the message says from which byte on.
    """
    for path in paths:
        done = 0
        for size in (_BLOCK, _PAGE):  # where a block is not read, the page is looked for
            try:
                with path.open("rb", buffering=0) as handle:
                    handle.seek(done)
                    while block := handle.read(size):
                        done += len(block)
                break
            except OSError as error:
                if size == _PAGE:
                    raise UnreadableFileError(
                        f"the disk does not read the file from byte {done} on",
                        file=path,
                        got=error.strerror,
                        mend="Copy it again, or from a backup.",
                    ) from error


@contextmanager
def hushed(logger: str) -> Iterator[list[str]]:
    """Keep a library's warnings off the screen; yields the list that they are collected in."""
    said: list[str] = []

    class _Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(" ".join(record.getMessage().split()))

    log = logging.getLogger(logger)
    handler, before = _Collect(level=logging.WARNING), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
        said += [
            " ".join(str(one.message).split()) for one in caught if not issubclass(one.category, DeprecationWarning)
        ]
    finally:
        log.removeHandler(handler)
        log.propagate = before
