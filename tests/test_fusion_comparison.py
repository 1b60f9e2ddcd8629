"""The comparison of fusion with baselines and the evidence model, the ablation, and what published effects allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fusion_comparison import EVERY, compare, logistic, moments_of
from data_schemas.emotion import CHANNELS
from fusion.card import card_text
from fusion.checkpoint import load_checkpoint
from pipeline.simulate.designs_figures import published_figures
from pipeline.simulate.tokens import simulate_tokens


def test_every_system_is_asked_the_same_and_every_channel_left_out_once() -> None:
    rows, ablation = compare(6, 4)
    by_question: dict[str, dict[str, dict]] = {}
    for row in rows:
        by_question.setdefault(str(row["question"]), {})[str(row["system"])] = row
    assert set(by_question) == {"concealed at a moment", "suppressed session", "deceptive statement"}
    moments = by_question["concealed at a moment"]
    assert set(moments) == {
        "base rate", "identity only", "nuisance only", *(f"{channel} alone" for channel in CHANNELS), "early fusion",
        "evidence model", "transformer",
    }  # fmt: skip
    assert moments["evidence model"]["auc"] == 0.5, "no published effect speaks of moments"
    for systems in by_question.values():
        assert len({row["cases"] for row in systems.values()}) == 1
        assert {"base rate", "evidence model", "transformer"} <= set(systems)
    assert [row["without"] for row in ablation] == ["nothing", *CHANNELS]
    assert ablation[0]["lost"] == 0 and all(row["lost"] == ablation[0]["auc"] - row["auc"] for row in ablation)


def test_moments_are_steps_of_the_session_with_nothing_of_the_truth() -> None:
    one = simulate_tokens(50_001, 30)
    found = moments_of([one, one])
    truth = one.example().truth
    np.testing.assert_array_equal(found.hidden, np.tile((truth.felt != truth.shown)[::EVERY], 2))
    assert found.session.tolist() == [0] * 15 + [1] * 15
    assert found.circumstances.shape == (30, 7) and all(len(block) == 30 for block in found.blocks.values())


def test_logistic_regression_takes_holes_for_the_mean() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.5
    x = np.column_stack([rng.normal(0, 1, 400) + 2 * y, np.full(400, np.nan)])
    said = logistic(x, y, np.array([[3.0, 0.0], [-1.0, 0.0], [np.nan, np.nan]]), 1.0)
    assert said[0] > 0.85 and said[1] < 0.15 and said[2] == pytest.approx(0.5, abs=0.15)


def test_published_effects_allow_more_than_chance_and_none_allow_nothing() -> None:
    figures = published_figures(60)
    assert len(figures) == 3
    for question, one in figures.items():
        assert one["auc"] > 0.55, question
        assert abs(one["auc_without_effects"] - 0.5) < 0.2, question
    model = load_checkpoint()
    card = card_text(replace(model, figures={**model.figures, "published": figures}))
    assert all(f"| {question} | {one['cases']} | {one['auc']:.3f} |" in card for question, one in figures.items())
