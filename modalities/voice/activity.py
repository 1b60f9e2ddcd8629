"""Speech or not, for every frame: divergence from an adaptive noise floor, voicing, and the rhythm of speech.

Long-term spectral divergence after Ramirez et al. (2004, "Efficient voice activity detection algorithms using
long-term speech information"), with a noise floor from minimum statistics (Martin 2001) that looks both ways in
time, and the long-term variability of Ghosh et al. (2011, "Robust voice activity detection using long-term signal
variability") to refuse hum and sustained tones. Every look around is of fixed, finite length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import runs_of

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

FRAMES_PER_S = 100
_FLOOR_FRAMES = 600
"""The noise floor is the least level within 6 s before and within 6 s after, whichever is higher."""
_MINIMUM_BIAS_DB = 2.0
_START_DB, _STAY_DB, _UNVOICED_DB, _LOUD_DB = 5.5, 3.5, 6.5, 12.0
_QUIET_DB = -75.0
_VARIATION_FRAMES = 121
_VARIATION_DB = 2.0
_HOLD_FRAMES, _HELD_OCTAVES, _HELD_SHARE = 10, 0.005, 0.6
_LEAST_NOTES, _NOTE_OCTAVES = 3, 0.04
_REACH_FRAMES = 25
_CLOSE_FRAMES = 16
_LEAST_FRAMES, _LEAST_VOICED = 8, 5


@dataclass(frozen=True)
class Activity:
    """What `find_speech` found for n frames.

    Attributes:
        speech: bool (n,).
        excess_db: Level above the noise floor, mean of the strongest half of the bands, dB (n,).
        floor_db: Level of the noise floor summed over the bands, dB re full scale (n,).
    """

    speech: Flags
    excess_db: Floats
    floor_db: Floats


def noise_floor(bands_db: Floats, usable: Flags) -> Floats:
    """Level of the stationary noise in each band, dB, shape as `bands_db` (n, b); frames not usable are ignored."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    smooth = 10 * np.log10(np.maximum(uniform_filter1d(10 ** (bands_db / 10), 9, axis=0, mode="nearest"), 1e-10))
    smooth = np.where(usable[:, None], smooth, np.inf)
    reach = _FLOOR_FRAMES
    if len(smooth) <= reach:
        floor = np.broadcast_to(smooth.min(axis=0), smooth.shape)
    else:
        padded = np.pad(smooth, ((reach, reach), (0, 0)), constant_values=np.inf)
        least = minimum_filter1d(padded, reach + 1, axis=0, origin=0, mode="nearest")
        half = reach // 2
        before = least[half : half + len(smooth)].copy()
        after = least[half + reach : half + reach + len(smooth)].copy()
        before[:reach] = before[reach]
        after[-reach:] = after[-reach - 1]
        floor = np.maximum(np.where(np.isfinite(before), before, -np.inf), np.where(np.isfinite(after), after, -np.inf))
    floor = np.where(np.isfinite(floor), floor, -100.0)
    return (floor + _MINIMUM_BIAS_DB).astype(np.float32)


def find_speech(
    bands_db: Floats, floor_db: Floats, voicing: Floats, pitch_hz: Floats, silent: Flags, gap: Flags
) -> Activity:
    """Which frames are speech.

    Args:
        bands_db: Levels of the wide bands, dB re full scale (n, b).
        floor_db: From `noise_floor` (n, b).
        voicing: Probability of voicing 0..1 (n,).
        pitch_hz: Pitch, 0 where unvoiced (n,).
        silent: Digital silence (n,).
        gap: No data (n,).
    """
    level = _sum_db(bands_db)
    above = np.sort(np.clip(bands_db - floor_db, 0, 30), axis=1)
    excess = above[:, bands_db.shape[1] // 2 :].mean(axis=1)
    able = ~silent & ~gap & (level > _QUIET_DB)
    voiced = voicing > 0.5
    core = able & (((excess > _START_DB) & voiced) | (excess > _LOUD_DB))
    seed = able & voiced & (excess > _START_DB)
    stay = able & ((excess > _UNVOICED_DB) | ((excess > _STAY_DB) & voiced))
    speech = np.zeros(len(level), bool)
    lively = (_liveliness(bands_db, able) > _VARIATION_DB) & ~_held_tones(pitch_hz)
    for first, stop in runs_of(_close(core | _near(seed, stay), able | silent, _CLOSE_FRAMES)):
        if stop - first >= _LEAST_FRAMES and np.count_nonzero(seed[first:stop]) >= _LEAST_VOICED:
            speech[first:stop] = lively[first:stop]
    for first, stop in runs_of(speech):
        if stop - first < _LEAST_FRAMES or np.count_nonzero(seed[first:stop]) < _LEAST_VOICED:
            speech[first:stop] = False
    return Activity(speech, excess.astype(np.float32), _sum_db(floor_db))


def _near(seed: Flags, stay: Flags) -> Flags:
    """Frames of `stay` that are linked to a seed without a break and no further than `_REACH_FRAMES` from one."""
    from scipy.ndimage import maximum_filter1d

    reach = maximum_filter1d(seed.astype(np.uint8), 2 * _REACH_FRAMES + 1, mode="constant").astype(bool)
    linked = np.zeros(len(seed), bool)
    for first, stop in runs_of((stay & reach) | seed):
        linked[first:stop] = bool(seed[first:stop].any())
    return linked


def _close(flags: Flags, bridge: Flags, frames: int) -> Flags:
    """Fill breaks shorter than `frames` that lie wholly in `bridge`: closures of stops within words."""
    out = flags.copy()
    for first, stop in runs_of(~flags):
        if first > 0 and stop < len(flags) and stop - first < frames and bridge[first:stop].all():
            out[first:stop] = True
    return out


def _liveliness(bands_db: Floats, able: Flags) -> Floats:
    """Mean over the strongest half of the bands of the deviation of their level in 1.2 s, dB (n,)."""
    from scipy.ndimage import uniform_filter1d

    floor = np.where(able[:, None], np.maximum(bands_db, -90), -90)
    mean = uniform_filter1d(floor, _VARIATION_FRAMES, axis=0, mode="nearest")
    square = uniform_filter1d(floor.astype(np.float64) ** 2, _VARIATION_FRAMES, axis=0, mode="nearest")
    spread = np.sqrt(np.maximum(square - mean.astype(np.float64) ** 2, 0))
    strongest = np.argsort(mean, axis=1)[:, bands_db.shape[1] // 2 :]
    return np.take_along_axis(spread, strongest, axis=1).mean(axis=1).astype(np.float32)


def _held_tones(pitch_hz: Floats) -> Flags:
    """Where, within 3 s, most of the pitch stays put for 100 ms at a time, at several heights: notes of music.

    Speech always glides; a monotonous (or synthesised) voice stays at one height, or two people at two. Less than 3 s
    of it is no music: speech is never cut for a few even syllables.
    """
    from scipy.ndimage import uniform_filter1d

    back = _HOLD_FRAMES
    octave = np.log2(np.maximum(pitch_hz, 1.0))
    both = np.zeros(len(octave))
    held = np.zeros(len(octave))
    if len(octave) > back:
        sounding = (pitch_hz[back:] > 0) & (pitch_hz[:-back] > 0)
        both[back:] = sounding
        held[back:] = sounding & (np.abs(octave[back:] - octave[:-back]) < _HELD_OCTAVES)
    window = 3 * FRAMES_PER_S + 1
    share = uniform_filter1d(held, window, mode="constant") / np.maximum(
        uniform_filter1d(both, window, mode="constant"), 1e-9
    )
    notes = uniform_filter1d(_note_changes(octave, held > 0).astype(np.float64), window, mode="constant") * window
    music = (share > _HELD_SHARE) & (notes > _LEAST_NOTES - 0.5)
    for first, stop in runs_of(music):
        if stop - first < window:
            music[first:stop] = False
    return music


def _note_changes(octave: NDArray[np.floating], held: Flags) -> Flags:
    """Where a held pitch begins that is another than the held one before."""
    out = np.zeros(len(held), bool)
    before = None
    for first, stop in runs_of(held):
        pitch = float(np.median(octave[first:stop]))
        out[first] = before is not None and abs(pitch - before) > _NOTE_OCTAVES
        before = pitch
    return out


def _sum_db(bands_db: Floats) -> Floats:
    return (10 * np.log10(np.sum(10 ** (bands_db.astype(np.float64) / 10), axis=1))).astype(np.float32)
