"""What a face does in a simulated session: displays, micro-expressions, and movements that mean nothing.

Both simulators draw it from here: the one of tokens measures it with an encoder's errors, the rendered one films it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from data_schemas.emotion import EMOTIONS
from fusion.vocabulary import TABLES
from pipeline.simulate.chance import between
from pipeline.simulate.emotion import PROTOTYPES
from pipeline.simulate.tokens_course import NEUTRAL, Stretch, log_uniform
from pipeline.simulate.tokens_signals import Scene, moments, raised

UNITS = tuple(name for name in TABLES["face"].person if name.startswith("au"))
_SPECIFIC = {
    **PROTOTYPES,
    "negative": (
        *PROTOTYPES["negative"],
        {"au01": 0.7, "au04": 0.8, "au15": 0.9},
        {"au04": 0.9, "au07": 0.6, "au24": 0.9},
        {"au01": 0.7, "au02": 0.5, "au04": 0.7, "au05": 0.6, "au20": 0.9},
    ),
}
"""Prototypes of displays: those of the rendered simulator, and more negative ones (EMFACS, Friesen & Ekman 1983)."""


@dataclass(frozen=True)
class Movement:
    """One movement of the face.

    Attributes:
        kind: "display", "micro" or "idle" (one that means nothing).
        onset_s: Session time of its start.
        offset_s: Of its end.
        emotion: What its action units are a prototype of; "neutral" for an idle one.
        units: Intensity by action unit at its height, 0..1 and beyond.
    """

    kind: str
    onset_s: float
    offset_s: float
    emotion: str
    units: Mapping[str, float]

    @property
    def strength(self) -> float:
        """The greatest intensity."""
        return max(self.units.values())


def draw_movements(rng: np.random.Generator, scene: Scene) -> list[Movement]:
    """All movements of one face, in order of onset."""
    expressive = log_uniform(rng, 0.25, 1.2)
    out: list[Movement] = []
    for stretch in scene.course.shown:
        shape = _shape_of(rng, stretch, scene)
        onset, offset = stretch.onset_s + between(rng, -0.1, 0.5), stretch.offset_s - between(rng, -0.1, 0.5)
        for begin, end in _pieces(rng, onset, offset):
            strength = expressive * between(rng, 0.35, 1.0)
            out.append(Movement("display", begin, end, stretch.emotion, _scaled(shape, strength)))
    for at in moments(rng, scene.times_s, log_uniform(rng, 0.05, 6) * (1 + 2 * scene.talking)):
        shape = {str(name): between(rng, 0.2, 1) for name in rng.choice(UNITS, rng.integers(1, 3), replace=False)}
        length, strength = log_uniform(rng, 0.2, 3), expressive * between(rng, 0.1, 0.8)
        out.append(Movement("idle", at, at + length, "neutral", _scaled(shape, strength)))
    return sorted([*out, *_micros(rng, scene)], key=lambda one: one.onset_s)


def _micros(rng: np.random.Generator, scene: Scene) -> list[Movement]:
    """Micro-expressions, whose rate and family may depend on what is hidden."""
    effects, times = scene.effects, scene.times_s
    rate = log_uniform(rng, 0.1, 8) * raised(effects.micro_rate, scene.hidden)
    usual = rng.dirichlet([1.5, 1.5, 1.5])
    out = []
    for at in moments(rng, times, np.minimum(rate, 40.0)):
        index = min(int(np.searchsorted(times, at)), len(times) - 1)
        weights = usual.copy()
        if scene.hidden[index] and scene.felt[index] != NEUTRAL:
            weights[scene.felt[index] - 1] *= np.exp(effects.micro_family)
        emotion = EMOTIONS[1:][int(rng.choice(3, p=weights / weights.sum()))]
        options = _SPECIFIC[emotion]
        shape = options[int(rng.integers(len(options)))]
        out.append(
            Movement("micro", at, at + between(rng, 0.12, 0.49), emotion, _scaled(shape, between(rng, 0.05, 0.45)))
        )
    return out


def _scaled(shape: Mapping[str, float], strength: float) -> dict[str, float]:
    return {name: strength * part for name, part in shape.items()}


def _shape_of(rng: np.random.Generator, stretch: Stretch, scene: Scene) -> dict[str, float]:
    """Action units of one display, each 0..1; a few are dropped or added, as people differ."""
    prototypes = _SPECIFIC[stretch.emotion]
    shape = dict(prototypes[int(rng.integers(len(prototypes)))])
    shape = {name: part * between(rng, 0.4, 1.2) for name, part in shape.items() if rng.random() > 0.12}
    if rng.random() < 0.2:
        shape[str(rng.choice(UNITS))] = between(rng, 0.2, 0.6)
    middle = np.searchsorted(scene.times_s, (stretch.onset_s + stretch.offset_s) / 2)
    felt = EMOTIONS[scene.felt[min(int(middle), len(scene.felt) - 1)]]
    if stretch.emotion == "positive" and felt != "positive" and "au06" in shape:
        shape["au06"] *= float(np.exp(scene.effects.put_on_smile))
    return shape or {str(rng.choice(UNITS)): 0.5}


def _pieces(rng: np.random.Generator, onset_s: float, offset_s: float) -> list[tuple[float, float]]:
    """One expression for the whole display, or several with a breath between."""
    offset_s = max(offset_s, onset_s + 0.5)
    pieces = 1 + int(rng.random() < 0.3 and offset_s - onset_s > 3)
    edges = np.linspace(onset_s, offset_s, pieces + 1)
    return list(pairwise(edges.tolist()))
