"""Beats in noise, their quality index, their correction, and the variability that follows, against planted truth."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.physiology import (
    HEARTS,
    bad_signals,
    encode,
    find,
    match,
    measure_bad_input,
    measure_recordings,
    score_beats,
    window_index,
)
from benchmarks.physiology_signals import draw_ecg, draw_noise
from data_schemas.time import NS_PER_S
from modalities.physiology.correction import correct_rhythm

S = NS_PER_S


@pytest.mark.parametrize("name", HEARTS)
def test_beats_of_every_kind_of_heart(name: str) -> None:
    planted = draw_ecg(77, 90, 250, **HEARTS[name])
    score = score_beats(find(planted.values, 250), 250, planted.beats_s)
    least = 0.93 if name == "motion_0_db" else 0.97
    assert score["kept_sensitivity"] >= least and score["kept_precision"] >= least and score["kept"] >= 0.85


@pytest.mark.parametrize("kind", ["white", "motion", "muscle", "wander", "all"])
def test_noise_alone_has_no_sure_beats(kind: str) -> None:
    beats = find(draw_noise(np.random.default_rng(3), kind, 60 * 250, 250), 250)
    assert beats.good.sum() < 6


def test_the_index_orders_recordings_by_their_noise() -> None:
    means = []
    for snr_db in (20.0, 0.0, -8.0):
        means.append(window_index(find(draw_ecg(5, 60, 250, snr_db=snr_db).values, 250), 250, 60).mean())
    assert means[0] > means[1] > means[2] and means[0] > 0.97


def test_the_index_is_lower_for_wrong_beats() -> None:
    right, wrong = [], []
    for seed in range(3):
        planted = draw_ecg(seed, 60, 250, snr_db=-4)
        beats = find(planted.values, 250)
        hit, _ = match(beats.at / 250, planted.beats_s, 0.075)
        right += beats.quality[hit].tolist()
        wrong += beats.quality[~hit].tolist()
    assert len(wrong) > 5 and np.median(right) > np.median(wrong) + 0.3


def sinus(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(0.85 * (1 + 0.04 * np.sin(np.arange(n) / 2.5) + 0.01 * rng.standard_normal(n)))


def test_a_sinus_rhythm_is_left_alone() -> None:
    times = sinus(200)
    rhythm = correct_rhythm(times, np.ones(200, bool))
    assert np.array_equal(rhythm.times_s, times) and not rhythm.moved.any() and rhythm.irregular == 0


@settings(max_examples=30, deadline=None)
@given(at=st.integers(5, 90), seed=st.integers(0, 1000), kind=st.sampled_from(["missed", "extra", "pause", "two"]))
def test_one_fault_is_found_and_mended(at: int, seed: int, kind: str) -> None:
    times = sinus(100, seed)
    given = {
        "missed": np.delete(times, at),
        "two": np.delete(times, [at, at + 1]),
        "extra": np.sort(np.r_[times, times[at] + 0.45 * (times[at + 1] - times[at])]),
        "pause": np.r_[times[:at], times[at] - 0.3, times[at + 1 :]],
    }[kind]
    rhythm = correct_rhythm(given, np.ones(len(given), bool))
    assert len(rhythm.times_s) == 100 and np.max(np.abs(rhythm.times_s - times)) < 0.13
    assert (rhythm.missed, rhythm.extra.sum(), rhythm.ectopic.sum()) == {
        "missed": (1, 0, 0), "two": (2, 0, 0), "extra": (0, 1, 0), "pause": (0, 0, 1),
    }[kind]  # fmt: skip


def test_an_irregular_heart_is_not_corrected() -> None:
    times = np.cumsum(0.8 * np.clip(np.random.default_rng(0).normal(1, 0.25, 200), 0.5, 1.8))
    rhythm = correct_rhythm(times, np.ones(200, bool))
    assert rhythm.irregular > 0.9 and np.mean(np.isin(times, rhythm.times_s)) > 0.97


def test_bad_beats_are_not_mended() -> None:
    times = np.delete(sinus(60), 30)
    good = np.ones(59, bool)
    good[29] = False
    assert correct_rhythm(times, good).missed == 0


def test_ectopic_beats_do_not_shake_the_heart_rate() -> None:
    calm = encode(ecg=(draw_ecg(8, 90, 250).values, 250.0))
    planted = draw_ecg(8, 90, 250, ectopic=0.1)
    found = encode(ecg=(planted.values, 250.0))
    labelled = [event.onset_ns / S for event in found.events if event.label]
    hit, seen = match(np.array(labelled), planted.beats_s[planted.ectopic], 0.075)
    assert planted.ectopic.sum() >= 3 and seen.mean() >= 0.6 and hit.mean() >= 0.8
    rates = [one.track.column("heart_rate_bpm") for one in (calm, found)]
    spread = [float(np.ptp(np.percentile(values[valid], (1, 99)))) for values, valid in rates]
    assert spread[1] < 2.5 * spread[0]


def modulated(hertz: float, depth_ms: float, seconds: float = 200) -> np.ndarray:
    """An ECG of narrow peaks whose intervals swing around 800 ms."""
    times = [0.5]
    while times[-1] < seconds:
        times.append(times[-1] + 0.8 + depth_ms / 1000 * np.sin(2 * np.pi * hertz * times[-1]))
    t = np.arange(round(seconds * 250)) / 250
    near = np.array(times)[np.clip(np.searchsorted(times, t - 0.4), 0, len(times) - 1)]
    rng = np.random.default_rng(0)
    return np.exp(-0.5 * ((t - near) / 0.012) ** 2) + 0.005 * rng.standard_normal(len(t))


@pytest.mark.parametrize(("hertz", "own", "other"), [(0.1, "lf_ms2", "hf_ms2"), (0.25, "hf_ms2", "lf_ms2")])
def test_power_lies_in_the_band_that_was_planted(hertz: float, own: str, other: str) -> None:
    track = encode(ecg=(modulated(hertz, 40), 250.0)).track
    power, valid = track.column(own)
    assert not valid[:550].any() and valid[1300:1900].all()
    assert np.median(power[valid]) == pytest.approx(40**2 / 2, rel=0.25)
    assert np.median(track.column(other)[0][valid]) < 0.1 * np.median(power[valid])
    ratio, known = track.column("lf_hf")
    assert (np.median(ratio[known]) > 10) == (own == "lf_ms2")
    sdnn, known = track.column("sdnn_ms")
    assert np.median(sdnn[known]) == pytest.approx(40 / np.sqrt(2), rel=0.1)


def test_share_of_long_steps() -> None:
    track = encode(ecg=(modulated(0.25, 60, 120), 250.0)).track
    share, valid = track.column("pnn50")
    intervals = 0.8 + 0.06 * np.sin(2 * np.pi * 0.25 * np.arange(0, 120, 0.8))
    assert np.median(share[valid]) == pytest.approx(np.mean(np.abs(np.diff(intervals)) > 0.05), abs=0.12)


def test_nothing_bad_raises_or_passes() -> None:
    assert len(list(bad_signals())) == 6 and measure_bad_input() == 0


def test_the_shared_recordings(data_dir: os.PathLike[str]) -> None:
    figures = measure_recordings(data_dir / "physio")
    for name, least in (("wfdb_100", 0.998), ("118e24", 0.995)):
        assert figures[f"{name}_sensitivity"] >= least and figures[f"{name}_precision"] >= least
    assert figures["118e12_kept_sensitivity"] >= 0.97 and figures["118e12_kept_precision"] >= 0.97
    assert figures["118e12_kept"] >= 0.7 and figures["index_e24_above_e12"] >= 0.9
    assert figures["event_1_scr_amplitude_us"] > 1 and 1 <= figures["event_1_scr_latency_s"] <= 5
