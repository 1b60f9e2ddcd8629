"""Clips of one gesture and long sequences of several, with bodies and cameras of either of two ranges."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from modalities.body.animation.camera import Camera, TrackerErrors
from modalities.body.animation.figure import BodySize
from modalities.body.animation.performance import BOTH_HANDS, GESTURES, NEGATIVE, Act, draw_act, perform
from modalities.body.skeleton import FloatArray, Skeleton

LEAD_S = 3.0
"""Rest before and after the gesture of a clip."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A skeleton and what was planted.

    Attributes:
        skeleton: As the tracker reports it.
        acts: Planted gestures in order, without the negative ones.
    """

    skeleton: Skeleton
    acts: tuple[Act, ...]


def draw_clip(name: str, seed: int, held_out: bool, errors: TrackerErrors | None = None, rate_hz: float = 10) -> Scene:
    """One gesture between two rests.

    Args:
        name: One of `GESTURES` or `NEGATIVE`.
        seed: Everything follows from it.
        held_out: Sizes, angles and distances of the held-out range instead of the one for development.
        errors: The tracker's.
        rate_hz: Samples per second; their distances vary by a tenth.
    """
    rng = np.random.default_rng([seed, 1 + held_out, zlib.crc32(name.encode())])
    act = draw_act(name, LEAD_S, rng)
    return _filmed(act.whole_s[1] + LEAD_S, [act], rng, held_out, errors, rate_hz)


def draw_sequence(
    seed: int, seconds: float, held_out: bool, errors: TrackerErrors | None = None, rate_hz: float = 10
) -> Scene:
    """Gestures of all kinds one after the other, 1 to 4 s apart; head and hands now and then at the same time."""
    rng = np.random.default_rng([seed, 3 + held_out])
    acts: list[Act] = []
    at = float(rng.uniform(1.5, 3))
    while True:
        name = str(rng.choice([*GESTURES, *NEGATIVE]))
        act = draw_act(name, at, rng)
        if act.whole_s[1] > seconds - 1.5:
            break
        acts.append(act)
        if name in BOTH_HANDS and rng.random() < 0.3:
            beside = draw_act(str(rng.choice(["nod", "shake_head", "shake_leg"])), at, rng)
            if beside.whole_s[1] < act.whole_s[1]:
                acts.append(beside)
        at = act.whole_s[1] + float(rng.uniform(1, 4))
    return _filmed(seconds, acts, rng, held_out, errors, rate_hz)


def _filmed(
    seconds: float, acts: list[Act], rng: np.random.Generator, held_out: bool, errors: TrackerErrors | None, hz: float
) -> Scene:
    steps = rng.uniform(0.9, 1.1, round(seconds * hz)) / hz
    times_s: FloatArray = np.cumsum(steps) - steps[0]
    size, camera = BodySize.draw(rng, held_out), Camera.draw(rng, held_out)
    errors = replace(TrackerErrors(), world=bool(rng.random() < 0.8)) if errors is None else errors
    skeleton = perform(times_s, acts, int(rng.integers(2**31)), size=size, camera=camera, errors=errors)
    return Scene(skeleton, tuple(act for act in acts if act.name not in NEGATIVE))
