"""Formants: resonances of the vocal tract, from the roots of a linear predictor.

Linear prediction by autocorrelation (Makhoul 1975, "Linear prediction: a tutorial review"), on the spectrum below
5.5 kHz only, so that 11 coefficients suffice; frequency and bandwidth of a formant are the angle and the radius of a
root (Markel & Gray 1976, "Linear Prediction of Speech"). Which root is which formant is decided by a path of least cost
through the frames of each voiced stretch (after Talkin 1987, "Speech formant trajectory estimation using dynamic
programming with modulated transition costs").
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from modalities.voice.prediction import solve_predictors

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

FORMANTS = 3
TOP_HZ = 5500.0
ORDER = 11
WINDOW_S = 0.025
_EMPHASIS = 0.97
_FFT = 1024
_LOW_HZ, _HIGH_HZ, _WIDEST_HZ = 90.0, 5300.0, 900.0
_TYPICAL_HZ = (550.0, 1600.0, 2650.0)
_RANGES_HZ = ((150.0, 1250.0), (550.0, 3100.0), (1500.0, 4200.0))
_ROOTS = 5
_AWAY, _WIDE, _STEP = 0.6, 0.9, 2.5


@cache
def _tables(rate_hz: float) -> tuple[Floats, Floats, int, float]:
    """Window, weight of each bin below `TOP_HZ`, length of the inverse transform, and its rate."""
    window = np.hamming(round(WINDOW_S * rate_hz)).astype(np.float32)
    bins = min(int(TOP_HZ / rate_hz * _FFT), _FFT // 2)
    angle = 2 * np.pi * np.arange(bins + 1) / _FFT
    weight = 1 + _EMPHASIS**2 - 2 * _EMPHASIS * np.cos(angle)
    return window, weight.astype(np.float32), 2 * bins, 2 * bins * rate_hz / _FFT


def predictors(sound: Floats, centres: NDArray[np.int64], rate_hz: float) -> tuple[NDArray[np.float64], float]:
    """Linear predictors of frames of 25 ms.

    Args:
        sound: Samples (n,); every centre is at least 13 ms from both ends.
        centres: Sample indices (m,).
        rate_hz: Samples per second, about 16000.

    Returns:
        Polynomials (m, ORDER + 1) with a leading 1, and the rate in Hz that their angles refer to.
    """
    from scipy.fft import irfft, rfft

    window, weight, length, low_rate = _tables(rate_hz)
    frames = np.lib.stride_tricks.sliding_window_view(sound, len(window))[centres - len(window) // 2]
    spectrum = rfft(frames * window, _FFT, axis=1)[:, : len(weight)]
    power = (spectrum.real**2 + spectrum.imag**2) * weight
    return solve_predictors(irfft(power, length, axis=1)[:, : ORDER + 1].astype(np.float64)), low_rate


def resonances(poly: NDArray[np.float64], rate_hz: float) -> tuple[Floats, Floats]:
    """Frequencies and bandwidths in Hz of the roots above the real axis, (m, 5) each, by frequency; 0 where none is."""
    rows, size = poly.shape
    companion = np.zeros((rows, size - 1, size - 1))
    companion[:, 0] = -poly[:, 1:]
    companion[:, np.arange(1, size - 1), np.arange(size - 2)] = 1
    roots = np.linalg.eigvals(companion) if rows else np.zeros((0, size - 1), complex)
    frequency = np.angle(roots) * rate_hz / (2 * np.pi)
    width = -np.log(np.maximum(np.abs(roots), 1e-6)) * rate_hz / np.pi
    fits = (frequency > _LOW_HZ) & (frequency < _HIGH_HZ) & (width < _WIDEST_HZ)
    order = np.argsort(np.where(fits, frequency, np.inf), axis=1)[:, :_ROOTS]
    kept = np.take_along_axis(fits, order, axis=1)
    frequency = np.where(kept, np.take_along_axis(frequency, order, axis=1), 0)
    return frequency.astype(np.float32), np.where(kept, np.take_along_axis(width, order, axis=1), 0).astype(np.float32)


def track_formants(frequency: Floats, width: Floats, fresh: Flags) -> tuple[Floats, Floats]:
    """Choose F1, F2, F3 among the resonances of consecutive frames.

    Args:
        frequency: From `resonances` (m, 5).
        width: From `resonances` (m, 5).
        fresh: True where a frame does not follow the one before in time (m,).

    Returns:
        Frequencies and bandwidths in Hz (m, 3); 0 where there is none.
    """
    m = len(frequency)
    if m == 0:
        return np.zeros((0, FORMANTS), np.float32), np.zeros((0, FORMANTS), np.float32)
    choices = np.array(list(combinations(range(_ROOTS), FORMANTS)))
    octave = np.log2(np.maximum(frequency, 1.0))
    cost = np.zeros((m, len(choices)))
    for at in range(FORMANTS):
        root = choices[:, at]
        there = frequency[:, root] > 0
        low, high = _RANGES_HZ[at]
        inside = there & (frequency[:, root] > low) & (frequency[:, root] < high)
        cost += np.where(inside, 0, np.where(there, 2.0, 3.0))
        cost += np.where(there, _AWAY * np.abs(octave[:, root] - np.log2(_TYPICAL_HZ[at])), 0)
        cost += np.where(there, _WIDE * width[:, root] / _WIDEST_HZ, 0)
    came_from = np.zeros((m, len(choices)), np.int8)
    total = cost[0]
    chosen_octave = octave[:, choices]
    for frame in range(1, m):
        if fresh[frame]:
            came_from[frame] = int(total.argmin())
            total = total.min() + cost[frame]
            continue
        step = np.abs(chosen_octave[frame][:, None] - chosen_octave[frame - 1][None]).sum(axis=2)
        reach = total[None] + _STEP * np.minimum(step, 1.0)
        came_from[frame] = reach.argmin(axis=1)
        total = reach.min(axis=1) + cost[frame]
        total -= total.min()
    path = np.zeros(m, np.int64)
    path[-1] = int(total.argmin())
    for frame in range(m - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    roots = choices[path]
    return np.take_along_axis(frequency, roots, axis=1), np.take_along_axis(width, roots, axis=1)
