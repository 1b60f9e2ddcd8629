"""Prediction in studies: nothing is shared between folds, chance is called chance, leaks are refused or labelled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from data_schemas.errors import InvalidValueError
from data_schemas.ranking import auc
from pipeline.study.analysis import analyse_study
from pipeline.study.design import describe_design
from pipeline.study.prediction import predict_label
from pipeline.study.ridge import fit, learn_probability
from pipeline.study.scores import balanced_accuracy, calibration, decision_curve, weighted_auc
from pipeline.study.settings import Settings
from pipeline.study.simulated import Plan, simulate_study
from pipeline.study.splits import Split, block_splits
from pipeline.study.table import StudyTable

QUICK = Settings(permutations=499, prediction_permutations=199, bootstraps=300, repeats=2)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), people=st.integers(2, 12), items=st.integers(2, 9))
def test_splits_share_neither_people_nor_items(seed: int, people: int, items: int) -> None:
    rng = np.random.default_rng(seed)
    person, item = rng.integers(0, people, 80), rng.integers(0, items, 80)
    person, item = (np.unique(one, return_inverse=True)[1] for one in (person, item))
    seen = np.zeros(80, dtype=int)
    for split in block_splits(person, item, rng.integers(0, 2, 80), rng):
        assert not set(person[split.train]) & set(person[split.test])
        assert not set(item[split.train]) & set(item[split.test])
        seen[split.test] += 1
    assert (seen <= 1).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = np.r_[0, 1, rng.integers(0, 2, 40)]
    scores = rng.normal(size=42).round(1) + 0.05
    assert auc(scores[:, None], label[:, None])[0] == pytest.approx(roc_auc_score(label, scores))
    weights = rng.integers(0, 3, (3, 42)).astype(float) + (np.arange(42) < 2)
    for one, value in zip(weights, weighted_auc(scores, label, weights), strict=True):
        assert value == pytest.approx(roc_auc_score(label, scores, sample_weight=one))
    expected = balanced_accuracy_score(label, scores > 0)
    assert balanced_accuracy(scores[:, None], label[:, None])[0] == pytest.approx(expected)


def test_many_labels_at_once_give_what_one_gives() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 90))
    values[rng.random(values.shape) < 0.1] = np.nan
    labels = rng.integers(0, 2, (60, 4))
    split = Split(np.arange(40), np.arange(40, 60))
    for columns in (5, 90):
        fitted = fit(values[:, :columns], split)
        together = fitted.score(labels)
        for at in range(4):
            np.testing.assert_allclose(fitted.score(labels[:, at : at + 1])[:, 0], together[:, at])


def test_planted_effects_are_predicted_and_none_is_chance() -> None:
    for kind in ("within", "between", "item"):
        strong = simulate_study(Plan(effects=(1.2, 1.0, 0, 0), kind=kind, trials=12), 1)  # type: ignore[arg-type]
        found = predict_label(strong, describe_design(strong), QUICK).summary
        assert found["auc"] > 0.65 and found["permutation_p"] <= 0.05 and found["chance"] is False
        assert found["auc_interval"][0] < found["auc"] < found["auc_interval"][1]
        none = simulate_study(Plan(kind=kind), 8)  # type: ignore[arg-type]
        result = analyse_study(none, QUICK)
        assert result.prediction.summary["chance"] is True and result.headline.startswith("Chance")
        assert 0.3 < result.prediction.summary["auc"] < 0.7


def test_probabilities_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=20_000)
    label = (rng.random(20_000) < 1 / (1 + np.exp(-(2 * scores - 0.5)))).astype(int)
    slope, offset = learn_probability(scores, label)
    assert slope == pytest.approx(2, abs=0.1) and offset == pytest.approx(-0.5, abs=0.1)
    probability = 1 / (1 + np.exp(-(slope * scores + offset)))
    rows, error, brier = calibration(probability, label)
    assert error < 0.02 and brier < 0.2 and sum(row["rows"] for row in rows) == 20_000
    curve = decision_curve(probability, label)
    assert all(row["model"] >= max(row["all"], 0) - 0.01 for row in curve)


def with_folds(table: StudyTable, fold: np.ndarray) -> StudyTable:
    """The same with the author's own folds."""
    return replace(table, folds=np.array([f"f{one}" for one in fold], dtype=object))


def test_folds_that_share_people_are_refused_and_labelled_when_allowed() -> None:
    table = simulate_study(Plan(people=12, trials=6), 1)
    design = describe_design(table)
    leaky = with_folds(table, np.arange(len(table)) % 4)
    with pytest.raises(InvalidValueError, match=r"12 subjects \(p000, p001, p002 \.\.\.\).*--allow-leakage"):
        predict_label(leaky, design, QUICK)
    result = analyse_study(leaky, replace(QUICK, allow_leakage=True))
    told = result.as_dict()
    assert "LEAKY" in result.headline and "LEAKY" in told["leakage"] and "LEAKY" in told["prediction"]["label"]
    assert "folds_share_groups" in result.audit.flags
    clean = with_folds(table, design.person % 4)
    assert predict_label(clean, design, QUICK).leaks == ""
    rows = predict_label(table, design, replace(QUICK, allow_leakage=True))
    assert rows.leaks == "people" and rows.summary["label"].startswith("LEAKY")


def test_items_shared_between_folds_are_refused() -> None:
    table = simulate_study(Plan(people=12, trials=6, kind="item"), 1)
    design = describe_design(table)
    with pytest.raises(InvalidValueError, match="6 items"):
        predict_label(with_folds(table, design.person % 4), design, QUICK)


def test_leakage_makes_up_what_is_not_there() -> None:
    aucs = []
    for seed in range(3):
        table = simulate_study(Plan(people=10, trials=20, kind="item", effects=(0.0,) * 20, item_sd=1.5), seed)
        design = describe_design(table)
        honest = predict_label(table, design, QUICK).summary["auc"]
        leaky = predict_label(table, design, replace(QUICK, allow_leakage=True)).summary["auc"]
        aucs.append((honest, leaky))
    honest, leaky = np.mean(aucs, axis=0)
    assert leaky > 0.75 and honest < 0.65


@pytest.mark.parametrize("kind", ["within", "between"])
def test_nuisances_as_good_as_the_cues_are_named_in_the_headline(kind: str) -> None:
    table = simulate_study(Plan(people=40, confound="sex", strength=0.85, kind=kind), 5)  # type: ignore[arg-type]
    height = (table.nuisance["sex"] == "m").to_numpy() * 2.0
    voice = table.cues.assign(cue1=table.cues["cue1"] * 0.3 + height)
    result = analyse_study(replace(table, cues=voice), replace(QUICK, permutations=1999))
    assert "nuisance:sex" in result.audit.flags
    assert result.prediction.summary["nuisance_as_good"] is True
    assert "nuisances alone is as good as the cues" in result.headline
    # Exchanging labels within people keeps what goes with their sex: such a cue is chance there.
    assert result.prediction.summary["chance"] is (kind == "within")
    own = simulate_study(Plan(effects=(1.2, 1.2, 1.2), kind=kind), 5)  # type: ignore[arg-type]
    assert analyse_study(own, QUICK).prediction.summary["nuisance_as_good"] is False
