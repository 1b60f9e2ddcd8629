"""A small formant synthesiser: glottal pulses of known pitch through four resonators.

The source is Rosenberg's pulse (1971, "Effect of glottal pulse shape on the quality of natural vowels"), differentiated
for the radiation at the lips; the resonators and their gains are those of Klatt (1980, "Software for a
cascade/parallel formant synthesizer").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate.profiles import Curve
from pipeline.simulate.speech import VOWELS, Syllable, Turn, phrase_loudness, phrase_pitch

BANDWIDTHS_HZ = (70.0, 100.0, 140.0, 200.0)
OPENING, OPEN = 0.4, 0.6
"""Share of the period in which the glottis opens, and in which it is open at all."""
_BLOCK_S = 0.005


def synthesize(
    turns: Sequence[Turn], n: int, rate_hz: float, start_s: float, drift: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sound of a person's speech turns in a quiet room, as a device with its own clock samples it.

    Args:
        turns: What is said, on the session clock.
        n: Number of samples.
        rate_hz: Samples per second of the device's clock.
        start_s: Session time of sample 0.
        drift: Session seconds per device second, minus 1.
        rng: Source of room noise, breath and frication.

    Returns:
        float32 (n,), within -1..1; speech about -20 dB, room noise about -62 dB of full scale.
    """
    step = (1 + drift) / rate_hz
    sound = _room(n, rng)
    for turn in turns:
        for phrase in turn.phrases:
            first = int(np.ceil((phrase[0].onset_s - start_s) / step))
            last = int(np.ceil((phrase[-1].offset_s - start_s) / step))
            if last <= 0 or first >= n:
                continue
            times = start_s + np.arange(first, last, dtype=np.float64) * step
            said = _voice(phrase, times, step, rng) + _bursts(phrase, times, rate_hz, rng)
            a, b = max(first, 0), min(last, n)
            sound[a:b] += said[a - first : b - first].astype(np.float32)
    return np.clip(sound, -1.0, 1.0)


def _room(n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Quiet room: white noise through a short average, which leaves more of the low frequencies."""
    white = rng.standard_normal(n + 3, dtype=np.float32)
    return np.float32(0.0005) * (white[:-3] + white[1:-2] + np.float32(0.5) * (white[2:-1] + white[3:]))


def _voice(phrase: Sequence[Syllable], times: Curve, step: float, rng: np.random.Generator) -> Curve:
    """The voiced part of one phrase."""
    f0 = phrase_pitch(phrase, times)
    phase = np.cumsum(f0) * step
    flow = glottal_flow(phase % 1.0)
    source = np.diff(flow, prepend=flow[0])
    source += 0.004 * flow * rng.standard_normal(len(times))
    spoken = _resonate(source, phrase, times, step)
    peak = float(np.max(np.abs(spoken))) if len(spoken) else 0.0
    return 0.45 * spoken / max(peak, 1e-9) * phrase_loudness(phrase, times)


def glottal_flow(phase: Curve) -> Curve:
    """Rosenberg's pulse: flow 0..1 at a phase 0..1 of the period."""
    rising = 0.5 - 0.5 * np.cos(np.pi * phase / OPENING)
    falling = np.cos(0.5 * np.pi * (phase - OPENING) / (OPEN - OPENING))
    return np.where(phase < OPENING, rising, np.where(phase < OPEN, falling, 0.0))


def _resonate(source: Curve, phrase: Sequence[Syllable], times: Curve, step: float) -> Curve:
    """Cascade of resonators whose frequencies glide from vowel to vowel, 5 ms at a time."""
    from scipy.signal import sosfilt

    block = max(1, round(_BLOCK_S / step))
    nodes, targets = [], []
    for s in phrase:
        length = s.offset_s - s.voiced_s
        nodes += [s.voiced_s + 0.3 * length, s.voiced_s + 0.75 * length]
        targets += [VOWELS[s.vowel][1]] * 2
    centres = times[::block]
    formants = np.stack([np.interp(centres, nodes, [t[k] for t in targets]) for k in range(4)], axis=1)
    radius = np.exp(-np.pi * np.array(BANDWIDTHS_HZ) * step)
    a1 = -2 * radius * np.cos(2 * np.pi * formants * step)
    a2 = np.broadcast_to(radius**2, a1.shape)
    sections = np.zeros((len(centres), 4, 6))
    sections[:, :, 0] = 1 + a1 + a2
    sections[:, :, 3] = 1
    sections[:, :, 4] = a1
    sections[:, :, 5] = a2
    out, state = np.empty_like(source), np.zeros((4, 2))
    for at in range(len(centres)):
        piece = slice(at * block, (at + 1) * block)
        out[piece], state = sosfilt(sections[at], source[piece], zi=state)
    return out


def _bursts(phrase: Sequence[Syllable], times: Curve, rate_hz: float, rng: np.random.Generator) -> Curve:
    """Frication before those syllables that begin with it: band-passed noise under a raised cosine."""
    from scipy.signal import butter, sosfilt

    sections = butter(2, (2500, min(7000, 0.45 * rate_hz)), "bandpass", fs=rate_hz, output="sos")
    out = np.zeros(len(times))
    for s in phrase:
        first, last = np.searchsorted(times, (s.onset_s, s.voiced_s))
        if last - first > 8:
            noise = sosfilt(sections, rng.standard_normal(last - first))
            out[first:last] += 0.03 * s.level * np.hanning(last - first) * noise
    return out
