"""Optical strain, LBP difference and MDMD: against plain references, and on faces that move once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from modalities.face.flow_methods import dense_flow
from modalities.face.models import FloatArray
from modalities.face.registration import PATCH_PX
from modalities.face.spotting import lbp, mdmd, strain
from modalities.face.spotting.base import SPOTTERS, FaceSignals, Reducer, load_spotter, reducers_of
from modalities.face.spotting.differences import FACE_BOX, Triples, contrast, relative_level, score_of

NAMES = ("strain", "lbp", "mdmd")


def clip(n: int, seed: int = 0) -> list[np.ndarray]:
    """Random pictures that wander a little."""
    import cv2

    rng = np.random.default_rng(seed)
    base = cv2.GaussianBlur(rng.uniform(0, 255, (PATCH_PX + 20, PATCH_PX + 20)).astype(np.float32), (0, 0), 2)
    base = np.clip((base - 127) * 5 + 127, 0, 255)
    out = []
    for shift in np.cumsum(rng.uniform(-0.8, 0.8, (n, 2)), axis=0):
        matrix = np.array([[1, 0, shift[0] - 10], [0, 1, shift[1] - 10]])
        picture = cv2.warpAffine(base, matrix, (PATCH_PX, PATCH_PX))
        out.append(np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8))
    return out


def points_in_patch() -> np.ndarray:
    from modalities.face.regions import TEMPLATE

    rng = np.random.default_rng(1)
    points = rng.uniform(20, 140, (478, 2))
    for (right, left), (x, y, _) in TEMPLATE.items():
        points[right], points[left] = (80 - 60 * x, 44 - 60 * y), (80 + 60 * x, 44 - 60 * y)
    return points.astype(np.float32)


def watch(reducer: Reducer, pictures: list[np.ndarray], times_s: np.ndarray, skip: tuple[int, ...] = ()) -> FloatArray:
    for number, (picture, t) in enumerate(zip(pictures, times_s.tolist(), strict=True)):
        if number not in skip:
            reducer.add(picture, points_in_patch(), round(t * 1e9), number)
    return reducer.finish(len(pictures))


def slow_lbp(face: np.ndarray) -> np.ndarray:
    """Uniform patterns pixel by pixel."""
    r = lbp.RADIUS_PX
    codes = {}
    for code in range(256):
        bits = [(code >> i) & 1 for i in range(8)]
        if sum(bits[i] != bits[i - 1] for i in range(8)) <= 2:
            codes[code] = len(codes)
    height, width = face.shape
    labels = np.zeros((height - 2 * r, width - 2 * r), int)
    real = face.astype(float)
    for row in range(r, height - r):
        for column in range(r, width - r):
            code = 0
            for bit in range(8):
                y, x = row - r * np.sin(2 * np.pi * bit / 8), column + r * np.cos(2 * np.pi * bit / 8)
                y, x = round(y, 6), round(x, 6)
                top, left = int(np.floor(y)), int(np.floor(x))
                down, right = min(top + 1, height - 1), min(left + 1, width - 1)
                value = (
                    (1 - y + top) * (1 - x + left) * real[top, left]
                    + (1 - y + top) * (x - left) * real[top, right]
                    + (y - top) * (1 - x + left) * real[down, left]
                    + (y - top) * (x - left) * real[down, right]
                )
                code |= int(value >= real[row, column] - 1e-4) << bit
            labels[row - r, column - r] = codes.get(code, 58)
    return labels


def test_local_binary_patterns_are_those_of_the_plain_loop() -> None:
    face = np.random.default_rng(2).integers(0, 256, (30, 34)).astype(np.uint8)
    assert (lbp.pattern_labels(face) == slow_lbp(face)).mean() > 0.999
    labels = lbp.pattern_labels(face)
    histograms = lbp.block_histograms(face)
    assert histograms.shape == (36, 59) and np.allclose(histograms.sum(axis=1), 1)
    rows = [at for at in range(labels.shape[0]) if at * 6 // labels.shape[0] == 0]
    columns = [at for at in range(labels.shape[1]) if at * 6 // labels.shape[1] == 0]
    block = labels[np.ix_(rows, columns)]
    assert np.allclose(histograms[0], np.bincount(block.ravel(), minlength=59) / block.size)


def test_feature_difference_is_the_mean_of_the_greatest_distances() -> None:
    rng = np.random.default_rng(4)
    before, now, after = rng.dirichlet(np.ones(59), (3, 36))
    distances = []
    for block in range(36):
        usual = [(b + a) / 2 for b, a in zip(before[block], after[block], strict=True)]
        distances.append(sum((n - u) ** 2 / (n + u) for n, u in zip(now[block], usual, strict=True) if n + u > 0))
    want = sum(sorted(distances)[-12:]) / 12
    assert lbp.feature_difference(before, now, after) == pytest.approx(want)
    assert lbp.feature_difference(now, now, now) == 0


def test_main_difference_is_that_of_the_plain_loop() -> None:
    rng = np.random.default_rng(5)
    there, beyond = rng.normal(0, 1, (2, 43, 38, 2)).astype(np.float32)
    height, width = 43 // 6, 38 // 6
    blocks = []
    for row in range(6):
        for column in range(6):
            quarters: dict[tuple[bool, bool], list[float]] = {}
            for y in range(row * height, (row + 1) * height):
                for x in range(column * width, (column + 1) * width):
                    u, v = there[y, x]
                    longer = float(np.hypot(u, v) - np.hypot(*beyond[y, x]))
                    quarters.setdefault((bool(u >= 0), bool(v >= 0)), []).append(longer)
            order = [quarters.get(key, []) for key in ((False, False), (False, True), (True, False), (True, True))]
            main = sorted(max(order, key=len), reverse=True)
            count = max(1, round(len(main) / 3))
            blocks.append(sum(main[:count]) / count)
    want = sum(sorted(blocks, reverse=True)[:12]) / 12
    assert mdmd.main_difference(there, beyond) == pytest.approx(want, rel=1e-5)


def test_reducers_agree_with_slow_loops_over_a_clip() -> None:
    pictures, fps = clip(40), 20.0
    times = np.arange(40) / fps
    left, top, right, bottom = FACE_BOX
    faces = [np.ascontiguousarray(picture[top:bottom, left:right]) for picture in pictures]
    found = watch(lbp.LbpReducer(), pictures, times, skip=(25,))
    histograms = [lbp.block_histograms(face) for face in faces]
    k = 3
    for at in (k, 10, 19):
        want = lbp.feature_difference(histograms[at - k], histograms[at], histograms[at + k])
        assert found[at, 0] == pytest.approx(want, rel=1e-5) and found[at, 1] == 1
    assert not found[0].any() and not found[25].any() and not found[-1, :2].any()
    assert found.shape == (40, 4) and found.dtype == np.float32
    flow, steps = dense_flow("dis"), 8
    found = watch(mdmd.MdmdSpotter().reducer(), pictures, times)
    for at in (8, 20, 31):
        there, beyond = flow(faces[at - steps], faces[at]), flow(faces[at - steps], faces[at + steps])
        assert found[at, 0] == pytest.approx(mdmd.main_difference(there, beyond), rel=1e-4)
    assert found[:8, 1].sum() == 0 and found[8:32, 1].all() and found[32:, 1].sum() == 0


def test_strain_is_averaged_over_each_area_against_the_reference() -> None:
    from modalities.face.strain import optical_strain

    pictures = clip(24)
    found = watch(strain.StrainReducer(), pictures, np.arange(24) / 20)
    shares = strain.area_shares(points_in_patch(), PATCH_PX)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-4)
    image = optical_strain(dense_flow("dis")(pictures[0], pictures[20]))
    for area in range(len(strain.AREAS)):
        inside = shares[area].reshape(PATCH_PX, PATCH_PX) > 0
        assert found[20, area] == pytest.approx(image[inside].mean(), rel=1e-3)
    assert not found[:10].any() and found[10:, -1].all()


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0, 200.0])
def test_pictures_are_compared_over_the_same_time_at_any_rate(fps: float) -> None:
    triples: Triples[float] = Triples((0.16, 0.65), 0.0095)
    out = []
    for number, t in enumerate(np.arange(0, 3, 1 / fps).tolist()):
        if triples.wants(round(t * 1e9)):
            out += triples.add(t, round(t * 1e9), number)
    step = 0.01 if fps == 200 else 1 / fps
    for scale, k in enumerate((0.16, 0.65)):
        mine = [one for one in out if one.scale == scale]
        assert len(mine) == pytest.approx((3 - 2 * k) / step, abs=4)
        for one in mine:
            assert one.now == pytest.approx(one.number / fps)
            assert abs(one.now - one.before - k) <= 0.75 * step and abs(one.after - one.now - k) <= 0.75 * step
        assert len({one.number for one in mine}) == len(mine)


def test_nothing_is_compared_across_a_gap() -> None:
    triples: Triples[float] = Triples((0.4,), 0.0)
    out = []
    times = np.r_[np.arange(0, 1, 0.04), np.arange(3, 4, 0.04)]
    for number, t in enumerate(times.tolist()):
        out += triples.add(t, round(t * 1e9), number)
    assert out and all(one.after - one.before < 0.9 for one in out)


def test_contrast_and_level_are_those_of_the_papers() -> None:
    times = np.arange(0, 50) * 40_000_000
    values = np.random.default_rng(0).random(50)
    found, there = contrast(times, values, 0.2)
    assert list(np.flatnonzero(there)) == list(range(5, 45))
    for at in range(5, 45):
        assert found[at] == pytest.approx(values[at] - (values[at - 5] + values[at + 5]) / 2)
    level = relative_level(found, there)
    inner = found[5:45]
    threshold = inner.mean() + 0.3 * (inner.max() - inner.mean())
    assert ((level > 0.3) == (there & (found > threshold))).all()
    assert score_of(np.array([0.3, 1.0, -2.0]), 0.3) == pytest.approx([0.5, 1 / 1.3, 0.0])
    assert not relative_level(np.ones(4), np.ones(4, bool)).any()
    assert not relative_level(values, np.zeros(50, bool)).any()


@lru_cache(maxsize=1)
def moving_face() -> FaceSignals:
    """A simulated still face that smiles for a moment, frowns for long, and has all reducers watch it."""
    from modalities.face.analysis import make_signals
    from modalities.face.models import borrowed_models
    from modalities.face.observation import FaceObserver
    from modalities.face.synthesis.events import PlantedExpression
    from modalities.face.synthesis.planting import animate
    from pipeline.simulate.face_portrait import load_photograph

    fps = 20.0
    times = np.arange(0, 11, 1 / fps)
    photograph = np.ascontiguousarray(load_photograph("astronaut")[:320, 60:380])
    events = [
        PlantedExpression("micro", ("au12_left", "au12_right"), 2.5, 2.65, 2.7, 2.9, 5.0),
        PlantedExpression("macro", ("au04",), 6.0, 6.6, 7.0, 7.6, 8.0),
    ]
    rng = np.random.default_rng(0)
    with borrowed_models() as models:
        observer = FaceObserver(models, reducers_of(load_spotter(name) for name in NAMES))
        for t, picture in zip(times.tolist(), animate(photograph, times, events), strict=True):
            noisy = np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)
            observer.add(noisy, round(t * 1e9))
        rows, reduced = observer.rows(), observer.reduced()
    return make_signals(rows, rows["found"], reduced)[0]


@pytest.mark.parametrize("name", NAMES)
def test_large_planted_movements_are_found(name: str) -> None:
    signals = moving_face()
    result = load_spotter(name).spot(signals)
    assert result.evidence.shape == signals.times_ns.shape and 0 <= result.evidence.min() <= result.evidence.max() <= 1
    for kind, first, last in (("micro", 2.5, 2.9), ("macro", 6.0, 7.6)):
        overlaps = []
        for one in result.expressions:
            assert one.onset_ns <= one.apex_ns <= one.offset_ns and 0.5 <= one.score <= 1
            both = min(last, one.offset_ns / 1e9) - max(first, one.onset_ns / 1e9)
            either = max(last, one.offset_ns / 1e9) - min(first, one.onset_ns / 1e9)
            if one.kind == kind:
                overlaps.append((both / either, one))
        overlap, best = max(overlaps, key=lambda pair: pair[0])
        assert overlap >= 0.5
        assert first <= best.apex_ns / 1e9 <= last
        assert {au[:4] for au in best.aus} & {"au12" if kind == "micro" else "au04"}


@pytest.mark.parametrize("name", NAMES)
def test_frames_that_are_not_judged_and_videos_too_short_give_nothing(name: str) -> None:
    from dataclasses import replace

    signals = moving_face()
    nothing = load_spotter(name).spot(replace(signals, judged=np.zeros(len(signals.times_ns), bool)))
    assert nothing.expressions == () and not nothing.evidence.any()
    judged = (signals.times_ns < 2e9) | (signals.times_ns > 3.5e9)
    part = load_spotter(name).spot(replace(signals, judged=judged))
    assert not part.evidence[~judged].any()
    assert all(one.apex_ns < 2e9 or one.apex_ns > 3.5e9 for one in part.expressions)


def test_a_spotter_that_did_not_watch_says_so() -> None:
    from dataclasses import replace

    assert set(NAMES) <= set(SPOTTERS)
    for name in NAMES:
        with pytest.raises(InvalidValueError, match="reducer"):
            load_spotter(name).spot(replace(moving_face(), reduced={}))
