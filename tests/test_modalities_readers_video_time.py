"""Repeated frames, headers against sound, chapters: small lossy videos with known faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Video
from modalities.readers import open_stream
from modalities.readers.chapter_borders import timecode_frames
from modalities.readers.media import sound_end_ns
from modalities.readers.video_time import DuplicateMeter, Repeats, judge_changes, predicts_both_ways
from pipeline.simulate.clips import cut_clip, noisy_pictures, write_clip


def video(root: Path, *files: str, kind: str = "face_rgb") -> Video:
    where = {"file": files[0]} if len(files) == 1 else {"files": list(files)}
    stream = open_stream(StreamEntry.model_validate({"name": "v", "kind": kind, **where}), root, None)
    assert isinstance(stream, Video)
    return stream


def repeats_of(root: Path, again: np.ndarray, *, moving: float, quality: int, noise: float = 3.0) -> Repeats:
    moments = np.maximum.accumulate(np.where(again, 0, np.arange(len(again))))
    pictures = noisy_pictures(moments, 7, moving=moving, noise=noise)
    write_clip(root / "v.mp4", pictures, np.arange(len(again)) / 30, quality=quality)
    meter = DuplicateMeter()
    for frame in video(root, "v.mp4").frames():
        meter.see(frame.image, frame.index)
    return meter.result()


@pytest.mark.parametrize("moving", [0.0, 4.0])
@pytest.mark.parametrize("sort", ["none", "some", "every second", "frozen"])
def test_repeated_frames_are_found_in_noise(tmp_path: Path, moving: float, sort: str) -> None:
    again = np.zeros(150, bool)
    if sort == "some":
        again[np.random.default_rng(1).choice(np.arange(3, 150), 8, replace=False)] = True
    again |= {"every second": np.arange(150) % 2 == 1, "frozen": np.abs(np.arange(150) - 70) < 15}.get(sort, False)
    found = repeats_of(tmp_path, again, moving=moving, quality=16)
    truth = np.flatnonzero(again)
    assert found.count is not None
    assert np.isin(found.indices, truth).all(), "a frame that noise shows to be new is never called repeated"
    assert len(found.indices) >= 0.9 * len(truth)


def test_a_still_scene_without_noise_is_not_judged(tmp_path: Path) -> None:
    for quality, noise, moving in ((30, 3.0, 0.0), (30, 3.0, 4.0), (16, 0.0, 0.0)):
        found = repeats_of(tmp_path, np.zeros(150, bool), moving=moving, quality=quality, noise=noise)
        assert found.count is None and not len(found.indices) and "too little changes" in found.sentence


def test_changes_without_a_valley_are_not_judged() -> None:
    rng = np.random.default_rng(2)
    changes = np.r_[np.nan, rng.uniform(0, 1, 500)].astype(np.float32)
    repeated, judged = judge_changes(changes, np.ones(501, np.float32))
    assert not repeated.any() and judged == 0.0


def test_the_meter_takes_any_depth_and_numbers_of_its_caller() -> None:
    rng = np.random.default_rng(3)
    meter = DuplicateMeter()
    picture = np.zeros((60, 80), np.uint16)
    for at in range(60):
        picture = picture if at == 31 else rng.integers(0, 4096, (60, 80), dtype=np.uint16)
        meter.see(picture, 2 * at)
    assert meter.result().indices.tolist() == [62] and "1 of 60 frames" in meter.result().sentence
    assert DuplicateMeter().result().count is None


def test_frames_predicted_from_later_ones_are_told_apart(tmp_path: Path) -> None:
    for name, both in (("b.mp4", True), ("p.mp4", False)):
        write_clip(tmp_path / name, noisy_pictures(range(40), 1), np.arange(40) / 30, both_ways=both)
        assert predicts_both_ways(tmp_path / name) is both
    hidden = Repeats(40, np.zeros(0, np.int64), 1.0, hidden=True)
    assert hidden.count is None and "would not show" in hidden.sentence
    some = Repeats(40, np.array([3]), 1.0, hidden=True)
    assert some.count is None and some.sentence.startswith("at least 1 of 40")


def test_a_rate_that_contradicts_the_sound_is_noted(tmp_path: Path) -> None:
    write_clip(tmp_path / "w.mp4", noisy_pictures(range(180), 1), np.arange(180) / 25, sound_s=6.0)
    write_clip(tmp_path / "r.mp4", noisy_pictures(range(180), 1), np.arange(180) / 30, sound_s=6.0)
    assert sound_end_ns(tmp_path / "w.mp4") == pytest.approx(6e9, abs=1e8)
    assert any("says 25.00 frames per second, 30.00 fits" in note for note in video(tmp_path, "w.mp4").info.notes)
    assert video(tmp_path, "r.mp4").info.notes == () and video(tmp_path, "r.mp4").info.nominal_rate_hz == 30


def chapter(path: Path, first: int, **stated: str) -> None:
    write_clip(path, noisy_pictures(range(first, first + 60), 1), np.arange(60) / 30, stated=stated)


@pytest.mark.parametrize(
    "first,second,gap_s",
    [
        ({}, {}, 0.0),
        ({"timecode": "10:00:00:00"}, {"timecode": "10:00:02:00"}, 0.0),
        ({"timecode": "23:59:58:15"}, {"timecode": "00:00:03:00"}, 2.5),
        ({"creation_time": "2026-01-01T10:00:00Z"}, {"creation_time": "2026-01-01T10:00:09Z"}, 7.0),
        ({"creation_time": "2026-01-01T10:00:00Z"}, {"creation_time": "2026-01-01T10:00:03Z"}, 0.0),
        ({"creation_time": "2026-01-01T10:00:00Z"}, {"creation_time": "2026-01-01T10:00:00Z"}, 0.0),
    ],
)
def test_a_gap_between_chapters_is_found(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], gap_s: float
) -> None:
    chapter(tmp_path / "a.mp4", 0, **first)
    chapter(tmp_path / "b.mp4", 60, **second)
    joined = video(tmp_path, "a.mp4", "b.mp4")
    times = joined.axis.times_ns / 1e9
    assert joined.axis.n == 120 and times[60] - times[59] == pytest.approx(1 / 30 + gap_s, abs=1e-6)
    assert any("lie between chapters 1 and 2" in note for note in joined.info.notes) == bool(gap_s)


@pytest.mark.parametrize("keep", [False, True])
def test_chapters_that_overlap_show_each_frame_once(tmp_path: Path, keep: bool) -> None:
    write_clip(tmp_path / "w.mp4", noisy_pictures(range(420), 1), np.arange(420) / 30, gop=30)
    cut_clip(tmp_path / "w.mp4", tmp_path / "a.mp4", 0, 240)
    cut_clip(tmp_path / "w.mp4", tmp_path / "b.mp4", 210, 210, keep_times=keep)
    joined, whole = video(tmp_path, "a.mp4", "b.mp4"), video(tmp_path, "w.mp4")
    assert np.abs(joined.axis.times_ns - whole.axis.times_ns).max() < 1_000_000
    assert any("1.000 s are in both of chapters 1 and 2" in note for note in joined.info.notes)
    for one, other in zip(joined.frames(), whole.frames(), strict=True):
        assert one.index == other.index and np.array_equal(one.image, other.image)


def test_sound_of_chapters_has_the_gap_of_the_pictures(tmp_path: Path) -> None:
    for name, start in (("a.mp4", "10:00:00:00"), ("b.mp4", "10:00:05:00")):
        pictures = noisy_pictures(range(60), 1)
        write_clip(tmp_path / name, pictures, np.arange(60) / 30, sound_s=2.0, stated={"timecode": start})
    sound = open_stream(StreamEntry(name="s", kind="audio", files=["a.mp4", "b.mp4"]), tmp_path, None)
    assert isinstance(sound, Audio) and len(sound.support) == 2
    assert sound.support.bounds[1, 0] / 1e9 == pytest.approx(5.0, abs=0.1)


def test_picking_late_frames_gives_the_same_pictures(tmp_path: Path) -> None:
    write_clip(tmp_path / "v.mp4", noisy_pictures(range(200), 1), np.arange(200) / 30, gop=25, both_ways=True)
    stream = video(tmp_path, "v.mp4")
    every = {frame.index: frame.image for frame in stream.frames()}
    picked = list(stream.frames_at([130, 131, 177, 199]))
    assert [one.index for one in picked] == [130, 131, 177, 199]
    assert all(np.array_equal(one.image, every[one.index]) for one in picked)


def test_timecode_counts_frames() -> None:
    assert timecode_frames("00:01:00:00", 25) == 1500 and timecode_frames("01:00:00:00", 29.97) == 108_000
    assert timecode_frames("00:01:00;02", 29.97) == 1800 and timecode_frames("01:00:00;00", 29.97) == 107_892
    assert timecode_frames("00:00:00:25", 25) is None and timecode_frames("ten", 25) is None
