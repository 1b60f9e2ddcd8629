"""What the script looks like at the moments when a camera takes its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_schemas.time import FloatArray
from pipeline.simulate.motion import BodyMotion, FaceMotion
from pipeline.simulate.profiles import Curve
from pipeline.simulate.script import Script
from pipeline.simulate.speech import mouth_at

if TYPE_CHECKING:
    from pipeline.simulate.physiology import Heart

YAW_DEG, PITCH_DEG, ROLL_DEG, SHIFT_PX, LIGHT = 6.0, 4.0, 3.0, 10.0, 0.03
"""Greatest excursions of the slow movement."""


def face_motion(script: Script, heart: Heart, times_s: Curve) -> FaceMotion:
    """The face at frame times on the session clock, shape (n,)."""
    w = script.wandering
    return FaceMotion(
        times_s=times_s,
        aus=action_units_at(script, times_s),
        blink=np.max([np.zeros(len(times_s)), *(blink(times_s) for blink in script.blinks)], axis=0),
        mouth_open=mouth_at(script.turns, times_s),
        yaw_deg=YAW_DEG * w.yaw(times_s),
        pitch_deg=PITCH_DEG * w.pitch(times_s),
        roll_deg=ROLL_DEG * w.roll(times_s),
        shift_px=SHIFT_PX * np.stack([w.shift_x(times_s), w.shift_y(times_s)], axis=1),
        skin_pulse=heart.pulse_at(times_s, script.person.pulse_transit_s),
        light=1 + LIGHT * w.light(times_s),
    )


def action_units_at(script: Script, times_s: Curve) -> dict[str, Curve]:
    """Intensity 0..1 of each action unit that the script ever moves, shape (n,) each."""
    out: dict[str, Curve] = {}
    for expression in script.expressions:
        envelope = expression.profile(times_s)
        for name, intensity in expression.aus.items():
            out[name] = out.get(name, np.zeros(len(times_s))) + intensity * envelope
    return out


def body_motion(script: Script, times_s: Curve) -> BodyMotion:
    """The body at frame times on the session clock; who hides something holds still, who speaks nods."""
    hands = {"left": np.zeros(len(times_s)), "right": np.zeros(len(times_s))}
    for gesture in script.gestures:
        hands[gesture.side] += gesture.profile(times_s)
    speaking = np.zeros(len(times_s))
    for turn in script.turns:
        speaking = np.maximum(speaking, Plateau(turn.onset_s, turn.offset_s)(times_s))
    held = np.zeros(len(times_s))
    for episode in script.episodes:
        if episode.concealed:
            held = np.maximum(held, Plateau(episode.onset_s, episode.offset_s)(times_s))
    return BodyMotion(
        times_s=times_s,
        left_hand_to_face=hands["left"],
        right_hand_to_face=hands["right"],
        sway=script.wandering.sway(times_s) * (1 - 0.6 * held),
        nod=script.wandering.nod(times_s) * (0.2 + 0.8 * speaking),
    )


class Plateau:
    """1 within a stretch, with flanks of 0.4 s outside it."""

    def __init__(self, start_s: float, end_s: float) -> None:
        self.nodes = (start_s - 0.4, start_s, end_s, end_s + 0.4)

    def __call__(self, times_s: FloatArray) -> Curve:
        """Value 0..1 at session times."""
        return np.interp(times_s, self.nodes, (0.0, 1.0, 1.0, 0.0))
