"""Heart, skin, breath and temperature of a simulated session."""

from __future__ import annotations

import numpy as np

from data_schemas.emotion import EMOTIONS
from data_schemas.event import Event
from data_schemas.features import Encoding
from pipeline.simulate.chance import between
from pipeline.simulate.measurement import load_measurement
from pipeline.simulate.profiles import Curve
from pipeline.simulate.tokens_course import Stretch, log_uniform
from pipeline.simulate.tokens_signals import RATE_HZ, Scene, encoding_of, event, gaps, moments, smooth, swell, wander

HEART = ("heart_rate_bpm", "rmssd_ms", "ecg_quality")
SKIN = ("eda_tonic_us", "eda_phasic_us", "scr_rate")
SPREAD_OF_REACTIVITY = 0.5
"""Standard deviation over people of the logarithm of the response size: the unit in which g enters."""


def draw_physiology(rng: np.random.Generator, scene: Scene) -> Encoding:
    """What a physiology encoder would say of the scene."""
    times, n = scene.times_s, len(scene.times_s)
    columns: dict[str, Curve] = {}
    found: list[Event] = []
    responses = draw_responses(rng, scene)
    phasic = _phasic(times, responses)
    noise = wander(rng, n, 8, 20.0)
    columns["eda_phasic_us"] = phasic + 0.01 * noise[:, 0] + 0.05 * scene.effects.suppressed_skin * scene.suppressing
    drift = np.cumsum(rng.standard_normal(n)) * 0.01
    columns["eda_tonic_us"] = 4 + drift + 0.3 * np.convolve(phasic, np.exp(-np.arange(n) / (15 * RATE_HZ)), "full")[:n]
    found_as = load_measurement().events["scr"]
    recall, alarms = found_as.recall(rng), found_as.alarms_per_minute(rng) * log_uniform(rng, 0.3, 3)
    for onset, amplitude in [*responses, *((at, log_uniform(rng, 0.02, 0.2)) for at in moments(rng, times, alarms))]:
        if rng.random() < recall * (1 - np.exp(-amplitude / 0.04)):
            at = max(0.0, onset + 0.2 * float(rng.standard_normal()))
            score = amplitude * float(np.exp(0.2 * rng.standard_normal()))
            found.append(event("physiology", "scr", at, at + 4.0, at + between(rng, 1, 2), score, "SCR"))
    counted = np.histogram([to_onset(one) for one in found], np.r_[times, times[-1] + 1 / RATE_HZ])[0]
    columns["scr_rate"] = np.convolve(counted, np.ones(round(30 * RATE_HZ)), "full")[:n] * 2.0
    columns["heart_rate_bpm"] = _heart_rate(rng, scene, noise[:, 1])
    columns["rmssd_ms"] = 40 + 10 * noise[:, 2]
    columns["ecg_quality"] = np.clip(0.9 + 0.08 * noise[:, 3], 0, 1)
    columns["respiration_rate_bpm"] = 15 + 2 * noise[:, 4]
    columns["temperature_degc"] = 33 + 0.2 * noise[:, 5]
    kept = _sensors(rng, columns)
    if "eda_phasic_us" not in kept:
        found = []
    there = gaps(rng, times, log_uniform(rng, 0.02, 0.8))
    return encoding_of("physiology", times, kept, there, found)


def draw_responses(rng: np.random.Generator, scene: Scene) -> list[tuple[float, float]]:
    """Onset in s and amplitude in uS of every skin conductance response, spontaneous, evoked or of no interest."""
    if rng.random() < 1 / 12:
        return []
    effects, course = scene.effects, scene.course
    size = log_uniform(rng, 0.08, 0.8)
    responses = [(at, 0.5) for at in moments(rng, scene.times_s, log_uniform(rng, 0.5, 6))]
    orients, speaks = between(rng, 0, 0.3), between(rng, 0, 0.3)
    responses += [(cue.onset_s + between(rng, 1, 3), 0.7) for cue in course.cues if rng.random() < orients]
    responses += [(turn.onset_s + between(rng, 0.5, 3), 0.7) for turn in course.turns if rng.random() < speaks]
    for stretch in course.felt:
        if rng.random() < effects.scr:
            responses.append((stretch.onset_s + between(rng, 1, 3), _reactivity(stretch, scene)))
    return sorted((at, size * scale * float(np.exp(0.4 * rng.standard_normal()))) for at, scale in responses)


def _reactivity(stretch: Stretch, scene: Scene) -> float:
    """Relative size of an evoked response: larger by g while suppressing, in the spread between people."""
    at = min(int((stretch.onset_s + stretch.offset_s) / 2 * RATE_HZ), len(scene.times_s) - 1)
    g = scene.effects.suppressed_reactivity if scene.suppressing[at] else 0.0
    return float(np.exp(g * SPREAD_OF_REACTIVITY))


def _phasic(times_s: Curve, responses: list[tuple[float, float]]) -> Curve:
    """Sum of bi-exponential responses (Alexander et al. 2005) whose peaks are their amplitudes."""
    out = np.zeros(len(times_s))
    for onset, amplitude in responses:
        since = np.clip(times_s - onset, 0, None)
        out += amplitude * (np.exp(-since / 3.0) - np.exp(-since / 0.75)) / 0.4725
    return out


def _heart_rate(rng: np.random.Generator, scene: Scene, noise: Curve) -> Curve:
    """Heart rate in bpm: wandering, breathing, talking, and what is felt."""
    times, effects = scene.times_s, scene.effects
    rate = noise + between(rng, 0.2, 1.0) * np.sin(2 * np.pi * (between(rng, 0.18, 0.33) * times + rng.random()))
    rate = rate + between(rng, 0, 1.2) * smooth(scene.talking, 4.0)
    for stretch in scene.course.felt:
        size = effects.heart_rate[EMOTIONS.index(stretch.emotion) - 1] * float(np.exp(0.3 * rng.standard_normal()))
        onset = stretch.onset_s + between(rng, 0.3, 1.2)
        rate = rate + size * swell(times, onset, stretch.offset_s + 3.0, 1.5, 2.5)
    rate = rate + effects.suppressed_heart_rate * smooth(scene.suppressing, 3.0)
    return 70 + between(rng, 2, 5) * rate


def _sensors(rng: np.random.Generator, columns: dict[str, Curve]) -> dict[str, Curve]:
    """What this lab records: heart and skin, one of the two, seldom breath and temperature."""
    dropped: tuple[str, ...] = ()
    kind = rng.random()
    if kind < 0.15:
        dropped = SKIN
    elif kind < 0.3:
        dropped = HEART
    kept = {name: values for name, values in columns.items() if name not in dropped}
    for name, share in (("respiration_rate_bpm", 0.5), ("temperature_degc", 0.75)):
        if rng.random() < share:
            kept.pop(name)
    return {name: values for name, values in kept.items() if rng.random() > 0.04}


def to_onset(one: Event) -> float:
    """Onset in seconds."""
    return one.onset_ns / 1e9
