"""The physiology encoder on bad and odd input: it never raises, and says why nothing is valid."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.features import Encoding
from data_schemas.intervals import Interval, IntervalSet
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import NS_PER_S, Explicit, Regular, TimeAxis
from modalities.base import Task
from modalities.physiology.stretches import Stretch, cut
from modalities.registry import load_encoder

S = NS_PER_S
UNITS = {"ecg": "mV", "eda": "uS", "respiration": "1", "ppg": "1", "temperature": "degC"}


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """Numerical warnings are errors here: bad input must not spam the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", UserWarning)
        yield


def signal(
    kind: str, values: np.ndarray, rate_hz: float = 250, *, unit: str | None = None, name: str | None = None,
    start_ns: int = 0, mask: np.ndarray | None = None, support: IntervalSet | None = None, axis: TimeAxis | None = None,
) -> Signal:  # fmt: skip
    """A stream of one kind over an array (n,) or (n, columns)."""
    wide = np.asarray(values, dtype=np.float64)
    wide = wide[:, None] if wide.ndim == 1 else wide
    return Signal(
        info=StreamInfo(name or kind, kind, "session", "p01"),
        axis=axis or Regular.from_rate(rate_hz, len(wide), start_ns),
        values=wide,
        columns=tuple(f"{kind}_{at}" for at in range(wide.shape[1])),
        units=(UNITS[kind] if unit is None else unit,) * wide.shape[1],
        mask=None if mask is None else np.repeat(mask[:, None], wide.shape[1], axis=1),
        native_support=support,
    )


def encode(*streams: Signal, extent: Interval | None = None) -> Encoding:
    if extent is None:
        ends = [one.support.extent.end_ns for one in streams if one.support.extent]
        extent = Interval(min([0, *(one.axis.start_ns for one in streams)]), max([S // 10, *ends]))
    return load_encoder("physiology").encode(Task("p01", {one.info.name: one for one in streams}, extent)).check()


def ecg(
    seconds: float, rate_hz: float, seed: int = 0, bpm: float = 72, noise: float = 0.01
) -> tuple[np.ndarray, np.ndarray]:
    """P, QRS and T as Gaussians at known beats with respiratory arrhythmia; returns the signal and R times in s."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    fine = np.arange(0, seconds + 2, 0.002)
    rate = bpm / 60 * (1 + 0.06 * np.sin(2 * np.pi * 0.22 * fine + seed) + 0.02 * np.sin(2 * np.pi * 0.1 * fine))
    beats = np.cumsum(rate) * 0.002 + rng.uniform(0.2, 0.8)
    times = np.interp(np.arange(1, np.floor(beats[-1])), beats, fine)
    out = 0.1 * np.sin(2 * np.pi * 0.25 * t) + noise * rng.standard_normal(len(t))
    for at in times:
        for centre, width, height in (
            (-0.16, 0.022, 0.14),
            (-0.034, 0.009, -0.11),
            (0, 0.011, 1.1),
            (0.036, 0.01, -0.24),
            (0.26, 0.05, 0.3),
        ):
            first, last = np.searchsorted(t, (at + centre - 5 * width, at + centre + 5 * width))
            out[first:last] += height * np.exp(-0.5 * ((t[first:last] - at - centre) / width) ** 2)
    return out, times[(times > 0.1) & (times < seconds - 0.1)]


def hits(found: np.ndarray, truth: np.ndarray, tolerance_s: float) -> tuple[float, float]:
    """Sensitivity and precision, each truth matched at most once (both increasing)."""
    taken, matched = -1, 0
    for one in truth:
        near = np.flatnonzero(np.abs(found - one) <= tolerance_s)
        near = near[near > taken]
        if len(near):
            taken, matched = int(near[0]), matched + 1
    return matched / max(1, len(truth)), matched / max(1, len(found))


def onsets(encoding: Encoding, kind: str) -> np.ndarray:
    return np.array([event.onset_ns / S for event in encoding.events if event.kind == kind])


@pytest.mark.parametrize("rate_hz", [100, 250, 360, 1000, 2000])
@pytest.mark.parametrize("sign", [1, -1])
def test_r_peaks_and_rate_at_known_beats(rate_hz: float, sign: int) -> None:
    x, truth = ecg(60, rate_hz, seed=int(rate_hz))
    found = encode(signal("ecg", sign * x, rate_hz))
    sensitivity, precision = hits(onsets(found, "r_peak"), truth, 0.02)
    assert sensitivity >= 0.98 and precision >= 0.99
    assert found.quality["ecg"]["inverted"] == (sign < 0) == any("upside-down" in text for text in found.warnings)
    rate, valid = found.track.column("heart_rate_bpm")
    expected = np.interp(found.track.times_ns / S, (truth[1:] + truth[:-1]) / 2, 60 / np.diff(truth))
    assert valid[15:-15].all() and np.median(np.abs(rate[valid] - expected[valid])) < 0.5
    quality, known = found.track.column("ecg_quality")
    assert np.array_equal(known, valid) and np.median(quality[known]) > 0.95


def test_variability_is_that_of_the_beats() -> None:
    x, truth = ecg(90, 500, seed=3)
    rmssd, valid = encode(signal("ecg", x, 500)).track.column("rmssd_ms")
    for at in (400, 600, 850):
        inside = truth[(truth > at / 10 - 30) & (truth <= at / 10)]
        assert valid[at] and rmssd[at] == pytest.approx(1000 * np.sqrt(np.mean(np.diff(inside, 2) ** 2)), rel=0.1)
    assert not valid[:70].any()


@pytest.mark.parametrize("bpm", [40, 120, 180])
def test_slow_and_fast_hearts(bpm: float) -> None:
    x, truth = ecg(60, 250, seed=1, bpm=bpm)
    found = encode(signal("ecg", x, 250))
    sensitivity, precision = hits(onsets(found, "r_peak"), truth, 0.03)
    assert sensitivity >= 0.96 and precision >= 0.96


def test_noise_of_the_amplifier_is_survived() -> None:
    x, truth = ecg(60, 250, seed=2)
    noisy = (
        x
        + 0.15 * np.random.default_rng(0).standard_normal(len(x))
        + 0.2 * np.sin(2 * np.pi * 50 * np.arange(len(x)) / 250)
    )
    sensitivity, precision = hits(onsets(encode(signal("ecg", noisy, 250)), "r_peak"), truth, 0.03)
    assert sensitivity >= 0.98 and precision >= 0.98


def test_clipped_ecg_keeps_its_beats() -> None:
    x, truth = ecg(60, 250, seed=4)
    found = encode(signal("ecg", np.clip(x, -0.3, 0.5), 250))
    sensitivity, precision = hits(onsets(found, "r_peak"), truth, 0.03)
    assert sensitivity >= 0.98 and precision >= 0.98


NOISES = {
    "white": lambda n, rng: rng.standard_normal(n),
    "uniform": lambda n, rng: rng.uniform(-1, 1, n),
    "walk": lambda n, rng: np.cumsum(rng.standard_normal(n)),
    "hum": lambda n, rng: np.sin(2 * np.pi * 50 * np.arange(n) / 250) + 0.05 * rng.standard_normal(n),
    "muscle": lambda n, rng: rng.standard_normal(n) * (1 + np.sin(np.arange(n) / 400)),
}


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_heart(name: str, seed: int) -> None:
    found = encode(signal("ecg", NOISES[name](60 * 250, np.random.default_rng(seed))))
    assert found.track.column("heart_rate_bpm")[1].mean() < 0.05
    assert np.mean(found.track.reason == "noise") > 0.9
    assert len(found.events) < 10


def test_noise_within_a_recording_is_masked_and_the_rest_stays() -> None:
    x, truth = ecg(90, 250, seed=5)
    t = np.arange(len(x)) / 250
    x = np.where((t > 30) & (t < 55), 2 * np.random.default_rng(0).standard_normal(len(x)), x)
    found = encode(signal("ecg", x))
    valid = found.track.column("heart_rate_bpm")[1]
    seconds = found.track.times_ns / S
    assert valid[(seconds > 3) & (seconds < 26)].all() and valid[(seconds > 60) & (seconds < 87)].all()
    inside = (seconds > 35) & (seconds < 50)
    assert not valid[inside].any() and set(found.track.reason[inside]) == {"noise"}
    clear = truth[(truth < 26) | (truth > 60)]
    assert hits(onsets(found, "r_peak"), clear, 0.03)[0] > 0.97


@pytest.mark.parametrize("kind", ["ecg", "eda", "ppg", "respiration"])
@pytest.mark.parametrize("level", [0.0, 7.0, -1e6])
def test_flat_lines_are_dead_electrodes(kind: str, level: float) -> None:
    found = encode(signal(kind, np.full(6000, level), 100))
    assert not found.track.valid.any() and set(found.track.reason) == {"electrode_off"} and not found.events


def test_an_electrode_that_falls_off() -> None:
    x, _ = ecg(60, 250, seed=6)
    t = np.arange(len(x)) / 250
    found = encode(signal("ecg", np.where((t > 20) & (t < 35), 4.99, x)))
    seconds = found.track.times_ns / S
    assert set(found.track.reason[(seconds > 20.2) & (seconds < 34.8)]) == {"electrode_off"}
    assert found.track.column("heart_rate_bpm")[1][(seconds > 3) & (seconds < 18)].all()
    assert found.quality["ecg"]["electrode_off_s"] == pytest.approx(15, abs=0.1)


def test_holes_are_gaps_and_nothing_is_interpolated_across_them() -> None:
    x, _ = ecg(60, 250, seed=7)
    t = np.arange(len(x)) / 250
    holed = np.where((t > 20) & (t < 30), np.nan, x)
    support = IntervalSet([(0, 40 * S), (45 * S, 60 * S)])
    eda = 5 + 0.3 * np.sin(t / 9)
    found = encode(
        signal("ecg", holed, support=support),
        signal("eda", np.where((t > 20) & (t < 30), np.nan, eda), support=support),
    )
    seconds = found.track.times_ns / S
    for first, last in ((20.1, 29.9), (40.1, 44.9)):
        inside = (seconds > first) & (seconds < last)
        assert not found.track.valid[inside].any() and set(found.track.reason[inside]) == {"gap"}
    assert found.track.column("eda_tonic_us")[1][(seconds > 46) & (seconds < 59)].all()
    assert not any(20 < event.onset_ns / S < 30 for event in found.events)


def test_one_missed_beat_is_bridged_and_a_long_hole_is_not() -> None:
    x, truth = ecg(60, 250, seed=8)
    t = np.arange(len(x)) / 250
    lost = truth[25]
    x = x - np.where(np.abs(t - lost) < 0.06, x - np.median(x), 0)
    found = encode(signal("ecg", x))
    rate, valid = found.track.column("heart_rate_bpm")
    near = np.abs(found.track.times_ns / S - lost) < 2
    assert valid[near].all() and rate[near].min() > 55
    assert hits(onsets(found, "r_peak"), np.array([lost]), 0.05)[0] == 0


@pytest.mark.parametrize("kind", ["ecg", "eda", "ppg", "respiration"])
def test_one_second_is_too_short(kind: str) -> None:
    x = 3 + np.random.default_rng(0).standard_normal(250) * 0.01
    found = encode(signal(kind, x))
    assert not found.track.valid.any() and set(found.track.reason) == {"too_short"}


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("kind", list(UNITS))
def test_a_few_samples(kind: str, n: int) -> None:
    found = encode(signal(kind, np.linspace(30, 31, n)))
    assert kind == "temperature" or not found.track.valid.any()
    assert np.all((found.track.reason == "") == found.track.valid.any(axis=1))


def test_outside_of_the_stream_is_gap() -> None:
    x, _ = ecg(30, 250)
    found = encode(signal("ecg", x, start_ns=10 * S), extent=Interval(-5 * S, 60 * S))
    seconds = found.track.times_ns / S
    assert seconds[0] == -5 and set(found.track.reason[(seconds < 10) | (seconds > 40.1)]) == {"gap"}
    assert found.track.column("heart_rate_bpm")[1][(seconds > 12) & (seconds < 38)].all()


def test_an_extent_shorter_than_the_grid() -> None:
    found = encode(signal("ecg", np.zeros(5)), extent=Interval(10_000_001, 20_000_000))
    assert found.track.times_ns.tolist() == [10_000_001]


def test_irregular_times_are_followed() -> None:
    x, truth = ecg(60, 1000, seed=9)
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(2.5e6, 5.5e6, 14_900)).astype(np.int64)
    times = times[times < 59.9e9]
    uneven = np.interp(times / 1e9, np.arange(len(x)) / 1000, x)
    found = encode(signal("ecg", uneven, axis=Explicit(times)))
    sensitivity, precision = hits(onsets(found, "r_peak"), truth[truth < 59.5], 0.03)
    assert sensitivity > 0.97 and precision > 0.97


def test_the_first_usable_column_and_stream_are_taken() -> None:
    x, _ = ecg(30, 250)
    noise = np.random.default_rng(0).standard_normal(len(x))
    found = encode(signal("ecg", np.stack([np.zeros_like(x), noise, x, x], axis=1)))
    assert found.quality["ecg"]["column"] == "ecg_2"
    found = encode(signal("ecg", noise, name="left"), signal("ecg", x, name="right"))
    assert found.streams == ("right",) and found.quality["ecg"]["stream"] == "right"


def test_heart_rate_from_the_pulse_wave_where_there_is_no_ecg() -> None:
    x, truth = ecg(60, 250, seed=10)
    t = np.arange(len(x)) / 250
    wave = np.zeros(len(t))
    for at in truth:
        wave += np.exp(-0.5 * ((t - at - 0.25) / 0.08) ** 2) + 0.3 * np.exp(-0.5 * ((t - at - 0.5) / 0.08) ** 2)
    wave += 0.05 * np.random.default_rng(0).standard_normal(len(t))
    alone = encode(signal("ppg", wave))
    assert alone.parameters["heart_rate_from"] == "ppg" and not len(onsets(alone, "r_peak"))
    rate, valid = alone.track.column("heart_rate_bpm")
    assert valid[30:-30].all() and abs(np.median(rate[valid]) - 72) < 1.5
    assert not alone.track.column("ecg_quality")[1].any()
    both = encode(signal("ecg", x), signal("ppg", wave))
    assert both.parameters["heart_rate_from"] == "ecg" and both.streams == ("ecg", "ppg")
    assert both.track.column("pulse_amplitude")[1][30:-30].all() and both.track.column("ecg_quality")[1][30:-30].all()
    rescued = encode(signal("ecg", NOISES["white"](len(x), np.random.default_rng(0))), signal("ppg", wave))
    assert rescued.parameters["heart_rate_from"] == "ppg" and any("PPG" in text for text in rescued.warnings)
    assert rescued.track.column("heart_rate_bpm")[1].mean() > 0.9


@pytest.mark.parametrize(("rate_hz", "bpm"), [(4, 12), (25, 15), (100, 24), (1000, 9)])
def test_breathing(rate_hz: float, bpm: float) -> None:
    t = np.arange(round(120 * rate_hz)) / rate_hz
    belt = (
        np.sin(2 * np.pi * bpm / 60 * t + 0.5 * np.sin(0.2 * t))
        + 0.01 * t
        + 0.1 * np.random.default_rng(0).standard_normal(len(t))
    )
    rate, valid = encode(signal("respiration", belt, rate_hz)).track.column("respiration_rate_bpm")
    assert valid.mean() > 0.85 and np.median(rate[valid]) == pytest.approx(bpm, rel=0.03)


def test_breathing_is_not_read_from_noise() -> None:
    found = encode(signal("respiration", np.random.default_rng(0).standard_normal(12000), 100))
    assert found.track.valid.mean() < 0.05 and "noise" in found.track.reason


@pytest.mark.parametrize(("unit", "values"), [("degC", 33.5), ("K", 306.65), ("degF", 92.3), ("1", 33.5)])
def test_temperature_in_any_unit(unit: str, values: float) -> None:
    x = values + 0.01 * np.random.default_rng(0).standard_normal(240)
    x[100:120] = -40.0
    found = encode(signal("temperature", x, 4, unit=unit))
    value, valid = found.track.column("temperature_degc")
    assert np.median(value[valid]) == pytest.approx(33.5, abs=0.1)
    assert not valid[(found.track.times_ns > 25.6e9) & (found.track.times_ns < 29.3e9)].any()
    assert "electrode_off" in found.track.reason
    assert any("unit" in text for text in found.warnings) == (unit == "1")


def test_too_slow_for_beats_is_said() -> None:
    found = encode(signal("ecg", np.random.default_rng(0).standard_normal(600), 10))
    assert not found.track.valid.any() and any("10 Hz" in text for text in found.warnings)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 4000),
    rate_hz=st.sampled_from([0.5, 1.0, 4.0, 31.9, 100.0, 250.0, 1000.0]),
    kinds=st.lists(st.sampled_from(list(UNITS)), min_size=1, max_size=3, unique=True),
    shape=st.sampled_from(["noise", "walk", "spikes", "steps", "huge", "tiny", "holes", "masked", "integers"]),
)
def test_random_signals_never_raise(seed: int, n: int, rate_hz: float, kinds: list[str], shape: str) -> None:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal(n)
    x = {
        "noise": base,
        "walk": np.cumsum(base),
        "spikes": (rng.random(n) < 0.02) * 1000.0,
        "steps": np.repeat(base, 37)[:n],
        "huge": base * 1e30,
        "tiny": base * 1e-30 + 5,
        "holes": np.where(rng.random(n) < 0.5, np.nan, base),
        "masked": np.where(rng.random(n) < 0.01, np.inf, np.cumsum(base)),
        "integers": np.round(3 * base),
    }[shape]
    mask = rng.random(n) < 0.8 if shape == "masked" else None
    found = encode(
        *(signal(kind, x, rate_hz, mask=mask, unit=rng.choice(["uS", "mV", "1", "kOhm", "degC"])) for kind in kinds)
    )
    assert np.all((found.track.reason == "") == found.track.valid.any(axis=1))
    assert set(found.track.reason) <= {"", "gap", "noise", "too_short", "electrode_off"}
    assert all(a.onset_ns <= b.onset_ns for a, b in zip(found.events, found.events[1:], strict=False))


def test_stretches_cover_what_is_there() -> None:
    x = np.arange(1000.0)
    x[300:500] = np.nan
    x[700:703] = np.nan
    x[850:] = 7.0
    parts = cut(signal("ecg", x, 100), "ecg_0", bridge_s=0.05, flat_s=1.0)
    assert [(one.start_ns, len(one.values)) for one in parts.stretches] == [(0, 300), (5 * S, 350)]
    assert parts.off_ns.tolist() == [[int(8.5 * S), 10 * S]]
    np.testing.assert_allclose(parts.stretches[1].values, np.arange(500.0, 850.0))


def test_thinning_out_lets_no_alias_through() -> None:
    t = np.arange(60_000) / 1000
    slow = Stretch(0, 1000, np.sin(2 * np.pi * 0.3 * t) + np.sin(2 * np.pi * 49.7 * t)).slowed(10)
    assert slow.rate_hz == 10
    inner = slice(20, -20)
    np.testing.assert_allclose(
        slow.values[inner], np.sin(2 * np.pi * 0.3 * np.arange(len(slow.values)) / 10)[inner], atol=0.01
    )


def test_half_an_hour_at_one_kilohertz() -> None:
    x, truth = ecg(60, 1000, seed=11)
    n = 30
    eda = (
        5 + 0.4 * np.sin(np.arange(n * 60_000) / 40_000) + 0.002 * np.random.default_rng(0).standard_normal(n * 60_000)
    )
    found = encode(signal("ecg", np.tile(x, n), 1000), signal("eda", eda, 1000))
    assert found.track.column("heart_rate_bpm")[1].mean() > 0.99 and found.track.column("eda_tonic_us")[1].all()
    assert len(onsets(found, "r_peak")) > 0.97 * n * len(truth)
