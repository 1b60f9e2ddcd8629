"""From a device's clock to that of the recording computer, by the clock offsets of an XDF stream, with resets.

LSL measures every few seconds by how much the clock of a stream's computer lags behind the recorder's (Kothe et al.
2025, "The lab streaming layer for synchronized multimodal recording"). Between two resets both clocks run evenly, so a
straight line fitted robustly takes out the network's delays; a reset begins a new line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

STEP_S = 0.1
"""A step of the offset by more than this, and ten times its noise, is a reset."""
_BACK_S = 1.0
_MOST_DRIFT = 5e-4
_DRIFT_PRIOR = 1e-4
"""Clocks of computers differ by tens of parts per million; a few offsets close together say less than that."""
_FLOOR_S = 1e-4
"""Delays that differ by direction do not show in the offsets; no offset is surer than this."""


@dataclass(frozen=True, eq=False)
class OffsetLine:
    """One segment of a clock: `lsl = own + offset_s + drift * (own - anchor_s)`.

    Attributes:
        start_s: First offset measured, own time.
        end_s: Last one.
        anchor_s: Own time at which `offset_s` holds.
        offset_s: LSL time of the recording computer minus own time, at the anchor.
        drift_ppm: How much faster the recording computer counts, parts per million.
        ci95_s: Half width of the 95 % interval of the offset at the anchor.
        drift_ci95_ppm: Half width of that of the drift.
        times_s: When offsets were measured, own time, shape (k,).
        residuals_s: What each offset says more than the line, shape (k,).
    """

    start_s: float
    end_s: float
    anchor_s: float
    offset_s: float
    drift_ppm: float
    ci95_s: float
    drift_ci95_ppm: float
    times_s: Floats
    residuals_s: Floats

    def offset_at(self, own_s: Floats) -> Floats:
        """What is to be added to own times, seconds, shape as given."""
        return self.offset_s + self.drift_ppm * 1e-6 * (own_s - self.anchor_s)

    @property
    def spread_s(self) -> float:
        """Robust standard deviation of the residuals, seconds."""
        return 1.4826 * float(np.median(np.abs(self.residuals_s)))


def clock_lines(times_s: ArrayLike, values_s: ArrayLike) -> list[OffsetLine]:
    """Straight lines through clock offsets, one from each reset to the next.

    Args:
        times_s: When they were measured, on the stream's own clock, in the order of the file.
        values_s: The offsets, same shape (k,).

    Returns:
        At least one line; none for no offsets. Lone offsets far off the rest are left out.
    """
    times, values = np.asarray(times_s, np.float64), np.asarray(values_s, np.float64)
    return [_fit(times[group], values[group]) for group in _groups(times, values)]


def _groups(times: Floats, values: Floats) -> list[NDArray[np.int64]]:
    """Indices between resets."""
    if not len(times):
        return []
    elapsed, steps = np.diff(times), np.diff(values)
    ahead = elapsed > 0
    slope = float(np.clip(np.median(steps[ahead] / elapsed[ahead]), -_MOST_DRIFT, _MOST_DRIFT)) if ahead.any() else 0.0
    odd = steps - slope * elapsed
    noise = 1.4826 * float(np.median(np.abs(odd - np.median(odd)))) if len(odd) else 0.0
    limit = max(STEP_S, 10 * noise)
    cuts = np.flatnonzero((np.abs(odd) > limit) | (elapsed < -_BACK_S)) + 1
    groups = [np.asarray(group, np.int64) for group in np.split(np.arange(len(times)), cuts)]
    at = 1
    while 0 < at < len(groups) - 1:
        before, after = groups[at - 1][-1], groups[at + 1][0]
        apart = values[after] - values[before] - slope * (times[after] - times[before])
        if len(groups[at]) <= 2 and times[after] > times[before] and abs(apart) <= limit:
            groups[at - 1 : at + 2] = [np.r_[groups[at - 1], groups[at + 1]]]
        else:
            at += 1
    return groups


def _fit(times: Floats, values: Floats) -> OffsetLine:
    """Weighted least squares with Huber's weights, and a prior on the drift."""
    anchor = float(times.mean())
    x = times - anchor
    weights, noise = np.ones(len(x)), _FLOOR_S
    offset, drift = float(np.median(values)), 0.0
    covariance = np.diag([_FLOOR_S**2, _DRIFT_PRIOR**2])
    for _ in range(30):
        residuals = values - offset - drift * x
        spare = len(x) - 2
        spread = 1.4826 * float(np.median(np.abs(residuals))) if spare > 0 else 0.0
        noise = max(_FLOOR_S, spread * float(np.sqrt(len(x) / max(1, spare))))
        weights = np.minimum(1.0, 1.5 * noise / np.maximum(np.abs(residuals), 1e-12))
        design = np.stack([np.ones(len(x)), x])
        normal = (design * weights) @ design.T / noise**2 + np.diag([0.0, 1 / _DRIFT_PRIOR**2])
        covariance = np.linalg.inv(normal)
        found = covariance @ ((design * weights) @ values / noise**2)
        moved = abs(found[0] - offset) + abs(found[1] - drift) * (np.ptp(x) if len(x) > 1 else 0)
        offset, drift = float(found[0]), float(found[1])
        if moved < 1e-9:
            break
    error, drift_error = np.sqrt(np.diag(covariance))
    return OffsetLine(
        start_s=float(times.min()),
        end_s=float(times.max()),
        anchor_s=anchor,
        offset_s=offset,
        drift_ppm=drift * 1e6,
        ci95_s=float(np.hypot(1.96 * error, _FLOOR_S)),
        drift_ci95_ppm=float(1.96e6 * drift_error),
        times_s=times,
        residuals_s=values - offset - drift * x,
    )


def to_recorder(stamps_s: Floats, lines: Sequence[OffsetLine]) -> tuple[Floats, list[tuple[int, int, OffsetLine]]]:
    """Time stamps on the recording computer's clock.

    Args:
        stamps_s: Own time stamps in the order of the file, shape (n,).
        lines: From `clock_lines`.

    Returns:
        LSL times (n,), and (first sample, last sample, line) of each line that has any samples.
    """
    out = np.asarray(stamps_s, np.float64).copy()
    spans: list[tuple[int, int, OffsetLine]] = []
    first = 0
    for at, line in enumerate(lines):
        end = len(out)
        if at + 1 < len(lines):
            end = first + _cut(out[first:], line, lines[at + 1])
        if end > first:
            spans.append((first, end - 1, line))
            first = end
    mapped = out.copy()
    for a, b, line in spans:
        mapped[a : b + 1] = out[a : b + 1] + line.offset_at(out[a : b + 1])
    return mapped, spans


def _cut(stamps: Floats, line: OffsetLine, after: OffsetLine) -> int:
    """How many stamps belong to a line rather than to the one after it: where they jump as the offset does."""
    if len(stamps) < 2:
        near = np.abs(stamps - line.end_s) <= np.abs(stamps - after.start_s)
        return int(near.sum())
    jump = after.offset_s - line.offset_s
    steps = np.diff(stamps)
    jumps = np.flatnonzero(np.abs(steps - np.median(steps)) > 0.25 * abs(jump)) + 1
    if len(jumps):
        far = np.abs(stamps[jumps - 1] - line.end_s) + np.abs(stamps[jumps] - after.start_s)
        best = int(np.argmin(far))
        here = np.abs(stamps[jumps[best]] - line.end_s), np.abs(stamps[jumps[best]] - after.start_s)
        if here[1] <= here[0]:
            return int(jumps[best])
    near = np.abs(stamps - line.end_s) <= np.abs(stamps - after.start_s)
    return len(stamps) if near.all() else int(np.argmin(near))
