"""Linear timecode as sound, for tests and simulated sessions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from sync.cues.biphase import SYNC_WORD, WORD_BITS, half_levels
from sync.cues.timecode_rate import Rate

Floats = NDArray[np.float64]


def ltc_bits(rate: Rate, number: int, user_bits: int = 0) -> NDArray[np.bool_]:
    """The 80 bits of one frame (SMPTE ST 12-1), shape (80,).

    Args:
        rate: How frames are counted.
        number: Frame since midnight.
        user_bits: 32 bits, the lowest first.
    """
    hours, minutes, seconds, frames = rate.address(number)
    bits = np.zeros(WORD_BITS, bool)
    for value, units, tens, width in (
        (frames, 0, 8, 2),
        (seconds, 16, 24, 3),
        (minutes, 32, 40, 3),
        (hours, 48, 56, 2),
    ):
        bits[units : units + 4] = [value % 10 >> k & 1 for k in range(4)]
        bits[tens : tens + width] = [value // 10 >> k & 1 for k in range(width)]
    bits[10] = rate.drop
    for group in range(8):
        bits[8 * group + 4 : 8 * group + 8] = [user_bits >> (4 * group + k) & 1 for k in range(4)]
    bits[64:] = SYNC_WORD
    # The polarity bit makes the number of zeros even, so that every word begins with the same polarity.
    bits[59 if rate.count == 25 else 27] = np.sum(~bits) % 2 == 1
    return bits


def ltc_sound(
    rate: Rate, numbers: NDArray[np.int64], edges_s: Floats, rate_hz: float, samples: int, *, user_bits: int = 0
) -> NDArray[np.float32]:
    """Sound of a run of frames, level -1..1; 0 before the first and after the last.

    Args:
        rate: How frames are counted.
        numbers: Frame since midnight of each frame, shape (n,); any jumps.
        edges_s: Where each frame begins, and the last one ends, in seconds of the sound, increasing, shape (n + 1,).
        rate_hz: Samples per second.
        samples: Length of the sound.
        user_bits: 32 bits, the same in each frame.

    Returns:
        Shape (samples,).

    Raises:
        InvalidValueError: numbers and edges do not fit, or edges do not increase.
    """
    edges = np.asarray(edges_s, np.float64)
    if len(edges) != len(numbers) + 1 or np.any(np.diff(edges) <= 0):
        raise InvalidValueError("timecode needs increasing edges, one more than frames", got=(len(numbers), len(edges)))
    levels, before = [], -1
    for number in numbers.tolist():
        word = half_levels(ltc_bits(rate, number, user_bits), before)
        before = int(word[-1])
        levels.append(word)
    share = np.arange(2 * WORD_BITS) / (2 * WORD_BITS)
    changes = np.r_[(edges[:-1, None] + np.diff(edges)[:, None] * share).ravel(), edges[-1]]
    area = np.r_[0.0, np.cumsum(np.concatenate(levels) * np.diff(changes))] if levels else np.zeros(1)
    cells = (np.arange(samples + 1) - 0.5) / rate_hz
    return (np.diff(np.interp(cells, changes, area)) * rate_hz).astype(np.float32)
