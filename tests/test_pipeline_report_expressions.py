from __future__ import annotations

import re

from data_schemas.event import Event
from data_schemas.time import NS_PER_S
from modalities.face.features import UNIT_WORDS
from modalities.face.regions import NAMES
from pipeline.report.expressions import MOST, expressions_section, face_drawing

EMOTION = {
    "class": "surprise",
    "probability": {"negative": 0.2, "positive": 0.1, "surprise": 0.7},
    "because": {"brow_inner_left": 0.6, "chin": 0.3},
}


def expression(at_s: float, score: float = 0.5, kind: str = "micro", **details: object) -> Event:
    onset = round(at_s * NS_PER_S)
    return Event("face", kind, onset, onset + NS_PER_S // 3, onset + NS_PER_S // 6, "p", score, "AU1", details)


def test_a_card_says_class_alternatives_units_regions_and_times() -> None:
    html = expressions_section([expression(12.3, emotion=EMOTION, aus={"au01": 0.5, "au12_left": 0.25})], UNIT_WORDS)
    for text in (
        "12.30 s micro: surprise",
        "surprise 70%, negative 20%, positive 10%",
        "AU1 inner brow raiser (0.50); AU12 left lip corner puller (0.25)",
        "brow inner left 60%, chin 30%",
        "onset 12.300, apex 12.467, offset 12.633 s",
    ):
        assert text in html
    assert html.count("<circle") == 2


def test_every_region_has_its_own_place_and_sides_are_mirrored() -> None:
    places = {}
    for name in NAMES:
        places[name] = re.search(r'cx="(-?\d+)" cy="(-?\d+)"', face_drawing({name: 0.5}, "t")).groups()
    assert len(set(places.values())) == len(NAMES)
    for name in NAMES:
        if name.endswith("_left"):
            right = places[name.removesuffix("left") + "right"]
            assert (int(places[name][0]), places[name][1]) == (-int(right[0]), right[1])
            assert int(places[name][0]) > 0


def test_other_events_give_no_card_and_of_many_the_surest_are_shown_in_order_of_time() -> None:
    assert expressions_section([Event("face", "blink", 0, 1)], UNIT_WORDS) == ""
    many = [expression(at, score=at / 200) for at in range(100)]
    html = expressions_section(many, UNIT_WORDS)
    times = [float(found) for found in re.findall(r"<b>([\d.]+) s", html)]
    assert times == [float(at) for at in range(100 - MOST, 100)]
    assert f"The surest {MOST} of 100" in html


def test_an_event_without_recognition_or_with_markup_in_its_words_is_safe() -> None:
    html = expressions_section([expression(1.0, emotion={**EMOTION, "class": "<b>x"})], UNIT_WORDS)
    assert "<b>x" not in html
    assert "not recognised" in expressions_section([expression(1.0)], UNIT_WORDS)
