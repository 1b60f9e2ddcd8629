"""Steps of a two-level signal: found by the difference of neighbouring means, placed by least squares."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sync.samples import Floats, Sliced, pieces

Bools = NDArray[np.bool_]

_NOISE = 7.0
"""A step must exceed this many standard deviations of the differences of means."""
_CLEAR = 12.0
"""The search for a longer stretch stops where the steps exceed this many standard deviations."""
_FEW, _CLEAR_OF_FEW = 6, 10.0
"""Fewer edges than this must be clearer still: chance has many places to look like one pulse."""
_TAIL = 5.0
"""Differences from here on are counted: many of them below the steps mean heavy-tailed noise, not two levels."""
_SMALLEST = 0.4
"""Steps below this share of the usual height are none."""
_LONGEST_S = 0.2
_MERGE_S = 0.05
_PLATEAU_S = 0.03


@dataclass(frozen=True, slots=True)
class Edge:
    """One step.

    Attributes:
        position: Where, in samples; 10.5 lies halfway between samples 10 and 11.
        before: Level just before, in the signal's unit.
        after: Level just after.
        blind: The step lies in a gap of the data, so that its moment is not known.
    """

    position: float
    before: float
    after: float
    blind: bool = False

    @property
    def sign(self) -> int:
        """1 for a rise, -1 for a fall."""
        return 1 if self.after > self.before else -1

    @property
    def height(self) -> float:
        """Signed height."""
        return self.after - self.before

    def refined(self, x: Sliced, centre: int, reach: int) -> Edge:
        """The same step placed in `x`, within `reach` samples of sample `centre`."""
        position, _ = place(x, self.before, self.after, centre - reach, centre + reach)
        return replace(self, position=position)


def place(x: Sliced, before: float, after: float, low: int, high: int) -> tuple[float, int]:
    """Position of the step between two levels by least squares over x[low:high], and the first sample after it.

    Between the two samples around the change point the crossing of the half height is interpolated.
    """
    low, high = max(0, low), min(len(x), high)
    side = (x[low:high] - (before + after) / 2) * (1 if after > before else -1)
    change = low + int(np.argmin(np.r_[0.0, np.cumsum(side)]))
    if not 0 < change < len(x):
        return change - 0.5, change
    left, right = x[change - 1 : change + 1]
    share = ((before + after) / 2 - left) / (right - left) if right != left else 0.5
    return change - 1 + float(np.clip(share, 0.0, 1.0)), change


def find_edges(x: Floats, rate_hz: float, blind: Bools, shortest: int = 1) -> list[Edge]:
    """The steps of a signal with two levels, in order; none for a flat signal or noise.

    Args:
        x: Samples, shape (n,).
        rate_hz: Samples per second.
        blind: Shape (n - 1,): True where samples i and i + 1 lie on the two sides of a gap.
        shortest: Least number of samples to average over; more than 1 where the noise is known to be correlated.
    """
    floor = quantum_noise(x)
    best: tuple[float, list[tuple[int, int]], int] | None = None
    for length in _lengths(len(x), rate_hz, shortest):
        score, regions = _regions(x, length, floor)
        if regions and (best is None or score > best[0]):
            best = (score, regions, length)
        if best is not None and best[0] >= _CLEAR:
            break
    if best is None:
        return []
    _, regions, length = best
    return _measure(x, _merge(regions, x, round(_MERGE_S * rate_hz)), length, rate_hz, blind)


def _lengths(n: int, rate_hz: float, shortest: int) -> list[int]:
    """Stretches to average over, in samples: doubling, and whole periods of mains hum; at least 20 must fit."""
    doubling = [2**k for k in range(16)]
    mains = [max(1, round(s * rate_hz)) for s in (1 / 60, 1 / 50, 0.1)]
    fitting = [m for m in sorted({*doubling, *mains}) if m <= _LONGEST_S * rate_hz and m * 20 <= n]
    return [m for m in fitting if m >= shortest] if shortest > 1 else fitting or [1]


def quantum_noise(x: Floats) -> float:
    """Standard deviation that the converter's last bit alone gives; 0 for a clean signal of few values.

    Few values that keep leaving for a single sample are a last bit that flickers, not pulses.
    """
    return noise_of_values(np.unique(x), x)


def noise_of_values(values: Floats, x: Sliced) -> float:
    """`quantum_noise` of a signal whose distinct values, shape (k,), are known and in order."""
    if len(values) < 2:
        return 0.0
    quantum = float(np.diff(values).min())
    if len(values) > 8:
        return 0.3 * quantum
    changes = twice = 0
    for low, high in pieces(len(x) - 1):
        changed = np.diff(x[low : high + 2]) != 0
        changes += int(changed[: high - low].sum())
        twice += int((changed[1:] & changed[:-1]).sum())
    flickers = changes > len(x) / 100 and changes > 1 and twice / (changes - 1) > 0.3
    return 0.5 * quantum if flickers else 0.0


def _regions(x: Floats, length: int, floor: float) -> tuple[float, list[tuple[int, int]]]:
    """Stretches of boundaries (first, last) in which a step lies, and their usual height over the noise."""
    total = np.r_[0.0, np.cumsum(x)]
    n = len(x)
    size, sign = np.empty(n - 2 * length + 1), np.empty(n - 2 * length + 1, np.int8)
    for low, high in pieces(len(size)):
        before, here, after = (total[low + k * length : high + k * length] for k in range(3))
        jump = (after - 2 * here + before) / length
        size[low:high], sign[low:high] = np.abs(jump), np.sign(jump)
    thinned = size[:: max(1, len(size) // 200_000)]
    noise = max(float(np.quantile(thinned, 0.25)) / 0.3186, floor / np.sqrt(length / 2))
    unsure = (1 + 4 / np.sqrt(n / length)) * noise
    threshold = _TAIL * unsure + 1e-9 * float(size.max())
    sign[size <= threshold] = 0
    starts = np.flatnonzero((sign != 0) & np.r_[True, sign[:-1] != sign[1:]])
    if not len(starts) or len(starts) > max(8, n // 4):
        return 0.0, []
    ends = np.flatnonzero((sign != 0) & np.r_[sign[:-1] != sign[1:], True])
    peaks = np.maximum.reduceat(size, np.c_[starts, ends + 1].ravel()[: 2 * len(starts) - (ends[-1] + 1 == len(size))])
    peaks = peaks[::2]
    loud = peaks >= _NOISE * unsure
    if not loud.any():
        return 0.0, []
    usual = _usual(peaks[loud])
    kept = loud & (peaks >= _SMALLEST * usual)
    if np.sum(~kept) > 0.5 * np.sum(kept) or (np.sum(kept) < _FEW and usual < _CLEAR_OF_FEW * unsure):
        return 0.0, []
    regions = [(int(a) + length, int(b) + length) for a, b in zip(starts[kept], ends[kept], strict=True)]
    return usual / max(noise, 1e-12 * usual), regions


def _usual(peaks: Floats) -> float:
    """Median height, weighted by its root so that many small steps and a few huge ones do not decide."""
    ordered = np.sort(peaks)
    weights = np.cumsum(np.sqrt(ordered))
    return float(ordered[np.searchsorted(weights, weights[-1] / 2)])


def _merge(regions: list[tuple[int, int]], x: Floats, reach: int) -> list[tuple[int, int]]:
    """One region for a slow edge that was found in pieces: neighbours of the same direction, closer than `reach`."""
    merged: list[tuple[int, int]] = []
    signs: list[bool] = []
    for first, last in regions:
        rises = bool(x[min(len(x) - 1, last)] > x[max(0, first - 1)])
        if merged and signs[-1] == rises and first - merged[-1][1] <= reach:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
            signs.append(rises)
    return merged


def _measure(x: Floats, regions: list[tuple[int, int]], length: int, rate_hz: float, blind: Bools) -> list[Edge]:
    """Levels around each region and the exact place of its step; too small ones are dropped."""
    plateau = max(2 * length, round(_PLATEAU_S * rate_hz), 3)
    edges = []
    for which, (first, last) in enumerate(regions):
        # The window of the means makes a region wider than its edge by up to one length on each side.
        start, stop = first - 1, last + 1
        if last - first > length:
            start, stop = first + length // 2 - 1, last - length // 2 + 1
        before_from = regions[which - 1][1] - length // 2 if which else 0
        after_to = regions[which + 1][0] + length // 2 if which + 1 < len(regions) else len(x)
        before = x[max(before_from, start - plateau, 0) : max(start, before_from + 1, 1)]
        after = x[min(stop, after_to - 1, len(x) - 1) : min(after_to, stop + plateau)]
        if not len(before) or not len(after):
            continue
        low, high = float(np.median(before)), float(np.median(after))
        if low == high:
            continue
        reach_low = max(before_from, first - length) if which else first - length
        reach_high = min(after_to, last + length + 1)
        position, change = place(x, low, high, reach_low, reach_high)
        unseen = bool(0 < change < len(x) and blind[change - 1])
        edges.append(Edge(position, low, high, unseen))
    heights = np.array([abs(edge.height) for edge in edges])
    usual = _usual(heights) if len(edges) else 0.0
    return [edge for edge in edges if abs(edge.height) >= _SMALLEST * usual]
