"""Mouth opening against loudness: lead, interval, silence, smiles, other voices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import Explicit, Regular, to_ns
from sync.cues.lips import APART, LEAD_S, Lips, _without_slow

Curve = NDArray[np.float64]
SOUND = np.arange(0, 60, 0.01)


def syllables(seed: int) -> Curve:
    """Middles of syllables in phrases with pauses."""
    rng = np.random.default_rng(seed)
    out, now = [], 1.0
    while now < 57:
        for _ in range(rng.integers(4, 9)):
            now += rng.uniform(0.16, 0.28)
            out.append(now)
        now += rng.uniform(0.4, 3.0)
    return np.array(out)


def bumps(middles: Curve, heights: Curve, width: float, at: Curve) -> Curve:
    return (heights * np.exp(-0.5 * ((at[:, None] - middles) / width) ** 2)).sum(axis=1)


def talk(seed: int, lead_s: float, noise: float = 0.8) -> tuple[Curve, Curve, Curve]:
    """Frame times, mouth opening in %IOD, level in dB every 10 ms."""
    rng = np.random.default_rng(seed)
    middles = syllables(seed)
    level = rng.uniform(0.3, 1, len(middles))
    times = np.cumsum(rng.uniform(0.025, 0.042, 1780))
    opening = 8 * bumps(middles - lead_s + 0.03 * rng.standard_normal(len(middles)), rng.uniform(0.2, 1, len(middles)),
                        0.08, times)  # fmt: skip
    loud = bumps(middles, level, 0.06, SOUND) + 0.01 * (1 + 0.2 * rng.standard_normal(len(SOUND)))
    return times, np.maximum(opening + noise * rng.standard_normal(len(times)), 0), 20 * np.log10(loud)


def streams(times: Curve, mouth: Curve, level: Curve) -> tuple[Signal, Signal]:
    own = Signal(info=StreamInfo("face", "face_rgb", "camera"), axis=Explicit(to_ns(times)),
                 values=mouth[:, None], columns=("mouth",), units=("%",))  # fmt: skip
    against = Signal(info=StreamInfo("voice", "audio", "recorder"), axis=Regular.from_rate(100, len(level)),
                     values=level[:, None], columns=("level",), units=("dB",))  # fmt: skip
    return own, against


@pytest.mark.parametrize("lead_s", [0.08, 0.58, -2.4])
def test_the_lead_is_found_within_its_interval(lead_s: float) -> None:
    times, mouth, level = talk(1, lead_s)
    found = Lips().measure(to_ns(times), mouth, to_ns(SOUND), level)
    assert not found.weak and found.confidence > 0.9
    assert abs(found.lead_s - lead_s) <= 1.5 * found.lead_ci95_s < 0.08
    assert found.offset_s == pytest.approx(found.lead_s - LEAD_S)
    assert (abs(found.offset_s) <= found.ci95_s) == (lead_s == 0.08)


def test_the_estimate_maps_the_video_onto_the_clock_of_the_sound() -> None:
    times, mouth, level = talk(2, LEAD_S)
    estimate = Lips().compare(*streams(times + 1.5, mouth, level))
    assert (estimate.method, estimate.own, estimate.against) == ("lips", "face", "voice")
    assert abs(estimate.offset_s + 1.5) <= estimate.ci95_s
    assert estimate.curve is not None and len(estimate.times_ns) == len(estimate.residuals_s) > 3


def test_somebody_elses_voice_does_not_fit() -> None:
    times, mouth, _ = talk(3, 0.05)
    level = talk(4, 0.05)[2]
    found = Lips().measure(to_ns(times), mouth, to_ns(SOUND), level)
    assert found.weak == APART and found.talking_s > 15 and found.speech_s > 15
    with pytest.raises(ClockError, match="move together"):
        Lips().compare(*streams(times, mouth, level))


def test_smiles_silence_and_a_held_open_mouth_say_nothing() -> None:
    times, _, level = talk(5, 0.05)
    smile = 6 * np.exp(-0.5 * ((times - 20) / 3) ** 2) + 4 * (times > 40)
    assert Lips().measure(to_ns(times), smile, to_ns(SOUND), level).weak == "the mouth hardly moves"
    mouth = talk(5, 0.05)[1]
    hum = -60 + 0.5 * np.random.default_rng(0).standard_normal(len(SOUND))
    assert Lips().measure(to_ns(times), mouth, to_ns(SOUND), hum).weak
    assert "too little" in Lips().measure(to_ns(times[:50]), mouth[:50], to_ns(SOUND), level).weak


def test_a_smile_while_speaking_changes_nothing() -> None:
    times, mouth, level = talk(6, 0.1)
    smiling = mouth + 7 * np.exp(-0.5 * ((times - 25) / 4) ** 2)
    plain, with_smile = (Lips().measure(to_ns(times), one, to_ns(SOUND), level) for one in (mouth, smiling))
    assert with_smile.lead_s == pytest.approx(plain.lead_s, abs=0.01)


def test_gaps_of_either_side_are_left_out() -> None:
    times, mouth, level = talk(7, 0.1)
    seen, heard = (times < 15) | (times > 25), (SOUND < 35) | (SOUND > 40)
    found = Lips().measure(to_ns(times[seen]), mouth[seen], to_ns(SOUND[heard]), level[heard])
    assert not found.weak and abs(found.lead_s - 0.1) <= 1.5 * found.lead_ci95_s


def test_other_kinds_of_streams_are_refused() -> None:
    own, _ = streams(*talk(1, 0.1))
    with pytest.raises(ClockError, match="level of the sound"):
        Lips().compare(own, Marks.of(StreamInfo("log", "markers", "lab"), [Mark(0)]))


@given(slope=st.floats(-5, 5), level=st.floats(-50, 50))
@settings(max_examples=25)
def test_what_is_slow_is_taken_off(slope: float, level: float) -> None:
    times = np.arange(0, 20, 0.033)
    left = _without_slow(times, level + slope * times)
    assert np.abs(left[(times > 1) & (times < 19)]).max() < 0.02 * abs(slope) + 1e-6
