"""Ranks, cover and figures of fusion with known truth: right where the probabilities are, wrong where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import fusion_rendered
from benchmarks.fusion_calibration import (
    SEEDS,
    Told,
    attribution,
    calibration,
    content,
    moved_to,
    tell,
    without_effect,
)
from benchmarks.fusion_rendered import SETS, read, write
from data_schemas.emotion import CHANNELS
from fusion.calibration import calibration_error
from fusion.evaluation import auc_beyond_display
from fusion.training import Truth
from pipeline.simulate.tokens import simulate_tokens


def sessions(sharpness: float, count: int = 150, seed: int = 0) -> list[Told]:
    """Sessions whose truth is drawn from the joint that is told; a sharpness other than 1 tells another one."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        logits = rng.normal(0, 1.5, (40, 16))
        chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        cell = (chance.cumsum(1) < rng.random((40, 1))).sum(1)
        told = np.exp(sharpness * logits)
        felt, shown = np.divmod(cell, 4)
        out.append(Told(told / told.sum(1, keepdims=True), Truth(felt.astype(np.int8), shown.astype(np.int8))))
    return out


def test_right_probabilities_have_flat_ranks_and_sets_that_hold_the_truth_as_often_as_said() -> None:
    figures = calibration(sessions(1.0))
    for name in ("felt", "shown", "pair", "concealed"):
        assert figures[f"{name}_covered"] == pytest.approx(0.9, abs=0.02), name
        assert figures[f"{name}_ranks_p"] > 1e-4, name
    assert figures["ece"] < 0.03


@pytest.mark.parametrize(("sharpness", "low", "high"), [(2.0, 0.6, 0.87), (0.5, 0.93, 1.0)])
def test_probabilities_too_sure_or_not_sure_enough_are_seen(sharpness: float, low: float, high: float) -> None:
    figures = calibration(sessions(sharpness))
    assert low < figures["pair_covered"] < high and figures["pair_ranks_p"] < 1e-3


def test_the_content_of_a_set_counts_what_is_more_probable() -> None:
    rng = np.random.default_rng(0)
    probability = np.tile([0.5, 0.3, 0.2], (2000, 1))
    second = content(probability, np.ones(2000, np.int64), rng)
    assert second.min() >= 0.5 and second.max() <= 0.8 and second.mean() == pytest.approx(0.65, abs=0.01)


def test_what_the_display_tells_by_itself_does_not_count() -> None:
    rng = np.random.default_rng(1)
    shown = rng.integers(0, 2, 4000)
    hidden = rng.random(4000) < np.where(shown == 1, 0.7, 0.2)
    joint = np.zeros((4000, 16))
    joint[:, 1] = np.where(shown == 1, 0.7, 0.2) + rng.normal(0, 0.01, 4000)
    joint[:, 0] = 1 - joint[:, 1]
    truth = Truth(np.where(hidden, 3, shown).astype(np.int8), shown.astype(np.int8))
    told = [Told(joint, truth)]
    assert without_effect(told)["auc"] > 0.7
    assert auc_beyond_display([joint], [truth]) == pytest.approx(0.5, abs=0.03)
    assert np.isnan(auc_beyond_display([joint[:1]], [Truth(truth.felt[:1], truth.shown[:1])]))


def test_moving_all_log_odds_reaches_the_base_rate_and_keeps_the_order() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(1, 6, 5000)
    moved = moved_to(p, 0.4)
    assert moved.mean() == pytest.approx(0.4, abs=1e-3) and (np.argsort(moved) == np.argsort(p)).all()
    happened = rng.random(5000) < moved
    assert calibration_error(p, happened) > 0.2 > 0.05 > calibration_error(moved, happened)


def test_a_rendered_session_is_kept_as_it_was(tmp_path: Path) -> None:
    one = simulate_tokens(3, 20).example()
    write(tmp_path / "a.npz", {"rendered": one, "tokens": one})
    again = read(tmp_path / "a.npz")
    for level in ("rendered", "tokens"):
        np.testing.assert_array_equal(again[level].tokens.times_ns, one.tokens.times_ns)
        np.testing.assert_array_equal(again[level].truth.joint, one.truth.joint)
        for channel in CHANNELS:
            np.testing.assert_array_equal(again[level].tokens.values[channel], one.tokens.values[channel])
            np.testing.assert_array_equal(again[level].tokens.shares[channel], one.tokens.shares[channel])
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_finished_sessions_are_not_rendered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seeds in SETS.items():
        for seed in seeds[:3]:
            one = simulate_tokens(seed + 7, 20).example()
            write(tmp_path / f"{name}-{seed}-20s.npz", {"rendered": one, "tokens": one})
    monkeypatch.setattr(fusion_rendered, "film", None)
    found = fusion_rendered.measure_sessions(3, 20, 1, tmp_path)
    assert found["sessions"] == 3 and found["pairs"] == 1 and found["failed"] == 0
    assert found["halved_rendered_moved_before"] > 0
    assert found["auc_gap"] == 0 and found["auc_gap_error"] == 0
    for name in SETS:
        assert 0 <= found[f"{name}_rendered_ece"] == found[f"{name}_tokens_ece"] <= 1
    (tmp_path / f"none-{SETS['none'][0]}-20s.npz").unlink()
    assert fusion_rendered.measure_sessions(3, 20, 1, tmp_path)["failed"] == 1, "only what is missing is rendered"


def test_the_shipped_weights_are_about_as_right_as_they_say() -> None:
    figures = calibration([tell(seed, "effects") for seed in SEEDS["effects"][:24]])
    for name in ("felt", "shown", "pair", "concealed"):
        assert 0.83 < figures[f"{name}_covered"] < 0.97, name
    assert figures["auc"] > 0.6 and figures["ece"] < 0.06


def test_a_stretch_names_the_channel_that_measured_the_planted_evidence() -> None:
    assert attribution(8)["attribution"] > 0.8


@pytest.mark.long
def test_calibration_at_full_size() -> None:
    figures = calibration([tell(seed, "effects") for seed in SEEDS["effects"]])
    for name in ("felt", "shown", "pair", "concealed"):
        assert 0.88 <= figures[f"{name}_covered"] <= 0.92, name
        assert figures[f"{name}_ranks_p"] > 0.001, name
    assert figures["ece"] <= 0.03
