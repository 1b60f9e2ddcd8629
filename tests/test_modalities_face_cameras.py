"""Several cameras of one face: what is averaged, what is chosen, and that any one of them may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import NS_PER_S, Explicit
from modalities.base import Task
from modalities.face.action_units import AU_NAMES, load_units
from modalities.face.analysis import analyse_views
from modalities.face.combination import combine_views, common_times
from modalities.face.depth.beside import depth_for
from modalities.face.encoder import FaceEncoder
from modalities.face.eyes import Blink
from modalities.face.features import FEATURES
from modalities.face.pulse import find_pulse
from modalities.face.regions import NAMES
from modalities.face.spotting.base import load_spotter
from modalities.face.view import View
from pipeline.simulate.face import puppet_of
from pipeline.simulate.face_cameras import Cameras
from pipeline.simulate.motion import FaceMotion

FPS, SECONDS = 25, 5.0
WIDE = 2 * len(NAMES) + 5


def axis(seconds: float, fps: float, start_s: float = 0.0) -> np.ndarray:
    return np.rint((start_s + np.arange(int(seconds * fps)) / fps) * NS_PER_S).astype(np.int64)


def view_of(
    times_ns: np.ndarray,
    moved: np.ndarray,
    judged: np.ndarray | None = None,
    *,
    blinks: Sequence[Blink] = (),
    yaw_deg: float = 0.0,
    reason: str = "no_face",
) -> View:
    n = len(times_ns)
    judged = np.ones(n, bool) if judged is None else judged
    told = {feature.name: (np.full(n, 0.5), judged) for feature in FEATURES}
    told["yaw_deg"] = (np.full(n, yaw_deg), judged)
    moved = np.repeat(moved[:, None], WIDE, axis=1).astype(np.float32) * judged[:, None]
    return View(
        times_ns=times_ns,
        reasons=np.where(judged, "", reason).astype(object),
        moved=moved,
        angles=np.tile([yaw_deg, 0.0, 0.0], (n, 1)),
        blinks=tuple(blinks),
        gaze=np.zeros((n, 2)),
        gazing=judged,
        columns=told,
        pulse=find_pulse(times_ns, None, judged),
    )


# --- what is averaged


def test_the_stiller_camera_counts_more_and_both_together_are_better() -> None:
    rng = np.random.default_rng(0)
    times = axis(20, 30)
    true = 3 * np.sin(times / NS_PER_S)
    errors = {}
    views = [view_of(times, true + spread * rng.standard_normal(len(times))) for spread in (0.5, 1.0)]
    errors["first"], errors["second"] = (float(np.std(one.moved[:, 0] - true)) for one in views)
    errors["both"] = float(np.std(combine_views(views).moved[:, 0] - true))
    assert errors["both"] < 0.95 * errors["first"] < errors["second"]
    assert errors["both"] == pytest.approx((1 / 0.5**2 + 1 / 1.0**2) ** -0.5, rel=0.1), "as inverse variances have it"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(10, 60), st.floats(0, 0.5), st.floats(2, 6)), min_size=1, max_size=3))
def test_agreeing_cameras_of_any_rate_and_extent_are_not_changed(cameras: list[tuple[int, float, float]]) -> None:
    views = []
    for fps, start_s, seconds in cameras:
        times = axis(seconds, fps, start_s)
        views.append(view_of(times, 2.0 * times / NS_PER_S))
    found = combine_views(views)
    assert np.all(np.diff(found.times_ns) > 0) and set(views[0].times_ns) <= set(found.times_ns)
    assert found.judged.all()
    np.testing.assert_allclose(found.moved[:, 0], 2.0 * found.times_ns / NS_PER_S, atol=1e-3)


def test_units_of_a_noisy_camera_are_read_off_settled_movement_and_spotters_see_it_as_it_is() -> None:
    times = axis(20, 30)
    course = np.zeros(len(times))
    course[300:345] = 0.8 * np.hanning(45)
    true = np.outer(course, load_units().atoms[AU_NAMES.index("au25")])
    noise = np.random.default_rng(4).normal(0, 0.5, true.shape)
    view = replace(view_of(times, course), moved=(true + noise).astype(np.float32))
    r = {}
    for noisy in (False, True):
        found = analyse_views([replace(view, moved=view.moved.copy(), noisy=noisy)], load_spotter("temporal"))
        r[noisy] = float(np.corrcoef(found.track.column("au25")[0], course)[0, 1])
        r[noisy, "score"] = found.track.column("expression_score")[0].tolist()
    assert r[True] > r[False] + 0.1 and r[True] > 0.7
    assert r[True, "score"] == r[False, "score"]
    clear = view_of(times, course)
    assert not combine_views([clear, clear]).noisy and combine_views([clear, replace(clear, noisy=True)]).noisy


def test_a_camera_that_loses_the_face_fades_out() -> None:
    times = axis(10, 30)
    lost = (times >= 4 * NS_PER_S) & (times < 6 * NS_PER_S)
    first, second = view_of(times, np.full(len(times), 1.0), ~lost), view_of(times, np.full(len(times), 2.0))
    found = combine_views([first, second])
    assert found.judged.all(), "the other one sees the face all the time"
    course = found.moved[:, 0]
    assert course[15] == pytest.approx(1.5, abs=0.01) and course[150] == pytest.approx(2.0)
    assert np.abs(np.diff(course)).max() < 0.2, "no jump that looks like a movement"
    alone = combine_views([first, view_of(times, np.full(len(times), 2.0), ~lost, reason="too_dark")])
    assert list(alone.reasons[lost]) == ["no_face"] * int(lost.sum()), "the first camera says why"


def test_frames_are_added_where_the_first_camera_has_none() -> None:
    early, late = axis(2, 30), axis(2, 25, 5.0)
    times = common_times([early, late])
    assert list(times) == [*early, *late]
    found = combine_views([view_of(early, np.zeros(len(early))), view_of(late, np.ones(len(late)))])
    assert found.judged.all() and found.moved[-1, 0] == 1
    assert list(common_times([early, early + NS_PER_S // 60])) == list(early), "frames between frames are not"


def test_blinks_come_from_the_first_camera_that_could_see_them() -> None:
    times = axis(10, 30)
    first_s, both_s, second_s = (round(at * NS_PER_S) for at in (1.0, 2.0, 7.0))
    blinks = [Blink(at, at + NS_PER_S // 10, at + NS_PER_S // 5, 0.9) for at in (first_s, both_s, second_s)]
    half = times < 5 * NS_PER_S
    one = view_of(times, np.zeros(len(times)), half, blinks=blinks[:2])
    other = view_of(times, np.zeros(len(times)), blinks=[blinks[1], blinks[2]])
    assert combine_views([one, other]).blinks == (blinks[0], blinks[1], blinks[2])


def test_angles_are_counted_from_where_the_first_camera_stands() -> None:
    times = axis(4, 30)
    half = times < 2 * NS_PER_S
    first = view_of(times, np.zeros(len(times)), half, yaw_deg=5.0)
    beside = view_of(times, np.zeros(len(times)), yaw_deg=17.0)
    found = combine_views([first, beside])
    np.testing.assert_allclose(found.columns["yaw_deg"][0], 5.0)
    assert found.columns["yaw_deg"][1].all()


def test_a_spotter_of_pictures_judges_by_the_first_camera_whose_pictures_were_kept() -> None:
    times = axis(8, 30)
    lost = (times >= 3 * NS_PER_S) & (times < 5 * NS_PER_S)
    first = view_of(times, np.zeros(len(times)), ~lost)
    kept = load_spotter("strain").reducer()
    assert kept is not None
    first = replace(first, reduced={"strain": kept.finish(len(times))})
    other = view_of(times, np.zeros(len(times)))
    for name, judged in (("strain", ~lost), ("temporal", np.ones(len(times), bool))):
        track = analyse_views([first, other], load_spotter(name)).track
        assert track.column("au12_left")[1].all()
        np.testing.assert_array_equal(track.column("expression_score")[1], judged)


def test_depth_read_along_is_the_depth_stream_itself(streams: tuple[dict[str, Video], FaceMotion]) -> None:
    films, _ = streams
    depth, rgb = films["depth"], films["rgb"]
    beside, told = depth_for(rgb, [rgb, depth])
    assert beside is not None and not told
    for frame in depth.frames():
        read = beside.at(frame.t_ns)
        assert read is not None
        np.testing.assert_array_equal(
            read((60, 40, 160, 140)).distance_mm, beside.of(frame)((60, 40, 160, 140)).distance_mm
        )
    assert beside.at(depth.axis.end_ns + NS_PER_S) is None, "nothing is near any more"


# --- rendered


def numbered(pictures: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    return iter(enumerate(pictures))


@pytest.fixture(scope="module")
def streams() -> tuple[dict[str, Video], FaceMotion]:
    times = np.arange(int(FPS * SECONDS)) / FPS
    smile = 0.5 - 0.5 * np.cos(np.pi * np.interp(times, (1.5, 1.9, 2.7, 3.1), (0, 1, 1, 0)))
    motion = FaceMotion(
        times_s=times,
        aus={"au12_left": 0.8 * smile, "au12_right": 0.8 * smile},
        yaw_deg=3 * np.sin(0.9 * times),
        blink=np.interp(times, (3.9, 4.0, 4.15), (0, 1, 0)),
    )
    cameras = Cameras(puppet_of("astronaut", (320, 240), 150, 3, 0), seed=3)
    out: dict[str, Video] = {}
    for name in cameras.names:
        pictures = list(cameras.frames(name, motion))
        extra: dict[str, Any] = {"depth_scale_m": 0.0001} if name == "depth" else {}
        out[name] = Video(
            info=StreamInfo(name, f"face_{name}", "session", "p01"),
            axis=Explicit(np.rint(times * NS_PER_S).astype(np.int64)),
            source=partial(numbered, pictures),
            width=320,
            height=240,
            camera=cameras.lenses[name],
            **extra,
        )
    return out, motion


def encode(streams: Sequence[Video]) -> Encoding:
    task = Task("p01", {one.info.name: one for one in streams}, Interval(0, round(SECONDS * NS_PER_S)))
    return FaceEncoder().encode(task).check()


@pytest.mark.parametrize(
    "cameras",
    [("rgb", "nir", "depth"), ("nir", "depth"), ("rgb", "depth"), ("rgb", "nir"), ("nir",), ("depth",)],
)
def test_the_same_smile_whichever_camera_is_missing(
    cameras: tuple[str, ...], streams: tuple[dict[str, Video], FaceMotion]
) -> None:
    films, motion = streams
    found = encode([films[name] for name in cameras])
    assert found.streams == cameras
    assert found.parameters["kind"] == " + ".join(f"face_{name}" for name in cameras)
    values, valid = found.track.column("au12")
    assert valid.mean() > 0.95
    assert np.corrcoef(values[valid], motion.aus["au12_left"][valid])[0, 1] > 0.8
    smiles = [event for event in found.events if event.kind == "macro" and "AU12" in (event.label or "")]
    assert len(smiles) == 1 and abs(smiles[0].onset_ns / NS_PER_S - 1.5) < 0.35
    seen = "rgb" in cameras or "nir" in cameras
    assert found.track.column("gaze_yaw_deg")[1].any() == seen, "a depth camera cannot tell where an eye looks"
    (blink,) = (event for event in found.events if event.kind == "blink")
    assert blink.apex_ns is not None and abs(blink.apex_ns / NS_PER_S - 4.0) < 0.1
    distance, measured = found.track.column("distance_mm")
    assert measured.any() == ("depth" in cameras)
    if measured.any():
        assert np.abs(distance[measured] - 600).max() < 40
    if len(cameras) > 1:
        assert set(found.quality["cameras"]) == set(cameras)
        assert all(0 < one["confidence"] <= 1 for one in found.quality["cameras"].values())


def test_what_a_depth_camera_needs_is_said(streams: tuple[dict[str, Video], FaceMotion]) -> None:
    films, _ = streams
    few = {name: cut(film, 15) for name, film in films.items()}
    no_unit = encode([few["rgb"], replace(few["depth"], depth_scale_m=None)])
    assert any("depth_scale_m is not stated" in text for text in no_unit.warnings)
    no_lens = encode([replace(few["rgb"], camera=None), few["depth"]])
    assert any("no intrinsics of 'rgb'" in text for text in no_lens.warnings)


def cut(film: Video, frames: int) -> Video:
    pictures = [image for _, image in list(film.source())[:frames]]
    return replace(film, axis=Explicit(film.times_ns[:frames]), source=partial(numbered, pictures))
