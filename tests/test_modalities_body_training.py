"""The network: layouts, reading of a user's clips, training with people held out, weights on disk."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.gesture_schemes import MA52
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from modalities.body.animation.script import Scene, draw_clip
from modalities.body.gestures.clips import Clips, read_clips
from modalities.body.gestures.layouts import LAYOUTS, MIRROR, find_layout, normalise, of_skeleton, to_common
from modalities.body.gestures.learned import load_gestures, name_gestures, save_gestures
from modalities.body.gestures.training import GesturePlan, Trained, augment, split_by_subject, train_gestures

NAMES = ("touch_nose", "nod", "fold_arms", "shake_leg")


def clip_of(scene: Scene) -> np.ndarray:
    begin, end = scene.acts[0].whole_s
    times = scene.skeleton.times_s
    return of_skeleton(scene.skeleton)[(times >= begin) & (times <= end)]


@pytest.fixture(scope="module")
def clips() -> Clips:
    rows = [
        (clip_of(draw_clip(name, seed, seed % 2 == 0)), name, f"s{seed % 4}") for name in NAMES for seed in range(12)
    ]
    return Clips(*(tuple(column) for column in zip(*rows, strict=True)))


@pytest.fixture(scope="module")
def trained(clips) -> Trained:
    return train_gestures(clips, GesturePlan(epochs=24, batch=12, frames=20, hold_out=0.25, seed=1))


def test_it_fits_animated_people_well_above_chance(trained, clips):
    assert trained.figures["accuracy"] >= 0.6 > 2 * trained.figures["chance"]
    held = trained.figures["subjects_held_out"]
    assert held and set(held) < set(clips.subjects)
    odds = trained.classify(clips.clips[:5])
    assert odds.shape == (5, 4) and np.allclose(odds.sum(axis=1), 1)
    assert trained.classify([]).shape == (0, 4)


def test_weights_on_disk_say_the_same_and_broken_ones_are_refused(trained, clips, tmp_path):
    path = tmp_path / "deep" / "gestures.safetensors"
    save_gestures(trained, path)
    again = load_gestures(path)
    assert again.classes == trained.classes
    assert np.allclose(again.classify(clips.clips[:4]), trained.classify(clips.clips[:4]), atol=1e-6)
    with pytest.raises(MissingFileError, match="gestures train"):
        load_gestures(tmp_path / "none.safetensors")
    path.with_suffix(".json").write_text("{}", encoding="utf-8")
    broken = path.rename(tmp_path / "deep" / "other.safetensors")
    path.with_suffix(".json").rename(broken.with_suffix(".json"))
    with pytest.raises(UnreadableFileError, match="not a gesture model"):
        load_gestures(broken)


def test_spotted_intervals_are_named(trained):
    scene = draw_clip("fold_arms", 3, False)
    span = Interval(*(to_ns(s) for s in scene.acts[0].span_s))
    events = name_gestures(scene.skeleton, [span], trained, "p01", 0.0)
    assert [event.details["by"] for event in events] == ["network"]
    assert events[0].label in NAMES and 0 < events[0].score <= 1
    assert name_gestures(scene.skeleton, [span], trained, "p01", 1.01) == ()


def test_no_person_is_on_both_sides_and_every_class_is_learnt(clips):
    for seed in range(5):
        train, test = split_by_subject(clips, 0.25, seed)
        assert not {clips.subjects[at] for at in train} & {clips.subjects[at] for at in test}
        assert sorted([*train, *test]) == list(range(len(clips.labels)))
        assert {clips.labels[at] for at in train} == set(NAMES)
    alone = Clips(clips.clips[:3], ("a", "b", "a"), ("x", "x", "x"))
    with pytest.raises(InvalidValueError, match="two persons"):
        split_by_subject(alone, 0.2, 0)
    with pytest.raises(InvalidValueError, match="held out"):
        split_by_subject(Clips(clips.clips[:2], ("a", "b"), ("x", "y")), 0.2, 0)


def test_what_the_network_sees_does_not_depend_on_size_place_and_direction_of_y(clips):
    clip = clips.clips[0]
    plain = normalise(clip, 24)
    moved = clip.copy()
    moved[..., :2] = moved[..., :2] * (2.5, -2.5) + (40, 900)
    assert plain.shape == (5, 24, 19) and plain.dtype == np.float32
    assert np.allclose(normalise(moved, 24), plain, atol=1e-4)
    assert MIRROR[MIRROR[7]] == 7 and MIRROR[0] == 0
    shaken = augment(np.stack([plain, plain]), np.random.default_rng(0))
    assert shaken.shape == (2, 5, 24, 19) and np.isfinite(shaken).all()


def test_layouts_are_told_by_the_number_of_joints_or_by_name():
    assert find_layout(33).name == "mediapipe33"
    for layout in LAYOUTS.values():
        points = np.random.default_rng(0).uniform(1, 2, (4, layout.joints, 3))
        assert len(layout.order) == 19 and to_common(points[..., :2], layout).shape == (4, 19, 3)
    with pytest.raises(InvalidValueError, match="--layout"):
        find_layout(25)
    with pytest.raises(InvalidValueError, match="12"):
        find_layout(12)
    with pytest.raises(InvalidValueError, match="kinect25"):
        find_layout(33, "kinect25")
    missing = np.ones((2, 17, 3)) * 5
    missing[0, 3], missing[1, 4, 2] = 0, 0.5
    missing[..., 2] = np.clip(missing[..., 2], 0, 1)
    assert to_common(missing, LAYOUTS["coco17"])[0, 3, 2] == 0


def write_folder(folder: Path, clips: int = 3) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for at in range(clips):
        keypoints = rng.uniform(10, 300, (20, 17, 2))
        if at % 2:
            with (folder / f"c{at}.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([f"{kind}{joint}" for joint in range(17) for kind in "xy"])
                writer.writerows(keypoints.reshape(20, -1).tolist())
        else:
            np.savez(folder / f"c{at}.npz", keypoints=keypoints)
        rows.append((f"c{at}", at, f"s{at % 2}"))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("clip", "label", "subject"), *rows])


def test_a_folder_and_a_file_are_read(tmp_path, clips):
    write_folder(tmp_path)
    found = read_clips(tmp_path, scheme="ma52")
    assert found.labels == MA52.names[:3] and found.subjects == ("s0", "s1", "s0")
    assert all(clip.shape == (20, 19, 3) for clip in found.clips)
    packed = tmp_path / "all.npz"
    np.savez(packed, x=np.ones((4, 9, 25, 3)), y=["a", "b", "a", "b"], subject=[1, 1, 2, 2], length=[9, 5, 9, 9],
             layout="openpose25")  # fmt: skip
    found = read_clips(packed)
    assert found.classes == ("a", "b") and [len(clip) for clip in found.clips] == [9, 5, 9, 9]


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda d: (d / "labels.csv").unlink(), MissingFileError, "labels.csv"),
        (lambda d: (d / "c0.npz").unlink(), MissingFileError, "c0"),
        (lambda d: (d / "c0.npz").write_bytes(b"PK broken"), UnreadableFileError, "c0.npz"),
        (lambda d: (d / "c1.csv").write_text("a,b\n1,2\n"), UnreadableFileError, "x0, y0"),
        (lambda d: (d / "labels.csv").write_text("clip,label\nc0,1\n"), UnreadableFileError, "subject"),
        (lambda d: np.savez(d / "c0.npz", keypoints=np.ones((3, 11, 2))), InvalidValueError, "11"),
        (lambda d: np.savez(d / "c0.npz", other=np.ones(3)), UnreadableFileError, "keypoints"),
    ],
)
def test_what_is_wrong_with_the_data_is_said(tmp_path, spoil, error, words):
    write_folder(tmp_path)
    spoil(tmp_path)
    with pytest.raises(error, match=words):
        read_clips(tmp_path)


def test_unknown_folders_schemes_and_numbers_are_refused(tmp_path):
    with pytest.raises(MissingFileError):
        read_clips(tmp_path / "none")
    write_folder(tmp_path)
    with pytest.raises(InvalidValueError, match="imigue or ma52"):
        read_clips(tmp_path, scheme="smg")
    (tmp_path / "labels.csv").write_text("clip,label,subject\nc0,77,s0\n")
    with pytest.raises(InvalidValueError, match="0 to 51"):
        read_clips(tmp_path, scheme="ma52")
