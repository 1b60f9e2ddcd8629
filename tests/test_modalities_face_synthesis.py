"""Planted movements: as large, as long and where they were asked for, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.events import GAP_S, PlantedExpression, frame_truth, plan_events
from modalities.face.synthesis.families import FAMILIES
from modalities.face.synthesis.following import FacePath, follow_face, smooth_path
from modalities.face.synthesis.identity import reshape_face
from modalities.face.synthesis.mesh import FaceMesh, find_mesh
from modalities.face.synthesis.nuisance import Nuisance, disturb, draw_nuisance, recompress
from modalities.face.synthesis.planting import Movement, animate, displace, forward_field, plant, visible
from modalities.face.synthesis.profiles import PROFILES, course
from pipeline.simulate.face import Puppet, render_face
from pipeline.simulate.face_portrait import load_photograph, prepare_portrait
from pipeline.simulate.motion import FaceMotion


@lru_cache(maxsize=1)
def photograph() -> tuple[np.ndarray, FaceMesh]:
    picture = cv2.resize(load_photograph("astronaut")[20:280, 100:360], (520, 520), interpolation=cv2.INTER_CUBIC)
    return picture, find_mesh(picture)


@lru_cache(maxsize=1)
def moving() -> tuple[list[np.ndarray], np.ndarray, FacePath]:
    """A second of a turning, shifting, blinking simulated face, and its face as MediaPipe follows it."""
    times = np.arange(30) / 30
    swing = np.sin(2 * np.pi * 0.7 * times)
    motion = FaceMotion(
        times_s=times, yaw_deg=4 * swing, roll_deg=2 * swing, shift_px=np.outer(swing, [8, 4]),
        blink=np.exp(-(((times - 0.2) / 0.05) ** 2)),
    )  # fmt: skip
    frames = list(render_face(motion, photograph="hopper", size=(480, 360), face_width_px=220))
    return frames, times, follow_face(iter(frames), times)


def event(
    aus: tuple[str, ...] = ("au12",), percent: float = 4.0, family: str = "bench", **kind: str
) -> PlantedExpression:
    return PlantedExpression(kind.get("kind", "micro"), aus, 0.31, 0.47, 0.5, 0.72, percent, family)


def measured(before: np.ndarray, after: np.ndarray, field: np.ndarray) -> float:
    """Displacement by dense inverse search flow, along the planted direction, where most was planted."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    flow = dis.calc(*(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (before, after)), None)
    size = np.linalg.norm(field, axis=-1)
    core = size > 0.8 * size.max()
    return float(np.median((flow[core] * field[core]).sum(axis=-1) / size[core] ** 2))


def field_of(picture: np.ndarray, mesh: FaceMesh, one: Movement) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(picture.shape[1]), np.arange(picture.shape[0]))
    return forward_field(mesh, [one], np.stack([columns, rows], axis=-1).astype(np.float32))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("aus", "percent"),
    [(("au01", "au02"), 2.0), (("au04",), 4.0), (("au12",), 2.0), (("au12",), 8.0), (("au15",), 4.0), (("au17",), 4.0)],
)
def test_flow_on_a_photograph_sees_what_was_planted(family: str, aus: tuple[str, ...], percent: float) -> None:
    picture, mesh = photograph()
    one = Movement(aus, percent, family)
    field = field_of(picture, mesh, one)
    assert np.linalg.norm(field, axis=-1).max() == pytest.approx(percent / 100 * mesh.iod, rel=0.01)
    assert measured(picture, displace(picture, mesh, [one]), field) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("aus", [("au12_left",), ("au04",)])
def test_flow_on_a_moving_face_sees_what_was_planted(family: str, aus: tuple[str, ...]) -> None:
    frames, times, path = moving()
    one = event(aus, 5.0, family)
    truth = frame_truth(one, times)
    assert truth is not None
    planted = list(plant(iter(frames), path, times, [one]))
    at = truth.apex_frame
    mesh = path.mesh(at)
    assert mesh is not None
    assert truth.percent[at - truth.onset_frame] > 4.8
    field = field_of(frames[at], mesh, Movement(aus, truth.percent[at - truth.onset_frame], family))
    assert measured(frames[at], planted[at], field) == pytest.approx(1.0, abs=0.2)
    for i, (was, now) in enumerate(zip(frames, planted, strict=True)):
        inside = truth.onset_frame <= i <= truth.offset_frame
        assert inside or np.array_equal(was, now)
        size = one.at(times)[i] / 100 * mesh.iod
        assert size < 0.1 or not np.array_equal(was, now)


def test_one_side_moves_and_the_background_stays() -> None:
    picture, mesh = photograph()
    for family in FAMILIES:
        change = np.abs(displace(picture, mesh, [Movement(("au12_left",), 8.0, family)]).astype(int) - picture).max(
            axis=-1
        )
        middle, left = int(mesh.points[0, 0]), int(mesh.points[291, 0])
        assert change[:, middle:].max() > 40
        assert change[:, : 2 * middle - left].max() <= 2
        assert change[:60].max() == 0
    assert event(("au12_left",)).side == "left"
    assert event(("au06", "au12")).side == "both"


def test_a_photograph_becomes_a_video_that_moves_only_during_the_event() -> None:
    picture, _ = photograph()
    times = np.array([0.0, 0.3, 0.31, 0.45, 0.48, 0.7, 0.72, 1.0])
    frames = list(animate(picture, times, [event()]))
    changed = [not np.array_equal(picture, frame) for frame in frames]
    assert changed == [False, False, False, True, True, True, False, False]
    truth = frame_truth(event(), times)
    assert truth is not None
    assert (truth.onset_frame, truth.apex_frame, truth.offset_frame) == (3, 4, 5)
    assert frame_truth(event(), np.array([0.0, 0.2, 0.9])) is None


@given(
    name=st.sampled_from(sorted(PROFILES)),
    parts=st.lists(st.floats(0.02, 2.0), min_size=3, max_size=3),
    hold=st.booleans(),
    rate=st.floats(24, 200),
)
@settings(max_examples=40, deadline=None)
def test_profiles_begin_peak_and_end_on_time(name: str, parts: list[float], hold: bool, rate: float) -> None:
    onset = 0.5
    apex = onset + parts[0]
    release = apex + hold * parts[1]
    offset = release + parts[2]
    nodes = (onset, apex, release, offset)
    assert course(name, nodes, np.array(nodes)).tolist() == pytest.approx([0, 1, 1, 0], abs=1e-12)
    values = course(name, nodes, np.arange(0, offset + 1, 1 / rate))
    times = np.arange(0, offset + 1, 1 / rate)
    assert values.min() >= 0
    assert values.max() <= 1
    assert np.all(values[(times <= onset) | (times >= offset)] == 0)
    assert np.all(np.diff(values[times <= apex]) >= -1e-12)
    assert np.all(np.diff(values[times >= release]) <= 1e-12)


@given(
    seconds=st.floats(5, 600),
    rate=st.floats(0.5, 6),
    seed=st.integers(0, 10_000),
    family=st.sampled_from(sorted(FAMILIES)),
)
@settings(max_examples=40, deadline=None)
def test_plans_keep_their_ranges(seconds: float, rate: float, seed: int, family: str) -> None:
    plan = plan_events(seconds, rate, np.random.default_rng(seed), family_name=family)
    assert len(plan) <= seconds * rate / 60 + 1
    assert len(plan) >= seconds * rate / 60 - 1 or seconds < 30
    edges = [0.0, *(t for one in plan for t in (one.onset_s, one.offset_s)), seconds]
    assert all(b - a > GAP_S - 1e-6 for a, b in zip(edges[::2], edges[1::2], strict=True))
    for one in plan:
        low, high = (0.08, 0.5) if one.kind == "micro" else (0.5, 4.0)
        assert low - 1e-9 <= one.duration_s <= high + 1e-9
        assert one.at(np.array([one.apex_s]))[0] == pytest.approx(one.percent)
        assert (1 if one.kind == "micro" else 2) <= one.percent <= (5 if one.kind == "micro" else 10)


def test_micros_can_ride_on_macros() -> None:
    plan = plan_events(600, 3, np.random.default_rng(1), micro_share=0, riding=1.0)
    micros = [one for one in plan if one.kind == "micro"]
    assert len(micros) >= 5
    for micro in micros:
        under = [one for one in plan if one.kind == "macro" and one.onset_s < micro.onset_s < one.offset_s]
        assert len(under) == 1
        assert not {a[:4] for a in under[0].aus} & {a[:4] for a in micro.aus}


def test_the_families_share_neither_fields_nor_profiles_nor_faces() -> None:
    train, bench = FAMILIES["train"], FAMILIES["bench"]
    assert train.photograph != bench.photograph
    nodes, times = (0.0, 0.4, 0.5, 1.0), np.linspace(0, 1, 101)
    assert np.abs(course(train.profile, nodes, times) - course(bench.profile, nodes, times)).max() > 0.15
    picture, mesh = photograph()
    for au in ("au01", "au04", "au06", "au12", "au15", "au20"):
        a, b = (field_of(picture, mesh, Movement((au,), 5.0, name)) for name in FAMILIES)
        apart = np.linalg.norm(a - b) / np.linalg.norm(a)
        assert apart > 0.3, au
        assert (a * b).sum() > 0, au


def test_wrong_calls_say_what_is_wrong() -> None:
    frames, times, path = moving()
    hidden = FacePath(path.points, path.found & (np.arange(30) != 14))
    assert visible([event()], hidden, times) == []
    with pytest.raises(InvalidValueError, match="no face"):
        list(plant(iter(frames), hidden, times, [event()]))
    with pytest.raises(InvalidValueError, match="unknown family"):
        event(family="mine")
    with pytest.raises(InvalidValueError, match="micro or macro"):
        event(kind="mini")
    with pytest.raises(InvalidValueError, match="onset < apex"):
        PlantedExpression("micro", ("au12",), 0.2, 0.1, 0.2, 0.3, 2.0)
    with pytest.raises(InvalidValueError, match="at most 6"):
        plan_events(60, 7, np.random.default_rng(0))
    with pytest.raises(InvalidValueError, match="no muscle line"):
        displace(*photograph(), [Movement(("au99",), 2.0, "bench")])
    with pytest.raises(InvalidValueError, match="out of range"):
        Nuisance(light_ramp=3.0)
    with pytest.raises(InvalidValueError, match="rate factor"):
        Nuisance(quality=60)


def test_smoothing_neither_lags_nor_crosses_gaps() -> None:
    times = np.arange(40) / 30
    straight = np.zeros((40, 478, 2), np.float32)
    straight[..., 0] = np.arange(40)[:, None]
    found = np.ones(40, bool)
    found[18:22] = False
    straight[22:] += 100
    smooth = smooth_path(straight * found[:, None, None], found, times)
    assert np.abs(smooth[found] - straight[found]).max() < 1e-3
    assert np.all(smooth[~found] == 0)
    noisy = straight + np.random.default_rng(0).standard_normal(straight.shape).astype(np.float32)
    error = (smooth_path(noisy, np.ones(40, bool), times) - straight)[4:16]
    assert error.std() < 0.6


def test_following_finds_the_face_where_it_is() -> None:
    frames, _, path = moving()
    assert path.found.all()
    at = find_mesh(frames[15])
    mesh = path.mesh(15)
    assert mesh is not None
    assert (
        np.linalg.norm(mesh.points[[61, 291, 107, 336]] - at.points[[61, 291, 107, 336]], axis=1).max() < 0.06 * at.iod
    )


def test_the_renderer_knows_where_its_landmarks_are() -> None:
    puppet = Puppet(prepare_portrait("astronaut", (480, 360), 220, 0, identity=3))
    curves = {"yaw_deg": 5.0, "roll_deg": -3.0, "mouth_open": 0.6}
    motion = FaceMotion(
        times_s=np.zeros(1), aus={"au12_left": np.ones(1)}, **{name: np.array([v]) for name, v in curves.items()}
    )
    picture = np.clip(puppet.draw(motion, 0), 0, 255).astype(np.uint8)
    marks = [61, 291, 133, 362, 1, 152, 17, 0, 70, 300]
    apart = np.linalg.norm(puppet.landmarks(motion, 0) - find_mesh(picture).points, axis=1)[marks]
    assert apart.max() < 0.1 * puppet.portrait.mesh.iod
    assert np.median(apart) < 0.04 * puppet.portrait.mesh.iod


def test_identities_differ_and_stay_faces() -> None:
    picture, _ = photograph()
    assert reshape_face(picture, 0) is picture
    shapes = []
    for identity in (1, 2, 3):
        face = reshape_face(picture, identity)
        assert face.shape == picture.shape
        found = find_mesh(face)
        points = (found.points - found.eyes.mean(axis=0)) / found.iod
        shapes.append([points[152, 1], points[1, 1], np.ptp(points[[61, 291], 0]), np.ptp(points[[58, 288], 0])])
    assert np.array_equal(reshape_face(picture, 2), reshape_face(picture, 2))
    assert np.std(shapes, axis=0).max() > 0.02
    with pytest.raises(InvalidValueError, match="negative"):
        reshape_face(picture, -1)


def stills(n: int = 12, size: tuple[int, int] = (64, 81)) -> Iterator[np.ndarray]:
    base = np.kron(np.random.default_rng(5).integers(60, 190, (8, 9, 3)), np.ones((8, 9, 1))).astype(np.uint8)
    return (base[: size[0], : size[1]] for _ in range(n))


def test_disturbances_are_as_strong_as_asked() -> None:
    times = np.arange(12) / 30
    lit = [f.mean() for f in disturb(stills(), times, Nuisance(light_ramp=0.3), np.random.default_rng(0))]
    assert lit[-1] / lit[0] == pytest.approx(1.3, abs=0.01)
    grain = list(disturb(stills(), times, Nuisance(noise=2.0), np.random.default_rng(0)))
    difference = (grain[3].astype(float) - grain[7])[8:-8, 8:-8]
    assert difference.std() == pytest.approx(np.sqrt(2 * (4 + 1 / 12)), rel=0.1)
    swaying = list(disturb(stills(), times, Nuisance(sway_px=3, sway_hz=2.0), np.random.default_rng(2)))
    assert np.abs(swaying[0].astype(int) - swaying[-1]).mean() > 1
    untouched = list(disturb(stills(), times, Nuisance(), np.random.default_rng(0)))
    assert all(np.array_equal(a, b) for a, b in zip(untouched, stills(), strict=True))


def test_disturbances_repeat_by_seed_and_keep_count_and_size() -> None:
    times = np.arange(12) / 30
    first, again, other = (
        list(disturb(stills(), times, draw_nuisance(np.random.default_rng(seed)), np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    )
    assert len(first) == 12
    assert first[0].shape == (64, 81, 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[5], other[5])


def test_compression_loses_more_at_a_higher_rate_factor() -> None:
    losses = []
    for quality in (10, 40):
        back = list(recompress(stills(), quality))
        assert len(back) == 12
        losses.append(np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(back, stills(), strict=True)]))
    assert 0 < losses[0] < losses[1] < 25
