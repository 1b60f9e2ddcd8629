"""Reference spotter: a specific pattern over several scales.

After Zhang, Li, Wang, Duan, Yan, Xie & Huang, "Spatio-temporal fusion for macro- and micro-expression spotting in
long video sequences" (2020): the motion of each region of interest over time is filtered at several scales, and what
looks like an expression - a rise, an apex, a fall - is sought in it; findings of all regions and scales are fused
last.

Our reading: the motion is that of the face path's regions, in percent of the inter-ocular distance, eyes left out.
The pattern is a raised cosine of the length of an expression with the mean of as long a time around it taken off, so
that drift and held poses cancel; lengths are 0.12 to 3.2 s in steps of about 1.6. A region's response is how high a
bump of this length stands there. Fused are the three regions of the strongest response. A peak over time and scale
counts from 1 % of the inter-ocular distance on, and from three times the usual response at that scale; of two that
overlap by more than 0.3 the lower one is dropped,
and so is what a bump leaves in the rim of the pattern beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array, to_s
from modalities.face.models import FloatArray
from modalities.face.regions import EYE, NAMES
from modalities.face.spotting.bands import even_times, judged_runs, resample
from modalities.face.spotting.base import MICRO_S, Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.differences import describe

LENGTHS_S = (0.12, 0.2, 0.32, 0.5, 0.8, 1.3, 2.0, 3.2)
STRONGEST = 3
LEAST_PERCENT, TIMES_USUAL = 1.0, 3.0
MOST_OVERLAP = 0.3
SHADOW = 0.6
"""A bump leaves up to this share of its height on either side of it, where the pattern's rim lies on it."""
_SKIN = [at for at, name in enumerate(NAMES) if name not in EYE]


@dataclass(frozen=True, slots=True)
class _Bump:
    level: float
    apex_ns: int
    length_ns: int

    def overlap(self, other: _Bump) -> float:
        """Intersection over union in time."""
        first, second = self.apex_ns - self.length_ns / 2, other.apex_ns - other.length_ns / 2
        last, end = self.apex_ns + self.length_ns / 2, other.apex_ns + other.length_ns / 2
        return max(0.0, (min(last, end) - max(first, second)) / (max(last, end) - min(first, second)))

    def shadowed(self, height: float, other: _Bump, other_height: float) -> bool:
        """Whether this one may be what a higher one leaves in the pattern's rim."""
        near = abs(self.apex_ns - other.apex_ns) < self.length_ns / 2 + other.length_ns
        return near and height < SHADOW * other_height


class PatternSpotter:
    """Peaks of the pattern's response over time and scale."""

    name = "pattern"

    def reducer(self) -> Reducer | None:
        """Needs nothing but the signals."""
        return None

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        for rows in judged_runs(signals.times_ns, signals.judged, least_s=MICRO_S):
            times = signals.times_ns[rows]
            even = even_times(times)
            rate = (len(even) - 1) / to_s(int(even[-1] - even[0]))
            motion = resample(signals.motion[rows][:, _SKIN].reshape(len(rows), -1), times, even)
            height = pattern_heights(motion, rate)
            level = height / np.maximum(LEAST_PERCENT, TIMES_USUAL * np.median(height, axis=0))
            most = level.max(axis=1, initial=0)
            evidence[rows] = resample((most / (1 + most))[:, None], even, times)[:, 0]
            for bump in _bumps(height, level, even):
                kind: Literal["micro", "macro"] = "micro" if bump.length_ns <= MICRO_S * NS_PER_S else "macro"
                half = bump.length_ns // 2
                moments = max(int(even[0]), bump.apex_ns - half), bump.apex_ns, min(int(even[-1]), bump.apex_ns + half)
                found.append(describe(kind, moments, bump.level / (1 + bump.level), signals))
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


def pattern_heights(motion: FloatArray, rate_hz: float) -> FloatArray:
    """Response of the pattern, (m, lengths), in units of the motion; 0 where it is longer than there is signal for.

    Args:
        motion: Evenly sampled, x and y of each region side by side, percent of the inter-ocular distance,
            (m, 2 regions).
        rate_hz: Samples per second.
    """
    from scipy.ndimage import correlate1d

    out = np.zeros((len(motion), len(LENGTHS_S)))
    for at, length_s in enumerate(LENGTHS_S):
        pattern = bump_pattern(length_s * rate_hz)
        if len(pattern) > len(motion) or length_s * rate_hz < 3:
            continue
        response = correlate1d(motion, pattern, axis=0, mode="nearest")
        size = np.linalg.norm(response.reshape(len(motion), -1, 2), axis=2)
        out[:, at] = np.sort(size, axis=1)[:, -STRONGEST:].mean(axis=1)
    return out


def bump_pattern(samples: float) -> NDArray[np.float64]:
    """Weights whose product with a raised cosine of height 1 and this length is 1, and with a straight line 0.

    Args:
        samples: Length of the bump; the weights are twice as many.
    """
    half = max(2, round(samples))
    at = np.arange(-half, half + 1) / samples
    bump = np.where(np.abs(at) < 0.5, (1 + np.cos(2 * np.pi * at)) / 2, 0.0)
    pattern = bump - bump.mean()
    return pattern / float(pattern @ bump)


def _bumps(height: FloatArray, level: FloatArray, times: Int64Array) -> list[_Bump]:
    """Peaks over time and scale that pass the threshold, strongest first, without doubles and shadows."""
    from scipy.ndimage import maximum_filter

    tops = np.argwhere((level >= 1) & (height == maximum_filter(height, size=(3, 3), mode="constant")))
    kept: list[_Bump] = []
    kept_heights: list[tuple[_Bump, float]] = []
    for row, column in sorted(tops.tolist(), key=lambda one: -height[one[0], one[1]]):
        one = _Bump(float(level[row, column]), int(times[row]), round(LENGTHS_S[column] * NS_PER_S))
        tall = float(height[row, column])
        if not any(one.overlap(other) > MOST_OVERLAP or one.shadowed(tall, other, by) for other, by in kept_heights):
            kept.append(one)
            kept_heights.append((one, tall))
    return kept
