"""Pitch of synthesised vowels and glides against the pitch that was put in."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from modalities.voice.blocks import CONTEXT, HOP
from modalities.voice.pitch import VOICED_STRENGTH, find_candidates, join_candidates

RATE = 16000
VOWELS = {"a": (800, 1200, 2600), "i": (300, 2300, 3000), "u": (320, 800, 2500)}
GLIDES = ((75, 75), (120, 120), (230, 230), (420, 420), (100, 200), (250, 125), (300, 450))


def vowel(f0_hz: np.ndarray, formants: tuple[float, ...], rate_hz: float = RATE) -> np.ndarray:
    """Harmonics that fall by 6 dB per octave through resonances at the formants; amplitude about 0.3."""
    phase = np.cumsum(f0_hz) / rate_hz
    sound = np.zeros(len(f0_hz))
    for k in range(1, int(0.45 * rate_hz / f0_hz.max()) + 1):
        at = k * f0_hz
        gain = sum(1 / np.sqrt(1 + ((at - f) / (40 + 0.03 * f)) ** 2) for f in formants) + 0.02
        sound += gain / k * np.sin(2 * np.pi * k * phase)
    return 0.3 * sound / np.abs(sound).max()


def pitch_of(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pitch, voiced, voicing at every 10 ms, and the sample indices of the frames."""
    padded = np.pad(sound, CONTEXT).astype(np.float32)
    centres = np.arange(CONTEXT, len(padded) - CONTEXT, HOP)
    frequency, strength, _ = find_candidates(padded, centres, RATE)
    threshold = np.full(len(centres), VOICED_STRENGTH, np.float32)
    return (*join_candidates(frequency, strength, threshold), centres - CONTEXT)


@pytest.mark.parametrize(("snr_db", "gross"), [(40, 0.005), (20, 0.02), (10, 0.02)])
def test_vowels_and_glides(snr_db: float, gross: float) -> None:
    rng = np.random.default_rng(int(snr_db))
    errors, heard = [], 0
    for start, end in GLIDES:
        for formants in VOWELS.values():
            n = RATE
            f0 = np.geomspace(start, end, n) * (1 + 0.02 * np.sin(2 * np.pi * 5 * np.arange(n) / RATE))
            sound = vowel(f0, formants)
            sound += rng.standard_normal(n) * sound.std() * 10 ** (-snr_db / 20)
            pitch, voiced, _, at = pitch_of(sound)
            errors.append(np.abs(pitch[voiced] / f0[at[voiced]] - 1))
            heard += len(at)
    error = np.concatenate(errors)
    assert np.median(error) < 0.01
    assert np.mean(error > 0.2) < gross
    assert len(error) / heard > 0.97


def test_white_noise_has_no_pitch() -> None:
    _, voiced, voicing, _ = pitch_of(0.1 * np.random.default_rng(0).standard_normal(5 * RATE))
    assert voiced.mean() < 0.005
    assert np.median(voicing) < 0.1


def test_voicing_probability_falls_with_noise() -> None:
    rng = np.random.default_rng(1)
    clean = vowel(np.linspace(110, 140, RATE), VOWELS["a"])
    medians = []
    for snr_db in (30, 0, -6, -20):
        noisy = clean + rng.standard_normal(RATE) * clean.std() * 10 ** (-snr_db / 20)
        medians.append(float(np.median(pitch_of(noisy)[2])))
    assert medians[0] > 0.95 and medians[-1] < 0.5
    assert all(a >= b for a, b in pairwise(medians))


def test_nothing_to_join() -> None:
    none = np.zeros((0, 6), np.float32)
    pitch, voiced, voicing = join_candidates(none, none, np.zeros(0, np.float32))
    assert len(pitch) == len(voiced) == len(voicing) == 0
