"""The rendered face: landmarks move as planted, eyes close, the head turns, the skin pulses; nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.action_units import (
    ACTION_UNIT_TABLE,
    LIDS,
    POINTS,
    find_row,
    peak_point,
    planted_displacement,
)
from modalities.face.synthesis.fields import landmark_moves, unit_fields
from modalities.face.synthesis.mesh import _run_mediapipe
from pipeline.simulate.face import NOISE_SIGMA, PULSE_GAIN, Puppet, render_face
from pipeline.simulate.face_portrait import MARGIN_PX, PHOTOGRAPHS, prepare_portrait
from pipeline.simulate.motion import ACTION_UNITS, FaceMotion


@lru_cache(maxsize=2)
def puppet(photograph: str = "astronaut") -> Puppet:
    return Puppet(prepare_portrait(photograph, (640, 480), 300, 0))


def motion(n: int = 1, aus: dict[str, float] | None = None, **curves: float) -> FaceMotion:
    return FaceMotion(
        times_s=np.arange(n) / 30,
        aus={name: np.full(n, value) for name, value in (aus or {}).items()},
        **{name: np.full(n, value) for name, value in curves.items()},
    )


def turn_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rotation (Kabsch) from one mesh to another in x right, y down, z towards the camera."""
    a, b = ((m - m.mean(axis=0)) * (1, 1, -1) for m in (first[:468], second[:468]))
    u, _, vt = np.linalg.svd(a.T @ b)
    return vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T


def test_the_table_knows_every_action_unit_and_its_points() -> None:
    assert {au.partition("_")[0] for au in ACTION_UNITS} == {row.name for row in ACTION_UNIT_TABLE}
    for row in ACTION_UNIT_TABLE:
        assert set(row.moves) | set(row.holds) <= set(POINTS)
        assert 0.02 <= planted_displacement(row.name) <= 0.13
    assert planted_displacement("au12_left") == pytest.approx(0.085, abs=0.001)
    for wrong in ("au99", "au12_middle", ""):
        with pytest.raises(InvalidValueError, match="unknown action unit"):
            planted_displacement(wrong)


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_fields_move_every_landmark_of_the_table_exactly(photograph: str) -> None:
    mesh = puppet(photograph).portrait.mesh
    for au in ACTION_UNITS:
        moves = landmark_moves(mesh, au)
        if not moves:
            assert set(find_row(au)[0].moves) <= set(LIDS)
            continue
        above, below = unit_fields(mesh, au, mesh.points[list(moves)])
        planned = np.array(list(moves.values()))
        wrong = np.minimum(np.abs(above - planned).max(axis=1), np.abs(below - planned).max(axis=1))
        assert wrong.max() < 0.01, au
        assert max(np.linalg.norm(planned, axis=1)) <= planted_displacement(au) * mesh.iod + 1e-6


@pytest.mark.parametrize(
    ("au", "intensity"),
    [("au01", 1.0), ("au02", 1.0), ("au04", 1.0), ("au06", 1.0), ("au09", 1.0), ("au12_left", 1.0), ("au12_left", 0.3),
     ("au12_right", 1.0), ("au15", 1.0), ("au17", 1.0), ("au20", 1.0), ("au26", 1.0)],
)  # fmt: skip
@pytest.mark.parametrize("pose", [{}, {"yaw_deg": 5.0, "roll_deg": -3.0, "pitch_deg": 2.0}])
def test_a_mark_on_the_skin_is_drawn_where_it_was_planted(au: str, intensity: float, pose: dict[str, float]) -> None:
    """A dot painted on the photograph is found displaced by what was planted, to 3 % and 0.15 pixel."""
    original = puppet()
    mesh = original.portrait.mesh
    point = "chin_tip" if au == "au26" else peak_point(au)
    mark = POINTS[point][0 if au.endswith("right") else 1][0]
    x, y = np.meshgrid(np.arange(original.portrait.person.shape[1]), np.arange(original.portrait.person.shape[0]))
    dot = np.exp(-((x - mesh.points[mark, 0]) ** 2 + (y - mesh.points[mark, 1]) ** 2) / (2 * 1.5**2))
    person = np.zeros_like(original.portrait.person)
    person[..., 0] = np.rint(np.clip(255 * dot, 0, 255))
    person[..., 3] = 255
    dotted = Puppet(replace(original.portrait, person=person, background=0 * original.portrait.background))

    def centre(what: FaceMotion) -> np.ndarray:
        red = np.clip(dotted.draw(what, 0)[..., 0].astype(float) - 110, 0, None)
        rows, columns = np.mgrid[: red.shape[0], : red.shape[1]]
        return np.array([(red * columns).sum(), (red * rows).sum()]) / red.sum()

    moved = centre(motion(aus={au: intensity}, **pose)) - centre(motion(**pose))
    planned = intensity * landmark_moves(mesh, au)[mark]
    roll = np.radians(pose.get("roll_deg", 0.0))
    planned = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) @ planned
    slack = 0.15 if not pose else 0.06 * np.linalg.norm(planned) + 0.35
    assert np.linalg.norm(moved - planned) < 0.03 * np.linalg.norm(planned) + slack


def test_mediapipe_sees_the_planted_smile_on_its_side_only() -> None:
    neutral = np.mean([_run_mediapipe(f)[:, :2] for f in render_face(motion(3))], axis=0)
    smiling = np.mean([_run_mediapipe(f)[:, :2] for f in render_face(motion(3, {"au12_left": 1.0}))], axis=0)
    mesh = puppet().portrait.mesh
    left, right = (smiling - neutral)[291], (smiling - neutral)[61]
    planned = landmark_moves(mesh, "au12_left")[291]
    assert np.linalg.norm(left) == pytest.approx(np.linalg.norm(planned), rel=0.15)
    assert left @ planned > 0.95 * np.linalg.norm(left) * np.linalg.norm(planned)
    assert left @ mesh.across > 0
    assert left @ mesh.upwards > 0
    assert np.linalg.norm(right) < 0.25 * np.linalg.norm(left)


def test_one_sided_units_leave_the_other_half_and_the_background_alone() -> None:
    still = puppet().draw(motion(), 0)
    moved = puppet().draw(motion(aus={"au12_left": 1.0}), 0)
    change = np.abs(moved - still).max(axis=-1)
    right_corner, middle, left_corner = (int(x) - MARGIN_PX for x in puppet().portrait.mesh.points[[61, 0, 291], 0])
    assert change[:, left_corner - 20 : left_corner + 20].max() > 30
    assert change[:, :middle].max() < 20
    assert change[:, : right_corner + 20].max() <= 1
    turned = puppet().draw(motion(aus={"au26": 1.0}, yaw_deg=6.0, roll_deg=3.0), 0)
    person = puppet().portrait.person[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX, 3]
    far = cv2.dilate(person, np.ones((61, 61), np.uint8)) == 0
    assert far.mean() > 0.1
    assert np.array_equal(turned[far], still[far])


@pytest.mark.parametrize(("photograph", "least"), [("astronaut", 0.6), ("hopper", 0.4)])
def test_a_blink_closes_the_eyes(photograph: str, least: float) -> None:
    """Behind Hopper's glasses MediaPipe sees less of it."""

    def opening(amount: float) -> float:
        marks = _run_mediapipe(next(render_face(motion(blink=amount), photograph=photograph)))[:, :2]
        return float(np.mean([np.linalg.norm(marks[a] - marks[b]) for a, b in ((159, 145), (386, 374))]))

    opened, half, closed = opening(0.0), opening(0.5), opening(1.0)
    assert 1 - closed / opened > least
    assert closed < half < opened


def test_the_head_turns_as_far_as_planted_and_the_right_way() -> None:
    straight = _run_mediapipe(next(render_face(motion())))
    for name, degrees in (
        ("yaw_deg", 8.0),
        ("yaw_deg", -8.0),
        ("pitch_deg", 5.0),
        ("pitch_deg", -5.0),
        ("roll_deg", 4.0),
    ):
        r = turn_between(straight, _run_mediapipe(next(render_face(motion(**{name: degrees})))))
        found = {
            "yaw_deg": np.degrees(np.arcsin(r[0, 2])),
            "pitch_deg": np.degrees(np.arctan2(r[2, 1], r[2, 2])),
            "roll_deg": np.degrees(np.arctan2(r[1, 0], r[0, 0])),
        }
        assert found[name] == pytest.approx(degrees, rel=0.45), name
        assert all(abs(value) < 2.5 for other, value in found.items() if other != name)


def test_speech_opens_the_mouth_on_a_dark_inside() -> None:
    mesh = puppet("hopper").portrait.mesh
    x, y = np.rint((mesh.points[13] + mesh.points[14]) / 2 - MARGIN_PX + (0, 8)).astype(int)
    closed, opened = (
        puppet("hopper").draw(motion(mouth_open=amount), 0)[y - 2 : y + 3, x - 8 : x + 9] for amount in (0.0, 1.0)
    )
    assert opened.mean() < 0.5 * closed.mean()


def test_the_pulse_is_in_the_green_of_the_skin_at_its_frequency_and_size() -> None:
    n, rate, beat = 150, 30.0, 1.4
    pulse = np.sin(2 * np.pi * beat * np.arange(n) / rate)
    frames = render_face(FaceMotion(times_s=np.arange(n) / rate, skin_pulse=pulse), size=(320, 240), face_width_px=150)
    cheeks = prepare_portrait("astronaut", (320, 240), 150, 0).mesh.points[[50, 280, 205, 425]] - MARGIN_PX
    spots = [(slice(y - 6, y + 7), slice(x - 6, x + 7)) for x, y in np.rint(cheeks).astype(int)]
    colour = np.array([np.mean([f[spot].reshape(-1, 3).mean(axis=0) for spot in spots], axis=0) for f in frames])
    relative = colour / colour.mean(axis=0) - 1
    spectrum = np.abs(np.fft.rfft(relative[:, 1]))
    assert np.fft.rfftfreq(n, 1 / rate)[spectrum.argmax()] == pytest.approx(beat, abs=0.01)
    gain = pulse @ relative / (pulse @ pulse)
    assert gain[1] == pytest.approx(PULSE_GAIN[1], rel=0.15)
    assert gain[1] < gain[2] < gain[0] < 0, "skin darkens with blood, most in green"


def test_light_noise_and_seeds() -> None:
    frames = [
        next(render_face(motion(light=light), seed=seed)) for light, seed in ((1.0, 3), (1.0, 3), (1.0, 4), (0.9, 3))
    ]
    assert np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[2])
    assert frames[3].mean() == pytest.approx(0.9 * frames[0].mean(), rel=0.01)
    first, second = (f.astype(float) for f in render_face(motion(2), seed=3))
    assert (first - second)[:, :60].std() == pytest.approx(np.sqrt(2 * (NOISE_SIGMA**2 + 1 / 12)), rel=0.05)
    assert first.shape == (480, 640, 3)


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_the_face_is_as_wide_as_asked(photograph: str) -> None:
    marks = _run_mediapipe(next(render_face(motion(), photograph=photograph)))
    assert np.ptp(marks[:, 0]) == pytest.approx(300, rel=0.05)


def test_wrong_calls_say_what_is_wrong() -> None:
    with pytest.raises(InvalidValueError, match="unknown photograph"):
        render_face(motion(), photograph="mona lisa")
    with pytest.raises(InvalidValueError, match="multiple of 4"):
        render_face(motion(), size=(641, 480))
    with pytest.raises(InvalidValueError, match="does not fit"):
        render_face(motion(), face_width_px=900)
