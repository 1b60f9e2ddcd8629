"""Training, calibration, weights on disk and the model card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import (
    InvalidValueError,
    MissingFileError,
    NothingUsableError,
    TelltaleError,
    UnreadableFileError,
)
from fusion.calibration import calibration_error, cannot_say_threshold, conceal_threshold, fit_temperature
from fusion.card import card_text
from fusion.checkpoint import DEFAULT, Checkpoint, load_checkpoint, save_checkpoint
from fusion.inference import fuse
from fusion.training import Fitted, TrainingPlan, decide, fit
from fusion.transformer import Shape, build
from pipeline.simulate.default_model import measured_figures
from pipeline.simulate.tokens import examples, simulate_tokens

TINY = TrainingPlan(
    seed=3,
    shape=Shape(width=16, layers=1, heads=2, steps=20),
    batches=24,
    batch=8,
    per_session=8,
    check_every=8,
    learning_rate=5e-3,
)


@pytest.fixture(scope="module")
def held_out() -> list:
    return list(examples(range(50, 54)))


@pytest.fixture(scope="module")
def fitted(held_out: list) -> Fitted:
    return fit(examples(range(60, 90)), held_out, TINY)


def test_training_lowers_the_loss(fitted: Fitted) -> None:
    assert len(fitted.losses) == 24
    assert np.mean(fitted.losses[-6:]) < 0.8 * np.mean(fitted.losses[:3])
    assert fitted.held_out_losses[fitted.best_check] == min(fitted.held_out_losses)


def test_the_same_seed_gives_the_same_weights(fitted: Fitted, held_out: list) -> None:
    import torch

    again = fit(examples(range(60, 90)), held_out, TINY)
    assert again.losses == fitted.losses
    for name, weight in fitted.network.state_dict().items():
        assert torch.equal(weight, again.network.state_dict()[name]), name


def test_weights_survive_the_disk(fitted: Fitted, held_out: list, tmp_path: Path) -> None:
    decisions = decide(fitted.network, held_out)
    path = tmp_path / "lab" / "mine.safetensors"
    save_checkpoint(Checkpoint(fitted.network, TINY.shape, decisions, "mine", {"data": "four sessions"}), path)
    loaded = load_checkpoint(path)
    assert loaded.decisions == decisions and loaded.name == "mine" and loaded.shape == TINY.shape
    session = simulate_tokens(55, seconds=15)
    track, _, record = fuse(session.encodings, session.extent, weights=path)
    assert record["trained_on"] == "four sessions" and record["window_s"] == 10
    assert np.isfinite(track.values).all()


def test_training_without_held_out_or_without_examples_is_refused(held_out: list) -> None:
    with pytest.raises(NothingUsableError, match="held-out"):
        fit(examples(range(60, 62)), [], TINY)
    with pytest.raises(NothingUsableError, match="batch"):
        fit(iter([]), held_out, TINY)


def test_wrong_weight_files_give_one_clear_message(tmp_path: Path) -> None:
    session = simulate_tokens(55, seconds=15, channels=("voice",))
    with pytest.raises(MissingFileError, match="nowhere"):
        fuse(session.encodings, session.extent, weights=tmp_path / "nowhere.safetensors")
    junk = tmp_path / "junk.safetensors"
    junk.write_bytes(b"these are no weights at all")
    with pytest.raises(MissingFileError, match=r"junk\.json"):
        load_checkpoint(junk)
    record = json.loads(DEFAULT.with_suffix(".json").read_text(encoding="utf-8"))
    junk.with_suffix(".json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="claim"):
        load_checkpoint(junk)
    junk.write_bytes(DEFAULT.read_bytes()[:5000])
    with pytest.raises(UnreadableFileError):
        load_checkpoint(junk)
    junk.write_bytes(DEFAULT.read_bytes())
    for spoiled in (
        "{",
        "[]",
        json.dumps({**record, "shape": {"width": 7}}),
        json.dumps({**record, "decisions": {}, "shape": 3}),
    ):
        junk.with_suffix(".json").write_text(spoiled, encoding="utf-8")
        with pytest.raises(TelltaleError):
            load_checkpoint(junk)
    smaller = {**record, "shape": {**record["shape"], "layers": 1}}
    junk.with_suffix(".json").write_text(json.dumps(smaller), encoding="utf-8")
    with pytest.raises(UnreadableFileError):
        load_checkpoint(junk)
    other = {**record, "vocabulary": {**record["vocabulary"], "emotions": ["glad", "mad"]}}
    junk.with_suffix(".json").write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(InvalidValueError, match="columns"):
        load_checkpoint(junk)


def test_the_shipped_weights_are_small_and_their_card_is_generated() -> None:
    model = load_checkpoint()
    assert DEFAULT.stat().st_size < 5_000_000
    assert sum(weight.numel() for weight in model.network.parameters()) < 1_000_000
    card = DEFAULT.with_suffix(".md").read_text(encoding="utf-8")
    assert card == card_text(model), "the card is not the one that its figures give: rebuild the weights"
    assert "simulated sessions alone" in card and "not lying" in card


def test_the_figures_of_the_card_can_be_measured_again() -> None:
    model = load_checkpoint()
    again = measured_figures(model, share=0.25)
    for name, one in again["sets"].items():
        told = model.figures["sets"][name]
        for kind in ("felt", "shown"):
            assert one[kind]["accuracy"] == pytest.approx(told[kind]["accuracy"], abs=0.06), (name, kind)
        assert one["concealed"]["auc"] == pytest.approx(told["concealed"]["auc"], abs=0.08), name
    effects, null = again["sets"]["all sessions"]["concealed"], again["sets"]["without any effect"]["concealed"]
    assert effects["auc"] > 0.65 and effects["auc_behind_neutral"] > 0.6
    assert 0.42 < null["auc_behind_neutral"] < 0.58
    assert effects["ece"] < 0.08
    events = again["sets"]["all sessions"]["events"]
    assert events["true"] > 1.5 * effects["base_rate"] and events["hidden_found"] > 0.1


def test_temperature_undoes_overconfidence_by_channel() -> None:
    import torch

    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (12_000, 5))
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = (chance.cumsum(1) < rng.random((12_000, 1))).sum(1)
    presence = rng.integers(0, 2, (12_000, 5)).astype(float)
    sharper = 2.0 * np.exp(-0.5 * presence[:, 3])
    found = fit_temperature(*map(torch.from_numpy, (logits * sharper[:, None], targets, presence)))
    assert found.base == pytest.approx(2.0, rel=0.12)
    np.testing.assert_allclose(found.slopes, [0, 0, 0, -0.5, 0], atol=0.12)
    np.testing.assert_allclose(found.at(np.array([[0, 0, 0, 1, 0]])), [found.base * np.exp(found.slopes[3])])


def test_calibration_error_against_its_definition() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(50_000)
    assert calibration_error(p, rng.random(50_000) < p) < 0.02
    assert calibration_error(np.full(100, 0.9), np.arange(100) < 50) == pytest.approx(0.4)


def test_thresholds_mean_what_they_say() -> None:
    rng = np.random.default_rng(2)
    uncertainty = rng.random(40_000)
    right = rng.random(40_000) < 1 - uncertainty
    assert cannot_say_threshold(uncertainty, right) == pytest.approx(0.5, abs=0.05)
    assert cannot_say_threshold(uncertainty, np.ones(40_000, bool)) == 1.0
    probability = rng.random(20_000)
    often = conceal_threshold(probability, rng.random(20_000) < probability**3)
    assert often == pytest.approx(0.25, abs=0.03), "where (1 + t + t^2 + t^3) / 4 = 1 / 3"
    assert conceal_threshold(probability, np.zeros(20_000, bool)) == 0.5


def test_an_impossible_shape_is_refused() -> None:
    with pytest.raises(InvalidValueError):
        Shape(width=10, heads=4)
    assert sum(weight.numel() for weight in build(Shape()).parameters()) < 1_000_000
