"""Timecode read from a sound track: which frame began when, in runs between which the timecode jumps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Audio
from data_schemas.time import NS_PER_S, Int64Array
from sync.cues.biphase import find_words
from sync.cues.timecode_rate import RATES, Rate

Floats = NDArray[np.float64]

WORK_HZ = 16_000
_BLOCK_S, _OVERLAP_S = 10.0, 0.5
_HIGH_PASS_HZ = 150.0
_LEAST_FRAMES = 8
"""Shorter runs are chance or damage."""
_OPEN_RUNS = 4
_SLIP, _SLIP_PER_FRAME = 0.4, 0.002
"""How far, in frames, the next frame of a run may lie from where it is expected, and more after a dropout."""
_UNSTEADY_PPM = 500.0


@dataclass(frozen=True, eq=False)
class TimecodeReading:
    """What a timecode track says of its stream's clock.

    Attributes:
        times_ns: When each frame that could be read began, int64 ns on the stream's clock, increasing, shape (k,).
        numbers: Frames since midnight, int64 (k,); counts on over midnight, so it may exceed a day.
        run: Number of the run of each frame, from 0, int64 (k,). Between runs the timecode jumps.
        rate: How frames are counted.
        channel: Channel of the sound that carries it.
        speed: Seconds of timecode per second of the stream's clock, 1 for perfect clocks.
        unread: Words that were found but fit no run.
    """

    times_ns: Int64Array
    numbers: Int64Array
    run: Int64Array
    rate: Rate
    channel: int
    speed: float
    unread: int

    @property
    def timecode_s(self) -> Floats:
        """Seconds of true time since timecode midnight of each frame, shape (k,)."""
        return np.asarray(self.numbers * float(self.rate.frame_s), np.float64)

    @property
    def runs(self) -> tuple[slice, ...]:
        """Frames of each run."""
        ends = np.flatnonzero(np.diff(self.run)) + 1
        return tuple(slice(int(a), int(b)) for a, b in zip(np.r_[0, ends], np.r_[ends, len(self.run)], strict=True))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about it, one sentence each."""
        found = []
        for before, after in zip(self.runs, self.runs[1:], strict=False):
            was, now = before.stop - 1, after.start
            passed = (self.times_ns[now] - self.times_ns[was]) / NS_PER_S * self.speed
            jump = float(self.timecode_s[now] - self.timecode_s[was] - passed)
            found.append(
                f"the timecode jumps by {jump:+.3f} s at {self.times_ns[now] / NS_PER_S:.3f} s, "
                f"from {self.rate.label(int(self.numbers[was]))} to {self.rate.label(int(self.numbers[now]))}"
            )
        if abs(self.speed - 1) * 1e6 > _UNSTEADY_PPM:
            found.append(f"the timecode runs {(self.speed - 1) * 1e6:+.0f} ppm off {self.rate.name} frames per second")
        return tuple(found)


def read_timecode(audio: Audio, channel: int | None = None) -> TimecodeReading:
    """Read linear timecode (SMPTE ST 12-1) from a sound track, in blocks.

    Level, polarity, user bits and the stream's rate do not matter; dropouts are passed over, words that do not fit
    their neighbours are left out. Frames are timed to a small part of a sample by the synchronising word before them.

    Args:
        audio: The sound, 8 kHz or more.
        channel: Channel that carries it; by default the one with the most frames.

    Raises:
        ClockError: there is no timecode in it; the channel does not exist.
    """
    if channel is not None and not 0 <= channel < audio.channels:
        raise ClockError("no such channel", stream=audio.info.name, got=channel, expected=f"0 to {audio.channels - 1}")
    wanted = range(audio.channels) if channel is None else (channel,)
    words: dict[int, list[tuple[Floats, NDArray[np.bool_], float]]] = {one: [] for one in wanted}
    cells: dict[int, float | None] = dict.fromkeys(wanted)
    for first, block, rate_hz in _working_blocks(audio):
        for one in wanted:
            found = find_words(block[:, one], rate_hz, cells[one])
            if found is None:
                continue
            cells[one] = found.cell
            starts = (first + found.starts * audio.rate_hz / rate_hz, found.bits, found.cell * audio.rate_hz / rate_hz)
            words[one].append(starts)
    readings = [reading for one in wanted if (reading := _reading(audio, one, words[one])) is not None]
    if not readings:
        raise ClockError(
            "no linear timecode was found in the sound",
            stream=audio.info.name,
            file=audio.info.files[0] if audio.info.files else None,
            got=f"{audio.channels} channels at {audio.rate_hz:g} Hz",
            mend="Check that the track carries LTC, at a level that neither clips nor drowns in noise.",
        )
    return max(readings, key=lambda reading: len(reading.numbers))


def _working_blocks(audio: Audio) -> Iterator[tuple[int, Floats, float]]:
    """First sample, sound at about `WORK_HZ` without its lowest tones, and its rate."""
    from scipy.signal import butter, resample_poly, sosfiltfilt

    up = int(np.ceil(WORK_HZ / audio.rate_hz))
    down = max(1, int(audio.rate_hz // WORK_HZ))
    rate_hz = audio.rate_hz * up / down
    low = butter(2, _HIGH_PASS_HZ, "highpass", fs=rate_hz, output="sos")
    for first, block in audio.blocks(round(_BLOCK_S * audio.rate_hz), round(_OVERLAP_S * audio.rate_hz)):
        if len(block) < 0.1 * audio.rate_hz:
            continue
        x = np.where(np.isfinite(block), block, 0).astype(np.float64)
        if up != down:
            x = resample_poly(x, up, down, axis=0)
        yield first, sosfiltfilt(low, x, axis=0), rate_hz


def _reading(
    audio: Audio, channel: int, blocks: list[tuple[Floats, NDArray[np.bool_], float]]
) -> TimecodeReading | None:
    """The runs of words of one channel."""
    if not blocks:
        return None
    cell = float(np.median([one[2] for one in blocks]))
    starts, bits = np.concatenate([one[0] for one in blocks]), np.vstack([one[1] for one in blocks])
    order = np.argsort(starts, kind="stable")
    order = order[np.r_[True, np.diff(starts[order]) > 20 * cell]]
    starts, bits = starts[order], bits[order]
    period = audio.axis.period_ns / NS_PER_S
    times_s, frame_s = starts * period, 80 * cell * period
    rate = _rate_of(bits, times_s, frame_s)
    if rate is None:
        return None
    numbers = _numbers(bits, rate)
    kept, chain, unwrapped = _runs(numbers, times_s, frame_s, rate.day_frames)
    if not len(kept):
        return None
    frames = np.diff(unwrapped)
    within = np.diff(chain) == 0
    steps = np.diff(times_s[kept])[within] / frames[within]
    speed = float(rate.frame_s) / float(np.median(steps))
    native = audio.axis.start_ns + np.rint(starts[kept] * audio.axis.period_ns).astype(np.int64)
    times_ns = native if audio.time_map is None else audio.time_map(native)
    return TimecodeReading(times_ns, unwrapped, chain, rate, channel, speed, len(starts) - len(kept))


def _rate_of(bits: NDArray[np.bool_], times_s: Floats, frame_s: float) -> Rate | None:
    """The way of counting that makes the most sense of the first words; of equals, the nearest in length."""
    some = slice(0, 4000)
    drop = bool(np.mean(bits[some, 10]) > 0.5)
    best: tuple[int, float, Rate] | None = None
    for rate in RATES:
        if rate.count == 30 and rate.drop != drop:
            continue
        kept, _, _ = _runs(_numbers(bits[some], rate), times_s[some], frame_s, rate.day_frames)
        off = abs(frame_s / float(rate.frame_s) - 1)
        if len(kept) and (best is None or (len(kept), -off) > (best[0], -best[1])):
            best = (len(kept), off, rate)
    return None if best is None else best[2]


def _numbers(bits: NDArray[np.bool_], rate: Rate) -> Int64Array:
    """Frames since midnight of words, -1 where they are no timecode of this rate, shape (k,)."""

    def digit(at: int, width: int) -> Int64Array:
        return bits[:, at : at + width].astype(np.int64) @ (1 << np.arange(width))

    units = np.stack([digit(at, 4) for at in (48, 32, 16, 0)], axis=1)
    tens = np.stack([digit(56, 2), digit(40, 3), digit(24, 3), digit(8, 2)], axis=1)
    value = units + 10 * tens
    good = np.all(units <= 9, axis=1) & np.all(value < [24, 60, 60, rate.count], axis=1)
    if rate.drop:
        good &= ~((value[:, 3] < 2) & (value[:, 2] == 0) & (value[:, 1] % 10 != 0))
    out = np.full(len(bits), -1, dtype=np.int64)
    for at in np.flatnonzero(good).tolist():
        out[at] = rate.number(*value[at].tolist())
    return out


def _runs(numbers: Int64Array, times_s: Floats, frame_s: float, day: int) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Words that count on, in time: their indices, their run, their numbers without the fold at midnight."""
    finished: list[_Run] = []
    open_runs: list[_Run] = []
    for at in np.flatnonzero(numbers >= 0).tolist():
        number, time_s = int(numbers[at]), float(times_s[at])
        for run in open_runs:
            if run.takes(at, number, time_s, day):
                break
        else:
            open_runs.insert(0, _Run(at, number, time_s, frame_s))
            if len(open_runs) > _OPEN_RUNS:
                open_runs.sort(key=lambda run: -run.last_s)
                finished.append(open_runs.pop())
    good = [run for run in (*finished, *open_runs) if len(run.members) >= _LEAST_FRAMES]
    good.sort(key=lambda run: run.members[0])
    kept, chain, unwrapped, last = [], [], [], -1
    for which, run in enumerate(good):
        inside = [k for k, member in enumerate(run.members) if member > last]
        kept += [run.members[k] for k in inside]
        unwrapped += [run.numbers[k] for k in inside]
        chain += [which] * len(inside)
        last = max(last, run.members[-1])
    _, chain_numbers = np.unique(np.array(chain, np.int64), return_inverse=True)
    return np.array(kept, np.int64), chain_numbers.astype(np.int64), np.array(unwrapped, np.int64)


class _Run:
    """Words that count on from each other."""

    def __init__(self, at: int, number: int, time_s: float, frame_s: float) -> None:
        self.members, self.numbers, self.last_s, self.frame_s = [at], [number], time_s, frame_s

    def takes(self, at: int, number: int, time_s: float, day: int) -> bool:
        """Add a word if it is where and what this run expects."""
        passed = (time_s - self.last_s) / self.frame_s
        step = (number - self.numbers[-1]) % day
        if step < 1 or abs(step - passed) > _SLIP + _SLIP_PER_FRAME * passed:
            return False
        if step <= 2:
            self.frame_s += 0.02 * ((time_s - self.last_s) / step - self.frame_s)
        self.members.append(at)
        self.numbers.append(self.numbers[-1] + step)
        self.last_s = time_s
        return True
