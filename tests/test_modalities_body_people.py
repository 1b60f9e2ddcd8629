"""Two people in one body video, rendered beside each other: each pose goes to the person whose face is above it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.stream import Seat, StreamInfo, Video
from data_schemas.time import Explicit, to_ns
from modalities.base import Task
from modalities.body.encoder import BodyEncoder
from modalities.body.pose import load_tracker
from pipeline.simulate.body import render_body
from pipeline.simulate.motion import BodyMotion
from pipeline.simulate.profiles import Profile

WIDTH, HEIGHT, HZ = 480, 360, 10
TIMES = np.arange(42) / HZ
LEFT, RIGHT = Profile(0.6, 1.0, 1.7, 2.1), Profile(2.2, 2.6, 3.3, 3.7)
"""The person at the left of the picture raises the left hand, then the one at the right the right hand."""


def seated(side: str, touch: Profile, seed: int) -> list[np.ndarray]:
    still = np.zeros(len(TIMES))
    hands = {"left": still, "right": still, side: touch(TIMES)}
    motion = BodyMotion(TIMES, hands["left"], hands["right"], 0.4 * np.sin(TIMES + seed), still)
    return list(render_body(motion, size=(WIDTH, HEIGHT), seed=seed))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [np.hstack(pair) for pair in zip(seated("left", LEFT, 1), seated("right", RIGHT, 2), strict=True)]


def encode(
    pictures: list[np.ndarray], people: tuple[str, ...], seats: tuple[Seat, ...] = (), hands_hz: float = 0
) -> dict[str, Encoding]:
    video = Video(
        info=StreamInfo("room", "body_video", "session", people=people, seats=seats),
        axis=Explicit(np.asarray(to_ns(TIMES[: len(pictures)]))),
        source=lambda: enumerate(pictures),
        width=2 * WIDTH,
        height=HEIGHT,
    )
    task = Task(people[0], {"room": video}, Interval(0, to_ns(60.0)), {"hands_hz": hands_hz})
    found = BodyEncoder().encode_several(task, people)
    assert [one.person for one in found] == list(people)
    return {one.person: one.check() for one in found}


def touches(encoding: Encoding) -> list[tuple[str, float]]:
    return [(e.label, round(e.onset_ns / 1e9, 1)) for e in encoding.events if e.kind == "hand_to_face"]


def check_left_and_right(left: Encoding, right: Encoding) -> None:
    for one, side, touch in ((left, "left", LEFT), (right, "right", RIGHT)):
        ((label, onset_s),) = touches(one)
        assert label == side and touch.onset_s <= onset_s <= touch.apex_s + 0.2
        assert {event.person for event in one.events} == {one.person}
        assert one.quality["body_found"] > 0.95
        speed = one.track.column(f"{side}_hand_speed")[0]
        other = one.track.column(f"{'right' if side == 'left' else 'left'}_hand_speed")[0]
        assert speed.max() > 4 * other.max()


def test_each_person_gets_the_own_movement_from_left_to_right(pictures):
    found = encode(pictures, ("anna", "ben"), hands_hz=2)
    check_left_and_right(found["anna"], found["ben"])
    assert not found["anna"].problems
    assert all(one.track.column("right_hand_confidence")[1].mean() > 0.9 for one in found.values())
    assert load_tracker.cache_info().misses == 1


def test_the_order_of_the_manifest_and_its_answers_decide(pictures):
    seats = (Seat(0.0, "anna", 0.25), Seat(0.0, "ben", 0.75))
    for answers, left, right in (((), "ben", "anna"), (seats, "anna", "ben")):
        found = encode(pictures[5:16], ("ben", "anna"), answers)
        raised = {name: one.track.column("left_hand_speed")[0].max() for name, one in found.items()}
        assert raised[left] > 4 * raised[right]


def test_a_person_who_leaves_is_missing_and_the_other_goes_on(pictures):
    wall = pictures[0][:, :40].mean(axis=(0, 1))
    gone = [picture.copy() for picture in pictures]
    for at in range(22, 34):
        gone[at][:, WIDTH:] = wall
    found = encode(gone, ("anna", "ben"))
    away = np.flatnonzero(found["ben"].track.reason == "no_body")
    assert set(range(22, 34)) <= set(away.tolist()) and len(away) < 20
    assert not found["ben"].track.valid[away].any()
    assert found["anna"].quality["body_found"] > 0.95 and [one[0] for one in touches(found["anna"])] == ["left"]


def test_a_body_goes_on_while_its_face_is_covered(pictures):
    covered = [picture.copy() for picture in pictures[:26]]
    for picture in covered[8:22]:
        picture[60:126, 205:282] = (120, 110, 100)
    found = encode(covered, ("anna", "ben"))
    assert found["anna"].quality["body_found"] > 0.95 and found["ben"].quality["body_found"] > 0.95
    assert [one[0] for one in touches(found["anna"])] == ["left"] and not touches(found["ben"])


def test_who_never_comes_into_view_is_told(pictures):
    alone = [replace_right(picture) for picture in pictures[:12]]
    found = encode(alone, ("anna", "ben"))
    assert not any(one.track.valid.any() for one in found.values()), "the only face could be either of them"
    assert set(found["anna"].track.reason) <= {"unsure_who", "no_body"} and "unsure_who" in found["anna"].track.reason
    (question,) = found["anna"].problems
    assert "anna or ben" in question.what and question.stream == "room"
    answered = encode(alone, ("anna", "ben"), (Seat(0.0, "anna", None),))
    assert answered["anna"].quality["body_found"] > 0.9
    assert not answered["ben"].track.valid.any() and "face was not seen" in answered["ben"].warnings[0]


def replace_right(picture: np.ndarray) -> np.ndarray:
    out = picture.copy()
    out[:, WIDTH:] = picture[:, :40].mean(axis=(0, 1))
    return out


def test_one_person_is_encoded_as_before(pictures):
    video = Video(
        info=StreamInfo("room", "body_video", "session", "p01"),
        axis=Explicit(np.asarray(to_ns(TIMES[:12]))),
        source=lambda: enumerate(picture[:, :WIDTH] for picture in pictures[:12]),
        width=WIDTH,
        height=HEIGHT,
    )
    task = Task("p01", {"room": video}, Interval(0, to_ns(60.0)))
    before = BodyEncoder().encode(task)
    encode(pictures[:2], ("anna", "ben"))
    shared = replace(video, info=replace(video.info, person=None, people=("p01", "p02")))
    again = BodyEncoder().encode(replace(task, streams={"room": shared}))
    assert np.array_equal(before.track.values, again.track.values) and before.events == again.events
