"""Speech with known pitch, syllables and pauses: the plan of a speech turn and what follows from it.

`pipeline.simulate.formants` makes sound of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate.chance import between
from pipeline.simulate.profiles import Curve

VOWELS: tuple[tuple[str, tuple[float, float, float, float], float], ...] = (
    ("i", (310, 2790, 3310, 4200), 0.35),
    ("e", (610, 2330, 2990, 4200), 0.6),
    ("ae", (860, 2050, 2850, 4150), 0.85),
    ("a", (850, 1220, 2810, 4100), 1.0),
    ("o", (590, 920, 2710, 4000), 0.65),
    ("u", (370, 950, 2670, 3900), 0.3),
    ("uh", (760, 1400, 2780, 4100), 0.75),
)
"""Name, formants F1..F4 in Hz (women's means, Peterson & Barney 1952; F4 added) and jaw opening 0..1."""


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable: an optional burst of noise, then a vowel.

    Attributes:
        onset_s: Session time of its start.
        voiced_s: Voicing begins; equal to the onset where there is no burst.
        offset_s: Voicing ends.
        vowel: Index into `VOWELS`.
        level: Relative loudness 0..1.
        f0_hz: Pitch at its middle.
    """

    onset_s: float
    voiced_s: float
    offset_s: float
    vowel: int
    level: float
    f0_hz: float


@dataclass(frozen=True)
class Turn:
    """One speech turn: phrases of syllables, with pauses between the phrases."""

    phrases: tuple[tuple[Syllable, ...], ...]

    @property
    def onset_s(self) -> float:
        """Start of the first syllable."""
        return self.phrases[0][0].onset_s

    @property
    def offset_s(self) -> float:
        """End of the last syllable."""
        return self.phrases[-1][-1].offset_s

    @property
    def pauses_s(self) -> tuple[tuple[float, float], ...]:
        """Silences between phrases, (start, end) in session seconds."""
        return tuple((a[-1].offset_s, b[0].onset_s) for a, b in zip(self.phrases, self.phrases[1:], strict=False))

    @property
    def syllables(self) -> tuple[Syllable, ...]:
        """All syllables in order."""
        return tuple(syllable for phrase in self.phrases for syllable in phrase)


def draw_turn(
    rng: np.random.Generator, onset_s: float, seconds: float, f0_hz: float, *, pace: float = 1.0, hesitation: float = 0
) -> Turn:
    """Plan a speech turn of about `seconds`.

    Args:
        rng: Source of chance.
        onset_s: Session time of its start.
        seconds: Wanted length; the turn ends with the phrase that reaches it.
        f0_hz: The speaker's mean pitch in this turn.
        pace: Factor on the speech rate; 1 is about 4.5 syllables per second.
        hesitation: Added to the mean pause, seconds.
    """
    phrases: list[tuple[Syllable, ...]] = []
    cursor = onset_s
    while cursor < onset_s + seconds - 0.4 or not phrases:
        count = int(rng.integers(3, 7))
        if phrases:
            cursor += between(rng, 0.28, 0.6) + hesitation
        phrase: list[Syllable] = []
        for at in range(count):
            length = between(rng, 0.17, 0.27) / pace
            burst = between(rng, 0.04, 0.08) if rng.random() < 0.4 else 0.0
            decline = 1.06 - 0.14 * at / max(1, count - 1)
            pitch = f0_hz * decline * between(rng, 0.95, 1.06)
            vowel = int(rng.integers(len(VOWELS)))
            level = between(rng, 0.65, 1.0)
            phrase.append(Syllable(cursor, cursor + burst, cursor + burst + length, vowel, level, pitch))
            cursor = phrase[-1].offset_s
        phrases.append(tuple(phrase))
    return Turn(tuple(phrases))


def pitch_at(turns: Sequence[Turn], times_s: Curve) -> tuple[Curve, NDArray[np.bool_]]:
    """Pitch and voicing at session times.

    Returns:
        f0 in Hz, float64 (n,), 0 where unvoiced; and voiced, bool (n,).
    """
    times = np.asarray(times_s, dtype=np.float64)
    f0, voiced = np.zeros(len(times)), np.zeros(len(times), bool)
    for turn in turns:
        for phrase in turn.phrases:
            first, last = np.searchsorted(times, (phrase[0].onset_s, phrase[-1].offset_s))
            here = times[first:last]
            f0[first:last] = phrase_pitch(phrase, here)
            for syllable in phrase:
                voiced[first:last] |= (here >= syllable.voiced_s) & (here < syllable.offset_s)
    return np.where(voiced, f0, 0.0), voiced


def phrase_pitch(phrase: Sequence[Syllable], times_s: Curve) -> Curve:
    """Pitch contour of one phrase in Hz: straight lines between the syllables' middles."""
    middles = [(s.voiced_s + s.offset_s) / 2 for s in phrase]
    return np.interp(times_s, middles, [s.f0_hz for s in phrase])


def phrase_loudness(phrase: Sequence[Syllable], times_s: Curve) -> Curve:
    """Amplitude envelope 0..1 of the voicing of one phrase; falls to 0 where voicing stops."""
    nodes: list[tuple[float, float]] = []
    for at, s in enumerate(phrase):
        joined = at > 0 and s.voiced_s == phrase[at - 1].offset_s
        joins = at + 1 < len(phrase) and phrase[at + 1].voiced_s == s.offset_s
        length = s.offset_s - s.voiced_s
        if not joined:
            nodes.append((s.voiced_s, 0.0))
        nodes.append((s.voiced_s + 0.25 * length, s.level))
        nodes.append((s.offset_s - 0.3 * length, s.level))
        nodes.append((s.offset_s, 0.35 * s.level if joins else 0.0))
    return np.interp(times_s, [t for t, _ in nodes], [v for _, v in nodes], left=0.0, right=0.0)


def mouth_at(turns: Sequence[Turn], times_s: Curve) -> Curve:
    """Speech-driven jaw opening 0..1 at session times: loudness times the vowel's opening."""
    opening = np.zeros(len(times_s))
    for turn in turns:
        for phrase in turn.phrases:
            nodes: list[tuple[float, float]] = [(phrase[0].onset_s - 0.06, 0.0)]
            for s in phrase:
                openness = VOWELS[s.vowel][2] * s.level
                nodes.append((s.voiced_s, 0.12 * openness))
                nodes.append((s.voiced_s + 0.35 * (s.offset_s - s.voiced_s), openness))
                nodes.append((s.offset_s - 0.3 * (s.offset_s - s.voiced_s), 0.85 * openness))
            nodes.append((phrase[-1].offset_s + 0.08, 0.0))
            opening += np.interp(times_s, [t for t, _ in nodes], [v for _, v in nodes], left=0.0, right=0.0)
    return np.clip(opening, 0.0, 1.0)
