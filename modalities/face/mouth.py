"""The mouth: how far it is open, and where it moves as in speech."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import Int64Array, to_s
from modalities.face.models import FloatArray
from modalities.face.regions import INNER_LIPS, NAMES

SYLLABLE = 1.0
"""Least rise and fall of the lips' distance in one syllable, percent of the inter-ocular distance."""
SYLLABLE_GAP_S = 0.65
"""Longest distance of openings within a phrase: speech runs at 2 to 8 syllables per second, not all of them seen."""
PHRASE = 3
"""Least number of syllables that make a phrase; a mouth that opens once is an expression."""
JOIN_S, JOIN_ONE_S = 1.2, 0.7
"""Shorter runs of syllables nearer than the first to a phrase belong to the speech; single ones only nearer than the
second."""
MARGIN_S = 0.3

_UPPER = np.array([pair[0] for pair in INNER_LIPS])
_LOWER = np.array([pair[1] for pair in INNER_LIPS])
_LIPS = (NAMES.index("upper_lip_middle"), NAMES.index("lower_lip_middle"))


def inner_gap(frontal: FloatArray) -> float:
    """Mean gap between the inner edges of the lips, >= 0.

    Args:
        frontal: Landmarks in the face's axes, (478, 3), any unit; the answer has the same.
    """
    return float(np.linalg.norm(frontal[_UPPER] - frontal[_LOWER], axis=1).mean())


def find_speech(times_ns: Int64Array, motion: FloatArray, judged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the lips part and meet rhythmically.

    Args:
        times_ns: Frame times, (frames,).
        motion: Movement of the regions, percent of the inter-ocular distance, (frames, regions, 2).
        judged: Frames that can be used, (frames,).

    Returns:
        bool (frames,).
    """
    from scipy.signal import find_peaks

    out = np.zeros(len(times_ns), bool)
    if judged.sum() < PHRASE:
        return out
    gap = np.where(judged, motion[:, _LIPS[0], 1] - motion[:, _LIPS[1], 1], 0)
    peaks, _ = find_peaks(gap, prominence=SYLLABLE)
    at_s = to_s(times_ns[peaks])
    now_s = to_s(times_ns)
    end = -np.inf
    for first, last in _speech_spans(at_s):
        start = end if first - end < JOIN_ONE_S else first
        out |= (now_s >= start - MARGIN_S) & (now_s <= last + MARGIN_S)
        end = last
    return out & judged


def _speech_spans(syllables_s: FloatArray) -> list[tuple[float, float]]:
    """First and last syllable of each run of them that is speech, in order."""
    runs = [run for run in np.split(syllables_s, np.flatnonzero(np.diff(syllables_s) > SYLLABLE_GAP_S) + 1) if len(run)]
    speech = [len(run) >= PHRASE for run in runs]
    for order in (range(1, len(runs)), range(len(runs) - 2, -1, -1)):
        for at in order:
            other = at - 1 if order.step > 0 else at + 1
            gap = max(runs[at][0] - runs[other][-1], runs[other][0] - runs[at][-1])
            if speech[other] and gap <= (JOIN_S if len(runs[at]) > 1 else JOIN_ONE_S):
                speech[at] = True
    return [(float(run[0]), float(run[-1])) for run, spoken in zip(runs, speech, strict=True) if spoken]
