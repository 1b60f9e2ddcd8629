"""Why a session failed: in words, and whether the machine was the reason or the session itself."""

from __future__ import annotations

import errno
from typing import Literal

from data_schemas.causes import NO_RIGHT, NO_SPACE, lies_in_machine
from data_schemas.errors import TelltaleError

Cause = Literal["", "machine", "session"]
"""What a failure lies in: the machine's room, rights, memory or network, or the session's own files and settings."""


class OtherProgramError(TelltaleError, RuntimeError):
    """A worker runs another version of the program than the batch."""


class NoSpaceError(TelltaleError, OSError):
    """No space is left to write what a batch knows of its sessions."""


def cause_of(error: BaseException) -> Cause:
    """Whether a failure lies in the machine, so that the same run may succeed once that is mended, or in the session.

    What a library's error was made into ours from counts too.
    """
    return "machine" if isinstance(error, OtherProgramError) or lies_in_machine(error) else "session"


def is_no_space(error: BaseException) -> bool:
    """Whether the system refused to write because there is no room."""
    return isinstance(error, OSError) and error.errno in NO_SPACE


def words(error: BaseException) -> str:
    """Why something failed, in one line with the mend."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, TelltaleError):
        return " ".join(text.split())
    where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    number = error.errno if isinstance(error, OSError) else None
    if number in NO_SPACE:
        return f"no space is left to write{where}. Make room and run again: finished steps are kept."
    if number in NO_RIGHT:
        return f"permission denied{where}. Give yourself the right to it, or name another folder."
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return "the memory was not enough. Run again with fewer jobs (-j)."
    return f"{type(error).__name__}: {' '.join(text.split())}"
