"""The spectrum of each frame: mel statistics, centroid, tilt, and the levels of a few wide bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.threads import one_thread
from modalities.voice.torchaudio_import import load_torchaudio

Floats = NDArray[np.float32]

FFT, WINDOW, MELS = 512, 400, 40
LOWEST_HZ = 50.0
BANDS_HZ = (90, 250, 500, 850, 1300, 2000, 3000, 4600, 7600)
"""Edges of the wide bands."""
_FLOOR = 1e-10
_AVERAGE = 501
_TILT_HZ = (125.0, 5000.0)


@dataclass(frozen=True)
class Spectra:
    """Spectral measures of m frames.

    Attributes:
        mel_mean_db: Mean over the mel bands of their level, dB re full scale (a sine of full scale puts about 0 dB
            into its band), (m,).
        mel_std_db: Spread over the mel bands, dB, (m,).
        centroid_hz: Centre of gravity of the power spectrum above 50 Hz, (m,).
        tilt_db: Slope of the power density over third-octave bands from 125 to 5000 Hz, dB per octave, (m,).
        bands_db: Level of each wide band of `BANDS_HZ`, dB re full scale, (m, 8).
    """

    mel_mean_db: Floats
    mel_std_db: Floats
    centroid_hz: Floats
    tilt_db: Floats
    bands_db: Floats


class SpectrumMeter:
    """Measures the spectrum every `hop` samples.

    Args:
        rate_hz: Samples per second, about 16000.
        hop: Samples from frame to frame.
    """

    def __init__(self, rate_hz: float, hop: int) -> None:
        self._hop = hop
        self.transform = load_torchaudio().transforms.MelSpectrogram(
            sample_rate=round(rate_hz),
            n_fft=FFT,
            win_length=WINDOW,
            hop_length=hop,
            f_min=LOWEST_HZ,
            f_max=rate_hz / 2,
            n_mels=MELS,
            center=False,
            power=2.0,
            norm=None,
            mel_scale="htk",
        )
        frequency = np.arange(FFT // 2 + 1) * rate_hz / FFT
        self._frequency = frequency.astype(np.float32)
        self._audible = (frequency >= LOWEST_HZ).astype(np.float32)
        window = np.hanning(WINDOW + 1)[:-1]
        # A sine of full scale fills its main lobe with (sum of squares of the window) * FFT / 4.
        self._scale = np.float32(4 / (np.sum(window**2) * FFT))
        edges = np.array(BANDS_HZ, dtype=float)
        self._bands = _pooling(frequency, edges[:-1], edges[1:])
        octaves = np.arange(np.log2(_TILT_HZ[0]), np.log2(_TILT_HZ[1]) + 1e-9, 1 / 3)
        thirds = _pooling(frequency, 2 ** (octaves - 1 / 6), 2 ** (octaves + 1 / 6))
        self._thirds = thirds / thirds.sum(axis=0)
        centred = octaves - octaves.mean()
        self._slope = (centred / np.sum(centred**2)).astype(np.float32)

    def measure(self, sound: Floats, first_centre: int, frames: int) -> Spectra:
        """Spectra of `frames` frames, the first one centred at sample `first_centre` (>= FFT / 2) of `sound` (n,)."""
        begin = first_centre - FFT // 2
        stop = begin + (frames - 1) * self._hop + FFT
        power, mel = self._transform(without_offset(sound[: stop + _AVERAGE])[begin:stop])
        mel_db = _to_db(mel)
        audible = power * self._audible
        total = np.maximum(audible.sum(axis=1), 1e-20)
        return Spectra(
            mel_db.mean(axis=1),
            mel_db.std(axis=1),
            (audible @ self._frequency) / total,
            _to_db(power @ self._thirds, 1e-14) @ self._slope,
            _to_db(power @ self._bands),
        )

    def _transform(self, cut: Floats) -> tuple[Floats, Floats]:
        """Power spectrum (m, bins) and mel spectrum (m, MELS), re full scale."""
        import torch

        with torch.inference_mode(), one_thread():
            power = self.transform.spectrogram(torch.from_numpy(np.ascontiguousarray(cut, dtype=np.float32)))
            mel = self.transform.mel_scale(power)
            return power.numpy().T * self._scale, mel.numpy().T * self._scale


def without_offset(sound: Floats) -> Floats:
    """The sound less its mean over 31 ms around each sample (n,): no offset of the amplifier leaks into the bands."""
    from scipy.ndimage import uniform_filter1d

    return sound - uniform_filter1d(sound, _AVERAGE, mode="nearest")


def _pooling(frequency: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> Floats:
    """Weights (bins, bands) that sum the bins of each band; a bin on an edge is shared."""
    width = frequency[1]
    inside = np.minimum(frequency[:, None] + width / 2, high) - np.maximum(frequency[:, None] - width / 2, low)
    return (np.clip(inside, 0, None) / width).astype(np.float32)


def _to_db(power: Floats, floor: float = _FLOOR) -> Floats:
    return (10 * np.log10(np.maximum(power, np.float32(floor)))).astype(np.float32)
