"""Heart, breath and skin of a simulated person: beats at known times, skin responses at known onsets.

Beats come from an integral pulse frequency model driven by the heart rate; the ECG is a sum of Gaussians around each of
them (after McSharry et al. 2003, IEEE TBME 50:289); skin responses have the bi-exponential shape of Alexander et al.
(2005, J. Neurosci. Methods 146:116).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate.chance import generator
from pipeline.simulate.profiles import Curve, SlowCurve
from pipeline.simulate.script import Script
from pipeline.simulate.trials import Response

RISE_S = 0.75
"""Time constant of the rise of a skin conductance response."""
MAINS_HZ = 50.0
_GRID_HZ = 100.0
# Wave: centre from the R peak in s, width (standard deviation) in s, height in mV; P and T move with the beat's length.
_WAVES = {
    "P": (-0.16, 0.022, 0.14),
    "Q": (-0.034, 0.009, -0.11),
    "R": (0.0, 0.011, 1.1),
    "S": (0.036, 0.010, -0.24),
    "T": (0.26, 0.045, 0.30),
}


@dataclass(frozen=True, eq=False)
class Heart:
    """Beats and what follows from them, on the session clock.

    Attributes:
        r_peaks_s: Times of the R peaks, shape (b,), reaching beyond both ends of the span asked for.
        grid_s: Times of the rate, 100 Hz.
        rate_bpm: Momentary heart rate on the grid.
        breathing: Phase of breathing in cycles on the grid.
    """

    r_peaks_s: Curve
    grid_s: Curve
    rate_bpm: Curve
    breathing: Curve

    def rate_at(self, times_s: Curve) -> Curve:
        """Momentary heart rate in bpm, same shape."""
        return np.interp(times_s, self.grid_s, self.rate_bpm)

    def respiration_at(self, times_s: Curve) -> Curve:
        """Breathing belt, -1 (out) to 1 (in), same shape."""
        return np.sin(2 * np.pi * np.interp(times_s, self.grid_s, self.breathing))

    def ecg_at(self, times_s: Curve) -> Curve:
        """Clean ECG in mV, same shape; its greatest values lie at the R peaks."""
        after = np.searchsorted(self.r_peaks_s, times_s, side="right")
        after = np.clip(after, 1, len(self.r_peaks_s) - 1)
        length = self.r_peaks_s[after] - self.r_peaks_s[after - 1]
        out = np.zeros(np.shape(times_s))
        for since in (times_s - self.r_peaks_s[after - 1], times_s - self.r_peaks_s[after]):
            for wave, (centre, width, height) in _WAVES.items():
                stretch = np.sqrt(length) if wave in "PT" else 1.0
                out += height * np.exp(-0.5 * ((since - centre * stretch) / width) ** 2)
        return out

    def pulse_at(self, times_s: Curve, transit_s: float) -> Curve:
        """Blood volume pulse at a place `transit_s` from the heart, about -1..1, same shape.

        Its foot comes `transit_s` after the R peak; a systolic and a smaller dicrotic wave follow.
        """
        feet = self.r_peaks_s + transit_s
        here = np.searchsorted(feet, times_s, side="right") - 1
        out = np.zeros(np.shape(times_s))
        for beat in (-1, 0, 1):
            at = np.clip(here + beat, 0, len(feet) - 2)
            length = feet[at + 1] - feet[at]
            part = (times_s - feet[at]) / length
            out += np.exp(-0.5 * ((part - 0.26) / 0.11) ** 2) + 0.4 * np.exp(-0.5 * ((part - 0.62) / 0.13) ** 2)
        return 1.8 * out - 0.85


@dataclass(frozen=True, eq=False)
class Followed:
    """A heart that another one follows.

    Attributes:
        heart: Whose.
        lag_s: Delay, seconds.
        share: Weight of the followed course in the own, 0..1.
    """

    heart: Heart
    lag_s: float
    share: float

    def lead(self, relative: Curve, grid_s: Curve) -> Curve:
        """The relative course on the grid with this share of the followed one, mean and spread as before."""
        theirs = self.heart.rate_at(grid_s - self.lag_s)
        mixed = self.share * (theirs - theirs.mean()) / max(float(theirs.std()), 1e-9)
        spread = max(float(relative.std()), 1e-9)
        mixed += np.sqrt(1 - self.share**2) * (relative - relative.mean()) / spread
        return np.asarray(relative.mean() + spread * mixed)


def draw_heart(script: Script, start_s: float, end_s: float, followed: Followed | None = None) -> Heart:
    """Beats from before `start_s` to after `end_s`, with respiratory arrhythmia and the script's changes.

    Args:
        script: Person, seed and responses.
        start_s: Session time from which beats are wanted; may be negative.
        end_s: Session time up to which they are wanted.
        followed: Somebody else's heart that this one follows.
    """
    rng = generator(script.seed, "heart")
    person = script.person
    wander, mayer = SlowCurve.draw(rng, 0.03), SlowCurve.draw(rng, 0.1)
    depth = SlowCurve.draw(rng, 0.05)
    first = float(rng.uniform(0, 1))
    # Counted from zero in both directions, so that an earlier start changes nothing of what is in the session.
    ticks = np.arange(np.floor((start_s - 4) * _GRID_HZ), np.ceil((end_s + 4) * _GRID_HZ) + 1)
    grid = ticks / _GRID_HZ
    zero = int(np.searchsorted(grid, 0.0))
    breath_hz = person.breathing_hz * (1 + 0.12 * depth(grid))
    breathing = np.cumsum(breath_hz) / _GRID_HZ
    breathing -= breathing[zero]
    relative = 1 + person.sinus_arrhythmia * np.sin(2 * np.pi * breathing) + 0.03 * mayer(grid) + 0.04 * wander(grid)
    for response in script.heart:
        relative += response.amplitude * _surge(grid - response.onset_s, response.decay_s)
    if followed is not None:
        relative = followed.lead(relative, grid)
    rate = person.heart_rate_bpm * relative
    beats = np.cumsum(rate / 60) / _GRID_HZ
    beats += first - beats[zero]
    numbers = np.arange(np.ceil(beats[0]), np.floor(beats[-1]) + 1)
    return Heart(np.interp(numbers, beats, grid), grid, rate, breathing)


def _surge(since_s: Curve, tau_s: float) -> Curve:
    """A slow response: 0 before 0, 1 at its peak 2 tau after it, then back to 0."""
    scaled = np.maximum(since_s, 0) / tau_s
    return (scaled / 2) ** 2 * np.exp(2 - scaled)


def scr_rise_s(decay_s: float) -> float:
    """Time from onset to peak of a skin conductance response with this decay constant."""
    return float(np.log(decay_s / RISE_S) * decay_s * RISE_S / (decay_s - RISE_S))


def scr_half_s(decay_s: float) -> float:
    """Time from onset to the half recovery of a skin conductance response."""
    grid = np.arange(scr_rise_s(decay_s), 12 * decay_s, 0.002)
    return float(grid[np.searchsorted(-_bateman(grid, decay_s), -0.5)])


def _bateman(since_s: Curve, decay_s: float) -> Curve:
    """Bi-exponential of unit height, 0 before its onset."""
    since = np.maximum(since_s, 0)
    peak = scr_rise_s(decay_s)
    height = np.exp(-peak / decay_s) - np.exp(-peak / RISE_S)
    return (np.exp(-since / decay_s) - np.exp(-since / RISE_S)) / height


def phasic_at(responses: Sequence[Response], times_s: Curve) -> Curve:
    """Sum of the skin conductance responses in uS, same shape."""
    out = np.zeros(np.shape(times_s))
    for response in responses:
        out += response.amplitude * _bateman(times_s - response.onset_s, response.decay_s)
    return out


def tonic_at(script: Script, times_s: Curve) -> Curve:
    """Level of skin conductance in uS: the person's own, slowly drifting, same shape."""
    drift = SlowCurve.draw(generator(script.seed, "tonic"), 0.012, components=3)
    return script.person.eda_tonic_us * (1 + 0.05 * drift(times_s))


def record_physiology(script: Script, heart: Heart, times_s: Curve) -> NDArray[np.float64]:
    """What the amplifier measures, with its noise.

    Args:
        script: The session.
        heart: Its beats, covering `times_s`.
        times_s: Sample times on the session clock, shape (n,).

    Returns:
        float64 (n, 3): ECG in mV, EDA in uS, respiration in arbitrary units.
    """
    rng = generator(script.seed, "amplifier noise")
    n = len(times_s)
    noise = rng.standard_normal((3, n))
    mains = np.sin(2 * np.pi * MAINS_HZ * times_s + float(rng.uniform(0, 2 * np.pi)))
    breath = heart.respiration_at(times_s)
    baseline = SlowCurve.draw(rng, 0.2)(times_s)
    ecg = heart.ecg_at(times_s) + 0.05 * breath + 0.08 * baseline + 0.008 * mains + 0.012 * noise[0]
    eda = tonic_at(script, times_s) + phasic_at(script.scrs, times_s) + 0.0015 * mains + 0.003 * noise[1]
    return np.stack([ecg, eda, breath + 0.02 * noise[2]], axis=1)
