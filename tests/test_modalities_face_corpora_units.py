"""Action units as coders write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalities.face.corpora.sample import FAULTS
from modalities.face.corpora.units import parse_units

MARKS = {
    "": ("both", "whole"),
    "L": ("left", "whole"),
    "R": ("right", "whole"),
    "T": ("both", "top"),
    "B": ("both", "bottom"),
}
NUMBERS = st.sampled_from([1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 38, 43, 45])


@pytest.mark.parametrize(
    ("text", "units", "faults"),
    [
        ("12", ["12"], set()),
        ("4+7", ["4", "7"], set()),
        ("4,12", ["4", "12"], set()),
        ("R12", ["R12"], {"marked_units"}),
        ("4+L10", ["4", "L10"], {"marked_units"}),
        ("r18", ["R18"], {"marked_units"}),
        ("B28+T23", ["B28", "T23"], {"marked_units"}),
        ("4，12", ["4", "12"], {"strange_separator"}),
        ("7,L24,", ["7", "L24"], {"strange_separator", "marked_units"}),
        ("4++7", ["4", "7"], {"strange_separator"}),
        ("17?", ["17?"], {"doubtful_units"}),
        ("R12 or R15", ["R12?", "R15?"], {"doubtful_units", "marked_units"}),
        ("12(k)", ["12?"], {"doubtful_units"}),
        ("12 + 15", ["12", "15"], set()),
        ("AU4+AU07", ["4", "7"], set()),
        ("R14A", ["R14A"], {"marked_units"}),
        ("12C", ["12C"], set()),
        ("17+17", ["17", "17"], {"repeated_units"}),
        ("17+L17", ["17", "L17"], {"marked_units"}),
        ("3+12", ["3", "12"], {"unknown_unit"}),
        ("4+lips", ["4"], {"unread_units"}),
        ("4+123", ["4"], {"unread_units"}),
        ("U12", ["12"], {"unread_units"}),
        ("?", [], {"no_units"}),
        ("", [], {"no_units"}),
        ("/", [], {"no_units"}),
    ],
)
def test_forms_of_the_sheets(text: str, units: list[str], faults: set[str]) -> None:
    got, odd = parse_units(text)
    assert [str(unit) for unit in got] == units
    assert set(odd) == faults


@given(
    st.lists(st.tuples(st.sampled_from(sorted(MARKS)), NUMBERS, st.sampled_from(["", "A", "C", "E"])), min_size=1),
    st.sampled_from(["+", ",", " + ", ", "]),
    st.booleans(),
)
def test_what_is_written_comes_back(parts: list[tuple[str, int, str]], joint: str, prefix: bool) -> None:
    words = [f"{'AU' if prefix and not mark else mark}{number}{strength}" for mark, number, strength in parts]
    units, odd = parse_units(joint.join(words))
    assert [(unit.unit, (unit.side, unit.part), unit.intensity) for unit in units] == [
        (number, MARKS[mark], strength) for mark, number, strength in parts
    ]
    assert [unit.raw for unit in units] == words
    assert ("marked_units" in odd) == any(mark for mark, _, _ in parts)
    assert ("repeated_units" in odd) == (len({(mark, number) for mark, number, _ in parts}) < len(parts))
    assert "unread_units" not in odd
    assert "doubtful_units" not in odd


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_listed(text: str) -> None:
    units, odd = parse_units(text)
    assert set(odd) <= set(FAULTS)
    assert units or odd
    for unit in units:
        assert 0 <= unit.unit <= 99


@given(st.lists(st.sampled_from(["4", "L10", "12?", "x", "B28", "77q", "+", "A9"]), min_size=1, max_size=6))
def test_every_word_gives_a_unit_or_a_fault(words: list[str]) -> None:
    units, odd = parse_units("+".join(words))
    listed = odd.get("unread_units", "").split(", ")
    for word in set(words) - {"+"}:
        assert any(unit.raw == word for unit in units) or word in listed
