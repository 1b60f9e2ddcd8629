"""Fingers: what follows from landmarks of known bend, and the hands of a rendered person whose place is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.body_hands import draw_hand
from benchmarks.body_hands import measure_hands as measure_drawn
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import Explicit, to_ns
from modalities.base import Task
from modalities.body.encoder import BodyEncoder
from modalities.body.hand_model import Hand, load_hand_model
from modalities.body.hand_watch import HandWatch
from modalities.body.hands import HOLD, HandLook, bends_of, measure_hands, openness_of
from pipeline.simulate.body import render_body
from pipeline.simulate.motion import BodyMotion

TIMES = np.arange(12) / 10


def hand_of(bend_deg: float, turn: np.ndarray, size_m: float = 0.08) -> Hand:
    """A hand whose fingers are all bent by so much, half at each outer joint, in any place and orientation."""
    world = np.zeros((21, 3))
    for finger, first in enumerate((1, 5, 9, 13, 17)):
        angle, at = 0.0, np.array((0.02 * finger, 1.0, 0.0)) * size_m
        for joint in range(4):
            world[first + joint] = at
            at = at + size_m / 3 * np.array((0.0, np.cos(angle), np.sin(angle)))
            angle += np.radians(bend_deg / 2)
    return Hand(np.zeros((21, 2)), world @ turn.T + 0.3, 0.9)


def rotation(seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 170), st.integers(0, 1000), st.floats(0.04, 0.2))
def test_bend_is_that_of_the_fingers_whatever_place_size_and_view(bend, seed, size):
    found = bends_of(hand_of(bend, rotation(seed), size))
    np.testing.assert_allclose(found, bend, atol=1e-4)


def test_openness_goes_from_a_fist_to_a_flat_hand():
    bends = np.repeat(np.linspace(180, 0, 13)[:, None], 5, axis=1)
    openness = openness_of(bends)
    assert openness[0] == 0 and openness[-1] == 1 and (np.diff(openness) >= 0).all()
    thumb_only = np.array([170.0, 0, 0, 0, 0])
    assert openness_of(thumb_only) == 1, "the thumb does not count"


def look(bend: float, sure: float = 0.9, looked: bool = True, tip: float = 50.0) -> HandLook:
    return HandLook(np.array([looked, False]), np.array([sure, 0.0]), np.full((2, 5), bend), np.full((2, 5, 2), tip))


def measured(looks: list[HandLook | None], step_s: float = 0.1) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    n = len(looks)
    times_ns = np.asarray(to_ns(np.arange(n) * step_s))
    mouth = np.zeros((n, 2))
    return measure_hands(looks, times_ns, mouth, np.ones(n, bool), np.full(n, 100.0), np.ones(n, bool), 5.0)


def test_a_look_holds_until_the_next_and_no_longer():
    cells = measured([look(0), None, look(150), None, None, None, None, None])
    openness, valid = cells["left_hand_openness"]
    assert openness[:4].tolist() == [1, 1, 0, 0]
    held = int(HOLD * 2)
    assert valid.tolist() == [True] * (3 + held) + [False] * (5 - held)
    motion, known = cells["left_finger_motion"]
    assert motion[2] == pytest.approx(150 / 0.2) and not known[:2].any() and known[2]
    assert not any(valid.any() for name, (_, valid) in cells.items() if "right" in name)
    distance, _ = cells["fingertip_mouth_distance_left"]
    assert distance[0] == pytest.approx(np.hypot(50, 50) / 100)


def test_a_hand_that_was_not_seen_is_told_apart_from_one_nobody_looked_at():
    cells = measured([look(0, sure=0.0), look(0, looked=False), None, None, None])
    confidence, valid = cells["left_hand_confidence"]
    assert confidence[0] == 0 and valid[0] and not cells["left_hand_openness"][1].any()
    cells = measured([look(0, looked=False), None])
    assert not any(valid.any() for _, valid in cells.values())
    assert all(len(values) == 0 for values, _ in measured([]).values())


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    still = np.zeros(len(TIMES))
    lifted = np.clip((TIMES - 0.2) / 0.5, 0, 1)
    return list(render_body(BodyMotion(TIMES, still, lifted, still, still)))


def encode(pictures: list[np.ndarray], **settings_: object) -> Encoding:
    video = Video(
        info=StreamInfo("room", "body_video", "session", "p01"),
        axis=Explicit(np.asarray(to_ns(TIMES))),
        source=lambda: enumerate(pictures),
        width=pictures[0].shape[1],
        height=pictures[0].shape[0],
    )
    return BodyEncoder().encode(Task("p01", {"room": video}, Interval(0, to_ns(9.0)), settings_)).check()


def test_the_hand_of_a_rendered_person_is_seen_on_its_side(pictures):
    encoding = encode(pictures)
    at_rest = TIMES < 0.35
    confidence, looked = encoding.track.column("right_hand_confidence")
    assert looked.all() and confidence[at_rest].min() > 0.7
    distance, valid = encoding.track.column("fingertip_mouth_distance_right")
    assert valid[at_rest].all() and distance[at_rest].min() > 1.2
    assert encoding.track.column("right_hand_openness")[1][at_rest].all()
    assert load_hand_model.cache_info().misses == 1


def test_openness_of_drawn_hands_follows_what_was_drawn():
    figures = measure_drawn(2)
    assert figures["hands_seen"] > 0.85 and figures["hands_side_right"] > 0.6
    assert figures["openness_r"] > 0.6 and figures["openness_off"] < 0.2


def test_hands_change_nothing_else_and_may_be_left_out(pictures):
    with_hands, without = encode(pictures), encode(pictures, hands_hz=0)
    names = [name for name in with_hands.track.names if "finger" not in name and "_hand_" not in name]
    assert "hand_to_face" in names and "left_hand_speed" not in names
    for name in [*names, "left_hand_speed", "right_hand_speed"]:
        for one, other in zip(with_hands.track.column(name), without.track.column(name), strict=True):
            assert np.array_equal(one, other), name
    assert with_hands.events == without.events
    assert not without.track.column("left_hand_confidence")[1].any()


def test_hands_that_are_small_hidden_or_outside_are_left_alone(pictures):
    from modalities.body.pictures import as_picture
    from modalities.body.pose import tracking

    with tracking() as tracker:
        pose = tracker.find(as_picture(pictures[0], 640))
    assert pose is not None
    points, seen = pose[0] * (640, 480), pose[1]
    assert HandWatch().look(pictures[0], points, seen, 0).looked.all()
    assert not HandWatch().look(pictures[0], points, seen * 0.5, 0).looked.any()
    assert not HandWatch().look(pictures[0], points + np.array((0, 400)), seen, 0).looked.any()
    assert not HandWatch().look(pictures[0], points * 0.3, seen, 0).looked.any()


def test_the_hand_of_a_real_person_is_seen(data_dir):
    from benchmarks.body_recording import open_video

    video = open_video(data_dir / "body" / "seated_person_1080x1296.mp4")
    encoding = BodyEncoder().encode(Task("p01", {"video": video}, Interval(0, to_ns(60.0))))
    confidence, looked = encoding.track.column("left_hand_confidence")
    assert looked.mean() > 0.9 and np.median(confidence[looked]) > 0.9


def test_a_resting_hand_is_looked_at_once_a_second_and_one_that_moves_each_time(monkeypatch):
    """Drawn hands: the same one under fresh noise rests; fingers that bend, and a hand that leaves, do not."""
    from modalities.body import hand_watch

    looks = 0
    real = hand_watch.look_at_hand

    def counted(*given):
        nonlocal looks
        looks += 1
        return real(*given)

    monkeypatch.setattr(hand_watch, "look_at_hand", counted)

    def at(openness: float, noise: int, shift: float = 0.0):
        points, picture = draw_hand(openness, True, np.random.default_rng(5))
        rng = np.random.default_rng(noise)
        picture = np.clip(picture + rng.normal(0, 2.5, picture.shape), 0, 255).astype(np.uint8)
        joints, seen = np.full((33, 2), -1.0), np.zeros(33)
        joints[15], joints[19], joints[17], seen[15] = points[0], points[5], points[17], 1.0
        joints[15:21] += rng.normal(0, 0.6, 2) + shift
        return np.roll(picture, int(shift), (0, 1)), joints, seen

    watch = HandWatch()
    resting = [watch.look(*at(0.9, noise), to_ns(0.2 * noise)) for noise in range(15)]
    assert looks == 3, "at 0, 1 and 2 s"
    assert all(np.array_equal(one.bend, resting[0].bend) for one in resting[:5])
    looks = 0
    moving = [watch.look(*at(openness, 20), to_ns(3 + 0.2 * n)) for n, openness in enumerate(np.linspace(0.9, 0, 5))]
    assert looks == 5 and openness_of(moving[0].bend[0]) > openness_of(moving[-1].bend[0]) + 0.2
    looks = 0
    for n in range(4):
        watch.look(*at(0.0, 30, 9.0 * n), to_ns(4 + 0.1 * n))
    assert looks == 3, "only the first is where it was"
    watch.look(*at(0.0, 30, 27.0)[:2], np.zeros(33), to_ns(4.4))
    watch.look(*at(0.0, 30, 27.0), to_ns(4.5))
    assert looks == 4, "what was hidden is looked at anew"
