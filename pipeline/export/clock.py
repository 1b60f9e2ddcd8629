"""The times of an exported file: how its seconds relate to the session clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.time import NS_PER_S, Int64Array, to_s

FORMULA = "session_s = zero_s + (1 + drift_ppm / 1e6) * file_s"
_MOST_S, _MOST_PPM = 4e9, 10_000.0
"""A clock that is read is no farther away, and no more wrong: the times on it still count in nanoseconds."""


@dataclass(frozen=True, slots=True)
class FileClock:
    """The clock that a file's times are on.

    Attributes:
        name: "session", or the stream whose medium the times follow.
        zero_ns: Session time of the file's time 0, ns.
        drift_ppm: How much slow the medium runs against the session clock, parts per million.
    """

    name: str = "session"
    zero_ns: int = 0
    drift_ppm: float = 0.0

    def of_session(self, session_ns: Int64Array | int) -> Int64Array:
        """Times in the file, int64 ns, of session times; same shape."""
        since = np.asarray(session_ns, dtype=np.int64) - self.zero_ns
        if not self.drift_ppm:
            return since
        return since - np.rint(since * (self.drift_ppm / (1e6 + self.drift_ppm))).astype(np.int64)

    def to_session(self, file_ns: Int64Array | int) -> Int64Array:
        """Session times, int64 ns, of times in the file; same shape."""
        inside = np.asarray(file_ns, dtype=np.int64)
        stretched = inside + np.rint(inside * (self.drift_ppm / 1e6)).astype(np.int64) if self.drift_ppm else inside
        return stretched + self.zero_ns

    def seconds(self, session_ns: int) -> float:
        """Seconds in the file of one session time."""
        return int(self.of_session(session_ns)) / NS_PER_S

    def as_dict(self) -> dict[str, Any]:
        """What goes into the file, JSON-serialisable; `of_dict` reads it back."""
        return {"clock": self.name, "zero_s": to_s(self.zero_ns), "drift_ppm": self.drift_ppm, "formula": FORMULA}

    @classmethod
    def of_dict(cls, said: Any) -> FileClock:
        """The clock that a file written by Telltale carries.

        Raises:
            UnreadableFileError: it lacks a name, a zero or a drift, or one of them is impossible.
        """
        try:
            zero_s, drift_ppm = float(said["zero_s"]), float(said["drift_ppm"])
            if not abs(zero_s) <= _MOST_S or not abs(drift_ppm) <= _MOST_PPM:
                raise ValueError("no clock is so far away, or so wrong")
            return cls(str(said["clock"]), round(zero_s * NS_PER_S), drift_ppm)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UnreadableFileError(
                "what the file says of its clock cannot be understood", got=str(said)[:200], expected=FORMULA
            ) from error
