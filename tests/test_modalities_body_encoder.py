"""The body encoder from pictures: rendered persons with known movement, hard videos, and the real ones where given."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import Explicit, to_ns
from modalities.base import Task
from modalities.body.observation import Timer
from modalities.body.pictures import as_picture
from modalities.body.pixels import PixelMotion
from modalities.body.pose import load_tracker
from modalities.registry import load_encoder
from pipeline.simulate.body import render_body
from pipeline.simulate.motion import BodyMotion
from pipeline.simulate.profiles import Profile

SIZE = (480, 360)
TOUCH = Profile(1.0, 1.6, 2.6, 3.2)


def rendered(times_s: np.ndarray, side: str = "left", touch: Profile = TOUCH) -> list[np.ndarray]:
    """Pictures of a person whose hand goes to the face and back."""
    still = np.zeros(len(times_s))
    hands = {"left": still, "right": still, side: touch(times_s)}
    motion = BodyMotion(times_s, hands["left"], hands["right"], 0.5 * np.sin(times_s), still)
    return list(render_body(motion, size=SIZE))


def empty_room(n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    wall = np.linspace(90, 170, SIZE[0])[None, :, None] * np.ones((SIZE[1], 1, 3))
    return [np.clip(wall + rng.normal(0, 2, wall.shape), 0, 255).astype(np.uint8) for _ in range(n)]


def video_of(times_s: np.ndarray, pictures: Callable[[], Iterator[np.ndarray]], name: str = "room") -> Video:
    first = next(iter(pictures()), np.zeros((*SIZE[::-1], 3), np.uint8))
    return Video(
        info=StreamInfo(name, "body_video", "session", "p01"),
        axis=Explicit(np.asarray(to_ns(np.asarray(times_s, dtype=float)))),
        source=lambda: enumerate(pictures()),
        width=first.shape[1],
        height=first.shape[0],
    )


def encode(*videos: Video, **settings_: object) -> Encoding:
    task = Task("p01", {video.info.name: video for video in videos}, Interval(0, to_ns(60.0)), settings_)
    return load_encoder("body").encode(task).check()


@pytest.fixture(scope="module")
def touched() -> tuple[np.ndarray, list[np.ndarray]]:
    """4.4 s at 15 frames per second with uneven distances, as webcams have; the left hand touches the chin."""
    rng = np.random.default_rng(1)
    times_s = np.arange(66) / 15 + rng.uniform(-0.015, 0.015, 66)
    return times_s, rendered(times_s)


@pytest.fixture(scope="module")
def encoding(touched) -> Encoding:
    times_s, pictures = touched
    return encode(video_of(times_s, lambda: iter(pictures)))


def test_a_rendered_hand_to_face_is_found_when_it_was_planted(encoding):
    (touch,) = [event for event in encoding.events if event.kind == "hand_to_face"]
    assert touch.label == "left" and touch.person == "p01"
    planted = Interval(to_ns(TOUCH.onset_s), to_ns(TOUCH.offset_s))
    assert Interval(touch.onset_ns, touch.offset_ns).iou(planted) > 0.5
    assert TOUCH.apex_s - 0.2 <= touch.apex_ns / 1e9 <= TOUCH.release_s + 0.2
    values, valid = encoding.track.column("hand_to_face")
    seconds = encoding.track.times_ns / 1e9
    held = (seconds > TOUCH.apex_s) & (seconds < TOUCH.release_s)
    assert valid.all() and values[held].all() and not values[seconds < TOUCH.onset_s].any()


def test_hands_move_when_and_only_when_planted(encoding):
    seconds = encoding.track.times_ns / 1e9
    left, right = (encoding.track.column(f"{side}_hand_speed")[0] for side in ("left", "right"))
    rising = (seconds > 1.1) & (seconds < 1.5)
    still = (seconds < 0.7) | (seconds > 3.6)
    assert left[rising].min() > 5 * left[still].max()
    assert right.max() < 0.3 * left.max()
    assert [event.label for event in encoding.events if event.kind == "gesture"] == ["left", "left"]


def test_quality_and_parameters_say_how_it_was_made(encoding):
    assert encoding.quality["body_found"] == 1.0
    assert encoding.quality["median_confidence"] > 0.8
    assert encoding.quality["processed_hz"] == pytest.approx(10, rel=0.05)
    assert encoding.quality["frames_read"] == 66
    assert encoding.parameters["pose_hz"] == 10.0
    assert encoding.streams == ("room",) and encoding.warnings == ()


def test_the_same_video_gives_the_same_numbers_and_the_model_is_loaded_once(touched, encoding):
    times_s, pictures = touched
    again = encode(video_of(times_s, lambda: iter(pictures)))
    assert np.array_equal(again.track.values, encoding.track.values)
    assert again.events == encoding.events
    assert load_tracker.cache_info().misses == 1


def test_a_large_picture_gives_the_features_of_a_small_one(touched):
    import cv2

    times_s, pictures = touched
    times_s, pictures = times_s[:12:3], pictures[:12:3]
    large = [cv2.resize(p, (3840, 2880), interpolation=cv2.INTER_LINEAR) for p in pictures]
    small = encode(video_of(times_s, lambda: iter(pictures)))
    grown = encode(video_of(times_s, lambda: iter(large)))
    assert np.array_equal(small.track.valid, grown.track.valid)
    for name in ("hand_face_distance_left", "hand_face_distance_right", "posture_openness"):
        assert np.allclose(small.track.column(name)[0], grown.track.column(name)[0], atol=0.1), name
    for name in ("shoulder_tilt_deg", "head_tilt_deg", "trunk_lean_deg"):
        assert np.allclose(small.track.column(name)[0], grown.track.column(name)[0], atol=3), name


def test_an_empty_room_is_no_body_everywhere():
    times_s = np.arange(20) / 10
    encoding = encode(video_of(times_s, lambda: iter(empty_room(20))))
    assert len(encoding.track.times_ns) == 20
    assert not encoding.track.valid.any()
    assert set(encoding.track.reason) == {"no_body"}
    assert encoding.events == ()
    assert encoding.quality["body_found"] == 0.0 and encoding.quality["median_confidence"] is None


def test_a_body_that_leaves_and_comes_back_is_missing_in_between(touched):
    _, pictures = touched
    shown = [*pictures[:10], *empty_room(12), *pictures[:10]]
    encoding = encode(video_of(np.arange(32) / 10, lambda: iter(shown)))
    away = np.flatnonzero(encoding.track.reason == "no_body")
    assert np.array_equal(away, np.arange(10, 22))
    assert not encoding.track.valid[10:22].any()
    confidence, valid = encoding.track.column("confidence")
    assert valid[:10].all() and valid[22:].all() and confidence[22:].min() > 0.5
    assert not encoding.track.column("pixel_motion")[1][22]
    assert not [event for event in encoding.events if event.kind != "micro_gesture"]
    gone = Interval(to_ns(1.0), to_ns(2.2))
    assert all(gone.overlap_ns(Interval(event.onset_ns, event.offset_ns)) < to_ns(0.2) for event in encoding.events)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_very_short_videos(touched, n):
    times_s, pictures = touched
    encoding = encode(video_of(times_s[:n] * 2, lambda: iter(pictures[:n])))
    assert len(encoding.track.times_ns) == n
    assert encoding.events == ()
    if n:
        assert encoding.track.column("hand_face_distance_left")[1].all()
        assert encoding.track.column("movement_energy")[1].any() == (n > 1)
        assert set(encoding.track.reason) == {""}


def test_a_video_that_breaks_keeps_what_was_read(touched):
    times_s, pictures = touched

    def breaks(after: int) -> Callable[[], Iterator[np.ndarray]]:
        def source() -> Iterator[np.ndarray]:
            yield from pictures[:after]
            raise UnreadableFileError("the file ends early", file="room.mp4")

        return source

    encoding = encode(video_of(times_s, breaks(20)))
    assert encoding.quality["frames_read"] == 20
    assert encoding.track.valid.any()
    assert "room.mp4" in encoding.warnings[0]
    broken = Video(
        info=StreamInfo("room", "body_video", "session", "p01"),
        axis=Explicit(np.arange(5)),
        source=lambda: enumerate(breaks(0)()),
        width=SIZE[0],
        height=SIZE[1],
    )
    with pytest.raises(UnreadableFileError, match=r"room\.mp4"):
        encode(broken)


@pytest.mark.parametrize(("shared", "at_once"), [(True, 4), (False, 6)])
def test_pictures_are_let_go_as_they_are_read(touched, monkeypatch, shared, at_once):
    """In one thread, and with two pictures that wait and one that is made ahead."""
    monkeypatch.setattr("data_schemas.threads._shared", shared)
    times_s, pictures = touched
    alive: list[weakref.ref] = []
    most = 0

    def source() -> Iterator[np.ndarray]:
        nonlocal most
        for picture in pictures[:30]:
            own = picture.copy()
            alive.append(weakref.ref(own))
            gc.collect()
            most = max(most, sum(ref() is not None for ref in alive))
            yield own
            del own

    gc.collect()
    gc.freeze()  # what was there before need not be looked through at every picture
    try:
        encode(video_of(times_s[:30], source))
    finally:
        gc.unfreeze()
    assert most <= at_once


def test_only_the_first_of_two_videos_is_used_and_that_is_said(touched):
    times_s, pictures = touched
    pair = [video_of(times_s[:4], lambda: iter(pictures[:4]), name) for name in ("front", "side")]
    encoding = encode(*pair)
    assert encoding.streams == ("front",)
    assert "front" in encoding.warnings[0]


@pytest.mark.parametrize("bad", [{"pose_hz": 0}, {"pose_hz": "fast"}, {"max_side_px": 50}, {"fps": 10}])
def test_wrong_settings_are_refused_by_name(touched, bad):
    times_s, pictures = touched
    with pytest.raises(InvalidValueError, match=next(iter(bad))):
        encode(video_of(times_s[:2], lambda: iter(pictures[:2])), **bad)


@settings(max_examples=60, deadline=None)
@given(st.floats(12, 240), st.floats(2, 12), st.integers(0, 1000))
def test_pictures_are_taken_by_time_at_the_wanted_mean_rate(video_hz, wanted_hz, seed):
    rng = np.random.default_rng(seed)
    steps = rng.uniform(0.5, 1.5, 600) / video_hz
    t = np.cumsum(steps)
    timer = Timer(wanted_hz)
    taken = np.array([at for at in t if timer.is_due(to_ns(at))])
    assert taken[0] == t[0]
    rate = (len(taken) - 1) / max(taken[-1] - taken[0], 1e-9) if len(taken) > 10 else wanted_hz
    assert 0.9 * min(wanted_hz, video_hz * 0.9) <= rate <= 1.1 * wanted_hz


def test_the_timer_goes_on_after_a_hole_and_takes_all_of_a_slow_video():
    timer = Timer(10)
    t = [0.0, 0.1, 0.2, 7.0, 7.05, 7.1, 7.2]
    assert [timer.is_due(to_ns(at)) for at in t] == [True, True, True, True, False, True, True]
    slow = Timer(10)
    assert all(slow.is_due(to_ns(i / 4)) for i in range(20))


def square(at: int, light: int = 0) -> np.ndarray:
    picture = np.full((240, 320, 3), 60 + light, np.uint8)
    picture[80:160, at : at + 60] = 180 + light
    return picture


def test_pixel_motion_is_the_mean_change_in_the_box_per_second():
    pixels = PixelMotion()
    box = (np.array([[0.25, 0.25], [0.75, 0.75]]), np.ones(2, bool))
    pixels.add(square(100), 0)
    pixels.follow(*box)
    for step in range(1, 4):
        pixels.add(square(100 + 8 * step), step * 50_000_000)
    inside = 160 * 0.5 * 1.3 * 120 * 0.5 * 1.3
    changed = 2 * 4 * 40
    assert pixels.collect() == pytest.approx(120 * changed / inside / 0.05, rel=0.05)
    assert pixels.collect() is None


def test_pixel_motion_ignores_light_noise_and_pictures_far_apart():
    rng = np.random.default_rng(0)
    pixels = PixelMotion()
    box = (np.array([[0.1, 0.1], [0.9, 0.9]]), np.ones(2, bool))
    pixels.add(square(100), 0)
    pixels.follow(*box)
    noisy = np.clip(square(100, 30) + rng.normal(0, 3, (240, 320, 3)), 0, 255).astype(np.uint8)
    pixels.add(noisy, 40_000_000)
    assert pixels.collect() < 0.05 * 30 / 0.04
    pixels.add(square(180), 2_000_000_000)
    assert pixels.collect() is None
    pixels.follow(None, None)
    pixels.add(square(100), 2_040_000_000)
    assert pixels.collect() is None


@pytest.mark.parametrize("kind", ["grey", "deep"])
def test_any_picture_becomes_rgb_of_bounded_size(kind):
    shade = np.tile(np.linspace(0, 1, 1920), (1080, 1))
    image = (shade * 255).astype(np.uint8) if kind == "grey" else (shade * 4000).astype(np.uint16)
    picture = as_picture(image, 640)
    assert picture.shape == (360, 640, 3) and picture.dtype == np.uint8
    assert picture.max() > 250 and picture.min() < 3


def _real(path: Path) -> Video:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        width, height = stream.width, stream.height
        stamps = [float(packet.pts * packet.time_base) for packet in container.demux(stream) if packet.pts is not None]

    def pictures() -> Iterator[np.ndarray]:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")

    assert (width, height) > (0, 0)
    return video_of(np.unique(stamps), pictures)


def test_a_real_seated_person_is_seen_in_every_frame(data_dir):
    encoding = encode(_real(data_dir / "body" / "seated_person_1080x1296.mp4"))
    confidence, valid = encoding.track.column("confidence")
    assert valid.all() and confidence.min() > 0.8
    assert encoding.quality["body_found"] == 1.0
    assert not encoding.track.column("hand_to_face")[0].any()
    assert encoding.track.column("hand_face_distance_left")[0].min() > 1


def test_a_real_video_without_a_person_is_no_body(data_dir):
    encoding = encode(_real(data_dir / "video" / "no_face.mp4"))
    assert not encoding.track.valid.any()
    assert set(encoding.track.reason) == {"no_body"}
    assert encoding.events == ()
