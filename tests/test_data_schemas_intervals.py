from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from data_schemas.intervals import Interval, IntervalSet
from data_schemas.time import NS_PER_S, Explicit, Regular

SPAN = 60


@st.composite
def sets(draw: st.DrawFn) -> tuple[IntervalSet, np.ndarray]:
    """A set of intervals within [0, 60) and the same as one bool per nanosecond."""
    ends = draw(st.lists(st.tuples(st.integers(0, SPAN - 1), st.integers(1, 20)), max_size=8))
    pairs = [(a, min(SPAN, a + length)) for a, length in ends]
    cells = np.zeros(SPAN, dtype=bool)
    for a, b in pairs:
        cells[a:b] = True
    return IntervalSet(pairs), cells


def cells_of(given_set: IntervalSet) -> np.ndarray:
    cells = np.zeros(SPAN, dtype=bool)
    for piece in given_set:
        assert not cells[piece.start_ns : piece.end_ns].any(), "pieces overlap"
        cells[piece.start_ns : piece.end_ns] = True
    return cells


@settings(deadline=None)
@given(sets(), sets())
def test_the_algebra_is_that_of_sets_of_moments(a: tuple, b: tuple) -> None:
    (one, one_cells), (other, other_cells) = a, b
    assert np.array_equal(cells_of(one), one_cells)
    assert np.array_equal(cells_of(one | other), one_cells | other_cells)
    assert np.array_equal(cells_of(one & other), one_cells & other_cells)
    assert np.array_equal(cells_of(one - other), one_cells & ~other_cells)
    assert one.total_ns == one_cells.sum()
    assert np.array_equal(one.contains(np.arange(SPAN)), one_cells)
    assert (one - other) | (one & other) == one


@settings(deadline=None)
@given(sets(), sets())
def test_results_are_sorted_disjoint_and_do_not_touch(a: tuple, b: tuple) -> None:
    for made in (a[0], a[0] | b[0], a[0] & b[0], a[0] - b[0]):
        flat = made.bounds.ravel()
        assert np.all(np.diff(flat) > 0)
        assert made.bounds.dtype == np.int64


@settings(deadline=None)
@given(sets())
def test_equal_sets_are_equal_and_hash_alike(a: tuple) -> None:
    again = IntervalSet([(int(x), int(y)) for x, y in a[0].bounds[::-1]])
    assert again == a[0]
    assert hash(again) == hash(a[0])
    assert a[0] != IntervalSet([(1000, 1001)])


def test_extent_and_contains_are_half_open() -> None:
    made = IntervalSet([(10, 20), (30, 40)])
    assert made.extent == Interval(10, 40)
    assert made.contains(np.array([9, 10, 19, 20, 30, 39, 40])).tolist() == [
        False,
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    assert IntervalSet().extent is None
    assert not IntervalSet().contains(np.array([[1, 2], [3, 4]])).any()
    assert "[0.000, 0.000)" in repr(made)


@pytest.mark.parametrize("pair", [(5, 5), (6, 5)])
def test_empty_and_reversed_intervals_are_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(InvalidValueError, match="end after"):
        Interval(*pair)
    with pytest.raises(InvalidValueError, match="end after"):
        IntervalSet([pair])


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(1, 30), st.integers(0, 50), st.integers(1, 30))
def test_overlap_and_iou_agree_with_counting(a: int, n: int, b: int, m: int) -> None:
    one, other = Interval(a, a + n), Interval(b, b + m)
    shared = len(set(range(a, a + n)) & set(range(b, b + m)))
    assert one.overlap_ns(other) == shared
    assert one.iou(other) == pytest.approx(shared / (n + m - shared))
    assert one.iou(one) == 1


def test_the_support_of_an_axis_splits_at_gaps() -> None:
    ms = NS_PER_S // 1000
    times = np.r_[np.arange(0, 1000, 10), np.arange(5000, 6000, 10)] * ms
    support = IntervalSet.of_axis(Explicit(times))
    assert support.bounds.tolist() == [[0, 1000 * ms], [5000 * ms, 6000 * ms]]
    assert len(IntervalSet.of_axis(Explicit(times), max_gap_ns=5000 * ms)) == 1
    whole = IntervalSet.of_axis(Regular.from_rate(360, 3600))
    assert whole.bounds.tolist() == [[0, 10 * NS_PER_S]]
    assert len(IntervalSet.of_axis(Regular(0, 1e6, 0))) == 0


def test_slow_streams_are_not_one_gap_after_the_other() -> None:
    minutes = Explicit(np.arange(10) * 60 * NS_PER_S)
    assert len(IntervalSet.of_axis(minutes)) == 1


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_where_a_mask_holds_each_sample_lasts_until_the_next(mask: list[bool]) -> None:
    axis = Regular(100, 10.0, len(mask))
    made = IntervalSet.of_mask(axis, np.array(mask, dtype=bool))
    assert np.array_equal(made.contains(axis.times_ns), np.array(mask, dtype=bool))
    assert made.total_ns == 10 * sum(mask)


def test_a_mask_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="length"):
        IntervalSet.of_mask(Regular(0, 10.0, 3), np.ones(4, dtype=bool))
