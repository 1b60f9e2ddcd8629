"""Shared sound: the planted lag and drift are found; noise, strangers, loops and silence are no answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.sync_pairs import HIGH, draw_pair, sound_stream
from data_schemas.errors import ClockError
from data_schemas.stream import Audio, Signal, StreamInfo
from data_schemas.time import Regular, to_s
from sync.clock import ClockMap
from sync.cues.lag import NothingSharedError
from sync.cues.line import fit_line
from sync.cues.sound import SoundEvidence
from sync.estimate import Estimate

Wave = NDArray[np.float64]


def bursts(seconds: float, rate: int, seed: int) -> Wave:
    """Noise bursts of random length: anything that sounds now and then."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.random(int(seconds * 5) + 1) ** 3, rate // 5)[: int(seconds * rate)]
    return np.asarray(rng.standard_normal(len(level)) * level)


def test_pairs_of_the_benchmark_are_found() -> None:
    for number, kind in ((2, "speech"), (5, "clap")):
        pair = draw_pair(number, kind, seconds=(15.0, 20.0))
        found = SoundEvidence().compare(pair.own, pair.against)
        assert pair.offset_s is not None
        assert abs(found.offset_s - pair.offset_s - pair.drift * to_s(found.anchor_ns)) < 0.005
        assert found.confidence >= HIGH
        assert found.method == "sound"


def test_drift_is_found_and_the_interval_holds_it() -> None:
    world = bursts(40, 8000, 1)
    drift = 450e-6
    own = np.interp(np.arange(0, 30, 1 / 8000) * (1 + drift) + 3.3, np.arange(len(world)) / 8000, world)
    found = SoundEvidence().compare(sound_stream(own, 8000), sound_stream(world, 8000))
    assert found.drift_ci95_ppm is not None
    assert abs(found.drift_ppm - 450) < max(5, found.drift_ci95_ppm)
    assert abs(found.offset_s - 3.3 - drift * to_s(found.anchor_ns)) < found.ci95_s
    assert len(found.residuals_s) == len(found.times_ns) >= 5
    assert found.curve is not None
    assert abs(found.curve.lags_s[np.argmax(found.curve.score)] - found.offset_s) < 0.001


@settings(max_examples=6, deadline=None)
@given(offset=st.floats(-6, 6), own=st.sampled_from((8000, 11_025, 16_000)), turned=st.booleans())
def test_any_offset_rate_and_polarity(offset: float, own: int, turned: bool) -> None:
    world = bursts(26, 16_000, 2)
    step = np.arange(0, 12, 1 / own)
    heard = np.interp(step + 7 + offset, np.arange(len(world)) / 16_000, world) * (-0.1 if turned else 1)
    against = sound_stream(world[7 * 16_000 : 19 * 16_000], 16_000)
    found = SoundEvidence().compare(sound_stream(heard, own), against)
    assert abs(found.offset_s - offset) < 0.001
    back = SoundEvidence().compare(against, sound_stream(heard, own))
    assert abs(back.offset_s + offset) < 0.001


def test_strangers_are_not_believed() -> None:
    for number, kind in ((1, "speech"), (2, "clap")):
        pair = draw_pair(number, kind, related=False, seconds=(12.0, 15.0))
        try:
            assert SoundEvidence().compare(pair.own, pair.against).confidence < 0.5
        except NothingSharedError as error:
            assert "no sound was found" in str(error)


def test_confidence_falls_with_noise_and_the_wrong_is_never_sure() -> None:
    rng = np.random.default_rng(3)
    world = bursts(20, 8000, 4)
    own = world[int(2.5 * 8000) : 14 * 8000]
    sure = []
    for snr in (30, 10, 0, -5, -30):
        noisy = own + rng.standard_normal(len(own)) * own.std() * 10 ** (-snr / 20)
        try:
            found = SoundEvidence().compare(sound_stream(noisy, 8000), sound_stream(world, 8000))
        except NothingSharedError:
            sure.append(0.0)
            continue
        sure.append(found.confidence)
        assert abs(found.offset_s - 2.5) < 0.02 or found.confidence < 0.5
    assert sure == sorted(sure, reverse=True)
    assert sure[3] < sure[1] < sure[0]
    assert sure[-1] < 0.5


def test_a_loop_is_ambiguous() -> None:
    loop = np.tile(bursts(4, 8000, 5), 6)
    found = SoundEvidence().compare(sound_stream(loop[: 13 * 8000], 8000), sound_stream(loop, 8000))
    assert found.confidence < 0.8
    assert any("repeats" in warning for warning in found.warnings)


def test_a_cut_in_a_recording_is_named() -> None:
    world = bursts(40, 8000, 6)
    own = np.r_[world[: 18 * 8000], world[18 * 8000 + 800 :]]
    found = SoundEvidence().compare(sound_stream(own, 8000), sound_stream(world, 8000))
    assert any("cut" in warning for warning in found.warnings)


def test_what_cannot_be_compared_is_refused() -> None:
    sound = sound_stream(bursts(10, 8000, 7), 8000)
    still = sound_stream(np.zeros(80_000), 8000)
    short = sound_stream(bursts(0.2, 8000, 7), 8000)
    info = StreamInfo("ecg", "ecg", "ecg")
    ecg = Signal(info=info, axis=Regular.from_rate(100, 50), values=np.zeros((50, 1)), columns=("x",), units=("mV",))
    cases: tuple[tuple[Audio | Signal, str], ...] = (
        (still, "silent"),
        (short, "too short"),
        (ecg, "only sound"),
        (sound.on(ClockMap.affine(), "session"), "another clock"),
    )
    for stream, word in cases:
        with pytest.raises(ClockError, match=word):
            SoundEvidence().compare(stream, sound)


def test_sound_is_read_in_blocks() -> None:
    world = bursts(200, 8000, 8).astype(np.float32)[:, None]
    longest = 0

    def source(first: int, count: int) -> NDArray[np.float32]:
        nonlocal longest
        longest = max(longest, count)
        return world[first : first + count]

    info = StreamInfo("long", "audio", "long")
    long = Audio(info=info, axis=Regular.from_rate(8000, len(world)), source=source, channels=1)
    excerpt = sound_stream(world[150 * 8000 : 180 * 8000, 0].astype(np.float64), 8000)
    found = SoundEvidence().compare(excerpt, long)
    assert abs(found.offset_s - 150) < 0.001
    assert longest < 70 * 8000


@settings(max_examples=30, deadline=None)
@given(slope=st.floats(-9e-4, 9e-4), offset=st.floats(-100, 100), wild=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_a_wild_measurement_does_not_bend_the_line(slope: float, offset: float, wild: float, seed: int) -> None:
    times = np.linspace(0, 100, 15)
    measured = offset + slope * times + np.random.default_rng(seed).normal(0, 1e-5, 15)
    measured[7] += wild
    line, residuals = fit_line(times, measured, np.ones(15), 1e-5, 1e-6, 1e-3)
    assert abs(line.drift - slope) < 2e-6
    assert abs(line.offset_s - offset - slope * line.anchor_s) < 5e-5
    assert abs(residuals[7] - wild) < 1e-3


def test_intervals_are_honest() -> None:
    rng = np.random.default_rng(9)
    times = np.linspace(0, 60, 12)
    held = []
    for _ in range(400):
        slope = rng.normal(0, 5e-5)
        line, _ = fit_line(times, 5 + slope * times + rng.normal(0, 3e-4, 12), np.ones(12), 1e-4, 1e-6, 1e-3)
        held.append(abs(line.offset_s - 5 - slope * line.anchor_s) <= line.ci95_s)
    assert 0.91 <= np.mean(held) <= 0.985


@pytest.fixture
def real_pair(data_dir: Path) -> Callable[[float, int], Estimate]:
    """Compares two real recordings, the second with white noise added."""
    import soundfile

    whole, rate = soundfile.read(str(data_dir / "sync" / "timbl_1.mp3"))
    excerpt, _ = soundfile.read(str(data_dir / "sync" / "timbl_2.mp3"))

    def compare(snr_db: float, seed: int) -> Estimate:
        own = excerpt.mean(axis=1)
        noise = np.random.default_rng(seed).standard_normal(len(own)) * own.std() * 10 ** (-snr_db / 20)
        return SoundEvidence().compare(sound_stream(own + noise, rate), sound_stream(whole.mean(axis=1), rate))

    return compare


def test_the_real_pair(real_pair: Callable[[float, int], Estimate]) -> None:
    clean = real_pair(99, 0)
    assert abs(clean.clock_map.offset_s_at(0) - 12.254) < 0.02
    sure = [clean.confidence]
    for snr in (10, 0, -5):
        noisy = real_pair(snr, snr + 10)
        assert abs(noisy.clock_map.offset_s_at(0) - 12.254) < 0.02 or noisy.confidence < 0.5
        sure.append(noisy.confidence)
    assert sure == sorted(sure, reverse=True)
    assert sure[-1] < sure[0]
