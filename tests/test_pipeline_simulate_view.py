"""The puppet in perspective: the photograph at rest, a rigid head, cameras that agree, one surface before another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.camera import Camera, Pose
from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.fields import landmark_moves
from modalities.face.synthesis.mesh import look_up
from pipeline.simulate.face import Puppet, puppet_of
from pipeline.simulate.face_surface import IOD_MM
from pipeline.simulate.face_view import View
from pipeline.simulate.face_visible import visible_places
from pipeline.simulate.motion import FaceMotion

BESIDE = View(Camera(1150.0, 1170.0, 300.0, 250.0, pose=Pose(translation_mm=np.array([20.0, -8.0, 5.0]))), (624, 500))


def motion(aus: dict[str, float] | None = None, outward: dict[str, float] | None = None, **curves: float) -> FaceMotion:
    return FaceMotion(
        times_s=np.zeros(1),
        aus={name: np.full(1, value) for name, value in (aus or {}).items()},
        outward_mm={name: np.full(1, value) for name, value in (outward or {}).items()},
        **{name: np.full(1, value) for name, value in curves.items()},
    )


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    return puppet_of()


def test_at_rest_the_camera_sees_the_photograph(puppet: Puppet) -> None:
    seen = puppet.seen_by(View())
    flat, deep = puppet.draw(motion(), 0), seen.draw(motion(), 0)
    assert np.abs(flat - deep).max() <= 1
    np.testing.assert_allclose(seen.landmarks(motion(), 0), puppet.landmarks(motion(), 0), atol=1e-6)
    eyes = seen.points_mm(motion(), 0, puppet.portrait.mesh.eyes)
    assert np.linalg.norm(eyes[1] - eyes[0]) == pytest.approx(IOD_MM, rel=0.02)
    assert eyes[:, 2].mean() == pytest.approx(600.0, abs=4)
    assert np.abs(puppet.draw(motion(yaw_deg=8.0), 0) - seen.draw(motion(yaw_deg=8.0), 0)).max() > 20


@pytest.mark.parametrize("view", [View(), BESIDE], ids=["own", "beside"])
@pytest.mark.parametrize(
    "what",
    [
        motion(),
        motion({"au12_left": 1.0}, yaw_deg=-25.0),
        motion({"au04": 1.0}, yaw_deg=12.0, pitch_deg=8.0, roll_deg=5.0),
        motion({"au26": 1.0}, {"cheeks": 4.0}, pitch_deg=-6.0),
    ],
)
def test_marks_on_the_skin_are_drawn_where_their_points_project(puppet: Puppet, view: View, what: FaceMotion) -> None:
    marks = puppet.portrait.mesh.points[[205, 9, 1, 425, 152, 118]]
    shape = puppet.portrait.person.shape[:2]
    x, y = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    seen = puppet.seen_by(view)
    truth = seen.sight.camera.project(seen.points_mm(what, 0, marks))
    for mark, expected in zip(marks, truth, strict=True):
        dot = np.exp(-((x - mark[0]) ** 2 + (y - mark[1]) ** 2) / (2 * 1.8**2))
        person = np.dstack([0 * dot, 255 * dot, 0 * dot, np.full(shape, 255)]).round().astype(np.uint8)
        portrait = replace(puppet.portrait, person=person, background=0 * puppet.portrait.background)
        green = np.clip(puppet.dressed(portrait).seen_by(view).draw(what, 0)[..., 1] - 90, 0, None)
        rows, columns = np.mgrid[: green.shape[0], : green.shape[1]]
        found = np.array([(green * columns).sum(), (green * rows).sum()]) / green.sum()
        assert np.linalg.norm(found - expected) < 0.3, mark


def test_the_head_is_rigid_and_turns_as_far_as_planted(puppet: Puppet) -> None:
    seen = puppet.seen_by(View())
    rest = seen.landmarks_mm(motion(), 0)[:468]
    for yaw, pitch in ((20.0, 0.0), (0.0, 10.0), (-30.0, 5.0)):
        turned = seen.landmarks_mm(motion(yaw_deg=yaw, pitch_deg=pitch), 0)[:468]
        a, b = rest - rest.mean(axis=0), turned - turned.mean(axis=0)
        u, _, vt = np.linalg.svd(a.T @ b)
        turn = vt.T @ np.diag([1, 1, np.linalg.det(vt.T @ u.T)]) @ u.T
        assert np.linalg.norm(b - a @ turn.T, axis=1).max() < 2.0
        assert np.median(np.linalg.norm(b - a @ turn.T, axis=1)) < 0.2
        whole = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
        assert whole == pytest.approx(np.hypot(yaw, pitch), rel=0.03)
    left, right = (seen.landmarks_mm(motion(yaw_deg=value), 0)[1, 0] for value in (10.0, -10.0))
    assert left > rest[1, 0] > right


def test_cameras_beside_each_other_see_the_same_points(puppet: Puppet) -> None:
    what = motion({"au12_left": 0.7}, yaw_deg=10.0)
    first, second = (puppet.seen_by(view) for view in (View(), BESIDE))
    moved = second.sight.camera.pose.to_rig(second.landmarks_mm(what, 0))
    assert np.abs(moved - first.landmarks_mm(what, 0)).max() < 0.2
    assert second.draw(what, 0).shape == (500, 624, 3)


def test_units_move_within_the_plane_and_outward_movements_out_of_it(puppet: Puppet) -> None:
    seen = puppet.seen_by(View())
    rest = seen.landmarks_mm(motion(), 0)
    mesh = puppet.portrait.mesh
    smile = seen.landmarks_mm(motion({"au12_left": 1.0}), 0) - rest
    planted = landmark_moves(mesh, "au12_left")[291] * IOD_MM / mesh.iod
    np.testing.assert_allclose(smile[291, :2], planted, rtol=0.06, atol=0.1)
    assert np.abs(smile[:, 2]).max() < 1e-6
    pushed = seen.landmarks_mm(motion(outward={"lips": 5.0}), 0) - rest
    assert pushed[[0, 13, 14, 17], 2].min() < -4.5 and pushed[:, 2].min() >= -5.001
    assert np.abs(pushed[[33, 263, 10, 152, 1], 2]).max() < 1.0
    puffed = seen.landmarks_mm(motion(outward={"cheeks": 5.0}), 0) - rest
    assert puffed[[205, 425], 2] == pytest.approx([-5, -5], abs=0.1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 6.0))
def test_what_hides_nothing_is_inverted(seed: int, much: float) -> None:
    import cv2

    grid = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) * 4 - 0.5 for n in (40, 30)]), axis=-1).astype(np.float32)
    rough = np.random.default_rng(seed).standard_normal((30, 40, 2)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 5)
    forward = much * smooth / np.abs(smooth).max()
    back = visible_places(grid, forward, np.full((30, 40), 600.0), 4)
    again = grid + back + look_up(forward, (grid + back + 0.5) / 4 - 0.5) - grid
    assert np.abs(again[4:-4, 4:-4]).max() < 0.05


def test_of_two_surfaces_the_nearer_is_seen() -> None:
    """A fold: the right half of a sheet slides 40 px over the left one, in front of it or behind it."""
    grid = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) * 4 - 0.5 for n in (60, 10)]), axis=-1).astype(np.float32)
    forward = np.zeros((10, 60, 2), np.float32)
    forward[:, 30:, 0] = -40
    for nearer in (500.0, 700.0):
        distance = np.full((10, 60), 600.0)
        distance[:, 30:] = nearer
        back = visible_places(grid, forward, distance, 4)
        assert np.allclose(back[:, 22:28, 0], 40 if nearer < 600 else 0, atol=0.01)


def test_wrong_views_are_refused(puppet: Puppet) -> None:
    for make in (
        lambda: View(size=(32, 480)),
        lambda: puppet.seen_by(View(distance_mm=30.0)),
        lambda: puppet.seen_by(View(distance_mm=float("nan"))),
        lambda: puppet.seen_by(View(Camera(900, 900, 320, 240, pose=Pose(translation_mm=np.array([0.0, 0.0, 700.0]))))),
        lambda: puppet.landmarks_mm(motion(), 0),
        lambda: motion(outward={"nose": 1.0}),
    ):
        with pytest.raises(InvalidValueError):
            make()
