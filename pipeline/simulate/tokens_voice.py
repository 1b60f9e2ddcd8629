"""The voice of a simulated session: turns, pauses, and how they sound."""

from __future__ import annotations

import numpy as np

from data_schemas.event import Event
from data_schemas.features import Encoding
from fusion.vocabulary import TABLES
from pipeline.simulate.chance import between
from pipeline.simulate.measurement import load_measurement
from pipeline.simulate.tokens_course import NEUTRAL, covers, log_uniform
from pipeline.simulate.tokens_signals import Scene, encoding_of, event, gaps, moments, smooth

FEATURES = TABLES["voice"].person


def draw_voice(rng: np.random.Generator, scene: Scene) -> Encoding:
    """What a voice encoder would say of the scene.

    `Effects.voice_shown` and `voice_hidden` go with the features in the order of the token table: pitch, intensity, ...
    """
    times, n = scene.times_s, len(scene.times_s)
    heard = scene.talking & (rng.random(n) > between(rng, 0, 0.15))
    heard |= rng.random(n) < between(rng, 0, 0.04)
    model = load_measurement()
    columns, valid = model.draw(rng, "voice", n, heard)
    shown = np.outer(scene.shown != NEUTRAL, scene.effects.voice_shown)
    hidden = np.outer(scene.hidden, scene.effects.voice_hidden)
    for at, name in enumerate(FEATURES):
        if name in columns:
            spread = np.subtract(*np.quantile(columns[name][heard] if heard.any() else columns[name], [0.84, 0.16])) / 2
            columns[name] = columns[name] + spread * heard * (shown + hidden)[:, at]
    columns["speech"] = heard.astype(float)
    columns["voicing"] = np.clip(columns["voicing"], 0, 1)
    columns["talking_share"] = smooth(heard, 10.0)
    there = gaps(rng, times, log_uniform(rng, 0.02, 1))
    kept = {name: values for name, values in columns.items() if rng.random() > 0.05}
    found: list[Event] = []
    for turn in scene.course.turns:
        if rng.random() < 0.93:
            onset = max(0.0, turn.onset_s + 0.1 * float(rng.standard_normal()))
            found.append(
                event("voice", "speech_turn", onset, max(onset + 0.2, turn.offset_s), None, between(rng, 0.5, 1.0))
            )
        for start in moments(rng, times[covers((turn,), times)], between(rng, 5, 30)):
            found.append(event("voice", "pause", start, start + log_uniform(rng, 0.2, 1.0)))
    return encoding_of("voice", times, kept, there, found, valid)
