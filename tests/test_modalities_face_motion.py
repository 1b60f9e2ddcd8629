"""Flow methods, strain, head motion, registration and flow maps on pictures whose motion is known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError, NothingUsableError
from modalities.face.flow_map import FlowMap, flow_between, flow_maps, maps_of_events
from modalities.face.flow_methods import FLOW_METHODS, dense_flow
from modalities.face.head_motion import POINTS, FacePicture, HeadMotion, fit_rigid, rigid_basis, sample, spread
from modalities.face.landmarks import Sighting
from modalities.face.piecewise_registration import CONTROL, SETTLE_S, PiecewiseAligner
from modalities.face.registration import PATCH_PX, PatchAligner, load_aligner
from modalities.face.strain import optical_strain


@lru_cache
def texture(seed: int = 0, side: int = PATCH_PX) -> np.ndarray:
    """A random picture with detail at several sizes, float32."""
    import cv2

    rng = np.random.default_rng(seed)
    total = sum(
        width * cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), width)
        for width in (1.5, 3, 6, 12)
    )
    return 128 + 40 * total / np.abs(total).std()


def moved(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The picture whose content at p came from p - flow, for a flow that hardly varies over its own length."""
    import cv2

    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    back = flow.astype(np.float32)
    for _ in range(5):
        back = cv2.remap(
            flow.astype(np.float32),
            x - back[..., 0],
            y - back[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return cv2.remap(picture, x - back[..., 0], y - back[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def byte(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def smooth_flow(side: int = PATCH_PX) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    return np.stack([1.2 * np.sin(3 * x + y), -0.8 + 0.9 * np.cos(2 * y)], axis=-1)


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_every_method_measures_a_known_flow(method: str) -> None:
    truth = smooth_flow()
    found = dense_flow(method)(byte(texture()), byte(moved(texture(), truth)))
    assert found.dtype == np.float32 and found.shape == truth.shape
    inner = (found - truth)[16:-16, 16:-16]
    assert np.sqrt((inner**2).sum(axis=-1).mean()) < 0.1


def test_lucas_kanade_fills_what_has_no_texture() -> None:
    picture = texture().copy()
    picture[60:90, 60:90] = 128
    flow = np.broadcast_to((1.5, -1.0), (PATCH_PX, PATCH_PX, 2))
    found = dense_flow("lk")(byte(picture), byte(moved(picture, flow)))
    assert np.abs(found[20:-20, 20:-20] - (1.5, -1.0)).max() < 0.6


def test_unknown_methods_and_aligners_are_named() -> None:
    with pytest.raises(InvalidValueError, match="farneback"):
        dense_flow("magic")
    with pytest.raises(InvalidValueError, match="piecewise"):
        load_aligner("magic")


def test_strain_is_that_of_the_tensor_and_blind_to_shifts() -> None:
    y, x = np.mgrid[:60, :60].astype(np.float32)
    flow = np.stack([0.03 * x + 0.01 * y + 4, -0.02 * x + 0.05 * y - 7], axis=-1)
    shear = (0.01 - 0.02) / 2
    want = np.sqrt(0.03**2 + 0.05**2 + 2 * shear**2)
    inner = slice(5, -5)
    assert optical_strain(flow)[inner, inner] == pytest.approx(want, rel=1e-3)
    turn = np.stack([-0.02 * y, 0.02 * x], axis=-1)
    assert np.abs(optical_strain(turn)[inner, inner]).max() < 1e-6
    slow = np.zeros((60, 60))
    for row in range(1, 59):
        for column in range(1, 59):
            grads = [
                [(flow[row, column + 1, a] - flow[row, column - 1, a]) / 2,
                 (flow[row + 1, column, a] - flow[row - 1, column, a]) / 2]
                for a in (0, 1)
            ]  # fmt: skip
            tensor = (np.array(grads) + np.array(grads).T) / 2
            slow[row, column] = np.sqrt((tensor**2).sum())
    assert optical_strain(flow, smooth_px=1)[1:-1, 1:-1] == pytest.approx(slow[1:-1, 1:-1], rel=1e-3)


def mesh_in_patch(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Made-up landmarks over the picture, and their depth."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(12, 148, (len(POINTS), 2))
    depth = 0.5 - 1.2 * ((points - 80) ** 2).sum(axis=1) / 80**2
    return points.astype(np.float32), depth.astype(np.float32)


def true_depth(at: np.ndarray) -> np.ndarray:
    """What the mesh's depth is off by included."""
    away = ((at - 80) ** 2).sum(axis=-1) / 80**2
    return 0.5 - 1.2 * away + 0.12 * np.sin(at[..., 0] / 18) * np.cos(at[..., 1] / 23)


def turning(turn: float) -> Iterator[tuple[FacePicture, FacePicture, np.ndarray]]:
    """A head, the same turned by `turn` pixels per unit of depth, and the true motion of its landmarks."""
    points, depth = mesh_in_patch()
    y, x = np.mgrid[:PATCH_PX, :PATCH_PX].astype(float)
    flow = np.stack([turn * true_depth(np.stack([x, y], axis=-1)) + 0.5, 0 * x - 0.3], axis=-1)
    motion = np.column_stack([turn * true_depth(points) + 0.5, np.full(len(points), -0.3)])
    rng = np.random.default_rng(0)
    jittered = (points + motion + 0.4 * rng.standard_normal(points.shape)).astype(np.float32)
    first = FacePicture(byte(texture()), points, depth, 0)
    yield first, FacePicture(byte(moved(texture(), flow)), jittered, depth, 10**9), motion


def test_a_turning_head_leaves_little_once_its_depth_is_learnt() -> None:
    ((then, now, motion),) = turning(9.0)
    head, flow = HeadMotion(), dense_flow("dis")
    inner = ((then.points > 20) & (then.points < 140)).all(axis=1)
    basis = rigid_basis(then.points.astype(float), then.depth.astype(float))
    plain = motion - basis @ fit_rigid(motion, basis, np.ones(len(motion)))
    first = head.remove(then, now, flow)
    for _ in range(8):
        last = head.remove(then, now, flow)
    size = [float(np.sqrt((left[inner] ** 2).sum(axis=1).mean())) for left in (plain, first.at_points, last.at_points)]
    assert first.warped and size[0] > 0.4 and size[1] < 0.6 * size[0] and size[2] < 0.15
    off = true_depth(then.points) - then.depth
    assert np.corrcoef(head.correction[inner], off[inner])[0, 1] > 0.9
    dense = last.dense()[24:-24, 24:-24]
    assert np.sqrt((dense**2).sum(axis=-1).mean()) < 0.25


def test_a_local_movement_survives_the_removal() -> None:
    ((then, now, _),) = turning(4.0)
    y, x = np.mgrid[:PATCH_PX, :PATCH_PX].astype(float)
    bump = np.exp(-((x - 50) ** 2 + (y - 110) ** 2) / (2 * 9**2))
    flow = np.stack([4.0 * true_depth(np.stack([x, y], axis=-1)) + 0.5, -0.3 + 1.5 * bump], axis=-1)
    now = FacePicture(byte(moved(texture(), flow)), now.points, now.depth, now.t_ns)
    left = HeadMotion().remove(then, now, dense_flow("dis"))
    near = np.linalg.norm(then.points - (50, 110), axis=1) < 5
    far = np.linalg.norm(then.points - (50, 110), axis=1) > 30
    assert near.any() and left.at_points[near, 1].mean() > 1.0
    assert np.abs(left.at_points[far].mean(axis=0)).max() < 0.15


def test_surfaces_go_through_scattered_values() -> None:
    points, _ = mesh_in_patch()
    values = 0.01 * points[:, 0] - 0.02 * points[:, 1]
    surface = spread(points.astype(float), values.astype(float), PATCH_PX)
    assert surface.shape == (PATCH_PX, PATCH_PX)
    assert np.abs(sample(surface, points.astype(float)) - values).mean() < 0.05


def face_in_frame(turn_deg: float = 0.0, jitter: float = 0.0, seed: int = 0) -> Sighting:
    """A made-up head: points on half an ellipsoid, seen at an angle in a frame with texture."""
    from modalities.face.regions import TEMPLATE

    rng = np.random.default_rng(7)
    across, up = rng.uniform(-1.1, 1.1, 478), rng.uniform(-1.4, 0.8, 478)
    forward = 0.6 - 0.8 * across**2 - 0.2 * up**2
    for (right, left), (x, y, z) in TEMPLATE.items():
        across[right], up[right], forward[right] = -x, y, z
        across[left], up[left], forward[left] = (x if left != right else 0.0), y, z
    angle = np.radians(turn_deg)
    x = across * np.cos(angle) + forward * np.sin(angle)
    z = forward * np.cos(angle) - across * np.sin(angle)
    noise = jitter * np.random.default_rng(seed).standard_normal((478, 2))
    flat = np.column_stack([x, -up]) * 70 + (200, 150) + noise
    window = np.repeat(byte(texture(5, 400))[..., None], 3, axis=2)
    return Sighting(np.column_stack([flat, -70 * z]), window, np.ones(2), (0, 0))


def test_piecewise_registration_holds_stable_points_where_a_similarity_lets_them_go() -> None:
    places = {}
    for name in ("similarity", "piecewise"):
        aligner = load_aligner(name)
        times = np.arange(0, 3, 1 / 30)
        turns = 12 * np.clip((times - 1) / 1, 0, 1)
        seen = [aligner.align(face_in_frame(turn), round(t * 1e9)) for t, turn in zip(times, turns, strict=True)]
        patch, _ = seen[-1]
        assert patch.shape == (PATCH_PX, PATCH_PX) and patch.dtype == np.uint8
        places[name] = np.abs(seen[-1][1] - seen[int((SETTLE_S + 0.2) * 30)][1])[list(CONTROL)].mean()
    assert places["piecewise"] < 0.3 * places["similarity"] and places["similarity"] > 1


def test_piecewise_landmarks_lie_where_the_picture_shows_them() -> None:
    import cv2

    aligner = PiecewiseAligner()
    for at in range(60):
        patch, points = aligner.align(face_in_frame(0.0 if at < 20 else 10.0), round(at / 30 * 1e9))
    source = face_in_frame(10.0)
    inside = ((points > 20) & (points < 140)).all(axis=1)
    here = cv2.remap(patch, points[None, inside, 0], points[None, inside, 1], cv2.INTER_LINEAR)[0].astype(float)
    flat = source.points[inside, :2].astype(np.float32)
    grey = cv2.cvtColor(source.window, cv2.COLOR_RGB2GRAY)
    there = cv2.remap(grey, flat[None, :, 0], flat[None, :, 1], cv2.INTER_LINEAR)[0].astype(float)
    assert np.corrcoef(here, there)[0, 1] > 0.97


def test_piecewise_registration_filters_jitter_and_takes_a_reference() -> None:
    wanted = PatchAligner().align(face_in_frame(0.0), 0)[1].astype(float)
    aligner = PiecewiseAligner(wanted)
    places = [
        aligner.align(face_in_frame(6.0, 0.6, seed), round(seed / 30 * 1e9))[1][list(CONTROL)] for seed in range(60)
    ]
    raw = [
        PatchAligner().align(face_in_frame(6.0, 0.6, seed), round(seed / 30 * 1e9))[1][list(CONTROL)]
        for seed in range(60)
    ]
    assert np.abs(np.mean(places[20:], axis=0) - wanted[list(CONTROL)]).mean() < 0.3
    assert np.abs(np.mean(raw[20:], axis=0) - wanted[list(CONTROL)]).mean() > 1
    aligner.restart()
    assert np.isfinite(aligner.align(face_in_frame(0.0), 10**10)[1]).all()


def test_a_flow_map_has_the_form_that_networks_take() -> None:
    y, x = np.mgrid[:PATCH_PX, :PATCH_PX].astype(float)
    bump = np.exp(-((x - 50) ** 2 + (y - 110) ** 2) / (2 * 10**2))
    flow = np.stack([-1.0 * bump + 2, 2.0 * bump - 1], axis=-1)
    points, depth = mesh_in_patch()
    onset = FacePicture(byte(texture()), points, depth, 0)
    apex = FacePicture(byte(moved(texture(), flow)), points + np.float32((2, -1)), depth, 10**8)
    found = flow_between(onset, apex, dense_flow("dis"))
    assert found.stack(None).shape == (PATCH_PX, PATCH_PX, 3)
    small = found.stack()
    assert small.shape == (28, 28, 3) and small.dtype == np.float32
    top = np.unravel_index(np.argmax(small[..., 1]), (28, 28))
    assert np.abs(np.array(top) * PATCH_PX / 28 - (110, 50)).max() < 10
    assert small[..., 1].max() > 1.2 and small[..., 0].min() < -0.5
    assert np.abs(np.median(small[..., :2], axis=(0, 1))).max() < 0.2, "the shift of the whole is taken out"
    image = found.stretched()
    assert image.dtype == np.uint8 and image.min() == 0 and image.max() == 255
    flat = FlowMap(0, 1, *np.zeros((3, 8, 8), np.float32))
    assert not flat.stretched(4).any()


def test_flow_maps_of_a_video_with_planted_expressions() -> None:
    from modalities.face.models import borrowed_models
    from modalities.face.synthesis.events import PlantedExpression
    from modalities.face.synthesis.planting import animate
    from pipeline.simulate.face_portrait import load_photograph

    times = np.arange(0, 0.8, 1 / 20)
    photograph = np.ascontiguousarray(load_photograph("astronaut")[:320, 60:380])
    event = PlantedExpression("micro", ("au12_left",), 0.2, 0.35, 0.4, 0.6, 5.0)
    frames = [(round(t * 1e9), p) for t, p in zip(times.tolist(), animate(photograph, times, [event]), strict=True)]
    frames.append((10**9, np.zeros_like(photograph)))
    with borrowed_models() as models:
        found = list(flow_maps(iter(frames), [(2 * 10**8, 375 * 10**6), (0, 10**9)], models))
        with pytest.raises(NothingUsableError):
            list(flow_maps([], [(0, 1)], models))
        with pytest.raises(InvalidValueError, match="apex"):
            list(flow_maps(frames, [(5, 5)], models))
    assert found[1] is None, "the last picture shows no face"
    one = found[0]
    assert one is not None and one.onset_ns == 2 * 10**8 and one.apex_ns in (35 * 10**7, 4 * 10**8)
    size = np.hypot(one.u, one.v)
    row, column = np.unravel_index(np.argmax(size[20:-20, 20:-20]), (120, 120))
    assert column + 20 > 80 and row + 20 > 85, "the person's left corner of the mouth"
    assert 1.5 < size.max() < 5 and np.median(size) < 0.3


def test_maps_of_events_look_again_at_single_frames() -> None:
    from data_schemas.stream import StreamInfo, Video
    from data_schemas.time import Explicit
    from modalities.face.models import borrowed_models
    from modalities.face.observation import FaceObserver
    from modalities.face.synthesis.events import PlantedExpression
    from modalities.face.synthesis.planting import animate
    from pipeline.simulate.face_portrait import load_photograph

    times = np.arange(0, 0.8, 1 / 20)
    times_ns = np.rint(times * 1e9).astype(np.int64)
    photograph = np.ascontiguousarray(load_photograph("astronaut")[:320, 60:380])
    event = PlantedExpression("micro", ("au12_left",), 0.2, 0.35, 0.4, 0.6, 5.0)
    pictures = list(animate(photograph, times, [event]))
    opened: list[frozenset[int]] = []

    def pick(wanted: frozenset[int]) -> Iterator[tuple[int, np.ndarray]]:
        opened.append(wanted)
        return ((at, pictures[at]) for at in sorted(wanted))

    video = Video(
        info=StreamInfo("face", "face_rgb", "session", "p01"),
        axis=Explicit(times_ns),
        source=lambda: iter(enumerate(pictures)),
        width=320,
        height=320,
        picker=pick,
    )
    moments = [(2 * 10**8, 375 * 10**6), (375 * 10**6, 2 * 10**8), (10**8, 10**8 + 1)]
    with borrowed_models() as models:
        observer = FaceObserver(models)
        for t_ns, picture in zip(times_ns.tolist(), pictures, strict=True):
            observer.add(picture, t_ns)
        again = maps_of_events(video, observer.rows(), moments, models)
        tracked = next(flow_maps(zip(times_ns.tolist(), pictures, strict=True), moments[:1], models))
        assert maps_of_events(video, observer.rows()[:0], moments, models) == [None] * 3
    assert opened == [frozenset(range(8))], "only these and the quarter second before each are decoded, each once"
    assert again[0] is not None and tracked is not None
    assert again[1] is None and again[2] is None, "an apex at or before its onset shows nothing"
    both = np.stack([again[0].stack(), tracked.stack()])
    assert np.corrcoef(both[0, ..., :2].ravel(), both[1, ..., :2].ravel())[0, 1] > 0.9
