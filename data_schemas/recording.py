"""A recording before synchronisation and a session after it: different types, so that they cannot be mistaken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_schemas.errors import ClockError
from data_schemas.intervals import Interval
from data_schemas.result import Problem, SyncReport
from data_schemas.session import Manifest
from data_schemas.stream import Stream

SESSION_CLOCK = "session"


@dataclass(frozen=True, eq=False)
class Recording:
    """What was read: every stream on the clock of its own device.

    Attributes:
        manifest: What was recorded.
        root: The session folder; paths in the manifest are below it.
        streams: Streams that could be opened, by name, in order of the manifest, none of them mapped.
        problems: What could not be read, and what the readers repaired.

    Raises:
        ClockError: a stream has been mapped to another clock already.
    """

    manifest: Manifest
    root: Path
    streams: dict[str, Stream]
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        for name, stream in self.streams.items():
            if stream.time_map is not None:
                raise ClockError("a recording holds streams on their own clocks", stream=name, got=stream.info.clock)


@dataclass(frozen=True, eq=False)
class Session:
    """The same streams on one clock, "session", whose zero is the zero of the reference clock.

    Attributes:
        manifest: What was recorded.
        root: The session folder.
        streams: Streams by name, in order of the manifest, all on clock "session".
        extent: Union of the streams' supports, first to last moment; may start below 0.
        sync: How each stream came to the session clock, and how well.
        problems: Those of the recording, and those of synchronisation.

    Raises:
        ClockError: a stream is on another clock.
    """

    manifest: Manifest
    root: Path
    streams: dict[str, Stream]
    extent: Interval
    sync: SyncReport
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        for name, stream in self.streams.items():
            if stream.info.clock != SESSION_CLOCK:
                raise ClockError(
                    "a session holds streams on the session clock",
                    stream=name,
                    got=stream.info.clock,
                    expected=SESSION_CLOCK,
                    mend="Use sync.align.synchronize.",
                )
