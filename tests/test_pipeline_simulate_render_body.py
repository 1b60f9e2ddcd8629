"""The rendered body: the pose model finds it, and finds it moving as planted."""

from __future__ import annotations

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from pipeline.simulate.body import render_body
from pipeline.simulate.motion import BodyMotion


def motion(n: int) -> BodyMotion:
    t = np.linspace(0, 1, n)
    left = np.clip(1.6 * np.sin(2 * np.pi * t), 0, 1)
    right = np.clip(-1.6 * np.sin(2 * np.pi * t), 0, 1)
    return BodyMotion(4 * t, left, right, np.sin(3 * np.pi * t), np.cos(5 * np.pi * t))


def test_pose_model_sees_shoulders_and_wrists_and_follows_the_hands() -> None:
    import mediapipe

    plan = motion(60)
    seen, found = [], []
    with mediapipe.solutions.pose.Pose(model_complexity=1) as model:
        for frame in render_body(plan):
            marks = model.process(frame).pose_landmarks
            assert marks is not None
            chosen = [marks.landmark[k] for k in (11, 12, 15, 16, 0)]
            seen.append([m.visibility for m in chosen])
            found.append([(640 * m.x, 480 * m.y) for m in chosen])
    places = np.array(found)
    assert np.mean(np.all(np.array(seen)[:, :4] > 0.5, axis=1)) > 0.9
    assert np.corrcoef(plan.left_hand_to_face, -places[:, 2, 1])[0, 1] > 0.8
    assert np.corrcoef(plan.right_hand_to_face, -places[:, 3, 1])[0, 1] > 0.8
    assert np.ptp(places[:, 2, 1]) > 120
    shoulders_x = places[:, :2, 0].mean(axis=1)
    assert np.corrcoef(plan.sway, shoulders_x)[0, 1] > 0.8
    assert np.ptp(shoulders_x) == pytest.approx(2 * 0.04 * 640, rel=0.3)
    assert np.corrcoef(plan.nod, places[:, 4, 1])[0, 1] > 0.6
    nose_to_wrist = np.linalg.norm(places[:, 4] - places[:, 2], axis=1)
    assert nose_to_wrist[plan.left_hand_to_face == 1].max() < 0.5 * nose_to_wrist[plan.left_hand_to_face == 0].min()


def test_frames_repeat_by_seed_and_scale() -> None:
    first, again, other = (list(render_body(motion(2), seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    assert first[0].shape == (480, 640, 3)
    assert next(render_body(motion(1), size=(320, 240))).shape == (240, 320, 3)
    with pytest.raises(InvalidValueError, match="4:3"):
        render_body(motion(1), size=(640, 400))
