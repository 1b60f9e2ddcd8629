"""What one piece of evidence says about two clocks: the common result of every cue in `sync/cues/`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError, InvalidValueError
from data_schemas.stream import Stream
from data_schemas.time import Int64Array, to_ns
from sync.clock import ClockMap, Segment

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Agreement by lag, for the figure of a report.

    Attributes:
        lags_s: Lags, seconds, increasing, shape (k,).
        score: Agreement at each lag, shape (k,).
        label: What the score is, with its unit ("normalised correlation").
    """

    lags_s: Floats
    score: Floats
    label: str


@dataclass(frozen=True, eq=False)
class Estimate:
    """How the clocks of two streams relate: `against = own + offset_s + drift * (own - anchor)`.

    Attributes:
        method: Name of the cue ("markers", "sound", "motion", "ltc", "flash", "frame_index",
            "wall", "lsl", "pairs", "pulse", "lips").
        own: Name of the stream, or file, whose clock is mapped.
        against: Name of the stream on whose clock it is mapped.
        anchor_ns: Time on the own clock at which `offset_s` holds: the middle of what was measured.
        offset_s: Against-time minus own time at the anchor, seconds.
        ci95_s: Half width of the 95 % interval of the offset at the anchor, seconds, > 0.
        drift_ppm: How much faster the other clock counts, parts per million; 0 where it was not measured.
        drift_ci95_ppm: Half width of its 95 % interval; None where drift was not measured.
        times_ns: Own times of the single measurements, int64 (k,).
        residuals_s: What each measurement says more than the line, seconds, (k,).
        confidence: 0..1, chance that the offset is the right one and not another peak or rival match.
        warnings: What makes it less than sure, one sentence each.
        curve: Agreement by lag, where the cue has one.
        unmatched: Events of the own stream without a partner, where the cue matches events.
        exact: The map itself where the cue knows it sample by sample; the line is then only its summary.
    """

    method: str
    own: str
    against: str
    anchor_ns: int
    offset_s: float
    ci95_s: float
    drift_ppm: float = 0.0
    drift_ci95_ppm: float | None = None
    times_ns: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))
    residuals_s: Floats = field(default_factory=lambda: np.zeros(0))
    confidence: float = 1.0
    warnings: tuple[str, ...] = ()
    curve: Curve | None = None
    unmatched: int = 0
    exact: ClockMap | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.offset_s) and np.isfinite(self.ci95_s) and self.ci95_s > 0):
            raise InvalidValueError(
                "an estimate needs a finite offset and interval", got=f"{self.offset_s} +- {self.ci95_s} s"
            )
        if not 0 <= self.confidence <= 1:
            raise InvalidValueError("confidence lies between 0 and 1", got=self.confidence)

    @property
    def clock_map(self) -> ClockMap:
        """The map from own to against times."""
        if self.exact is not None:
            return self.exact
        target = self.anchor_ns + to_ns(self.offset_s)
        return ClockMap((Segment(self.anchor_ns, self.anchor_ns, target, self.drift_ppm * 1e-6),))

    @property
    def rms_s(self) -> float | None:
        """Root mean square of the residuals, seconds; None without any, and where the map is exact."""
        return float(np.sqrt(np.mean(self.residuals_s**2))) if len(self.residuals_s) and self.exact is None else None

    @property
    def max_s(self) -> float | None:
        """Largest absolute residual, seconds; None without any, and where the map is exact."""
        return float(np.abs(self.residuals_s).max()) if len(self.residuals_s) and self.exact is None else None

    def reversed(self) -> Estimate:
        """The same seen from the other clock; of an exact map only its line."""
        turned = replace(self, exact=None).clock_map
        rate = 1 + self.drift_ppm * 1e-6
        return replace(
            self,
            own=self.against,
            against=self.own,
            anchor_ns=int(turned(np.array([self.anchor_ns], np.int64))[0]),
            offset_s=-self.offset_s,
            drift_ppm=(1 / rate - 1) * 1e6,
            times_ns=turned(self.times_ns),
            residuals_s=-self.residuals_s,
            exact=None,
        )

    def named(self, own: str, against: str) -> Estimate:
        """The same about streams of these names."""
        return replace(self, own=own, against=against)


class LagFinding(Protocol):
    """What a body says of two clocks: `sync.cues.pulse_lag.PulseFinding`, `sync.cues.lips.LipsFinding`."""

    @property
    def weak(self) -> str:
        """Why nothing is claimed; "" where the rest holds."""

    @property
    def offset_s(self) -> float:
        """As in `Estimate`."""

    @property
    def ci95_s(self) -> float:
        """As in `Estimate`."""

    @property
    def confidence(self) -> float:
        """As in `Estimate`."""

    @property
    def curve(self) -> Curve:
        """As in `Estimate`."""

    @property
    def times_ns(self) -> Int64Array:
        """As in `Estimate`; at least one."""

    @property
    def residuals_s(self) -> Floats:
        """As in `Estimate`."""


def estimate_of_lag(method: str, found: LagFinding, names: tuple[str, str], who: str, better: str) -> Estimate:
    """A finding as an estimate about two streams, its anchor at the middle measurement.

    Args:
        method: As in `Estimate`.
        found: From the cue.
        names: Of the own stream and of the other.
        who: What says nothing where the finding claims nothing ("the lips say"), for the message.
        better: The recording that would do, for the message.

    Raises:
        ClockError: the finding claims nothing.
    """
    if found.weak:
        raise ClockError(
            f"{who} nothing of the clocks: {found.weak}",
            stream=names[0],
            mend=f"Use another kind of evidence for this pair, or {better}.",
        )
    return Estimate(
        method=method,
        own=names[0],
        against=names[1],
        anchor_ns=int(found.times_ns[len(found.times_ns) // 2]),
        offset_s=found.offset_s,
        ci95_s=found.ci95_s,
        times_ns=found.times_ns,
        residuals_s=found.residuals_s,
        confidence=found.confidence,
        curve=found.curve,
    )


class Evidence(Protocol):
    """A cue: what two streams share. Each module of `sync/cues/` has one, a small frozen object with its settings."""

    @property
    def method(self) -> str:
        """Its name, as in `Estimate.method` and in the manifest."""

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """How the own stream's clock relates to the other's, from what both recorded.

        Raises:
            ClockError: the streams share nothing of the kind, or are of kinds that cannot show it; the message says
                which and what to do.
        """
