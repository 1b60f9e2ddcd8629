"""Clock maps: piecewise-affine functions from one clock's time to another's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_schemas.errors import InvalidValueError
from data_schemas.time import Int64Array, to_ns, to_s


@dataclass(frozen=True, slots=True)
class Segment:
    """One affine piece: `target = anchor_target + (source - anchor_source) * (1 + drift)`.

    Attributes:
        start_ns: First source time for which the piece holds.
        source_ns: Anchor on the source clock; drift is counted from it, so that large times lose no precision.
        target_ns: The same moment on the target clock.
        drift: Relative rate difference, dimensionless (1e-6 is 1 ppm), above -1.
    """

    start_ns: int
    source_ns: int
    target_ns: int
    drift: float = 0.0


class ClockMap:
    """A strictly increasing, piecewise-affine map of times between two clocks.

    Before the first segment its line is continued backwards, after the last one forwards.

    Args:
        segments: At least one, by increasing `start_ns`.

    Raises:
        InvalidValueError: no segment, starts out of order, a drift of -1 or less, or a piece that would go backwards.
    """

    def __init__(self, segments: tuple[Segment, ...]) -> None:
        if not segments:
            raise InvalidValueError("a clock map needs at least one segment")
        if any(not np.isfinite(s.drift) or s.drift <= -1 for s in segments):
            raise InvalidValueError("a clock cannot run backwards", got=[s.drift for s in segments])
        self.segments = segments
        self._starts = np.array([s.start_ns for s in segments], dtype=np.int64)
        self._source = np.array([s.source_ns for s in segments], dtype=np.int64)
        self._target = np.array([s.target_ns for s in segments], dtype=np.int64)
        self._drift = np.array([s.drift for s in segments])
        if np.any(np.diff(self._starts) <= 0):
            raise InvalidValueError("segments of a clock map must start one after the other")
        self._target_starts = self._apply(self._starts, np.arange(len(segments)))
        before = self._apply(self._starts[1:] - 1, np.arange(len(segments) - 1))
        if np.any(before >= self._target_starts[1:]):
            at = int(np.flatnonzero(before >= self._target_starts[1:])[0]) + 1
            raise InvalidValueError(
                "a clock map would go backwards where a segment begins",
                time_s=to_s(int(self._starts[at])),
                got=f"{to_s(int(self._target_starts[at])):.6f} s after {to_s(int(before[at - 1])):.6f} s",
            )

    @classmethod
    def affine(cls, offset_s: float = 0.0, drift_ppm: float = 0.0) -> ClockMap:
        """`target = source * (1 + drift) + offset`."""
        return cls((Segment(0, 0, to_ns(offset_s), drift_ppm * 1e-6),))

    def _apply(self, times: Int64Array, which: Int64Array) -> Int64Array:
        delta = times - self._source[which]
        return self._target[which] + delta + np.rint(delta * self._drift[which]).astype(np.int64)

    def __call__(self, times_ns: Int64Array) -> Int64Array:
        """Times on the target clock, int64 ns, same shape."""
        times = np.asarray(times_ns, dtype=np.int64)
        return self._apply(times, np.clip(np.searchsorted(self._starts, times, side="right") - 1, 0, None))

    def inverse(self, times_ns: Int64Array) -> Int64Array:
        """Times on the source clock, exact to 1 ns; inside a jump, the start of the later segment."""
        times = np.asarray(times_ns, dtype=np.int64)
        which = np.clip(np.searchsorted(self._target_starts, times, side="right") - 1, 0, None)
        delta = times - self._target[which]
        out = (
            self._source[which]
            + delta
            - np.rint(delta * self._drift[which] / (1 + self._drift[which])).astype(np.int64)
        )
        ends = np.r_[self._starts[1:], np.iinfo(np.int64).max]
        return np.minimum(out, ends[which])

    def offset_s_at(self, time_ns: int) -> float:
        """Target minus source, seconds, at a source time."""
        return to_s(int(self(np.array([time_ns]))[0]) - int(time_ns))

    def drift_ppm_at(self, time_ns: int) -> float:
        """Drift in parts per million at a source time."""
        which = max(0, int(np.searchsorted(self._starts, time_ns, side="right")) - 1)
        return float(self._drift[which] * 1e6)

    def then(self, after: ClockMap) -> ClockMap:
        """The map that applies self first and `after` second, exact to a few ns."""
        cuts = self._first_reaching(after._starts[1:])
        starts = np.unique(np.r_[self._starts, cuts])
        if len(cuts) and cuts[0] == starts[0]:
            starts = np.r_[starts[0] - 1, starts]
        pieces: list[Segment] = []
        for start in starts.tolist():
            here = max(0, int(np.searchsorted(self._starts, start, side="right")) - 1)
            middle = self(np.array([start]))
            there = max(0, int(np.searchsorted(after._starts, middle[0], side="right")) - 1)
            drift = (1 + self._drift[here]) * (1 + after._drift[there]) - 1
            target = int(after(middle)[0])
            if pieces:
                target = max(target, int(ClockMap((pieces[-1],))(np.array([start - 1]))[0]) + 1)
            pieces.append(Segment(start, start, target, float(drift)))
        return ClockMap(tuple(pieces))

    def _first_reaching(self, targets: Int64Array) -> Int64Array:
        """The first source times that are mapped to these target times or later."""
        around = self.inverse(targets)[:, None] + np.arange(-4, 5)
        reached = self(around.ravel()).reshape(around.shape) >= targets[:, None]
        return around[np.arange(len(targets)), np.argmax(reached, axis=1)]

    def __repr__(self) -> str:
        parts = [
            f"from {to_s(s.start_ns):.3f} s: {s.drift * 1e6:+.2f} ppm, {self.offset_s_at(s.start_ns):+.4f} s"
            for s in self.segments
        ]
        return f"ClockMap({'; '.join(parts)})"
