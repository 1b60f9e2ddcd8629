"""A session of the token simulator as a script that can be rendered: the same world, filmed.

So that the real encoders can be put before the fusion in the world that it was trained for. What the renderers cannot
show has no effect there: `filmed` takes those effects out, and a comparison with the token level must use the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from data_schemas.emotion import EMOTIONS
from pipeline.simulate.chance import between, generator
from pipeline.simulate.emotion import Episode, Expression
from pipeline.simulate.motion import ACTION_UNITS
from pipeline.simulate.profiles import Profile
from pipeline.simulate.script import (
    PHOTOGRAPHS,
    Script,
    draw_blinks,
    draw_markers,
    draw_person,
    draw_wandering,
    space_gestures,
)
from pipeline.simulate.speech import draw_turn
from pipeline.simulate.tokens_course import Course
from pipeline.simulate.tokens_effects import BODY_EFFECTS, VOICE_EFFECTS, Effects
from pipeline.simulate.tokens_movements import Movement, draw_movements
from pipeline.simulate.tokens_physiology import draw_responses
from pipeline.simulate.tokens_signals import Scene, moments, raised
from pipeline.simulate.trials import Gesture, PlannedCue, Response, draw_gesture

APART_S = 0.15
"""Least time between two movements of the face that are filmed; the later one is left out."""
PITCH_SD = 0.06
"""What a standard deviation of pitch within a person is taken for, as a share of the pitch."""
HEART_SD = 0.05
"""The same for heart rate."""


def filmed(effects: Effects) -> Effects:
    """The effects that a rendered session can have: none of the suppression design, of voice only pitch, of body only
    hands that go to the face.
    """
    quiet = (0.0,) * (VOICE_EFFECTS - 1)
    return replace(
        effects,
        design="viewing" if effects.design == "suppression" else effects.design,
        voice_shown=(effects.voice_shown[0], *quiet),
        voice_hidden=(effects.voice_hidden[0], *quiet),
        body_shown=(0.0,) * BODY_EFFECTS,
        body_hidden=(0.0,) * BODY_EFFECTS,
        suppressed_reactivity=0.0,
        suppressed_heart_rate=0.0,
        suppressed_movement=0.0,
        suppressed_blinks=0.0,
        suppressed_skin=0.0,
    )


def script_of(course: Course, effects: Effects, seed: int) -> Script:
    """The script of a course.

    Args:
        course: What is felt, shown, asked and said.
        effects: From `filmed`.
        seed: Of the person and of everything that the course leaves open.
    """
    scene = Scene.of(course, effects)
    person = draw_person(generator(seed, "person"), PHOTOGRAPHS[seed % 2])
    expressions = _expressions(draw_movements(generator(seed, "token face"), scene), course)
    rng = generator(seed, "filmed")
    cues = [
        PlannedCue(cue.onset_s, cue.offset_s, cue.kind, f"{cue.kind} {number}", cue.expected or "")
        for number, cue in enumerate(course.cues, 1)
    ]
    if course.baseline is not None:
        cues.insert(0, PlannedCue(course.baseline.onset_s, course.baseline.offset_s, "baseline", "rest", "neutral"))
    return Script(
        seconds=course.seconds,
        seed=seed,
        person=person,
        markers_s=draw_markers(generator(seed, "markers"), course.seconds),
        cues=tuple(cues),
        episodes=_episodes(course),
        expressions=expressions,
        blinks=draw_blinks(generator(seed, "blinks"), course.seconds, expressions),
        turns=tuple(
            draw_turn(rng, turn.onset_s, turn.offset_s - turn.onset_s, person.f0_hz * _pitch(scene, turn.onset_s))
            for turn in course.turns
            if turn.offset_s < course.seconds - 0.5
        ),
        scrs=_scrs(rng, draw_responses(generator(seed, "token physiology"), scene), course.seconds),
        heart=tuple(
            Response(
                stretch.onset_s + between(rng, 0.3, 1.2),
                HEART_SD * effects.heart_rate[EMOTIONS.index(stretch.emotion) - 1],
                between(rng, 1.5, 3.0),
            )
            for stretch in course.felt
        ),
        gestures=_gestures(rng, scene),
        wandering=draw_wandering(generator(seed, "wandering")),
    )


def _expressions(movements: Sequence[Movement], course: Course) -> tuple[Expression, ...]:
    """Movements as expressions with a profile, none closer than `APART_S` to one before; displays go first."""
    taken: list[Expression] = []
    for one in sorted(movements, key=lambda movement: (movement.kind != "display", movement.onset_s)):
        units = {name: min(1.0, size) for name, size in one.units.items() if name in ACTION_UNITS and size > 0.01}
        onset, offset = max(one.onset_s, 0.05), min(one.offset_s, course.seconds - 0.05)
        if not units or offset - onset < 0.1:
            continue
        if any(other.profile.overlaps(onset, offset, APART_S) for other in taken):
            continue
        length = offset - onset
        rise, fall = min(0.6, length / 2.2), min(0.8, length / 2.2)
        middle = np.array([(onset + offset) / 2])
        hidden = bool(course.felt_at(middle)[0] != course.shown_at(middle)[0])
        kind = "micro" if length < 0.5 else "macro"
        profile = Profile(onset, onset + rise, max(onset + rise, offset - fall), offset)
        taken.append(Expression(kind, profile, one.emotion, units, hidden))
    return tuple(sorted(taken, key=lambda expression: expression.profile.onset_s))


def _episodes(course: Course) -> tuple[Episode, ...]:
    """Stretches of constant felt and shown emotion in which either is not neutral."""
    ends = {0.0, course.seconds}
    for stretch in (*course.felt, *course.shown):
        ends |= {min(max(stretch.onset_s, 0.0), course.seconds), min(max(stretch.offset_s, 0.0), course.seconds)}
    edges = np.array(sorted(ends))
    middles = (edges[1:] + edges[:-1]) / 2
    felt, shown = course.felt_at(middles), course.shown_at(middles)
    return tuple(
        Episode(float(start), float(end), EMOTIONS[f], EMOTIONS[s])
        for start, end, f, s in zip(edges[:-1], edges[1:], felt, shown, strict=True)
        if (f or s) and end > start
    )


def _pitch(scene: Scene, at_s: float) -> float:
    """Factor on the pitch of a turn."""
    at = min(int(np.searchsorted(scene.times_s, at_s)), len(scene.times_s) - 1)
    change = scene.effects.voice_shown[0] * bool(scene.shown[at]) + scene.effects.voice_hidden[0] * scene.hidden[at]
    return float(np.exp(PITCH_SD * change))


def _scrs(rng: np.random.Generator, drawn: Sequence[tuple[float, float]], seconds: float) -> tuple[Response, ...]:
    """Responses that can be told apart: the later of two within 1.5 s is left out."""
    out: list[Response] = []
    for onset, amplitude in drawn:
        if 0 < onset < seconds - 2.5 and (not out or onset - out[-1].onset_s >= 1.5):
            out.append(Response(onset, max(0.02, amplitude), between(rng, 2.0, 3.5)))
    return tuple(out)


def _gestures(rng: np.random.Generator, scene: Scene) -> tuple[Gesture, ...]:
    rate = float(np.exp(rng.uniform(np.log(0.1), np.log(3)))) * raised(scene.effects.hand_to_face, scene.hidden)
    wanted = [draw_gesture(rng, at) for at in moments(rng, scene.times_s, np.minimum(rate, 20.0))]
    return space_gestures(wanted, scene.course.seconds)
