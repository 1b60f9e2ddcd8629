"""Pitch: peaks of the normalised autocorrelation, joined to a path of least cost.

The candidates are those of Boersma (1993, "Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound"): the autocorrelation of the windowed sound over that of the window. The
path through them, with costs for octave jumps and for changes of voicing, is found by dynamic programming over the
whole recording, of which only the candidates are kept.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
WINDOW = 800
"""Samples at 16 kHz, three periods of the lowest pitch."""
CANDIDATES = 6
VOICED_STRENGTH = 0.45
"""Strength from which a frame well above the noise counts as voiced."""
_SIZE = 1125
_FINE = 2
"""Lags per sample: a peak of bright sound is too sharp for a parabola through whole samples (Boersma 1993, eq. 22)."""
_BATCH = 400
_OCTAVE_COST = 0.03
_JUMP_COST = 0.35
_VOICING_COST = 0.14
_SLOPE = 0.07


@cache
def _tables(rate_hz: float) -> tuple[Floats, Floats, Floats]:
    """Window, weight of each FFT bin, and autocorrelation of the window per lag."""
    from scipy.fft import irfft, rfft

    window = np.hanning(WINDOW + 2)[1:-1].astype(np.float32)
    frequency = np.arange(_SIZE // 2 + 1) * rate_hz / _SIZE
    weight = np.clip((frequency - 40) / 35, 0, 1) * np.clip((6500 - frequency) / 3000, 0, 1)
    own = irfft(np.abs(rfft(window.astype(np.float64), _SIZE)) ** 2, _FINE * _SIZE)
    return window, weight.astype(np.float32), (own / own[0]).astype(np.float32)


def find_candidates(sound: Floats, centres: NDArray[np.int64], rate_hz: float) -> tuple[Floats, Floats, Floats]:
    """Pitch candidates around each centre.

    Args:
        sound: Samples, shape (n,); every centre is at least `WINDOW / 2` from both ends.
        centres: Evenly spaced sample indices, shape (m,).
        rate_hz: Samples per second, about 16000.

    Returns:
        Frequencies in Hz (m, CANDIDATES), 0 where there is none; their strengths 0..1 (m, CANDIDATES); and the mean
        power of each frame, without its mean, re full scale (m,).
    """
    window, weight, own = _tables(rate_hz)
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)
    frequency = np.zeros((len(centres), CANDIDATES), np.float32)
    strength = np.zeros_like(frequency)
    power = np.zeros(len(centres), np.float32)
    energy = float(np.sum(window**2))
    for at in range(0, len(centres), _BATCH):
        part = slice(at, at + _BATCH)
        cut = frames[centres[part] - WINDOW // 2]
        cut = (cut - cut.mean(axis=1, keepdims=True)) * window
        power[part] = np.einsum("ij,ij->i", cut, cut) / energy
        frequency[part], strength[part] = _peaks(_autocorrelation(cut, weight, own), rate_hz)
    return frequency, strength, power


def _autocorrelation(cut: Floats, weight: Floats, own: Floats) -> Floats:
    """Normalised autocorrelation (m, lags), `_FINE` lags per sample, of windowed frames (m, WINDOW)."""
    from scipy.fft import irfft, rfft

    spectrum = rfft(cut, _SIZE, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) * weight
    raw = irfft(power, _FINE * _SIZE, axis=1)[:, : _FINE * (_SIZE - WINDOW)]
    return raw / np.maximum(raw[:, :1], 1e-20) / own[: _FINE * (_SIZE - WINDOW)]


def _peaks(correlation: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """The strongest local maxima between the lags of the highest and the lowest pitch, refined by a parabola."""
    rate_hz *= _FINE
    first, last = int(rate_hz / HIGHEST_HZ), int(np.ceil(rate_hz / LOWEST_HZ)) + 1
    left, mid, right = (correlation[:, first + k : last + k] for k in (-1, 0, 1))
    curve = left + right - 2 * mid
    is_peak = (mid > left) & (mid >= right) & (mid > 0.2) & (curve < 0)
    shift = np.where(is_peak, 0.5 * (left - right) / np.where(curve < 0, curve, -1), 0)
    height = np.where(is_peak, mid - 0.25 * (left - right) * shift, 1)
    height = np.where(is_peak, np.minimum(height, 1 / height), 0)
    lag = np.arange(first, last) + shift
    merit = np.where(is_peak, height - _OCTAVE_COST * np.log2(lag / first), 0)
    best = np.argpartition(-merit, CANDIDATES, axis=1)[:, :CANDIDATES]
    strength = np.take_along_axis(height, best, axis=1)
    frequency = rate_hz / np.take_along_axis(lag, best, axis=1)
    fits = (strength > 0) & (frequency >= LOWEST_HZ) & (frequency <= HIGHEST_HZ)
    return np.where(fits, frequency, 0).astype(np.float32), np.where(fits, strength, 0).astype(np.float32)


def join_candidates(frequency: Floats, strength: Floats, unvoiced: Floats) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """The path of least cost through the candidates.

    Args:
        frequency: Candidates in Hz, shape (n, CANDIDATES), 0 where there is none.
        strength: Their strengths 0..1, same shape.
        unvoiced: Strength that a candidate must have to count as voiced, shape (n,).

    Returns:
        Pitch in Hz (n,), 0 where unvoiced; voiced (n,); and the probability of voicing 0..1 (n,), at least one half
        exactly where voiced.
    """
    n = len(frequency)
    if n == 0:
        return np.zeros(0, np.float32), np.zeros(0, bool), np.zeros(0, np.float32)
    there = frequency > 0
    octave = np.log2(np.where(there, frequency, 1))
    gain = np.where(there, strength - _OCTAVE_COST * (np.log2(HIGHEST_HZ) - octave), -1e3)
    gain = np.concatenate([unvoiced[:, None], gain], axis=1)
    states = np.arange(CANDIDATES + 1)
    came_from = np.zeros((n, CANDIDATES + 1), np.int8)
    total = gain[0].astype(np.float64)
    for at in range(1, n, _BATCH):
        stop = min(n, at + _BATCH)
        cost = np.full((stop - at, CANDIDATES + 1, CANDIDATES + 1), _VOICING_COST)
        cost[:, 0, 0] = 0
        cost[:, 1:, 1:] = _JUMP_COST * np.abs(octave[at - 1 : stop - 1, :, None] - octave[at:stop, None, :])
        for frame in range(at, stop):
            reach = total[:, None] - cost[frame - at]
            chosen = reach.argmax(axis=0)
            came_from[frame] = chosen
            total = reach[chosen, states] + gain[frame]
            total -= total.max()
    path = np.zeros(n, np.int64)
    path[-1] = int(total.argmax())
    for frame in range(n - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    voiced = path > 0
    rows, chosen = np.arange(n), np.maximum(path - 1, 0)
    pitch = np.where(voiced, frequency[rows, chosen], 0).astype(np.float32)
    heard = np.where(voiced, strength[rows, chosen], strength.max(axis=1))
    probability = 1 / (1 + np.exp(-(heard - unvoiced) / _SLOPE))
    probability = np.where(voiced, np.maximum(probability, 0.5), np.minimum(probability, 0.49))
    return pitch, voiced, probability.astype(np.float32)
