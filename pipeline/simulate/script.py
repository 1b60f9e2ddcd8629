"""The script of a simulated session: everything that happens, on the session clock, from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_schemas.errors import InvalidValueError
from pipeline.simulate.chance import between, generator
from pipeline.simulate.emotion import Episode, Expression
from pipeline.simulate.profiles import Profile, SlowCurve
from pipeline.simulate.speech import Turn
from pipeline.simulate.trials import Gesture, Person, PlannedCue, Response, Trial, draw_gesture, draw_trial

SHORTEST_S = 10.0
PHOTOGRAPHS = ("astronaut", "hopper")
_DECK = ("open", "open", "open", "open", "concealed", "concealed", "neutral")


@dataclass(frozen=True)
class Wandering:
    """Slow movement that means nothing: head pose, place in the picture, light, trunk; each -1..1."""

    yaw: SlowCurve
    pitch: SlowCurve
    roll: SlowCurve
    shift_x: SlowCurve
    shift_y: SlowCurve
    light: SlowCurve
    sway: SlowCurve
    nod: SlowCurve


@dataclass(frozen=True)
class Script:
    """All that happens in one session, in session seconds from 0 to `seconds`.

    Attributes:
        seconds: Length of the session.
        seed: What it was drawn from.
        person: Who sits there.
        markers_s: Moments of the shared sync markers, shape (m,).
        cues: Baseline, questions and stimuli.
        episodes: Felt and shown emotion where either is not neutral; they do not overlap.
        expressions: Macro- and micro-expressions, at least about 1 s apart.
        blinks: None of them within 0.15 s of a micro-expression.
        turns: Speech.
        scrs: Skin conductance responses, at least 2.5 s apart.
        heart: Relative changes of the heart rate.
        gestures: Hands going to the face, never two at once.
        wandering: Slow movement of head and trunk.
    """

    seconds: float
    seed: int
    person: Person
    markers_s: np.ndarray
    cues: tuple[PlannedCue, ...]
    episodes: tuple[Episode, ...]
    expressions: tuple[Expression, ...]
    blinks: tuple[Profile, ...]
    turns: tuple[Turn, ...]
    scrs: tuple[Response, ...]
    heart: tuple[Response, ...]
    gestures: tuple[Gesture, ...]
    wandering: Wandering


def plan_script(seconds: float, seed: int) -> Script:
    """Draw the script of one session; a minute holds about 6 macros, 3 micros and 5 skin responses.

    Args:
        seconds: Length of the session, at least 10.
        seed: Everything follows from it, >= 0.

    Raises:
        InvalidValueError: a session too short to hold a baseline and a trial, or a negative seed.
    """
    if not np.isfinite(seconds) or seconds < SHORTEST_S:
        raise InvalidValueError("a simulated session is too short", got=f"{seconds} s", expected=f">= {SHORTEST_S} s")
    person = draw_person(generator(seed, "person"), PHOTOGRAPHS[seed % 2])
    rng = generator(seed, "script")
    baseline = 0.15 * seconds
    trials = _draw_trials(rng, baseline, seconds, person)
    expressions = tuple(expression for trial in trials for expression in trial.expressions)
    return Script(
        seconds=seconds,
        seed=seed,
        person=person,
        markers_s=draw_markers(generator(seed, "markers"), seconds),
        cues=(PlannedCue(0.0, baseline, "baseline", "rest", "neutral"), *(trial.cue for trial in trials)),
        episodes=tuple(trial.episode for trial in trials if trial.episode),
        expressions=expressions,
        blinks=draw_blinks(generator(seed, "blinks"), seconds, expressions),
        turns=tuple(trial.turn for trial in trials if trial.turn),
        scrs=_space_scrs(trials, seconds),
        heart=tuple(trial.heart for trial in trials if trial.heart),
        gestures=_draw_gestures(generator(seed, "gestures"), trials, baseline, seconds),
        wandering=draw_wandering(generator(seed, "wandering")),
    )


def draw_person(rng: np.random.Generator, photograph: str) -> Person:
    """A person with a resting heart rate of 58 to 86 bpm and a pulse transit time of 0.1 to 0.4 s."""
    return Person(
        photograph=photograph,
        heart_rate_bpm=between(rng, 58, 86),
        sinus_arrhythmia=between(rng, 0.02, 0.06),
        breathing_hz=between(rng, 0.2, 0.3),
        pulse_transit_s=between(rng, 0.1, 0.4),
        eda_tonic_us=between(rng, 2.0, 9.0),
        scr_us=between(rng, 0.25, 0.6),
        f0_hz=between(rng, 170, 225),
    )


def _draw_trials(rng: np.random.Generator, start_s: float, seconds: float, person: Person) -> list[Trial]:
    """One trial after the other until the session is full."""
    trials: list[Trial] = []
    deck: list[str] = []
    cursor = start_s
    while True:
        if not deck:
            deck = [_DECK[i] for i in rng.permutation(len(_DECK))]
            if not trials:
                deck.remove("open")
                deck.append("open")
        manner = deck.pop()
        for _ in range(20):
            trial = draw_trial(rng, len(trials) + 1, cursor, manner, person)
            if trial.end_s <= seconds - 0.3:
                break
        else:
            return trials
        trials.append(trial)
        cursor = trial.end_s


def draw_markers(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Sync markers at irregular distances of 6 to 10 s, closer in sessions under 40 s: every device sees several."""
    low, high = (6.0, 10.0) if seconds >= 40 else (0.12 * seconds, 0.2 * seconds)
    times = [between(rng, 0.1, 0.2) * high]
    while times[-1] + low < seconds:
        times.append(times[-1] + between(rng, low, high))
    inside = [round(t, 4) for t in times if t < seconds - 0.2]
    return np.array(inside)


def draw_blinks(rng: np.random.Generator, seconds: float, expressions: tuple[Expression, ...]) -> tuple[Profile, ...]:
    """About 15 blinks a minute of 0.15 to 0.3 s; one that would meet a micro-expression comes after it."""
    micros = [e.profile for e in expressions if e.kind == "micro"]
    blinks: list[Profile] = []
    cursor = between(rng, 0.3, 2.5)
    while True:
        duration = between(rng, 0.15, 0.3)
        for micro in micros:
            if micro.overlaps(cursor, cursor + duration, 0.15):
                cursor = micro.offset_s + between(rng, 0.16, 0.5)
        if cursor + duration > seconds:
            return tuple(blinks)
        closed = cursor + between(rng, 0.35, 0.42) * duration
        blinks.append(Profile(cursor, closed, closed + 0.08 * duration, cursor + duration))
        cursor += duration + 0.8 + float(rng.gamma(2.0, 1.45))


def _space_scrs(trials: list[Trial], seconds: float) -> tuple[Response, ...]:
    """The trials' skin responses, less those too near their predecessor or the end to be told apart."""
    out: list[Response] = []
    for scr in (trial.scr for trial in trials if trial.scr):
        if scr.onset_s < seconds - 2.5 and (not out or scr.onset_s - out[-1].onset_s >= 2.5):
            out.append(scr)
    return tuple(out)


def _draw_gestures(
    rng: np.random.Generator, trials: list[Trial], baseline_s: float, seconds: float
) -> tuple[Gesture, ...]:
    """The trials' gestures, and now and then one in the baseline; no two at once."""
    wanted = [trial.gesture for trial in trials if trial.gesture]
    if baseline_s > 6 and rng.random() < 0.4:
        wanted.insert(0, draw_gesture(rng, between(rng, 1.0, baseline_s - 4.5)))
    return space_gestures(wanted, seconds)


def space_gestures(wanted: Sequence[Gesture], seconds: float) -> tuple[Gesture, ...]:
    """Gestures that end before the session does, no two at once: the later of two is left out."""
    out: list[Gesture] = []
    for gesture in wanted:
        if gesture.profile.offset_s < seconds and (not out or gesture.profile.onset_s > out[-1].profile.offset_s + 0.3):
            out.append(gesture)
    return tuple(out)


def draw_wandering(rng: np.random.Generator) -> Wandering:
    """Slow movement below 0.3 Hz; nods below 0.8 Hz."""
    slow = {name: SlowCurve.draw(rng, 0.25) for name in ("yaw", "pitch", "roll", "shift_x", "shift_y", "light", "sway")}
    return Wandering(nod=SlowCurve.draw(rng, 0.8), **slow)
