"""LSL clock offsets: how sure the common time of two streams of Lab Streaming Layer recordings is.

A reader of XDF applies the clock offsets, so streams of one recording computer share one clock already. What is left is
how well: this cue turns the residuals of the offsets into an interval, and says where clocks were reset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Stream
from data_schemas.time import Int64Array, to_ns
from sync.clock import ClockMap, Segment
from sync.estimate import Estimate

Floats = NDArray[np.float64]

UNKNOWN_S = 0.005
"""Half width for a stream whose clock offsets are not known: streams of the recording computer need none."""
SAME_START_S = 60.0
"""Two recordings whose LSL zero fell on the same wall-clock time to within this come from one computer."""
FEW = 3
BENT = 3.0


class ClockLine(Protocol):
    """One segment of a device's clock; `modalities.readers.xdf_clock.OffsetLine` is the implementation."""

    @property
    def start_s(self) -> float:
        """First offset measured, own time."""

    @property
    def anchor_s(self) -> float:
        """Own time at which `offset_s` holds."""

    @property
    def offset_s(self) -> float:
        """LSL time minus own time at the anchor."""

    @property
    def drift_ppm(self) -> float:
        """How much faster LSL time counts."""

    @property
    def ci95_s(self) -> float:
        """Half width of the 95 % interval of the offset."""

    @property
    def drift_ci95_ppm(self) -> float:
        """Half width of that of the drift."""

    @property
    def times_s(self) -> Floats:
        """When offsets were measured, own time, (k,)."""

    @property
    def residuals_s(self) -> Floats:
        """What each says more than the line, (k,)."""


def estimates(own: str, lines: Sequence[ClockLine], against: str = "LSL") -> list[Estimate]:
    """From a device's own clock to LSL time, one estimate for each segment between resets.

    Args:
        own: Name of the stream.
        lines: Its segments, in the order of the recording.
        against: Name of the other clock.
    """
    return [
        Estimate(
            method="lsl",
            own=own,
            against=against,
            anchor_ns=to_ns(line.anchor_s),
            offset_s=line.offset_s,
            ci95_s=line.ci95_s,
            drift_ppm=line.drift_ppm,
            drift_ci95_ppm=line.drift_ci95_ppm,
            times_ns=to_ns(np.asarray(line.times_s, np.float64)),
            residuals_s=line.residuals_s,
            warnings=doubts(own, [line]),
        )
        for line in lines
    ]


def clock_map(lines: Sequence[ClockLine]) -> ClockMap:
    """From a device's own clock to LSL time, one segment for each line.

    Raises:
        ClockError: a reset set the clock back, so that its times mean two moments; or there are no lines.
    """
    starts = [line.start_s for line in lines]
    if not lines or np.any(np.diff(starts) <= 0):
        raise ClockError(
            "the clock was set back by a reset: its times cannot be told apart",
            got=[f"{start:.1f} s" for start in starts] or "no clock offsets",
            mend="Use the stream as the reader gives it, with its clock offsets applied.",
        )
    return ClockMap(
        tuple(
            Segment(
                to_ns(line.start_s), to_ns(line.anchor_s), to_ns(line.anchor_s + line.offset_s), line.drift_ppm * 1e-6
            )
            for line in lines
        )
    )


def doubts(name: str, lines: Sequence[ClockLine]) -> tuple[str, ...]:
    """What makes the clock of a stream less than sure, in words."""
    said = []
    if len(lines) > 1:
        said.append(f"the clock of '{name}' was reset {len(lines) - 1} time{'s' if len(lines) > 2 else ''}")
    few = min((len(line.times_s) for line in lines), default=0)
    if lines and few < FEW:
        said.append(f"a stretch of '{name}' rests on {few} clock offset{'s' if few != 1 else ''}")
    for line in lines:
        course, noise = _course(line.residuals_s)
        if course > max(1e-3, BENT * noise):
            said.append(f"the drift of '{name}' changes: the straight line is off by up to {course * 1e3:.1f} ms")
    return tuple(said)


def _course(residuals: Floats) -> tuple[float, float]:
    """How far residuals leave zero for several in a row, and their noise from one to the next, seconds."""
    if len(residuals) < 15:
        return 0.0, 0.0
    smooth = [float(np.median(part)) for part in np.array_split(residuals, len(residuals) // 5)]
    noise = 1.4826 * float(np.median(np.abs(np.diff(residuals)))) / np.sqrt(2)
    return float(np.max(np.abs(smooth))), noise


@dataclass(frozen=True)
class LslEvidence:
    """Compares streams that were recorded through the Lab Streaming Layer.

    Attributes:
        lines: Segments of the clock of each stream, by its name (`modalities.readers.xdf.clock_of`).
    """

    lines: Mapping[str, Sequence[ClockLine]] = field(default_factory=dict)
    method: str = "lsl"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """Offset 0 with the interval and the residuals that the clock offsets of both leave.

        Raises:
            ClockError: the streams were recorded by different computers, or not through LSL at all.
        """
        self._check(own, against)
        errors, warnings = [], []
        drift_errors: list[float] = []
        for stream in (own, against):
            lines = self.lines.get(stream.info.name, ())
            if not lines:
                warnings.append(f"the clock offsets of '{stream.info.name}' are not known")
            warnings += doubts(stream.info.name, lines)
            errors.append(max((line.ci95_s for line in lines), default=UNKNOWN_S))
            drift_errors += [line.drift_ci95_ppm for line in lines]
        times, residuals = self._residuals(own)
        span = own.support.extent
        middle = (span.start_ns + span.end_ns) // 2 if span is not None else 0
        return Estimate(
            method=self.method,
            own=own.info.name,
            against=against.info.name,
            anchor_ns=middle,
            offset_s=0.0,
            ci95_s=float(np.hypot(errors[0], errors[1])),
            drift_ci95_ppm=float(np.sqrt(np.sum(np.square(drift_errors)))) if drift_errors else None,
            times_ns=times,
            residuals_s=residuals,
            warnings=tuple(warnings),
        )

    def _residuals(self, own: Stream) -> tuple[Int64Array, Floats]:
        lines = self.lines.get(own.info.name, ())
        if not lines:
            return np.zeros(0, np.int64), np.zeros(0)
        times = [
            line.times_s + line.offset_s + 1e-6 * line.drift_ppm * (line.times_s - line.anchor_s) for line in lines
        ]
        return to_ns(np.concatenate(times)), np.concatenate([line.residuals_s for line in lines])

    def _check(self, own: Stream, against: Stream) -> None:
        for stream in (own, against):
            if not all(file.lower().endswith((".xdf", ".xdfz", ".xdf.gz")) for file in stream.info.files or ("",)):
                raise ClockError(
                    "only streams of XDF recordings share LSL time",
                    stream=stream.info.name,
                    got=", ".join(stream.info.files) or "no file",
                    mend="Compare it by another kind of evidence.",
                )
        if set(own.info.files) & set(against.info.files):
            return
        zeros = [stream.info.wall_start for stream in (own, against)]
        known = [zero for zero in zeros if zero is not None]
        apart = abs((known[0] - known[1]).total_seconds()) if len(known) == 2 and _alike(known) else None
        if apart is None or apart > SAME_START_S:
            why = (
                "nothing says that they come"
                if apart is None
                else f"their LSL zeros lie {apart:.0f} s apart, so they do not come"
            )
            raise ClockError(
                f"the streams were recorded in different files, and {why} from one computer",
                stream=own.info.name,
                mend="Relate their clocks by shared events, sound or motion, or state an offset.",
            )


def _alike(zeros: Sequence[object]) -> bool:
    return len({getattr(zero, "tzinfo", None) is None for zero in zeros}) == 1
