"""Who of several people speaks: by the level at each person's microphone, or by the mouths that a camera sees.

A microphone hears its owner best and everybody else a fixed number of decibels weaker. How much weaker is learned from
the recording itself; what a microphone hears beyond what crosses over from the others is its owner's speech (cross-talk
detection as in Wrigley et al. 2005, "Speech and crosstalk detection in multichannel audio", but without training). All
of it works on levels of wide bands, 10 ms apart: delays between microphones do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.intervals import runs_of
from data_schemas.time import Int64Array
from modalities.voice.activity import FRAMES_PER_S
from modalities.voice.analysis import Voice

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_MARGIN_DB = 4.0
_LEAST_SEPARATION_DB = 3.0
_ABOVE_NOISE_DB = 6.0
_SMOOTH_FRAMES = 5
_LEAST_FRAMES, _CLOSE_FRAMES = 8, 16
_NEAR_NS = 10_000_000
_MOUTH_FRAMES = 81
_MOUTH_Z = 1.5


@dataclass(frozen=True)
class Microphone:
    """What one person's microphone heard, a row every 10 ms.

    Attributes:
        times_ns: Session times (n,).
        bands_db: Level of wide bands, dB (n, b).
        floor_db: Noise floor of each (n, b).
        speech: Where there is speech of anybody (n,).
    """

    times_ns: Int64Array
    bands_db: Floats
    floor_db: Floats
    speech: Flags

    @classmethod
    def of(cls, voice: Voice) -> Microphone:
        """Of an analysis."""
        return cls(voice.times_ns, voice.rows.bands_db, voice.floor_db, voice.activity.speech)


def find_speakers(microphones: Sequence[Microphone]) -> list[Flags]:
    """Where each owner of a microphone speaks.

    Args:
        microphones: One per person, on one clock; they need not begin or end together.

    Returns:
        Flags per microphone, on its own times (n_i,). Two microphones that hear everything equally loud (less than 3 dB
        apart) cannot tell their owners apart: both keep all speech.

    Raises:
        InvalidValueError: they measure different numbers of bands.
    """
    if len({one.bands_db.shape[1] for one in microphones}) > 1:
        raise InvalidValueError("the microphones measure different bands", got=[m.bands_db.shape for m in microphones])
    power = [_signal_power(one) for one in microphones]
    found = []
    for at, mine in enumerate(microphones):
        crossed = np.zeros_like(power[at])
        for other, theirs in enumerate(microphones):
            if other == at:
                continue
            heard, speaking = _seen_from(mine.times_ns, theirs, power[other])
            leak = _leak(power[at], heard, mine.speech | speaking, _floor_db(mine) - _floor_db(theirs))
            if leak is not None:
                crossed += heard * leak
        found.append(_own_speech(mine, power[at], crossed))
    return found


def _signal_power(microphone: Microphone) -> NDArray[np.float64]:
    """Power above the noise floor in each band, smoothed over 50 ms (n, b)."""
    from scipy.ndimage import uniform_filter1d

    power = 10 ** (microphone.bands_db.astype(np.float64) / 10)
    smooth = uniform_filter1d(power, _SMOOTH_FRAMES, axis=0, mode="nearest")
    return np.maximum(smooth - 10 ** (microphone.floor_db.astype(np.float64) / 10), 1e-12)


def _seen_from(
    times_ns: Int64Array, other: Microphone, power: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Flags]:
    """Power and speech of another microphone at one's own times; nothing where it did not record."""
    right = np.clip(np.searchsorted(other.times_ns, times_ns), 0, len(other.times_ns) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(other.times_ns[left] - times_ns) <= np.abs(other.times_ns[right] - times_ns)
    at = np.where(closer, left, right)
    there = np.abs(other.times_ns[at] - times_ns) <= _NEAR_NS
    return np.where(there[:, None], power[at], 0.0), other.speech[at] & there


def _floor_db(microphone: Microphone) -> float:
    return float(np.median(10 * np.log10(np.sum(10 ** (microphone.floor_db.astype(np.float64) / 10), axis=1))))


def _leak(
    mine: NDArray[np.float64], theirs: NDArray[np.float64], speech: Flags, floor_db: float
) -> NDArray[np.float64] | None:
    """Share of the other microphone's power that crosses over in each band (b,).

    None where the two cannot be told apart, or the other one never heard anybody better. If all speech reaches them
    with one difference of level, it is the difference of their noise (`floor_db`, mine less the other's) that says
    whether somebody sits nearer to the other one, or the other one is merely turned up.
    """
    if np.count_nonzero(speech) < FRAMES_PER_S // 2:
        return None
    level = 10 * np.log10(np.maximum(mine[speech].sum(axis=1), 1e-12) / np.maximum(theirs[speech].sum(axis=1), 1e-12))
    low, high = _two_modes(level)
    if high - low < 2 * _LEAST_SEPARATION_DB:
        if low - floor_db > -_LEAST_SEPARATION_DB:
            return None
        high = low + 2 * _LEAST_SEPARATION_DB
    alone = np.flatnonzero(speech)[level < (low + high) / 2]
    ratio = np.log(np.maximum(mine[alone], 1e-12) / np.maximum(theirs[alone], 1e-12))
    strong = theirs[alone] >= np.percentile(theirs[alone], 50, axis=0)
    median = np.array([np.median(ratio[strong[:, band], band]) for band in range(ratio.shape[1])])
    return np.minimum(np.exp(median), 10 ** (-_LEAST_SEPARATION_DB / 10))


def _two_modes(level: NDArray[np.float64]) -> tuple[float, float]:
    """Middles of the lower and the upper half of a mixture of two, by alternation from its ends."""
    low, high = (float(one) for one in np.percentile(level, (5, 95)))
    for _ in range(20):
        border = (low + high) / 2
        below, above = level[level <= border], level[level > border]
        if not len(below) or not len(above):
            break
        low, high = float(np.median(below)), float(np.median(above))
    return low, high


def _own_speech(microphone: Microphone, power: NDArray[np.float64], crossed: NDArray[np.float64]) -> Flags:
    """Speech that is louder than what crosses over, in the bands taken together and in the strongest one."""
    from scipy.ndimage import uniform_filter1d

    noise = 10 ** (microphone.floor_db.astype(np.float64) / 10)
    margin = 10 ** (_MARGIN_DB / 10)
    heard = uniform_filter1d(power, _SMOOTH_FRAMES, axis=0, mode="nearest")
    expected = uniform_filter1d(crossed, _SMOOTH_FRAMES, axis=0, mode="nearest")
    beyond = np.maximum(heard - margin * expected, 0)
    above = 10 * np.log10(np.maximum(beyond, 1e-12) / noise)
    strongest = np.sort(above, axis=1)[:, -max(1, above.shape[1] // 3) :].mean(axis=1)
    own = microphone.speech & (strongest > _ABOVE_NOISE_DB)
    for first, stop in runs_of(~own):
        if first and stop < len(own) and stop - first < _CLOSE_FRAMES and microphone.speech[first:stop].all():
            own[first:stop] = True
    for first, stop in runs_of(own):
        if stop - first < _LEAST_FRAMES:
            own[first:stop] = False
    return own


@dataclass(frozen=True)
class Mouth:
    """How a person's mouth moves.

    Attributes:
        times_ns: Session times, increasing (m,).
        opening: Mouth opening in any unit (m,).
        valid: Where the mouth was seen (m,).
    """

    times_ns: Int64Array
    opening: NDArray[np.floating]
    valid: Flags


def speech_by_mouths(times_ns: Int64Array, speech: Flags, mouths: Mapping[str, Mouth]) -> dict[str, Flags]:
    """Give the speech that one microphone heard to the people whose mouths move with it.

    Args:
        times_ns: Times of the frames, 10 ms apart (n,).
        speech: Speech of anybody (n,).
        mouths: Each person's mouth, on the same clock.

    Returns:
        Flags per person (n,). In each stretch of 0.8 s the speech goes to whoever's mouth moves most, measured against
        how much it moves while nobody speaks, and to everybody else who moves nearly as much; to nobody where no mouth
        that was seen moves more than usual.
    """
    from scipy.ndimage import uniform_filter1d

    scores = {}
    for person, mouth in mouths.items():
        seen = np.zeros(len(times_ns), bool)
        motion = np.zeros(len(times_ns))
        ok = np.flatnonzero(mouth.valid & np.isfinite(mouth.opening))
        if len(ok) >= 2:
            opening = np.interp(times_ns, mouth.times_ns[ok], mouth.opening[ok].astype(np.float64))
            right = np.clip(np.searchsorted(mouth.times_ns[ok], times_ns), 1, len(ok) - 1)
            apart = np.minimum(
                np.abs(mouth.times_ns[ok][right] - times_ns), np.abs(times_ns - mouth.times_ns[ok][right - 1])
            )
            seen = apart < 100_000_000
            motion = uniform_filter1d(np.abs(np.gradient(opening)), _MOUTH_FRAMES, mode="nearest")
        rest = motion[seen & ~speech] if np.count_nonzero(seen & ~speech) > FRAMES_PER_S else motion[seen]
        usual = float(np.median(rest)) if len(rest) else 0.0
        spread = float(np.median(np.abs(rest - usual))) if len(rest) else 0.0
        most = float(np.percentile(motion[seen & speech], 90)) if (seen & speech).any() else 0.0
        spread = max(1.4826 * spread, 0.1 * (most - usual), 1e-9)
        scores[person] = np.where(seen & (motion - usual > _MOUTH_Z * spread), motion / max(most, 1e-9), -np.inf)
    if not scores:
        return {}
    best = np.max(np.stack(list(scores.values())), axis=0)
    return {person: speech & np.isfinite(score) & (score >= 0.7 * best) for person, score in scores.items()}
