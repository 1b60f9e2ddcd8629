"""Electrodermal activity: tonic level, phasic part, and skin conductance responses."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import runs_of
from modalities.physiology.beats import quietly
from modalities.physiology.stretches import Stretch

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

RATE_HZ = 10.0
"""EDA is thinned out to at least this rate: its fastest part, the rise of a response, takes half a second."""
SHORTEST_S = 4.0
LOWEST_RATE_HZ = 2.0
"""Below this rate no responses are looked for."""
_LEAST_US, _NOISE_FACTOR, _AREA_TO_HEIGHT = 0.02, 4.0, 0.78
_RIPPLE_FACTOR = 4.5
_SMOOTH_S, _SEEN_SHARE = 0.16, 0.42
_RECOVERY_S = 4.0
_LONGEST_RISE_S, _LONGEST_RECOVERY_S = 3.0, 20.0
_HIGHEST_US, _STEEPEST_US_PER_S, _JITTER_US = 100.0, 8.0, 0.08
_SPIKE_US, _JUMP_US, _ONE_ARTEFACT_S = 0.08, 0.15, 3.5
LONGEST_BRIDGE_S = 6.0


@dataclass(frozen=True)
class Response:
    """One skin conductance response; positions in samples of its stretch, amplitude in the unit of the stretch.

    Attributes:
        onset: Where it begins to rise.
        peak: Where it is highest.
        end: Half recovery, or where the next response or the stretch cuts it off.
        amplitude: Height of the peak over the onset's level, or over the decay of the response before it.
        recovered: Whether half of the amplitude was lost again at `end`.
    """

    onset: int
    peak: int
    end: int
    amplitude: float
    recovered: bool


def smooth(stretch: Stretch) -> Stretch:
    """A stretch of 10 to 20 Hz without what is faster than about 1 Hz."""
    return Stretch(stretch.start_ns, stretch.rate_hz, _smoothed(stretch.values, stretch.rate_hz))


def find_artefacts(stretch: Stretch, microsiemens: bool) -> tuple[Flags, Flags]:
    """Samples that cannot be skin conductance.

    The limits in uS follow Kleckner et al. (2018, "Simple, transparent, and flexible automated quality assessment
    procedures for ambulatory electrodermal activity data"): range, and slope with 0.3 s around it. Noise: what is
    faster than 1 Hz exceeds half of what is slower. Motion: see `find_jolts`.

    Args:
        stretch: At 10 to 20 Hz, not smoothed.
        microsiemens: Whether the unit is known to be uS; without it only the noise is judged.

    Returns:
        Off (no contact, or beyond the amplifier's range) and noisy, each bool (n,).
    """
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter, uniform_filter1d

    x, rate = stretch.values, stretch.rate_hz
    slow = gaussian_filter1d(x, 0.4 * rate, mode="nearest")
    size = max(3, round(5 * rate))
    fast_power = (median_filter(np.abs(x - slow), min(size, len(x)), mode="nearest") / 0.6745) ** 2
    mean = uniform_filter1d(slow, 4 * size, mode="nearest")
    slow_power = uniform_filter1d((slow - mean) ** 2, 4 * size, mode="nearest")
    noisy = fast_power > 0.25 * slow_power
    off = np.zeros(len(x), bool)
    if microsiemens:
        noisy &= fast_power > _JITTER_US**2
        second = max(3, round(2 * rate) // 2 * 2 + 1)
        off = (maximum_filter1d(np.abs(x), second, mode="nearest") < _LEAST_US) | (np.abs(x) > _HIGHEST_US)
        steep = np.abs(np.gradient(x) * rate) > _STEEPEST_US_PER_S if len(x) > 1 else np.zeros(len(x), bool)
        noisy |= maximum_filter1d(steep.astype(np.uint8), max(3, round(0.6 * rate)), mode="nearest").astype(bool)
        noisy |= find_jolts(stretch)
    else:
        noisy &= fast_power > 1e-4 * max(float(np.var(x)), 1e-300)
    return off, noisy & ~off


def find_jolts(stretch: Stretch) -> Flags:
    """Samples where the electrodes moved: no sweat gland is that fast, bool (n,).

    A spike is what a running median of 1.5 s removes (it leaves any rise or fall as it is). A jump is a change within
    0.3 s that is three quarters of all change within 0.6 s before and after it; the steepest response needs 0.6 s for
    that. A rise is left alone if a response follows from it: no fall as sudden, and a decay within 2 s. Two of them
    less than 3.5 s apart are one artefact if the level between them is another one than around them: both ends of a
    pressure.

    Args:
        stretch: At 4 to 20 Hz, in uS, not smoothed.
    """
    from scipy.ndimage import binary_dilation, maximum_filter1d, median_filter, minimum_filter1d

    x, rate = stretch.values, stretch.rate_hz
    if rate < LOWEST_RATE_HZ or len(x) < 5:
        return np.zeros(len(x), bool)
    noise = float(np.median(np.abs(np.diff(x, 2)))) / 0.6745 / np.sqrt(6)
    size, second = round(0.75 * rate) * 2 + 1, round(0.6 * rate) * 2 + 1
    spread = maximum_filter1d(x, 4 * size, mode="nearest") - minimum_filter1d(x, 4 * size, mode="nearest")
    over = x - median_filter(x, size, mode="nearest")
    limit = np.maximum(_SPIKE_US + 0.1 * spread, 6 * noise)
    found = over < -limit
    for first, stop in runs_of(over > limit):
        found[first:stop] = _falls_at_once(x, first + int(x[first:stop].argmax()), rate)
    step = max(1, round(0.3 * rate))
    change = x[step:] - x[:-step]
    moved = maximum_filter1d(x, second + step, mode="nearest") - minimum_filter1d(x, second + step, mode="nearest")
    moved = moved[step // 2 : step // 2 + len(change)]
    jump = (np.abs(change) > np.maximum(_JUMP_US, 8 * noise)) & (np.abs(change) > 0.75 * moved)
    falls = np.flatnonzero(jump & (change < 0))
    for first, stop in runs_of(jump & (change > 0)):
        paired = len(falls) and np.min(np.abs(falls - first)) < _ONE_ARTEFACT_S * rate
        later = x[min(stop + step + round(2 * rate), len(x) - 1)]
        if paired or later > x[first] + 0.85 * (x[min(stop + step, len(x) - 1)] - x[first]):
            found[first : stop + step] = True
    for at in falls.tolist():
        found[at : at + step + 1] = True
    for (first, before), (after, stop) in pairwise(runs_of(found)):
        gap = (after - before) / rate
        between, outside = float(np.median(x[before:after])), x[[max(first - 1, 0), min(stop, len(x) - 1)]]
        if gap < 0.5 or (gap < _ONE_ARTEFACT_S and np.min(np.abs(between - outside)) > _JUMP_US):
            found[before:after] = True
    return np.asarray(binary_dilation(found, iterations=max(1, round(0.3 * rate))) if found.any() else found)


def _falls_at_once(x: Values, top: int, rate: float) -> bool:
    """Whether 0.3 s after a peak nearly half of its rise in the second before is lost."""
    height = x[top] - x[max(0, top - round(rate)) : top + 1].min()
    return bool(x[top] - x[min(len(x) - 1, top + round(0.3 * rate))] > 0.45 * height)


def bridged(stretch: Stretch, spoiled: Flags) -> tuple[Stretch, Stretch]:
    """The stretch with straight lines through what is spoiled; and the same without the change of level across it.

    The second is for finding responses: a level that differs after an artefact is no response.

    Args:
        stretch: Any.
        spoiled: Samples to bridge, not all of them, bool (n,).
    """
    x = stretch.values.copy()
    sound = np.flatnonzero(~spoiled)
    x = np.interp(np.arange(len(x)), sound, x[sound])
    level = x.copy()
    for first, stop in runs_of(spoiled):
        if first > 0 and stop < len(x):
            rise = x[stop] - x[first - 1]
            level[first:] -= np.interp(np.arange(first, len(x)), (first - 1, stop), (0, rise))
    return Stretch(stretch.start_ns, stretch.rate_hz, x), Stretch(stretch.start_ns, stretch.rate_hz, level)


def decompose(stretch: Stretch) -> tuple[Values, Values]:
    """Tonic and phasic part of a smoothed stretch (n,), in its unit: neurokit2's high-pass at 0.05 Hz."""
    import neurokit2 as nk

    x = stretch.values
    found: dict[str, Values] = {}

    def split() -> None:
        reach = min(len(x) - 1, round(20 * stretch.rate_hz))
        padded = np.pad(x, reach, mode="reflect", reflect_type="odd")
        parts = nk.eda_phasic(padded, sampling_rate=stretch.rate_hz, method="highpass")
        found["tonic"] = parts["EDA_Tonic"].to_numpy()[reach : reach + len(x)]
        found["phasic"] = parts["EDA_Phasic"].to_numpy()[reach : reach + len(x)]

    if not quietly(split) or not np.all(np.isfinite(found["tonic"] + found["phasic"])):
        return np.full(len(x), float(np.mean(x))), x - float(np.mean(x))
    return found["tonic"], found["phasic"]


def noise_in(slow: Stretch, thinned: bool) -> float:
    """Standard deviation of white noise as strong as that in an unsmoothed stretch, from its second differences.

    Args:
        slow: At 10 to 20 Hz.
        thinned: Whether it was thinned out; the low-pass before that hides 58 % of the fast noise looked at here.
    """
    if len(slow.values) < 5:
        return 0.0
    seen = float(np.median(np.abs(np.diff(slow.values, 2)))) / 0.6745 / np.sqrt(6)
    return seen / _SEEN_SHARE if thinned else seen


def find_responses(stretch: Stretch, noise: float, microsiemens: bool) -> list[Response]:
    """Skin conductance responses, in order of onset.

    The exponential recovery of a response is undone (the slope plus the level over 4 s, a simple form of the driver of
    Benedek & Kaernbach 2010), so that a response on the way down from the one before still stands out as a lobe of the
    driver, and its amplitude, from the area of the lobe, contains neither that recovery nor a drift. A response counts
    if its lobe is four standard deviations of the noise high, rises from its half within 3 s, and its amplitude reaches
    0.02 uS (where the unit is not known: 5 % of the robust range of the signal).

    Args:
        stretch: Smoothed by `smooth`, in uS if `microsiemens`.
        noise: Of the stretch before it was smoothed, from `noise_in`.
        microsiemens: Whether the unit is uS.
    """
    from scipy.signal import find_peaks

    x, rate = stretch.values, stretch.rate_hz
    if stretch.seconds < SHORTEST_S or rate < LOWEST_RATE_HZ:
        return []
    driver = _driver(x, rate)
    impulse = np.zeros(round(8 * rate) + 1)
    impulse[len(impulse) // 2] = 1.0
    noise_in_driver = noise * float(np.linalg.norm(_driver(_smoothed(impulse, rate), rate)))
    least = _LEAST_US if microsiemens else 0.05 * float(np.subtract(*np.percentile(x, (95, 5))))
    height = max(_NOISE_FACTOR * noise_in_driver, _RIPPLE_FACTOR * _ripple(driver, rate), 0.5 * least, 1e-12)
    wide = 4 * round(_LONGEST_RISE_S * rate) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lobes without height, which are left out anyway
        lobes, about = find_peaks(driver, prominence=height, distance=max(1, round(0.7 * rate)), wlen=wide)
    reach = round(_LONGEST_RISE_S * rate)
    valleys = [0, *(a + int(driver[a:b].argmin()) for a, b in pairwise(lobes.tolist())), len(x) - 1]
    onsets, closes = [], []
    for at, (lobe, tall) in enumerate(zip(lobes.tolist(), about["prominences"].tolist(), strict=True)):
        back = driver[max(valleys[at], lobe - reach) : lobe + 1][::-1]
        onsets.append(lobe - _crossing(back, driver[lobe] - 0.5 * tall))
        ahead = driver[lobe : min(valleys[at + 1], lobe + reach) + 1]
        closes.append(lobe + _crossing(ahead, driver[lobe] - 0.9 * tall))
    found: list[Response] = []
    for at, (lobe, tall) in enumerate(zip(lobes.tolist(), about["prominences"].tolist(), strict=True)):
        limit = onsets[at + 1] if at + 1 < len(onsets) else len(x) - 1
        one = _measure(x, driver, rate, (onsets[at], lobe, closes[at]), driver[lobe] - tall, max(limit, closes[at]))
        sudden = driver[onsets[at]] <= driver[lobe] - 0.5 * tall
        if sudden and one.amplitude >= least:
            found.append(one)
    return found


def _smoothed(x: Values, rate: float) -> Values:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(x, _SMOOTH_S * rate, mode="nearest"))


def _driver(x: Values, rate: float) -> Values:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(np.gradient(x) * rate, max(0.12 * rate, 0.3), mode="nearest")) + x / _RECOVERY_S


def _ripple(driver: Values, rate: float) -> float:
    """Standard deviation of what is faster than 0.2 Hz in the quieter third of the driver: noise that is not white."""
    from scipy.ndimage import gaussian_filter1d

    fast = np.abs(driver - gaussian_filter1d(driver, 0.8 * rate, mode="nearest"))
    return float(np.percentile(fast, 30)) / 0.385


def _crossing(falling: Values, level: float) -> int:
    """Steps from the first value until one is at or below the level; to the last one if none is."""
    below = np.flatnonzero(falling <= level)
    return int(below[0]) if len(below) else len(falling) - 1


def _measure(x: Values, driver: Values, rate: float, lobe: tuple[int, int, int], foot: float, limit: int) -> Response:
    """Peak, amplitude and end of the response whose lobe is (start, top, end); it may last up to sample `limit`."""
    onset, top, close = lobe
    area = float(np.clip(driver[onset : close + 1] - foot, 0, None).sum()) / rate
    amplitude = _AREA_TO_HEIGHT * area
    search = x[top : min(limit, close + round(rate)) + 1]
    peak = top + int(search.argmax()) if search.max() > x[top] else close
    last = min(limit, len(x) - 1, peak + round(_LONGEST_RECOVERY_S * rate))
    half = np.flatnonzero(x[peak : last + 1] <= x[peak] - amplitude / 2)
    end = peak + int(half[0]) if len(half) else last
    return Response(onset, peak, max(end, peak), amplitude, bool(len(half)))
