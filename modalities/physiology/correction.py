"""Beats that do not belong to the sinus rhythm: missed, extra and ectopic ones, and the rhythm without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

_AROUND = 11
_SHORT, _LONG = 0.8, 1.12
_WHOLE = 0.15
_SUM = 0.15
_MOST_MISSED = 2
_IRREGULAR = 0.25
_IRREGULAR_AROUND = 31


@dataclass(frozen=True, eq=False)
class Rhythm:
    """A corrected series of beats.

    Attributes:
        times_s: Beats of the rhythm, increasing, with those put in and moved, without extra ones (m,).
        source: Index of the beat that each one is, -1 where it was put in (m,).
        moved: Which were put in or moved (m,).
        ectopic: Of the given beats: came too early (n,).
        extra: Of the given beats: one too many between two beats of the rhythm (n,).
        missed: How many beats were put in.
        irregular: Share of the beats in whose surroundings nothing was corrected because the rhythm has no usual
            interval (atrial fibrillation), 0..1.
    """

    times_s: Values
    source: NDArray[np.int64]
    moved: Flags
    ectopic: Flags
    extra: Flags
    missed: int
    irregular: float


def correct_rhythm(times_s: Values, good: Flags) -> Rhythm:
    """Correct beats by the intervals around them (kinds after Lipponen & Tarvainen 2019, J. Med. Eng. Technol. 43:173).

    Each interval is compared with the median of the eleven around. An interval within 15 % of twice or three times
    that median misses one or two beats: they are put in at equal distances. Two short intervals whose sum is one
    median hold an extra beat: it is taken out. A short interval followed by a long one, two medians together, ends at
    an ectopic beat with its compensatory pause: for the rhythm it moves to the middle. A short interval alone makes
    its beat ectopic, and the rhythm starts anew there. Where more than a quarter of the beats would have to be
    corrected the heart is irregular, and nothing is.

    Args:
        times_s: Beats, increasing (n,).
        good: Which of them can be trusted (n,); intervals at others are left as they are.
    """
    from scipy.ndimage import median_filter, uniform_filter1d

    n = len(times_s)
    ectopic, extra, moved = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
    source = np.arange(n)
    if n < 5:
        return Rhythm(times_s, source, moved, ectopic, extra, 0, 0.0)
    gaps = np.diff(times_s)
    usual = median_filter(gaps, min(_AROUND, len(gaps)), mode="nearest")
    ratio = gaps / usual
    both = good[:-1] & good[1:]
    before, after = np.r_[1.0, ratio], np.r_[ratio, 1.0]
    known = np.r_[False, both] & np.r_[both, False]
    together = before + after
    crowded = known & (np.maximum(before, after) < _SHORT) & (np.abs(together - 1) < 2 * _SUM)
    pause = known & (before < _SHORT) & (after > _LONG) & (np.abs(together - 2) < 2 * _SUM)
    early = known & (before < 0.75) & (after > 0.85) & ~crowded & ~pause
    whole = np.rint(ratio)
    lost = both & (whole >= 2) & (whole <= _MOST_MISSED + 1) & (np.abs(ratio - whole) < _WHOLE * whole)
    lost &= ~(pause | early)[:-1]
    wrong = (crowded | pause | early).astype(np.float64)
    wrong[:-1] += lost
    # An interval that is merely unlike its neighbours counts too: fibrillation has many of them.
    unlike = np.r_[0.0, np.abs(ratio - 1) > 0.12] * 0.5
    around = uniform_filter1d(np.maximum(wrong, unlike), min(_IRREGULAR_AROUND, n), mode="nearest")
    irregular = around > _IRREGULAR
    crowded, pause, early = crowded & ~irregular, pause & ~irregular, early & ~irregular
    lost &= ~irregular[:-1]
    # Of beats side by side only the first can be extra: without it the other one may fit.
    extra = crowded & ~np.r_[False, crowded[:-1]]
    # The beat after an extra one is early only because of it.
    ectopic = pause | (early & ~np.r_[False, extra[:-1]])
    new = times_s.astype(np.float64).copy()
    middle = np.flatnonzero(pause)
    new[middle] = (times_s[middle - 1] + times_s[middle + 1]) / 2
    moved[middle] = True
    put_in = [
        times_s[at] + gaps[at] * step / int(whole[at])
        for at in np.flatnonzero(lost).tolist()
        for step in range(1, int(whole[at]))
    ]
    kept = np.flatnonzero(~extra)
    times = np.r_[new[kept], put_in]
    order = np.argsort(times, kind="stable")
    return Rhythm(
        times[order],
        np.r_[source[kept], np.full(len(put_in), -1)][order],
        np.r_[moved[kept], np.ones(len(put_in), bool)][order],
        ectopic,
        extra,
        len(put_in),
        float(np.mean(irregular)),
    )
