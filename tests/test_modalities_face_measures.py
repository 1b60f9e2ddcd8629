"""Eyes, mouth, head, neutral, action units and trajectories on signals whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.time import to_ns
from modalities.face.eyes import blink_rate, closure_of, find_blinks, lid_heights, measure_opening
from modalities.face.flow import LAGS_S
from modalities.face.head_pose import head_angles
from modalities.face.mouth import find_speech
from modalities.face.neutral import subtract_neutral
from modalities.face.observation import ROW
from modalities.face.regions import EYES, LIDS, NAMES, TEMPLATE
from modalities.face.registration import OneEuro, fit_head
from modalities.face.trajectory import trace_regions


def bump(times_s: np.ndarray, start: float, end: float) -> np.ndarray:
    """Raised cosine from 0 over 1 back to 0."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.clip((times_s - start) / (end - start), 0, 1))


def rotation_of(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation of the head in camera axes (right, up, towards the camera)."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return lean @ tilt @ turn


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-35, 35),
    st.floats(-25, 25),
    st.floats(-30, 30),
    st.floats(20, 600),
    st.floats(0, 3000),
    st.floats(0, 2000),
)
def test_the_head_is_found_wherever_it_is(
    yaw: float, pitch: float, roll: float, iod: float, x: float, y: float
) -> None:
    mesh = np.zeros((478, 3))
    for (right, left), (out, up, forward) in TEMPLATE.items():
        mesh[left] = (out, up, forward)
        mesh[right] = (-out if right != left else out, up, forward)
    points = iod * mesh @ rotation_of(yaw, pitch, roll).T * (1, -1, -1) + (x, y, 0)
    head = fit_head(points)
    found = head_angles(head.rotation)
    expected_forward = rotation_of(yaw, pitch, roll)[:, 2]
    assert found[0] == pytest.approx(np.degrees(np.arctan2(expected_forward[0], expected_forward[2])), abs=0.01)
    assert found[1] == pytest.approx(np.degrees(np.arcsin(expected_forward[1])), abs=0.01)
    assert head.iod_px == pytest.approx(iod, rel=1e-6)
    assert head.residual < 1e-6


def test_directions_of_the_head() -> None:
    turned, raised, leant = (
        head_angles(rotation_of(*angles).T) for angles in ((10.0, 0.0, 0.0), (0.0, 10.0, 0.0), (0.0, 0.0, 10.0))
    )
    np.testing.assert_allclose(turned, (10, 0, 0), atol=1e-9)
    np.testing.assert_allclose(raised, (0, 10, 0), atol=1e-9)
    np.testing.assert_allclose(leant, (0, 0, 10), atol=1e-9)
    # To the person's left is to the right of the picture, and clockwise takes the person's left eye down.
    assert (rotation_of(10, 0, 0) @ (0, 0, 1))[0] > 0
    assert (rotation_of(0, 0, 10) @ (1, 0, 0))[1] < 0


def test_lids_are_measured_across_the_eye() -> None:
    frontal = np.zeros((478, 2))
    for side, x in (("right", -1.0), ("left", 1.0)):
        outer, inner = EYES[side]
        frontal[outer], frontal[inner] = (1.5 * x, 0.0), (0.5 * x, 0.0)
        for upper, lower in LIDS[side]:
            frontal[upper], frontal[lower] = (x, 0.2), (x, -0.1)
    np.testing.assert_allclose(lid_heights(frontal), [[0.2, -0.1], [0.2, -0.1]], atol=1e-12)
    lean = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    np.testing.assert_allclose(lid_heights(frontal @ lean.T), [[0.2, -0.1], [0.2, -0.1]], atol=1e-12)


@pytest.mark.parametrize("fps", [25, 60, 200])
def test_blinks_are_counted_and_long_closures_are_not(fps: int) -> None:
    rng = np.random.default_rng(fps)
    t = np.arange(0, 40, 1 / fps)
    planted = [(4.0, 0.18), (8.3, 0.25), (12.0, 0.3), (22.2, 0.2), (35.0, 0.4)]
    closed = np.max([bump(t, start, start + length) for start, length in planted], axis=0)
    closed = np.maximum(closed, (t > 27) & (t < 29))
    gap = 10 * (1 - 0.85 * closed) + 0.25 * rng.standard_normal(len(t))
    lids = np.stack([np.stack([gap, 0 * gap], axis=1)] * 2, axis=1)
    seen = np.ones(len(t), bool)
    blinks = find_blinks(to_ns(t), closure_of(measure_opening(lids, seen)).mean(axis=1), seen)
    assert len(blinks) == len(planted)
    for blink, (start, length) in zip(blinks, planted, strict=True):
        assert abs(blink.apex_ns / 1e9 - start - length / 2) < 0.03 + 1 / fps
        assert abs(blink.offset_ns - blink.onset_ns) / 1e9 < length + 2 / fps
    hidden = seen & ~((t > 3.9) & (t < 4.4))
    assert (
        len(find_blinks(to_ns(t), closure_of(measure_opening(lids, hidden)).mean(axis=1), hidden)) == len(planted) - 1
    )
    rate, known = blink_rate(to_ns(t), blinks, seen)
    assert not known[t < 9.9].any() and known[t > 10.1].all()
    assert rate[-1] == pytest.approx(60 * len(planted) / t[-1], rel=0.01)


def test_open_eyes_do_not_blink() -> None:
    t = np.arange(0, 20, 1 / 30)
    gap = 10 + 0.5 * np.sin(t) + 0.3 * np.random.default_rng(0).standard_normal(len(t))
    lids = np.stack([np.stack([gap, 0 * gap], axis=1)] * 2, axis=1)
    seen = np.ones(len(t), bool)
    assert find_blinks(to_ns(t), closure_of(measure_opening(lids, seen)).mean(axis=1), seen) == []


def test_speech_is_rhythm_and_not_one_opening() -> None:
    t = np.arange(0, 12, 1 / 30)
    opening = sum(4 * bump(t, 3 + 0.25 * k, 3.2 + 0.25 * k) for k in range(6)) + 5 * bump(t, 8, 9.5)
    motion = np.zeros((len(t), len(NAMES), 2))
    motion[:, NAMES.index("lower_lip_middle"), 1] = -opening
    speaking = find_speech(to_ns(t), motion, np.ones(len(t), bool))
    assert speaking[(t > 3.1) & (t < 4.4)].all()
    assert not speaking[(t < 2.6) | (t > 5.0)].any()


def test_neutral_takes_out_what_the_head_does_and_leaves_expressions() -> None:
    rng = np.random.default_rng(1)
    t = np.arange(0, 60, 1 / 30)
    angles = np.column_stack([12 * np.sin(0.7 * t), 8 * np.sin(0.4 * t + 1), 3 * np.sin(0.5 * t)])
    shown = 6 * sum(bump(t, start, start + 2) for start in (10, 25, 41))
    values = 80 + 0.2 * angles[:, :1] - 0.15 * angles[:, 1:2] + 0.01 * angles[:, :1] ** 2 + shown[:, None]
    values = values + 0.2 * rng.standard_normal(values.shape)
    judged = t > 1
    out = subtract_neutral(values, angles, judged)[:, 0]
    assert np.abs(out[judged] - shown[judged]).mean() < 0.35
    assert np.corrcoef(out[judged], shown[judged])[0, 1] > 0.97
    assert not out[~judged].any()


def test_trajectories_join_fast_flow_and_slow_landmarks() -> None:
    rng = np.random.default_rng(2)
    fps, n = 30, 600
    t = np.arange(n) / fps
    truth = np.zeros((n, len(NAMES), 2))
    truth[:, 3, 1] = 5 * bump(t, 5, 6.5) + 1.2 * bump(t, 12, 12.3)
    rows = np.zeros(n, ROW)
    rows["t_ns"], rows["found"] = to_ns(t), True
    rows["place"] = truth + 40 + 0.6 * rng.standard_normal(truth.shape)
    for lag, seconds in enumerate(LAGS_S):
        back = round(seconds * fps)
        rows["back"][back:, lag] = back
        flow = truth[back:] - truth[:-back]
        rows["motion"][back:, lag] = flow + 0.08 * rng.standard_normal(flow.shape)
    rows["found"][300:330] = False
    rows["back"][300:360] = 0
    found = rows["found"]
    traced = trace_regions(rows)
    error = (traced - 40 - truth)[found]
    error -= error.mean(axis=0)
    assert error[:, 3].std() < 0.2
    assert np.abs(np.diff(error[:290, 3], axis=0)).mean() < 0.1
    assert not traced[~found].any()


def test_one_euro_calms_jitter_and_follows_movement() -> None:
    rng = np.random.default_rng(5)
    t = np.arange(0, 6, 1 / 30)
    path = np.where(t < 3, 0.0, 40 * (t - 3))
    noisy = path + 0.3 * rng.standard_normal(len(t))
    euro = OneEuro(min_cutoff_hz=1.5, beta=2.0)
    out = np.array([euro(np.array([value, 0.0]), time, unit=60.0)[0] for value, time in zip(noisy, t, strict=True)])
    assert np.diff(out[30:80]).std() < 0.5 * np.diff(noisy[30:80]).std()
    assert np.abs(out[-20:] - path[-20:]).max() < 5
