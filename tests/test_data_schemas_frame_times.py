"""What frame times say: holes, and rates in headers against the length of the sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.frame_times import WrongLength, check_length, find_holes, usual_periods


def ns(times_s: np.ndarray) -> np.ndarray:
    return np.rint(np.asarray(times_s) * 1e9).astype(np.int64)


def against(times_s: np.ndarray, sound_s: float) -> WrongLength | None:
    times = ns(times_s)
    period = round(float(np.median(np.diff(times)))) if len(times) > 1 else 0
    return check_length(times, (int(times[-1]) if len(times) else 0) + period, round(sound_s * 1e9))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.2), st.sampled_from([15.0, 23.976, 25.0, 30.0, 59.94]), st.booleans())
def test_dropped_frames_are_counted_exactly(seed: int, share: float, rate: float, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(np.r_[True, rng.random(498) > share, True])
    times = kept / rate
    holes = find_holes(ns(np.round(times, 3) if coarse else times))
    assert holes.dropped == 500 - len(kept) and len(holes.after) == np.count_nonzero(np.diff(kept) > 1)


def test_a_camera_that_slows_down_in_the_dark_drops_nothing() -> None:
    times = np.r_[np.arange(300) / 30, 10 + np.arange(150) / 15, 20 + np.arange(300) / 30]
    assert find_holes(ns(times)).dropped == 0


def test_jitter_is_no_hole() -> None:
    rng = np.random.default_rng(1)
    times = np.arange(1000) / 30 + rng.normal(0, 0.003, 1000)
    assert find_holes(ns(times)).dropped == 0


def test_a_long_gap_counts_as_dropped() -> None:
    holes = find_holes(ns(np.r_[np.arange(300), np.arange(600, 900)] / 30))
    assert holes.dropped == 300 and holes.after.tolist() == [299]


@pytest.mark.parametrize(
    "true,stated", [(30.0, 25.0), (25.0, 30.0), (24.0, 25.0), (29.97, 30.0), (23.976, 25.0), (60.0, 30.0), (15.0, 30.0)]
)
def test_a_wrong_rate_in_the_header_is_named_with_the_right_one(true: float, stated: float) -> None:
    n = round(1800 * true)
    found = against(np.arange(n) / stated, n / true + 0.1)
    assert found is not None and found.common
    assert found.true_hz == pytest.approx(true, rel=2e-4 if abs(true / stated - 1) < 0.01 else 1e-3)
    assert found.stated_hz == pytest.approx(stated, rel=2e-4)
    assert found.length_s / found.sound_s == pytest.approx(true / stated, rel=2e-4)
    assert f"header says {stated:.2f} frames per second, {true:.2f} fits" in found.sentence
    assert ("times too long" in found.sentence) == (true > stated)


def test_ends_that_do_not_match_are_no_wrong_rate() -> None:
    for sound_s in (59.8, 60.0, 60.25):
        assert against(np.arange(1800) / 30, sound_s) is None


@pytest.mark.parametrize("sound_s", [43.3, 59.6, 60.4])
def test_sound_that_was_cut_off_is_offered_as_the_other_reading(sound_s: float) -> None:
    """Half a second on a minute is nearer to 29.97 than to 30, which explains a tenth of it."""
    found = against(np.arange(1800) / 30, sound_s)
    assert found is not None and not found.common
    assert "one of them was cut off" in found.sentence and found.true_hz == pytest.approx(1800 / sound_s)


@pytest.mark.parametrize("stated", [30.0, 25.0])
def test_dropped_frames_do_not_pass_for_a_wrong_rate(stated: float) -> None:
    kept = np.flatnonzero(np.r_[True, np.random.default_rng(3).random(1798) > 0.1, True])
    found = against(kept / stated, 60.0)
    assert found is None if stated == 30 else found is not None and found.true_hz == 30


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_very_short_videos(n: int) -> None:
    times = np.arange(n) / 30
    assert find_holes(ns(times)).dropped == 0 and len(usual_periods(ns(times))) == max(0, n - 1)
    assert (against(times, 5.0) is None) == (n < 2)
    assert against(times, 0.0) is None
