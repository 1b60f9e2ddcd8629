"""Where the eyes look relative to the head, and when they jump.

The iris is carried by an eyeball of 12 mm radius (Bekerman, Gottlieb & Vaiman 2014) whose centres are about 63 mm apart
(Dodgson 2004), so that its place between the corners of the eye gives the angle. What counts as straight ahead is where
this person mostly looks: the camera's own place is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array, to_s
from modalities.face.models import FloatArray

EYEBALL = 19.0
"""Radius of the eyeball, percent of the inter-ocular distance."""
MESH_GAIN = (0.65, 0.35)
"""Share of an iris's way, sideways and up or down, by which the mesh's own iris follows it: measured on the simulated
faces of the "train" family, whose eyes `synthesis.gaze.turn_eyes` turned by 6 to 25 degrees. Behind glasses it is less.
"""
MOST_DEG = 45.0
"""Eyes turn no farther than this in the head (Lee et al. 2019)."""
OPEN = 0.5
"""Of an eye that is less open than this share of its usual opening, the iris is not seen well enough."""
FIXATION_S = 0.18
"""What is compared before and after a jump; fixations last 0.15 s and more (Salthouse & Ellis 1980)."""
JUMP_S = 0.08
"""Time that is left out for the jump itself: saccades of up to 20 degrees last 0.08 s at most (Bahill et al. 1975)."""
LEAST_DEG = 6.0
NOISY, CALM_PERCENT = 7.0, 30.0
"""A jump is at least `LEAST_DEG`, and at least so many times this percentile of the differences."""


@dataclass(frozen=True, slots=True)
class GazeShift:
    """One jump of the eyes, times in ns; `yaw_deg` to the person's left and `pitch_deg` up say by how much."""

    onset_ns: int
    apex_ns: int
    offset_ns: int
    yaw_deg: float
    pitch_deg: float

    @property
    def size_deg(self) -> float:
        """Angle between the directions before and after, roughly."""
        return float(np.hypot(self.yaw_deg, self.pitch_deg))

    @property
    def direction(self) -> str:
        """Where to, in words: "left", "right" (the person's own), "up" or "down"."""
        if abs(self.yaw_deg) >= abs(self.pitch_deg):
            return "left" if self.yaw_deg > 0 else "right"
        return "up" if self.pitch_deg > 0 else "down"


def gaze_angles(
    iris: FloatArray, opening: FloatArray, judged: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Direction of the eyes relative to the head.

    Args:
        iris: Place of the irises in their eyes, percent of the inter-ocular distance, (frames, 2, 2): right and left by
            along (to the person's left) and up.
        opening: Relative opening of the right and left eye, (frames, 2).
        judged: Frames that can be used, (frames,).

    Returns:
        Yaw (to the person's left) and pitch (up) in degrees, (frames, 2), 0 where not known; and where they are known,
        (frames,): judged, and at least one eye open.
    """
    seen = (opening >= OPEN) & judged[:, None]
    known = np.asarray(seen.any(axis=1))
    if not known.any():
        return np.zeros((len(iris), 2)), known
    usual = np.stack(
        [np.median(iris[seen[:, eye], eye], axis=0) if seen[:, eye].any() else np.zeros(2) for eye in (0, 1)]
    )
    share = np.clip((iris.astype(np.float64) - usual) / MESH_GAIN / EYEBALL, -1, 1)
    angles = np.degrees(np.arcsin(share))
    weight = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    return np.clip((angles * weight[:, :, None]).sum(axis=1), -MOST_DEG, MOST_DEG), known


def find_gaze_shifts(times_ns: Int64Array, angles: FloatArray, known: NDArray[np.bool_]) -> list[GazeShift]:
    """Jumps of the eyes from one place to another, however the camera's rate.

    A jump is a place where the mean direction just after differs most from the mean just before; blinks and stretches
    where the gaze is not known are bridged if they are short, so that a jump behind a blink counts once.

    Args:
        times_ns: Frame times, (frames,), increasing.
        angles: From `gaze_angles`, (frames, 2).
        known: From `gaze_angles`, (frames,).
    """
    from scipy.signal import find_peaks

    rows = np.flatnonzero(known)
    if len(rows) < 3:
        return []
    times_s, values = to_s(times_ns[rows] - times_ns[0]), angles[rows]
    total = np.vstack([np.zeros(2), np.cumsum(values, axis=0)])

    def mean_between(start_s: FloatArray, end_s: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
        first, last = np.searchsorted(times_s, start_s - 1e-6), np.searchsorted(times_s, end_s + 1e-6)
        return (total[last] - total[first]) / np.maximum(last - first, 1)[:, None], last - first

    before, some = mean_between(times_s - JUMP_S / 2 - FIXATION_S, times_s - JUMP_S / 2)
    after, more = mean_between(times_s + JUMP_S / 2, times_s + JUMP_S / 2 + FIXATION_S)
    step = np.where(((some > 0) & (more > 0))[:, None], after - before, 0.0)
    size = np.linalg.norm(step, axis=1)
    least = max(LEAST_DEG, NOISY * float(np.percentile(size, CALM_PERCENT)))
    period_s = max(1e-3, float(np.median(np.diff(times_s))))
    peaks, _ = find_peaks(size, height=least, distance=max(1, round(FIXATION_S / period_s)))
    out: list[GazeShift] = []
    for peak in peaks.tolist():
        way = step[peak] / size[peak]
        near = (times_s >= times_s[peak] - JUMP_S - period_s) & (times_s <= times_s[peak] + JUMP_S + period_s)
        share = ((values[near] - before[peak]) @ way) / size[peak]
        at = np.flatnonzero(near)
        first = at[np.flatnonzero(share <= 0.1)[-1]] if (share <= 0.1).any() else at[0]
        done = at[(share >= 0.9) & (at > first)]
        last = done[0] if len(done) else at[-1]
        onset, offset = (
            int(times_ns[rows[first]]),
            int(times_ns[rows[max(last, first + 1) if first + 1 < len(rows) else last]]),
        )
        if offset <= onset:
            offset = onset + round(period_s * NS_PER_S)
        apex = min(max(int(times_ns[rows[peak]]), onset), offset)
        out.append(GazeShift(onset, apex, offset, float(step[peak, 0]), float(step[peak, 1])))
    return out
