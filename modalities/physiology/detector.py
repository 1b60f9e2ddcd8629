"""QRS complexes in noise: what looks like the heart's own complex, at times that a heart could have chosen.

Three passes. Energy between 5 and 30 Hz gives candidates (after Pan & Tompkins 1985). Their median shape is the matched
filter of the second pass; what it answers, and energy that stands out in a clean part (ectopic beats), is a score. The
third pass picks the chain of beats with the greatest sum of scores less penalties for intervals that do not fit the
rhythm, by dynamic programming. The penalties grow with the noise, so that a clean irregular heart stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from modalities.physiology.stretches import Stretch

Values = NDArray[np.float64]
Places = NDArray[np.int64]

RATE_HZ = 200.0
_BAND_HZ = (5.0, 30.0)
_ENERGY_S = 0.03
_SHAPE_S = (-0.1, 0.14)
_BLOCK_S, _BLOCKS = 1.5, 15
_GROUP_S = 60.0
_NEAREST_S, _FARTHEST_S = 0.24, 4.0
_WORTH = 0.3
_FLATTEST = 0.002


@dataclass(frozen=True, eq=False)
class Chain:
    """The chosen complexes.

    Attributes:
        at: Positions in samples of the stretch, float64 (n,), increasing.
        match: Correlation of each with the typical complex, 0..1 (n,).
        score: What it counted for in the choice, 0..1 (n,).
        rival: Score of the best other candidate before the next or after the last beat, 0 where there is none (n,).
    """

    at: Values
    match: Values
    score: Values
    rival: Values


def find_complexes(stretch: Stretch) -> Chain:
    """QRS complexes of an ECG of either polarity, any unit, 50 Hz or more; no summit is looked for here."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import butter, find_peaks, sosfiltfilt

    nothing = Chain(*(np.zeros(0) for _ in range(4)))
    slow = stretch.slowed(RATE_HZ)
    rate, n = slow.rate_hz, len(slow.values)
    if n < round(2 * rate):
        return nothing
    top = min(_BAND_HZ[1], 0.42 * rate)
    band = sosfiltfilt(butter(2, (_BAND_HZ[0], top), "bandpass", fs=rate, output="sos"), slow.values)
    energy = np.sqrt(gaussian_filter1d(band**2, _ENERGY_S * rate))
    level = _level(energy, rate)
    if not np.all(np.isfinite(energy)) or np.median(level) <= _FLATTEST * np.std(slow.values):
        return nothing
    level = np.maximum(level, 1e-9 * level.max())
    relative = energy / level
    lumps, _ = find_peaks(relative, height=0.2, distance=max(1, round(0.12 * rate)))
    if len(lumps) < 3:
        return nothing
    match, size = _matched(band, level, lumps[relative[lumps] > 0.5], rate)
    likely = match * np.sqrt(np.clip(size, 0, 1))
    tops, _ = find_peaks(likely, height=0.2, distance=max(1, round(0.12 * rate)))
    usual, clean = _rhythm(tops, likely, match, n, rate)
    stray = lumps[np.min(np.abs(lumps[:, None] - _nearest(tops, lumps)), axis=1) > 0.12 * rate]
    odd = 0.75 * np.clip(relative[stray], 0, 1) * clean[stray]
    at = np.r_[tops, stray]
    order = np.argsort(at, kind="stable")
    at, score = at[order], np.r_[likely[tops], odd][order]
    chosen = _best_chain(at / rate, score, usual[at], clean[at])
    if not len(chosen):
        return nothing
    return Chain(
        at[chosen] * (stretch.rate_hz / rate),
        np.clip(match[at[chosen]], 0, 1),
        np.clip(score[chosen], 0, 1),
        _rivals(score, chosen),
    )


def _nearest(places: Places, wanted: Places) -> Places:
    """The places before and after each wanted one, (n, 2)."""
    if not len(places):
        return np.full((len(wanted), 2), -(10**9))
    after = np.searchsorted(places, wanted)
    return np.stack([places[np.maximum(after - 1, 0)], places[np.minimum(after, len(places) - 1)]], axis=1)


def _level(energy: Values, rate: float) -> Values:
    """How high the complexes around each sample are: the median of the greatest values of blocks of 1.5 s."""
    from scipy.ndimage import median_filter

    size = round(_BLOCK_S * rate)
    count = max(1, len(energy) // size)
    highest = np.array([block.max() for block in np.array_split(energy, count)])
    typical = median_filter(highest, min(_BLOCKS, count), mode="nearest")
    return np.interp(np.arange(len(energy)), (np.arange(count) + 0.5) * len(energy) / count, typical)


def _matched(band: Values, level: Values, lumps: Places, rate: float) -> tuple[Values, Values]:
    """Correlation with the typical complex around each sample, and its size relative to the usual one, each (n,)."""
    from scipy.signal import oaconvolve

    before, after = round(-_SHAPE_S[0] * rate), round(_SHAPE_S[1] * rate)
    n, width = len(band), before + after + 1
    match, size = np.zeros(n), np.zeros(n)
    norm = np.sqrt(np.maximum(oaconvolve(band**2, np.ones(width), mode="full")[after : after + n], 1e-300))
    groups = max(1, round(n / (_GROUP_S * rate)))
    bounds = np.linspace(0, n, groups + 1).astype(int)
    for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        wide = round(_GROUP_S / 4 * rate)
        near = lumps[(lumps >= first - wide) & (lumps < stop + wide)]
        if len(near) < 2:
            continue
        shape = _typical(band, near, before, after)
        low, high = max(0, first - width), min(n, stop + width)
        answer = oaconvolve(band[low:high], shape[::-1], mode="full")[after : after + high - low]
        answer = answer[first - low : first - low + stop - first]
        match[first:stop] = answer / norm[first:stop]
        raw = answer / level[first:stop]
        own = near[(near >= first) & (near < stop)] - first
        tall = np.array([raw[max(0, k - before) : k + after].max() for k in own.tolist()]) if len(own) else raw
        size[first:stop] = raw / max(float(np.median(tall[tall >= np.median(tall)])), 1e-300)
    return np.clip(match, 0, 1), size


def _typical(band: Values, lumps: Places, before: int, after: int) -> Values:
    """Median shape of the candidates, of unit norm; each is shifted to where it fits the others best."""
    reach = before // 2
    offsets = np.arange(-before - reach, after + reach + 1)
    wide = band[np.clip(lumps[:, None] + offsets, 0, len(band) - 1)]
    inner = wide[:, reach : reach + before + after + 1]
    shape = _unit(np.median(inner / np.maximum(np.linalg.norm(inner, axis=1, keepdims=True), 1e-300), axis=0))
    for _ in range(3):
        views = np.lib.stride_tricks.sliding_window_view(wide, len(shape), axis=1)
        fit = views @ shape / np.maximum(np.linalg.norm(views, axis=2), 1e-300)
        place = fit.argmax(axis=1)
        best = fit[np.arange(len(fit)), place]
        chosen = np.flatnonzero(best >= np.median(best))
        picked = views[chosen, place[chosen]]
        shape = _unit(np.median(picked / np.linalg.norm(picked, axis=1, keepdims=True).clip(1e-300), axis=0))
    return shape


def _unit(shape: Values) -> Values:
    return np.asarray(shape / max(float(np.linalg.norm(shape)), 1e-300))


def _rhythm(tops: Places, likely: Values, match: Values, n: int, rate: float) -> tuple[Values, Values]:
    """Usual interval in s and cleanness 0..1 around each sample, each (n,)."""
    from scipy.ndimage import median_filter

    sure = tops[likely[tops] > 0.45]
    if len(sure) < 3:
        return np.full(n, 0.8), np.zeros(n)
    gaps = np.diff(sure) / rate
    middle = (sure[1:] + sure[:-1]) / 2
    fair = (gaps > 0.3) & (gaps < 2.0)
    if np.count_nonzero(fair) < 3:
        return np.full(n, 0.8), np.zeros(n)
    size = min(21, np.count_nonzero(fair))
    usual = np.interp(np.arange(n), middle[fair], median_filter(gaps[fair], size, mode="nearest"))
    typical = median_filter(match[sure], min(9, len(sure)), mode="nearest")
    jitter = median_filter(np.abs(np.log(gaps[fair] / median_filter(gaps[fair], size, mode="nearest"))), min(9, size))
    steady = np.interp(np.arange(n), middle[fair], np.clip(1.5 - 2.5 * jitter, 0, 1))
    clean = np.clip((np.interp(np.arange(n), sure, typical) - 0.75) / 0.2, 0, 1)
    return usual, clean * steady


def _best_chain(times_s: Values, score: Values, usual_s: Values, clean: Values) -> Places:
    """Indices of the chain of candidates with the greatest sum of scores less penalties."""
    n = len(times_s)
    total, back = np.zeros(n), np.full(n, -1)
    first = np.searchsorted(times_s, times_s - _FARTHEST_S)
    last = np.searchsorted(times_s, times_s - _NEAREST_S, "right")
    for at in range(n):
        own = score[at] - _WORTH
        total[at] = own
        a, b = first[at], last[at]
        if b <= a:
            continue
        ratio = (times_s[at] - times_s[a:b]) / usual_s[at]
        off = np.maximum(np.abs(np.log(ratio)) - 0.1, 0) / 0.35
        weight = 0.15 + 0.45 * (1 - clean[at])
        sums = total[a:b] - weight * np.minimum(off, 1.0) ** 2 * np.where(ratio < 1, 1.3, 1.0)
        best = int(sums.argmax())
        if sums[best] + own > total[at]:
            total[at], back[at] = own + sums[best], a + best
    at = int(total.argmax())
    # A pause longer than any interval starts a new chain; the sums of all chains are kept by linking the best ones.
    chain: list[int] = []
    stop = n
    while stop > 0:
        at = int(total[:stop].argmax())
        if total[at] <= 0:
            break
        while at >= 0:
            chain.append(at)
            at = int(back[at])
        stop = int(np.searchsorted(times_s, times_s[chain[-1]] - _NEAREST_S, "right"))
    return np.array(chain[::-1], dtype=np.int64)


def _rivals(score: Values, chosen: Places) -> Values:
    """Score of the best candidate between each chosen one and its chosen neighbours (n,)."""
    bounds = np.r_[-1, chosen, len(score)]
    between = [score[a + 1 : b].max(initial=0.0) for a, b in pairwise(bounds.tolist())]
    return np.maximum(between[:-1], between[1:])
