"""Vowels and dialogues with known truth: every glottal cycle is placed by itself, every phrase has known ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.stream import Audio, StreamInfo
from data_schemas.time import Regular
from pipeline.simulate.formants import BANDWIDTHS_HZ, OPEN, glottal_flow

RATE_HZ = 16000
_FINE = 6
"""Vowels are made at 96 kHz, so that a cycle may begin between two samples of 16 kHz."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Vowel:
    """A synthesised vowel.

    Attributes:
        sound: float64 (n,), 16 kHz, greatest amplitude 0.3.
        starts_s: Where each glottal cycle begins: the closure of the glottis, which excites the vocal tract (k,).
        periods_s: Their lengths (k,).
        amplitudes: Their amplitudes (k,).
    """

    sound: Floats
    starts_s: Floats
    periods_s: Floats
    amplitudes: Floats

    @property
    def jitter(self) -> float:
        """Mean difference of successive periods over the mean period."""
        return float(np.mean(np.abs(np.diff(self.periods_s))) / np.mean(self.periods_s))

    @property
    def shimmer_db(self) -> float:
        """Mean difference of the levels of successive periods, dB."""
        return float(np.mean(np.abs(np.diff(20 * np.log10(self.amplitudes)))))

    def pitch_at(self, times_s: Floats) -> Floats:
        """1 / period of the cycle at each time, Hz."""
        at = np.searchsorted(self.starts_s, times_s, side="right") - 1
        return 1 / self.periods_s[np.clip(at, 0, len(self.periods_s) - 1)]


def make_vowel(
    f0_hz: Callable[[float], float],
    formants_hz: Sequence[float],
    seconds: float,
    rng: np.random.Generator,
    *,
    jitter: float = 0.0,
    shimmer: float = 0.0,
    breath: float = 0.0,
    bandwidths_hz: Sequence[float] = BANDWIDTHS_HZ,
) -> Vowel:
    """Rosenberg's glottal pulse, cycle by cycle, through a cascade of resonators.

    Args:
        f0_hz: Pitch at a time in seconds.
        formants_hz: Centres of the resonators.
        seconds: Length.
        rng: Source of chance.
        jitter: Standard deviation of each period, as a share of it.
        shimmer: Standard deviation of each cycle's amplitude, as a share of it.
        breath: Amplitude of noise in the source during the open phase.
        bandwidths_hz: Of the resonators.
    """
    from scipy.signal import lfilter, resample_poly

    rate = RATE_HZ * _FINE
    starts, periods, now = [], [], 0.0
    while now < seconds:
        period = (1 + jitter * rng.standard_normal()) / f0_hz(now)
        starts.append(now)
        periods.append(period)
        now += period
    begin, length = np.array(starts), np.array(periods)
    amplitudes = 1 + shimmer * rng.standard_normal(len(begin))
    times = np.arange(round(seconds * rate)) / rate
    cycle = np.clip(np.searchsorted(begin, times, side="right") - 1, 0, len(begin) - 1)
    flow = glottal_flow(((times - begin[cycle]) / length[cycle] + OPEN) % 1.0) * amplitudes[cycle]
    sound = np.diff(flow, prepend=flow[0]) + breath * 0.01 * flow * rng.standard_normal(len(times))
    for centre, width in zip(formants_hz, bandwidths_hz, strict=False):
        radius = np.exp(-np.pi * width / rate)
        poles = [1, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2]
        sound = lfilter([sum(poles)], poles, sound)
    sound = resample_poly(sound, 1, _FINE)
    return Vowel(0.3 * sound / np.abs(sound).max(), begin, length, amplitudes)


def add_noise(sound: Floats, snr_db: float, rng: np.random.Generator, colour: str = "white") -> Floats:
    """The sound with noise, `snr_db` below the mean power of the whole; "white", or "pink" (3 dB less per octave)."""
    noise = rng.standard_normal(len(sound))
    if colour == "pink":
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0)), len(sound))
    return sound + noise * np.sqrt(np.mean(sound**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)


def as_audio(sound: NDArray[np.floating], rate_hz: float = RATE_HZ, name: str = "voice") -> Audio:
    """A stream over an array (n,) or (n, channels)."""
    wide = np.asarray(sound, np.float32)
    wide = wide[:, None] if wide.ndim == 1 else wide
    info = StreamInfo(name, "audio", "session", "p01")
    return Audio(
        info=info,
        axis=Regular.from_rate(rate_hz, len(wide)),
        source=lambda first, count: wide[first : first + count],
        channels=wide.shape[1],
    )


def tract(formants: tuple[float, ...], f0_hz: float) -> tuple[float, ...]:
    """The formants are women's; a longer vocal tract goes with a low voice."""
    return tuple((0.86 if f0_hz < 140 else 1.0) * one for one in formants)
