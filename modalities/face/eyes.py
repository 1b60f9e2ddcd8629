"""The eyes: how far they are open, and blinks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array, to_s
from modalities.face.models import FloatArray
from modalities.face.regions import EYES, IRIS_CENTRES, LIDS

CLOSED = 0.2
"""A closed eye still reads as this share of the open one: landmarks of the two lids never meet."""
BLINK_S = (0.05, 0.5)
"""Shortest and longest blink; longer closures are closed eyes (Caffier, Erdmann & Ullsperger 2003)."""
MIN_CLOSURE = 0.3
"""A blink closes the eyes at least this far at its apex; video at 25 fps often misses the moment of full closure."""
EDGE = 0.15
"""A blink begins and ends where closure passes this share of its apex."""
RATE_WINDOW_S, RATE_LEAST_S = 60.0, 10.0

_SIDES = ("right", "left")
_CORNERS = np.array([EYES[side] for side in _SIDES])
_LIDS = np.array([LIDS[side] for side in _SIDES])


@dataclass(frozen=True, slots=True)
class Blink:
    """One blink, times in ns; `closure` 0..1 is how far the eyes closed at the apex."""

    onset_ns: int
    apex_ns: int
    offset_ns: int
    closure: float

    @property
    def duration_s(self) -> float:
        """Onset to offset."""
        return float(to_s(self.offset_ns - self.onset_ns))


def lid_heights(frontal: FloatArray) -> FloatArray:
    """Height of upper and lower lid over the line between the corners of the eye.

    Args:
        frontal: Landmarks in the face's axes, (478, 2), any unit; the answer has the same.

    Returns:
        (2, 2): right and left eye by upper and lower lid; positive is up.
    """
    outer, inner = frontal[_CORNERS[:, 0]], frontal[_CORNERS[:, 1]]
    along = inner - outer
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1) / np.linalg.norm(along, axis=1, keepdims=True)
    across *= np.sign(across[:, 1:])
    lids = frontal[_LIDS].mean(axis=1)
    return np.einsum("slx,sx->sl", lids - outer[:, None], across)


def iris_offsets(frontal: FloatArray) -> FloatArray:
    """Place of each iris relative to the middle between the corners of its eye.

    Args:
        frontal: Landmarks in the face's axes, (478, 2), any unit; the answer has the same.

    Returns:
        (2, 2): right and left eye by along the line between the corners (to the person's left) and across it (up).
    """
    outer, inner = frontal[_CORNERS[:, 0]], frontal[_CORNERS[:, 1]]
    along = inner - outer
    along = along * np.sign(along[:, :1]) / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
    away = frontal[list(IRIS_CENTRES)] - (outer + inner) / 2
    return np.stack([(away * along).sum(axis=1), (away * across).sum(axis=1)], axis=-1)


def measure_opening(lids: FloatArray, judged: NDArray[np.bool_]) -> FloatArray:
    """Eye opening relative to the person's open eyes.

    Args:
        lids: Heights of upper and lower lid, (frames, 2, 2), any unit.
        judged: Frames that can be used, (frames,).

    Returns:
        (frames, 2): right and left; 1 is the open eye (70th percentile over the session), near `CLOSED` is closed; >=
        0.
    """
    gap = np.maximum(lids[:, :, 0] - lids[:, :, 1], 0)
    if not judged.any():
        return np.zeros_like(gap)
    return gap / np.maximum(np.percentile(gap[judged], 70, axis=0), 1e-6)


def closure_of(opening: FloatArray) -> FloatArray:
    """Closure 0 (open) to 1 (closed) from relative opening, same shape."""
    return np.clip((1 - opening) / (1 - CLOSED), 0, 1)


def find_blinks(times_ns: Int64Array, closure: FloatArray, judged: NDArray[np.bool_]) -> list[Blink]:
    """Blinks in the closure of both eyes together.

    The threshold adapts to how restlessly this person's lids lie when open: three times the spread of closure around
    its median, at least `MIN_CLOSURE`.

    Args:
        times_ns: Frame times, (frames,), increasing.
        closure: Mean closure of both eyes, 0..1, (frames,).
        judged: Frames that can be used, (frames,); a blink never reaches over others.
    """
    from scipy.signal import find_peaks

    if judged.sum() < 3:
        return []
    level = np.where(judged, closure, 0.0)
    rest = float(np.median(closure[judged]))
    spread = 1.4826 * float(np.median(np.abs(closure[judged] - rest)))
    least = min(0.7, max(MIN_CLOSURE, rest + 3 * spread))
    peaks, _ = find_peaks(level, height=least, prominence=0.6 * least, plateau_size=1)
    out: list[Blink] = []
    for peak in peaks.tolist():
        edge = rest + max(EDGE * (level[peak] - rest), min(2 * spread, 0.5 * (level[peak] - rest)))
        first, last = _walk(level, judged, peak, edge, -1), _walk(level, judged, peak, edge, +1)
        onset, offset = int(times_ns[first]), int(times_ns[last])
        if not BLINK_S[0] <= to_s(offset - onset) <= BLINK_S[1] or (out and onset < out[-1].offset_ns):
            continue
        out.append(Blink(onset, int(times_ns[peak]), offset, float(level[peak])))
    return out


def _walk(level: FloatArray, judged: NDArray[np.bool_], peak: int, edge: float, step: int) -> int:
    """First frame from the peak on, in this direction, at which the level is down at the edge."""
    at = peak
    while 0 <= at + step < len(level) and judged[at + step]:
        at += step
        if level[at] <= edge:
            break
    return at


def blink_rate(
    times_ns: Int64Array, blinks: list[Blink], judged: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Blinks per minute over the trailing `RATE_WINDOW_S`.

    Returns:
        Rate (frames,), and where it is known: where at least `RATE_LEAST_S` of the window were observed.
    """
    n = len(times_ns)
    if n < 2:
        return np.zeros(n), np.zeros(n, bool)
    steps = np.minimum(np.diff(times_ns, prepend=times_ns[0]), NS_PER_S // 2)
    seen_s = np.cumsum(np.where(judged, to_s(steps), 0.0))
    start = np.searchsorted(times_ns, times_ns - int(RATE_WINDOW_S * NS_PER_S))
    observed = seen_s - seen_s[start]
    apexes = np.array([blink.apex_ns for blink in blinks], dtype=np.int64)
    count = np.searchsorted(apexes, times_ns, side="right") - np.searchsorted(apexes, times_ns[start])
    known = observed >= RATE_LEAST_S
    return np.where(known, 60 * count / np.maximum(observed, 1.0), 0.0), known


def blink_duration(times_ns: Int64Array, blinks: list[Blink]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Mean duration in seconds of the blinks that peaked in the trailing `RATE_WINDOW_S`.

    Returns:
        Duration (frames,), and where it is known: where there was such a blink.
    """
    apexes = np.array([blink.apex_ns for blink in blinks], dtype=np.int64)
    total = np.r_[0.0, np.cumsum([blink.duration_s for blink in blinks])]
    last = np.searchsorted(apexes, times_ns, side="right")
    first = np.searchsorted(apexes, times_ns - int(RATE_WINDOW_S * NS_PER_S))
    count = last - first
    return (total[last] - total[first]) / np.maximum(count, 1), count > 0
