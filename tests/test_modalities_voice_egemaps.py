"""eGeMAPS under its standard names, as functions, as a setting, and through openSMILE where installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.voice_dialogue import make_dialogue
from benchmarks.voice_references import correlate
from benchmarks.voice_sounds import as_audio, make_vowel
from data_schemas.errors import InvalidValueError, MissingExtraError
from data_schemas.intervals import Interval
from modalities.base import Task
from modalities.voice.egemaps import Descriptors, egemaps_lld
from modalities.voice.egemaps_functionals import egemaps_functionals, summarise, turning_points
from modalities.voice.egemaps_names import FUNCTIONAL_NAMES, LLD_NAMES, VOICED_NAMES
from modalities.voice.encoder import VoiceEncoder
from pipeline.simulate.speech import VOWELS

needs_opensmile = pytest.mark.skipif(find_spec("opensmile") is None, reason="openSMILE, an optional extra, is absent")


def test_names() -> None:
    assert len(set(LLD_NAMES)) == 25 and len(set(FUNCTIONAL_NAMES)) == 88 and len(VOICED_NAMES) == 15


def test_descriptors_of_a_vowel() -> None:
    vowel = make_vowel(lambda t: 220.0, VOWELS[3][1], 1.0, np.random.default_rng(0))
    found = egemaps_lld(as_audio(vowel.sound))
    assert found.values.shape == (100, 25) and np.isfinite(found.values).all()
    middle = slice(20, 80)
    assert np.median(found.column("F0semitoneFrom27.5Hz_sma3nz")[0][middle]) == pytest.approx(36, abs=0.05)
    spectrum = 20 * np.log10(np.abs(np.fft.rfft(vowel.sound[4000:12000] * np.hanning(8000))))
    h1_h2 = spectrum[105:116].max() - spectrum[215:226].max()
    assert np.median(found.column("logRelF0-H1-H2_sma3nz")[0][middle]) == pytest.approx(h1_h2, abs=0.3)
    louder = egemaps_lld(as_audio(2 * vowel.sound))
    ratio = louder.column("Loudness_sma3")[0][middle] / found.column("Loudness_sma3")[0][middle]
    np.testing.assert_allclose(ratio, 4 ** (1 / 3), rtol=1e-3)
    for name in ("mfcc1_sma3", "alphaRatio_sma3", "hammarbergIndex_sma3", "slope0-500_sma3", "HNRdBACF_sma3nz"):
        np.testing.assert_allclose(louder.column(name)[0][middle], found.column(name)[0][middle], atol=0.05)


def test_slopes_and_ratios_of_shaped_noise() -> None:
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal(64000))
    hertz = np.fft.rfftfreq(64000, 1 / 16000)
    shaped = np.fft.irfft(spectrum * 10 ** (-0.01 * np.minimum(hertz, 6000) / 20))
    found = egemaps_lld(as_audio(0.05 * shaped))
    for name in ("slope0-500_sma3", "slope500-1500_sma3"):
        assert np.mean(found.column(name)[0][10:-10]) == pytest.approx(-0.01, abs=0.002)
    power = 10 ** (-0.01 * hertz / 10)
    alpha = 10 * np.log10(power[(hertz > 1000) & (hertz < 5000)].sum() / power[(hertz > 50) & (hertz < 1000)].sum())
    assert np.mean(found.column("alphaRatio_sma3")[0][10:-10]) == pytest.approx(alpha, abs=0.7)


def test_functionals_of_contours_that_are_known() -> None:
    n = 400
    time = np.arange(n) / 100
    values = np.zeros((n, 25), np.float32)
    values[:, 0] = np.abs(time % 1.0 - 0.5) * 2
    values[:, 10] = np.where(time % 2 < 1, 30 + 6 * (time % 1), 0)
    voiced = values[:, 10] > 0
    valid = np.ones((n, 25), bool)
    valid[:, 10:] = voiced[:, None]
    level = np.full(n, -20, np.float32)
    found = summarise(Descriptors((time * 1e9).astype(np.int64), values, valid, voiced, level))
    assert list(found) == list(FUNCTIONAL_NAMES)
    assert found["loudness_sma3_meanRisingSlope"] == pytest.approx(2, rel=0.02)
    assert found["loudness_sma3_meanFallingSlope"] == pytest.approx(2, rel=0.02)
    assert found["loudnessPeaksPerSec"] == pytest.approx(0.75)
    assert found["F0semitoneFrom27.5Hz_sma3nz_meanRisingSlope"] == pytest.approx(6, rel=0.02)
    assert np.isnan(found["F0semitoneFrom27.5Hz_sma3nz_meanFallingSlope"])
    assert found["F0semitoneFrom27.5Hz_sma3nz_percentile50.0"] == pytest.approx(33, abs=0.1)
    assert found["VoicedSegmentsPerSec"] == pytest.approx(0.5) and found["MeanVoicedSegmentLengthSec"] == 1
    assert found["equivalentSoundLevel_dBp"] == pytest.approx(-20)
    first = summarise(Descriptors((time * 1e9).astype(np.int64), values, valid, voiced, level), time < 1)
    assert np.isnan(first["MeanUnvoicedSegmentLength"]) and first["MeanVoicedSegmentLengthSec"] == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=60), st.floats(0.1, 50))
def test_turning_points_alternate_and_lie_far_enough_apart(values: list[float], least: float) -> None:
    points = turning_points(np.array(values), least)
    steps = np.diff([values[at] for at in points])
    assert points[0] == 0 and points == sorted(points)
    assert np.all(np.abs(steps[1:]) >= least) and np.all(steps[1:] * steps[:-1] < 0)


def test_as_a_setting_of_the_encoder() -> None:
    sound = as_audio(make_dialogue(1, exchanges=1).microphones[0])
    task = Task("p01", {"voice": sound}, Interval(0, 10**12), {"egemaps": True})
    encoding = VoiceEncoder().encode(task).check()
    assert encoding.track.names[-25:] == LLD_NAMES
    found = Descriptors.of_track(encoding.track)
    assert summarise(found) == pytest.approx(egemaps_functionals(sound), rel=1e-4, nan_ok=True)
    plain = VoiceEncoder().encode(Task("p01", {"voice": sound}, Interval(0, 10**12)))
    assert not set(LLD_NAMES) & set(plain.track.names)
    with pytest.raises(InvalidValueError, match="no eGeMAPS"):
        Descriptors.of_track(plain.track)


@pytest.mark.parametrize("sound", [np.zeros(8000), np.full(8000, 0.3), np.random.default_rng(0).uniform(-1, 1, 300)])
def test_sound_without_voice(sound: np.ndarray) -> None:
    found = egemaps_functionals(as_audio(sound))
    assert len(found) == 88 and np.isnan(found["F0semitoneFrom27.5Hz_sma3nz_amean"])


def test_bad_wishes() -> None:
    with pytest.raises(InvalidValueError, match="backend"):
        egemaps_lld(as_audio(np.zeros(1600)), backend="other")
    with pytest.raises(InvalidValueError, match="no sound"):
        egemaps_lld(as_audio(np.zeros(0)))


def test_without_opensmile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(MissingExtraError, match=r"telltale\[egemaps\]"):
        egemaps_lld(as_audio(np.zeros(16000)), backend="opensmile")


@needs_opensmile
def test_opensmile_agrees_where_its_definitions_are_those_of_the_paper() -> None:
    sound = as_audio(make_dialogue(2, exchanges=1, snr_db=30).microphones[0])
    own, other = egemaps_lld(sound), egemaps_lld(sound, backend="opensmile")
    for name, least in {
        "Loudness_sma3": 0.98,
        "spectralFlux_sma3": 0.99,
        "mfcc1_sma3": 0.98,
        "mfcc4_sma3": 0.98,
    }.items():
        assert correlate(own, other, name) > least
    assert correlate(own, other, "F0semitoneFrom27.5Hz_sma3nz") > 0.8
    assert list(egemaps_functionals(sound, backend="opensmile")) == list(FUNCTIONAL_NAMES)
    task = Task("p01", {"voice": sound}, Interval(0, 10**12), {"egemaps": "opensmile"})
    assert VoiceEncoder().encode(task).check().track.column("Loudness_sma3")[1].mean() > 0.9
