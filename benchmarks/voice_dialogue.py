"""A constructed dialogue: two people, a microphone each, cross-talk, noise, filled pauses; every boundary is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.voice_sounds import RATE_HZ, add_noise
from pipeline.simulate.formants import synthesize
from pipeline.simulate.speech import VOWELS, Syllable, Turn

Floats = NDArray[np.float64]

F0_HZ = (115.0, 205.0)
FILLER_VOWEL = 6
CROSS_DELAY_S = 0.004


@dataclass(frozen=True)
class Dialogue:
    """A dialogue of two people.

    Attributes:
        microphones: One float32 (n,) per person, 16 kHz.
        mixed: Both people at one microphone, float32 (n,).
        turns: Each person's turns.
        filled_s: Each person's filled pauses, (start, end).
        questions_s: Ends of the first person's turns, to which the second answers.
        seconds: Length.
    """

    microphones: tuple[NDArray[np.float32], ...]
    mixed: NDArray[np.float32]
    turns: tuple[tuple[Turn, ...], ...]
    filled_s: tuple[tuple[tuple[float, float], ...], ...]
    questions_s: tuple[float, ...]
    seconds: float

    def speaking(self, person: int, times_s: Floats) -> NDArray[np.bool_]:
        """Where a person speaks; pauses between phrases are silence."""
        out = np.zeros(len(times_s), bool)
        for turn in self.turns[person]:
            for phrase in turn.phrases:
                out |= (times_s >= phrase[0].onset_s) & (times_s < phrase[-1].offset_s)
        return out


def make_dialogue(
    seed: int, *, exchanges: int = 5, snr_db: float = 20.0, cross_db: float = 15.0, overlap: bool = False
) -> Dialogue:
    """Draw and synthesise a dialogue.

    Args:
        seed: Fixes everything.
        exchanges: Turns of each person.
        snr_db: Speech over white noise, each microphone with its own noise.
        cross_db: How much weaker a microphone hears the other person.
        overlap: Whether answers begin up to 0.4 s before the question ends.
    """
    rng = np.random.default_rng(seed)
    now = 1.0
    turns: tuple[list[Turn], list[Turn]] = ([], [])
    filled: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    questions = []
    for _ in range(exchanges):
        for person in (0, 1):
            turn = _turn(rng, now, F0_HZ[person], filled[person])
            turns[person].append(turn)
            if person == 0:
                questions.append(turn.offset_s)
            now = turn.offset_s + (float(rng.uniform(-0.4, -0.1)) if overlap else float(rng.uniform(0.25, 0.9)))
    seconds = now + 1.5
    n = round(seconds * RATE_HZ)
    clean = [synthesize(own, n, RATE_HZ, 0.0, 0.0, rng).astype(np.float64) for own in turns]
    clean[1] *= 0.7
    delay = round(CROSS_DELAY_S * RATE_HZ)
    crossed = [np.r_[np.zeros(delay), one[:-delay]] * 10 ** (-cross_db / 20) for one in clean]
    heard = [_noisy(clean[0] + crossed[1], clean[0], snr_db, rng), _noisy(clean[1] + crossed[0], clean[1], snr_db, rng)]
    mixed = _noisy(clean[0] + clean[1], clean[0], snr_db, rng)
    return Dialogue(
        (heard[0], heard[1]),
        mixed,
        (tuple(turns[0]), tuple(turns[1])),
        (tuple(filled[0]), tuple(filled[1])),
        tuple(questions),
        seconds,
    )


def _noisy(heard: Floats, own: Floats, snr_db: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """With noise `snr_db` below the owner's speech while speaking."""
    loud = np.abs(own) > 0.01
    noise = add_noise(np.zeros(len(own)) + 1e-12, 0, rng)
    noise = noise / noise.std() * np.sqrt(np.mean(own[loud] ** 2)) * 10 ** (-snr_db / 20)
    return (heard + noise).astype(np.float32)


def _turn(rng: np.random.Generator, onset_s: float, f0_hz: float, filled: list[tuple[float, float]]) -> Turn:
    """Two to four phrases of syllables without frication, whose ends could not be told from the noise."""
    phrases: list[tuple[Syllable, ...]] = []
    now = onset_s
    for _ in range(int(rng.integers(2, 5))):
        if phrases:
            now += float(rng.uniform(0.28, 0.7))
        if rng.random() < 0.3:
            length = float(rng.uniform(0.38, 0.6))
            phrases.append((Syllable(now, now, now + length, FILLER_VOWEL, 0.7, 0.92 * f0_hz),))
            filled.append((now, now + length))
            now += length + float(rng.uniform(0.28, 0.5))
        phrase = []
        count = int(rng.integers(3, 8))
        for at in range(count):
            length = float(rng.uniform(0.15, 0.25))
            pitch = f0_hz * (1.1 - 0.2 * at / count) * float(rng.uniform(0.95, 1.06))
            phrase.append(
                Syllable(now, now, now + length, int(rng.integers(len(VOWELS))), float(rng.uniform(0.65, 1)), pitch)
            )
            now += length
        phrases.append(tuple(phrase))
    return Turn(tuple(phrases))


def boundary_errors(truth_s: Sequence[tuple[float, float]], found_s: Sequence[tuple[float, float]]) -> Floats:
    """For each true span the errors of onset and offset of the span that overlaps it most, s; 9 where none does."""
    errors = []
    for start, end in truth_s:
        best = max(found_s, key=lambda one: min(one[1], end) - max(one[0], start), default=None)
        if best is None or min(best[1], end) <= max(best[0], start):
            errors += [9.0, 9.0]
        else:
            errors += [abs(best[0] - start), abs(best[1] - end)]
    return np.array(errors)
