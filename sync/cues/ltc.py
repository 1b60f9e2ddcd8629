"""Clocks from linear timecode: two sound tracks that carry it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Audio, Stream
from data_schemas.time import NS_PER_S, to_ns, to_s
from sync.cues.line import fit_line
from sync.cues.timecode_reading import TimecodeReading, read_timecode
from sync.estimate import Estimate

Floats = NDArray[np.float64]

_JITTER_S = 2e-5
"""How exactly a frame is timed, seconds, before any was seen."""
_FLOOR_S = 1e-5
_MOST_DRIFT = 0.01
"""Tape may run a percent off."""
_APART_PPM = 100.0
"""Drift that two clocks may have where they never recorded the same timecode."""
_SAME_S = 0.02
"""Offsets of runs nearer than this are one offset."""
_MANY = 0.1


@dataclass(frozen=True, slots=True)
class LtcEvidence:
    """Compares two sound tracks by the timecode that both recorded, or that was jammed into both.

    Attributes:
        channel: Channel of the own sound with the timecode; None to look for it.
        against_channel: The same for the other sound.
    """

    channel: int | None = None
    against_channel: int | None = None
    method: str = "ltc"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """How the own stream's clock relates to the other's, by equal timecode.

        Where the timecode of a stream jumps, the offset that most frames agree on is taken, and the warnings name the
        jump. Timecodes that start on the two sides of midnight are less than half a day apart.

        Raises:
            ClockError: a stream is no sound, or carries no timecode.
        """
        mine = read_timecode(_sound(own), self.channel)
        other = read_timecode(_sound(against), self.against_channel)
        return relate(mine, other).named(own.info.name, against.info.name)


def relate(mine: TimecodeReading, other: TimecodeReading) -> Estimate:
    """Other clock against own clock by equal timecode."""
    warnings = [f"own: {text}" for text in mine.warnings] + [f"against: {text}" for text in other.warnings]
    day_s = float(mine.rate.day_frames * mine.rate.frame_s)
    moments = [_meet(mine, other, a, b, day_s) for a in mine.runs for b in other.runs]
    shared = [moment for moment in moments if len(moment[0])]
    if not shared:
        return _apart(mine, other, day_s, warnings)
    offsets = np.array([float(np.median(theirs - ours)) for ours, theirs in shared])
    sizes = np.array([len(ours) for ours, _ in shared])
    votes = np.array([sizes[np.abs(offsets - offset) < _SAME_S].sum() for offset in offsets])
    best = float(offsets[np.argmax(votes)])
    agree = np.abs(offsets - best) < _SAME_S
    share = float(sizes[agree].sum() / sizes.sum())
    if share < 1 - _MANY:
        rivals = ", ".join(f"{offset:+.3f} s" for offset in offsets[~agree])
        warnings.append(f"{1 - share:.0%} of the common frames contradict: they say {rivals}")
    ours = np.concatenate([pair[0] for pair, good in zip(shared, agree, strict=True) if good])
    theirs = np.concatenate([pair[1] for pair, good in zip(shared, agree, strict=True) if good])
    return _estimate(ours, theirs - ours, warnings, confidence=share)


def place(reading: TimecodeReading) -> Estimate:
    """The stream's clock against the timecode: seconds of true time since timecode midnight.

    Where the timecode jumps, the line of the longest run is taken, and the warnings name the jumps.
    """
    longest = max(reading.runs, key=lambda run: run.stop - run.start)
    times_s = to_s(reading.times_ns[longest])
    share = (longest.stop - longest.start) / len(reading.numbers)
    found = _estimate(times_s, reading.timecode_s[longest] - times_s, list(reading.warnings), confidence=share)
    return found.named("", "timecode")


def _sound(stream: Stream) -> Audio:
    if not isinstance(stream, Audio):
        raise ClockError(
            "only sound carries linear timecode",
            stream=stream.info.name,
            got=stream.info.kind,
            mend="Name the sound track that recorded the LTC as own and against.",
        )
    return stream


def _meet(mine: TimecodeReading, other: TimecodeReading, a: slice, b: slice, day_s: float) -> tuple[Floats, Floats]:
    """Times on both clocks, seconds, at the own frames of run `a` that lie within run `b` of the other."""
    codes, ours = mine.timecode_s[a], to_s(mine.times_ns[a])
    their_codes, theirs = other.timecode_s[b], to_s(other.times_ns[b])
    codes = codes + day_s * round((float(np.median(their_codes)) - float(np.median(codes))) / day_s)
    frame = float(other.rate.frame_s)
    right = np.clip(np.searchsorted(their_codes, codes - 0.01 * frame), 1, len(their_codes) - 1)
    near = (codes > their_codes[right - 1] - 1.01 * frame) & (codes < their_codes[right] + 0.01 * frame)
    near &= their_codes[right] - their_codes[right - 1] < 3.5 * frame
    share = (codes - their_codes[right - 1]) / (their_codes[right] - their_codes[right - 1])
    there = theirs[right - 1] + share * (theirs[right] - theirs[right - 1])
    return ours[near], there[near]


def _apart(mine: TimecodeReading, other: TimecodeReading, day_s: float, warnings: list[str]) -> Estimate:
    """The offset of two tracks that have no timecode in common, from the clocks' nearest ends."""
    a, b = place(mine), place(other)
    shift = a.offset_s - b.offset_s
    shift -= day_s * round((shift - (b.anchor_ns - a.anchor_ns) / NS_PER_S) / day_s)
    gap_s = abs(to_s(a.anchor_ns) + shift - to_s(b.anchor_ns))
    warnings = [*warnings, f"the two never recorded the same timecode: {gap_s:.0f} s lie between their middles"]
    ci = float(np.hypot(np.hypot(a.ci95_s, b.ci95_s), gap_s * _APART_PPM * 1e-6))
    return Estimate(
        method="ltc", own="", against="", anchor_ns=a.anchor_ns, offset_s=shift, ci95_s=ci, confidence=0.8,
        warnings=tuple(warnings),
    )  # fmt: skip


def _estimate(own_s: Floats, shifts_s: Floats, warnings: list[str], confidence: float) -> Estimate:
    zero = float(own_s[0])
    line, residuals = fit_line(own_s - zero, shifts_s, None, _JITTER_S, _FLOOR_S, _MOST_DRIFT)
    return Estimate(
        method="ltc",
        own="",
        against="",
        anchor_ns=to_ns(zero + line.anchor_s),
        offset_s=line.offset_s,
        ci95_s=line.ci95_s,
        drift_ppm=line.drift * 1e6,
        drift_ci95_ppm=line.drift_ci95 * 1e6 if np.isfinite(line.drift_ci95) else None,
        times_ns=to_ns(own_s),
        residuals_s=residuals,
        confidence=confidence,
        warnings=tuple(warnings),
    )
