"""Motion of the skin in space: right from the side, without the head's, with holes; nothing changes without depth."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.camera import Camera
from modalities.face.depth.kept import COLUMNS, DISTANCE, EYES, FORWARD, KEPT_DEPTH, SHARE, box_around
from modalities.face.depth.motion import measure_motion, motion_in_space
from modalities.face.depth.rigid import fit_head_turn, fit_turn
from modalities.face.depth.space import FaceSpace
from modalities.face.depth.surface import Surface
from modalities.face.flow_methods import dense_flow
from modalities.face.head_motion import POINTS, TRUST, FacePicture, HeadMotion
from modalities.face.landmarks import Sighting
from modalities.face.observation import FaceObserver

SIDE, EYES_MM, AWAY_MM = 160, 63.0, 620.0
CAMERA = Camera(590, 590, 80, 60)
AXES_MM = np.array([75.0, 100.0, 70.0])
"""Half axes of an egg that is the head; its middle is `AXES_MM[2]` behind the point that faces the camera at rest."""


def turn(yaw_deg: float) -> np.ndarray:
    return cv2.Rodrigues(np.radians([0.0, yaw_deg, 0.0]))[0]


def skin(places: np.ndarray) -> np.ndarray:
    """Points of the egg above places across and up it, mm, face's axes (left, up, forward), (..., 3)."""
    inside = 1 - (places[..., 0] / AXES_MM[0]) ** 2 - (places[..., 1] / AXES_MM[1]) ** 2
    return np.concatenate([places, (AXES_MM[2] * np.sqrt(np.maximum(inside, 0)))[..., None]], axis=-1)


def slid(places: np.ndarray, much_mm: float) -> np.ndarray:
    """Where a smile has moved the skin at some places."""
    bump = np.exp(-((places[..., 0] + 28) ** 2 + (places[..., 1] + 22) ** 2) / (2 * 13**2))
    return places + much_mm * bump[..., None] * (-0.7, 0.7)


def in_camera(points: np.ndarray, yaw_deg: float) -> np.ndarray:
    return (points @ turn(yaw_deg).T) * (1, -1, -1) + (0, 0, AWAY_MM + AXES_MM[2] / 2)


def look(
    yaw_deg: float, smile_mm: float, seed: int = 3, holes: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The textured egg ray by ray: picture, distances, and those with holes."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    rays = CAMERA.points(np.column_stack([columns.ravel(), rows.ravel()]).astype(float), np.ones(SIDE**2))
    origin = (-np.array([0, 0, AWAY_MM + AXES_MM[2] / 2]) * (1, -1, -1)) @ turn(yaw_deg)
    way = (rays * (1, -1, -1)) @ turn(yaw_deg)
    a, b, c = (
        ((one / AXES_MM) * (two / AXES_MM)).sum(axis=-1) for one, two in ((way, way), (way, origin), (origin, origin))
    )
    room = b * b - a * (c - 1)
    distance = np.where(room > 0, (-b - np.sqrt(np.maximum(room, 0))) / a, AWAY_MM + AXES_MM[2])
    hit = origin + way * distance[:, None]
    place = hit[:, :2]
    for _ in range(20):
        place = hit[:, :2] - (slid(place, smile_mm) - place)
    rng = np.random.default_rng(seed)
    weave = cv2.GaussianBlur(rng.standard_normal((400, 400)).astype(np.float32), (0, 0), 2.2)
    weave = 128 + 45 * weave / weave.std()
    at = (place * 1.5 + 200).astype(np.float32).reshape(SIDE, SIDE, 2)
    picture = cv2.remap(weave, at[..., 0], at[..., 1], cv2.INTER_CUBIC)
    picture = np.where((room > 0).reshape(SIDE, SIDE), picture, 90)
    picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    distances = distance.reshape(SIDE, SIDE).astype(np.float32)
    field = cv2.GaussianBlur(np.random.default_rng(seed + 1).standard_normal((SIDE, SIDE)), (0, 0), 3)
    with_holes = np.where(field < np.quantile(field, holes), 0, distances).astype(np.float32)
    return picture, distances, with_holes


MARKS = np.random.default_rng(5).uniform((-48, -62), (48, 55), (478, 2))


def face_picture(yaw_deg: float, smile_mm: float, t_ns: int, jitter: float = 0.0) -> tuple[FacePicture, np.ndarray]:
    """What there is to know of a frame, and where the skin's marks truly are, face's axes."""
    picture, distance, _ = look(yaw_deg, smile_mm)
    points = skin(slid(MARKS, smile_mm))
    seen = CAMERA.project(in_camera(points, yaw_deg))
    seen = seen + jitter * np.random.default_rng(t_ns % 97).standard_normal(seen.shape)
    flip = np.diag([1.0, -1, -1])
    space = FaceSpace(distance, np.ones_like(distance), np.eye(3)[:2], CAMERA, (turn(yaw_deg).T @ flip) @ flip, EYES_MM)
    depth = (points @ turn(yaw_deg).T)[POINTS, 2] / EYES_MM
    return FacePicture(picture, seen[POINTS].astype(np.float32), depth.astype(np.float32), t_ns, space), points


def seen_well(yaw_deg: float) -> np.ndarray:
    """Marks that lie less than 53 degrees away from the camera."""
    out = skin(MARKS) / AXES_MM**2
    out = (out / np.linalg.norm(out, axis=1, keepdims=True)) @ turn(yaw_deg).T
    return (out[:, 2] > 0.6)[POINTS] & (TRUST > 0)


def error(found: np.ndarray, truth: np.ndarray, counted: np.ndarray) -> float:
    return float(np.sqrt(((found - truth)[counted] ** 2).sum(axis=1).mean()))


@pytest.mark.parametrize("yaw_deg", [0.0, 30.0])
def test_a_smile_is_measured_along_the_face_however_the_head_is_turned(yaw_deg: float) -> None:
    then, rest = face_picture(yaw_deg, 0.0, 0, 0.3)
    now, smiling = face_picture(yaw_deg + 4, 3.0, 250_000_000, 0.3)
    truth = ((smiling - rest) / EYES_MM)[POINTS]
    assert then.space is not None and now.space is not None
    found = motion_in_space(then, now, then.space, now.space, dense_flow("dis"))
    counted = seen_well(yaw_deg) & seen_well(yaw_deg + 4)
    moved = counted & (np.linalg.norm(truth, axis=1) > 0.02)
    assert error(found[:, :2], truth[:, :2], counted) < 0.006 and moved.sum() > 10
    assert (found * truth)[moved].sum() / (truth[moved] ** 2).sum() == pytest.approx(1, abs=0.12)
    assert np.corrcoef(found[moved, 2], truth[moved, 2])[0, 1] > 0.7, "out of the plane too"


def test_from_the_side_it_has_at_most_half_the_error_that_there_is_without_depth() -> None:
    then, rest = face_picture(30, 0.0, 0, 0.3)
    now, smiling = face_picture(34, 3.0, 250_000_000, 0.3)
    truth = ((smiling - rest) / EYES_MM)[POINTS][:, :2]
    counted = seen_well(30) & seen_well(34)
    flow = dense_flow("dis")
    with_depth, in_space = measure_motion(HeadMotion(), then, now, flow)
    without, flat = measure_motion(HeadMotion(), replace(then, space=None), replace(now, space=None), flow)
    assert in_space and not flat
    found = error(with_depth * (1, -1) / 60, truth, counted)
    assert found <= 0.5 * error(without * (1, -1) / 60 / np.cos(np.radians(34)), truth, counted)


def test_a_pair_with_one_depth_picture_is_measured_as_without() -> None:
    then, _ = face_picture(10, 0.0, 0)
    now, _ = face_picture(12, 2.0, 250_000_000)
    flow = dense_flow("dis")
    alone, other = replace(then, space=None), replace(now, space=None)
    pairs = ((alone, now), (then, other), (alone, other))
    bare = [measure_motion(HeadMotion(), one, two, flow) for one, two in pairs]
    assert not any(in_space for _, in_space in bare)
    assert all(np.array_equal(bare[0][0], one) for one, _ in bare)


@settings(max_examples=25, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-12, 12)] * 3),
    shift=st.tuples(*[st.floats(-30, 30)] * 3),
    share=st.floats(0, 0.25),
    seed=st.integers(0, 999),
)
def test_the_heads_motion_is_found_under_a_face_that_moves(
    angles: tuple[float, float, float], shift: tuple[float, float, float], share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    start = rng.uniform(-50, 50, (200, 3)) * (1, 1, 0.6) + (0, 0, 600)
    rotation = cv2.Rodrigues(np.radians(angles))[0]
    end = (start - (0, 0, 600)) @ rotation.T + (0, 0, 600) + shift + 0.05 * rng.standard_normal((200, 3))
    moved = rng.random(200) < share
    end[moved] += (1.5, -2.0, 0.5)
    precision = np.broadcast_to(np.diag([100.0, 100, 10]), (200, 3, 3))
    found, by = fit_head_turn(start, end, np.ones(200), precision)
    off = start @ found.T + by - end
    assert np.linalg.norm(off[~moved], axis=1).mean() < 0.15
    assert np.linalg.det(found) == pytest.approx(1) and np.allclose(found @ found.T, np.eye(3))
    plain, _ = fit_turn(start[~moved], end[~moved], np.ones((~moved).sum()))
    assert np.degrees(np.linalg.norm(cv2.Rodrigues(found @ plain.T)[0])) < 0.2


def sighting(yaw_deg: float, smile_mm: float, seed: int = 0) -> tuple[Sighting, np.ndarray, Surface]:
    """A face with the template's points in a picture of twice the size, as a network would see it."""
    from modalities.face.regions import TEMPLATE

    face = skin(slid(MARKS, smile_mm))
    for (right, left), (x, y, z) in TEMPLATE.items():
        place = 55 * np.array([x * (left != right), y, z]) + (0, 0, 40)
        face[right], face[left] = place * (-1, 1, 1), place
    points = in_camera(face, yaw_deg)
    picture, _, holes = look(yaw_deg, smile_mm, holes=0.2)
    seen = CAMERA.project(points) + 0.2 * np.random.default_rng(seed).standard_normal((478, 2))
    guess = (points[:, 2] - AWAY_MM) * 0.9 * CAMERA.fx / AWAY_MM
    rgb = np.repeat(picture[..., None], 3, axis=2)
    return Sighting(np.column_stack([seen, guess]), rgb, np.ones(2), (0, 0)), rgb, Surface(holes, CAMERA)


def test_an_observer_keeps_what_was_measured_and_nothing_where_there_was_no_depth() -> None:
    observer, plain = FaceObserver(None), FaceObserver(None)
    asked: list[tuple[int, int, int, int]] = []
    for at in range(24):
        face, picture, surface = sighting(8 * np.sin(at / 6), 1.5 * (at > 14), at)
        t_ns = round(at / 24 * 1e9)

        def source(box: tuple[int, int, int, int], surface: Surface = surface) -> Surface:
            asked.append(box)
            return surface

        given = (surface, source)[at % 2] if 3 <= at < 20 else None
        assert observer.take(face, picture, t_ns, given) and plain.take(face, picture, t_ns)
        assert at % 2 == 0 or given is None or asked[-1] == box_around(face.box)
    assert KEPT_DEPTH not in plain.kept()
    kept = observer.kept()[KEPT_DEPTH]
    assert kept.shape == (24, COLUMNS) and kept.dtype == np.float32
    assert not kept[:3].any() and not kept[20:].any()
    inside = kept[3:20]
    assert np.abs(inside[:, DISTANCE] - AWAY_MM).max() < 30 and np.all(
        (inside[:, SHARE] > 0.4) & (inside[:, SHARE] < 0.9)
    )
    assert np.ptp(inside[:, EYES]) < 4 and inside[0, EYES] > 20
    forward = inside[:, FORWARD]
    assert np.isfinite(forward).all() and np.median(forward.std(axis=0)) < 3
    rows, bare = observer.rows(), plain.rows()
    assert np.array_equal(rows["t_ns"], bare["t_ns"]) and np.array_equal(rows["lids"], bare["lids"])
    assert np.array_equal(rows["motion"][:3], bare["motion"][:3])
    assert np.isfinite(rows["motion"]).all() and not np.array_equal(rows["motion"][10], bare["motion"][10])
