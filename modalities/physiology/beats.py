"""Heart beats: R peaks of the ECG or pulse waves of the PPG, each with the likeness to its neighbours' shape."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.physiology.beat_index import Evidence, beat_index, keep_beats
from modalities.physiology.detector import Chain, find_complexes
from modalities.physiology.stretches import Stretch

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

SHORTEST_S = 3.0
LOWEST_RATE_HZ, LOWEST_PULSE_RATE_HZ = 50.0, 20.0
LOWEST_BPM, HIGHEST_BPM = 30.0, 220.0
_REFINE_S, _STRANGE_S, _JITTER_S, _LIKE_USUAL = 0.06, 0.12, 0.015, 0.85
_REFRACTORY_S = 0.25
_SHAPE_S, _PULSE_S = (-0.15, 0.3), (-0.25, 0.35)
_SHAPE_POINTS = 64
_GROUP = 100
_NEIGHBOURS, _WIDER, _FEW = 9, 41, 12


@dataclass(frozen=True, eq=False)
class Beats:
    """Beats of one stretch.

    Attributes:
        at: Sample positions with fractions, increasing, float64 (n,).
        likeness: Correlation of each beat's shape with the typical one around it, 0..1 (n,).
        quality: How sure it is that this is a beat and in its place, 0..1 (n,); see `beat_index`.
        good: Beats of a part of the signal where beats resemble each other and come in a plausible rhythm, bool (n,).
        upright: Median height above the middle less depth below it, over their sum, -1..1; negative if upside-down.
    """

    at: Values
    likeness: Values
    quality: Values
    good: Flags
    upright: float

    @classmethod
    def none(cls) -> Beats:
        """No beats."""
        return cls(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, bool), 0.0)


def find_r_peaks(stretch: Stretch, flip: bool = False) -> Beats:
    """R peaks of an ECG: the complexes of `detector`, each moved to the summit of its R wave.

    Args:
        stretch: ECG in any unit, at least `SHORTEST_S` long and at `LOWEST_RATE_HZ` or more; else no beat is found.
        flip: Take the signal upside-down.
    """
    return weigh_r_peaks(stretch, flip)[0]


def weigh_r_peaks(stretch: Stretch, flip: bool = False) -> tuple[Beats, Evidence | None]:
    """What `find_r_peaks` gives, and what its quality index was made from; None where there are no beats."""
    rate = stretch.rate_hz
    if stretch.seconds < SHORTEST_S or rate < LOWEST_RATE_HZ:
        return Beats.none(), None
    raw = (stretch.values - np.median(stretch.values)) * (-1.0 if flip else 1.0)
    scale = float(np.percentile(np.abs(raw), 99))
    if scale <= 0:
        scale = float(np.max(np.abs(raw))) or 1.0
    raw = np.clip(raw / scale, -50, 50)
    chain = find_complexes(Stretch(stretch.start_ns, rate, raw))
    if len(chain.at) < 3:
        return Beats.none(), None
    clean = clean_ecg(raw, rate)
    at, keep = r_summits(clean, chain, rate)
    likeness = shape_likeness(clean, at, rate, _SHAPE_S)
    evidence = Evidence.of(at / rate, likeness, chain.match[keep], chain.score[keep], chain.rival[keep])
    quality = beat_index(evidence)
    good = keep_beats(evidence, quality)
    return Beats(at, np.clip(likeness, 0, 1), quality, good, _upright(clean, at, rate)), evidence


def clean_ecg(raw: Values, rate_hz: float) -> Values:
    """The ECG from 0.5 to 40 Hz without shift of phase, same shape."""
    from scipy.signal import butter, sosfiltfilt

    top = 40.0 if rate_hz > 100 else 0.4 * rate_hz
    sos = butter(2, (0.5, top), "bandpass", fs=rate_hz, output="sos")
    reach = min(len(raw) - 1, round(2 * rate_hz))
    return np.asarray(sosfiltfilt(sos, raw, padtype="even", padlen=reach))


def r_summits(clean: Values, chain: Chain, rate_hz: float) -> tuple[Values, NDArray[np.int64]]:
    """Positions of the R summits with fractions, increasing, and which of the chain they are.

    Where a beat's complex is like the usual one, the summit lies as far from the filter's answer as in the median of
    the beats around it, give or take 15 ms; noise moves it no further. Others have it at their largest deflection.
    """
    from scipy.ndimage import median_filter

    start = np.rint(chain.at).astype(np.int64)
    reach, wide = round(_REFINE_S * rate_hz), round(_STRANGE_S * rate_hz)
    little = max(1, round(_JITTER_S * rate_hz))
    around_it = median_filter(chain.match, min(_NEIGHBOURS, len(start)), mode="nearest")
    usual = chain.match > _LIKE_USUAL * around_it
    place = np.zeros(len(start), np.int64)
    near = np.clip(start[:, None] + np.arange(-wide, wide + 1), 0, len(clean) - 1)
    views = clean[near]
    views = views - np.median(views, axis=1, keepdims=True)
    for group in np.array_split(np.arange(len(start)), max(1, round(len(start) / _GROUP))):
        like = group[usual[group]]
        typical = np.median(views[like if len(like) > 2 else group], axis=0)
        place[group] = int(typical[wide - reach : wide + reach + 1].argmax()) - reach
    high, low = views.max(axis=1), -views.min(axis=1)
    strange = np.where(high >= 0.8 * low, views.argmax(axis=1), views.argmin(axis=1)) - wide
    sign = np.where(usual | (high >= 0.8 * low), 1.0, -1.0)
    rough = start + np.where(usual, place, strange)
    spread = np.where(usual, little, 1)[:, None]
    steps = np.arange(-little, little + 1)
    around = sign[:, None] * clean[np.clip(rough[:, None] + steps, 0, len(clean) - 1)]
    around = np.where(np.abs(steps) <= spread, around, -np.inf)
    top = np.clip(rough + steps[around.argmax(axis=1)], 0, len(clean) - 1)
    keep = np.flatnonzero(np.diff(top, prepend=-(10**9)) >= round(_REFRACTORY_S / 2 * rate_hz))
    top, sign = top[keep], sign[keep]
    left, mid, right = (sign * clean[np.clip(top + k, 0, len(clean) - 1)] for k in (-1, 0, 1))
    curve = left + right - 2 * mid
    shift = np.where(curve < 0, 0.5 * (left - right) / np.where(curve < 0, curve, -1), 0)
    return top + np.clip(shift, -0.5, 0.5), keep


def _upright(clean: Values, at: Values, rate_hz: float) -> float:
    reach = max(1, round(_REFINE_S * rate_hz))
    window = np.clip(at.astype(int)[:, None] + np.arange(-reach, reach + 1), 0, len(clean) - 1)
    high, low = float(np.median(clean[window].max(axis=1))), float(np.median(clean[window].min(axis=1)))
    return (high + low) / max(high - low, 1e-12)


def quietly(work: Callable[[], None]) -> bool:
    """Run library code that fails or warns on hard input; whether it came to its end."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            work()
        except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError, ArithmeticError, np.linalg.LinAlgError):
            return False
    return True


def summits(clean: Values, peaks: NDArray[np.int64], rate_hz: float) -> Values:
    """Peaks moved to the summit within 60 ms, then between samples by a parabola; of several in 0.25 s the highest."""
    reach = max(1, round(_REFINE_S * rate_hz))
    peaks = np.unique(peaks[(peaks >= 0) & (peaks < len(clean))])
    if not len(peaks):
        return np.zeros(0)
    window = np.clip(peaks[:, None] + np.arange(-reach, reach + 1), 0, len(clean) - 1)
    top = window[np.arange(len(peaks)), clean[window].argmax(axis=1)]
    top = np.unique(top)
    kept: list[int] = []
    for one in top.tolist():
        if kept and one - kept[-1] < _REFRACTORY_S * rate_hz:
            if clean[one] > clean[kept[-1]]:
                kept[-1] = one
        else:
            kept.append(one)
    at = np.array(kept)
    left, mid, right = (clean[np.clip(at + k, 0, len(clean) - 1)] for k in (-1, 0, 1))
    curve = left + right - 2 * mid
    shift = np.where(curve < 0, 0.5 * (left - right) / np.where(curve < 0, curve, -1), 0)
    return at + np.clip(shift, -0.5, 0.5)


def _judge(clean: Values, at: Values, rate_hz: float, around_s: tuple[float, float]) -> Beats:
    if len(at) < 3:
        return Beats.none()
    likeness = shape_likeness(clean, at, rate_hz, around_s)
    good = plausible(at / rate_hz, likeness)
    likeness = np.clip(likeness, 0, 1)
    return Beats(at, likeness, likeness, good, _upright(clean, at, rate_hz))


def shape_likeness(clean: Values, at: Values, rate_hz: float, around_s: tuple[float, float]) -> Values:
    """Correlation of each beat with the median beat of its group of about 100, -1..1 (n,)."""
    offsets = np.linspace(around_s[0], around_s[1], _SHAPE_POINTS) * rate_hz
    shapes = np.interp(at[:, None] + offsets, np.arange(len(clean)), clean)
    shapes -= shapes.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(shapes, axis=1, keepdims=True)
    shapes /= np.maximum(norm, 1e-12)
    out = np.zeros(len(at))
    groups = max(1, round(len(at) / _GROUP))
    for group in np.array_split(np.arange(len(at)), groups):
        chosen = shapes[group]
        for _ in range(2):
            typical = np.median(chosen, axis=0)
            typical -= typical.mean()
            typical /= max(float(np.linalg.norm(typical)), 1e-12)
            out[group] = shapes[group] @ typical
            chosen = shapes[group][out[group] >= np.median(out[group])]
    return out


def plausible(times_s: Values, likeness: Values) -> Flags:
    """Beats whose neighbourhood is a beating heart: alike in shape, and not at random times, bool (n,).

    Of the nine beats around each one, the median likeness must reach 0.75 and the median deviation of the intervals
    from their own median stay below 15 %; or 0.9 and 27 %, which lets irregular but clearly shaped hearts (atrial
    fibrillation) pass. Noise reaches 0.4 to 0.6 and 40 %, Poisson spikes 0.95 and 31 %. Fewer than twelve beats are
    alike by chance more often: for them 0.88 instead of 0.75.

    Args:
        times_s: Beat times, increasing, seconds (n,).
        likeness: From `shape_likeness` (n,).
    """
    from scipy.ndimage import median_filter, uniform_filter1d

    if len(times_s) < 5:
        return np.zeros(len(times_s), bool)
    intervals = np.diff(times_s)
    size = min(_NEIGHBOURS, len(intervals) - 1 + len(intervals) % 2)
    typical = median_filter(likeness, size, mode="nearest")
    usual = median_filter(intervals, size, mode="nearest")
    jitter = median_filter(np.abs(intervals / usual - 1), size, mode="nearest")
    jitter = np.r_[jitter[0], (jitter[1:] + jitter[:-1]) / 2, jitter[-1]]
    usual = np.r_[usual[0], (usual[1:] + usual[:-1]) / 2, usual[-1]]
    least = 0.75 if len(times_s) >= _FEW else 0.88
    rhythmic = ((typical > least) & (jitter < 0.15)) | ((typical > 0.9) & (jitter < 0.27))
    rhythmic &= (usual > 60 / HIGHEST_BPM) & (usual < 60 / LOWEST_BPM)
    # A few beats that seem good by chance, amid noise, are none.
    around = uniform_filter1d(rhythmic.astype(np.float64), min(_WIDER, len(rhythmic)), mode="nearest")
    return np.asarray(rhythmic & (around > 0.45), dtype=bool)


def pulse_heights(stretch: Stretch, beats: Beats) -> Values:
    """Height of each pulse wave from the foot before it to its peak, in the signal's unit (n,)."""
    from scipy.signal import butter, sosfiltfilt

    rate = stretch.rate_hz
    if not len(beats.at):
        return np.zeros(0)
    sos = butter(2, (0.5, min(8.0, 0.4 * rate)), "bandpass", fs=rate, output="sos")
    reach = min(len(stretch.values) - 1, round(3 * rate))
    clean = sosfiltfilt(sos, stretch.values - np.median(stretch.values), padtype="even", padlen=reach)
    peak = np.clip(np.rint(beats.at).astype(int), 0, len(clean) - 1)
    before = np.clip(peak[:, None] - np.arange(round(0.5 * rate)), 0, len(clean) - 1)
    return np.asarray(clean[peak] - clean[before].min(axis=1))


def find_pulses(stretch: Stretch) -> Beats:
    """Systolic peaks of a PPG (any unit): neurokit2's detector after Elgendi et al. (2013), judged as R peaks are."""
    import neurokit2 as nk

    rate = stretch.rate_hz
    if stretch.seconds < SHORTEST_S or rate < LOWEST_PULSE_RATE_HZ:
        return Beats.none()
    raw = stretch.values - np.median(stretch.values)
    raw = np.clip(raw / (float(np.percentile(np.abs(raw), 95)) or float(np.max(np.abs(raw))) or 1.0), -20, 20)
    found: dict[str, Values] = {}

    def detect() -> None:
        found["clean"] = np.asarray(nk.ppg_clean(raw, sampling_rate=rate, method="elgendi"), dtype=np.float64)
        info = nk.ppg_findpeaks(found["clean"], sampling_rate=rate, method="elgendi")
        found["peaks"] = np.asarray(info["PPG_Peaks"], dtype=np.float64)

    if not quietly(detect) or not np.all(np.isfinite(found["clean"])):
        return Beats.none()
    peaks = found["peaks"][np.isfinite(found["peaks"])].astype(np.int64)
    return _judge(found["clean"], summits(found["clean"], peaks, rate), rate, _PULSE_S)
