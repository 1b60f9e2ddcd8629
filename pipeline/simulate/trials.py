"""One trial of a simulated session: a question or stimulus and all that it sets off in the person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.simulate.chance import between
from pipeline.simulate.emotion import Episode, Expression, draw_macro, draw_micro
from pipeline.simulate.profiles import Profile
from pipeline.simulate.speech import Turn, draw_turn

CALM_S = 1.0
"""Least time between two planted expressions."""
FELT_CHANCE = {"negative": 0.45, "positive": 0.35, "surprise": 0.2}


@dataclass(frozen=True, slots=True)
class Person:
    """What stays the same about a simulated person.

    Attributes:
        photograph: Which face the renderer moves, "astronaut" or "hopper".
        heart_rate_bpm: At rest.
        sinus_arrhythmia: Relative change of the heart rate with breathing (half swing).
        breathing_hz: Breaths per second at rest.
        pulse_transit_s: From R peak to the foot of the pulse in the face.
        eda_tonic_us: Level of skin conductance.
        scr_us: Typical amplitude of a skin conductance response.
        f0_hz: Mean pitch at rest.
    """

    photograph: str
    heart_rate_bpm: float
    sinus_arrhythmia: float
    breathing_hz: float
    pulse_transit_s: float
    eda_tonic_us: float
    scr_us: float
    f0_hz: float


@dataclass(frozen=True, slots=True)
class PlannedCue:
    """A row of the stimulus computer's log."""

    onset_s: float
    offset_s: float
    kind: str
    label: str
    expected: str


@dataclass(frozen=True, slots=True)
class Response:
    """A bodily response: a skin conductance response (amplitude in uS) or a change of heart rate (relative)."""

    onset_s: float
    amplitude: float
    decay_s: float


@dataclass(frozen=True, slots=True)
class Gesture:
    """A hand goes to the face and back."""

    profile: Profile
    side: str


@dataclass(frozen=True)
class Trial:
    """One trial, all times on the session clock; what did not happen is None or empty."""

    cue: PlannedCue
    end_s: float
    episode: Episode | None
    expressions: tuple[Expression, ...]
    turn: Turn | None
    scr: Response | None
    heart: Response | None
    gesture: Gesture | None


def draw_trial(rng: np.random.Generator, number: int, start_s: float, manner: str, person: Person) -> Trial:
    """Plan one trial.

    Args:
        rng: Source of chance.
        number: For the label, from 1.
        start_s: Session time of the cue's onset.
        manner: "open" (felt is shown), "concealed" (felt differs from shown) or "neutral".
        person: Whose trial it is.
    """
    emotion = "neutral" if manner == "neutral" else str(rng.choice(list(FELT_CHANCE), p=list(FELT_CHANCE.values())))
    concealed = manner == "concealed"
    shown = _mask(rng, emotion) if concealed else emotion
    asked = rng.random() < 0.6
    steps = _steps(rng, manner, shown, asked)
    cursor = start_s + between(rng, 0.7, 1.2) + (0.25 if concealed and asked else 0.0)
    expressions: list[Expression] = []
    turn: Turn | None = None
    first_s = cursor
    for step in steps:
        if step == "speech":
            aroused = 0.0 if emotion == "neutral" else between(rng, 0.02, 0.09)
            begin = cursor - (CALM_S - 0.45 if expressions else 0.0)
            turn = draw_turn(
                rng, begin, between(rng, 1.5, 3.5), person.f0_hz * (1 + aroused),
                pace=between(rng, 0.92, 1.08) * (0.93 if concealed else 1.0), hesitation=0.15 if concealed else 0.0,
            )  # fmt: skip
            cursor = turn.offset_s + 0.45
            continue
        if step == "micro":
            expressions.append(draw_micro(rng, cursor, emotion))
        else:
            expressions.append(draw_macro(rng, cursor, shown, felt=not concealed))
        cursor = expressions[-1].profile.offset_s + CALM_S + between(rng, 0.0, 0.3)
    busy_until = max([e.profile.offset_s for e in expressions] + ([turn.offset_s] if turn else []) + [first_s + 1.5])
    end = busy_until + between(rng, 0.9, 2.0)
    cue_end = first_s - 0.1 if asked else max(start_s + 2.0, busy_until - between(rng, 0.0, 0.4))
    label = f"{'question' if asked else 'stimulus'} {number}"
    expected = emotion if rng.random() < 0.85 else "neutral"
    return Trial(
        PlannedCue(start_s, cue_end, "question" if asked else "stimulus", label, expected),
        end,
        _episode(rng, start_s, end, emotion, shown, expressions),
        tuple(expressions),
        turn,
        _skin_response(rng, first_s if asked else start_s, manner, emotion, person),
        _heart_response(rng, start_s + 0.3, emotion, concealed),
        _gesture(rng, first_s, end, emotion, concealed),
    )


def _mask(rng: np.random.Generator, felt: str) -> str:
    """What is shown instead of a concealed emotion: nothing, or a smile over something unpleasant."""
    return "positive" if felt == "negative" and rng.random() < 0.45 else "neutral"


def _steps(rng: np.random.Generator, manner: str, shown: str, asked: bool) -> list[str]:
    """Order of what the person does: expressions and, after a question, the answer."""
    steps: list[str] = []
    if manner == "open":
        steps = ["macro"] * (2 if rng.random() < 0.25 else 1)
    elif manner == "concealed":
        steps = ["micro"] * (2 if rng.random() < 0.4 else 1)
        if shown != "neutral":
            steps.insert(1, "macro")
    if asked:
        steps.insert(int(rng.integers(0, min(1, len(steps)) + 1)), "speech")
    return steps


def _episode(
    rng: np.random.Generator, start_s: float, end_s: float, felt: str, shown: str, expressions: list[Expression]
) -> Episode | None:
    """The emotional episode around the expressions of a trial."""
    if felt == "neutral":
        return None
    onset = max(start_s + 0.2, expressions[0].profile.onset_s - between(rng, 0.2, 0.5))
    offset = expressions[-1].profile.offset_s + between(rng, 0.3, 0.6)
    if felt != shown:
        onset = start_s + between(rng, 0.3, 0.6)
        offset = max(offset, onset + between(rng, 3.0, 5.0))
    return Episode(onset, min(offset, end_s), felt, shown)


def _skin_response(
    rng: np.random.Generator, anchor_s: float, manner: str, emotion: str, person: Person
) -> Response | None:
    """A skin conductance response 1 to 3 s after what caused it; the likelier and larger, the more is hidden."""
    chance = {"concealed": 0.95, "open": 0.75, "neutral": 0.15}[manner]
    size = person.scr_us * float(np.clip(rng.lognormal(0, 0.35), 0.4, 2.5))
    size *= 1.35 if manner == "concealed" else 1.15 if emotion == "surprise" else 1.0
    response = Response(anchor_s + between(rng, 1.0, 2.8), max(size, 0.08), between(rng, 2.0, 3.5))
    return response if rng.random() < chance else None


def _heart_response(rng: np.random.Generator, onset_s: float, emotion: str, concealed: bool) -> Response | None:
    """Slowing on what is unpleasant or new, quickening on what pleases (Bradley et al. 2001)."""
    if emotion == "neutral":
        return None
    mean = {"negative": -0.06, "positive": 0.04, "surprise": -0.04}[emotion] - (0.02 if concealed else 0.0)
    return Response(onset_s, mean + 0.015 * float(rng.standard_normal()), between(rng, 1.2, 1.8))


def _gesture(rng: np.random.Generator, first_s: float, end_s: float, emotion: str, concealed: bool) -> Gesture | None:
    """A hand goes to the face: often while something is hidden, sometimes without a reason."""
    chance = 0.55 if concealed else 0.3 if emotion == "negative" else 0.15
    onset = first_s + between(rng, 0.0, 1.5)
    gesture = draw_gesture(rng, onset)
    return gesture if rng.random() < chance and gesture.profile.offset_s < end_s + 1.5 else None


def draw_gesture(rng: np.random.Generator, onset_s: float) -> Gesture:
    """A hand-to-face gesture of 1.6 to 3.4 s."""
    up, hold, down = between(rng, 0.45, 0.8), between(rng, 0.7, 1.8), between(rng, 0.45, 0.8)
    profile = Profile(onset_s, onset_s + up, onset_s + up + hold, onset_s + up + hold + down)
    return Gesture(profile, ("left", "right")[int(rng.integers(2))])
