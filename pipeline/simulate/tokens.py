"""Whole sessions at token fidelity in milliseconds: encodings as encoders would give them, with the truth beside them.

A session is drawn in four steps: how strongly feelings show (`tokens_effects`, which also lists every assumption), the
latent course of felt and shown emotion (`tokens_course`), what each channel measures of it with its noise, gaps, misses
and false alarms (`tokens_face`, `tokens_voice`, ...), and which channels there are at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.time import to_ns, to_s
from fusion.tokens import Tokens, tokens_of
from fusion.training import Example, Truth
from pipeline.simulate.chance import between, generator
from pipeline.simulate.tokens_body import draw_body
from pipeline.simulate.tokens_context import draw_context
from pipeline.simulate.tokens_course import Course, draw_course
from pipeline.simulate.tokens_effects import Effects, draw_effects
from pipeline.simulate.tokens_face import draw_face
from pipeline.simulate.tokens_physiology import draw_physiology
from pipeline.simulate.tokens_signals import PERSON, Scene
from pipeline.simulate.tokens_voice import draw_voice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DRAW = {
    "face": draw_face,
    "voice": draw_voice,
    "body": draw_body,
    "physiology": draw_physiology,
    "context": draw_context,
}
MISSING_SHARE = 0.12
"""Chance that a session lacks a given channel."""
LONGEST_S = 7200.0


@dataclass(frozen=True)
class TokenSession:
    """A simulated session at token fidelity.

    Attributes:
        seed: What it was drawn from.
        extent: From 0 to its end.
        course: The truth.
        effects: How strongly it shows.
        encodings: One per channel that the session has.
    """

    seed: int
    extent: Interval
    course: Course
    effects: Effects
    encodings: tuple[Encoding, ...]

    def truth_at(self, times_ns: NDArray[np.int64]) -> Truth:
        """What is felt and shown at times of the session."""
        seconds = to_s(times_ns)
        return Truth(self.course.felt_at(seconds), self.course.shown_at(seconds))

    def example(self) -> Example:
        """Tokens and the truth at their times."""
        tokens: Tokens = tokens_of(self.encodings, self.extent)
        return Example(tokens, self.truth_at(tokens.times_ns))


def simulate_tokens(
    seed: int, seconds: float | None = None, effects: Effects | None = None, channels: Sequence[str] | None = None
) -> TokenSession:
    """Draw a session.

    Args:
        seed: The same seed gives the same session; every part has its own generator, so that leaving out a channel
            does not change the others.
        seconds: Length; 40 to 200 s by chance if None.
        effects: Strength of every effect; drawn from the priors if None.
        channels: Channels that it has; each missing with 12 % chance if None, but never all.

    Raises:
        InvalidValueError: a length outside 12 to 7200 s, an unknown channel, a negative seed.
    """
    rng = generator(seed, "token session")
    drawn_s, chances = between(rng, 40, 200), rng.random(len(CHANNELS))
    length = drawn_s if seconds is None else float(seconds)
    if not 12 <= length <= LONGEST_S:
        raise InvalidValueError("a token session lasts 12 s to 2 h", got=f"{length} s")
    there = [c for c, chance in zip(CHANNELS, chances, strict=True) if chance >= MISSING_SHARE] or ["face"]
    if channels is not None:
        unknown = sorted(set(channels) - set(CHANNELS))
        if unknown:
            raise InvalidValueError("unknown channels", got=unknown, expected=", ".join(CHANNELS))
        there = [channel for channel in CHANNELS if channel in channels]
    strength = draw_effects(generator(seed, "token effects")) if effects is None else effects
    return play(draw_course(generator(seed, "token course"), length, strength), seed, strength, there)


def play(course: Course, seed: int, effects: Effects, channels: Sequence[str] = CHANNELS) -> TokenSession:
    """What encoders would say of a given course.

    Args:
        course: What happens.
        seed: Of people, labs and noise.
        effects: How strongly it shows.
        channels: Channels that the session has.
    """
    scene = Scene.of(course, effects)
    encodings = tuple(DRAW[channel](generator(seed, f"token {channel}"), scene) for channel in channels)
    return TokenSession(seed, Interval(0, to_ns(course.seconds)), course, effects, encodings)


def examples(seeds: range, effects: Effects | None = None) -> Iterator[Example]:
    """One example per seed."""
    return (simulate_tokens(seed, effects=effects).example() for seed in seeds)


__all__ = ["PERSON", "TokenSession", "examples", "simulate_tokens"]
