from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import ClockError, InvalidValueError
from data_schemas.stream import Audio, Signal, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from pipeline.simulate.ltc import ltc_bits, ltc_sound
from sync.cues.ltc import LtcEvidence, place
from sync.cues.timecode_rate import RATES, Rate
from sync.cues.timecode_reading import read_timecode

RATE = {rate.name: rate for rate in RATES}


def sound(x: np.ndarray, rate_hz: float, name: str = "tc", start_s: float = 0.0) -> Audio:
    block = np.asarray(x, np.float32)
    block = block[:, None] if block.ndim == 1 else block
    axis = Regular.from_rate(rate_hz, len(block), start_ns=round(start_s * NS_PER_S))
    info = StreamInfo(name, "sync_audio", name, files=(f"{name}.wav",))
    return Audio(info=info, axis=axis, source=lambda first, n: block[first : first + n], channels=block.shape[1])


def track(
    rate: Rate,
    first: int,
    seconds: float,
    rate_hz: float,
    *,
    start_s: float = 0.2,
    speed: float = 1.0,
    noise: float = 0.0,
    level: float = 0.5,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, frame numbers, and when each frame begins."""
    frames = int(seconds / float(rate.frame_s))
    edges = start_s + np.arange(frames + 1) * float(rate.frame_s) / speed
    numbers = (first + np.arange(frames)) % rate.day_frames
    x = level * ltc_sound(rate, numbers, edges, rate_hz, round((edges[-1] + 0.2) * rate_hz), user_bits=0xA5C3F00F)
    return x + noise * np.random.default_rng(seed).standard_normal(len(x)), numbers, edges


@pytest.mark.parametrize("name", RATE)
@pytest.mark.parametrize("rate_hz", [8000, 44_100])
def test_every_rate_is_read_and_named(name: str, rate_hz: float) -> None:
    rate = RATE[name]
    first = rate.number(10, 59, 58, 7)
    x, numbers, edges = track(rate, first, 4, rate_hz)
    reading = read_timecode(sound(-x, rate_hz, start_s=100.0))
    assert reading.rate == rate
    assert len(reading.numbers) >= len(numbers) - 1
    assert np.array_equal(reading.numbers, np.arange(reading.numbers[0], reading.numbers[0] + len(reading.numbers)))
    expected = edges[reading.numbers - first] + 100.0
    assert np.abs(reading.times_ns / NS_PER_S - expected).max() < 3e-5
    assert reading.warnings == ()
    assert rate.label(int(reading.numbers[-1])).startswith("11:00:0")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RATES), st.integers(0, 10**7), st.integers(0, 2**32 - 1))
def test_counting_and_writing_are_each_others_inverse(rate: Rate, number: int, user: int) -> None:
    number %= rate.day_frames
    assert rate.number(*rate.address(number)) == number
    assert np.sum(~ltc_bits(rate, number, user)) % 2 == 0


def test_dropped_numbers_are_left_out_and_refused() -> None:
    rate = RATE["29.97 drop"]
    assert [rate.label(n) for n in (1799, 1800, 17981, 17982)] == [
        "00:00:59;29", "00:01:00;02", "00:09:59;29", "00:10:00;00",
    ]  # fmt: skip
    with pytest.raises(InvalidValueError, match="no such timecode"):
        rate.number(0, 1, 0, 0)


@pytest.mark.parametrize(("noise", "level"), [(0.0, 0.003), (0.1, 0.9), (0.25, 0.5)])
def test_level_and_noise_do_not_matter_much(noise: float, level: float) -> None:
    rate = RATE["25"]
    x, numbers, edges = track(rate, 90_000, 8, 48_000, noise=noise, level=level)
    hum = 0.3 * level * np.sin(2 * np.pi * 50 * np.arange(len(x)) / 48_000) + 0.1
    reading = read_timecode(sound(x + hum, 48_000))
    assert len(reading.numbers) > 0.9 * len(numbers)
    assert np.abs(reading.times_ns / NS_PER_S - edges[reading.numbers - 90_000]).max() < 5e-5


def test_it_may_begin_in_the_middle_drop_out_and_change_its_speed() -> None:
    rate, rate_hz = RATE["24"], 22_050
    n = 24 * 20
    wow = 1 + 0.003 * np.sin(np.linspace(0, 12, n))
    edges = -0.017 + np.r_[0, np.cumsum(float(rate.frame_s) * wow)]
    x = ltc_sound(rate, 5000 + np.arange(n), edges, rate_hz, round(edges[-1] * rate_hz))
    x[5 * rate_hz : 8 * rate_hz] = 0
    x[round(11.1 * rate_hz) : round(11.13 * rate_hz)] *= 0.05
    reading = read_timecode(sound(x, rate_hz))
    assert len(reading.runs) == 1
    assert np.abs(reading.times_ns / NS_PER_S - edges[reading.numbers - 5000]).max() < 1e-4
    assert len(reading.numbers) > n - 24 * 3 - 12
    inside = (reading.times_ns > 5.05 * NS_PER_S) & (reading.times_ns < 7.95 * NS_PER_S)
    assert not inside.any()


def test_the_channel_with_timecode_is_found() -> None:
    rate = RATE["25"]
    x, _, _ = track(rate, 1000, 4, 16_000)
    rng = np.random.default_rng(1)
    both = np.c_[0.4 * rng.standard_normal(len(x)), x]
    assert read_timecode(sound(both, 16_000)).channel == 1
    with pytest.raises(ClockError, match="no linear timecode"):
        read_timecode(sound(both, 16_000), channel=0)
    with pytest.raises(ClockError, match="no such channel"):
        read_timecode(sound(both, 16_000), channel=2)


@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "square", "short", "empty", "nan"])
def test_other_sounds_are_no_timecode(kind: str) -> None:
    rng, n = np.random.default_rng(2), 16_000 * 12
    t = np.arange(n) / 16_000
    x = {
        "silence": np.zeros(n),
        "noise": rng.standard_normal(n),
        "tone": np.sin(2 * np.pi * 1000 * t),
        "square": np.sign(np.sin(2 * np.pi * 1000.5 * t)),
        "short": np.ones(20),
        "empty": np.zeros(0),
        "nan": np.full(n, np.nan),
    }[kind]
    with pytest.raises(ClockError, match=r"no linear timecode.*tc\.wav"):
        read_timecode(sound(x, 16_000))


@pytest.mark.parametrize("name", ["25", "29.97 drop"])
def test_two_recorders_of_one_timecode_over_midnight(name: str) -> None:
    rate = RATE[name]
    first = rate.number(23, 59, 50, 3)
    one, _, edges = track(rate, first, 24, 48_000, start_s=0.3, noise=0.02)
    drift = 80e-6
    frames = np.arange(len(edges) - 1)[100:]
    other_edges = (edges[100:] - edges[100]) * (1 + drift) + 0.123456
    other = ltc_sound(rate, (first + frames) % rate.day_frames, other_edges, 16_000, round(other_edges[-1] * 16_000))
    found = LtcEvidence().compare(sound(one, 48_000, "cam", start_s=5), sound(other, 16_000, "rec", start_s=-3))
    at = found.anchor_ns / NS_PER_S
    truth = (at - 5 - edges[100]) * (1 + drift) + 0.123456 - 3 - at
    assert found.offset_s == pytest.approx(truth, abs=3e-5)
    assert abs(found.offset_s - truth) <= 2 * found.ci95_s
    assert found.drift_ppm == pytest.approx(80, abs=2)
    assert (found.method, found.own, found.against, found.confidence) == ("ltc", "cam", "rec", 1.0)
    assert found.warnings == ()
    assert len(found.times_ns) > 300


def test_midnight_between_two_takes() -> None:
    rate = RATE["25"]
    late, _, _ = track(rate, rate.number(23, 59, 50, 0), 5, 16_000, start_s=0)
    early, _, _ = track(rate, rate.number(0, 0, 10, 0), 5, 16_000, start_s=0)
    found = LtcEvidence().compare(sound(late, 16_000), sound(early, 16_000))
    assert found.offset_s == pytest.approx(-20, abs=1e-3)
    assert found.ci95_s > 1e-3
    assert "never recorded the same timecode" in found.warnings[0]


def test_a_jam_sync_is_named_and_the_greater_part_decides() -> None:
    rate, rate_hz = RATE["30"], 16_000
    edges = 0.1 + np.arange(601) / 30
    straight = 3000 + np.arange(600)
    jumped = np.r_[straight[:450], straight[450:] + 77]
    samples = round(20.3 * rate_hz)
    one = sound(ltc_sound(rate, jumped, edges, rate_hz, samples), rate_hz)
    other = sound(ltc_sound(rate, straight, edges, rate_hz, samples), rate_hz, start_s=2.0)
    reading = read_timecode(one)
    assert [run.stop - run.start for run in reading.runs] == pytest.approx([450, 150], abs=3)
    assert "jumps by +2.567 s at 15.1" in reading.warnings[0]
    found = LtcEvidence().compare(one, other)
    assert found.offset_s == pytest.approx(2.0, abs=1e-4)
    assert any("jumps by" in text for text in found.warnings)
    assert 0.5 < found.confidence < 0.9
    assert any("contradict" in text for text in found.warnings)


def test_a_stream_is_put_on_the_wall_clock_of_its_timecode() -> None:
    rate = RATE["29.97 drop"]
    first = rate.number(10, 0, 0, 0)
    x, _, _ = track(rate, first, 6, 16_000, start_s=0.5, speed=1 + 50e-6)
    reading = read_timecode(sound(x, 16_000))
    # Drop frame counting keeps within 0.1 s a day of true time.
    assert reading.timecode_s[0] == pytest.approx(36_000, abs=0.1)
    assert reading.times_ns[0] / NS_PER_S == pytest.approx(0.5, abs=0.05)
    found = place(reading)
    truth = first * 1001 / 30000 + (found.anchor_ns / NS_PER_S - 0.5) * (1 + 50e-6) - found.anchor_ns / NS_PER_S
    assert found.offset_s == pytest.approx(truth, abs=2e-5)
    assert found.drift_ppm == pytest.approx(50, abs=5)
    assert found.against == "timecode"


def test_only_sound_carries_timecode() -> None:
    info = StreamInfo("ecg", "ecg", "amp")
    signal = Signal(info=info, axis=Regular(0, 1e6, 5), values=np.zeros((5, 1)), columns=("x",), units=("1",))
    with pytest.raises(ClockError, match="only sound"):
        LtcEvidence().compare(signal, signal)
