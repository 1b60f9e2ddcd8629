"""Formants, jitter, shimmer, harmonics and filled pauses of synthesised voices against what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.voice_dialogue import make_dialogue
from benchmarks.voice_sounds import RATE_HZ, add_noise, as_audio, make_vowel
from modalities.voice.analysis import analyse
from modalities.voice.detail import measure_detail
from modalities.voice.formants import track_formants
from modalities.voice.harmonics import measure_harmonics
from modalities.voice.periods import Periods, average
from modalities.voice.prediction import solve_predictors
from pipeline.simulate.speech import VOWELS


@pytest.mark.parametrize("vowel", [0, 3, 5])
@pytest.mark.parametrize("f0_hz", [110.0, 200.0])
def test_formants_of_vowels(vowel: int, f0_hz: float) -> None:
    planted = VOWELS[vowel][1]
    rng = np.random.default_rng(vowel)
    detail = analyse(as_audio(make_vowel(lambda t: f0_hz, planted, 0.6, rng, jitter=0.01).sound)).detail
    # The predictor is drawn to the harmonics: at 200 Hz nothing tells 310 Hz from 360 Hz.
    for at, most in enumerate((0.08 if f0_hz < 150 else 0.2, 0.03, 0.03)):
        heard = detail.formants_hz[:, at]
        assert np.median(np.abs(heard[heard > 0] / planted[at] - 1)) < most


def test_formants_that_drown_in_noise_are_none() -> None:
    rng = np.random.default_rng(0)
    vowel = make_vowel(lambda t: 120.0, VOWELS[3][1], 1.0, rng)
    quiet = np.concatenate([np.zeros(8000), vowel.sound, np.zeros(8000)])
    clean = analyse(as_audio(add_noise(quiet, 60, rng))).detail.formants_hz
    noisy = analyse(as_audio(add_noise(quiet, 10, rng))).detail.formants_hz
    assert np.mean(clean[60:140, 2] > 0) > 0.9 and np.mean(noisy[60:140, 2] > 0) < 0.5
    assert np.mean(noisy[60:140, 0] > 0) > 0.9


@pytest.mark.parametrize(("jitter", "shimmer"), [(0.005, 0.03), (0.02, 0.1)])
@pytest.mark.parametrize("f0_hz", [100.0, 230.0])
def test_jitter_and_shimmer_of_vowels(f0_hz: float, jitter: float, shimmer: float) -> None:
    rng = np.random.default_rng(int(f0_hz))
    for _, formants, _ in VOWELS[::3]:
        vowel = make_vowel(lambda t: f0_hz, formants, 1.2, rng, jitter=jitter, shimmer=shimmer)
        detail = analyse(as_audio(vowel.sound)).detail
        assert detail.regular.mean() > 0.8
        assert detail.jitter[detail.regular].mean() == pytest.approx(vowel.jitter, rel=0.2)
        assert detail.shimmer_db[detail.regular].mean() == pytest.approx(vowel.shimmer_db, rel=0.2)


def test_an_even_voice_has_next_to_no_jitter() -> None:
    vowel = make_vowel(lambda t: 150.0, VOWELS[3][1], 1.0, np.random.default_rng(0))
    detail = analyse(as_audio(vowel.sound)).detail
    assert np.median(detail.jitter[detail.regular]) < 0.001
    assert np.median(detail.shimmer_db[detail.regular]) < 0.1


@pytest.mark.parametrize("snr_db", [0, 10, 20])
def test_harmonics_to_noise_ratio_is_that_of_the_mixture(snr_db: float) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(RATE_HZ * 2) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * 140 * k * t + k) for k in range(1, 40)) * 0.01
    noisy = np.concatenate([np.zeros(8000), voice, np.zeros(8000)])
    noisy = noisy + rng.standard_normal(len(noisy)) * voice.std() * 10 ** (-snr_db / 20)
    found = analyse(as_audio(noisy))
    assert np.median(found.hnr_db[70:230][found.voiced[70:230]]) == pytest.approx(snr_db, abs=2.5)


def test_levels_of_harmonics() -> None:
    t = np.arange(RATE_HZ) / RATE_HZ
    levels = {1: 0.0, 2: -6.0, 5: 3.0, 12: -10.0, 18: -20.0}
    sound = sum(0.05 * 10 ** (db / 20) * np.sin(2 * np.pi * 150 * k * t + k) for k, db in levels.items())
    centres = np.array([8000])
    formants = np.array([[750, 1800, 2700]], np.float32)
    found = measure_harmonics(sound.astype(np.float32), centres, np.array([150], np.float32), formants, RATE_HZ)
    assert found.h1_h2_db[0] == pytest.approx(6, abs=0.3)
    assert found.h1_a3_db[0] == pytest.approx(20, abs=0.3)
    np.testing.assert_allclose(found.amplitudes_db[0], [3, -10, -20], atol=0.3)


def test_a_path_of_formants_does_not_jump_to_a_spurious_root() -> None:
    frequency = np.tile(np.array([500, 1500, 2500, 3500, 0], np.float32), (20, 1))
    width = np.where(frequency > 0, np.float32(100), np.float32(0))
    frequency[10], width[10] = [500, 900, 1500, 2500, 3500], [100, 800, 100, 100, 100]
    found, _ = track_formants(frequency, width, np.arange(20) == 0)
    np.testing.assert_array_equal(found, np.tile(np.array([500, 1500, 2500], np.float32), (20, 1)))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-0.9, 0.9), min_size=2, max_size=6), st.integers(0, 1000))
def test_a_predictor_finds_the_filter_that_made_a_signal(reflections: list[float], seed: int) -> None:
    from scipy.signal import lfilter

    poly = np.array([1.0])
    for one in reflections:
        poly = np.r_[poly, 0] + one * np.r_[poly, 0][::-1]
    sound = lfilter([1], poly, np.random.default_rng(seed).standard_normal(40_000))[200:]
    lags = [float(np.dot(sound[: len(sound) - k], sound[k:])) for k in range(len(poly))]
    residual = lfilter(solve_predictors(np.array([lags]))[0], [1], sound)
    assert np.var(residual[20:]) < 1.15 + 2e-4 * np.var(sound)


def test_averages_of_periods_count_only_their_window() -> None:
    periods = Periods(np.arange(5) * 100.0, np.full(5, 100.0), np.array([1, -1, 2, -2, 9.0]), np.full(5, -0.5))
    jitter, shimmer, count = average(periods, np.array([150.0, 5000.0]), 160)
    np.testing.assert_allclose(jitter, [0.015, 0], atol=1e-7)
    np.testing.assert_allclose(shimmer, [0.5, 0])
    assert count.tolist() == [4, 0]


def test_silence_is_not_read_a_second_time() -> None:
    sound = as_audio(np.zeros(16000))

    def refuse(first: int, count: int) -> np.ndarray:
        raise AssertionError("read")

    object.__setattr__(sound, "source", refuse)
    detail = measure_detail(sound, None, np.zeros(100, np.float32), np.zeros(100, bool))
    assert not detail.regular.any() and not detail.formants_hz.any()


def test_filled_pauses_of_a_dialogue() -> None:
    from modalities.voice.filled import find_filled_pauses

    hits = planted = found = 0
    for seed in (3, 4):
        dialogue = make_dialogue(seed, exchanges=3, snr_db=25)
        for person in (0, 1):
            voice = analyse(as_audio(dialogue.microphones[person]))
            own = dialogue.speaking(person, voice.times_ns / 1e9)
            spans = find_filled_pauses(voice.pitch_hz, voice.voiced & own, voice.rows.mfcc)
            times = [(one.first / 100, one.stop / 100) for one in spans]
            for start, end in dialogue.filled_s[person]:
                hits += any(min(b, end) - max(a, start) > 0.5 * (end - start) for a, b in times)
            planted, found = planted + len(dialogue.filled_s[person]), found + len(times)
    assert planted >= 5
    assert hits >= 0.8 * planted and hits >= 0.8 * found
