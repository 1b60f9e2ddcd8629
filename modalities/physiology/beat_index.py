"""How sure a beat is: one number from its shape, its rivals and its rhythm, and what follows for keeping it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

SURE = 0.7
"""Beats of a greater index are right in 97 % or more even where the noise is as strong as the beats (simulated)."""
_AROUND, _WIDER = 9, 41
_LEAST_LIKENESS = 0.5


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of each of n beats.

    Attributes:
        likeness: Correlation of the beat from P to T with the typical one, -1..1.
        usual_likeness: Median of it over nine beats.
        match: Correlation of the QRS complex alone, 0..1.
        usual_match: Median of it over nine beats.
        rival: Score of the best refused candidate next to it, over its own, 0..1.
        usual_rival: Median of it over nine beats.
        jitter: Median deviation of the nine intervals around from their own median, a share of it, 0..1.
        crowded: By how much the two intervals beside it fall short of two usual ones, 0..1; a beat too many: 0.5.
    """

    likeness: Values
    usual_likeness: Values
    match: Values
    usual_match: Values
    rival: Values
    usual_rival: Values
    jitter: Values
    crowded: Values

    @classmethod
    def of(cls, times_s: Values, likeness: Values, match: Values, score: Values, rival: Values) -> Evidence:
        """From the beats' times and the detector's scores, each (n,), n at least 2."""
        from scipy.ndimage import median_filter

        size = min(_AROUND, len(times_s))
        share = np.clip(rival / np.maximum(score, 1e-6), 0, 1)
        gaps = np.diff(times_s)
        width = min(_AROUND, len(gaps))
        off = np.abs(gaps / median_filter(gaps, width, mode="nearest") - 1)
        jitter = median_filter(np.clip(off, 0, 1), width, mode="nearest")
        jitter = np.r_[jitter[0], np.maximum(jitter[1:], jitter[:-1]), jitter[-1]]

        both = np.r_[gaps[0], gaps] + np.r_[gaps, gaps[-1]]
        crowded = np.clip(1 - both / (2 * median_filter(np.r_[gaps[0], gaps], size, mode="nearest")), 0, 1)

        def usual(values: Values) -> Values:
            return median_filter(values, size, mode="nearest")

        return cls(likeness, usual(likeness), match, usual(match), share, usual(share), jitter, crowded)

    def table(self) -> Values:
        """All columns, float64 (n, 8)."""
        return np.stack([getattr(self, one.name) for one in fields(self)], axis=1)


# From `python -m benchmarks.beat_index`: simulated hearts only.
_WEIGHTS, _OFFSET = np.array([0.7, 2.7, 3.3, 2.9, -3.6, -7.5, -2.3, -2.3]), 0.5


def beat_index(evidence: Evidence) -> Values:
    """Probability that each beat is one, 0..1 (n,): a logistic function fitted to simulated ECG."""
    return np.asarray(1 / (1 + np.exp(-np.clip(evidence.table() @ _WEIGHTS + _OFFSET, -40, 40))))


def keep_beats(evidence: Evidence, quality: Values) -> Flags:
    """Beats that can be used, bool (n,)."""
    from scipy.ndimage import uniform_filter1d

    if len(quality) < 3:
        return np.zeros(len(quality), bool)
    fair = quality > SURE
    # A few beats that seem good by chance, amid noise, are none.
    around = uniform_filter1d(fair.astype(np.float64), min(_WIDER, len(fair)), mode="nearest")
    return np.asarray(fair & (evidence.usual_likeness > _LEAST_LIKENESS) & (around > 0.3), dtype=bool)
