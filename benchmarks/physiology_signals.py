"""Simulated ECG and EDA with known truth, and the noises that real recordings have.

Independent of the simulator in `pipeline/simulate`: shapes of beats vary from heart to heart (wide, inverted, with high
T waves), beats come too early, from the wrong place or at random, and noise is added at a known ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlantedHeart:
    """One simulated ECG.

    Attributes:
        values: mV (n,).
        rate_hz: Samples per second.
        beats_s: Time of every R wave.
        ectopic: Which of them come too early, bool.
    """

    values: Values
    rate_hz: float
    beats_s: Values
    ectopic: NDArray[np.bool_]


def draw_ecg(
    seed: int,
    seconds: float,
    rate_hz: float,
    *,
    snr_db: float | None = None,
    noise: str = "motion",
    ectopic: float = 0.0,
    fibrillation: bool = False,
) -> PlantedHeart:
    """Draw one ECG.

    Args:
        seed: Fixes everything.
        seconds: Length.
        rate_hz: Samples per second.
        snr_db: Power of the beats (an eighth of the squared peak-to-peak height of the QRS complexes) over that of the
            noise, as the MIT-BIH noise stress test counts it (Moody, Muldrow & Mark 1984); None for next to none.
        noise: "motion" of the electrodes, "muscle", "wander" of the baseline, or "all" at equal power.
        ectopic: Share of beats that come too early, half of them of ventricular shape.
        fibrillation: Beats at random distances, no P wave.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    beats, early, ventricular = _beat_times(rng, seconds, ectopic, fibrillation)
    usual, odd = _draw_shape(rng, fibrillation), _draw_ventricular(rng)
    x = np.zeros(len(t))
    for at, length, strange in zip(beats, np.diff(beats, append=beats[-1] + 0.8), ventricular, strict=True):
        scale = np.sqrt(min(length, 1.2) / 0.8)
        for centre, width, height in odd if strange else usual:
            late = at + (centre * scale if centre > 0.1 else centre)
            first, last = np.searchsorted(t, (late - 5 * width, late + 5 * width))
            x[first:last] += height * np.exp(-0.5 * ((t[first:last] - late) / width) ** 2)
    heights = [np.ptp(x[(t > at - 0.06) & (t < at + 0.06)]) for at in beats if 0.1 < at < seconds - 0.1]
    power = float(np.mean(np.square(heights))) / 8
    x += 0.01 * rng.standard_normal(len(t)) + 0.05 * np.sin(2 * np.pi * 0.25 * t)
    if snr_db is not None:
        spoiled = draw_noise(rng, noise, len(t), rate_hz)
        x = x + spoiled * np.sqrt(power / 10 ** (snr_db / 10) / np.mean(spoiled**2))
    inside = (beats > 0.1) & (beats < seconds - 0.1)
    return PlantedHeart(x, rate_hz, beats[inside], early[inside])


def _beat_times(
    rng: np.random.Generator, seconds: float, ectopic: float, fibrillation: bool
) -> tuple[Values, NDArray[np.bool_], NDArray[np.bool_]]:
    usual = 60 / rng.uniform(52, 105)
    now, times, early, ventricular = float(rng.uniform(0, usual)), [], [], []
    phase = rng.uniform(0, 6)
    pause = 1.0
    while now < seconds:
        times.append(now)
        sooner = bool(len(times) > 2 and pause == 1.0 and rng.random() < ectopic)
        wide = sooner and rng.random() < 0.5
        if sooner:
            back = usual * rng.uniform(0.25, 0.42)
            times[-1] -= back
            pause = 1.0 + back / usual if wide else 1.0
        else:
            pause = 1.0
        early.append(sooner)
        ventricular.append(wide)
        length = usual * (1 + 0.05 * np.sin(2 * np.pi * 0.24 * now + phase) + 0.015 * rng.standard_normal())
        if fibrillation:
            length = usual * float(np.clip(rng.normal(1, 0.2), 0.55, 1.8))
        now = times[-1] + length * (pause if sooner else 1.0)
    return np.array(times), np.array(early), np.array(ventricular)


def _draw_shape(rng: np.random.Generator, fibrillation: bool) -> list[tuple[float, float, float]]:
    """Waves of a normal beat: centre from the R wave in s, width in s, height in mV."""
    wide = rng.uniform(1.0, 1.8)
    size = rng.uniform(0.6, 1.6) * (-1 if rng.random() < 0.15 else 1)
    waves = [
        (-0.16, 0.022, 0.0 if fibrillation else rng.uniform(0.06, 0.18)),
        (-0.034 * wide, 0.009 * wide, -rng.uniform(0.02, 0.2)),
        (0.0, 0.011 * wide, 1.0),
        (0.036 * wide, 0.010 * wide, -rng.uniform(0.05, 0.5)),
        (0.26, rng.uniform(0.035, 0.06), rng.uniform(-0.2, 0.45)),
    ]
    return [(centre, width, height * size) for centre, width, height in waves]


def _draw_ventricular(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    size = rng.uniform(1.0, 1.8) * rng.choice([-1, 1])
    return [(0.0, rng.uniform(0.025, 0.04), size), (0.09, 0.03, -0.35 * size), (0.28, 0.06, -0.4 * size)]


def draw_noise(rng: np.random.Generator, kind: str, n: int, rate_hz: float) -> Values:
    """Noise of unit power (n,): "motion", "muscle", "wander", "all", or "white"."""
    makers = {"motion": _motion, "muscle": _muscle, "wander": _wander}
    if kind == "white":
        return rng.standard_normal(n)
    parts = [makers[one](rng, n, rate_hz) for one in (makers if kind == "all" else (kind,))]
    return sum((part / np.sqrt(np.mean(part**2)) for part in parts), np.zeros(n)) / np.sqrt(len(parts))


def _motion(rng: np.random.Generator, n: int, rate_hz: float) -> Values:
    """Electrode motion: bumps as short as a QRS complex, jumps that decay, and noise below 10 Hz, in bursts."""
    from scipy.ndimage import gaussian_filter1d

    t = np.arange(n) / rate_hz
    x = np.zeros(n)
    for _ in range(rng.poisson(1.3 * n / rate_hz)):
        at, width = rng.uniform(0, t[-1]), np.exp(rng.uniform(np.log(0.02), np.log(0.35)))
        first, last = np.searchsorted(t, (at - 5 * width, at + 5 * width))
        x[first:last] += rng.normal(0, 1) * np.exp(-0.5 * ((t[first:last] - at) / width) ** 2)
    for _ in range(rng.poisson(0.25 * n / rate_hz)):
        at, decay = rng.uniform(0, t[-1]), rng.uniform(0.1, 1.5)
        first, last = np.searchsorted(t, (at, at + 6 * decay))
        x[first:last] += rng.normal(0, 1.2) * np.exp(-(t[first:last] - at) / decay)
    slow = gaussian_filter1d(rng.standard_normal(n), rate_hz / (2 * np.pi * 4))
    x = gaussian_filter1d(x, 0.004 * rate_hz) + 0.5 * slow / slow.std()
    bursts = gaussian_filter1d(rng.standard_normal(n), 3 * rate_hz)
    return x * (1 + 0.6 * np.clip(bursts / max(bursts.std(), 1e-12), -1, 2))


def _muscle(rng: np.random.Generator, n: int, rate_hz: float) -> Values:
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import butter, sosfiltfilt

    band = (20, min(120, 0.45 * rate_hz))
    x = sosfiltfilt(butter(2, band, "bandpass", fs=rate_hz, output="sos"), rng.standard_normal(n))
    bursts = gaussian_filter1d(rng.standard_normal(n), 2 * rate_hz)
    return np.asarray(x * (1 + np.clip(bursts / max(bursts.std(), 1e-12), -0.8, 3)))


def _wander(rng: np.random.Generator, n: int, rate_hz: float) -> Values:
    from scipy.signal import butter, sosfiltfilt

    return np.asarray(sosfiltfilt(butter(2, 0.6, fs=rate_hz, output="sos"), np.cumsum(rng.standard_normal(n))))


@dataclass(frozen=True, eq=False)
class PlantedSkin:
    """One simulated skin conductance.

    Attributes:
        values: uS (n,).
        onsets_s: Onset of every response.
        amplitudes_us: Their heights.
        artefacts_s: When motion artefacts begin.
    """

    values: Values
    onsets_s: Values
    amplitudes_us: Values
    artefacts_s: Values


def draw_eda(seed: int, seconds: float, rate_hz: float, *, noise_us: float, artefacts_per_min: float) -> PlantedSkin:
    """Draw one skin conductance: responses of bi-exponential shape, a drifting level, noise and motion.

    Args:
        seed: Fixes everything.
        seconds: Length.
        rate_hz: Samples per second.
        noise_us: Standard deviation of white noise.
        artefacts_per_min: Jolts (0.2 to 1 s), losses of contact (up to 2 s) and pressure (a step of 0.3 to 3 uS that
            comes in a tenth of a second and mostly goes away again).
    """
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    onsets = np.cumsum(rng.uniform(2.5, 16, round(seconds / 5)))
    onsets = onsets[onsets < seconds - 6]
    amplitudes = np.exp(rng.uniform(np.log(0.06), np.log(1.2), len(onsets)))
    x = rng.uniform(2, 10) + 0.4 * np.sin(2 * np.pi * t / rng.uniform(60, 140)) - 0.002 * t
    for onset, amplitude in zip(onsets, amplitudes, strict=True):
        since, decay, rise = np.maximum(t - onset, 0), rng.uniform(1.8, 5), rng.uniform(0.5, 0.95)
        peak = np.log(decay / rise) * decay * rise / (decay - rise)
        shape = np.exp(-since / decay) - np.exp(-since / rise)
        x += amplitude * shape / (np.exp(-peak / decay) - np.exp(-peak / rise))
    shocks = np.sort(rng.uniform(4, seconds - 4, rng.poisson(artefacts_per_min * seconds / 60)))
    for at in shocks:
        kind, size = rng.integers(3), np.exp(rng.uniform(np.log(0.3), np.log(3)))
        if kind == 0:
            width = rng.uniform(0.07, 0.25)
            x += size * rng.choice([-1, 1]) * np.exp(-0.5 * ((t - at - 3 * width) / width) ** 2)
        elif kind == 1:
            x = np.where((t >= at) & (t < at + rng.uniform(0.3, 2)), 0.01 * rng.random(len(t)), x)
        else:
            since = t - at
            x += size * (since > 0) * np.clip(since / 0.1, 0, 1) * np.where(since < rng.uniform(0.5, 3), 1, 0.1)
    return PlantedSkin(x + noise_us * rng.standard_normal(len(t)), onsets, amplitudes, shocks)
