from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from data_schemas.intervals import Interval, grid
from data_schemas.time import NS_PER_S, Regular
from sync.resample import JOINS, resample, to_grid

MS = 1_000_000
S = NS_PER_S


@settings(deadline=None)
@given(st.integers(-(10**13), 10**13), st.integers(1, 60 * S), st.sampled_from([1.0, 10, 25, 29.97, 30, 60, 100, 360]))
def test_the_grid_holds_every_multiple_of_the_period_and_nothing_else(start: int, length: int, rate: float) -> None:
    times = grid(Interval(start, start + length), rate)
    assert times.dtype == np.int64
    steps = times * rate / S
    assert np.abs(steps - np.rint(steps)).max(initial=0) < 1e-4
    assert np.all((times >= start) & (times < start + length))
    assert abs(len(times) - length * rate / S) <= 1
    if len(times) > 1:
        assert np.diff(np.rint(steps)).tolist() == [1] * (len(times) - 1)


def test_two_sessions_share_their_grid() -> None:
    one, other = grid(Interval(-3 * S - 7, 5 * S), 25), grid(Interval(1 * S + 13, 9 * S), 25)
    assert np.isin(other[other < 5 * S], one).all()
    assert 0 in one


@pytest.mark.parametrize("rate", [0, -25, float("nan"), float("inf"), 2e9])
def test_impossible_grids_are_refused(rate: float) -> None:
    with pytest.raises(InvalidValueError, match="rate"):
        grid(Interval(0, S), rate)


@st.composite
def tracks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = draw(st.integers(0, 60))
    steps = draw(st.lists(st.sampled_from([5, 10, 40, 41, 300, 2000]), min_size=n, max_size=n))
    times = np.cumsum(np.array(steps, dtype=np.int64)) * MS + draw(st.integers(-S, S))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return times, rng.normal(size=(n, 3)), rng.random((n, 3)) < draw(st.sampled_from([0.5, 0.9, 1.0]))


@settings(max_examples=200, deadline=None)
@given(
    tracks(),
    st.sampled_from(["linear", "nearest", "hold", "exact"]),
    st.sampled_from([0, 100, 500]),
    st.sampled_from([4, 25, 90]),
)
def test_nothing_is_invented(track: tuple, join: str, gap_ms: int, rate: float) -> None:
    times, values, valid = track
    ticks = grid(Interval(-2 * S, 8 * S), rate)
    out, ok = to_grid(times, values, valid, ticks, join, gap_ms * MS)
    assert out.shape == ok.shape == (len(ticks), 3)
    assert np.all(out[~ok] == 0)
    for g, f in np.argwhere(ok):
        t = ticks[g]
        left, right = np.searchsorted(times, t, side="right") - 1, np.searchsorted(times, t)
        if join == "hold":
            assert valid[left, f]
            assert t - times[left] <= gap_ms * MS
            assert out[g, f] == values[left, f]
        elif join in ("nearest", "exact"):
            nearest = int(np.argmin(np.abs(times - t)))
            limit = np.inf if join == "nearest" or len(times) < 2 else 0.55 * np.median(np.diff(times))
            assert valid[nearest, f]
            assert abs(times[nearest] - t) <= min(limit, gap_ms * MS / 2)
            assert out[g, f] == values[nearest, f]
        else:
            assert valid[left, f]
            assert valid[right, f]
            assert times[right] - times[left] <= gap_ms * MS
            low, high = left, right
            while low > 0 and valid[low - 1, f] and times[low] - times[low - 1] <= gap_ms * MS:
                low -= 1
            while high < len(times) - 1 and valid[high + 1, f] and times[high + 1] - times[high] <= gap_ms * MS:
                high += 1
            run = values[low : high + 1, f]
            assert run.min() - 1e-9 <= out[g, f] <= run.max() + 1e-9


@settings(deadline=None)
@given(tracks(), st.sampled_from([3, 25, 90]), st.floats(-5, 5), st.floats(-100, 100))
def test_a_straight_line_stays_one_also_beside_gaps(track: tuple, rate: float, slope: float, level: float) -> None:
    times, _, valid = track
    line = (slope * times / S + level)[:, None].repeat(3, axis=1)
    ticks = grid(Interval(-2 * S, 8 * S), rate)
    out, ok = to_grid(times, line, valid, ticks, "linear", 500 * MS)
    expected = (slope * ticks / S + level)[:, None].repeat(3, axis=1)
    assert np.abs(out - expected)[ok].max(initial=0) < 1e-5


def test_between_two_samples_the_value_lies_on_their_line() -> None:
    times = np.array([0, 100, 200]) * MS
    values, valid = np.array([[0.0], [10.0], [40.0]]), np.ones((3, 1), dtype=bool)
    out, ok = to_grid(times, values, valid, np.array([0, 25, 100, 150, 200, 201]) * MS, "linear", 100 * MS)
    assert ok[:, 0].tolist() == [True] * 5 + [False]
    assert out[:, 0].tolist() == [0, 2.5, 10, 25, 40, 0]


def test_a_fast_ripple_does_not_alias_into_a_slow_grid() -> None:
    axis = Regular.from_rate(1000, 10_000)
    seconds = axis.times_ns / S
    slow = np.sin(2 * np.pi * 0.5 * seconds)
    values = (slow + np.sin(2 * np.pi * 50 * seconds + 1))[:, None]
    ticks = grid(Interval(0, 10 * S), 25)
    out, ok = to_grid(axis.times_ns, values, np.ones_like(values, dtype=bool), ticks, "linear", 100 * MS)
    inner = slice(2, -2)
    error = out[inner, 0] - np.sin(2 * np.pi * 0.5 * ticks[inner] / S)
    assert ok[inner].all()
    assert np.abs(error).max() < 0.02
    sampled = values[np.searchsorted(axis.times_ns, ticks[inner]), 0]
    assert np.abs(sampled - np.sin(2 * np.pi * 0.5 * ticks[inner] / S)).max() > 0.5


def test_a_large_level_costs_no_precision() -> None:
    axis = Regular.from_rate(500, 200_000)
    values = np.full((axis.n, 1), 1e6) + np.random.default_rng(0).normal(0, 1e-3, (axis.n, 1))
    ticks = grid(Interval(S, 399 * S), 25)
    out, ok = to_grid(axis.times_ns, values, np.ones_like(values, dtype=bool), ticks, "linear", 100 * MS)
    assert ok.all()
    assert np.abs(out - 1e6).max() < 5e-3


def test_types_are_kept_and_empty_tracks_and_grids_are_ordinary() -> None:
    none = np.zeros((0, 2), np.float32)
    out, ok = to_grid(np.zeros(0, np.int64), none, none.astype(bool), np.arange(3) * S, "linear", S)
    assert out.dtype == np.float32
    assert (out.shape, ok.any()) == ((3, 2), False)
    one = np.ones((1, 1), np.float32)
    out, ok = to_grid(np.array([S]), one, one.astype(bool), np.arange(3) * S, "linear", S)
    assert ok[:, 0].tolist() == [False, True, False]
    assert to_grid(np.array([S]), one, one.astype(bool), np.zeros(0, np.int64), "hold", S)[0].shape == (0, 1)
    out, _ = to_grid(
        np.array([0, S]), np.array([[1], [3]]), np.ones((2, 1), dtype=bool), np.array([S // 2]), "linear", S
    )
    assert out[0, 0] == 2


def test_wrong_calls_are_refused() -> None:
    one = np.ones((2, 1))
    with pytest.raises(InvalidValueError, match="do not fit"):
        to_grid(np.array([1, 2, 3]), one, one.astype(bool), np.array([1]), "linear", S)
    with pytest.raises(InvalidValueError, match="linear, angle, nearest, exact, event or hold"):
        to_grid(np.array([1, 2]), one, one.astype(bool), np.array([1]), "cubic", S)  # type: ignore[arg-type]


KINDS = tuple(JOINS)


@settings(max_examples=150, deadline=None)
@given(tracks(), st.sampled_from(KINDS), st.sampled_from([4, 25, 90]), st.sampled_from([0, 100, 500]))
def test_no_kind_of_column_gets_a_sample_inside_a_gap(track: tuple, kind: str, rate: float, gap_ms: int) -> None:
    times, values, valid = track
    ticks = grid(Interval(-2 * S, 8 * S), rate)
    out, ok = resample(times, values, valid, ticks, [kind] * 3, max_gap_ns=gap_ms * MS)
    assert np.all(out[~ok] == 0)
    cell = S / rate
    for g, f in np.argwhere(ok):
        good = times[valid[:, f]]
        # An event keeps its moment, so that its tick may lie half a cell away; all else needs samples near by.
        reach = max(cell / 2 + 1, gap_ms * MS / 2) if kind == "event" else gap_ms * MS
        assert np.abs(good - ticks[g]).min() <= reach


@settings(max_examples=100, deadline=None)
@given(tracks(), st.sampled_from([4, 25, 90]))
def test_labels_and_integers_are_matched_and_never_mixed(track: tuple, rate: float) -> None:
    times, values, valid = track
    labels = np.rint(3 * values).astype(np.int64)
    ticks = grid(Interval(-2 * S, 8 * S), rate)
    out, ok = resample(times, labels, valid, ticks, ["label"] * 3, max_gap_ns=500 * MS)
    for f in range(3):
        assert set(out[ok[:, f], f].tolist()) <= set(labels[valid[:, f], f].tolist())


@settings(max_examples=100, deadline=None)
@given(tracks(), st.sampled_from([4, 25, 90]))
def test_no_event_is_lost_or_doubled(track: tuple, rate: float) -> None:
    times, values, valid = track
    counts = (np.abs(values) > 1).astype(float)
    ticks = grid(Interval(-2 * S, 8 * S) if not len(times) else Interval(int(times[0]) - S, int(times[-1]) + S), rate)
    out, ok = resample(times, counts, valid, ticks, ["event"] * 3, max_gap_ns=500 * MS)
    assert out.sum(axis=0).tolist() == np.where(valid, counts, 0).sum(axis=0).tolist()
    for g, f in np.argwhere(ok & (out > 0)):
        assert np.abs(times[valid[:, f] & (counts[:, f] > 0)] - ticks[g]).min() <= S / rate / 2 + 1


def test_an_event_between_two_grid_times_is_told_once() -> None:
    times = np.arange(0, 1000, 10) * MS
    blink = np.zeros((100, 1))
    blink[[33, 57, 59]] = 1
    ticks = np.arange(0, 1000, 40) * MS
    out, ok = to_grid(times, blink, np.ones_like(blink, bool), ticks, "event", 100 * MS)
    assert ok.all()
    assert {int(ticks[g] // MS): out[g, 0] for g in np.flatnonzero(out[:, 0])} == {320: 1, 560: 1, 600: 1}


def test_an_exact_join_leaves_a_missing_sample_missing() -> None:
    times = np.delete(np.arange(10), 4) * 40 * MS
    values = np.delete(np.arange(10), 4)[:, None]
    ticks = np.arange(10) * 40 * MS + 5 * MS
    out, ok = to_grid(times, values, np.ones_like(values, bool), ticks, "exact", S)
    assert np.flatnonzero(~ok[:, 0]).tolist() == [4]
    assert out[ok[:, 0], 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    wide, all_ok = to_grid(times, values, np.ones_like(values, bool), ticks, "exact", S, tolerance_ns=45 * MS)
    assert all_ok.all()
    assert wide[4, 0] == 5
    none, not_ok = to_grid(times, values, np.ones_like(values, bool), ticks, "exact", S, tolerance_ns=1 * MS)
    assert not not_ok.any()
    assert not none.any()


def test_angles_take_the_short_way_round() -> None:
    times = np.arange(5) * 100 * MS
    angle = np.array([[170.0], [179.0], [-172.0], [-160.0], [90.0]])
    out, ok = to_grid(times, angle, np.ones_like(angle, bool), np.array([150, 50, 350]) * MS, "angle", 200 * MS)
    assert ok.all()
    assert out[:, 0] == pytest.approx([-176.5, 174.5, 145.0])
    turning = (np.arange(4000) * 0.9 + 180) % 360 - 180
    fast = np.arange(4000) * 2 * MS
    slow = np.arange(10, 190) * 40 * MS
    out, _ = to_grid(fast, turning[:, None], np.ones((4000, 1), bool), slow, "angle", 100 * MS)
    assert (out[:, 0] - 0.45 * slow / MS + 180) % 360 == pytest.approx(180, abs=1e-6)


@pytest.mark.parametrize("ripple_hz", [31.0, 36.0, 43.0, 61.0, 93.0, 137.0])
def test_what_lies_above_the_grid_is_lowered_tenfold(ripple_hz: float) -> None:
    axis = Regular.from_rate(1000, 10_000)
    values = np.sin(2 * np.pi * ripple_hz * axis.times_ns / S)[:, None]
    out, _ = to_grid(axis.times_ns, values, np.ones_like(values, bool), grid(Interval(S, 9 * S), 25), "linear", S)
    assert np.abs(out).max() < 0.1


def test_kinds_are_joined_side_by_side() -> None:
    times = np.arange(5) * 100 * MS
    values = np.c_[np.arange(5.0), [1, 2, 3, 4, 5], [0, 1, 0, 0, 0], [7, 7, 9, 9, 9]]
    kinds = ["continuous", "label", "event", "state"]
    ticks = np.array([140, 240]) * MS
    out, ok = resample(times, values, np.ones_like(values, bool), ticks, kinds, max_gap_ns=200 * MS)  # type: ignore[arg-type]
    assert ok.all()
    assert out.tolist() == [pytest.approx([1.4, 2, 1, 7]), pytest.approx([2.4, 3, 0, 9])]
    with pytest.raises(InvalidValueError, match="each column needs a kind"):
        resample(times, values, np.ones_like(values, bool), ticks, ["label"], max_gap_ns=1)
    with pytest.raises(InvalidValueError, match="differ in shape"):
        resample(times, values, np.ones((5, 1), bool), ticks, kinds, max_gap_ns=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start_s", "end_s", "hz", "n"), [(0, 1, 25, 25), (0.013, 1, 25, 24), (-1, 1, 10, 20), (0, 10, 29.97, 300)]
)
def test_grid_counts(start_s: float, end_s: float, hz: float, n: int) -> None:
    assert len(grid(Interval(round(start_s * S), round(end_s * S)), hz)) == n
