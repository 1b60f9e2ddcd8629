"""Every error that Telltale raises on purpose: what happened, where, and what to do about it."""

from __future__ import annotations

_LONGEST = 1000


class TelltaleError(Exception):
    """Base of all Telltale errors; its text names the file, the stream, the time and the mend.

    Args:
        what: What happened, one clause without a full stop.
        file: The file concerned, if any.
        stream: The stream of the manifest concerned, if any.
        time_s: When in that stream, in seconds, if known.
        got: What was found.
        expected: What would have been accepted.
        mend: What the user can do.
    """

    def __init__(
        self,
        what: str,
        *,
        file: object = None,
        stream: str | None = None,
        time_s: float | None = None,
        got: object = None,
        expected: object = None,
        mend: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.file = None if file is None else str(file)
        self.stream = stream
        self.time_s = time_s
        self.got = got
        self.expected = expected
        self.mend = mend

    def __str__(self) -> str:
        where = []
        if self.file is not None:
            where.append(f"file {self.file}")
        if self.stream is not None:
            where.append(f"stream '{self.stream}'")
        if self.time_s is not None:
            where.append(f"at {self.time_s:.3f} s")
        text = self.what + (f" ({', '.join(where)})" if where else "")
        if self.got is not None:
            text += f"; got {_short(self.got)}"
        if self.expected is not None:
            text += f"; expected {_short(self.expected)}"
        return text + (f". {self.mend}" if self.mend else "")


def _short(value: object) -> str:
    """A value in words; of a list of hundreds of columns the beginning."""
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


class InvalidValueError(TelltaleError, ValueError):
    """A value that its type does not allow: a negative duration, times that go backwards."""


class ManifestError(TelltaleError, ValueError):
    """The session manifest is missing, malformed or contradicts itself."""


class MissingFileError(TelltaleError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class UnreadableFileError(TelltaleError, OSError):
    """A file is there but cannot be read as what it claims to be: empty, truncated, mislabelled."""


class MissingTrackError(TelltaleError, LookupError):
    """The file has no such track or column."""


class ClockError(TelltaleError, ValueError):
    """Streams on different clocks were mixed, or a clock map does not cover a time."""


class ConsentError(TelltaleError, PermissionError):
    """The manifest records no consent for what was asked."""


class EncoderOutputError(TelltaleError, TypeError):
    """An encoder returned something that its own spec does not declare."""


class NothingUsableError(TelltaleError, RuntimeError):
    """A command was left without a single usable input."""


class WorkerDiedError(TelltaleError, RuntimeError):
    """A worker process ended in the middle of its work: nothing was wrong with the call, mostly memory ran out."""


class MissingExtraError(TelltaleError, ImportError):
    """An optional part is not installed."""
