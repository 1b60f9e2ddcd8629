"""Everything that is found in one stream of sound, before it becomes columns and events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from data_schemas.intervals import IntervalSet
from data_schemas.result import Problem
from data_schemas.stream import Audio
from data_schemas.time import Int64Array
from modalities.voice.activity import Activity, find_speech, noise_floor
from modalities.voice.detail import Detail, measure_detail
from modalities.voice.frames import Rows, measure
from modalities.voice.harmonics import ratio_db
from modalities.voice.pitch import VOICED_STRENGTH, join_candidates
from modalities.voice.rhythm import find_nuclei
from modalities.voice.spectrum import BANDS_HZ

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_LOUDEST_FLOOR_DB = -40.0
_VOICED_ABOVE_DB = 6.0
_FORMANT_ABOVE_DB = 3.0
_EDGE_NS = 25_000_000
_MIDDLE_BANDS = slice(1, 6)


@dataclass(frozen=True)
class Voice:
    """Everything that was found in one stream; arrays of n frames, 10 ms apart.

    Attributes:
        times_ns: Middles of the frames.
        rows: What is measured of every frame.
        silent: Digital silence.
        gap: No data.
        pitch_hz: Pitch, 0 where there is none.
        voiced: Where there is pitch.
        voicing: Probability of voicing 0..1.
        hnr_db: Harmonics-to-noise ratio, 0 where not voiced.
        activity: Speech and noise.
        nuclei: Frames of syllable nuclei.
        detail: What needs the pitch to be measured.
        floor_db: Noise floor of each wide band (n, 8).
        clipped: Number of samples at full scale.
        complaint: What went wrong while the sound was read, None if nothing did.
    """

    times_ns: Int64Array
    rows: Rows
    silent: Flags
    gap: Flags
    pitch_hz: Floats
    voiced: Flags
    voicing: Floats
    hnr_db: Floats
    activity: Activity
    nuclei: NDArray[np.int64]
    detail: Detail
    floor_db: Floats
    clipped: int
    complaint: Problem | None = None

    @property
    def usable(self) -> bool:
        """Whether anything was recorded but digital silence."""
        return bool(np.any(~self.silent & ~self.gap))


def analyse(audio: Audio, channel: int | None = None, hook: Hook = silent, *, harmonics: bool = False) -> Voice:
    """Analyse a stream in two readings, block by block.

    Args:
        audio: The stream, at least one sample long.
        channel: Which of its channels; None for their mean.
        hook: Progress.
        harmonics: Whether to measure what eGeMAPS asks for beyond the encoder's own features.

    Raises:
        UnreadableFileError: the file breaks within its first block.
        InvalidValueError: the stream has no such channel.
    """
    times, rows, clipped, complaint = measure(audio, channel, hook)
    silent = rows.silent()
    gap = _gaps(times, audio.support) | rows.broken
    silent &= ~gap
    floor = noise_floor(rows.bands_db, ~gap)
    # Sound that does not rise above the noise is not voiced, however regular: mains hum in a pause has no pitch.
    quiet = 10 ** (np.minimum(floor, 200).astype(np.float64) / 10)
    floor_db = np.minimum(10 * np.log10(quiet.sum(axis=1)), _LOUDEST_FLOOR_DB)
    level_db = 10 * np.log10(np.sum(10 ** (rows.bands_db.astype(np.float64) / 10), axis=1))
    lacking = np.clip(1 - (level_db - floor_db) / _VOICED_ABOVE_DB, 0, 1)
    strength = np.where((silent | gap)[:, None], np.float32(0), rows.strength)
    frequency = np.where((silent | gap)[:, None], np.float32(0), rows.frequency)
    threshold = (VOICED_STRENGTH + lacking).astype(np.float32)
    pitch, voiced, voicing = join_candidates(frequency, strength, threshold)
    chosen = np.where(frequency == pitch[:, None], strength, 0).max(axis=1) if len(pitch) else pitch
    hnr = np.where(voiced, ratio_db(chosen), 0).astype(np.float32)
    activity = find_speech(rows.bands_db, floor, voicing, pitch, silent, gap)
    middle = 10 * np.log10(np.sum(10 ** (rows.bands_db[:, _MIDDLE_BANDS].astype(np.float64) / 10), axis=1))
    nuclei = find_nuclei(middle.astype(np.float32), voiced, activity.speech)
    detail = measure_detail(audio, channel, pitch, voiced, hook, harmonics=harmonics)
    heard = level_db - 10 * np.log10(quiet.sum(axis=1)) > _VOICED_ABOVE_DB
    _mask_drowned(detail, rows.bands_db - floor, heard)
    return Voice(
        times,
        rows,
        silent,
        gap,
        pitch,
        voiced,
        voicing,
        hnr,
        activity,
        nuclei,
        detail,
        floor,
        clipped,
        complaint,
    )


def _mask_drowned(detail: Detail, above_db: Floats, heard: Flags) -> None:
    """Formants whose band does not rise above the noise are none: the predictor then follows the noise.

    A voice that does not rise above the floor as a whole is itself what was taken for noise: a sustained vowel.
    """
    band = np.clip(np.searchsorted(BANDS_HZ, detail.formants_hz) - 1, 0, above_db.shape[1] - 1)
    drowned = np.take_along_axis(above_db, band, axis=1) < _FORMANT_ABOVE_DB
    drowned &= heard[:, None]
    detail.formants_hz[drowned] = 0
    detail.widths_hz[drowned] = 0


def _gaps(times_ns: Int64Array, support: IntervalSet) -> Flags:
    """Frames whose window reaches into a hole of the support; the outer ends of the stream are no holes."""
    bounds = support.bounds
    if not len(bounds):
        return np.ones(len(times_ns), bool)
    gap = (times_ns < bounds[0, 0]) | (times_ns > bounds[-1, 1])
    for hole_start, hole_end in zip(bounds[:-1, 1].tolist(), bounds[1:, 0].tolist(), strict=True):
        gap |= (times_ns > hole_start - _EDGE_NS) & (times_ns < hole_end + _EDGE_NS)
    return np.asarray(gap, dtype=bool)
