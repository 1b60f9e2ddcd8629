"""Filled pauses ("uh", "um"): a voice that is held on one vowel.

After Goto et al. (1999, "A real-time filled pause detection system for spontaneous speech recognition research"): while
a speaker looks for words, the articulators rest, so that for longer than a vowel lasts neither pitch nor spectral
envelope moves much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import runs_of
from modalities.voice.rhythm import Span

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

LEAST_FRAMES = 16
"""Held for less than 0.16 s (0.24 s with what is needed to see that it is held) it is an ordinary vowel."""
_REACH = 4
_SEMITONES = 0.4
_ENVELOPE = 0.45
_SPREAD_SEMITONES = 1.5
_BRIDGE, _SMOOTH = 3, 5


def find_filled_pauses(pitch_hz: Floats, voiced: Flags, mfcc: Floats) -> list[Span]:
    """Stretches of held voice.

    Args:
        pitch_hz: Pitch of every 10 ms, 0 where there is none (n,).
        voiced: Voiced speech (n,).
        mfcc: Cepstral coefficients (n, k).

    Returns:
        Spans of frames, in order. What counts as a moving envelope is relative to the speaker's own speech, so that
        fewer than 2 s of voice give none.
    """
    from scipy.ndimage import uniform_filter1d

    n = len(pitch_hz)
    if np.count_nonzero(voiced) < 200 or n <= 2 * _REACH:
        return []
    whole = voiced.copy()
    for shift in (-_REACH, _REACH):
        whole &= np.roll(voiced, shift)
    whole[:_REACH] = whole[-_REACH:] = False
    octave = np.log2(np.maximum(pitch_hz, 1))
    glide = 12 * np.abs(np.roll(octave, -_REACH) - np.roll(octave, _REACH))
    smooth = uniform_filter1d(mfcc, _SMOOTH, axis=0, mode="nearest")
    move = np.sqrt(np.sum((np.roll(smooth, -_REACH, axis=0) - np.roll(smooth, _REACH, axis=0)) ** 2, axis=1))
    usual = float(np.median(move[whole])) if whole.any() else 0.0
    steady = whole & (glide < _SEMITONES) & (move < _ENVELOPE * usual)
    for first, stop in runs_of(~steady):
        if first > 0 and stop < n and stop - first <= _BRIDGE and voiced[first:stop].all():
            steady[first:stop] = True
    found = []
    for first, stop in runs_of(steady):
        begin, end = max(0, first - _REACH), min(n, stop + _REACH)
        if end - begin < LEAST_FRAMES + 2 * _REACH:
            continue
        if 12 * np.ptp(octave[first:stop]) < _SPREAD_SEMITONES:
            found.append(Span(begin, end, "filled pause"))
    return found
