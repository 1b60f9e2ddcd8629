"""The voice of a simulated session: turns, pauses, and how they sound."""

from __future__ import annotations

import numpy as np

from data_schemas.event import Event
from data_schemas.features import Encoding
from fusion.vocabulary import TABLES
from pipeline.simulate.chance import between
from pipeline.simulate.tokens_course import NEUTRAL, log_uniform
from pipeline.simulate.tokens_signals import Scene, encoding_of, event, gaps, smooth, wander

FEATURES = TABLES["voice"].person
_NEEDS_VOICE = ("pitch_hz", "syllable_rate_hz", "spectral_centroid_hz", "spectral_tilt_db_per_octave")


def draw_voice(rng: np.random.Generator, scene: Scene) -> Encoding:
    """What a voice encoder would say of the scene.

    `Effects.voice_shown` and `voice_hidden` go with the features in the order of the token table: pitch, intensity, ...
    """
    times, n = scene.times_s, len(scene.times_s)
    heard = scene.talking & (rng.random(n) > between(rng, 0, 0.15))
    heard |= rng.random(n) < between(rng, 0, 0.04)
    noise = wander(rng, n, len(FEATURES), 4.0)
    shown = np.outer(scene.shown != NEUTRAL, scene.effects.voice_shown)
    hidden = np.outer(scene.hidden, scene.effects.voice_hidden)
    sound = noise + shown + hidden
    columns = {name: sound[:, at] for at, name in enumerate(FEATURES)}
    loud = between(rng, 2, 6) * smooth(scene.talking, 0.5)
    for name in ("intensity_db", "mel_mean_db", "mel_std_db"):
        columns[name] = columns[name] + loud
    columns["speech"] = heard.astype(float)
    columns["voicing"] = np.clip(0.65 * heard + 0.15 * wander(rng, n, 1)[:, 0], 0, 1)
    columns["talking_share"] = smooth(heard, 10.0)
    there = gaps(rng, times, log_uniform(rng, 0.02, 1))
    kept = {name: values for name, values in columns.items() if rng.random() > 0.05}
    found: list[Event] = []
    for turn in scene.course.turns:
        if rng.random() < 0.93:
            onset = max(0.0, turn.onset_s + 0.1 * float(rng.standard_normal()))
            found.append(
                event("voice", "speech_turn", onset, max(onset + 0.2, turn.offset_s), None, between(rng, 0.5, 1))
            )
        if turn.offset_s - turn.onset_s > 2.5 and rng.random() < 0.5:
            middle = (turn.onset_s + turn.offset_s) / 2
            found.append(event("voice", "pause", middle, middle + between(rng, 0.25, 1.0)))
    return encoding_of("voice", times, kept, there, found, dict.fromkeys(_NEEDS_VOICE, heard))
