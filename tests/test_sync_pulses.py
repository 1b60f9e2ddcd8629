from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import MissingTrackError
from data_schemas.intervals import IntervalSet
from data_schemas.stream import Audio, Signal, StreamInfo
from data_schemas.time import NS_PER_S, Explicit, Regular
from sync.clock import ClockMap
from sync.edges import find_edges
from sync.pulses import Pulse, find_pulses
from sync.samples import Samples

ONSETS = np.array([3.2171, 9.0093, 14.5512, 22.3334, 27.777, 35.1508, 41.9036, 48.2222])


def signal(x: np.ndarray, rate: float, mask: np.ndarray | None = None, unit: str = "V") -> Signal:
    return Signal(
        info=StreamInfo("light", "pulse", "amp"),
        axis=Regular.from_rate(rate, len(x), start_ns=5 * NS_PER_S),
        values=np.asarray(x, dtype=np.float64)[:, None],
        columns=("light",),
        units=(unit,),
        mask=None if mask is None else mask[:, None],
    )


def levels(
    rate: float, length_s: float, seconds: float = 55.0, onsets: np.ndarray = ONSETS
) -> tuple[np.ndarray, np.ndarray]:
    """Sample times and 1 during each pulse; a sample cut by an edge holds the covered share."""
    t = np.arange(round(seconds * rate)) / rate
    x = np.zeros(len(t))
    for onset in onsets:
        covered = np.minimum(t + 0.5 / rate, onset + length_s) - np.maximum(t - 0.5 / rate, onset)
        x += np.clip(covered * rate, 0, 1)
    return t, x


def onsets_of(pulses: list[Pulse]) -> np.ndarray:
    return np.array([pulse.onset_ns for pulse in pulses]) / NS_PER_S - 5


def assert_found(pulses: list[Pulse], expected: np.ndarray, within_s: float) -> None:
    assert len(pulses) == len(expected)
    assert np.abs(onsets_of(pulses) - expected).max() <= within_s


@pytest.mark.parametrize("rate", [100, 512, 1000, 5000])
@pytest.mark.parametrize("length_s", [0.1, 1.0, 2.5])
@pytest.mark.parametrize("low_high", [(0.0, 5.0), (5.0, 0.0), (-310.0, -290.0)])
def test_clean_pulses_of_either_polarity_are_found_below_the_sample_distance(
    rate: float, length_s: float, low_high: tuple[float, float]
) -> None:
    _, x = levels(rate, length_s)
    low, high = low_high
    pulses = find_pulses(signal(low + (high - low) * x, rate))
    assert_found(pulses, ONSETS, 0.1 / rate)
    assert [p.duration_ns / NS_PER_S for p in pulses] == pytest.approx([length_s] * len(ONSETS), abs=0.2 / rate)
    assert [p.height for p in pulses] == pytest.approx([high - low] * len(ONSETS))


@pytest.mark.parametrize("rate", [100, 250, 1000])
@pytest.mark.parametrize("sign", [1, -1])
def test_noise_drift_and_ripple_do_not_matter(rate: float, sign: int) -> None:
    rng = np.random.default_rng(int(rate) + sign)
    t, x = levels(rate, 1.5)
    noise = rng.normal(0, 0.08, len(t))
    drift = 2.5 * t / t[-1] + 0.2 * np.sin(2 * np.pi * 0.25 * t)
    hum = 0.25 * np.sin(2 * np.pi * 50 * t + 0.7)
    pulses = find_pulses(signal(sign * x + noise + drift + hum, rate))
    assert_found(pulses, ONSETS, 1.5 / rate)
    assert all(np.sign(p.height) == sign for p in pulses)


def test_strong_noise_costs_precision_not_pulses() -> None:
    rng = np.random.default_rng(5)
    t, x = levels(1000, 0.4)
    pulses = find_pulses(signal(x + rng.normal(0, 0.3, len(t)), 1000))
    assert_found(pulses, ONSETS, 0.003)


def test_the_rarer_level_is_the_event() -> None:
    mostly_on = levels(500, 4.5, seconds=33.0, onsets=np.array([2.0, 8.0, 14.0, 20.0, 26.0]))[1]
    low = find_pulses(signal(mostly_on, 500))
    assert_found(low, np.array([6.5, 12.5, 18.5, 24.5, 30.5]), 0.001)
    assert all(p.height == pytest.approx(-1) for p in low)


@pytest.mark.parametrize("length_s", [0.003, 0.001])
def test_short_ttl_pulses_are_kept(length_s: float) -> None:
    t = np.arange(55_000) / 1000
    x = np.zeros(len(t))
    for onset in ONSETS:
        first = round(onset * 1000)
        x[first : first + round(length_s * 1000)] = 5.0
    assert_found(find_pulses(signal(x, 1000)), ONSETS, 0.0011)


def test_slow_edges_are_placed_at_half_height() -> None:
    rng = np.random.default_rng(2)
    t = np.arange(55_000) / 1000
    x = sum(np.clip((t - o + 0.03) / 0.06, 0, 1) - np.clip((t - o - 1 + 0.03) / 0.06, 0, 1) for o in ONSETS)
    assert_found(find_pulses(signal(np.round(200 * x) / 200, 1000)), ONSETS, 0.001)
    assert_found(find_pulses(signal(x + rng.normal(0, 0.05, len(t)), 1000)), ONSETS, 0.006)


def test_a_capacitor_in_the_line_does_not_hide_the_steps() -> None:
    from scipy.signal import butter, lfilter

    rng = np.random.default_rng(4)
    t, x = levels(1000, 1.0)
    coupled = lfilter(*butter(1, 0.1, "high", fs=1000), x) + rng.normal(0, 0.02, len(t))
    pulses = find_pulses(signal(coupled, 1000))
    assert_found(pulses, ONSETS, 0.001)
    assert [p.duration_ns / NS_PER_S for p in pulses] == pytest.approx([1.0] * len(ONSETS), abs=0.002)


def test_bursts_of_a_tone_are_pulses() -> None:
    rng = np.random.default_rng(8)
    rate = 8000
    t = np.arange(20 * rate) / rate
    onsets = np.array([2.5, 6.25, 11.75, 16.0])
    x = rng.normal(0, 0.01, len(t))
    for onset in onsets:
        x += np.where((t >= onset) & (t < onset + 0.1), np.sin(2 * np.pi * 880 * (t - onset)), 0)
    pulses = find_pulses(signal(x, rate))
    assert_found(pulses, onsets, 0.002)
    assert [p.duration_ns / NS_PER_S for p in pulses] == pytest.approx([0.1] * 4, abs=0.004)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(["white", "brown", "hum", "rounded"]), st.sampled_from([4.0, 64.0, 1000.0])
)
def test_mere_noise_holds_no_pulse(seed: int, kind: str, rate: float) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(9, 20_000))
    white = rng.normal(size=n)
    x = {
        "white": white,
        "brown": np.cumsum(white),
        "hum": 5 * np.sin(2 * np.pi * 50 * np.arange(n) / 1000) + white,
        "rounded": np.round(2 * white),
    }[kind]
    assert find_pulses(signal(x, rate)) == []


@pytest.mark.parametrize(
    "x", [np.zeros(0), np.zeros(3), np.full(6000, 2.5), np.full(6000, np.nan), np.linspace(0, 9, 5000)]
)
def test_flat_empty_and_rising_signals_hold_no_pulse(x: np.ndarray) -> None:
    assert find_pulses(signal(x, 100)) == []


def test_the_last_bit_of_a_flat_converter_is_no_pulse() -> None:
    for seed in range(10):
        flicker = np.round(np.random.default_rng(seed).normal(0, 0.3, 30_000))
        assert set(flicker) >= {-1.0, 0.0, 1.0}
        assert find_pulses(signal(flicker, 1000)) == []
        assert find_pulses(signal(np.abs(flicker), 1000)) == []
    _, x = levels(1000, 1.0)
    flicker = np.round(np.random.default_rng(3).normal(0, 0.3, len(x)))
    assert_found(find_pulses(signal(np.round(20 * x) + flicker, 1000)), ONSETS, 0.001)


def test_invalid_samples_are_passed_over() -> None:
    rng = np.random.default_rng(6)
    t, x = levels(1000, 1.0)
    mask = rng.random(len(t)) > 0.2
    x = np.where(mask, x + rng.normal(0, 0.03, len(t)), 99.0)
    assert_found(find_pulses(signal(x, 1000, mask)), ONSETS, 0.004)


def test_an_onset_in_a_gap_is_not_known_and_left_out() -> None:
    _, x = levels(1000, 1.0)
    mask = np.ones(len(x), dtype=bool)
    mask[round((ONSETS[3] - 0.2) * 1000) : round((ONSETS[3] + 0.3) * 1000)] = False
    assert_found(find_pulses(signal(x, 1000, mask)), np.delete(ONSETS, 3), 0.001)


def test_a_pulse_that_was_on_at_the_start_has_no_onset_and_one_on_at_the_end_has() -> None:
    _, x = levels(1000, 1.0, seconds=ONSETS[-1] + 0.5)
    pulses = find_pulses(signal(np.r_[np.ones(400), x], 1000))
    assert_found(pulses, ONSETS + 0.4, 0.001)
    assert pulses[-1].duration_ns == pytest.approx(0.5 * NS_PER_S, abs=2_000_000)


def test_uneven_stamps_and_the_current_clock_are_respected() -> None:
    t = np.sort(np.random.default_rng(9).uniform(0, 55, 20_000))
    x = np.zeros(len(t))
    for onset in ONSETS:
        x[(t >= onset) & (t < onset + 1)] = 3.0
    stream = Signal(
        info=StreamInfo("ttl", "pulse", "amp"),
        axis=Explicit(np.unique(np.rint(t * NS_PER_S).astype(np.int64))),
        values=x[:, None],
        columns=("ttl",),
        units=("V",),
    )
    on_session = stream.on(ClockMap.affine(5.0, 0.0), "session")
    assert_found(find_pulses(on_session), ONSETS, 0.03)


def test_the_column_with_pulses_is_found_or_named() -> None:
    _, x = levels(200, 1.0)
    both = np.c_[np.full(len(x), 1.5), x]
    stream = Signal(
        info=StreamInfo("ports", "pulse", "amp"),
        axis=Regular.from_rate(200, len(x), 5 * NS_PER_S),
        values=both,
        columns=("idle", "sync"),
        units=("V", "V"),
    )
    assert_found(find_pulses(stream), ONSETS, 0.003)
    assert find_pulses(stream, "idle") == []
    with pytest.raises(MissingTrackError, match="idle, sync"):
        find_pulses(stream, "photo")


def sound_of(*channels: np.ndarray, rate: float = 48_000, holes: IntervalSet | None = None) -> Audio:
    """Channels of sound that are read by blocks, as from a file."""
    n = len(channels[0])

    def read(first: int, count: int) -> np.ndarray:
        return np.stack([one[first : first + count] for one in channels], axis=1).astype(np.float32)

    axis = Regular.from_rate(rate, n, start_ns=5 * NS_PER_S)
    support = None if holes is None else IntervalSet([(axis.start_ns, axis.end_ns)]) - holes
    return Audio(
        info=StreamInfo("sync", "pulse", "rec"), axis=axis, native_support=support, source=read, channels=len(channels)
    )


def test_sound_and_signal_give_the_same_pulses_to_the_last_bit() -> None:
    rng = np.random.default_rng(11)
    t, box = levels(48_000, 0.1, seconds=25.0, onsets=ONSETS[:4])
    tone = np.round(9_000 * box * np.sin(2 * np.pi * 880 * t) + rng.normal(0, 3, len(t))) / 32_768
    for x in (box + rng.normal(0, 0.02, len(t)), -box, tone):
        pulses = find_pulses(signal(x.astype(np.float32), 48_000))
        assert_found(pulses, ONSETS[:4], 0.002)
        assert find_pulses(sound_of(x)) == pulses
        assert find_pulses(sound_of(np.zeros(len(x)), x)) == pulses
    assert find_pulses(sound_of(box, tone), "1") == pulses
    with pytest.raises(MissingTrackError, match="one of 0, 1"):
        find_pulses(sound_of(box, tone), "2")


def test_what_is_missing_of_a_sound_is_passed_over() -> None:
    _, x = levels(8_000, 0.5)
    x[100:120] = np.nan
    begun = int((ONSETS[3] + 4.8) * NS_PER_S)
    holes = IntervalSet([(begun, begun + NS_PER_S // 2)])
    assert_found(find_pulses(sound_of(x, rate=8_000, holes=holes)), np.delete(ONSETS, 3), 0.001)


@pytest.mark.parametrize("n", [8, 9, 24, 47, 60])
def test_too_few_samples_of_a_high_rate_hold_no_pulse(n: int) -> None:
    assert find_pulses(signal(np.arange(n) % 5 == 0, 48_000)) == []


@pytest.mark.parametrize("tone", [False, True])
def test_memory_does_not_grow_with_the_length_of_a_sound(tone: bool) -> None:
    rate = 48_000
    onsets = np.arange(1.25, 600, 7)

    def read(first: int, count: int) -> np.ndarray:
        t = np.arange(first, min(first + count, 600 * rate)) / rate
        since = t - onsets[np.clip(np.searchsorted(onsets, t, side="right") - 1, 0, None)]
        x = ((since >= 0) & (since < 0.1)) * (np.sin(2 * np.pi * 880 * since) if tone else 0.5)
        return x.astype(np.float32)[:, None]

    axis = Regular.from_rate(rate, 600 * rate, start_ns=5 * NS_PER_S)
    stream = Audio(info=StreamInfo("sync", "pulse", "rec"), axis=axis, source=read, channels=1)
    tracemalloc.start()
    try:
        pulses = find_pulses(stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_found(pulses, onsets, 0.002)
    assert peak < 2 * axis.n  # bytes; the samples alone, as the file holds them


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [9, 10, 600_001])
def test_the_median_of_pieces_is_that_of_all(dtype: type, n: int) -> None:
    rng = np.random.default_rng(n)
    for x in (rng.normal(size=n), np.round(rng.normal(size=n)), -rng.exponential(size=n), np.repeat([-0.0, 3], n)[:n]):
        mask = rng.random(n) > 0.3
        stream = signal(x, 1000, mask)
        stream = replace(stream, values=stream.values.astype(dtype))
        assert Samples(stream, "light").median() == np.median(stream.values[mask, 0].astype(np.float64))


def test_slices_and_times_of_samples_pass_over_the_invalid_ones() -> None:
    rng = np.random.default_rng(3)
    x, mask = rng.normal(size=700_000), rng.random(700_000) > 0.4
    mask[200_000:530_000] = False
    stream = signal(x, 1000, mask)
    samples, valid = Samples(stream, "light"), np.flatnonzero(mask)
    samples.level = 0.25
    for low, high in ((0, 5), (119_000, 121_000), (len(valid) - 3, len(valid) + 9), (7, 7)):
        assert np.array_equal(samples[low:high], x[valid[low:high]] - 0.25)
    picked = np.array([0, 120_050, 3, len(valid) - 1])
    assert np.array_equal(samples.times_of(picked), stream.times_of(valid[picked]))


def test_edges_alternate_levels() -> None:
    _, x = levels(250, 1.0)
    edges = find_edges(2 * x - 1, 250, np.zeros(len(x) - 1, dtype=bool))
    assert [edge.sign for edge in edges] == [1, -1] * len(ONSETS)
    assert {round(edge.height, 6) for edge in edges} == {2.0, -2.0}


def test_the_four_events_of_a_real_photosensor(data_dir: Path) -> None:
    path = data_dir / "physio" / "neurokit" / "bio_eventrelated_100hz.csv"
    names = path.read_text(encoding="utf-8").splitlines()[0].replace('"', "").split(",")
    x = np.genfromtxt(path, delimiter=",", skip_header=1)[:, names.index("Photosensor")]
    samples = onsets_of(find_pulses(signal(x, 100))) * 100
    assert len(samples) == 4
    assert np.abs(samples - [1023, 4957, 9223, 12983]).max() <= 2
