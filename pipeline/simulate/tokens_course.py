"""The latent course of a session at token fidelity: cues, what is felt, what is shown, when the person speaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import EMOTIONS
from pipeline.simulate.chance import between
from pipeline.simulate.profiles import Curve
from pipeline.simulate.tokens_effects import Effects

NEUTRAL = EMOTIONS.index("neutral")
_BASE = {"neutral": 0.36, "negative": 0.28, "positive": 0.22, "surprise": 0.14}

LEAD_S = 20.0
"""Where nothing depends on anything, courses begin this long before the session, so that its start tells nothing."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch in which one emotion is felt, or one is shown, or the person speaks (emotion "")."""

    onset_s: float
    offset_s: float
    emotion: str = ""


@dataclass(frozen=True, slots=True)
class CourseCue:
    """A question or stimulus; `expected` is None where the lab has not stated it."""

    onset_s: float
    offset_s: float
    kind: str
    expected: str | None


@dataclass(frozen=True)
class Course:
    """What truly happens in a session.

    Attributes:
        seconds: Length.
        felt: Stretches of felt emotion; outside them it is neutral.
        shown: Stretches of shown emotion; outside them it is neutral.
        cues: In order of onset.
        turns: When the person speaks.
        baseline: A stretch of rest that the lab has marked, if any.
    """

    seconds: float
    felt: tuple[Stretch, ...]
    shown: tuple[Stretch, ...]
    cues: tuple[CourseCue, ...]
    turns: tuple[Stretch, ...]
    baseline: Stretch | None = None

    def felt_at(self, times_s: Curve) -> NDArray[np.int8]:
        """Felt emotion as indices into `EMOTIONS`, int8, same shape."""
        return codes_at(self.felt, times_s)

    def shown_at(self, times_s: Curve) -> NDArray[np.int8]:
        """Shown emotion as indices into `EMOTIONS`, int8, same shape."""
        return codes_at(self.shown, times_s)


def codes_at(stretches: tuple[Stretch, ...], times_s: Curve) -> NDArray[np.int8]:
    """Emotion of the stretch that covers each time; neutral outside all."""
    out = np.full(len(times_s), NEUTRAL, np.int8)
    for stretch in stretches:
        out[(times_s >= stretch.onset_s) & (times_s < stretch.offset_s)] = EMOTIONS.index(stretch.emotion)
    return out


def covers(stretches: tuple[Stretch, ...], times_s: Curve) -> NDArray[np.bool_]:
    """Which times lie in any stretch."""
    out = np.zeros(len(times_s), bool)
    for stretch in stretches:
        out |= (times_s >= stretch.onset_s) & (times_s < stretch.offset_s)
    return out


def draw_course(rng: np.random.Generator, seconds: float, effects: Effects) -> Course:
    """Plan a session of any length.

    Args:
        rng: Source of chance.
        seconds: Length, above 10.
        effects: Whether the display follows what is felt, and how much the cues say of it.
    """
    calm_s = between(rng, 6, 20) if rng.random() < 0.35 and seconds > 40 else 0.0
    baseline = Stretch(0.5, calm_s, "") if calm_s else None
    cues = _draw_cues(rng, seconds, calm_s, effects)
    hides = 0.0 if rng.random() < 0.15 else float(rng.beta(0.8, 1.2))
    puts_on = float(rng.beta(1, 7))
    felt: list[Stretch] = []
    shown: list[Stretch] = []
    free_s = max(calm_s, 1.0) if effects.follows else -LEAD_S
    for anchor_s, expected in _anchors(rng, seconds, calm_s, cues, effects):
        emotion = _felt_given(rng, expected, effects.reliability)
        onset = max(anchor_s + between(rng, 0.2, 2.2), free_s + between(rng, 0.2, 1.0))
        offset = min(onset + float(np.clip(rng.lognormal(np.log(3.5), 0.5), 1.0, 10.0)), seconds)
        if offset - onset < 0.8 or offset <= 0:
            continue
        display = _display(rng, emotion, hides, puts_on) if effects.follows else "neutral"
        if emotion != "neutral":
            felt.append(Stretch(onset, offset, emotion))
        if display != "neutral":
            shown.append(Stretch(onset, offset, display))
        if emotion != "neutral" or display != "neutral":
            free_s = offset
    if not effects.follows:
        shown = _unrelated(rng, seconds)
    return Course(seconds, tuple(felt), tuple(shown), cues, _draw_turns(rng, seconds, cues), baseline)


def _draw_cues(rng: np.random.Generator, seconds: float, calm_s: float, effects: Effects) -> tuple[CourseCue, ...]:
    if rng.random() < 0.08:
        return ()
    stated = rng.random() < 0.75
    shares = rng.dirichlet(6 * np.array([_BASE[e] for e in EMOTIONS]) + [0, 0.5, 0.5, 0.5])
    asks = 0.9 if effects.design == "interview" else 0.08
    pause_s = log_uniform(rng, 1.5, 12)
    cues: list[CourseCue] = []
    cursor = calm_s + between(rng, 0.5, 5)
    while cursor < seconds - 3:
        kind = "question" if rng.random() < asks else "stimulus"
        length = between(rng, 0.8, 4) if kind == "question" else between(rng, 1, 8)
        expected = str(rng.choice(EMOTIONS, p=shares)) if stated else None
        cues.append(CourseCue(cursor, min(cursor + length, seconds - 0.1), kind, expected))
        cursor += length + pause_s * between(rng, 0.5, 1.5)
    return tuple(cues)


def _anchors(
    rng: np.random.Generator, seconds: float, calm_s: float, cues: tuple[CourseCue, ...], effects: Effects
) -> list[tuple[float, str | None]]:
    """Moments after which something may be felt: the cues, and some of no visible cause."""
    if not effects.follows:
        often = (seconds + LEAD_S) / between(rng, 8, 20)
        return [(at, None) for at in sorted(rng.uniform(-LEAD_S, seconds, rng.poisson(often)).tolist())]
    spontaneous = rng.uniform(calm_s, seconds, rng.poisson(seconds / 60 * log_uniform(rng, 0.05, 3)))
    anchors: list[tuple[float, str | None]] = [(float(at), None) for at in spontaneous]
    anchors += [(cue.onset_s, cue.expected or "unknown") for cue in cues]
    return sorted(anchors, key=lambda anchor: anchor[0])


def _felt_given(rng: np.random.Generator, expected: str | None, reliability: float) -> str:
    if expected in EMOTIONS and rng.random() < reliability:
        return str(expected)
    return str(rng.choice(list(_BASE), p=list(_BASE.values())))


def _display(rng: np.random.Generator, felt: str, hides: float, puts_on: float) -> str:
    """What is shown of what is felt."""
    if felt == "neutral":
        return str(rng.choice(EMOTIONS[1:], p=[0.1, 0.75, 0.15])) if rng.random() < puts_on else "neutral"
    if rng.random() >= hides:
        return felt
    if rng.random() < 0.67:
        return "neutral"
    others = [emotion for emotion in EMOTIONS[1:] if emotion != felt]
    weights = np.array([4.0 if emotion == "positive" else 1.0 for emotion in others])
    return str(rng.choice(others, p=weights / weights.sum()))


def _unrelated(rng: np.random.Generator, seconds: float) -> list[Stretch]:
    """Displays that have nothing to do with anything."""
    shown: list[Stretch] = []
    cursor = between(rng, -LEAD_S, 0)
    while cursor < seconds:
        offset = cursor + between(rng, 1, 6)
        if offset > 0.5:
            shown.append(Stretch(max(cursor, 0.0), offset, str(rng.choice(EMOTIONS[1:]))))
        cursor = offset + between(rng, 4, 25)
    return shown


def _draw_turns(rng: np.random.Generator, seconds: float, cues: tuple[CourseCue, ...]) -> tuple[Stretch, ...]:
    starts = [cue.offset_s + between(rng, 0.2, 1.5) for cue in cues if cue.kind == "question" and rng.random() < 0.9]
    starts += rng.uniform(0, seconds, rng.poisson(seconds / 60 * log_uniform(rng, 0.1, 8))).tolist()
    turns: list[Stretch] = []
    for start in sorted(starts):
        onset = max(start, turns[-1].offset_s + 0.4 if turns else 0.0)
        offset = min(onset + between(rng, 0.6, 6), seconds)
        if offset - onset > 0.5:
            turns.append(Stretch(onset, offset))
    return tuple(turns)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A positive size between `low` and `high`, uniform on the logarithmic scale."""
    return float(np.exp(between(rng, float(np.log(low)), float(np.log(high)))))
