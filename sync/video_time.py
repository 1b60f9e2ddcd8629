"""When a video's frames were taken, as far as its own times tell: dropped and repeated frames, rate, wrong headers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array, to_s

Floats = NDArray[np.float64]

COMMON_HZ = (
    5, 7.5, 10, 12, 12.5, 15, 20, 24_000 / 1001, 24, 25, 30_000 / 1001, 30, 48, 50, 60_000 / 1001, 60,
    90, 100, 120_000 / 1001, 120, 200, 240_000 / 1001, 240,
)  # fmt: skip
"""Rates that cameras are set to, frames per second."""
_COMMON = 0.01
_AROUND = 15
_HOLE = 1.5
_UNEVEN = 0.25
_LONG_S, _LONG_PERIODS = 1.5, 5
_ENDS_S = 0.25
"""Sound and pictures of one file rarely begin and end on the same instant: by how much their lengths may differ."""


@dataclass(frozen=True, slots=True)
class VideoTime:
    """What the frame times of one video say.

    Attributes:
        frames: Number of frames.
        nominal_hz: What the header claims; None where it claims nothing.
        effective_hz: Frames per second of covered time, long gaps left out; None for fewer than two frames.
        dropped: Frames missing inside holes of the times, judged by the usual period around them.
        duplicated: Frames that repeat the picture before; None where nobody looked or nobody can tell.
        largest_gap_s: Longest distance of two neighbours, seconds.
        variable: The rate varies in other ways than by dropped frames.
        header_rate_ratio: True over stated rate where another length shows it, 1.2 for 30 stated as 25: by so much the
            video is too long. 1 where they agree; None when there is nothing to compare.
        true_hz: The rate that fits the other length; None where the stated one is right or nothing can be compared.
        sentences: For the report, one each.
    """

    frames: int
    nominal_hz: float | None
    effective_hz: float | None
    dropped: int
    duplicated: int | None
    largest_gap_s: float
    variable: bool
    header_rate_ratio: float | None
    true_hz: float | None
    sentences: tuple[str, ...]


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
class RateCheck:
    """A video's length against another one of the same recording.

    Attributes:
        ratio: Length of the video over the other length.
        true_hz: Frames per second over the other length; a common rate where one fits.
        wrong: They differ by more than ends that do not match can explain.
        common: `true_hz` is a rate that cameras are set to.
    """

    ratio: float
    true_hz: float
    wrong: bool
    common: bool


def usual_periods(times_ns: Int64Array) -> Floats:
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


def effective_rate(times_ns: Int64Array) -> float | None:
    """Frames per second of covered time, holes of more than 1.5 s and 5 periods left out; None for too few frames."""
    steps = np.diff(times_ns).astype(np.float64)
    if not len(steps):
        return None
    short = steps[steps <= max(_LONG_S * NS_PER_S, _LONG_PERIODS * float(np.median(steps)))]
    return NS_PER_S / float(short.mean()) if len(short) else None


def varies(times_ns: Int64Array) -> bool:
    """Whether distances are other than whole numbers of usual periods, for more than one in twenty."""
    steps = np.diff(times_ns).astype(np.float64)
    if len(steps) < 3:
        return False
    part = steps / float(np.median(steps))
    return bool(np.mean(np.abs(part - np.maximum(1, np.rint(part))) > _UNEVEN) > 0.05) or _slows(times_ns)


def _slows(times_ns: Int64Array) -> bool:
    usual = usual_periods(times_ns)
    return bool(np.percentile(usual, 97) > 1.2 * np.percentile(usual, 3))


def check_length(frames: int, length_s: float, other_s: float, *, ends_s: float = _ENDS_S) -> RateCheck | None:
    """Hold the length of a video against that of its sound, or of any stream that ran from its start to its end.

    Args:
        frames: Frames that the recording has.
        length_s: From the first frame to the end of the last by the file's own times, seconds.
        other_s: The other length, seconds.
        ends_s: By how much the two may begin and end apart.

    Returns:
        None where a length is 0.
    """
    if frames < 2 or length_s <= 0 or other_s <= 0:
        return None
    true, slack = frames / other_s, (ends_s + 2 * length_s / frames) / other_s
    fitting = [rate for rate in COMMON_HZ if abs(rate / true - 1) <= min(_COMMON, slack)]
    common = bool(fitting)
    stated_in_full = _in_full(frames / length_s)
    # 30 and 29.97 both fit a short recording: a camera that counts in whole numbers goes on to do so.
    near = min(fitting or [true], key=lambda rate: (_in_full(rate) != stated_in_full, abs(rate / true - 1)))
    wrong = abs(length_s - other_s) > ends_s + 2 * length_s / frames
    return RateCheck(float(length_s / other_s), float(near), wrong, common)


def _in_full(rate_hz: float) -> bool:
    """Whether a rate is no broadcast rate such as 29.97."""
    return abs(rate_hz * 1.001 - round(rate_hz * 1.001)) > 5e-4 * rate_hz or abs(rate_hz - round(rate_hz)) < 1e-3


def video_time(
    times_ns: Int64Array,
    *,
    nominal_hz: float | None = None,
    end_ns: int | None = None,
    duplicated: int | None = None,
    other_s: float | None = None,
    other: str = "the sound",
) -> VideoTime:
    """All that is said of one video's times.

    Args:
        times_ns: Frame times in the file, increasing, int64 (n,).
        nominal_hz: What the header claims.
        end_ns: Where the last frame ends; by default one usual period after it begins.
        duplicated: Frames that repeat the one before, from `modalities.readers.video_time.DuplicateMeter`.
        other_s: From the first frame to the end of the sound (`modalities.readers.media.sound_end_ns`), or to the end
            of another stream that ran as long as the video.
        other: What that is, for the sentences.
    """
    times = np.asarray(times_ns, np.int64)
    n = len(times)
    steps = np.diff(times)
    gap_s = to_s(int(steps.max())) if n > 1 else 0.0
    holes, rate, variable = find_holes(times), effective_rate(times), varies(times)
    period = float(np.median(steps)) if n > 1 else 0.0
    length_s = ((times[-1] + period if end_ns is None else end_ns) - times[0]) / NS_PER_S if n else 0.0
    check = None if other_s is None else check_length(n + holes.dropped, length_s, other_s)
    wrong = check is not None and check.wrong
    return VideoTime(
        frames=n,
        nominal_hz=nominal_hz,
        effective_hz=rate,
        dropped=holes.dropped,
        duplicated=duplicated,
        largest_gap_s=gap_s,
        variable=variable,
        header_rate_ratio=None if check is None else check.ratio if check.wrong else 1.0,
        true_hz=check.true_hz if check is not None and wrong else None,
        sentences=(
            *_said_of_holes(times, holes, gap_s),
            *_said_of_rate(times, rate, nominal_hz, variable, duplicated),
            *_said_of_header(check, n + holes.dropped, length_s, other_s or 0.0, other),
        ),
    )


def _said_of_holes(times: Int64Array, holes: Holes, gap_s: float) -> list[str]:
    if not holes.dropped:
        return []
    worst = holes.after[int(np.argmax(holes.missing))]
    share = holes.dropped / (len(times) + holes.dropped)
    return [
        f"{holes.dropped} frames are missing in {len(holes.after)} holes ({share:.1%}), the longest of {gap_s:.3f} s "
        f"at {to_s(int(times[worst])):.3f} s"
    ]


def _said_of_rate(
    times: Int64Array, rate: float | None, nominal: float | None, variable: bool, duplicated: int | None
) -> list[str]:
    said = []
    if variable:
        usual = usual_periods(times) / NS_PER_S
        slow, fast = 1 / np.percentile(usual, [99, 1])
        said.append(f"the frame rate varies between {slow:.2f} and {fast:.2f} per second")
    if rate is not None and nominal and abs(rate / nominal - 1) > 0.01:
        said.append(f"effective rate {rate:.3f} frames per second, nominal {nominal:g}")
    if duplicated:
        text = f"{duplicated} of {len(times)} frames repeat the picture before"
        if rate is not None:
            text += f": {rate * (1 - duplicated / len(times)):.2f} different pictures per second"
        said.append(text)
    return said


def _said_of_header(check: RateCheck | None, frames: int, length_s: float, other_s: float, other: str) -> list[str]:
    if check is None or not check.wrong:
        return []
    stated, lengths = frames / length_s, f"the video lasts {length_s:.2f} s, {other} {other_s:.2f} s"
    if not check.common:
        return [
            f"{lengths}: one of them was cut off, or its frames come at {check.true_hz:.3f} per second and not "
            f"{stated:.3f}"
        ]
    long, factor = ("long", check.ratio) if check.ratio > 1 else ("short", 1 / check.ratio)
    return [
        f"the header says {stated:.2f} frames per second, {check.true_hz:.2f} fits: {lengths}, so the video is "
        f"{factor:.3f} times too {long}"
    ]
