"""The reference spotters that learn: what they see, how they are trained, and that their files are what they say."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import MissingFileError, UnreadableFileError
from modalities.face.registration import PATCH_PX
from modalities.face.spotting.base import load_spotter
from modalities.face.spotting.learned import WEIGHTS, Learned, load_learned, save_learned
from modalities.face.spotting.recurrent import RATE_HZ, even_grid, labelled, unusual
from pipeline.simulate.spotter_lessons import Lesson, event_scores, figures_of, watch
from pipeline.simulate.spotter_models import FITS, SEEING
from pipeline.simulate.spotter_pictures import Stretch, plant_into

NAMES = (*FITS, *SEEING)


@lru_cache(maxsize=1)
def still() -> Stretch:
    """Three seconds of the "train" photograph, aligned; nothing moves."""
    from modalities.face.landmarks import Sighting
    from modalities.face.registration import PatchAligner
    from modalities.face.synthesis.mesh import find_mesh
    from pipeline.simulate.face_portrait import load_photograph

    photograph = np.ascontiguousarray(load_photograph("astronaut")[:320, 60:380])
    mesh = find_mesh(photograph)
    sighting = Sighting(np.column_stack([mesh.points, -mesh.depth]), photograph, np.ones(2), (0, 0))
    patch, placed = PatchAligner().align(sighting, 0)
    return Stretch(np.stack([patch] * 75), np.stack([placed] * 75))


@lru_cache(maxsize=1)
def lesson() -> Lesson:
    return watch(plant_into(still(), np.random.default_rng(4)))


def test_expressions_are_planted_where_the_labels_say() -> None:
    stretch = plant_into(still(), np.random.default_rng(4))
    assert len(stretch.patches) == 150 and stretch.planted
    moved = stretch.labels("micro") | stretch.labels("macro")
    assert moved.any() and not moved.all()
    level = stretch.patches.mean(axis=(1, 2), keepdims=True)
    pictures = stretch.patches / level
    away = np.abs(pictures - pictures[~moved].mean(axis=0))[:, 20:140, 30:130].mean(axis=(1, 2))
    assert away[moved].max() > away[~moved].max()
    again = plant_into(still(), np.random.default_rng(4))
    assert np.array_equal(again.patches, stretch.patches)


def test_lessons_hold_what_each_spotter_sees() -> None:
    one = lesson()
    assert one.labels.shape == (150, 2) and one.faces.shape == (150, 64, 64)
    for name, table in one.tables.items():
        rows = table[:, -1] > 0
        assert rows.sum() >= 20 and np.isfinite(table).all() and table[rows, :-1].any(), name
    assert {scale for _, scale, _ in one.differences} == {0, 1}
    starts, patterns = one.patterns[0]
    assert patterns.shape == (len(starts), 12, 10) and patterns[..., :-1].max() == pytest.approx(1)
    differences = np.array([values for number, scale, values in one.differences if scale == 0])
    assert (differences >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_small_and_say_how_they_came_about(name: str) -> None:
    learned = load_learned(name)
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size < 300_000
    assert learned.card["numbers"] == sum(one.size for one in learned.tables.values())
    assert learned.card["plan"]["faces"] >= 20 and learned.card["figures"]
    assert all(np.isfinite(one).all() for one in learned.tables.values())
    assert load_spotter(name).reducer() is not None


def test_each_can_be_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.simulate import spotter_fits, spotter_labellers
    from pipeline.simulate.spotter_models import Plan, fit_all

    monkeypatch.setattr(spotter_fits, "PAIR_STEPS", 3)
    monkeypatch.setattr(spotter_labellers, "PASSES", 2)
    found = fit_all([lesson()], [lesson()], Plan(faces=1, held_out=1, rounds=1), NAMES)
    for name in NAMES:
        old, new = load_learned(name), found[name]
        assert {key: value.shape for key, value in new.tables.items()} == {
            key: value.shape for key, value in old.tables.items()
        }
        assert set(new.card) == set(old.card)


def test_weights_that_are_not_there_or_broken_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="spotter_models"):
        load_learned("hoof-lstm", tmp_path)
    save_learned("mine", Learned({"a": np.arange(6.0).reshape(2, 3)}, {"figures": {"f1": 0.5}}), tmp_path)
    again = load_learned("mine", tmp_path)
    assert again.tables["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and again.card["figures"]["f1"] == 0.5
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    (tmp_path / "broken.json").write_text(json.dumps({}))
    with pytest.raises(UnreadableFileError):
        load_learned("broken", tmp_path)


def test_stretches_of_the_right_length_are_expressions() -> None:
    times = even_grid(np.array([0, 10_000_000_000]))
    score = np.zeros(len(times))
    score[25:33], score[28] = 0.6, 0.9
    score[100:160], score[130] = 0.7, 0.1
    score[200] = 0.9  # too short for any
    found = labelled(times, score)
    assert [(kind, first, apex, last) for kind, first, apex, last, _ in found] == [
        ("micro", 25, 28, 32),
        ("macro", 100, 100, 159),
    ]
    assert np.diff(times[:2])[0] == round(1e9 / RATE_HZ)


def test_what_is_unusual_does_not_depend_on_the_scale() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3, 1, (500, 4))
    values[250:260] += 20
    found = unusual(values)
    assert np.allclose(found, unusual(7 * values - 2), atol=1e-6)
    assert np.abs(found[250:260]).min() > 5 * np.abs(found[:200]).mean()


def test_local_patterns_follow_a_square_that_moves() -> None:
    from modalities.face.spotting.areas import AREAS, SIDE_PX
    from modalities.face.spotting.ltp import POINTS, local_patterns

    rng = np.random.default_rng(0)
    import cv2

    base = cv2.GaussianBlur(rng.uniform(0, 255, (40, 40)).astype(np.float32), (0, 0), 3) * 3
    times = np.arange(30) * 33_333_333
    shift = 2 * np.clip((np.arange(30) - 5) / 9, 0, 1)
    squares = []
    for one in shift.tolist():
        matrix = np.array([[1, 0, one - 10], [0, 1, -10]])
        square = cv2.warpAffine(base, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_CUBIC)
        squares.append((square - square.mean()).ravel())
    stack = np.stack([np.stack([one] * len(AREAS)) for one in squares]).astype(np.float32)
    found = local_patterns(stack, times, np.array([5]), 300_000_000)
    assert found.shape == (1, len(AREAS), POINTS + 1)
    assert np.allclose(found[0, 0, :POINTS], np.arange(1, POINTS + 1) / POINTS, atol=0.12)
    assert np.exp(found[0, 0, -1]) == pytest.approx(2 / 60 * 100, rel=0.4)


def test_the_main_motion_is_that_of_the_plain_loop() -> None:
    from modalities.face.spotting.collaborative import BINS, BLOCKS, EVERY_PX, main_motion

    flow = np.random.default_rng(1).normal(0, 1, (48, 60, 2)).astype(np.float32)
    part = flow[::EVERY_PX, ::EVERY_PX]
    found = main_motion(flow)
    for block in (0, 7, 35):
        top, left = block // BLOCKS, block % BLOCKS
        by_direction: dict[int, list[np.ndarray]] = {at: [] for at in range(BINS)}
        for y in range(part.shape[0]):
            for x in range(part.shape[1]):
                if y * BLOCKS // part.shape[0] == top and x * BLOCKS // part.shape[1] == left:
                    u, v = part[y, x].astype(float)
                    by_direction[int(np.rint(np.arctan2(v, u) / (2 * np.pi) * BINS)) % BINS].append(part[y, x])
        main = max(by_direction.values(), key=len)
        assert found[block] == pytest.approx(np.mean(main, axis=0), abs=1e-5)


def test_found_and_planted_are_matched_one_to_one() -> None:
    planted = list(lesson().planted)
    spans = [(one.kind, round(one.onset_s * 1e9), round(one.offset_s * 1e9)) for one in planted]
    scores = event_scores([*spans, *spans], planted)
    for kind in ("micro", "macro"):
        count = sum(one.kind == kind for one in planted)
        assert scores[kind] == (2 * count, count, count)
    figures = figures_of([scores], planted[0].kind)
    assert figures == {"f1": 0.667, "precision": 0.5, "recall": 1.0}
    assert still().patches.shape[1:] == (PATCH_PX, PATCH_PX)
