from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from data_schemas.time import NS_PER_S, Explicit, Regular, longest_increasing, nearest, to_ns, to_s

DAY = 86_400


@settings(deadline=None)
@given(st.integers(-DAY * NS_PER_S, DAY * NS_PER_S))
def test_seconds_and_back_keep_every_nanosecond_of_a_day(t: int) -> None:
    assert abs(to_ns(to_s(t)) - t) <= 8


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_to_ns_rounds_to_the_nearest(seconds: list[float]) -> None:
    out = to_ns(np.array(seconds))
    assert out.dtype == np.int64
    assert np.abs(out - np.array(seconds) * 1e9).max() <= 0.5 + 1e-1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_times_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(InvalidValueError, match="finite"):
        to_ns(np.array([0.0, bad]))


@settings(deadline=None)
@given(
    st.sampled_from([1, 3.9, 25, 29.97, 30, 128, 360, 500, 1000, 44100]),
    st.integers(1, 5000),
    st.integers(-(10**15), 10**15),
)
def test_a_regular_axis_never_strays_by_a_nanosecond(rate: float, n: int, start: int) -> None:
    axis = Regular.from_rate(rate, n, start)
    assert axis.n == len(axis) == len(axis.times_ns)
    assert axis.rate_hz == pytest.approx(rate)
    assert np.all(np.diff(axis.times_ns) > 0)
    exact = np.arange(n) * NS_PER_S / rate
    assert np.abs(axis.times_ns - start - exact).max() <= 1
    assert axis.end_ns > axis.times_ns[-1]
    assert np.array_equal(axis.times_of([0, n - 1]), axis.times_ns[[0, -1]])


def test_ten_hours_at_360_hz_end_on_the_second() -> None:
    axis = Regular.from_rate(360, 360 * 36_000)
    assert axis.end_ns == 36_000 * NS_PER_S
    assert abs(int(axis.times_of(360 * 12_345)) - 12_345 * NS_PER_S) <= 1


@pytest.mark.parametrize(("period", "n"), [(0.0, 3), (-5.0, 3), (float("nan"), 3), (float("inf"), 3), (1e6, -1)])
def test_impossible_regular_axes_are_refused(period: float, n: int) -> None:
    with pytest.raises(InvalidValueError):
        Regular(0, period, n)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(InvalidValueError, match="above 0 Hz"):
        Regular.from_rate(rate, 3)


@settings(deadline=None)
@given(st.lists(st.integers(-(10**17), 10**17), min_size=0, max_size=50, unique=True))
def test_an_explicit_axis_keeps_its_times(times: list[int]) -> None:
    given_times = np.sort(np.array(times, dtype=np.int64))
    axis = Explicit(given_times)
    assert np.array_equal(axis.times_ns, given_times)
    assert np.array_equal(axis.times_of(np.arange(axis.n)), given_times)
    assert axis.n == len(times)
    if times:
        assert axis.start_ns == given_times[0]
        assert axis.end_ns > given_times[-1]


def test_an_explicit_axis_cannot_be_changed_from_outside() -> None:
    times = np.array([1, 2, 3], dtype=np.int64)
    axis = Explicit(times)
    times[0] = -99
    assert axis.times_ns[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        axis.times_ns[0] = 5


@pytest.mark.parametrize(
    ("times", "words"),
    [([3, 2, 5], "3 at sample 1"), ([1, 1], "1 at sample 1"), ([[1, 2]], "1-D"), ([0.5, 1.5], "1-D integer")],
)
def test_stamps_that_do_not_increase_are_refused(times: list, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        Explicit(np.array(times))


def test_the_refusal_names_the_repair() -> None:
    with pytest.raises(InvalidValueError, match="longest_increasing"):
        Explicit(np.array([5, 4]))


def test_one_frame_and_none() -> None:
    assert Explicit(np.array([7])).end_ns == 7 + NS_PER_S
    empty = Explicit(np.zeros(0, np.int64))
    assert (empty.n, empty.start_ns, empty.end_ns) == (0, 0, 0)
    assert Regular(5, 10.0, 0).times_ns.shape == (0,)


@settings(deadline=None)
@given(st.lists(st.integers(-20, 60), max_size=40))
def test_as_few_stamps_as_possible_are_dropped_and_none_moved(times: list[int]) -> None:
    stamps = np.array(times, dtype=np.int64)
    kept = longest_increasing(stamps)
    best = [1] * len(times)
    for at, value in enumerate(times):
        best[at] = 1 + max((best[k] for k in range(at) if times[k] < value), default=0)
    assert Explicit(stamps[kept]).n == len(kept) == max(best, default=0)
    assert np.all(np.diff(kept) > 0)


def test_lone_outliers_cost_one_sample_each() -> None:
    times = np.arange(100) * NS_PER_S
    assert np.array_equal(longest_increasing(times), np.arange(100))
    times[30], times[60], times[80] = 10_000 * NS_PER_S, 0, times[79]
    kept = longest_increasing(times)
    assert len(kept) == 97
    assert not np.isin([30, 60], kept).any()


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=20, unique=True).map(sorted),
    st.lists(st.integers(-60, 60), max_size=20),
)
def test_the_nearest_time_is_found_and_the_earlier_of_two_taken(times: list[int], wanted: list[int]) -> None:
    expected = [min(range(len(times)), key=lambda at: (abs(times[at] - one), times[at])) for one in wanted]
    found = nearest(np.array(times), np.array(wanted, np.int64))
    assert found.dtype == np.int64
    assert found.tolist() == expected
    assert nearest(np.array(times) / 4, np.array(wanted) / 4).tolist() == expected
