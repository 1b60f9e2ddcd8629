"""The body of a simulated session: movement, posture, gestures, hands that go to the face."""

from __future__ import annotations

import numpy as np

from data_schemas.event import Event
from data_schemas.features import Encoding
from pipeline.simulate.chance import between
from pipeline.simulate.measurement import load_measurement
from pipeline.simulate.tokens_course import NEUTRAL, log_uniform
from pipeline.simulate.tokens_signals import Scene, encoding_of, event, gaps, moments, raised, smooth, swell


def draw_body(rng: np.random.Generator, scene: Scene) -> Encoding:
    """What a body encoder would say of the scene."""
    times, n, effects = scene.times_s, len(scene.times_s), scene.effects
    found: list[Event] = []
    gesture, touch = np.zeros(n), np.zeros(n)
    for at in moments(rng, times, log_uniform(rng, 0.3, 8) * (1 + 2 * scene.talking)):
        length = between(rng, 0.5, 2.5)
        gesture += swell(times, at, at + length, length / 3, length / 3)
        if rng.random() < 0.8:
            found.append(event("body", "gesture", at, at + length, at + length / 2, between(rng, 0.8, 4)))
    finds = load_measurement().events["hand_to_face"].recall(rng)
    rate = log_uniform(rng, 0.1, 3) * raised(effects.hand_to_face, scene.hidden)
    for at in moments(rng, times, np.minimum(rate, 20.0)):
        length = between(rng, 0.8, 4)
        touch = np.maximum(touch, swell(times, at, at + length, length / 4, length / 4))
        if rng.random() < finds:
            found.append(event("body", "hand_to_face", at, at + length, at + length / 2, between(rng, 0.1, 0.9)))
    columns, valid = load_measurement().draw(rng, "body", n, scene.talking)
    still = {name: float(np.subtract(*np.quantile(values, [0.84, 0.16]))) / 2 for name, values in columns.items()}
    hands = gesture + touch + between(rng, 0, 0.4) * smooth(scene.talking, 1.0)
    change = np.outer(scene.shown != NEUTRAL, effects.body_shown) + np.outer(scene.hidden, effects.body_hidden)
    moved = {
        "movement_energy": 2 * hands + change[:, 0] + effects.suppressed_movement * scene.suppressing,
        "pixel_motion": 2 * hands + change[:, 0],
        "left_hand_speed": 3 * gesture + touch + change[:, 1],
        "right_hand_speed": 3 * gesture + touch + change[:, 1],
        "hand_face_distance_left": -8 * touch * (rng.random() < 0.6),
        "hand_face_distance_right": -8 * touch,
        "trunk_lean_deg": change[:, 2],
        "posture_openness": change[:, 3],
    }
    for name, by in moved.items():
        if name in columns:
            columns[name] = columns[name] + still[name] * by
    for name in ("movement_energy", "pixel_motion", "left_hand_speed", "right_hand_speed"):
        if name in columns:
            columns[name] = np.clip(columns[name], 0, None)
    columns["hand_to_face"] = (touch > 0.5).astype(float) if finds > 0.2 else np.zeros(n)
    columns["confidence"] = np.clip(columns["confidence"], 0, 1)
    kept = {name: values for name, values in columns.items() if rng.random() > 0.05}
    return encoding_of("body", times, kept, gaps(rng, times, log_uniform(rng, 0.05, 2)), found, valid)
