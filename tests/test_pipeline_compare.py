"""The comparison with truth counts what a reader would count."""

from __future__ import annotations

from data_schemas.event import Event
from data_schemas.time import to_ns
from pipeline.compare import apex, by_distance, by_overlap, match


def event(onset_s: float, offset_s: float) -> Event:
    return Event("face", "macro", to_ns(onset_s), to_ns(offset_s))


def test_one_to_one_and_the_closest_first() -> None:
    planted = [event(1, 2), event(5, 6)]
    found = [event(1.1, 2.1), event(0.9, 2.2), event(8, 9)]
    matched = match(planted, found, by_overlap())
    assert matched.pairs == ((0, 0),)
    assert matched.recall == 0.5
    assert matched.precision == 1 / 3


def test_overlap_below_half_is_no_match() -> None:
    assert match([event(0, 1)], [event(0.5, 1.5)], by_overlap()).pairs == ()
    assert match([event(0, 1)], [event(0.3, 1.3)], by_overlap()).pairs == ((0, 0),)


def test_distance_has_a_limit() -> None:
    rule = by_distance(0.2, apex)
    assert match([event(0, 1)], [event(0.1, 1.1)], rule).pairs == ((0, 0),)
    assert match([event(0, 1)], [event(0.3, 1.3)], rule).pairs == ()


def test_nothing_planted_or_found_is_not_a_number() -> None:
    empty = match([], [], by_overlap())
    assert empty.recall != empty.recall
    assert empty.precision != empty.precision
