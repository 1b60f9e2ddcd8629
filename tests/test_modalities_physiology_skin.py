"""Skin conductance responses at planted onsets, artefacts, units; real recordings of heart and skin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from modalities.base import Task
from modalities.registry import load_encoder

S = NS_PER_S


def stream(values: np.ndarray, rate_hz: float, unit: str = "uS", kind: str = "eda") -> Signal:
    wide = np.asarray(values, np.float64).reshape(len(values), -1)
    return Signal(
        info=StreamInfo(kind, kind, "session", "p01"),
        axis=Regular.from_rate(rate_hz, len(wide)),
        values=wide,
        columns=tuple(f"{kind}{at}" for at in range(wide.shape[1])),
        units=(unit,) * wide.shape[1],
    )


def encode(*streams: Signal) -> Encoding:
    extent = Interval(0, max(one.axis.end_ns for one in streams))
    return load_encoder("physiology").encode(Task("p01", {one.info.name: one for one in streams}, extent)).check()


def responses(
    rng: np.random.Generator, seconds: float, rate_hz: float, noise: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A drifting level with responses of bi-exponential shape; returns the signal in uS, onsets in s, amplitudes."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    onsets = np.cumsum(rng.uniform(3, 14, 60))
    onsets = onsets[onsets < seconds - 8]
    amplitudes = np.exp(rng.uniform(np.log(0.08), np.log(1.2), len(onsets)))
    x = 5 + 0.5 * np.sin(2 * np.pi * t / 95) + 0.002 * t + noise * rng.standard_normal(len(t))
    for onset, amplitude in zip(onsets, amplitudes, strict=True):
        since, decay, rise = np.maximum(t - onset, 0), rng.uniform(1.5, 4), 0.75
        peak = np.log(decay / rise) * decay * rise / (decay - rise)
        height = np.exp(-peak / decay) - np.exp(-peak / rise)
        x += amplitude * (np.exp(-since / decay) - np.exp(-since / rise)) / height
    return x, onsets, amplitudes


def f1(found: np.ndarray, truth: np.ndarray, tolerance_s: float = 1.0) -> float:
    left = list(found)
    matched = 0
    for one in truth:
        near = [other for other in left if abs(other - one) <= tolerance_s]
        if near:
            left.remove(min(near, key=lambda other: abs(other - one)))
            matched += 1
    return 2 * matched / max(1, len(found) + len(truth))


def scr(encoding: Encoding) -> list:
    return [event for event in encoding.events if event.kind == "scr"]


@pytest.mark.parametrize(
    ("rate_hz", "noise", "least"),
    [(4, 0.002, 0.9), (20, 0.003, 0.93), (100, 0.01, 0.93), (1000, 0.02, 0.93), (2000, 0.02, 0.93)],
)
def test_responses_at_planted_onsets(rate_hz: float, noise: float, least: float) -> None:
    scores, ratios, rises = [], [], []
    for seed in range(3):
        x, truth, amplitudes = responses(np.random.default_rng(seed), 120, rate_hz, noise)
        found = scr(encode(stream(x, rate_hz)))
        at = np.array([event.onset_ns / S for event in found])
        scores.append(f1(at, truth))
        for onset, amplitude in zip(truth, amplitudes, strict=True):
            near = np.flatnonzero(np.abs(at - onset) < 1)
            if len(near):
                ratios.append(found[near[0]].details["amplitude_us"] / amplitude)
                rises.append(found[near[0]].details["rise_time_s"])
    assert np.mean(scores) >= least
    assert 0.9 < np.median(ratios) < 1.1 and np.percentile(ratios, 5) > 0.7 and np.percentile(ratios, 95) < 1.4
    assert 0.8 < np.median(rises) < 2.2


def test_events_are_ordered_and_recover() -> None:
    x, _, _ = responses(np.random.default_rng(5), 120, 50, 0.002)
    found = scr(encode(stream(x, 50)))
    for event in found:
        assert event.onset_ns <= event.apex_ns <= event.offset_ns and event.score == event.details["amplitude_us"] > 0
    recovered = [event.details["recovery_time_s"] for event in found if event.details["recovery_time_s"] is not None]
    assert len(recovered) > 0.5 * len(found) and 0.5 < np.median(recovered) < 5


def test_rate_of_responses_counts_the_last_minute() -> None:
    t = np.arange(180 * 20) / 20
    x = np.full(len(t), 4.0)
    for onset in np.arange(5, 110, 10.0):
        since = np.maximum(t - onset, 0)
        x += np.exp(-since / 2) - np.exp(-since / 0.75)
    rate, valid = encode(stream(x + 0.002 * np.random.default_rng(0).standard_normal(len(t)), 20)).track.column(
        "scr_rate"
    )
    assert not valid[:98].any() and valid[110:].all()
    assert rate[1000] == pytest.approx(6, abs=0.7) and rate[-1] == 0


def test_tonic_and_phasic_add_up_and_follow_the_truth() -> None:
    x, _, _ = responses(np.random.default_rng(1), 180, 20, 0.001)
    found = encode(stream(x, 20))
    tonic, valid = found.track.column("eda_tonic_us")
    phasic, _ = found.track.column("eda_phasic_us")
    assert valid.all()
    np.testing.assert_allclose(
        (tonic + phasic)[5:-5], np.interp(found.track.times_ns / S, np.arange(len(x)) / 20, x)[5:-5], atol=0.12
    )
    assert np.std(tonic) < np.std(x) and abs(np.mean(phasic)) < 0.1


@pytest.mark.parametrize(("unit", "scale"), [("uS", 1.0), ("\u00b5S", 1.0), ("nS", 1e3), ("S", 1e-6), ("kOhm", None)])
def test_units_of_conductance_and_resistance(unit: str, scale: float | None) -> None:
    x, truth, _ = responses(np.random.default_rng(2), 120, 50, 0.002)
    found = encode(stream(1000 / x if scale is None else x * scale, 50, unit))
    tonic, valid = found.track.column("eda_tonic_us")
    assert np.median(tonic[valid]) == pytest.approx(np.median(x), abs=0.3) and not found.warnings
    assert f1(np.array([event.onset_ns / S for event in scr(found)]), truth) > 0.9


@pytest.mark.parametrize("unit", ["1", "adc", "V"])
def test_an_unknown_unit_is_said_and_thresholds_scale(unit: str) -> None:
    x, truth, amplitudes = responses(np.random.default_rng(3), 120, 50, 0.002)
    found = encode(stream(1000 * x + 20000, 50, unit))
    assert any("not uS" in text for text in found.warnings)
    large = truth[amplitudes > 0.3]
    at = np.array([event.onset_ns / S for event in scr(found)])
    assert np.mean([np.min(np.abs(at - one)) < 1 for one in large]) > 0.9


def test_motion_artefacts_are_masked_and_no_responses() -> None:
    x, truth, _ = responses(np.random.default_rng(4), 180, 50, 0.002)
    t = np.arange(len(x)) / 50
    spoiled = x.copy()
    shocks = (31.0, 77.0, 120.0)
    for at in shocks:
        spoiled += np.where((t >= at) & (t < at + 0.6), 6.0, 0.0)
    found = encode(stream(spoiled, 50))
    valid = found.track.column("eda_tonic_us")[1]
    seconds = found.track.times_ns / S
    for at in shocks:
        assert not valid[(seconds > at) & (seconds < at + 0.6)].any()
        assert set(found.track.reason[(seconds > at) & (seconds < at + 0.6)]) == {"noise"}
    assert valid.mean() > 0.93
    clear = truth[np.min(np.abs(truth[:, None] - np.array(shocks)), axis=1) > 4]
    at = np.array([event.onset_ns / S for event in scr(found)])
    away = at[np.min(np.abs(at[:, None] - np.array(shocks)), axis=1) > 3]
    assert f1(away, clear) > 0.85
    assert max(event.score for event in scr(found)) < 2


def test_white_noise_is_no_skin() -> None:
    found = encode(stream(5 + np.random.default_rng(0).standard_normal(6000), 50))
    assert found.track.valid.mean() < 0.05 and not scr(found) and np.mean(found.track.reason == "noise") > 0.9


def test_a_calm_person_is_not_noise_and_has_no_responses() -> None:
    x = 4 + 0.004 * np.random.default_rng(0).standard_normal(9000)
    found = encode(stream(x, 50))
    assert found.track.column("eda_tonic_us")[1].all() and not scr(found)


def test_no_contact_and_saturation_are_electrode_off() -> None:
    x, _, _ = responses(np.random.default_rng(6), 120, 50, 0.002)
    t = np.arange(len(x)) / 50
    rng = np.random.default_rng(0)
    spoiled = np.where((t > 30) & (t < 50), 0.002 * rng.random(len(x)), np.where((t > 80) & (t < 95), 250.0, x))
    found = encode(stream(spoiled, 50))
    seconds = found.track.times_ns / S
    for first, last in ((32, 48), (81, 94)):
        inside = (seconds > first) & (seconds < last)
        assert not found.track.valid[inside].any() and set(found.track.reason[inside]) == {"electrode_off"}
    assert found.track.column("eda_tonic_us")[1][(seconds > 55) & (seconds < 75)].all()


def test_r_peaks_of_record_100(data_dir: Path) -> None:
    import wfdb

    path = str(data_dir / "physio" / "wfdb" / "100")
    record = wfdb.rdrecord(path, sampto=5 * 60 * 360)
    notes = wfdb.rdann(path, "atr", sampto=5 * 60 * 360)
    truth = notes.sample[np.isin(notes.symbol, list("NLRBAaJSVrFejnE/fQ?"))] / 360
    for sign in (1, -1):
        found = encode(stream(sign * record.p_signal, 360, "mV", "ecg"))
        at = np.array([event.onset_ns / S for event in found.events])
        distance = np.abs(at[:, None] - truth[None])
        assert np.mean(distance.min(axis=0) <= 0.075) >= 0.99 and np.mean(distance.min(axis=1) <= 0.075) >= 0.995
        assert found.quality["ecg"]["inverted"] == (sign < 0)
    rate, valid = found.track.column("heart_rate_bpm")
    assert valid.mean() > 0.98 and 70 < np.median(rate[valid]) < 80


@pytest.mark.parametrize(
    ("name", "sensitivity", "precision", "kept"), [("118e24", 0.99, 0.99, 0.95), ("118e12", 0.5, 0.9, 0.4)]
)
def test_two_levels_of_noise(data_dir: Path, name: str, sensitivity: float, precision: float, kept: float) -> None:
    x = np.loadtxt(data_dir / "physio" / "heartpy" / f"{name}.csv")
    truth = np.loadtxt(data_dir / "physio" / "heartpy" / f"{name}_ann.csv") / 360
    found = encode(stream(x, 360, "mV", "ecg"))
    at = np.array([event.onset_ns / S for event in found.events])
    distance = np.abs(at[:, None] - truth[None])
    assert np.mean(distance.min(axis=0) <= 0.075) >= sensitivity and np.mean(distance.min(axis=1) <= 0.075) >= precision
    assert found.quality["ecg"]["usable_share"] >= kept


def test_a_real_event_related_recording(data_dir: Path) -> None:
    import pandas as pd

    table = pd.read_csv(data_dir / "physio" / "neurokit" / "bio_eventrelated_100hz.csv")
    found = encode(
        stream(table["ECG"].to_numpy(), 100, "mV", "ecg"),
        stream(table["EDA"].to_numpy(), 100),
        stream(table["RSP"].to_numpy(), 100, "1", "respiration"),
    )
    for name, low, high in (("heart_rate_bpm", 45, 90), ("eda_tonic_us", 10, 18), ("respiration_rate_bpm", 6, 25)):
        values, valid = found.track.column(name)
        assert valid.mean() > 0.9 and low < np.median(values[valid]) < high
    assert found.track.column("ecg_quality")[0].max() > 0.95
    assert 8 <= len(scr(found)) <= 30 and 0.9 < max(event.score for event in scr(found)) < 6


def test_a_wristband(data_dir: Path) -> None:
    folder = data_dir / "physio" / "empatica_e4"
    eda = np.loadtxt(folder / "EDA.csv", skiprows=2)
    temperature = np.loadtxt(folder / "TEMP.csv", skiprows=2)
    found = encode(stream(eda, 4), stream(temperature, 4, "degC", "temperature"))
    values, valid = found.track.column("temperature_degc")
    assert valid.sum() > 0.95 * 10 * len(temperature) / 4 and 31 < np.median(values[valid]) < 34
    assert found.track.column("eda_tonic_us")[1].mean() > 0.8
