"""What the frame times of a video say: frames that are missing, and a rate in the header that the sound contradicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array

COMMON_HZ = (
    5, 7.5, 10, 12, 12.5, 15, 20, 24_000 / 1001, 24, 25, 30_000 / 1001, 30, 48, 50, 60_000 / 1001, 60,
    90, 100, 120_000 / 1001, 120, 200, 240_000 / 1001, 240,
)  # fmt: skip
"""Rates that cameras are set to, frames per second."""
_COMMON = 0.01
_AROUND = 15
_HOLE = 1.5
_ENDS_S = 0.25
"""Sound and pictures of one file rarely begin and end on the same instant: by how much their lengths may differ."""


@dataclass(frozen=True, eq=False)
class Holes:
    """Distances between neighbours that are too long.

    Attributes:
        after: Index of the frame before each hole, int64 (k,).
        missing: Frames that would have filled it, int64 (k,).
    """

    after: Int64Array
    missing: Int64Array

    @property
    def dropped(self) -> int:
        """Frames missing in all."""
        return int(self.missing.sum())


@dataclass(frozen=True, slots=True)
class WrongLength:
    """A video that is longer or shorter than its sound, by more than ends that do not match can explain.

    Attributes:
        length_s: From the first frame to the end of the last by the file's own times, seconds.
        sound_s: From the first frame to the end of the sound, seconds.
        stated_hz: Frames per second by the file's own times, dropped ones counted.
        true_hz: Frames per second over the length of the sound; a common rate where one explains the difference.
        common: `true_hz` is a rate that cameras are set to; else one of the two may have been cut off.
    """

    length_s: float
    sound_s: float
    stated_hz: float
    true_hz: float
    common: bool

    @property
    def sentence(self) -> str:
        """For the notes of the stream."""
        lengths = f"the video lasts {self.length_s:.2f} s, the sound {self.sound_s:.2f} s"
        if not self.common:
            return (
                f"{lengths}: one of them was cut off, or its frames come at {self.true_hz:.3f} per second and not "
                f"{self.stated_hz:.3f}"
            )
        ratio = self.length_s / self.sound_s
        factor, way = (ratio, "long") if ratio > 1 else (1 / ratio, "short")
        return (
            f"the header says {self.stated_hz:.2f} frames per second, {self.true_hz:.2f} fits: {lengths}, so the video "
            f"is {factor:.3f} times too {way}"
        )


def usual_periods(times_ns: Int64Array) -> NDArray[np.float64]:
    """The distance that neighbours usually have around each pair of frames, ns, shape (n - 1,).

    A median over 31 distances, so that a camera that slows down in the dark has no holes.
    """
    steps = np.diff(times_ns).astype(np.float64)
    if len(steps) <= 2 * _AROUND + 1:
        return np.full(len(steps), np.median(steps) if len(steps) else 0.0)
    padded = np.r_[steps[_AROUND:0:-1], steps, steps[-2 : -_AROUND - 2 : -1]]
    out = np.empty(len(steps))
    for first in range(0, len(steps), 65_536):
        views = np.lib.stride_tricks.sliding_window_view(padded[first : first + 65_536 + 2 * _AROUND], 2 * _AROUND + 1)
        out[first : first + len(views)] = np.median(views, axis=1)
    return out


def find_holes(times_ns: Int64Array) -> Holes:
    """Where frames are missing: distances of more than one and a half usual periods.

    A frame that merely came late is followed, or preceded, by a distance that is too short by as much, and is no hole.

    Args:
        times_ns: Frame times, increasing, int64 (n,).
    """
    steps, usual = np.diff(times_ns).astype(np.float64), usual_periods(times_ns)
    missing = np.where(steps > _HOLE * usual, np.rint(steps / np.maximum(usual, 1)) - 1, 0)
    if len(steps) >= 3:
        around, known = (np.convolve(part, np.ones(3), "valid") for part in (steps, missing))
        spare = np.rint(around / np.maximum(usual[1:-1], 1)) - 3 - (known - missing[1:-1])
        missing[1:-1] = np.clip(spare, 0, missing[1:-1])
    after = np.flatnonzero(missing > 0)
    return Holes(after, missing[after].astype(np.int64))


def check_length(times_ns: Int64Array, end_ns: int, sound_end_ns: int) -> WrongLength | None:
    """Hold the length of a video against that of its sound.

    Frames are counted and sound is sampled by different clocks: where the two end apart, the rate in the header is
    not the true one, or one of them was cut off.

    Args:
        times_ns: Frame times in the file, increasing, int64 (n,).
        end_ns: Where the last frame ends.
        sound_end_ns: Where the sound ends.

    Returns:
        None where the lengths agree, and where a length is 0.
    """
    if len(times_ns) < 2:
        return None
    length_s, sound_s = ((end - int(times_ns[0])) / NS_PER_S for end in (end_ns, sound_end_ns))
    slack_s = _ENDS_S + 2 * float(np.median(np.diff(times_ns))) / NS_PER_S
    if length_s <= 0 or sound_s <= 0 or abs(length_s - sound_s) <= slack_s:
        return None
    frames = len(times_ns) + find_holes(times_ns).dropped
    stated, true = frames / length_s, frames / sound_s
    # Another common rate has to leave at most half of the difference: 29.97 explains nothing that 30 does not.
    near = min(_COMMON, slack_s / sound_s, abs(stated / true - 1) / 2)
    fitting = [rate for rate in COMMON_HZ if abs(rate / true - 1) <= near]
    # 30 and 29.97 both fit a short recording: a camera that counts in whole numbers goes on to do so.
    in_full = _in_full(stated)
    best = min(fitting or [true], key=lambda rate: (_in_full(rate) != in_full, abs(rate / true - 1)))
    return WrongLength(length_s, sound_s, stated, float(best), bool(fitting))


def _in_full(rate_hz: float) -> bool:
    """Whether a rate is no broadcast rate such as 29.97."""
    return abs(rate_hz * 1.001 - round(rate_hz * 1.001)) > 5e-4 * rate_hz or abs(rate_hz - round(rate_hz)) < 1e-3
