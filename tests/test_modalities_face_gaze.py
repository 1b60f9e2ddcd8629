"""Gaze, pupils, head turns and anchors on signals and pictures whose truth is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.time import to_ns
from modalities.face.anchor import straighten
from modalities.face.eyes import Blink, blink_duration, iris_offsets
from modalities.face.gaze import EYEBALL, MESH_GAIN, find_gaze_shifts, gaze_angles
from modalities.face.head_pose import measure_head
from modalities.face.models import borrowed_models
from modalities.face.observation import ROW, FaceObserver
from modalities.face.pupil import LEAST_IRIS_PX, describe_pupils, measure_pupils
from modalities.face.regions import EYE_OUTLINES, EYES, IRIS_CENTRES, IRIS_RINGS, NAMES, TEMPLATE
from modalities.face.registration import fit_head
from modalities.face.synthesis.gaze import turn_eyes
from modalities.face.synthesis.mesh import find_mesh
from pipeline.simulate.face_portrait import load_photograph


def test_the_iris_is_placed_between_the_corners_of_the_eye() -> None:
    frontal = np.zeros((478, 2))
    for side, x, iris in (("right", -1.0, IRIS_CENTRES[0]), ("left", 1.0, IRIS_CENTRES[1])):
        outer, inner = EYES[side]
        frontal[outer], frontal[inner] = (1.5 * x, 0.0), (0.5 * x, 0.0)
        frontal[iris] = (x + 0.1, 0.05)
    np.testing.assert_allclose(iris_offsets(frontal), [[0.1, 0.05], [0.1, 0.05]], atol=1e-12)


def looking(t: np.ndarray, places: list[tuple[float, float, float]], noise: float) -> np.ndarray:
    """Irises (frames, 2, 2) of eyes that jump to (time, yaw, pitch) within 40 ms."""
    rng = np.random.default_rng(len(t))
    yaw, pitch = np.zeros(len(t)), np.zeros(len(t))
    for start, to_yaw, to_pitch in places:
        share = np.clip((t - start) / 0.04, 0, 1)
        yaw, pitch = yaw + share * (to_yaw - yaw), pitch + share * (to_pitch - pitch)
    iris = np.array(MESH_GAIN) * EYEBALL * np.sin(np.radians(np.stack([yaw, pitch], axis=1)))
    return np.stack([iris, iris], axis=1) + noise * rng.standard_normal((len(t), 2, 2)) + (0.4, 1.0)


@pytest.mark.parametrize("fps", [25, 60, 200])
def test_jumps_of_the_eyes_are_found_with_their_direction(fps: int) -> None:
    t = np.arange(0, 20, 1 / fps)
    places = [(4.0, 15.0, 0.0), (5.5, 0.0, 0.0), (9.0, 0.0, -12.0), (9.6, 0.0, 0.0), (15.0, -20.0, 5.0), (16.0, 0, 0)]
    iris = looking(t, places, 0.15)
    angles, known = gaze_angles(iris, np.ones((len(t), 2)), np.ones(len(t), bool))
    assert known.all()
    np.testing.assert_allclose(angles[(t > 4.2) & (t < 5.4)].mean(axis=0), (15, 0), atol=0.5)
    found = find_gaze_shifts(to_ns(t), angles, known)
    assert [one.direction for one in found] == ["left", "right", "down", "up", "right", "left"]
    for one, (start, *_) in zip(found, places, strict=True):
        assert abs(one.apex_ns / 1e9 - start) < 0.06 + 1 / fps
        assert one.onset_ns <= one.apex_ns <= one.offset_ns and 0 < one.offset_ns - one.onset_ns < 0.3e9
    assert found[4].yaw_deg == pytest.approx(-20, abs=2) and found[4].pitch_deg == pytest.approx(5, abs=2)


def test_steady_eyes_do_not_jump_and_closed_ones_say_nothing() -> None:
    t = np.arange(0, 30, 1 / 30)
    for noise in (0.1, 0.5, 2.0):
        angles, known = gaze_angles(looking(t, [], noise), np.ones((len(t), 2)), np.ones(len(t), bool))
        assert find_gaze_shifts(to_ns(t), angles, known) == []
    opening = np.ones((len(t), 2))
    opening[100:110], opening[200:210, 0] = 0.2, 0.2
    angles, known = gaze_angles(looking(t, [], 0.2), opening, t > 1)
    assert not known[100:110].any() and known[200:210].all() and not known[:30].any()
    assert not angles[~known].any()


def drawn_eye(ratio: float, iris_px: float, contrast: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of two eyes and landmarks on it."""
    rng = np.random.default_rng(seed)
    side = int(8 * iris_px)
    picture = np.full((side // 2, side), 150, np.float32)
    points = np.zeros((478, 2))
    y, x = np.mgrid[: side // 2, :side].astype(np.float32)
    for at in (0, 1):
        centre = np.array([side * (0.25 + 0.5 * at) + rng.uniform(-1, 1), side * 0.25 + rng.uniform(-1, 1)])
        angle = np.linspace(0, 2 * np.pi, len(EYE_OUTLINES[at]), endpoint=False) + np.pi
        points[list(EYE_OUTLINES[at])] = centre + iris_px * np.stack(
            [1.3 * np.cos(angle), 0.48 * np.sin(angle)], axis=1
        )
        opening = np.zeros(picture.shape, np.uint8)
        cv2.fillPoly(opening, [np.rint(points[list(EYE_OUTLINES[at])]).astype(np.int32)], 1)
        far = np.hypot(x - centre[0], y - centre[1]) / (iris_px / 2)
        eye = np.where(
            far < ratio,
            35,
            np.where(far < 1, 35 + contrast + 8 * np.sin(9 * np.arctan2(y - centre[1], x - centre[0])), 190),
        )
        glint = np.hypot(x - centre[0] - 0.1 * iris_px, y - centre[1] + 0.08 * iris_px) < 0.06 * iris_px
        picture = np.where(opening > 0, np.where(glint, 250, eye), picture).astype(np.float32)
        points[IRIS_CENTRES[at]] = centre + rng.uniform(-0.03, 0.03, 2) * iris_px
        for ring, step in zip(IRIS_RINGS[at], ((1, 0), (0, -1), (-1, 0), (0, 1)), strict=True):
            points[ring] = centre + np.array(step) * iris_px / 2
    picture = cv2.GaussianBlur(picture, (0, 0), 0.02 * iris_px) + 3 * rng.standard_normal(picture.shape)
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2), points


@pytest.mark.parametrize("iris_px", [30.0, 70.0])
@pytest.mark.parametrize("ratio", [0.25, 0.4, 0.55, 0.7])
def test_pupils_of_light_eyes_are_measured(ratio: float, iris_px: float) -> None:
    picture, points = drawn_eye(ratio, iris_px, 45, round(100 * ratio))
    size, found = measure_pupils(picture, points)
    np.testing.assert_allclose(size, iris_px, rtol=1e-6)
    np.testing.assert_allclose(found, ratio, atol=0.04)


def test_pupils_that_cannot_be_told_are_not_guessed() -> None:
    for picture, points in (drawn_eye(0.4, 50, 0, 1), drawn_eye(0.4, LEAST_IRIS_PX - 2, 45, 2)):
        assert not measure_pupils(picture, points)[1].any()
    picture, points = drawn_eye(0.4, 50, 45, 3)
    for outline in EYE_OUTLINES:
        points[list(outline), 1] = points[list(outline), 1].mean() + 0.1 * (
            points[list(outline), 1] - points[list(outline), 1].mean()
        )
    assert not measure_pupils(picture, points)[1].any(), "the eyes are all but closed"
    assert "24 px are needed" in describe_pupils(np.full((5, 2), 12.0), np.zeros((5, 2)))
    assert "100%" in describe_pupils(np.full((5, 2), 40.0), np.full((5, 2), 0.4))


def test_durations_of_blinks_are_averaged_over_the_last_minute() -> None:
    t = np.arange(0, 100, 0.1)
    blinks = [
        Blink(to_ns(at - length / 2), to_ns(at), to_ns(at + length / 2), 1.0) for at, length in ((10, 0.2), (50, 0.4))
    ]
    length, known = blink_duration(to_ns(t), blinks)
    assert not known[t < 9.9].any() and known[t > 10.1].all()
    assert length[t < 45][-1] == pytest.approx(0.2) and length[600] == pytest.approx(0.3)
    assert length[-1] == pytest.approx(0.4), "the first one is more than a minute old"


@settings(max_examples=30, deadline=None)
@given(st.floats(-35, 35), st.floats(-25, 25), st.floats(-30, 30), st.floats(0.6, 1.0))
def test_yaw_does_not_trust_the_depth_of_the_mesh(yaw: float, pitch: float, roll: float, flat: float) -> None:
    mesh = np.zeros((478, 3))
    for (right, left), (out, up, forward) in TEMPLATE.items():
        mesh[left] = (out, up, forward)
        mesh[right] = (-out if right != left else out, up, forward)
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    rotation = lean @ tilt @ turn
    points = 100 * mesh @ rotation.T * (1, -1, -1)
    exact = measure_head(points, fit_head(points).rotation)
    assert exact[0] == pytest.approx(np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2])), abs=0.05)
    if abs(pitch) < 1 and abs(roll) < 1:
        shallow = points * (1, 1, flat)
        assert measure_head(shallow, fit_head(shallow).rotation)[0] == pytest.approx(yaw, abs=2.5)


def test_comparisons_with_key_pictures_take_drift_back() -> None:
    rng = np.random.default_rng(3)
    n = 1500
    t = np.arange(n) / 30
    truth = np.zeros((n, len(NAMES), 2))
    truth[:, 4, 1] = 4 * ((t > 12) & (t < 22))
    drift = np.cumsum(0.05 * rng.standard_normal(truth.shape), axis=0)
    rows = np.zeros(n, ROW)
    rows["t_ns"], rows["found"] = to_ns(t), True
    at = np.arange(60, n, 10)
    rows["key_back"][at] = at
    rows["key_motion"][at] = truth[at] - truth[0] + 0.15 * rng.standard_normal(truth[at].shape)
    wrong = rng.choice(at, 10, replace=False)
    rows["key_motion"][wrong] += 5
    traced = (truth + drift).astype(np.float32)
    before, after = traced - truth, straighten(rows, traced) - truth
    assert before.std(axis=0).mean() > 0.5
    assert (after - after.mean(axis=0)).std(axis=0).mean() < 0.2
    rows["key_back"] = 0
    np.testing.assert_array_equal(straighten(rows, traced), traced)


def test_turned_eyes_are_seen_in_a_picture() -> None:
    picture = cv2.resize(load_photograph("astronaut")[20:280, 100:360], (520, 520), interpolation=cv2.INTER_CUBIC)
    mesh = find_mesh(picture)
    turns = [(0, 0), (0, 0), (18, 0), (0, 0), (-18, 0), (0, 0), (0, 12), (0, 0), (0, -12), (0, 0)]
    turned = {turn: turn_eyes(picture, mesh, *turn) for turn in set(turns)}
    with borrowed_models() as models:
        observer = FaceObserver(models)
        for at in range(10 * len(turns)):
            observer.add(turned[turns[at // 10]], round(at * 1e9 / 15))
        rows = observer.rows()
    angles, known = gaze_angles(rows["iris"], np.ones((len(rows), 2)), rows["found"])
    assert known.all()
    seen = {turn: angles[[turns[at // 10] == turn for at in range(len(rows))]].mean(axis=0) for turn in set(turns)}
    assert 10 < seen[18, 0][0] < 26 and -26 < seen[-18, 0][0] < -10
    assert 5 < seen[0, 12][1] < 20 and -20 < seen[0, -12][1] < -5
    assert np.abs(seen[0, 0]).max() < 2
    directions = [one.direction for one in find_gaze_shifts(rows["t_ns"], angles, known)]
    assert directions[:2] == ["left", "right"]
