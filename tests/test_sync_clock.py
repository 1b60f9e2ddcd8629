from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from data_schemas.intervals import IntervalSet
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from sync.clock import ClockMap, Segment

HOUR = 3600 * NS_PER_S
times = st.lists(st.integers(-10 * HOUR, 10 * HOUR), min_size=1, max_size=30).map(lambda t: np.array(t, np.int64))
drifts = st.floats(-1e-2, 1e-2)


@st.composite
def clock_maps(draw: st.DrawFn) -> ClockMap:
    """One to four pieces that jump forwards by 0 or more between each other."""
    start = draw(st.integers(-2 * HOUR, 2 * HOUR))
    target = draw(st.integers(-2 * HOUR, 2 * HOUR))
    pieces = [Segment(start, start, target, draw(drifts))]
    for _ in range(draw(st.integers(0, 3))):
        length = draw(st.integers(1000, HOUR))
        jump = draw(st.sampled_from([2, 1000, NS_PER_S, 500 * NS_PER_S]))
        last = pieces[-1]
        target = int(ClockMap((last,))(np.array([last.start_ns + length]))[0]) + jump
        pieces.append(Segment(last.start_ns + length, last.start_ns + length, target, draw(drifts)))
    return ClockMap(tuple(pieces))


def test_affine_states_target_as_drifted_source_plus_offset() -> None:
    clock = ClockMap.affine(offset_s=2.5, drift_ppm=100)
    assert clock(np.array([0, 10 * NS_PER_S])).tolist() == [2_500_000_000, 12_501_000_000]
    assert clock.offset_s_at(10 * NS_PER_S) == pytest.approx(2.501)
    assert clock.drift_ppm_at(0) == pytest.approx(100)


@settings(deadline=None)
@given(clock_maps(), times)
def test_inverse_returns_within_one_nanosecond(clock: ClockMap, t: np.ndarray) -> None:
    assert np.abs(clock.inverse(clock(t)) - t).max() <= 1


@settings(deadline=None)
@given(clock_maps(), times)
def test_later_stays_later(clock: ClockMap, t: np.ndarray) -> None:
    ordered = np.unique(t)
    mapped = clock(ordered)
    assert np.all(np.diff(mapped) >= 0)
    assert np.all(np.diff(mapped)[np.diff(ordered) > 1] > 0)


@settings(max_examples=300, deadline=None)
@given(clock_maps(), clock_maps(), times)
def test_then_is_one_after_the_other(first: ClockMap, second: ClockMap, t: np.ndarray) -> None:
    both = first.then(second)
    near = np.concatenate([np.array([s.start_ns for s in both.segments]) + d for d in (-2, -1, 0, 1)])
    t = np.concatenate([t, near])
    assert np.abs(both(t) - second(first(t))).max() <= 6


@settings(deadline=None)
@given(clock_maps(), clock_maps(), clock_maps(), times)
def test_then_is_associative(a: ClockMap, b: ClockMap, c: ClockMap, t: np.ndarray) -> None:
    left, right = a.then(b).then(c), a.then(b.then(c))
    starts = np.array([s.start_ns for s in left.segments])
    away = np.abs(t[:, None] - starts[None, :]).min(axis=1) > 12
    assert np.abs(left(t) - c(b(a(t))))[away].max(initial=0) <= 12
    assert np.abs(right(t) - left(t))[away].max(initial=0) <= 24


@settings(deadline=None)
@given(clock_maps(), clock_maps(), times)
def test_a_composed_map_is_undone_in_reverse_order(first: ClockMap, second: ClockMap, t: np.ndarray) -> None:
    both = first.then(second)
    starts = np.array([s.start_ns for s in both.segments])
    away = np.abs(t[:, None] - starts[None, :]).min(axis=1) > 12
    assert np.abs(both.inverse(both(t)) - t).max() <= 1
    assert np.abs(first.inverse(second.inverse(both(t))) - t)[away].max(initial=0) <= 12


@settings(deadline=None)
@given(clock_maps(), times)
def test_doing_nothing_before_or_after_changes_nothing(clock: ClockMap, t: np.ndarray) -> None:
    nothing = ClockMap.affine()
    assert np.array_equal(nothing(t), t)
    assert np.abs(clock.then(nothing)(t) - clock(t)).max() <= 2
    assert np.abs(nothing.then(clock)(t) - clock(t)).max() <= 2


@settings(deadline=None)
@given(
    st.floats(-1000, 1000),
    st.floats(-500, 500),
    st.lists(st.tuples(st.integers(0, HOUR), st.integers(1000, HOUR)), max_size=6),
    st.lists(st.tuples(st.integers(0, HOUR), st.integers(1000, HOUR)), max_size=6),
)
def test_a_clock_carries_unions_differences_and_gaps_along(
    offset_s: float, drift_ppm: float, one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    clock = ClockMap.affine(offset_s, drift_ppm)

    def carried(spans: IntervalSet) -> IntervalSet:
        stream = Signal(
            info=StreamInfo("a", "ecg", "a"),
            axis=Regular(0, 1e9, 1),
            values=np.zeros((1, 1)),
            columns=("x",),
            units=("1",),
            native_support=spans,
        )
        return stream.on(clock, "session").support

    a, b = (IntervalSet([(start, start + length) for start, length in spans]) for spans in (one, other))
    assert carried(a | b) == carried(a) | carried(b)
    for together, apart in ((a & b, carried(a) & carried(b)), (a - b, carried(a) - carried(b))):
        differing = (carried(together) - apart) | (apart - carried(together))
        assert differing.total_ns <= 4 * (len(a) + len(b))
    inner = a.bounds.mean(axis=1).astype(np.int64)
    assert carried(a).contains(clock(inner)).all()


def test_a_jump_of_the_second_map_lies_where_the_first_reaches_it() -> None:
    first = ClockMap.affine(offset_s=1.0, drift_ppm=-3333)
    second = ClockMap((Segment(0, 0, 0), Segment(50 * NS_PER_S, 50 * NS_PER_S, 60 * NS_PER_S)))
    both = first.then(second)
    t = np.arange(0, 100 * NS_PER_S, NS_PER_S // 7)
    assert np.abs(both(t) - second(first(t))).max() <= 2


def test_a_second_map_that_changes_before_the_first_begins() -> None:
    first = ClockMap((Segment(100, 100, 100),))
    second = ClockMap((Segment(-1000, -1000, -5000), Segment(-500, -500, -500)))
    t = np.arange(-2000, 500)
    assert np.array_equal(first.then(second)(t), second(first(t)))


def test_inside_a_jump_the_inverse_is_the_start_of_the_later_piece() -> None:
    clock = ClockMap((Segment(0, 0, 0), Segment(100, 100, 500)))
    assert clock.inverse(np.array([99, 100, 300, 499, 500, 501])).tolist() == [99, 100, 100, 100, 100, 101]


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ((), "at least one"),
        ((Segment(0, 0, 0, -1.0),), "backwards"),
        ((Segment(0, 0, 0, float("nan")),), "backwards"),
        ((Segment(5, 0, 0), Segment(5, 0, 0)), "one after the other"),
        ((Segment(0, 0, 0), Segment(100, 100, 50)), "go backwards"),
    ],
)
def test_impossible_clocks_are_refused(segments: tuple[Segment, ...], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        ClockMap(segments)


def test_a_stream_keeps_its_native_axis_when_mapped() -> None:
    axis = Regular.from_rate(360, 1000, start_ns=77)
    stream = Signal(
        info=StreamInfo("ecg", "ecg", "amp"), axis=axis, values=np.zeros((1000, 1)), columns=("I",), units=("mV",)
    )
    clock = ClockMap.affine(-3.0, 50)
    mapped = stream.on(clock, "session")
    assert mapped.axis is axis
    assert np.array_equal(mapped.times_ns, clock(axis.times_ns))
    assert "50.00 ppm" in repr(clock)
