"""The clocks of the simulated devices: each starts when it likes and runs a little fast or slow.

The convention is the manifest's: session = (1 + drift) * device + offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_schemas.errors import InvalidValueError
from pipeline.simulate.chance import between, generator
from pipeline.simulate.profiles import Curve
from sync.clock import ClockMap

LATEST_START = 0.075
"""A device may miss at most this share of the session at its start: half of the baseline."""
JITTER_S = 0.0008


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """One device's clock, and the stretch in which the device records.

    Attributes:
        offset_s: Session time of the device's time zero.
        drift_ppm: How much slow the device runs, parts per million.
        start_s: Session time at which it starts to record.
        end_s: Session time at which it stops.
    """

    offset_s: float
    drift_ppm: float
    start_s: float
    end_s: float

    def to_session(self, device_s: Curve) -> Curve:
        """Device seconds to session seconds, same shape."""
        return np.asarray(device_s) * (1 + self.drift_ppm * 1e-6) + self.offset_s

    def to_device(self, session_s: Curve) -> Curve:
        """Session seconds to device seconds, same shape."""
        return (np.asarray(session_s) - self.offset_s) / (1 + self.drift_ppm * 1e-6)

    def map(self) -> ClockMap:
        """The map from the device's clock to the session clock."""
        return ClockMap.affine(self.offset_s, self.drift_ppm)

    def samples(self, rate_hz: float) -> Curve:
        """Device times of the samples of a regular recording: multiples of the period within start and end."""
        first, last = self.to_device(np.array([self.start_s, self.end_s]))
        return np.arange(np.ceil(round(first * rate_hz, 6)), np.floor(last * rate_hz) + 1) / rate_hz

    def frames(self, rate_hz: float, rng: np.random.Generator) -> Curve:
        """Device times of a camera's pictures: regular but for a jitter of about 0.8 ms, the first at about 0."""
        ideal = self.samples(rate_hz)
        ideal = ideal[ideal >= 0]
        jitter = np.clip(JITTER_S * rng.standard_normal(len(ideal)), -3 * JITTER_S, 3 * JITTER_S)
        return np.maximum(ideal + np.where(ideal > 0, jitter, 0.0), 0.0)

    def seen(self, session_s: Curve) -> Curve:
        """Device times of those moments that the device records."""
        inside = (session_s > self.start_s + 0.05) & (session_s < self.end_s - 0.1)
        return self.to_device(session_s[inside])


DEVICES = ("physio", "recorder", "camera", "body_camera")
FURTHER_CAMERAS = ("nir_camera", "depth_camera")


def draw_clocks(seconds: float, seed: int, max_offset_s: float = 5.0) -> dict[str, DeviceClock]:
    """One clock per device: offsets within +-`max_offset_s`, drifts within +-100 ppm.

    No device starts later than half the baseline. The physiology recorder always starts before the session, on a clock
    that may have run before; video and sound files count from their first sample.

    Args:
        seconds: Length of the session.
        seed: Of the session.
        max_offset_s: Greatest offset, >= 0.5.

    Raises:
        InvalidValueError: `max_offset_s` below 0.5.
    """
    if not np.isfinite(max_offset_s) or max_offset_s < 0.5:
        raise InvalidValueError("the greatest clock offset is too small", got=max_offset_s, expected=">= 0.5 s")
    rng = generator(seed, "clocks")
    late = min(max_offset_s, LATEST_START * seconds)
    clocks = {}
    for device in DEVICES:
        drift = round(between(rng, -100, 100), 3)
        early = round(between(rng, 0.5, min(max_offset_s, 4.0)), 6)
        offset = round(between(rng, -max_offset_s, -0.5 if device == "physio" else late), 6)
        start = max(offset, -early) if device == "physio" else offset
        clocks[device] = DeviceClock(offset, drift, start, seconds + round(between(rng, 0.4, 1.5), 3))
    return clocks


def draw_further_clocks(
    clocks: Mapping[str, DeviceClock], seconds: float, seed: int, max_offset_s: float = 5.0
) -> dict[str, DeviceClock]:
    """Clocks of `FURTHER_CAMERAS`; none of them records before or after all those that there are already.

    Args:
        clocks: From `draw_clocks` with the same arguments.
        seconds: Length of the session.
        seed: Of the session.
        max_offset_s: Greatest offset.
    """
    rng = generator(seed, "clocks of further cameras")
    first, last = min(c.start_s for c in clocks.values()), max(c.end_s for c in clocks.values())
    out = {}
    for device in FURTHER_CAMERAS:
        drift = round(between(rng, -100, 100), 3)
        offset = round(between(rng, first, min(max_offset_s, LATEST_START * seconds)), 6)
        out[device] = DeviceClock(offset, drift, offset, round(between(rng, seconds + 0.4, last), 3))
    return out
