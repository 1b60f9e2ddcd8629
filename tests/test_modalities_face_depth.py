"""Distances of a face: looked up, brought into another camera's picture, measured, kept, shown as light and dark."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.camera import Camera, Pose
from data_schemas.errors import InvalidValueError
from data_schemas.time import NS_PER_S
from modalities.face.depth.alignment import align
from modalities.face.depth.measured import measure_face
from modalities.face.depth.shading import Shader
from modalities.face.depth.surface import Surface, assume_camera, surface_of

OWN = Camera(290, 290, 159.5, 119.5)
BALL, RADIUS, WALL = np.array([0.0, 0.0, 650.0]), 110.0, 1400.0


def turn(x_deg: float, y_deg: float) -> np.ndarray:
    return cv2.Rodrigues(np.radians([x_deg, y_deg, 0.0]))[0]


def ball(camera: Camera, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """Distances of a ball before a wall, ray by ray, (h, w)."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    rays = camera.points(np.column_stack([columns.ravel(), rows.ravel()]).astype(float), np.ones(columns.size))
    middle = camera.pose.from_rig(BALL)
    a, b, c = (rays**2).sum(axis=1), rays @ middle, middle @ middle - RADIUS**2
    inside = b * b - a * c
    hit = (b - np.sqrt(np.maximum(inside, 0))) / a
    forward = camera.pose.rotation[2]
    behind = (WALL - camera.pose.translation_mm[2]) / (rays @ forward)
    return np.where(inside > 0, hit, behind).reshape(size[::-1]).astype(np.float32)


def test_distances_are_medians_and_none_beside_edges_or_in_holes() -> None:
    picture = np.full((60, 80), 600, np.float32)
    picture[:, 40:] = 900
    picture[10:30, 5:25] = 0
    picture[45, 20] = 5000
    surface = Surface(picture, OWN, (100, 200))
    places = np.array([[110, 245], [120, 245], [139.6, 245], [115, 220], [160, 240], [97, 240], [105, 206]], float)
    distance, valid = surface.at(places)
    assert valid.tolist() == [True, True, False, False, True, False, True]
    assert distance[valid].tolist() == [600, 600, 900, 600] and not distance[~valid].any()
    points, _ = surface.points_mm(places[:1])
    assert points[0] == pytest.approx([(110 - 159.5) / 290 * 600, (245 - 119.5) / 290 * 600, 600])


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0, 0.4), seed=st.integers(0, 99))
def test_looked_up_distances_survive_holes(share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:90, :90]
    truth = (600 + 0.4 * columns - 0.3 * rows).astype(np.float32)
    surface = Surface(np.where(rng.random(truth.shape) < share, 0, truth).astype(np.float32), OWN)
    places = rng.uniform(6, 84, (200, 2))
    distance, valid = surface.at(places)
    off = np.abs(distance - (600 + 0.4 * places[:, 0] - 0.3 * places[:, 1]))[valid]
    assert valid.mean() > 0.8 and off.max() < 1.2 and np.median(off) < 0.3


@pytest.mark.parametrize("lens", [(), (0.08, -0.03, 0.002, -0.001)])
@pytest.mark.parametrize("focal", [300.0, 880.0])
def test_aligned_distances_are_those_the_other_camera_would_measure(lens: tuple[float, ...], focal: float) -> None:
    other = Camera(focal, focal, focal / 2, focal * 0.4, lens, Pose(turn(1, -3), np.array([40.0, 5, -3])))
    depth = Camera(290, 292, 159.5, 119.5, lens)
    size = (int(focal), int(focal * 0.8))
    truth, own = ball(other, size), ball(depth)
    middle = other.project(other.pose.from_rig(np.array([[0.0, 0, 545]])))[0]
    half = RADIUS / 545 * focal
    box = (int(middle[0] - half), int(middle[1] - half), int(middle[0] + half), int(middle[1] + half))
    found = align(Surface(own, depth), other, box)
    wanted = truth[box[1] : box[3] : found.step, box[0] : box[2] : found.step]
    got = found.distance_mm[: wanted.shape[0], : wanted.shape[1]]
    rows, columns = np.mgrid[: wanted.shape[0], : wanted.shape[1]]
    places = np.column_stack([columns.ravel(), rows.ravel()]).astype(float) * found.step + box[:2]
    points = other.pose.to_rig(other.points(places, wanted.ravel().astype(float)))
    facing = -((points - BALL) * points).sum(axis=1) / RADIUS / np.linalg.norm(points, axis=1)
    front = (wanted < 640) & (facing.reshape(wanted.shape) > 0.35)
    assert front.mean() > 0.35 and (got[front] > 0).mean() > 0.98 and found.step == max(1, round(focal / 290))
    off = np.abs(got - wanted)[front & (got > 0)]
    assert np.median(off) < 0.5 and np.percentile(off, 98) < 4
    assert found.elements_of(places)[-1].tolist() == [wanted.shape[1] - 1, wanted.shape[0] - 1]


def test_what_one_camera_does_not_see_is_a_hole() -> None:
    """Beside the ball each camera sees wall that the ball hides from the other one."""
    other = Camera(290, 290, 159.5, 119.5, (), Pose(np.eye(3), np.array([120.0, 0, 0])))
    truth = ball(other)
    found = align(Surface(ball(OWN), OWN), other, (0, 0, 320, 240)).distance_mm
    seen = found > 0
    wrong = np.abs(found - truth)[seen & (truth > 1000)] > 20
    assert wrong.mean() < 1e-3, "no ball where the wall is, but for its rim"
    points = other.pose.to_rig(
        other.points(np.argwhere(truth > 1000)[:, ::-1].astype(float), truth[truth > 1000].astype(float))
    )
    ray = points / np.linalg.norm(points, axis=1, keepdims=True)
    hidden = np.linalg.norm(BALL - (ray @ BALL)[:, None] * ray, axis=1) < RADIUS * 0.96
    assert hidden.sum() > 500 and seen[truth > 1000][hidden].mean() < 0.02
    assert not align(Surface(np.zeros((240, 320), np.float32), OWN), other, (0, 0, 50, 50)).distance_mm.any()
    assert not align(Surface(ball(OWN), OWN), other, (-900, 0, -850, 50)).distance_mm.any()


def test_the_same_camera_needs_no_alignment() -> None:
    whole = Surface(ball(OWN), OWN)
    part = align(whole, Camera(290, 290, 159.5, 119.5), (-5, 100, 60, 400))
    assert part.corner == (0, 100) and np.array_equal(part.distance_mm, whole.distance_mm[100:, :60])


def mesh(yaw_deg: float = 0.0, seed: int = 7) -> tuple[np.ndarray, np.ndarray, Camera]:
    """A made-up head 600 mm away: its points in space, and how a network would see them."""
    from modalities.face.regions import TEMPLATE

    rng = np.random.default_rng(seed)
    face = np.column_stack([rng.uniform(-1.1, 1.1, 478), rng.uniform(-1.4, 0.8, 478), np.zeros(478)])
    face[:, 2] = 0.6 - 0.8 * face[:, 0] ** 2 - 0.2 * face[:, 1] ** 2
    for (right, left), (x, y, z) in TEMPLATE.items():
        face[right], face[left] = (-x, y, z), ((x if left != right else 0.0), y, z)
    camera = Camera(900, 900, 319.5, 239.5)
    points = (63 * face @ turn(0, yaw_deg).T) * (1, -1, -1) + (10, 5, 620)
    seen = camera.project(points)
    guess = (points[:, 2] - 620) * 0.8 * camera.fx / 620
    return points, np.column_stack([seen, guess]), camera


def plane_under(points: np.ndarray, camera: Camera, holes: np.ndarray) -> Surface:
    """A depth picture that has the right distance around each landmark, none around those in `holes`."""
    picture = np.zeros((480, 640), np.float32)
    corners = [33, 133, 263, 362]
    for at in [*np.argsort(-points[:, 2]), *corners]:
        x, y = np.rint(camera.project(points[at : at + 1])[0]).astype(int)
        picture[y - 2 : y + 3, x - 2 : x + 3] = 0 if holes[at] else points[at, 2]
    return Surface(picture, camera)


def test_landmarks_are_measured_and_holes_take_the_fitted_mesh() -> None:
    points, seen, camera = mesh(20)
    holes = np.zeros(478, bool)
    holes[np.setdiff1d(np.random.default_rng(1).choice(478, 95, replace=False), [33, 133, 263, 362])] = True
    face = measure_face(seen, plane_under(points, camera, holes))
    assert face is not None and 0.3 < face.share < 0.85
    off = np.linalg.norm(face.points_mm - points, axis=1)
    assert np.median(off[face.valid]) < 1 and np.median(off[~face.valid]) < 4 and np.median(off[~face.valid]) > 0
    assert face.eyes_mm == pytest.approx(63, abs=1.5) and face.distance_mm == pytest.approx(620, abs=3)
    assert measure_face(seen, plane_under(points, camera, np.ones(478, bool))) is None


def test_a_camera_of_which_nothing_is_known_has_a_plausible_view() -> None:
    camera = assume_camera(640, 480)
    assert np.degrees(2 * np.arctan(320 / camera.fx)) == pytest.approx(60)
    assert surface_of(np.full((2, 2), 600, np.uint16), 0.001, camera).distance_mm.tolist() == [[600, 600]] * 2


def test_a_shaded_picture_shows_the_form_and_does_not_flicker() -> None:
    rng = np.random.default_rng(3)
    truth = ball(OWN)
    middle = OWN.project(BALL[None] - (0, 0, RADIUS))[0]
    shader, seen = Shader(OWN, 1e-4), []
    for at in range(12):
        noisy = truth + rng.normal(0, 0.5, truth.shape)
        picture = np.where(rng.random(truth.shape) < 0.1, 0, 10 * noisy).astype(np.uint16)
        seen.append(shader.tone(picture, at * 33_000_000))
    last = seen[-1]
    assert last.shape == (240, 320, 3) and last.dtype == np.uint8 and not last[:20, :20].any()
    x, y = np.rint(middle).astype(int)
    column = last[:, x, 0].astype(float)
    assert column[y - 30] > column[y] > column[y + 30] > 20, "the lamp stands above"
    inner = np.s_[y - 25 : y + 25, x - 25 : x + 25]
    assert np.std([one[inner].mean() for one in seen[3:]]) < 1, "steady as a whole"
    assert np.std(np.array([one[inner] for one in seen[6:]], float), axis=0).mean() < 6, "and pixel by pixel"
    assert shader.tone(np.zeros((240, 320), np.uint16), 10**9).max() == 0
    with pytest.raises(InvalidValueError, match="uint16"):
        shader.tone(np.zeros((4, 4), np.uint8), 2 * 10**9)


def test_a_hole_that_comes_and_goes_shows_what_was_seen_in_it() -> None:
    """A dent in a ball, then a hole over it: as long as it is remembered the picture shows the dent."""
    camera = Camera(580, 580, 319.5, 239.5)
    truth = ball(camera, (640, 480))
    x, y = camera.project(BALL[None] - (0, 0, RADIUS))[0]
    rows, columns = np.mgrid[:480, :640]
    away = np.hypot(columns - x, rows - y)
    dented = truth + np.where(truth < WALL - 1, 5 * np.exp(-((away / 3) ** 2)), 0)
    inner = away < 5

    def picture(hole: bool, nearer_mm: float = 0.0) -> np.ndarray:
        return (10 * (dented - nearer_mm) * ~(inner & hole)).astype(np.uint16)

    shader, step_ns = Shader(camera, 1e-4), 33_000_000
    for at in range(8):
        seen = shader.tone(picture(False), at * step_ns)[..., 0].astype(float)
    filled = Shader(camera, 1e-4).tone(picture(True), 0)[..., 0]
    off = {"filled from around": np.abs(filled - seen)[inner].mean()}
    for at in range(8, 14):  # the ball comes nearer meanwhile, and what is remembered with it
        gone = shader.tone(picture(True, 0.5 * (at - 8)), at * step_ns)[..., 0]
    off["remembered"] = np.abs(gone - seen)[inner].mean()
    late = shader.tone(picture(True), 14 * step_ns + NS_PER_S)[..., 0]
    off["forgotten"] = np.abs(late - seen)[inner].mean()
    assert off["remembered"] < 0.3 * off["filled from around"]
    assert off["forgotten"] > 0.5 * off["filled from around"] > 5
    assert filled[inner].min() > 20, "what was never seen is no black blot"


def test_the_average_shape_of_a_head_holds_its_pose_steadier_than_one_frame() -> None:
    from dataclasses import replace

    from modalities.face.depth.shape import HeadShape
    from modalities.face.registration import fit_head

    rng, shape = np.random.default_rng(2), HeadShape()
    held, alone, pushed = [], [], []
    for at in range(60):
        yaw = 25 * np.sin(at / 9)
        points, seen, camera = mesh(yaw)
        noisy = points + rng.normal(0, 1.5, points.shape)
        if at >= 40:
            noisy[17] += 4.0 * turn(0, yaw).T[2] * (1, -1, -1)
        face = measure_face(seen, plane_under(points, camera, np.zeros(478, bool)))
        assert face is not None
        face = replace(face, points_mm=noisy, valid=rng.random(478) < 0.8, head=fit_head(noisy))
        better = shape.hold(face)
        flip = np.diag([1.0, -1, -1])
        for kept, one in ((held, better), (alone, face)):
            off = one.head.rotation @ (flip @ (flip @ turn(0, yaw)))
            kept.append(np.degrees(np.linalg.norm(cv2.Rodrigues(off)[0])))
        pushed.append(better.head.frontal[17, 2] * 63)
    assert np.std(held[10:]) < 0.5 * np.std(alone[10:])
    assert np.mean(pushed[40:]) - np.mean(pushed[10:40]) == pytest.approx(4, abs=1.5)


def test_a_depth_camera_alone_shows_a_face_that_is_tracked_and_measured() -> None:
    from modalities.face.landmarks import FaceTracker
    from modalities.face.models import borrowed_models
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_depth import DepthCamera, DepthSensor
    from pipeline.simulate.face_portrait import prepare_portrait
    from pipeline.simulate.face_view import View
    from pipeline.simulate.motion import FaceMotion

    puppet = Puppet(prepare_portrait("astronaut", (320, 240), 140, 1, 0)).seen_by(View())
    motion = FaceMotion(np.arange(4) / 25, yaw_deg=np.array([0.0, 1, 2, 3]))
    sensor = DepthCamera(puppet, DepthSensor(holes=0.2), 1)
    camera = sensor.sight.camera
    shader = Shader(camera, 1e-4)
    with borrowed_models() as models:
        tracker = FaceTracker(models)
        for at in range(4):
            picture = sensor.read(motion, at)
            found = tracker.find(shader.tone(picture, at * 40_000_000), at * 40_000_000)
            assert found is not None
            face = measure_face(found.points, surface_of(picture, 1e-4, camera))
            assert face is not None and face.share > 0.5
            assert face.eyes_mm == pytest.approx(63, abs=6) and face.distance_mm == pytest.approx(604, abs=15)
            off = np.linalg.norm(face.points_mm - puppet.landmarks_mm(motion, at), axis=1)[:468]
            assert np.median(off) < 8, "the network knows faces of skin, not of plaster"
