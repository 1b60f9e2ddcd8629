"""The surveys' further spotters: on a face that moves twice, and what their parts measure."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from modalities.face.registration import PATCH_IOD_PX, PATCH_PX
from modalities.face.spotting.base import SPOTTERS, FaceSignals, Spotting, load_spotter, reducers_of

FINDING = ("hoof", "cfd", "riesz", "pattern", "apex-frequency", "apex-lbp", "apex-cnn", "time-contrast")
LEARNED = ("ltp-ml", "hog-lstm", "higo-lstm", "hoof-lstm")
"""What these few faces taught does not reach every face: docs/spotting.md says what each finds."""
NAMES = (*FINDING, *LEARNED)
MICRO, MACRO = (2.5, 2.9), (6.0, 7.6)


@lru_cache(maxsize=1)
def moving_face() -> FaceSignals:
    """A still photograph of a face that no spotter has seen; it smiles for a moment and frowns for long."""
    from modalities.face.analysis import make_signals
    from modalities.face.models import borrowed_models
    from modalities.face.observation import FaceObserver
    from modalities.face.synthesis.events import PlantedExpression
    from modalities.face.synthesis.planting import animate
    from pipeline.simulate.face_portrait import load_photograph

    fps = 20.0
    times = np.arange(0, 9.5, 1 / fps)
    photograph = np.ascontiguousarray(load_photograph("hopper")[37:426, 65:455])
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


@cache
def spotted(name: str) -> Spotting:
    return load_spotter(name).spot(moving_face())


@pytest.mark.parametrize("name", FINDING)
def test_large_planted_movements_are_found(name: str) -> None:
    result = spotted(name)
    assert result.evidence.shape == moving_face().times_ns.shape
    assert 0 <= result.evidence.min() <= result.evidence.max() <= 1
    for kind, (first, last) in (("micro", MICRO), ("macro", MACRO)):
        overlaps = [(0.0, 0.0)]
        for one in result.expressions:
            assert one.onset_ns <= one.apex_ns <= one.offset_ns and 0.5 <= one.score <= 1
            both = min(last, one.offset_ns / 1e9) - max(first, one.onset_ns / 1e9)
            either = max(last, one.offset_ns / 1e9) - min(first, one.onset_ns / 1e9)
            if one.kind == kind:
                overlaps.append((both / either, one.apex_ns / 1e9))
        overlap, apex = max(overlaps)
        assert overlap >= 0.5
        assert first <= apex <= last


@pytest.mark.parametrize("name", NAMES)
def test_frames_that_are_not_judged_and_videos_too_short_give_nothing(name: str) -> None:
    signals = moving_face()
    nothing = load_spotter(name).spot(replace(signals, judged=np.zeros(len(signals.times_ns), bool)))
    assert nothing.expressions == () and not nothing.evidence.any()
    judged = (signals.times_ns < 2e9) | (signals.times_ns > 3.5e9)
    part = load_spotter(name).spot(replace(signals, judged=judged))
    assert not part.evidence[~judged].any()
    assert all(one.apex_ns < 2e9 or one.apex_ns > 3.5e9 for one in part.expressions)
    few = slice(0, 2)
    short = replace(
        signals,
        **{name: getattr(signals, name)[few] for name in ("times_ns", "motion", "lids", "mouth", "angles", "judged")},
        speaking=signals.speaking[few],
        blinks=(),
        reduced={name: values[few] for name, values in signals.reduced.items()},
    )
    assert load_spotter(name).spot(short).expressions == ()


def test_a_spotter_that_did_not_watch_says_so() -> None:
    assert set(NAMES) <= set(SPOTTERS)
    for name in NAMES:
        if load_spotter(name).reducer() is not None:
            with pytest.raises(InvalidValueError, match="reducer"):
                load_spotter(name).spot(replace(moving_face(), reduced={}))


def textured(shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """A picture of smooth blobs, moved by (x, y) pixels."""
    import cv2

    rng = np.random.default_rng(3)
    base = cv2.GaussianBlur(rng.uniform(0, 255, (PATCH_PX + 40, PATCH_PX + 40)).astype(np.float32), (0, 0), 4)
    base = np.clip((base - base.mean()) * 6 + 127, 0, 255)
    matrix = np.array([[1, 0, shift[0] - 20], [0, 1, shift[1] - 20]])
    return np.clip(cv2.warpAffine(base, matrix, (PATCH_PX, PATCH_PX), flags=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def points() -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.uniform(30, 130, (478, 2)).astype(np.float32)


def test_phase_follows_a_shift() -> None:
    from modalities.face.spotting.areas import AREAS
    from modalities.face.spotting.riesz import OCTAVES, RieszReducer

    reducer = RieszReducer()
    steps = 6
    for number in range(steps + 1):
        reducer.add(textured((0.4 * number, -0.2 * number)), points(), number * 40_000_000, number)
    found = reducer.finish(steps + 1)
    assert not found[0].any() and (found[1:, -1] == 1).all()
    went = found[:, :-1].sum(axis=0).reshape(len(OCTAVES), len(AREAS), 2)
    want = np.array([0.4, -0.2]) * steps * 100 / PATCH_IOD_PX
    for octave in went:
        middle = np.median(octave, axis=0)
        assert np.abs(middle) == pytest.approx(np.abs(want) / 2, rel=0.35)  # waves of all directions: half of it
        assert middle[0] * middle[1] < 0


def test_a_band_passes_its_own_lengths() -> None:
    from modalities.face.spotting.riesz import BANDS_HZ, band_sizes

    rate = 50.0
    t = np.arange(0, 20, 1 / rate)
    place = np.zeros((len(t), 24))
    place[:, 1] = 2 * np.exp(-(((t - 6) / 0.08) ** 2)) + 2 * np.exp(-(((t - 14) / 0.6) ** 2)) + 0.3 * t
    fast, slow = (band_sizes(place, rate, band) for band in BANDS_HZ.values())
    assert abs(t[fast.argmax()] - 6) < 0.05 and abs(t[slow.argmax()] - 14) < 0.3


@pytest.mark.parametrize("samples", [4.0, 7.5, 40.0])
def test_the_pattern_measures_the_height_of_a_bump_and_no_drift(samples: float) -> None:
    from modalities.face.spotting.multiscale import bump_pattern

    pattern = bump_pattern(samples)
    half = len(pattern) // 2
    at = np.arange(-half, half + 1)
    bump = np.where(np.abs(at) < samples / 2, (1 + np.cos(2 * np.pi * at / samples)) / 2, 0)
    assert pattern @ (3 * bump + 5 + 0.1 * at) == pytest.approx(3)


def test_bumps_of_all_lengths_are_found_at_their_length() -> None:
    from modalities.face.spotting.multiscale import LENGTHS_S, pattern_heights

    rate = 60.0
    t = np.arange(0, 30, 1 / rate)
    for at, length in enumerate(LENGTHS_S):
        motion = np.zeros((len(t), 6))
        inside = np.abs(t - 15) < length / 2
        motion[inside, :] = (2 * (1 + np.cos(2 * np.pi * (t[inside] - 15) / length)) / 2)[:, None]
        heights = pattern_heights(motion, rate)
        row, column = np.unravel_index(heights.argmax(), heights.shape)
        assert column == at and abs(t[row] - 15) < 0.03
        assert heights[row, column] == pytest.approx(np.hypot(2, 2), rel=0.1)


def test_histograms_of_flow_count_directions_by_length() -> None:
    from modalities.face.spotting.hoof import BINS, direction_histograms

    flow = np.zeros((60, 66, 2), np.float32)
    flow[..., 0] = 0.5
    flow[30:] = (0, -2)
    found = direction_histograms(flow).reshape(6, 6, BINS)
    assert np.allclose(found[:3].sum(axis=-1), 0.5) and np.allclose(found[:3, :, 0], 0.5)
    assert np.allclose(found[3:].sum(axis=-1), 2) and np.allclose(found[3:, :, 6], 2)
