"""The default recogniser: learnt from simulated faces alone, unsure where there is nothing, measured on real maps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.default_recogniser import measure
from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from fusion.calibration import calibration_error
from modalities.face.flow_map import FlowMap
from modalities.face.recognition.default.evaluation import evaluate_default
from modalities.face.recognition.default.measures import (
    FEATURES,
    LEAST_PERCENT,
    describe,
    moved_percent,
    stretch,
    structure,
)
from modalities.face.recognition.default.recogniser import UNSURE, WEIGHTS, DefaultRecogniser
from modalities.face.recognition.default.training import Recipe, find_temperature, find_threshold, train_on
from modalities.face.recognition.flow_set import read_flow_set
from modalities.face.recognition.protocols import find_protocol
from modalities.face.recognition.samples import CLASSES, Samples
from modalities.face.recognition.scores import uf1_of
from modalities.face.recognition.systems import find_system, learns, systems_for
from pipeline.recognition_bench import run_recognition_bench, score_rows
from pipeline.simulate.recogniser_model import Plan, draw_noise, train_recogniser
from pipeline.simulate.recognition_examples import SHOWN, UNITS, Drawn, draw_examples

SMALL = Recipe(members=1, hidden=32, updates=80, batch=64)
TINY = Plan(seed=3, faces=8, each=60, recipe=SMALL, judged=10)
IOD_PX = 60.0


@pytest.fixture(scope="module")
def shipped() -> DefaultRecogniser:
    return DefaultRecogniser.load()


@pytest.fixture(scope="module")
def strangers() -> Drawn:
    """Faces of the other photograph, moved by the other fields."""
    return draw_examples(range(700_001, 700_005), 60, seed=5, name="bench")


@pytest.fixture(scope="module")
def tiny() -> DefaultRecogniser:
    return train_recogniser(TINY)


# --- the generator


def test_examples_are_reproducible_and_differ_by_face(strangers: Drawn) -> None:
    again = draw_examples(range(700_001, 700_003), 60, seed=5, name="bench")
    assert np.array_equal(again.maps, strangers.maps[:120]) and np.array_equal(again.y, strangers.y[:120])
    other = draw_examples([700_001], 60, seed=6, name="bench")
    assert not np.array_equal(other.maps, strangers.maps[:60])
    assert strangers.maps.shape == (240, 28, 28, 3) and np.isfinite(strangers.maps).all()
    assert np.bincount(strangers.y, minlength=3).min() > 50


def test_classes_are_made_of_known_units() -> None:
    assert tuple(SHOWN) == CLASSES
    sets = {name: {units for _, units in listed} for name, listed in SHOWN.items()}
    assert all(unit in UNITS for listed in sets.values() for units in listed for unit in units)
    assert not any(sets[one] & sets[two] for one, two in (CLASSES[:2], CLASSES[1:], CLASSES[::2]))


def test_mean_maps_show_what_the_units_do() -> None:
    drawn = draw_examples(range(1, 5), 90, seed=1)
    v = drawn.maps[..., 1] - np.median(drawn.maps[..., 1], axis=(1, 2), keepdims=True)
    brows, mouth = v[:, 1:7, 8:20].mean(axis=(1, 2)), v[:, 17:22].mean(axis=1)
    corners = (mouth[:, 5:10].mean(axis=1) + mouth[:, 18:23].mean(axis=1)) / 2
    assert brows[drawn.y == 2].mean() < -0.3 and brows[drawn.y == 0].mean() > 0.1
    assert corners[drawn.y == 1].mean() < corners[drawn.y == 0].mean() - 0.2


# --- measures


def test_stretch_is_that_of_the_flow_maps(strangers: Drawn) -> None:
    one = strangers.maps[0]
    assert np.array_equal(stretch(strangers.maps[:1])[0], FlowMap(0, 1, *np.moveaxis(one, -1, 0)).stretched(28))


def test_a_still_face_and_noise_show_nothing(shipped: DefaultRecogniser, strangers: Drawn) -> None:
    still = np.zeros((2, 28, 28, 3))
    assert structure(still).tolist() == [0, 0]
    assert not shipped.shows_something(still).any() and shipped.label(still) == [UNSURE] * 2
    assert shipped.shows_something(draw_noise(60, 9)).mean() < 0.05
    assert shipped.shows_something(strangers.maps).mean() > 0.97


def test_small_live_movements_are_no_expression(shipped: DefaultRecogniser, strangers: Drawn) -> None:
    pixels = strangers.maps[:40] * np.float32(IOD_PX / 100)
    moved = moved_percent(pixels, IOD_PX)
    assert np.allclose(moved_percent(2 * pixels, 2 * IOD_PX), moved)
    below = pixels * (0.9 * LEAST_PERCENT / moved)[:, None, None, None]
    above = pixels * (1.1 * LEAST_PERCENT / moved)[:, None, None, None]
    assert not shipped.shows_something(below, iod_px=IOD_PX).any()
    assert np.array_equal(shipped.shows_something(above, iod_px=[IOD_PX] * 40), shipped.shows_something(above))
    assert set(shipped.label(below, iod_px=IOD_PX)) == {UNSURE}
    assert UNSURE not in shipped.label(below, iod_px=IOD_PX, force=True)


@given(st.floats(0.05, 40), st.floats(-30, 30), st.floats(-30, 30))
@settings(max_examples=15, deadline=None)
def test_size_and_shift_do_not_matter(factor: float, right: float, down: float) -> None:
    rng = np.random.default_rng(4)
    maps = rng.normal(size=(3, 7, 7, 3)).repeat(4, axis=1).repeat(4, axis=2)
    other = factor * maps + np.array([right, down, 0.0])
    shipped = DefaultRecogniser.load()
    assert np.allclose(shipped.recognise(other), shipped.recognise(maps), atol=0.02)


def test_mirror_image_gets_the_same_answer(shipped: DefaultRecogniser, strangers: Drawn) -> None:
    maps = strangers.maps[:30]
    other = maps[:, :, ::-1] * np.array([-1, 1, 1])
    assert np.allclose(shipped.recognise(other), shipped.recognise(maps), atol=0.06)
    assert describe(stretch(maps), "mode").shape == (30, FEATURES)


# --- the recogniser


def test_shipped_weights_know_faces_they_never_saw(shipped: DefaultRecogniser, strangers: Drawn) -> None:
    probability = shipped.recognise(stretch(strangers.maps))
    assert probability.shape == (240, 3) and np.allclose(probability.sum(axis=1), 1)
    said = probability.argmax(axis=1)
    assert uf1_of(strangers.y, said, 3) > 0.7
    sure = np.array([one != UNSURE for one in shipped.label(strangers.maps)])
    assert 0.2 < sure.mean() < 0.95
    assert (said == strangers.y)[sure].mean() > (said == strangers.y).mean() + 0.03
    assert calibration_error(probability.max(axis=1), said == strangers.y) < 0.15


def test_live_and_stretched_maps_meet_it_alike(shipped: DefaultRecogniser, strangers: Drawn) -> None:
    live = strangers.maps * 0.6
    assert np.allclose(shipped.recognise(live, iod_px=IOD_PX), shipped.recognise(stretch(live)), atol=1e-3)


def test_card_tells_what_it_is(shipped: DefaultRecogniser) -> None:
    card = shipped.card
    assert card["held_out_figures"]["uf1"] > 0.7 and card["plan"]["seed"] == 0
    assert "simulated" in card["trained_on"] and len(card["limits"]) >= 3 and "sex" in card["subgroups"]
    assert sum(path.stat().st_size for path in (WEIGHTS, WEIGHTS.with_suffix(".json"))) < 2e6


def test_training_is_reproducible_and_learns(tiny: DefaultRecogniser, strangers: Drawn, tmp_path: Path) -> None:
    said = tiny.recognise(strangers.maps)
    assert uf1_of(strangers.y, said.argmax(axis=1), 3) > 0.5
    again = train_recogniser(TINY)
    assert np.allclose(again.recognise(strangers.maps), said, atol=1e-5)
    tiny.save(tmp_path / "mine.safetensors")
    mine = DefaultRecogniser.load(tmp_path / "mine.safetensors")
    assert np.allclose(mine.recognise(strangers.maps), said) and mine.card == tiny.card


def test_wrong_maps_and_files_are_refused(tiny: DefaultRecogniser, tmp_path: Path) -> None:
    good = np.zeros((1, 28, 28, 3))
    for wrong in (np.zeros((2, 28, 28)), np.zeros((1, 14, 14, 3)), np.full((1, 28, 28, 3), np.nan), good.astype(str)):
        with pytest.raises(InvalidValueError):
            tiny.recognise(wrong)
    for iod in (0.0, -3.0, float("nan"), [60.0, 60.0]):
        with pytest.raises(InvalidValueError):
            tiny.label(good, iod_px=iod)
    with pytest.raises(MissingFileError):
        DefaultRecogniser.load(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    tiny.save(broken)
    for card in ("{", "[]", "{}", json.dumps({**tiny.card, "temperature": 0})):
        broken.with_suffix(".json").write_text(card)
        with pytest.raises(UnreadableFileError):
            DefaultRecogniser.load(broken)
    tiny.save(broken)
    broken.write_bytes(b"nothing")
    with pytest.raises(UnreadableFileError):
        DefaultRecogniser.load(broken)
    with pytest.raises(InvalidValueError):
        replace(tiny, arrays={**tiny.arrays, "class_offset": np.zeros((1, 2), np.float32)})


def test_calibration_on_known_answers() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (4000, 3))
    chance = np.exp(logits / 1.7) / np.exp(logits / 1.7).sum(axis=1, keepdims=True)
    truth = (rng.random((4000, 1)) > chance.cumsum(axis=1)).sum(axis=1).clip(max=2)
    assert find_temperature(logits, truth) == pytest.approx(1.7, rel=0.15)
    assert calibration_error(chance.max(axis=1), chance.argmax(axis=1) == truth) < 0.03
    sure = np.linspace(0.34, 1, 200)
    probability = np.stack([sure, 1 - sure, np.zeros(200)], axis=1)
    assert find_threshold(probability, sure > 0.7) == pytest.approx(0.7, abs=0.02)


def test_own_samples_can_be_trained_on(flows: Samples) -> None:
    part = flows.take(np.arange(0, 128, 2))
    own = train_on(part, SMALL)
    assert own.card["out_of_fold_figures"]["uf1"] > 0.5 and 0.1 < own.card["temperature"] < 12
    assert uf1_of(part.y, own.recognise(part.x).argmax(axis=1), 3) > 0.8
    for rows in (np.flatnonzero(part.subject == "p00"), np.flatnonzero(part.y != 1)):
        with pytest.raises(InvalidValueError):
            train_on(part.take(rows), SMALL)


# --- as a system, and from the command line


def test_benches_run_it_without_training_it(flows: Samples) -> None:
    system = find_system("default")
    assert not learns(system) and system not in systems_for("flow_map")
    bench = run_recognition_bench(flows, [system], find_protocol("kfold"))
    whole = evaluate_default(DefaultRecogniser.load(), flows)
    row = next(row for row in score_rows(bench) if row["dataset"] == "all")
    assert [row[key] for key in ("n", "uf1", "uar", "accuracy")] == [
        whole[key] for key in ("n", "uf1", "uar", "accuracy")
    ]
    assert whole["uf1"] > 0.4 and set(whole["per_dataset"]) == {"simulated"}


def write_set(folder: Path, samples: Samples) -> Path:
    folder.mkdir()
    x = samples.x.astype(np.uint8)
    np.savez(
        folder / "f.npz", x=x, y=samples.y, subject=samples.subject, dataset=samples.dataset, clip=samples.clip
    )  # fmt: skip
    return folder


def test_evaluate_command(
    telltale: Callable[..., Any], flows: Samples, tiny: DefaultRecogniser, tmp_path: Path
) -> None:
    folder = write_set(tmp_path / "set", flows.take(np.arange(0, 128, 2)))
    done = telltale("me", "evaluate", "--model", "default", "--data", folder, "--json")
    found = SimpleNamespace(**json.loads(done.stdout))
    assert done.returncode == 0 and found.n == 64 and found.uf1 > 0.35
    assert set(found.per_dataset["simulated"]) >= {"n", "uf1", "uar", "accuracy"}
    tiny.save(tmp_path / "mine.safetensors")
    own = telltale("me", "evaluate", "--data", folder, "--weights", tmp_path / "mine.safetensors")
    assert own.returncode == 0 and "simulated" in own.stdout
    trained = telltale("me", "train", "--data", folder, "-o", tmp_path / "own.safetensors", "--json")
    assert trained.returncode == 0 and json.loads(trained.stdout)["n"] == 64
    assert DefaultRecogniser.load(tmp_path / "own.safetensors").card["samples_by_class"]
    for words in (
        ("train", "--model", "ststnet", "--data", folder, "-o", tmp_path / "a.safetensors"),
        ("train", "--data", folder, "-o", tmp_path / "a.npz"),
        ("evaluate", "--model", "kernel-ridge", "--weights", tmp_path / "mine.safetensors", "--data", folder),
        ("evaluate", "--weights", tmp_path / "nowhere.safetensors", "--data", folder),
        ("bench", "--models", "default", "--shuffle-labels", "--data", folder),
    ):
        failed = telltale("me", *words)
        assert failed.returncode == 2 and failed.stderr.strip(), words


# --- on real maps


def test_real_maps(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluate_default(DefaultRecogniser.load(), read_flow_set(data_dir / "me_flow"))
    assert found["n"] == 309 and found["uf1"] >= 0.6
    monkeypatch.setenv("TELLTALE_DATA", str(data_dir))
    figures = measure(full=False)
    assert figures["real_uf1"] == pytest.approx(found["uf1"], abs=1e-3)
    monkeypatch.delenv("TELLTALE_DATA")
    assert "real_uf1" not in measure(full=False)
