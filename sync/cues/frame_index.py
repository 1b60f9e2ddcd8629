"""Frame numbers that a camera's program sent to another clock, tied to the frames of the video file it wrote.

Programs count from 0, from 1 or from when the camera was switched on; counters wrap around or begin anew; numbers are
missing where frames were dropped, and repeated where they were duplicated. Which of these holds is told by how many
numbers, distinct numbers and frames there are, and where that does not tell, by the rhythm of the frame times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Marks, Signal, Stream, Video
from data_schemas.time import NS_PER_S, Int64Array, to_s
from sync.clock import ClockMap, Segment
from sync.estimate import Estimate

Floats = NDArray[np.float64]

_LEAST = 3
_CLEARER = 0.6
"""A shift that explains the rhythm this much better than all others is the right one."""
_RHYTHM_S = 1e-3
_EXACT_NS = 1_000
_MOST_SHIFTS = 400


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """Which frame of a video file was taken when, on the clock of the frame numbers.

    Attributes:
        frames: Index in the file of each frame that has a time, increasing, int64 (k,).
        times_ns: Its time, strictly increasing, int64 (k,).
        native_ns: Its time in the file, int64 (k,).
        by: "number": numbers are positions in the file; "order": the file holds what was counted, one after another.
        base: Number of the file's first frame.
        dropped: Numbers missing between the first and the last: frames that were lost before or on the way.
        duplicated: Numbers that came again.
        restarts: How often the counter began anew.
        unused: Numbers that belong to no frame of the file.
        untimed: Frames of the file without a number.
        shift_frames: Half the range of shifts that would explain the counts as well; 0 where there is no doubt.
        doubts: What makes it less than sure.
    """

    frames: Int64Array
    times_ns: Int64Array
    native_ns: Int64Array
    by: Literal["number", "order"]
    base: int
    dropped: int
    duplicated: int
    restarts: int
    unused: int
    untimed: int
    shift_frames: int
    doubts: tuple[str, ...]

    @property
    def clock_map(self) -> ClockMap:
        """From the file's times to the other clock, exact at every frame that has a time (to 1 microsecond).

        Between them it runs along the file's own times; never one straight line through all.
        """
        pieces: list[Segment] = []
        native, target = self.native_ns, self.times_ns
        at = 0
        while at < len(native) - 1:
            run = np.arange(at + 1, min(len(native), at + 257))
            slope = (target[at + 1] - target[at]) / (native[at + 1] - native[at])
            off = np.abs(target[at] + (native[run] - native[at]) * slope - target[run]) <= _EXACT_NS
            length = int(np.argmin(off)) if not off.all() else len(run)
            pieces.append(Segment(int(native[at]), int(native[at]), int(target[at]), float(slope - 1)))
            at += max(1, length)
        return ClockMap(tuple(pieces))


@dataclass(frozen=True, slots=True)
class FrameIndexEvidence:
    """Ties the frames of a video to a stream of frame numbers.

    Attributes:
        base: Number that the first frame of the file has; None to find it out.
        column: Column of a signal that holds the numbers; None for the first that counts.
    """

    base: int | None = None
    column: str | None = None
    method: str = "frame_index"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """How the clock of a video relates to that of its frame numbers; either may be the own stream.

        Seen from the video the map is exact, frame by frame; its line is a summary, and the residuals are what dropped
        frames and jitter would make of that.

        Raises:
            ClockError: not a video and a counter, or too few numbers belong to frames.
        """
        video, counter = (own, against) if isinstance(own, Video) else (against, own)
        if not isinstance(video, Video) or isinstance(counter, Video):
            raise ClockError(
                "frame numbers need one video and one stream that counts its frames",
                stream=own.info.name,
                got=f"{own.info.kind} and {against.info.kind}",
            )
        found = match_frames(video, counter, base=self.base, column=self.column)
        here, there = (found.native_ns, found.times_ns) if own is video else (found.times_ns, found.native_ns)
        anchor = int(here[len(here) // 2])
        x, y = to_s(here - anchor), to_s(there - here)
        drift, offset, error, drift_error = _line(x, y)
        period = float(np.median(np.diff(to_s(found.native_ns))))
        return Estimate(
            method=self.method,
            own=own.info.name,
            against=against.info.name,
            anchor_ns=anchor,
            offset_s=offset,
            ci95_s=float(np.hypot(max(1e-5, 1.96 * error), period * found.shift_frames)),
            drift_ppm=drift * 1e6,
            drift_ci95_ppm=1.96e6 * drift_error,
            times_ns=here,
            residuals_s=y - offset - drift * x,
            confidence=0.5 if found.shift_frames else 1.0,
            warnings=(*found.doubts, *_counts(found)),
            exact=found.clock_map if own is video else None,
        )


def _counts(found: FrameTimes) -> list[str]:
    words = {
        "dropped": "frame numbers are missing",
        "duplicated": "frame numbers are repeated",
        "restarts": "times the counter began anew",
        "unused": "frame numbers belong to no frame of the file",
        "untimed": "frames of the file have no number",
    }
    return [f"{getattr(found, name)} {text}" for name, text in words.items() if getattr(found, name)]


def _line(x: Floats, y: Floats) -> tuple[float, float, float, float]:
    """Slope and height at 0 by Huber's weights, and their standard errors."""
    weights: Floats = np.ones(len(x))
    slope = height = 0.0
    cov: Floats = np.eye(2)
    for _ in range(20):
        design = np.stack([np.ones(len(x)), x])
        cov = np.asarray(np.linalg.pinv((design * weights) @ design.T), np.float64)
        height, slope = cov @ ((design * weights) @ y)
        off = np.abs(y - height - slope * x)
        scale = max(1e-7, 1.4826 * float(np.median(off)))
        weights = np.minimum(1.0, 1.5 * scale / np.maximum(off, 1e-12))
    spread = float(np.sqrt(np.mean((y - height - slope * x) ** 2)))
    errors = spread * np.sqrt(np.maximum(np.diag(cov), 0))
    return float(slope), float(height), float(errors[0]), float(errors[1])


@dataclass(frozen=True, eq=False)
class Count:
    """A counter, made to run on over wraps and restarts.

    Attributes:
        numbers: As they would be without wraps and restarts, non-decreasing but for disorder, int64 (n,).
        times_ns: int64 (n,).
        runs: First sample of each run, the first included.
    """

    numbers: Int64Array
    times_ns: Int64Array
    runs: tuple[int, ...]


def read_count(counter: Stream, column: str | None = None) -> Count:
    """The numbers of a stream that counts.

    Raises:
        ClockError: it does not count.
    """
    if isinstance(counter, Marks):
        found = [re.search(r"(\d+)\D*$", row.label) for row in counter.rows]
        values = np.array([float(one.group(1)) if one else np.nan for one in found])
        times = counter.onsets_ns
    elif isinstance(counter, Signal):
        values, times = _counting_column(counter, column), counter.times_ns
    else:
        raise ClockError(
            "frame numbers come as a signal or as markers", stream=counter.info.name, got=counter.info.kind
        )
    good = np.isfinite(values)
    values, times = values[good], times[good]
    if len(values) < _LEAST or np.any(values != np.rint(values)) or not _counts_up(values):
        raise ClockError(
            "the stream does not count frames",
            stream=counter.info.name,
            got=f"{len(values)} numbers",
            expected="whole numbers that go up by one most of the time",
        )
    return _unwrap(values.astype(np.int64), times)


def _counting_column(counter: Signal, column: str | None) -> Floats:
    names = counter.columns if column is None else (column,)
    for name in names:
        values, valid = counter.column(name)
        numbers = np.where(valid, values, np.nan).astype(np.float64)
        if _counts_up(numbers[valid]):
            return numbers
    raise ClockError("no column counts frames", stream=counter.info.name, got=", ".join(names))


def _counts_up(values: Floats) -> bool:
    if len(values) < _LEAST or np.any(values != np.rint(values)):
        return False
    steps = np.diff(values)
    moving = steps[steps != 0]
    return len(moving) > 0 and float((moving == 1).mean()) >= 0.5


def _unwrap(numbers: Int64Array, times: Int64Array) -> Count:
    """Counters of 8, 16 and 32 bits wrap around; one that begins anew from 0 or 1 goes on where it was."""
    out = numbers.copy()
    runs = [0]
    first = int(numbers[0])
    for at in (np.flatnonzero(np.diff(numbers) < 0) + 1).tolist():
        before, now = int(numbers[at - 1]), int(numbers[at])
        size = next((1 << bits for bits in (8, 16, 32) if before < 1 << bits and before > 0.9 * (1 << bits)), 0)
        if size and now < 0.1 * size and len(numbers) - at > 1 and numbers[:at].max() < size:
            out[at:] += size
        elif now <= max(1, min(first, 1)) or (now <= first and before - now > 2):
            out[at:] += out[at - 1] + 1 - now - (out[at] - now)
            runs.append(at)
    return Count(out, times, tuple(runs))


def match_frames(video: Video, counter: Stream, *, base: int | None = None, column: str | None = None) -> FrameTimes:
    """Which frame of the file each number means, and when it was taken.

    Args:
        video: On its own clock.
        counter: Stream of frame numbers, on the clock that is wanted.
        base: Number of the file's first frame; None to find it out.
        column: Column of a signal that holds the numbers.

    Raises:
        ClockError: the stream does not count, or fewer than three numbers belong to frames.
    """
    count = read_count(counter, column)
    return match_count(video.axis.times_ns, count, base=base, stream=counter.info.name)


def match_count(native_ns: Int64Array, count: Count, *, base: int | None = None, stream: str = "") -> FrameTimes:
    """`match_frames` on plain times.

    Args:
        native_ns: Times of the file's frames, int64 (f,).
        count: The numbers.
        base: Number of the file's first frame; None to find it out.
        stream: Name for errors.
    """
    frames = len(native_ns)
    part, kept = _run_of_file(count, frames)
    numbers, times = part.numbers, part.times_ns
    order = np.argsort(numbers, kind="stable")
    distinct, first_at = np.unique(numbers[order], return_index=True)
    stamps = times[order][first_at]
    span = int(distinct[-1] - distinct[0]) + 1
    missing, repeated = span - len(distinct), len(numbers) - len(distinct)
    by: Literal["number", "order"] = "number"
    places, when = distinct - distinct[0], stamps
    start = int(distinct[0])
    if missing and abs(len(distinct) - frames) < abs(span - frames):
        by, places = "order", np.arange(len(distinct), dtype=np.int64)
    if repeated and abs(len(numbers) - frames) < abs(int(places[-1]) + 1 - frames):
        by, places, when = "order", np.arange(len(numbers), dtype=np.int64), times
    surplus = int(places[-1]) + 1 - frames
    shift, range_, doubts = _shift(places, when, native_ns, surplus, start, base)
    places = places + shift
    inside = (places >= 0) & (places < frames)
    rising = np.maximum.accumulate(when[inside])
    ahead = np.r_[True, np.diff(rising) > 0] if len(rising) else np.zeros(0, bool)
    chosen, stamped = places[inside][ahead], when[inside][ahead]
    if len(chosen) < _LEAST:
        raise ClockError(
            "the frame numbers do not belong to this video",
            stream=stream,
            got=f"numbers {int(numbers.min())} to {int(numbers.max())}, {frames} frames",
        )
    return FrameTimes(
        frames=chosen,
        times_ns=stamped,
        native_ns=np.asarray(native_ns, np.int64)[chosen],
        by=by,
        base=start - shift,
        dropped=missing,
        duplicated=repeated,
        restarts=len(part.runs) - 1,
        unused=int((~inside).sum()) + kept,
        untimed=frames - len(chosen),
        shift_frames=range_,
        doubts=tuple(doubts),
    )


def _run_of_file(count: Count, frames: int) -> tuple[Count, int]:
    """All runs of a counter, or the one run that fits the file much better; and how many numbers that leaves out."""
    bounds = [*count.runs, len(count.numbers)]
    best, off = count, abs(len(np.unique(count.numbers)) - frames)
    for a, b in pairwise(bounds):
        if len(bounds) > 2 and b - a >= _LEAST:
            span = int(count.numbers[a:b].max() - count.numbers[a:b].min()) + 1
            miss = min(abs(span - frames), abs(len(np.unique(count.numbers[a:b])) - frames))
            if miss < off:
                best, off = Count(count.numbers[a:b], count.times_ns[a:b], (0,)), miss
    return best, len(count.numbers) - len(best.numbers)


def _shift(
    places: Int64Array, when: Int64Array, native: Int64Array, surplus: int, start: int, base: int | None
) -> tuple[int, int, list[str]]:
    """By how many frames the first number lies behind the file's first frame, and how unsure that is."""
    if base is not None:
        return start - base, 0, []
    usual = start if 1 < start <= -surplus else 0
    if surplus == 0:
        return 0, 0, []
    by_rhythm = _by_rhythm(places, when, native, surplus)
    if by_rhythm is not None:
        return by_rhythm, 0, []
    if start in (0, 1) and surplus > 0:
        text = f"there are {surplus} more frame numbers than frames: the first was taken for the first frame"
    elif start in (0, 1):
        text = f"there are {-surplus} more frames than frame numbers: the first was taken for the first frame"
    elif usual:
        text = f"frame numbers begin with {start}: they were taken as positions in the file, counted from 0"
    else:
        text = f"frame numbers begin with {start}: that was taken for the first frame"
    return usual, 1 if usual else abs(surplus), [text]


def _by_rhythm(places: Int64Array, when: Int64Array, native: Int64Array, surplus: int) -> int | None:
    """The one shift at which uneven intervals between frames fit those between numbers; None where none stands out."""
    most = min(_MOST_SHIFTS, abs(surplus) + 2)
    shifts = np.arange(-most, most + 1)
    steps = np.diff(native) / NS_PER_S
    if len(steps) < 20 or float(np.std(steps)) < _RHYTHM_S:
        return None
    misfits = np.full(len(shifts), np.inf)
    for at, shift in enumerate(shifts.tolist()):
        inside = (places + shift >= 0) & (places + shift < len(native))
        if inside.sum() >= 20:
            there = np.diff(when[inside]) / NS_PER_S
            here = np.diff(native[places[inside] + shift]) / NS_PER_S
            misfits[at] = float(np.mean(np.minimum(np.abs(there - here), 0.1)))
    best = int(np.argmin(misfits))
    rivals = np.delete(misfits, best)
    return int(shifts[best]) if misfits[best] < _CLEARER * rivals.min() else None
