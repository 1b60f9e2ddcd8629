"""People who are filmed, heard and wired at signal level, with known lags between their signals.

The simulator shares no formula with the cues of `sync/cues/`: beats with respiratory arrhythmia and 1/f changes, pulse
waves of gamma and bell shape, colours of three patches of skin with light, motion, noise and dropped frames, which then
pass the real chain from colours to findings; syllables whose openings follow their loudness only partly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import to_ns
from modalities.face.pulse import PULSE_HZ, FacePulse, find_pulse
from sync.cues.lips import Lips, LipsFinding
from sync.cues.pulse_lag import PulseFinding, PulseLag

Curve = NDArray[np.float64]

FPS = 30.0
SKIN_TONES = np.array([[190, 145, 120], [150, 105, 85], [110, 75, 60], [210, 160, 140]], float)
PULSE_COLOUR = np.array([0.33, 0.77, 0.53]) / 0.77
"""How strongly red, green and blue of skin take part in the pulse (de Haan & Jeanne 2013)."""
FOOT_SHARE = 0.06
"""The foot is where the systolic wave reaches this share of its height."""


@dataclass(frozen=True, eq=False)
class Body:
    """A person who is filmed, heard and wired, on the clocks as the session has them.

    Attributes:
        r_s: R peaks on the clock of ECG and sound.
        times_s: Frame times on the video's clock, which is `shift_s` late.
        pulse: What the face encoder makes of the colours of the skin.
        mouth: Opening of the mouth in each frame, percent of the inter-ocular distance.
        sound_s, level_db: Level of the sound.
        transit_s: From R peak to the foot of the pulse in the face.
        lead_s: How long the mouth comes before the sound.
        shift_s: The error of the video's clock.
    """

    r_s: Curve
    times_s: Curve
    pulse: FacePulse
    mouth: Curve
    sound_s: Curve
    level_db: Curve
    transit_s: float
    lead_s: float
    shift_s: float

    def by_pulse(self) -> PulseFinding:
        """What the pulse says."""
        kept = self.pulse.valid
        return PulseLag().measure(to_ns(self.times_s[kept]), self.pulse.values[kept], to_ns(self.r_s))

    def by_lips(self) -> LipsFinding:
        """What the lips say."""
        return Lips().measure(to_ns(self.times_s), self.mouth, to_ns(self.sound_s), self.level_db)

    def with_video_of(self, other: Body) -> Body:
        """Another person's face with this one's heart and voice."""
        return replace(self, times_s=other.times_s, pulse=other.pulse, mouth=other.mouth)

    def shifted(self, shift_s: float) -> Body:
        """The same with the video's clock later by so much."""
        return replace(self, times_s=self.times_s + shift_s, shift_s=self.shift_s + shift_s)

    def snr_db(self) -> float:
        """Power of the face's pulse at the rate of the heart and its double over the rest (de Haan & Jeanne 2013)."""
        kept = self.pulse.valid
        times, values = self.times_s[kept] - self.shift_s, self.pulse.values[kept]
        frequency, ratios = np.arange(*PULSE_HZ, 0.02), []
        for begin in np.arange(0, times[-1] - 15, 15):
            here = (times >= begin) & (times < begin + 15)
            beats = self.r_s[(self.r_s > begin) & (self.r_s < begin + 15)]
            rate = 1 / np.median(np.diff(beats))
            turned = np.exp(-2j * np.pi * frequency[:, None] * times[here])
            power = np.abs(turned @ (values[here] * np.hanning(here.sum()))) ** 2
            heart = (np.abs(frequency - rate) < 0.1) | (np.abs(frequency - 2 * rate) < 0.1)
            ratios.append(10 * np.log10(power[heart].sum() / power[~heart].sum()))
        return float(np.median(ratios))


def draw_body(seed: int, seconds: float = 120.0) -> Body:
    """A person of a session with clocks that agree.

    Args:
        seed: Everything follows from it.
        seconds: Length of the session, at least 25.
    """
    rng = np.random.default_rng([seed, 1])
    steps = np.maximum(1 / FPS + 0.003 * rng.standard_normal(round(seconds * FPS)), 0.01)
    times = np.cumsum(steps)
    times = times[rng.random(len(times)) > rng.uniform(0, 0.05)]
    hole = rng.uniform(10, seconds - 10)
    times = times[(times < hole) | (times > hole + rng.uniform(0.1, 2.0))]
    r_s = draw_beats(rng, seconds)
    transit = float(rng.uniform(0.1, 0.4))
    skin = draw_skin(rng, draw_wave(rng, r_s, transit, times), times)
    pulse = find_pulse(to_ns(times), skin, np.ones(len(times), bool))
    lead = float(rng.uniform(0.0, 0.15))
    mouth, sound, level = draw_speech(rng, times, seconds, lead)
    inside = (r_s > -2) & (r_s < seconds + 2)
    return Body(r_s[inside], times, pulse, mouth, sound, level, transit, lead, 0.0)


def draw_beats(rng: np.random.Generator, seconds: float) -> Curve:
    """R peaks from 15 s before 0 to 15 s after the end: respiratory arrhythmia, Mayer waves and 1/f changes.

    Together they give a standard deviation of about 50 ms, as healthy adults have at rest (Nunan, Sandercock & Brodie
    2010, "A quantitative systematic review of normal values for short-term heart rate variability").
    """
    step = 0.02
    grid = np.arange(-15, seconds + 15, step)
    breath = np.cumsum(rng.uniform(0.18, 0.33) * (1 + 0.1 * _noise(rng, len(grid), 1.0))) * step
    rate = rng.uniform(0.9, 1.6) * (
        1
        + rng.uniform(0.025, 0.07) * np.sin(2 * np.pi * (breath + rng.random()))
        + rng.uniform(0.01, 0.03) * np.sin(2 * np.pi * (0.1 * grid + rng.random()))
        + rng.uniform(0.02, 0.045) * _noise(rng, len(grid), 1.0)
    )
    beats = np.cumsum(rate) * step + rng.random()
    numbers = np.arange(np.ceil(beats[0]), np.floor(beats[-1]))
    return np.interp(numbers, beats, grid) + 0.002 * rng.standard_normal(len(numbers))


def _noise(rng: np.random.Generator, n: int, slope: float) -> Curve:
    """Noise of unit variance whose power falls with frequency to the power of `slope`."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.arange(len(spectrum))
    frequency[0] = 1
    spectrum *= frequency ** (-slope / 2)
    spectrum[0] = 0
    out = np.fft.irfft(spectrum, n)
    return np.asarray(out / out.std())


def draw_wave(rng: np.random.Generator, r_s: Curve, transit_s: float, times_s: Curve) -> Curve:
    """Blood volume at times, unit deviation: a systolic wave, of gamma shape or a bell, and a dicrotic one per beat.

    Its foot, where the systolic wave reaches `FOOT_SHARE` of its height, comes `transit_s` after the R peak, give or
    take 8 ms with each breath and beat.
    """
    sharp, crest, bell = rng.uniform(3, 9), rng.uniform(0.12, 0.26), rng.random() < 0.4
    height, apart, width = rng.uniform(0.05, 0.5), rng.uniform(0.24, 0.36), rng.uniform(0.07, 0.11)
    unit = np.arange(0, 1, 0.0005)
    share = float(unit[np.argmax((unit * np.exp(1 - unit)) ** sharp >= FOOT_SHARE)])
    rise = crest / (1 - share)
    foot = 0.0 if bell else share * rise
    deviation = crest / np.sqrt(2 * np.log(1 / FOOT_SHARE))

    def systole(at: Curve) -> Curve:
        part = np.maximum(at, 1e-9) / rise
        if bell:
            return np.exp(-0.5 * ((at - crest) / (deviation * np.where(at < crest, 1, 1.3))) ** 2)
        return np.where(at > 0, (part * np.exp(1 - part)) ** sharp, 0.0)

    out = np.zeros(len(times_s))
    length = np.diff(r_s, append=r_s[-1] + 0.8)
    moved = 0.006 * np.sin(2 * np.pi * 0.25 * r_s + rng.uniform(0, 6)) + 0.004 * rng.standard_normal(len(r_s))
    strength = 1 + 0.15 * _noise(rng, len(r_s), 1.0)
    for beat, at in enumerate(r_s):
        stretch = length[beat] ** 0.4
        first, stop = np.searchsorted(times_s, (at - 0.3, at + 2.2))
        here = (times_s[first:stop] - at - transit_s - moved[beat]) / stretch + foot
        out[first:stop] += strength[beat] * (
            systole(here) + height * np.exp(-0.5 * ((here - foot - crest - apart) / width) ** 2)
        )
    return (out - out.mean()) / out.std()


def draw_skin(rng: np.random.Generator, wave: Curve, times_s: Curve) -> Curve:
    """Colours of three patches of skin under a lamp that flickers, on a head that moves, (frames, 3, 3)."""
    n = len(times_s)
    gain, grain = 10 ** rng.uniform(-2.9, -2.3), 10 ** rng.uniform(-0.8, 0.2)
    light = 1 + 0.01 * _noise(rng, n, 1.5) + 0.004 * _noise(rng, n, 0.8)
    tone, jerks = SKIN_TONES[rng.integers(len(SKIN_TONES))], _jerks(rng, times_s)
    skin = np.empty((n, 3, 3))
    for patch in range(3):
        shade = light + rng.uniform(0.5, 1.5) * 0.02 * jerks + 0.004 * _noise(rng, n, 1.0)
        glint = 0.8 * rng.uniform(0.2, 1) * (0.006 * _noise(rng, n, 1.0) + 0.02 * jerks)
        colour = tone * rng.uniform(0.9, 1.1) * (1 - gain * rng.uniform(0.8, 1.2) * PULSE_COLOUR * wave[:, None])
        skin[:, patch] = colour * shade[:, None] + 150 * glint[:, None] * np.array([1.0, 0.97, 0.93])
        skin[:, patch] += grain * rng.standard_normal((n, 3))
    return skin


def _jerks(rng: np.random.Generator, times_s: Curve) -> Curve:
    """Now and then the head moves for about a second."""
    out = np.zeros(len(times_s))
    for _ in range(rng.poisson(0.05 * times_s[-1])):
        middle, width = rng.uniform(0, times_s[-1]), rng.uniform(0.2, 0.8)
        out += rng.standard_normal() * np.exp(-0.5 * ((times_s - middle) / width) ** 2)
    return out


def draw_speech(rng: np.random.Generator, frames: Curve, seconds: float, lead_s: float) -> tuple[Curve, Curve, Curve]:
    """Somebody who talks for a third to two thirds of the time, smiles and licks the lips.

    Returns:
        Opening of the mouth in each frame; times and level in dB of the sound, every 10 ms. Their correlation is that
        of running speech, about 0.3 to 0.6 (Chandrasekaran et al. 2009).
    """
    sound = np.arange(0, seconds, 0.01)
    loud, mouth = np.zeros(len(sound)), np.zeros(len(frames))
    now, pace = rng.uniform(0, 4), rng.uniform(3.5, 6)
    while now < seconds - 2:
        stop = now + rng.uniform(2, 10)
        while now < stop:
            for _ in range(rng.integers(3, 9)):
                width, level = rng.uniform(0.7, 1.3) / pace, rng.uniform(0.3, 1)
                middle = now + width / 2
                loud += level * np.exp(-0.5 * ((sound - middle) / (0.3 * width)) ** 2)
                opening = 0.25 * level + 0.75 * rng.uniform(0, 1) ** 1.5
                seen = middle - lead_s + 0.05 * rng.standard_normal()
                mouth += 9 * opening * np.exp(-0.5 * ((frames - seen) / (0.38 * width)) ** 2)
                now += width
            now += rng.uniform(0.15, 0.6)
        now += rng.uniform(2, 12)
    for _ in range(rng.poisson(seconds / 15)):
        middle, width = rng.uniform(0, seconds), rng.uniform(0.15, 1.5)
        mouth += rng.uniform(1, 8) * np.exp(-0.5 * ((frames - middle) / width) ** 2)
    mouth += rng.uniform(0.3, 1.2) * rng.standard_normal(len(frames)) + 0.8 * _noise(rng, len(frames), 1.0)
    floor = 10 ** rng.uniform(-2.2, -1.0)
    level_db = 20 * np.log10(loud + floor * (1 + 0.2 * rng.standard_normal(len(sound)))) - 25
    return np.maximum(mouth, 0), sound, level_db
