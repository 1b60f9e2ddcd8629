"""The rhythm of speech: syllable nuclei, speech turns, pauses, and how much of the time is talked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import runs_of
from modalities.voice.activity import FRAMES_PER_S

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

PAUSE_FRAMES = 20
"""Shortest silence that is a pause: 0.2 s."""
TURN_FRAMES = 100
"""Silence that ends a speech turn: 1 s."""
_LEAST_TURN = 20
_DIP_DB, _BELOW_LOUDEST_DB = 2.0, 25.0
_RATE_FRAMES, _SHARE_FRAMES = 300, 1000


@dataclass(frozen=True)
class Span:
    """A stretch of frames [first, stop) and what it is: "turn", "pause within a turn" or "pause between turns"."""

    first: int
    stop: int
    what: str


def find_nuclei(loudness_db: Floats, voiced: Flags, speech: Flags) -> NDArray[np.int64]:
    """Frames of syllable nuclei, after de Jong & Wempe (2009, "Praat script to detect syllable nuclei").

    A nucleus is a voiced peak of intensity within 25 dB of the loudest speech, 2 dB or more above the dips beside it.

    Args:
        loudness_db: Level of the middle frequencies (n,).
        voiced: bool (n,).
        speech: bool (n,).
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    if not speech.any():
        return np.zeros(0, np.int64)
    smooth = gaussian_filter1d(loudness_db.astype(np.float64), 2.5, mode="nearest")
    least = float(np.percentile(smooth[speech], 99)) - _BELOW_LOUDEST_DB
    padded = np.pad(smooth, 1, constant_values=float(smooth.min()) - 2 * _DIP_DB)
    peaks, _ = find_peaks(padded, height=least, prominence=_DIP_DB, distance=8)
    peaks = peaks - 1
    return np.asarray(peaks[voiced[peaks] & speech[peaks]], dtype=np.int64)


def syllable_rate(nuclei: NDArray[np.int64], speech: Flags) -> tuple[Floats, Flags]:
    """Syllable nuclei per second of speech within 3 s around each frame (n,), and where there is enough speech (n,)."""
    from scipy.ndimage import uniform_filter1d

    window = _RATE_FRAMES + 1
    marks = np.zeros(len(speech))
    marks[nuclei] = 1
    count = uniform_filter1d(marks, window, mode="constant") * window
    talked = uniform_filter1d(speech.astype(np.float64), window, mode="constant") * window / FRAMES_PER_S
    rate = count / np.maximum(talked, 0.5)
    return np.clip(rate, 0, 15).astype(np.float32), talked >= 0.3


def talking_share(speech: Flags, gap: Flags) -> tuple[Floats, Flags]:
    """Share of speech in the 10 s before each frame (n,), and where at least 1 s of them was recorded (n,)."""
    total = np.r_[0, np.cumsum(speech & ~gap)]
    seen = np.r_[0, np.cumsum(~gap)]
    stop = np.arange(1, len(speech) + 1)
    start = np.maximum(stop - _SHARE_FRAMES, 0)
    known = seen[stop] - seen[start]
    share = (total[stop] - total[start]) / np.maximum(known, 1)
    return share.astype(np.float32), known >= FRAMES_PER_S


def find_spans(speech: Flags, gap: Flags) -> list[Span]:
    """Speech turns and the pauses within and between them, in order of their first frame.

    A turn ends where there is no speech for 1 s, and at a gap of the recording; pauses never contain a gap.
    """
    stretches = runs_of(speech)
    lost = np.r_[0, np.cumsum(gap)]
    turns: list[list[int]] = []
    pauses: list[tuple[int, int]] = []
    for at, (first, stop) in enumerate(stretches):
        before = stretches[at - 1][1] if at else first
        whole = at > 0 and lost[before] == lost[first]
        if whole and first - before >= PAUSE_FRAMES:
            pauses.append((before, first))
        if whole and first - before < TURN_FRAMES:
            turns[-1][1] = stop
        else:
            turns.append([first, stop])
    spans = [Span(first, stop, "turn") for first, stop in turns if stop - first >= _LEAST_TURN]
    starts = {first for first, _ in turns}
    spans += [Span(a, b, "pause between turns" if b in starts else "pause within a turn") for a, b in pauses]
    return sorted(spans, key=lambda span: (span.first, span.stop))
