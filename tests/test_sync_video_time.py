"""What frame times say: holes, varying rates, headers against other lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.video_time import check_length, effective_rate, find_holes, usual_periods, video_time


def ns(times_s: np.ndarray) -> np.ndarray:
    return np.rint(np.asarray(times_s) * 1e9).astype(np.int64)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.2), st.sampled_from([15.0, 23.976, 25.0, 30.0, 59.94]), st.booleans())
def test_dropped_frames_are_counted_exactly(seed: int, share: float, rate: float, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(np.r_[True, rng.random(498) > share, True])
    times = kept / rate
    said = video_time(ns(np.round(times, 3) if coarse else times), nominal_hz=rate)
    assert said.dropped == 500 - len(kept) and said.frames == len(kept)
    assert said.largest_gap_s == pytest.approx(float(np.diff(times).max()), abs=2e-3)
    assert not said.variable or said.dropped > 50
    assert bool(said.sentences) == bool(said.dropped)


def test_a_camera_that_slows_down_in_the_dark_drops_nothing() -> None:
    times = np.r_[np.arange(300) / 30, 10 + np.arange(150) / 15, 20 + np.arange(300) / 30]
    said = video_time(ns(times))
    assert said.dropped == 0 and said.variable
    assert any("varies between 15.00 and 30.00" in text for text in said.sentences)


def test_jitter_is_no_hole() -> None:
    rng = np.random.default_rng(1)
    times = np.arange(1000) / 30 + rng.normal(0, 0.003, 1000)
    assert find_holes(ns(times)).dropped == 0 and effective_rate(ns(times)) == pytest.approx(30, rel=1e-3)


def test_a_long_gap_counts_as_dropped_but_not_against_the_rate() -> None:
    times = np.r_[np.arange(300), np.arange(600, 900)] / 30
    said = video_time(ns(times))
    assert said.dropped == 300 and said.effective_hz == pytest.approx(30, rel=1e-6)
    assert said.largest_gap_s == pytest.approx(301 / 30)


@pytest.mark.parametrize(
    "true,stated", [(30.0, 25.0), (25.0, 30.0), (24.0, 25.0), (29.97, 30.0), (23.976, 25.0), (60.0, 30.0), (15.0, 30.0)]
)
def test_a_wrong_rate_in_the_header_is_named_with_the_right_one(true: float, stated: float) -> None:
    n = round(1800 * true)
    said = video_time(ns(np.arange(n) / stated), nominal_hz=stated, other_s=n / true + 0.1)
    assert said.true_hz == pytest.approx(true, rel=2e-4 if abs(true / stated - 1) < 0.01 else 1e-3)
    assert said.header_rate_ratio == pytest.approx(true / stated, rel=2e-4)
    assert any("fits" in text and "times too" in text for text in said.sentences)


def test_ends_that_do_not_match_are_no_wrong_rate() -> None:
    for other in (59.8, 60.0, 60.25):
        said = video_time(ns(np.arange(1800) / 30), nominal_hz=30, other_s=other)
        assert said.header_rate_ratio == 1.0 and said.true_hz is None and not said.sentences
    assert video_time(ns(np.arange(1800) / 30)).header_rate_ratio is None


def test_sound_that_was_cut_off_is_offered_as_the_other_reading() -> None:
    said = video_time(ns(np.arange(1800) / 30), other_s=43.3)
    assert "one of them was cut off" in said.sentences[0] and said.true_hz == pytest.approx(1800 / 43.3)


def test_dropped_frames_do_not_pass_for_a_wrong_rate() -> None:
    kept = np.flatnonzero(np.random.default_rng(3).random(1800) > 0.1)
    said = video_time(ns(kept / 30), other_s=60.0)
    assert said.true_hz is None and said.header_rate_ratio == 1.0


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_very_short_videos(n: int) -> None:
    said = video_time(ns(np.arange(n) / 30), other_s=5.0)
    assert said.frames == n and said.dropped == 0 and (said.effective_hz is None) == (n < 2)
    assert check_length(n, 0.0, 5.0) is None and len(usual_periods(ns(np.arange(n) / 30))) == max(0, n - 1)


def test_repeated_pictures_lower_the_rate_of_different_ones() -> None:
    said = video_time(ns(np.arange(900) / 30), duplicated=150)
    assert said.duplicated == 150 and any("25.00 different pictures" in text for text in said.sentences)
