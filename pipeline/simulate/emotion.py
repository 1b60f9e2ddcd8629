"""The latent course of a simulated session: what is felt, what is shown, and which faces that makes.

Prototypes of expressions follow EMFACS (Friesen & Ekman 1983): a felt smile lifts the cheeks (AU6 with AU12), a put-on
one does not (Ekman, Davidson & Friesen 1990). Micro-expressions last at most 0.5 s and are faint (Yan et al. 2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import EMOTIONS
from pipeline.simulate.chance import between
from pipeline.simulate.profiles import Curve, Profile

PROTOTYPES: dict[str, tuple[dict[str, float], ...]] = {
    "positive": (
        {"au06": 0.9, "au12_left": 1.0, "au12_right": 1.0},
        {"au06": 1.0, "au12_left": 1.0, "au12_right": 1.0, "au25": 0.5},
    ),
    "negative": (
        {"au04": 1.0, "au07": 0.8},
        {"au15": 1.0, "au17": 0.8},
        {"au09": 1.0, "au10": 0.8},
    ),
    "surprise": ({"au01": 0.9, "au02": 1.0, "au05": 0.8, "au26": 0.9},),
}
"""Action units of each emotion and their relative strength."""

PUT_ON_SMILE: dict[str, float] = {"au12_left": 1.0, "au12_right": 0.9}
"""A smile shown without being felt: no cheek raiser."""


@dataclass(frozen=True)
class Expression:
    """One planted facial expression.

    Attributes:
        kind: "macro" (0.5 to 4 s) or "micro" (0.1 to 0.5 s).
        profile: Onset, apex, release, offset on the session clock.
        emotion: Emotion that the action units belong to.
        aus: Apex intensity 0..1 per action unit.
        concealed: Whether it belongs to an episode in which felt differs from shown.
        side: "both", "left" or "right", the person's own.
    """

    kind: str
    profile: Profile
    emotion: str
    aus: Mapping[str, float]
    concealed: bool
    side: str = "both"

    @property
    def label(self) -> str:
        """Action units in words, "AU06+AU12"."""
        return "+".join(sorted({name.split("_")[0].upper() for name in self.aus}))


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch in which something is felt, shown or both; outside all episodes both are neutral.

    Attributes:
        onset_s: Start on the session clock.
        offset_s: End.
        felt: One of `EMOTIONS`.
        shown: One of `EMOTIONS`.
    """

    onset_s: float
    offset_s: float
    felt: str
    shown: str

    @property
    def concealed(self) -> bool:
        """Felt differs from shown."""
        return self.felt != self.shown


def labels_at(episodes: Sequence[Episode], times_s: Curve) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Felt and shown emotion at session times.

    Args:
        episodes: In any order, not overlapping.
        times_s: Shape (n,).

    Returns:
        Indices into `EMOTIONS`, int8 (n,) each: felt and shown.
    """
    felt = np.zeros(len(times_s), np.int8)
    shown = np.zeros(len(times_s), np.int8)
    for episode in episodes:
        here = (times_s >= episode.onset_s) & (times_s < episode.offset_s)
        felt[here] = EMOTIONS.index(episode.felt)
        shown[here] = EMOTIONS.index(episode.shown)
    return felt, shown


def draw_macro(rng: np.random.Generator, onset_s: float, emotion: str, *, felt: bool) -> Expression:
    """A macro-expression of 0.6 to 3.8 s; a smile that is not felt lacks AU6.

    Args:
        rng: Source of chance.
        onset_s: Session time of its onset.
        emotion: "positive", "negative" or "surprise".
        felt: False for an expression put on to hide another emotion.
    """
    duration = float(np.clip(rng.lognormal(np.log(1.5), 0.4), 0.6, 3.8))
    rise = between(rng, 0.22, 0.38) * min(duration, 1.4)
    fall = between(rng, 0.32, 0.5) * min(duration, 1.8)
    profile = Profile(onset_s, onset_s + rise, onset_s + max(rise, duration - fall), onset_s + duration)
    prototypes = PROTOTYPES[emotion]
    shape = prototypes[int(rng.integers(len(prototypes)))] if felt or emotion != "positive" else PUT_ON_SMILE
    return Expression("macro", profile, emotion, _scaled(rng, shape, between(rng, 0.55, 1.0)), concealed=not felt)


def draw_micro(rng: np.random.Generator, onset_s: float, emotion: str) -> Expression:
    """A micro-expression of 0.13 to 0.5 s that leaks a concealed emotion; half of the smiles are one-sided."""
    duration = between(rng, 0.13, 0.49)
    apex = onset_s + between(rng, 0.35, 0.5) * duration
    profile = Profile(onset_s, apex, apex, onset_s + duration)
    prototypes = PROTOTYPES[emotion]
    shape = dict(prototypes[int(rng.integers(len(prototypes)))])
    shape.pop("au25", None)
    side = "both"
    if emotion == "positive" and rng.random() < 0.5:
        side = ("left", "right")[int(rng.integers(2))]
        shape = {f"au12_{side}": 1.0}
    elif emotion == "surprise" and rng.random() < 0.5:
        shape.pop("au26")
    return Expression("micro", profile, emotion, _scaled(rng, shape, between(rng, 0.22, 0.45)), True, side)


def _scaled(rng: np.random.Generator, shape: Mapping[str, float], strength: float) -> dict[str, float]:
    """Intensities around `strength`, at most 1, each action unit a little off its prototype."""
    return {name: round(min(1.0, strength * part * between(rng, 0.92, 1.08)), 4) for name, part in shape.items()}
