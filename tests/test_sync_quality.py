from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S, Explicit, Regular
from sync.quality import axis_quality, gaps_of, repair_times

S = NS_PER_S


def longest_by_force(times: list[int]) -> int:
    best = [1] * len(times)
    for i in range(len(times)):
        best[i] = 1 + max((best[j] for j in range(i) if times[j] < times[i]), default=0)
    return max(best, default=0)


@settings(deadline=None)
@given(st.lists(st.integers(-20, 60), max_size=40))
def test_as_few_stamps_as_possible_are_dropped_and_none_moved(times: list[int]) -> None:
    given_times = np.array(times, dtype=np.int64)
    kept, indices, report = repair_times(given_times)
    assert np.array_equal(given_times[indices], kept)
    assert Explicit(kept).n == len(kept) == longest_by_force(times)
    assert np.all(np.diff(indices) > 0)
    assert report.dropped == len(times) - len(kept)
    assert report.total == len(times)


def test_lone_outliers_cost_one_sample_each_and_are_reported() -> None:
    times = np.arange(100) * S
    times[30] = 10_000 * S
    times[60] = 0
    times[80] = times[79]
    kept, indices, report = repair_times(times)
    assert len(kept) == 97
    assert not np.isin([30, 60, 80], indices).any()
    assert (report.duplicates, report.out_of_order) == (2, 1)
    assert report.first_s == 10_000
    assert "3 of 100" in str(report)


def test_good_stamps_pass_untouched() -> None:
    times = np.arange(50) * 7
    kept, indices, report = repair_times(times)
    assert np.array_equal(kept, times)
    assert np.array_equal(indices, np.arange(50))
    assert report.dropped == 0
    assert "all 50" in str(report)
    assert len(repair_times(np.zeros(0, np.int64))[0]) == 0


def test_stamps_that_are_no_integers_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="integer"):
        repair_times(np.array([0.5, 1.5]))  # type: ignore[arg-type]


def test_rate_jitter_and_gaps_of_a_lossy_stream() -> None:
    rng = np.random.default_rng(1)
    ticks = np.r_[np.arange(0, 1000), np.arange(1500, 3000)]
    times = np.rint(ticks * S / 92.93 + rng.normal(0, 0.4e6, len(ticks))).astype(np.int64)
    quality = axis_quality(Explicit(times), nominal_hz=100)
    assert quality.effective_hz == pytest.approx(92.93, rel=1e-4)
    assert quality.deviation == pytest.approx(-0.0707, abs=1e-4)
    assert quality.jitter_ms == pytest.approx(0.4 * np.sqrt(2), rel=0.1)
    assert len(quality.gaps) == 1
    assert quality.gaps.total_ns == pytest.approx(500 / 92.93 * S, rel=0.01)


@settings(deadline=None)
@given(st.lists(st.integers(1, 4 * S), min_size=1, max_size=30), st.integers(S // 10, 2 * S))
def test_gaps_and_support_share_the_extent(steps: list[int], limit: int) -> None:
    axis = Explicit(np.cumsum(np.array(steps, dtype=np.int64)))
    holes, covered = gaps_of(axis, limit), IntervalSet.of_axis(axis, limit)
    assert len(holes & covered) == 0
    assert (holes | covered).total_ns == covered.extent.duration_ns
    assert not holes.contains(axis.times_ns).any()


def test_too_few_samples_have_no_rate() -> None:
    assert axis_quality(Regular(0, 1e6, 1)).effective_hz is None
    assert axis_quality(Regular(0, 1e6, 0), 100).deviation is None
    assert len(gaps_of(Regular(0, 1e6, 0))) == 0
    assert axis_quality(Regular.from_rate(360, 5000)).effective_hz == pytest.approx(360)
