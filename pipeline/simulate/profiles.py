"""Curves over time that scripts are made of: smooth rises and falls, and slow wandering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Profile:
    """Rise, hold and fall of one movement; both flanks are raised cosines, so speed is continuous.

    Attributes:
        onset_s: Session time at which it leaves 0.
        apex_s: Reaches 1.
        release_s: Begins to fall; equal to the apex where there is no hold.
        offset_s: Back at 0.

    Raises:
        InvalidValueError: the four times are out of order.
    """

    onset_s: float
    apex_s: float
    release_s: float
    offset_s: float

    def __post_init__(self) -> None:
        if not self.onset_s < self.apex_s <= self.release_s < self.offset_s:
            raise InvalidValueError(
                "a movement needs onset < apex <= release < offset",
                time_s=self.onset_s,
                got=(self.onset_s, self.apex_s, self.release_s, self.offset_s),
            )

    @property
    def duration_s(self) -> float:
        """Onset to offset."""
        return self.offset_s - self.onset_s

    def __call__(self, times_s: Curve) -> Curve:
        """Value 0..1 at session times, same shape."""
        nodes = (self.onset_s, self.apex_s, self.release_s, self.offset_s)
        ramp = np.interp(times_s, nodes if self.release_s > self.apex_s else (nodes[0], nodes[1], nodes[3]),
                         (0, 1, 1, 0) if self.release_s > self.apex_s else (0, 1, 0))  # fmt: skip
        return 0.5 - 0.5 * np.cos(np.pi * ramp)

    def overlaps(self, start_s: float, end_s: float, margin_s: float = 0.0) -> bool:
        """Whether it comes closer than `margin_s` to [start_s, end_s)."""
        return self.onset_s - margin_s < end_s and start_s < self.offset_s + margin_s


@dataclass(frozen=True, slots=True)
class SlowCurve:
    """Band-limited wandering within -1..1: a sum of sinusoids whose weights sum to 1.

    Attributes:
        frequencies_hz: One per component.
        phases: Radians.
        weights: Positive, summing to 1.
    """

    frequencies_hz: tuple[float, ...]
    phases: tuple[float, ...]
    weights: tuple[float, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, high_hz: float, components: int = 5) -> SlowCurve:
        """A random curve without power above `high_hz`."""
        weights = rng.uniform(0.3, 1.0, components)
        return cls(
            tuple(rng.uniform(0.08 * high_hz, high_hz, components).tolist()),
            tuple(rng.uniform(0, 2 * np.pi, components).tolist()),
            tuple((weights / weights.sum()).tolist()),
        )

    def __call__(self, times_s: Curve) -> Curve:
        """Value -1..1 at session times, same shape."""
        out = np.zeros(np.shape(times_s))
        for frequency, phase, weight in zip(self.frequencies_hz, self.phases, self.weights, strict=True):
            out += weight * np.sin(2 * np.pi * frequency * np.asarray(times_s) + phase)
        return out
