"""Biphase mark: the line code of linear timecode, found by its synchronising word and read by soft decisions.

A cell of the code begins with a change of level; a 1 has a second change in its middle. Polarity and level carry
nothing. Words of 80 bits end with the same 16 bits (SMPTE ST 12-1), whose waveform is looked for by normalised
correlation; the 64 cells before it are then read by comparing the sum and the difference of the halves of each cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SYNC_WORD = tuple(int(bit) for bit in "0011111111111101")
WORD_BITS = 80
SLOWEST_HZ, FASTEST_HZ = 21.5, 33.0
"""Words per second that are looked for: 24 to 30 frames, played up to a tenth too slow or too fast."""
_STEP = 1.015
_ALIKE = 0.5
"""Normalised correlation from which a stretch may be the synchronising word; 0 dB of white noise leave 0.7."""
_WORD_TOLERANCE = 0.03
_TRUE = 0.001
"""Error of the length of a bit below which the place of the synchronising word no longer suffers."""


@dataclass(frozen=True, eq=False)
class Words:
    """Words of 80 bits in a stretch of sound.

    Attributes:
        starts: Leading edge of the first bit, in samples of the stretch, shape (k,).
        bits: Shape (k, 80).
        margins: How clearly the bits were decided on average, 0 (a guess) to 1, shape (k,).
        cell: Samples per bit as measured.
    """

    starts: Floats
    bits: Bools
    margins: Floats
    cell: float


def find_words(x: Floats, rate_hz: float, cell: float | None = None) -> Words | None:
    """The words in a stretch of sound.

    Args:
        x: Samples, shape (n,), any level and polarity.
        rate_hz: Samples per second, at least 16,000 for the fastest words.
        cell: Samples per bit if known from a stretch before; else the length with the most words is taken.

    Returns:
        The words, or None where none was found.
    """
    if len(x) < 2.2 * WORD_BITS * rate_hz / (FASTEST_HZ * WORD_BITS) or not np.any(x):
        return None
    if cell is not None:
        found = _sync_ends(x, cell)
        if _regular(found, cell) < 0.5 * len(x) / (WORD_BITS * cell):
            cell = None
    if cell is None:
        cell = _acquire(x, rate_hz)
        if cell is None:
            return None
        found = _sync_ends(x, cell)
    for _ in range(2):
        steps = np.diff(found)
        near = np.abs(steps / (WORD_BITS * cell) - 1) < _WORD_TOLERANCE
        if not near.any():
            return None
        before, cell = cell, float(np.median(steps[near])) / WORD_BITS
        if abs(cell / before - 1) < _TRUE:
            break
        found = _sync_ends(x, cell)
    steps = np.diff(found)
    near = np.abs(steps / (WORD_BITS * cell) - 1) < _WORD_TOLERANCE
    lengths = np.full(len(found), WORD_BITS * cell)
    lengths[1:][near] = steps[near]
    starts = found - lengths
    inside = (starts >= -0.5) & (found <= len(x) + 0.5)
    if not inside.any():
        return None
    bits, margins = _read(x, starts[inside], lengths[inside])
    return Words(starts[inside], bits, margins, cell)


def _acquire(x: Floats, rate_hz: float) -> float | None:
    """Samples per bit for which the most synchronising words come at the right distance."""
    part = x[(len(x) - min(len(x), round(6 * rate_hz))) // 2 :][: round(6 * rate_hz)]
    tries = np.geomspace(SLOWEST_HZ, FASTEST_HZ, 1 + round(np.log(FASTEST_HZ / SLOWEST_HZ) / np.log(_STEP)))
    cells = rate_hz / (WORD_BITS * tries)
    scores = [_regular(_sync_ends(part, cell), cell) * cell for cell in cells]
    best = int(np.argmax(scores))
    return float(cells[best]) if scores[best] > 0 else None


def _regular(ends: Floats, cell: float) -> int:
    """How many neighbours are one word apart."""
    return int(np.sum(np.abs(np.diff(ends) / (WORD_BITS * cell) - 1) < _WORD_TOLERANCE))


def _sync_ends(x: Floats, cell: float) -> Floats:
    """Where synchronising words end, in samples, increasing."""
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import find_peaks, oaconvolve

    shape = _waveform(cell)
    if len(x) <= len(shape):
        return np.zeros(0)
    energy = uniform_filter1d(x * x, len(shape), mode="constant") * len(shape)
    floor = 1e-6 * float(energy.max()) + 1e-300
    alike = np.abs(oaconvolve(x, shape[::-1], mode="same")) / np.sqrt(np.maximum(energy, floor) * np.sum(shape**2))
    at, _ = find_peaks(alike, height=_ALIKE, distance=max(1, round(0.7 * WORD_BITS * cell)))
    at = at[(at > 0) & (at < len(x) - 1)]
    left, top, right = alike[at - 1], alike[at], alike[at + 1]
    bend = left - 2 * top + right
    shift = np.where(bend < 0, (left - right) / (2 * np.where(bend < 0, bend, -1.0)), 0.0)
    return np.asarray(at + np.clip(shift, -0.5, 0.5) + len(SYNC_WORD) / 2 * cell)


def _waveform(cell: float) -> Floats:
    """The synchronising word at the sample points, an odd number of samples around its middle."""
    halves = half_levels(np.array(SYNC_WORD, bool))
    area = np.r_[0.0, np.cumsum(halves)] / 2
    reach = int(np.ceil(len(SYNC_WORD) / 2 * cell)) + 1
    edges = (np.arange(-reach, reach + 2) - 0.5) / cell + len(SYNC_WORD) / 2
    return np.asarray(np.diff(np.interp(edges, np.arange(len(area)) / 2, area)) * cell)


def half_levels(bits: Bools, before: int = -1) -> Floats:
    """Level, -1 or 1, of each half of each cell.

    Args:
        bits: Shape (n,).
        before: Level before the first cell.

    Returns:
        Shape (2 n,).
    """
    changes = np.ones(2 * len(bits), dtype=np.int64)
    changes[1::2] = bits
    return np.where((np.cumsum(changes) % 2) == 1, -before, before).astype(np.float64)


def _read(x: Floats, starts: Floats, lengths: Floats) -> tuple[Bools, Floats]:
    """Bits of the words at these places, and how clear they are."""
    area = np.r_[0.0, np.cumsum(x)]
    edges = starts[:, None] + lengths[:, None] * np.arange(2 * WORD_BITS + 1) / (2 * WORD_BITS)
    # Sample i stands for the stretch from i - 0.5 to i + 0.5.
    halves = np.diff(np.interp(edges + 0.5, np.arange(len(area)), area), axis=1)
    first, second = halves[:, ::2], halves[:, 1::2]
    apart, together = np.abs(first - second), np.abs(first + second)
    margins = np.abs(apart - together) / np.maximum(apart + together, 1e-300)
    return apart > together, margins.mean(axis=1)
