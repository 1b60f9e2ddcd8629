"""What the ear makes of the spectrum of each frame: loudness, cepstral coefficients, balance and slopes, flux.

Definitions of eGeMAPS: Eyben et al. (2016), "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research
and affective computing", IEEE Trans. Affective Computing 7(2). Frames of 20 ms under a Hamming window, 10 ms apart.
Loudness after Hermansky (1990), "Perceptual linear predictive (PLP) analysis of speech"; cepstra after Davis &
Mermelstein (1980), with the lifter of length 22 that has become custom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WINDOW_S, FFT = 0.020, 512
MELS, LOW_HZ, HIGH_HZ = 26, 20.0, 8000.0
CEPSTRA = 12
_LIFTER = 22
_LEAST = 1e-10
_LOUDNESS_SCALE = 0.0666
"""Puts loudness on the scale that other tools print; the unit is arbitrary."""
_BATCH = 1500


@dataclass(frozen=True)
class Auditory:
    """Measures of m frames.

    Attributes:
        loudness: Sum of the compressed auditory bands, arbitrary units (m,).
        alpha_ratio_db: Energy 1-5 kHz over energy 50-1000 Hz, dB (m,).
        hammarberg_db: Strongest bin 0-2 kHz over strongest bin 2-5 kHz, dB (m,).
        slope_low: Slope of the level 0-500 Hz, dB per Hz (m,).
        slope_high: Slope of the level 500-1500 Hz, dB per Hz (m,).
        flux: Root mean square change of the magnitudes 20-5000 Hz from the frame before (m,).
        mfcc: Cepstral coefficients 1..12, liftered (m, 12).
    """

    loudness: Floats
    alpha_ratio_db: Floats
    hammarberg_db: Floats
    slope_low: Floats
    slope_high: Floats
    flux: Floats
    mfcc: Floats


class Ear:
    """Measures frames of sound of one rate.

    Args:
        rate_hz: Samples per second, about 16000.
    """

    def __init__(self, rate_hz: float) -> None:
        self._size = round(WINDOW_S * rate_hz)
        self._window = np.hamming(self._size).astype(np.float32)
        frequency = np.arange(FFT // 2 + 1) * rate_hz / FFT
        self._mel, centres = mel_filters(frequency, min(HIGH_HZ, rate_hz / 2))
        self._equal = equal_loudness(centres).astype(np.float32)
        order = np.arange(1, CEPSTRA + 1)
        cosine = np.cos(np.pi / MELS * order[None] * (np.arange(MELS)[:, None] + 0.5)) * np.sqrt(2 / MELS)
        self._cepstrum = (cosine * (1 + _LIFTER / 2 * np.sin(np.pi * order / _LIFTER))).astype(np.float32)
        self._low = (frequency >= 50) & (frequency <= 1000)
        self._high = (frequency > 1000) & (frequency <= 5000)
        self._moving = (frequency >= 20) & (frequency <= 5000)
        self._below = frequency <= 2000
        self._above = (frequency > 2000) & (frequency <= 5000)
        self._slopes = [_line(frequency, 0, 500), _line(frequency, 500, 1500)]

    def measure(self, sound: Floats, first_centre: int, frames: int, hop: int) -> Auditory:
        """Measure frames.

        Args:
            sound: Samples (n,), at least one hop and 10 ms more on either side of the centres.
            first_centre: Sample index of the middle of the first frame.
            frames: How many, m.
            hop: Samples from one to the next.
        """
        parts = [
            self._part(sound, first_centre + at * hop, min(_BATCH, frames - at), hop) for at in range(0, frames, _BATCH)
        ]
        return Auditory(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _part(self, sound: Floats, first_centre: int, frames: int, hop: int) -> tuple[Floats, ...]:
        from scipy.fft import rfft

        begin = first_centre - hop - self._size // 2
        stop = begin + frames * hop + self._size
        cut = np.lib.stride_tricks.sliding_window_view(sound[begin:stop], self._size)[::hop]
        spectrum = rfft(cut * self._window, FFT, axis=1)
        magnitude = np.abs(spectrum)
        flux = np.sqrt(np.mean(np.diff(magnitude[:, self._moving], axis=0) ** 2, axis=1))
        power = magnitude[1:] ** 2
        level = 10 * np.log10(np.maximum(power, np.float32(_LEAST)))
        bands = power @ self._mel
        loudness = np.cbrt(bands * self._equal).sum(axis=1) * np.float32(_LOUDNESS_SCALE)
        low, high = power[:, self._low].sum(axis=1), power[:, self._high].sum(axis=1)
        alpha = 10 * np.log10(np.maximum(high, _LEAST) / np.maximum(low, _LEAST))
        hammarberg = level[:, self._below].max(axis=1) - level[:, self._above].max(axis=1)
        slopes = [level[:, at] @ weight for at, weight in self._slopes]
        mfcc = np.log(np.maximum(bands, np.float32(_LEAST))) @ self._cepstrum
        found = (loudness, alpha, hammarberg, *slopes, flux, mfcc)
        return tuple(np.asarray(one, dtype=np.float32) for one in found)


def mel_filters(frequency: NDArray[np.float64], high_hz: float) -> tuple[Floats, NDArray[np.float64]]:
    """Triangular filters, evenly spaced in mel (2595 log10(1 + f / 700)): weights (bins, 26), centres in Hz (26,)."""
    ends = 2595 * np.log10(1 + np.array([LOW_HZ, high_hz]) / 700)
    edges = 700 * (10 ** (np.linspace(ends[0], ends[1], MELS + 2) / 2595) - 1)
    mel = 2595 * np.log10(1 + frequency / 700)
    steps = np.linspace(ends[0], ends[1], MELS + 2)
    up = (mel[:, None] - steps[:-2]) / (steps[1] - steps[0])
    down = (steps[2:] - mel[:, None]) / (steps[1] - steps[0])
    return np.clip(np.minimum(up, down), 0, None).astype(np.float32), edges[1:-1]


def equal_loudness(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sensitivity of the ear at 40 phon, relative power, as Hermansky (1990, equation 7) approximates it."""
    square = (2 * np.pi * frequency_hz) ** 2
    return (square + 56.8e6) * square**2 / ((square + 6.3e6) ** 2 * (square + 0.38e9))


def _line(frequency: NDArray[np.float64], low: float, high: float) -> tuple[slice, Floats]:
    """Bins of a band, and the weights that give the slope of a line fitted to their levels."""
    inside = np.flatnonzero((frequency >= low) & (frequency <= high))
    centred = frequency[inside] - frequency[inside].mean()
    return slice(int(inside[0]), int(inside[-1]) + 1), (centred / np.sum(centred**2)).astype(np.float32)
