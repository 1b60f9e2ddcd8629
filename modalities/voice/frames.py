"""From sound to rows: what is measured of every 10 ms, before anything is decided."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError
from data_schemas.hook import Hook, silent
from data_schemas.result import Problem
from data_schemas.stream import Audio
from data_schemas.time import Int64Array
from modalities.voice.auditory import Ear
from modalities.voice.blocks import CONTEXT, HOP, Block, Sound
from modalities.voice.pitch import find_candidates
from modalities.voice.spectrum import SpectrumMeter

Floats = NDArray[np.float32]

LSB = 1 / 32768
"""One step of 16-bit sound: what moves by less is digital silence."""


EAR = ("loudness", "alpha_ratio_db", "hammarberg_db", "slope_low", "slope_high", "flux")
"""Columns of `Rows.ear`, in order."""


@dataclass(frozen=True)
class Rows:
    """Measures of n frames, 10 ms apart; about 200 bytes for each, the only thing kept of the sound.

    Attributes:
        frequency: Pitch candidates in Hz (n, k), 0 where there is none.
        strength: Their strengths 0..1 (n, k).
        intensity_db: Level re full scale (n,): a sine of full scale has -3 dB.
        mel_mean_db: See `Spectra` (n,).
        mel_std_db: See `Spectra` (n,).
        centroid_hz: See `Spectra` (n,).
        tilt_db: See `Spectra` (n,).
        bands_db: Levels of wide bands (n, 8).
        ear: See `Auditory`: loudness, alpha ratio, Hammarberg index, slopes 0-500 and 500-1500 Hz, flux (n, 6).
        mfcc: Cepstral coefficients 1..12 (n, 12).
        top: Greatest sample of the hop (n,).
        bottom: Smallest sample of the hop (n,).
        broken: A sample of the hop was no number, bool (n,).
    """

    frequency: Floats
    strength: Floats
    intensity_db: Floats
    mel_mean_db: Floats
    mel_std_db: Floats
    centroid_hz: Floats
    tilt_db: Floats
    bands_db: Floats
    ear: Floats
    mfcc: Floats
    top: Floats
    bottom: Floats
    broken: NDArray[np.bool_]

    def silent(self) -> NDArray[np.bool_]:
        """Where the sound stays within one step of 16 bits for 30 ms, bool (n,)."""
        top, bottom = np.pad(self.top, 1, mode="edge"), np.pad(self.bottom, 1, mode="edge")
        highest = np.maximum(np.maximum(top[:-2], top[1:-1]), top[2:])
        lowest = np.minimum(np.minimum(bottom[:-2], bottom[1:-1]), bottom[2:])
        return (highest - lowest) < 2 * LSB


def measure(audio: Audio, channel: int | None, hook: Hook = silent) -> tuple[Int64Array, Rows, int, Problem | None]:
    """Measure a whole stream, block by block.

    Args:
        audio: The stream, at least one sample long.
        channel: Which of its channels; None for their mean.
        hook: Progress, as step "voice".

    Returns:
        Times of the frames, ns on the stream's clock (n,); their rows; the number of samples at full scale; and what
        went wrong on the way, None if nothing did. Where the file breaks, the rows end.

    Raises:
        UnreadableFileError: the file breaks within its first block.
    """
    sound = Sound(audio, channel)
    meter, ear = SpectrumMeter(sound.rate_hz, HOP), Ear(sound.rate_hz)
    parts: list[Rows] = []
    clipped = 0
    complaint: Problem | None = None
    try:
        for block in sound.blocks():
            hook("voice", block.first, sound.frames)
            parts.append(_rows(block, sound.rate_hz, meter, ear))
            clipped += block.clipped
    except UnreadableFileError as error:
        if not parts:
            raise
        error.stream = error.stream or audio.info.name
        complaint = Problem.of(error)
    hook("voice", sound.frames, sound.frames)
    columns = [np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Rows)]
    return sound.times_of(np.arange(len(columns[0]))), Rows(*columns), clipped, complaint


def _rows(block: Block, rate_hz: float, meter: SpectrumMeter, ear: Ear) -> Rows:
    frequency, strength, power = find_candidates(block.sound, CONTEXT + HOP * np.arange(block.frames), rate_hz)
    heard = ear.measure(block.sound, CONTEXT, block.frames, HOP)
    spectra = meter.measure(block.sound, CONTEXT, block.frames)
    intensity = (10 * np.log10(np.maximum(power, 1e-12))).astype(np.float32)
    return Rows(
        frequency,
        strength,
        intensity,
        spectra.mel_mean_db,
        spectra.mel_std_db,
        spectra.centroid_hz,
        spectra.tilt_db,
        spectra.bands_db,
        np.stack([getattr(heard, name) for name in EAR], axis=1),
        heard.mfcc,
        block.top,
        block.bottom,
        block.broken,
    )
