"""Several people in one video: who is who when they cross, leave, come back, and when nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import pytest

from data_schemas.stream import Seat
from data_schemas.time import to_ns
from modalities.face.appearance import MeanLook, difference, take_look
from modalities.face.identity import Known, recognize, seats_in_order, tell_apart
from modalities.face.landmarks import FaceTracker
from modalities.face.models import borrowed_models
from modalities.face.people import PeopleObserver
from modalities.face.stretches import Stretch, describe, settle_by_exclusion
from modalities.face.tracking import PeopleTracker
from pipeline.simulate.face_portrait import prepare_portrait

FPS, SIZE = 15, (640, 360)
ANN, BEN = ("astronaut", 0, 100), ("hopper", 0, 95)
"""Photograph, identity and width of the face."""
Person = tuple[str, int, int]
Course = Callable[[float], float]


@lru_cache(maxsize=6)
def card(photograph: str, identity: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A person cut out, RGBA, and the middle of the face in it."""
    portrait = prepare_portrait(photograph, (360, 360), width, 0, identity)
    return portrait.person.astype(np.float32), portrait.mesh.points.mean(axis=0)


@lru_cache(maxsize=1)
def room() -> np.ndarray:
    grain = np.random.default_rng(0).integers(90, 150, (5, 8, 3)).astype(np.uint8)
    return cv2.resize(grain, SIZE, interpolation=cv2.INTER_CUBIC).astype(np.float32)


def picture_of(people: list[tuple[Person, float]], number: int) -> np.ndarray:
    """People at places along the picture's width, the last one in front."""
    picture = room().copy()
    for who, x in people:
        if not -80 < x < SIZE[0] + 80:
            continue
        person, middle = card(*who)
        shift = np.array([[1, 0, x - middle[0]], [0, 1, 190 - middle[1]]])
        pasted = cv2.warpAffine(person, shift, SIZE, flags=cv2.INTER_LINEAR)
        share = pasted[..., 3:] / 255
        picture += share * (pasted[..., :3] - picture)
    noise = np.random.default_rng(number).normal(0, 1.5, (SIZE[1], SIZE[0], 1))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def walk(*nodes: tuple[float, float]) -> Course:
    """Place over time through (second, x)."""
    times, places = zip(*nodes, strict=True)
    return lambda t: float(np.interp(t, times, places))


def track(
    cast: list[tuple[Person, Course]], seconds: float, people: tuple[str, ...] = ("p01", "p02"), seats: tuple = ()
) -> tuple[list[Stretch], PeopleTracker]:
    """Follow a scene; the stretches."""
    with borrowed_models() as models:
        tracker = PeopleTracker(models, people, seats)
        count = round(seconds * FPS)
        for k in range(count):
            t = k / FPS
            tracker.follow(picture_of([(who, course(t)) for who, course in cast], k), to_ns(t))
        return tracker.finish(to_ns(count / FPS)), tracker


def who_at(stretches: list[Stretch], t: float) -> dict[str, float]:
    """Person -> x of the stretch that covers a time, as it began; "?" for an open one."""
    frame = round(t * FPS)
    return {one.person or "?": one.x for one in stretches if one.first <= frame < one.end}


OUT = -150.0
LEFT, RIGHT = 170.0, 460.0
CROSSING = [(BEN, walk((1.5, RIGHT), (3.5, LEFT), (4.5, LEFT), (5.3, OUT), (7, OUT), (7.8, LEFT)))]
CROSSING += [(ANN, walk((1.5, LEFT), (3.5, RIGHT)))]


def test_two_people_cross_and_one_leaves_and_returns() -> None:
    stretches, tracker = track(CROSSING, 10)
    assert not tracker.complaints and all(one.person for one in stretches), [describe(one) for one in stretches]
    frames = {name: np.zeros(150, bool) for name in ("p01", "p02")}
    for one in stretches:
        assert not frames[one.person or ""][one.first : one.end].any(), "nobody is at two places"
        frames[one.person or ""][one.first : one.end] = True
    assert frames["p01"].mean() > 0.95, "the person in front is followed throughout"
    away = slice(round(5.2 * FPS), round(7.2 * FPS))
    assert not frames["p02"][away].any() and frames["p02"].mean() > 0.6
    after = {one.person: one.face for one in stretches if one.first <= 70 < one.end}
    before = {one.person: one.face for one in stretches if one.first <= 10 < one.end}
    assert after["p01"] == before["p01"], "the one who passed in front was never let go of"
    came_back = next(one for one in stretches if one.first > round(6.5 * FPS) and one.person == "p02")
    assert came_back.x < 0.3


def test_two_who_look_alike_are_asked_about_and_the_answers_settle_it() -> None:
    twin = ("astronaut", 0, 98)
    cast = [(ANN, walk((1.0, LEFT), (2.2, OUT), (2.6, OUT), (4.4, LEFT)))]
    cast += [(twin, walk((1.0, RIGHT), (2.2, 800), (4.6, 800), (6.4, RIGHT)))]
    stretches, _ = track(cast, 8)
    assert {one.person for one in stretches if one.end <= 2.4 * FPS} == {"p01", "p02"}
    asked = [one for one in stretches if one.person is None]
    assert asked and set(asked[0].could_be) == {"p01", "p02"} and 2.5 < asked[0].start_ns / 1e9 < 4.2
    assert 'person = "..."' in describe(asked[0]) and f"{asked[0].start_ns / 1e9:.2f}" in describe(asked[0])
    first = asked[0]
    answered, tracker = track(cast, 8, seats=(Seat(round(first.start_ns / 1e9, 2), "p01", round(first.x, 2)),))
    assert not tracker.complaints and all(one.person for one in answered)
    late = who_at(answered, 7.5)
    assert late.keys() == {"p01", "p02"} and who_at(answered, 5).keys() == {"p01"}, "the other one follows by exclusion"


def test_a_stranger_is_not_followed_and_an_answer_that_fits_nothing_is_said() -> None:
    cast = [(ANN, walk((1.5, LEFT), (2.5, OUT))), (("astronaut", 8, 90), walk((1.5, RIGHT), (2.5, 800)))]
    cast += [(BEN, walk((2.8, 800), (3.8, 310), (5.5, 310), (6.2, RIGHT)))]
    stretches, tracker = track(cast, 8, seats=(Seat(1.0, "p02", 0.5), Seat(9, "p01")))
    assert who_at(stretches, 1).keys() == {"p01", "p02"}
    assert not who_at(stretches, 5.2), "somebody dressed otherwise, in nobody's seat"
    (asked,) = [one for one in stretches if one.first > 4 * FPS]
    assert asked.person is None and asked.could_be == ("p02",) and "dressed otherwise" in asked.why
    assert len(tracker.complaints) == 2 and "which face" in tracker.complaints[0][1]
    alone, _ = track([(ANN, walk((0, 320)))], 2)
    assert [one.person for one in alone] == [None] and "seen together" in alone[0].why


def test_more_faces_than_people_from_the_start_are_asked_about() -> None:
    cast = [(ANN, walk((0, 120))), (BEN, walk((0, 320))), (("astronaut", 8, 95), walk((0, 520)))]
    stretches, tracker = track(cast, 1.5)
    assert not stretches and tracker.crowded
    answered, tracker = track(cast, 1.5, seats=(Seat(0.0, "p02", 0.5), Seat(0.0, "p01", 120 / 640)))
    assert {one.person: round(one.x, 1) for one in answered} == {"p01": 0.2, "p02": 0.5}
    assert not tracker.crowded and not tracker.complaints


def test_rows_of_each_person_and_masks() -> None:
    cast = [(ANN, walk((0, LEFT))), (BEN, walk((1.2, RIGHT), (1.8, 800)))]
    with borrowed_models() as models:
        observer = PeopleObserver(models, ("left", "right"))
        seen = [
            observer.add(picture_of([(who, course(k / FPS)) for who, course in cast], k), to_ns(k / FPS))
            for k in range(40)
        ]
        observer.finish()
    assert all(seen) and observer.questions("table") == []
    rows = {name: observer.rows_of(name)[0] for name in ("left", "right")}
    assert rows["left"]["found"].all() and not rows["left"]["unsure"].any()
    assert rows["right"]["found"][:15].all() and not rows["right"]["found"][30:].any()
    assert (rows["left"]["t_ns"] == to_ns(np.arange(40) / FPS)).all()
    assert abs(np.median(rows["left"]["width_px"]) - 100) < 12 and (rows["left"]["back"][10:, 0] > 0).all()


def test_looks_tell_people_apart_but_not_lamps() -> None:
    with borrowed_models() as models:
        looks = []
        for who, x, light in ((ANN, 200, 1.0), (ANN, 350, 0.5), (BEN, 300, 1.0)):
            picture = (picture_of([(who, x)], 3) * light).astype(np.uint8)
            sighting = FaceTracker(models).find(picture, 0)
            assert sighting is not None
            looks.append(take_look(picture, sighting))
    same, other = difference(looks[0], looks[1]), difference(looks[0], looks[2])
    assert same is not None and other is not None and same < 0.25 < 0.4 < other
    assert difference({}, looks[0]) is None
    ann, ben = Known("ann"), Known("ben")
    for known, look, x in ((ann, looks[0], 200.0), (ben, looks[2], 500.0)):
        known.look.add(look)
        known.settle(np.array([x, 200, 100]), 0)
    assert recognize(looks[1], np.array([900.0, 200, 60]), [ann, ben]).people == ("ann",)
    swapped = recognize(looks[1], np.array([510.0, 205, 100]), [ann, ben])
    assert swapped.kind == "unsure" and "seat of ben" in swapped.why
    assert recognize(looks[1], np.array([900.0, 200, 60]), [ben]).kind == "stranger"
    changed = recognize(looks[1], np.array([500.0, 200, 100]), [ben])
    assert changed.kind == "unsure" and "dressed otherwise" in changed.why
    twin = Known("twin", look=MeanLook({**looks[0]}, 0.0, 5))
    assert set(recognize(looks[1], np.array([200.0, 200, 100]), [ann, twin]).people) == {"ann", "twin"}
    assert tell_apart(looks[1], "ben", [ann, ben], smooth=True).people == ("ann",)
    assert tell_apart(looks[1], "twin", [ann, twin], smooth=True).people == ("twin",)
    assert tell_apart(looks[1], "twin", [ann, twin], smooth=False).kind == "unsure"


def test_seats_and_exclusion() -> None:
    places = [np.array([500.0, 0, 90]), np.array([100.0, 0, 100])]
    assert seats_in_order(places, ("a", "b")) == ["b", "a"]
    assert seats_in_order(places, ("a", "b", "c")) is None
    assert seats_in_order([places[0], np.array([100.0, 0, 20])], ("a", "b")) is None, "one sits far behind"
    known, open_one, other_time = (Stretch(k, first, 0) for k, first in ((1, 0), (2, 10), (3, 200)))
    known.name("a")
    for one in (open_one, other_time):
        one.ask(("a", "b"), "alike")
    for one, end in ((known, 100), (open_one, 60), (other_time, 300)):
        one.close(end, end)
    settle_by_exclusion([open_one, known, other_time])
    assert open_one.person == "b" and other_time.person is None


@pytest.mark.parametrize("back_to_front", [True, False])
def test_nobody_is_confused_by_a_quick_crossing(back_to_front: bool) -> None:
    pair = [(ANN, walk((1.2, LEFT), (2.2, RIGHT))), (BEN, walk((1.2, RIGHT), (2.2, LEFT)))]
    stretches, _ = track(pair if back_to_front else pair[::-1], 4)
    last = who_at(stretches, 3.9)
    ends = {one.person: one for one in stretches if one.end >= 3.9 * FPS}
    assert set(last) == {"p01", "p02"} and ends["p01"].face != ends["p02"].face
    with borrowed_models() as models:
        tracker = PeopleTracker(models, ("p01", "p02"))
        for k in range(4 * FPS):
            live = tracker.follow(picture_of([(who, course(k / FPS)) for who, course in pair], k), to_ns(k / FPS))
        assert {one.stretch.person: round(float(one.place[0]) / SIZE[0], 1) for one in live} == {"p01": 0.7, "p02": 0.3}
