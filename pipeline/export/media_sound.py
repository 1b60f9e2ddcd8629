"""Sound without words and voice: noise that is as loud as the recording was at every moment.

What survives: how loud it was, who of several microphones was louder, when there was silence, the pace of speech.
What does not: words, pitch, timbre, and so the voice. Speech of which only the loudness in one band is left is not
hardly understood (Shannon et al. 1995); the noise has the same colour for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from data_schemas.stream import Audio

CELL_S = 0.025
"""Loudness is measured over so long, and smoothed over the neighbours: half of a movement at 10 Hz is left, nothing at
20 Hz, so nothing of the pitch."""
RUMBLE_HZ = 50.0
"""Below this the loudness does not count: an offset, steps on the floor."""
BAND_HZ = (100.0, 800.0)
"""Noise is flat between these and falls by 6 dB per octave beyond, roughly as the long-term average spectrum of speech
(Byrne et al. 1994)."""
_BLOCK_S = 10.0
_SEED = 9

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Loudness:
    """How loud a recording was: all that a masked copy is made from.

    Attributes:
        values: Root mean square, full scale 1, float32 (m, channels).
        cell_s: Seconds per value.
        seconds: Length of the recording.
    """

    values: Floats
    cell_s: float
    seconds: float


def measure_loudness(audio: Audio, hook: Hook = silent) -> Loudness:
    """The course of loudness of every channel; read in blocks.

    Args:
        audio: Any sound.
        hook: Progress.

    Raises:
        UnreadableFileError: the file can no longer be read.
    """
    from scipy.signal import butter, sosfilt

    rate = audio.rate_hz
    cell = max(1, round(rate * CELL_S))
    block = cell * max(1, round(_BLOCK_S / CELL_S))
    sos = butter(1, RUMBLE_HZ, "highpass", fs=rate, output="sos") if rate > 4 * RUMBLE_HZ else None
    state = np.zeros((1, 2, audio.channels))
    parts = [np.zeros((0, audio.channels))]
    step = f"mask {audio.info.name}"
    for first, samples in audio.blocks(block):
        sound = np.nan_to_num(samples.astype(np.float64), posinf=0.0, neginf=0.0)
        if not len(sound):
            continue
        if sos is not None:
            sound, state = sosfilt(sos, sound, axis=0, zi=state)
        whole = len(sound) // cell * cell
        parts.append((sound[:whole].reshape(-1, cell, audio.channels) ** 2).mean(axis=1))
        if whole < len(sound):
            parts.append((sound[whole:] ** 2).mean(axis=0, keepdims=True))
        hook(step, first, audio.axis.n)
    hook(step, audio.axis.n, audio.axis.n)
    power = np.vstack(parts)
    around = np.pad(power, ((1, 1), (0, 0)), mode="edge") if len(power) else np.zeros((2, audio.channels))
    smooth = (around[:-2] + 2 * around[1:-1] + around[2:]) / 4
    return Loudness(np.sqrt(smooth).astype(np.float32), cell / rate, audio.axis.n / rate)


def noise_as_loud(loudness: Loudness, rate_hz: int, n: int | None = None) -> Iterator[Floats]:
    """Masked sound, in blocks; the same at every call.

    The noise itself is no secret: who subtracts it is left with the loudness.

    Args:
        loudness: Of the recording.
        rate_hz: Samples per second of the copy.
        n: Samples of the copy; as long as the recording by default.

    Yields:
        float32 (count, channels), -1..1.
    """
    from scipy.signal import butter, sosfilt

    n = round(loudness.seconds * rate_hz) if n is None else n
    channels = loudness.values.shape[1]
    rng = np.random.default_rng(_SEED)
    band = [BAND_HZ[0], min(BAND_HZ[1], rate_hz / 4)]
    sos = butter(1, band, "bandpass", fs=rate_hz, output="sos") if rate_hz > 8 * BAND_HZ[0] else None
    gain, state = 1.0, np.zeros((1, 2, channels))
    if sos is not None:
        struck = np.zeros(rate_hz)
        struck[0] = 1.0
        gain = 1.0 / float(np.sqrt(np.sum(sosfilt(sos, struck) ** 2)))
        _, state = sosfilt(sos, rng.standard_normal((rate_hz, channels)), axis=0, zi=state)
    middles = (np.arange(len(loudness.values)) + 0.5) * loudness.cell_s
    block = max(1, round(_BLOCK_S * rate_hz))
    for first in range(0, n, block):
        count = min(block, n - first)
        noise = rng.standard_normal((count, channels))
        if sos is not None:
            noise, state = sosfilt(sos, noise, axis=0, zi=state)
        at = (first + np.arange(count)) / rate_hz
        level = np.stack([np.interp(at, middles, one) for one in loudness.values.T], axis=1) if len(middles) else 0.0
        yield np.clip(noise * gain * level, -1.0, 1.0).astype(np.float32)
