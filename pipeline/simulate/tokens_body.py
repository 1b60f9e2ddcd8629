"""The body of a simulated session: movement, posture, gestures, hands that go to the face."""

from __future__ import annotations

import numpy as np

from data_schemas.event import Event
from data_schemas.features import Encoding
from pipeline.simulate.chance import between
from pipeline.simulate.profiles import Curve
from pipeline.simulate.tokens_course import NEUTRAL, log_uniform
from pipeline.simulate.tokens_signals import Scene, encoding_of, event, gaps, moments, raised, smooth, swell, wander


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
    rate = log_uniform(rng, 0.1, 3) * raised(effects.hand_to_face, scene.hidden)
    for at in moments(rng, times, np.minimum(rate, 20.0)):
        length = between(rng, 0.8, 4)
        touch = np.maximum(touch, swell(times, at, at + length, length / 4, length / 4))
        if rng.random() < 0.85:
            found.append(event("body", "hand_to_face", at, at + length, at + length / 2, between(rng, 0.1, 0.9)))
    noise = wander(rng, n, 12, 15.0)
    shown, hidden = scene.shown != NEUTRAL, scene.hidden
    change = np.outer(shown, effects.body_shown) + np.outer(hidden, effects.body_hidden)
    moving = _activity(rng, noise[:, :2], gesture + touch, scene)
    columns = {
        "movement_energy": moving + change[:, 0] + effects.suppressed_movement * scene.suppressing,
        "pixel_motion": moving + change[:, 0] + 0.5 * noise[:, 2],
        "left_hand_speed": np.abs(noise[:, 3]) + 2 * gesture + touch + change[:, 1],
        "right_hand_speed": np.abs(noise[:, 4]) + 2 * gesture + touch + change[:, 1],
        "hand_face_distance_left": 2 - 1.6 * touch * (rng.random() < 0.6) + 0.2 * noise[:, 5],
        "hand_face_distance_right": 2 - 1.6 * touch + 0.2 * noise[:, 6],
        "trunk_lean_deg": noise[:, 7] + change[:, 2],
        "shoulder_tilt_deg": noise[:, 8],
        "head_tilt_deg": noise[:, 9],
        "posture_openness": noise[:, 10] + change[:, 3],
        "hand_to_face": (touch > 0.5).astype(float),
        "confidence": np.clip(0.85 + 0.08 * noise[:, 11], 0, 1),
    }
    kept = {name: values for name, values in columns.items() if rng.random() > 0.05}
    return encoding_of("body", times, kept, gaps(rng, times, log_uniform(rng, 0.05, 2)), found)


def _activity(rng: np.random.Generator, noise: Curve, hands: Curve, scene: Scene) -> Curve:
    fidgets = np.exp(between(rng, 0.2, 0.8) * noise[:, 0])
    return fidgets + 0.3 * noise[:, 1] + 2 * hands + between(rng, 0, 0.8) * smooth(scene.talking, 1.0)
