"""What docs/spotting.md says of each spotter: what it finds in the picture there, and that those that fall short find
anything at all.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from docs.pictures.spotters import PLANTED, watch
from modalities.face.spotting.base import SPOTTERS, FaceSignals, load_spotter
from modalities.face.spotting.learned import load_learned

PAGE = Path(__file__).parent.parent / "docs" / "spotting.md"
FLOORS = {
    "ltp-ml": (0.07, 0.22), "hog-lstm": (0.04, 0.30), "higo-lstm": (0.07, 0.35), "hoof-lstm": (0.32, 0.52),
}  # fmt: skip
"""F1 of micro- and macro-expressions on held-out simulated faces; chance finds nothing."""


def promised() -> dict[str, str]:
    """The last column of the table, by spotter."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").split("## The spotters")[1].split("\n") if "| `" in line]
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[2] for row in cells if row[0].strip("`") in SPOTTERS and not row[2][0].isdigit()}


@lru_cache(maxsize=1)
def pictured() -> FaceSignals:
    return watch()


def found_both(name: str) -> list[bool]:
    """For each planted movement whether an interval of its kind overlaps by half, its apex inside."""
    said = load_spotter(name).spot(pictured())
    out = []
    for event in PLANTED:
        best = 0.0
        for one in said.expressions:
            first, apex, last = (at / 1e9 for at in (one.onset_ns, one.apex_ns, one.offset_ns))
            both = min(last, event.offset_s) - max(first, event.onset_s)
            either = max(last, event.offset_s) - min(first, event.onset_s)
            if one.kind == event.kind and event.onset_s <= apex <= event.offset_s:
                best = max(best, both / either)
        out.append(best >= 0.5)
    return out


def test_the_page_speaks_of_every_spotter() -> None:
    assert set(promised()) >= set(SPOTTERS) - {"temporal"}
    assert sum(words == "yes" for words in promised().values()) >= 10


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(SPOTTERS))
def test_each_finds_in_the_picture_what_the_page_says(name: str) -> None:
    words = promised().get(name, "yes")
    smile, frown = found_both(name)
    assert (smile and frown) == (words == "yes"), "the page has to say what the picture shows"
    if words.startswith("the smile"):
        assert smile


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_those_that_fall_short_find_something(name: str) -> None:
    assert promised()[name] != "yes"
    figures = load_learned(name).card["figures"]
    for kind, least in zip(("micro", "macro"), FLOORS[name], strict=True):
        assert figures[kind]["f1"] >= least, kind
