"""Strength of the harmonics of voiced frames: harmonics-to-noise ratio, spectral tilt by harmonics, formant amplitudes.

Definitions of eGeMAPS (Eyben et al. 2016): frames of 60 ms under a Gaussian window (sigma 0.4 of half its length). The
harmonics-to-noise ratio is that of the autocorrelation at the pitch period (Boersma 1993); H1-H2 and H1-A3 are those of
Hanson (1997, "Glottal characteristics of female speakers: acoustic correlates").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WINDOW_S, SIGMA = 0.060, 0.4
_FFT = 2048
_BATCH = 400
_PLACES = 17
_A3_RANGE = 0.1


@dataclass(frozen=True)
class Harmonics:
    """Measures of m voiced frames.

    Attributes:
        hnr_db: Energy of the periodic part over that of the rest, dB, of the windowed frame (m,).
        h1_h2_db: First harmonic over the second, dB (m,).
        h1_a3_db: First harmonic over the strongest within 10 % of F3, dB; nothing where F3 is 0 (m,).
        amplitudes_db: Harmonic nearest to F1, F2, F3 over the first one, dB; nothing where that formant is 0 (m, 3).
    """

    hnr_db: Floats
    h1_h2_db: Floats
    h1_a3_db: Floats
    amplitudes_db: Floats


def measure_harmonics(
    sound: Floats, centres: NDArray[np.int64], pitch_hz: Floats, formants_hz: Floats, rate_hz: float
) -> Harmonics:
    """Measure voiced frames.

    Args:
        sound: Samples (n,); every centre is at least 30 ms from both ends.
        centres: Sample indices (m,).
        pitch_hz: Pitch, above 0 (m,).
        formants_hz: F1, F2, F3 (m, 3), 0 where unknown.
        rate_hz: Samples per second, about 16000.
    """
    from scipy.fft import irfft, rfft
    from scipy.ndimage import maximum_filter1d

    size = round(WINDOW_S * rate_hz) // 2 * 2
    middle = (size - 1) / 2
    window = np.exp(-0.5 * ((np.arange(size) - middle) / (SIGMA * middle)) ** 2).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)
    bin_hz = rate_hz / _FFT
    m = len(centres)
    hnr, levels = np.zeros(m, np.float32), np.zeros((m, 6), np.float32)
    for at in range(0, m, _BATCH):
        part = slice(at, at + _BATCH)
        spectrum = rfft(frames[centres[part] - size // 2] * window, _FFT, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        correlation = irfft(power, _FFT, axis=1)[:, : _FFT // 2]
        hnr[part] = _hnr(correlation, rate_hz / pitch_hz[part])
        level = maximum_filter1d(10 * np.log10(np.maximum(power, np.float32(1e-10))), 3, axis=1)
        pitch, formants = pitch_hz[part, None], formants_hz[part]
        levels[part, :2] = _peaks(level, np.c_[pitch, 2 * pitch], 0.25 * pitch, bin_hz)
        levels[part, 2:5] = _peaks(level, formants, 0.5 * pitch, bin_hz)
        levels[part, 5:] = _peaks(level, formants[:, 2:], _A3_RANGE * formants[:, 2:], bin_hz)
    return Harmonics(hnr, levels[:, 0] - levels[:, 1], levels[:, 0] - levels[:, 5], levels[:, 2:5] - levels[:, :1])


def ratio_db(strength: Floats) -> Floats:
    """Harmonics-to-noise ratio, dB, of a normalised autocorrelation 0..1 at the pitch period (Boersma 1993, eq. 4)."""
    share = np.clip(strength, 1e-3, 0.99999)
    return (10 * np.log10(share / (1 - share))).astype(np.float32)


def _hnr(correlation: Floats, period: Floats) -> Floats:
    """Of the greatest value near the period, by a parabola."""
    row = np.arange(len(period))
    middle = np.clip(np.rint(period).astype(np.int64), 4, correlation.shape[1] - 4)
    near = middle[:, None] + np.arange(-2, 3)
    best = np.take_along_axis(near, correlation[row[:, None], near].argmax(axis=1)[:, None], axis=1)[:, 0]
    left, mid, right = (correlation[row, best + k] for k in (-1, 0, 1))
    curve = np.minimum(left + right - 2 * mid, -1e-20)
    shift = np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
    peak = mid - 0.25 * (left - right) * shift
    return ratio_db(peak / np.maximum(correlation[:, 0], 1e-20))


def _peaks(level: Floats, at_hz: Floats, reach_hz: Floats, bin_hz: float) -> Floats:
    """Greatest level within a reach of some frequencies: level (m, bins), at_hz (m, k), reach_hz (m, 1) -> (m, k)."""
    offsets = np.linspace(-1, 1, _PLACES, dtype=np.float32)
    places = np.rint((at_hz[:, :, None] + reach_hz[:, :, None] * offsets) / bin_hz).astype(np.int64)
    places = np.clip(places, 0, level.shape[1] - 1)
    flat = places.reshape(len(places), -1)
    return np.take_along_axis(level, flat, axis=1).reshape(places.shape).max(axis=2)
