"""Whether what went wrong lies in the machine, so that the same run may succeed once that is mended."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from data_schemas.errors import MissingExtraError, WorkerDiedError

_ERRORS = (MemoryError, TimeoutError, ConnectionError, WorkerDiedError, MissingExtraError)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
_NUMBERS = {
    *NO_SPACE, *NO_RIGHT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.ETIMEDOUT,
    errno.EBUSY, errno.EAGAIN, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE,
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.EBADMSG,
    *(getattr(errno, name) for name in ("EHOSTDOWN", "EREMOTEIO", "EUCLEAN") if hasattr(errno, name)),
}  # fmt: skip


def lies_in_machine(error: BaseException) -> bool:
    """Whether an error, or what it was raised from, is one of the machine: of its room, rights, memory or network."""
    return any(isinstance(one, _ERRORS) or _number(one) in _NUMBERS for one in _chain(error))


def _number(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__
