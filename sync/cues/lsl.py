"""LSL clock offsets: how sure the common time of two streams of Lab Streaming Layer recordings is.

A reader of XDF applies the clock offsets, so streams of one recording computer share one clock already. What is left is
how well: this cue turns the residuals of the offsets into an interval, and says where clocks were reset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import to_ns
from sync.estimate import Estimate

Floats = NDArray[np.float64]

FEW = 3
BENT = 3.0


class ClockLine(Protocol):
    """One segment of a device's clock; `modalities.readers.xdf_clock.OffsetLine` is the implementation."""

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
