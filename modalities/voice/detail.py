"""What can only be measured once the pitch is known: a second reading of the sound, block by block.

Pitch is decided over the whole recording, of which only rows are kept; formants, glottal periods and harmonics need the
sound again. Stretches without speech are read and left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from data_schemas.stream import Audio
from modalities.voice.blocks import CONTEXT, HOP, Block, Sound, as_far_as_read
from modalities.voice.formants import FORMANTS, predictors, resonances, track_formants
from modalities.voice.harmonics import measure_harmonics
from modalities.voice.periods import Periods, average, find_periods, join_periods

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

PERIODS_S = 0.2
"""Jitter and shimmer are means over this long."""
_SHORT_S = 0.06
_LEAST_PAIRS, _LEAST_SHORT_PAIRS = 5, 2
_LONGEST = 1000
"""Frames of unbroken voice that are kept together across the borders of blocks."""


@dataclass(frozen=True)
class Detail:
    """Measures of n frames that need the pitch; 0 where there is none or nothing could be measured.

    Attributes:
        formants_hz: F1, F2, F3 (n, 3).
        widths_hz: Their bandwidths (n, 3).
        jitter: Difference of successive periods over the mean period, share, in `PERIODS_S` (n,).
        shimmer_db: Difference of the levels of successive periods, dB, in `PERIODS_S` (n,).
        regular: Where there are enough periods for both, bool (n,).
        short: The same two in 60 ms, with -1 where there are too few periods (n, 2); None unless asked for.
        harmonics: Harmonics-to-noise ratio, H1-H2, H1-A3, amplitudes of F1..F3, dB (n, 6); None unless asked for.
    """

    formants_hz: Floats
    widths_hz: Floats
    jitter: Floats
    shimmer_db: Floats
    regular: Flags
    short: Floats | None = None
    harmonics: Floats | None = None


def measure_detail(
    audio: Audio, channel: int | None, pitch_hz: Floats, voiced: Flags, hook: Hook = silent, *, harmonics: bool = False
) -> Detail:
    """Read a stream once more and measure its voiced frames.

    Args:
        audio: The stream.
        channel: Which of its channels; None for their mean.
        pitch_hz: Pitch of every frame (n,).
        voiced: Which frames have one (n,).
        hook: Progress, as step "voice: formants".
        harmonics: Whether to measure what eGeMAPS asks for beyond the encoder's own features.

    Returns:
        The measures; where the file breaks they stay 0.
    """
    n = len(pitch_hz)
    detail = Detail(
        np.zeros((n, FORMANTS), np.float32),
        np.zeros((n, FORMANTS), np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, bool),
        np.full((n, 2), -1, np.float32) if harmonics else None,
        np.zeros((n, 6), np.float32) if harmonics else None,
    )
    if not voiced.any():
        return detail
    sound = Sound(audio, channel)
    found: list[_Found] = []
    for piece in _pieces(as_far_as_read(sound.blocks()), voiced):
        hook("voice: formants", piece.first, sound.frames)
        if voiced[piece.first : piece.first + piece.frames].any():
            found.append(_fill(detail, piece, pitch_hz, voiced, sound.rate_hz))
    hook("voice: formants", sound.frames, sound.frames)
    if found:
        at = np.concatenate([one.at for one in found])
        frequency, width = (np.concatenate([getattr(one, name) for one in found]) for name in ("frequency", "width"))
        detail.formants_hz[at], detail.widths_hz[at] = track_formants(frequency, width, np.diff(at, prepend=-2) > 1)
        _average(detail, join_periods([one.periods for one in found]), voiced, sound.rate_hz)
    return detail


@dataclass(frozen=True)
class _Found:
    """What one piece gave: its voiced frames, their resonances, and its glottal periods in samples of the whole."""

    at: NDArray[np.int64]
    frequency: Floats
    width: Floats
    periods: Periods


@dataclass(frozen=True)
class _Piece:
    """Frames `first` and on; frame i of the piece is centred at CONTEXT + HOP * i of its sound."""

    first: int
    frames: int
    sound: Floats


def _pieces(blocks: Iterator[Block], voiced: Flags) -> Iterator[_Piece]:
    """The blocks, cut anew where there is no voice, so that no stretch of voice is torn."""
    first, held = 0, np.zeros(0, np.float32)
    for block in blocks:
        if not len(held):
            first = block.first
        sound = np.concatenate([held[: HOP * (block.first - first)], block.sound])
        frames = min(block.first + block.frames, len(voiced)) - first
        if frames <= 0:
            return
        quiet = np.flatnonzero(~voiced[first : first + frames])
        cut = int(quiet[-1]) + 1 if len(quiet) else 0
        if frames - cut > _LONGEST:
            cut = frames
        if cut:
            yield _Piece(first, cut, sound[: HOP * (cut - 1) + 2 * CONTEXT])
        first += cut
        held = sound[HOP * cut :] if cut < frames else np.zeros(0, np.float32)
    if len(held):
        frames = min((len(held) - 2 * CONTEXT) // HOP + 1, len(voiced) - first)
        if frames > 0:
            yield _Piece(first, frames, held)


def _fill(detail: Detail, piece: _Piece, pitch_hz: Floats, voiced: Flags, rate_hz: float) -> _Found:
    """Write what is measured of one piece; give back the resonances of its voiced frames."""
    own = slice(piece.first, piece.first + piece.frames)
    pitch, talks = pitch_hz[own], voiced[own]
    at = np.flatnonzero(talks)
    centres = CONTEXT + HOP * at
    poly, low_rate = predictors(piece.sound, centres, rate_hz)
    frequency, width = resonances(poly, low_rate)
    periods = find_periods(piece.sound, CONTEXT, HOP, pitch, talks, rate_hz)
    periods = replace(periods, at=periods.at + HOP * piece.first - CONTEXT)
    if detail.harmonics is not None:
        formants, _ = track_formants(frequency, width, np.diff(at, prepend=-2) > 1)
        found = measure_harmonics(piece.sound, centres, pitch[at], formants, rate_hz)
        columns = (found.hnr_db, found.h1_h2_db, found.h1_a3_db, *found.amplitudes_db.T)
        detail.harmonics[piece.first + at] = np.stack(columns, axis=1)
    return _Found(piece.first + at, frequency, width, periods)


def _average(detail: Detail, periods: Periods, voiced: Flags, rate_hz: float) -> None:
    middles = (HOP * np.arange(len(voiced))).astype(np.float64)
    jitter, shimmer, count = average(periods, middles, PERIODS_S / 2 * rate_hz)
    able = voiced & (count >= _LEAST_PAIRS)
    detail.jitter[:], detail.shimmer_db[:] = np.where(able, jitter, 0), np.where(able, shimmer, 0)
    detail.regular[:] = able
    if detail.short is not None:
        jitter, shimmer, count = average(periods, middles, _SHORT_S / 2 * rate_hz)
        able = voiced & (count >= _LEAST_SHORT_PAIRS)
        detail.short[:] = np.where(able[:, None], np.stack([jitter, shimmer], axis=1), -1)
