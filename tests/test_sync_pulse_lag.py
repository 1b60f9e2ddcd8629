"""The pulse of a face against R peaks: lag, interval, ambiguity of one beat, strangers, gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import Explicit, to_ns
from sync.cues.pulse_lag import OUT_OF_STEP, TRANSIT_S, PulseLag, _phase
from sync.cues.pulse_shapes import HARMONICS, shapes

Curve = NDArray[np.float64]


def beats(seed: int, seconds: float = 70.0, variation: float = 0.05) -> Curve:
    """R peaks at about 66 bpm with breathing and chance in them."""
    rng = np.random.default_rng(seed)
    number = np.arange(int(seconds * 1.1) + 20)
    length = 0.9 * (1 + variation * np.sin(2 * np.pi * 0.23 * number + seed) + variation * rng.standard_normal())
    length = length * (1 + 0.6 * variation * rng.standard_normal(len(number)))
    return np.cumsum(length) - 6


def pulse_after(r_s: Curve, lag_s: float, times_s: Curve, noise: float, seed: int = 0) -> Curve:
    """A wave after every beat, in noise: 0.19 s, or 2.4 widths, from foot (6 %) to summit; then a dicrotic one."""
    since = times_s[:, None] - r_s[None] - lag_s - 0.19
    bell = np.exp(-0.5 * (since / np.where(since < 0, 0.08, 0.11)) ** 2)
    wave = (bell + 0.25 * np.exp(-0.5 * ((since - 0.3) / 0.09) ** 2)).sum(axis=1)
    return wave - wave.mean() + noise * np.random.default_rng(seed).standard_normal(len(times_s))


def streams(r_s: Curve, times_s: Curve, pulse: Curve) -> tuple[Signal, Marks]:
    own = Signal(
        info=StreamInfo("face", "face_rgb", "camera"),
        axis=Explicit(to_ns(times_s)),
        values=pulse[:, None],
        columns=("pulse",),
        units=("%",),
    )
    against = Marks.of(StreamInfo("ecg", "ecg", "amplifier"), [Mark(int(at)) for at in to_ns(r_s)])
    return own, against


@pytest.mark.parametrize("lag_s", [0.22, 0.72, -3.1])
def test_the_lag_is_found_within_its_interval_and_not_a_beat_off(lag_s: float) -> None:
    r_s, times = beats(1), np.arange(0, 60, 1 / 25)
    found = PulseLag().measure(to_ns(times), pulse_after(r_s, lag_s, times, 0.5), to_ns(r_s))
    assert not found.weak and found.confidence > 0.9
    assert abs(found.lag_s - lag_s) <= found.lag_ci95_s < 0.1
    assert found.offset_s == pytest.approx(TRANSIT_S - found.lag_s)
    assert found.ci95_s > found.lag_ci95_s, "the spread of transit times is in the clock's interval"
    assert (found.in_time > 0.9) == (lag_s == 0.22)


def test_the_estimate_maps_the_video_onto_the_clock_of_the_ecg() -> None:
    r_s, times = beats(2), np.arange(0, 60, 1 / 25)
    estimate = PulseLag().compare(*streams(r_s, times + 5, pulse_after(r_s, TRANSIT_S, times, 0.3)))
    assert (estimate.method, estimate.own, estimate.against) == ("pulse", "face", "ecg")
    assert abs(estimate.offset_s + 5) <= estimate.ci95_s
    assert estimate.curve is not None and len(estimate.times_ns) == len(estimate.residuals_s) > 3


def test_the_beats_of_another_heart_do_not_keep_step() -> None:
    times = np.arange(0, 60, 1 / 25)
    own, against = streams(beats(8), times, pulse_after(beats(3), 0.2, times, 0.2))
    found = PulseLag().measure(own.times_ns, own.values[:, 0], against.onsets_ns)
    assert found.weak == OUT_OF_STEP and found.agreement < 0.7
    with pytest.raises(ClockError, match="says nothing of the clocks"):
        PulseLag().compare(own, against)
    with pytest.raises(ClockError, match="keep step"):
        PulseLag().estimate(found, "face", "ecg")


def test_a_metronome_cannot_tell_one_beat_from_the_next() -> None:
    r_s, times = np.arange(-5, 70, 0.85), np.arange(0, 60, 1 / 25)
    found = PulseLag().measure(to_ns(times), pulse_after(r_s, 0.2, times, 0.5), to_ns(r_s))
    assert "too regular" in found.weak and found.confidence < 0.9


def test_noise_and_silence_claim_nothing() -> None:
    r_s, times = beats(4), np.arange(0, 60, 1 / 25)
    noise = np.random.default_rng(0).standard_normal(len(times))
    assert PulseLag().measure(to_ns(times), noise, to_ns(r_s)).weak == OUT_OF_STEP
    assert PulseLag().measure(to_ns(times), np.zeros(len(times)), to_ns(r_s)).weak
    assert "frames" in PulseLag().measure(to_ns(times[:20]), noise[:20], to_ns(r_s)).weak
    assert PulseLag().measure(to_ns(times), noise, to_ns(r_s + 1000)).weak


def test_gaps_jerks_and_missing_beats_do_little_harm() -> None:
    r_s, times = beats(5, variation=0.08), np.arange(0, 60, 1 / 30)
    times = times[((times < 20) | (times > 24)) & (np.random.default_rng(1).random(len(times)) > 0.1)]
    pulse = pulse_after(r_s, 0.3, times, 0.3)
    pulse[(times > 40) & (times < 40.5)] += 50
    kept = np.delete(r_s, [20, 33])
    found = PulseLag().measure(to_ns(times), pulse, to_ns(kept))
    assert not found.weak and abs(found.lag_s - 0.3) <= found.lag_ci95_s


def test_other_kinds_of_streams_are_refused() -> None:
    times = np.arange(0, 60, 1 / 25)
    own, against = streams(beats(1), times, np.zeros(len(times)))
    with pytest.raises(ClockError, match="R peaks"):
        PulseLag().compare(against, own)


@given(usual=st.floats(0.4, 1.5), ratio=st.floats(0.7, 1.4))
@settings(max_examples=30)
def test_phase_runs_once_from_0_to_1_through_every_beat(usual: float, ratio: float) -> None:
    length = usual * ratio
    since = np.linspace(0, length, 50)
    phase = _phase(since, np.full(50, length), usual)
    assert phase[0] == pytest.approx(0) and phase[-1] == pytest.approx(1) and np.all(np.diff(phase) > 0)


def test_pulse_waves_have_their_foot_at_phase_0() -> None:
    waves, chance = shapes(0.9)
    assert waves.shape == (len(chance), HARMONICS) and chance.sum() == pytest.approx(1)
    turn = np.exp(2j * np.pi * np.outer(np.arange(1, HARMONICS + 1), np.arange(100) / 100))
    courses = 2 * (waves @ turn).real
    assert np.all((courses.argmax(axis=1) > 8) & (courses.argmax(axis=1) < 45)), "the summit follows the foot"
