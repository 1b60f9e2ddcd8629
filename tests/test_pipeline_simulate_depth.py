"""The simulated depth camera: right distances, the noise and the holes that were asked for, a face in its relief."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import pytest

from data_schemas.camera import Camera, Pose
from data_schemas.errors import InvalidValueError
from modalities.face.models import borrowed_models
from modalities.face.synthesis.mesh import OVAL, look_up
from pipeline.simulate.face import puppet_of
from pipeline.simulate.face_depth import DepthCamera, DepthSensor
from pipeline.simulate.face_portrait import MARGIN_PX
from pipeline.simulate.face_view import WALL_MM, View
from pipeline.simulate.motion import FaceMotion

CLEAN = DepthSensor(noise_mm=0.0, holes=0.0, hair=0.0, shadows=False)
BESIDE = View(Camera(1150.0, 1150.0, 319.5, 239.5, pose=Pose(translation_mm=np.array([20.0, 0.0, 0.0]))), (640, 480))


def motion(aus: dict[str, float] | None = None, **curves: float) -> FaceMotion:
    return FaceMotion(
        times_s=np.zeros(1),
        aus={name: np.full(1, value) for name, value in (aus or {}).items()},
        **{name: np.full(1, value) for name, value in curves.items()},
    )


@lru_cache(maxsize=4)
def camera(sensor: DepthSensor = CLEAN, beside: bool = False) -> DepthCamera:
    return DepthCamera(puppet_of().seen_by(BESIDE if beside else View()), sensor, 3)


def skin_marks() -> np.ndarray:
    """Landmarks on plain skin: no lids, lips, nostrils, outline."""
    portrait = puppet_of().portrait
    marks = portrait.mesh.points[:468]
    return marks[look_up(portrait.skin, marks[None])[0] > 0.95]


def face_pixels() -> np.ndarray:
    mask = np.zeros((480, 640), np.uint8)
    cv2.fillPoly(mask, [np.rint(puppet_of().portrait.mesh.points[list(OVAL)] - MARGIN_PX).astype(np.int32)], 1)
    return mask > 0


@pytest.mark.parametrize("what", [motion(), motion({"au12_left": 1.0}, yaw_deg=8.0), motion(pitch_deg=-8.0)])
@pytest.mark.parametrize("beside", [False, True])
def test_the_distance_at_a_point_is_that_of_the_point(what: FaceMotion, beside: bool) -> None:
    one = camera(beside=beside)
    points = one.puppet.points_mm(what, 0, skin_marks())
    places = one.sight.camera.project(points)
    read = look_up(one.distances(what, 0), places[None])[0]
    wrong = np.abs(read - points[:, 2])
    assert len(wrong) > 150
    assert np.quantile(wrong, 0.97) < 0.5 and np.median(wrong) < 0.1
    units = look_up(one.read(what, 0).astype(np.float32), places[None])[0] * CLEAN.unit_mm
    assert np.median(np.abs(units - read)) < 0.06


def test_two_cameras_measure_one_surface() -> None:
    what = motion(yaw_deg=10.0)
    first, second = camera(), camera(beside=True)
    picture = second.distances(what, 0)
    places = second.sight.camera.project(second.puppet.points_mm(what, 0, skin_marks()))
    points = second.sight.camera.points(places, look_up(picture, places[None])[0].astype(float))
    rig = second.sight.camera.pose.to_rig(points)
    seen = look_up(first.distances(what, 0), first.sight.camera.project(rig)[None])[0]
    assert np.quantile(np.abs(seen - rig[:, 2]), 0.95) < 0.6


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("yaw", [0.0, 15.0])
def test_as_many_holes_as_asked(share: float, yaw: float) -> None:
    one = DepthCamera(puppet_of().seen_by(View()), DepthSensor(holes=share, shadows=False), 5)
    what = motion(yaw_deg=yaw)
    marks = puppet_of().seen_by(View()).landmarks(what, 0)
    mask = np.zeros((480, 640), np.uint8)
    cv2.fillPoly(mask, [np.rint(marks[list(OVAL)]).astype(np.int32)], 1)
    inside = (cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0) & (one.distances(what, 0) > 0)
    assert np.mean(one.read(what, 0)[inside] == 0) == pytest.approx(share, abs=0.03)


def test_noise_grows_with_the_square_of_the_distance() -> None:
    face = cv2.erode(face_pixels().astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
    for distance in (600.0, 1000.0):
        sensor = DepthSensor(unit_mm=0.01, noise_mm=0.2, holes=0.0, reach_mm=655.0 if distance == 600 else 655.35)
        puppet = puppet_of().seen_by(View(distance_mm=distance))
        if distance > 655:
            sensor = DepthSensor(unit_mm=0.02, noise_mm=0.2, holes=0.0)
        one = DepthCamera(puppet, sensor, 1)
        first, second = (one.read(motion(), 0).astype(float) * sensor.unit_mm for _ in range(2))
        both = face & (first > 0) & (second > 0)
        found = (first - second)[both].std() / np.sqrt(2)
        middle = np.median(first[both])
        assert found == pytest.approx(0.2 * (middle / 600) ** 2, rel=0.12)


def test_beyond_reach_is_nothing_and_the_wall_is_where_it_stands() -> None:
    assert camera().read(motion(), 0)[5, 5] == 0
    far = DepthCamera(puppet_of().seen_by(View()), DepthSensor(noise_mm=0, holes=0, shadows=False, reach_mm=2000.0))
    assert far.read(motion(), 0)[5, 5] == round((600 + WALL_MM) / 0.1)
    coarse = DepthCamera(puppet_of().seen_by(View()), DepthSensor(1.0, 0.0, 0.0, 0.0, False))
    fine = camera().read(motion(), 0)
    assert np.abs(coarse.read(motion(), 0) - fine * 0.1)[fine > 0].max() <= 0.5 + 0.06


def test_the_mouth_is_a_cave_and_the_nose_throws_a_shadow() -> None:
    lips = puppet_of().seen_by(View()).landmarks(motion({"au26": 1.0, "au25": 1.0}), 0)[[13, 14]].mean(axis=0)
    x, y = np.rint(lips).astype(int)
    open_mouth, closed = (camera().distances(what, 0) for what in (motion({"au26": 1.0, "au25": 1.0}), motion()))
    assert open_mouth[y - 6 : y + 18, x].max() > closed[y - 6 : y + 18, x].max() + 6
    lit = DepthCamera(puppet_of().seen_by(View()), DepthSensor(holes=0.0, hair=0.0), 3)
    for yaw in (0.0, 25.0):
        lost = (lit.read(motion(yaw_deg=yaw), 0) == 0) & (lit.distances(motion(yaw_deg=yaw), 0) > 0)
        assert (0.0 < lost[face_pixels()].mean() < 0.02) if not yaw else (lost[face_pixels()].mean() > 0.003)


def test_mediapipe_finds_the_face_in_a_shaded_rendering() -> None:
    """Lambert's law, light from the camera, distances smoothed over 1.5 pixels, what is no face black."""
    one = DepthCamera(puppet_of().seen_by(View()), DepthSensor(holes=0.0, hair=0.0), 3)
    read = one.read(motion(), 0).astype(np.float32) * 0.1
    known = read > 0
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), 1.5)
    smooth = cv2.GaussianBlur(read, (0, 0), 1.5) / np.maximum(weight, 1e-3)
    rows, columns = np.mgrid[:480, :640]
    lens = one.sight.camera
    points = np.dstack([(columns - lens.cx) / lens.fx * smooth, (rows - lens.cy) / lens.fy * smooth, smooth])
    normal = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    facing = np.abs((normal * points).sum(axis=-1)) / np.maximum(
        np.linalg.norm(normal, axis=-1) * np.linalg.norm(points, axis=-1), 1e-6
    )
    grey = np.where(known, 245 * facing, 0).astype(np.uint8)
    with borrowed_models() as models:
        mesh = models.mesh()
        found = mesh.find(np.repeat(grey[..., None], 3, axis=2))
        models.give_back(mesh)
    assert found is not None
    marks = one.puppet.landmarks(motion(), 0)
    away = np.linalg.norm(found[:468, :2] - marks[:468], axis=1) / puppet_of().portrait.mesh.iod
    assert np.median(away) < 0.1


def test_wrong_sensors_are_refused() -> None:
    for wrong in ({"holes": 0.4}, {"holes": -0.1}, {"unit_mm": 0.0}, {"noise_mm": -1.0}, {"reach_mm": 7000.0}):
        with pytest.raises(InvalidValueError):
            DepthSensor(**wrong)
    with pytest.raises(InvalidValueError, match="before a camera"):
        DepthCamera(puppet_of())
