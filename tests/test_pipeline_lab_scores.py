"""Scores, folds and baselines of a lab's training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_schemas.emotion import CHANNELS
from data_schemas.errors import NothingUsableError
from fusion.label_steps import STATEMENTS, STATES
from fusion.label_training import HeadPlan, Rows
from pipeline.lab import folds
from pipeline.lab.baselines import Split, identity, nuisance
from pipeline.lab.dataset import LabStudy
from pipeline.lab.folds import MODEL, Protocol, validate
from pipeline.lab.scores import Said, auc, draw_people, interval, score_system, subgroup_rows

QUICK = Protocol(2, 1, HeadPlan(penalties=(1e-3,), epochs=30, parts=2))


def study_of(people: int = 12, each: int = 8, sex_tells: bool = False, seed: int = 0) -> LabStudy:
    """A study of random blocks in which `voice` tells the label, and sex too where asked for."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    sex = np.where(np.arange(people) % 2, "f", "m")
    label = (rng.random(len(person)) < 0.5).astype(np.int64)
    if sex_tells:
        label = np.where(rng.random(len(person)) < 0.9, (sex[person] == "f").astype(np.int64), 1 - label)
    blocks = {name: rng.normal(0, 1, (len(person), 4)).astype(np.float32) for name in (STATEMENTS, STATES, *CHANNELS)}
    blocks["voice"][:, 0] += 2 * label
    order = np.tile(np.arange(each), people)
    return LabStudy(
        Rows(blocks, label, person), ("open", "hidden"), 1, tuple(f"p{at}" for at in range(people)),
        tuple({"sex": str(one)} for one in sex), tuple(f"s{at}" for at in person), order * 5.0, order * 5.0 + 4,
        {"sex": sex[person], "order": order},
    )  # fmt: skip


def test_auc_compares_only_people_left_out_together() -> None:
    label = np.array([0, 1, 0, 1])
    probability = np.array([0.1, 0.2, 0.8, 0.9])
    both = np.column_stack([1 - probability, probability])
    apart = Said(both, np.zeros(4, np.int64), np.array([0, 0, 1, 1]))
    pooled = Said(both, np.zeros(4, np.int64), np.zeros(4, np.int64))
    assert auc(apart, label, 1) == 1.0 and auc(pooled, label, 1) == 0.75
    flat = Said(np.tile([0.4, 0.6], (4, 1)), np.ones(4, np.int64), np.array([0, 0, 1, 1]))
    assert auc(flat, label, 1) == 0.5
    three = Said(np.eye(3)[[0, 1, 2, 0]], np.zeros(4, np.int64), np.zeros(4, np.int64))
    assert auc(three, np.array([0, 1, 2, 0]), None) == 1.0


def test_intervals_draw_people_and_not_rows() -> None:
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(10), 40)
    label = np.tile([0, 1], 200)
    score = rng.normal(0, 1, 400) + label * rng.normal(0.8, 1.2, 10)[person]
    both = np.column_stack([-score, score])
    said = Said(both, np.zeros(400, np.int64), np.zeros(400, np.int64))
    by_people = score_system("x", [said], label, 1, draw_people(person, 200)).row["auc_ci95"]
    by_rows = score_system("x", [said], label, 1, draw_people(np.arange(400), 200)).row["auc_ci95"]
    assert by_people[1] - by_people[0] > 1.5 * (by_rows[1] - by_rows[0])
    assert interval(np.full(10, np.nan)) is None


def test_identity_alone_knows_the_others_and_never_the_answer() -> None:
    study = study_of(sex_tells=True)
    said = identity(study, 0)
    assert auc(said, study.rows.label, 1) > 0.8, "people of one sex mostly have one label"
    lone = study_of(people=40, each=8, seed=3)
    assert auc(identity(lone, 0), lone.rows.label, 1) < 0.6


def test_a_nuisance_that_tells_the_label_is_seen() -> None:
    study = study_of(sex_tells=True)
    test = study.rows.person >= 8
    said = nuisance(Split(study, ~test, test, 0))
    assert auc(said, study.rows.label[test], 1) > 0.75
    innocent = study_of(people=20)
    test = innocent.rows.person >= 12
    assert 0.3 < auc(nuisance(Split(innocent, ~test, test, 0)), innocent.rows.label[test], 1) < 0.7


def test_folds_leave_out_whole_people_and_are_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of()
    seen: list[set[int]] = []
    real = folds.fit_head

    def watched(rows: Rows, *others: object) -> object:
        seen.append(set(rows.person.tolist()))
        return real(rows, *others)

    monkeypatch.setattr(folds, "fit_head", watched)
    first = validate(study, QUICK, tmp_path, "base")
    dealt = first.by_seed[MODEL][0].fold
    for people in seen:
        left_out = set(range(12)) - people
        assert len(left_out) == 6 and any(left_out == set(study.rows.person[dealt == at].tolist()) for at in (0, 1))
    assert first.taken == 0 and auc(first.by_seed[MODEL][0], study.rows.label, 1) > 0.7
    assert auc(first.by_seed["majority"][0], study.rows.label, 1) == 0.5
    fits = len(seen)
    again = validate(study, QUICK, tmp_path, "base")
    assert again.taken == 2 and len(seen) == fits, "finished folds are not done again"
    np.testing.assert_array_equal(again.by_seed[MODEL][0].probability, first.by_seed[MODEL][0].probability)
    next(tmp_path.glob("*fold1.npz")).write_bytes(b"half written")
    third = validate(study, QUICK, tmp_path, "base")
    assert third.taken == 1
    np.testing.assert_array_equal(third.by_seed[MODEL][0].probability, first.by_seed[MODEL][0].probability)
    other = study_of(seed=5)
    assert folds.fingerprint(other, QUICK, "base") != folds.fingerprint(study, QUICK, "base")
    assert folds.fingerprint(study, QUICK, "other") != folds.fingerprint(study, QUICK, "base")


def test_too_few_people_are_refused_with_their_number(tmp_path: Path) -> None:
    with pytest.raises(NothingUsableError, match="4 people are too few"):
        validate(study_of(people=4), QUICK, tmp_path, "base")
    study = study_of()
    label = np.zeros(len(study.rows), np.int64)
    label[:3] = 1
    rare = LabStudy(**{**study.__dict__, "rows": Rows(study.rows.blocks, label, study.rows.person)})
    with pytest.raises(NothingUsableError, match="only 1 people have rows of the class 'hidden'"):
        validate(rare, QUICK, tmp_path, "base")


def test_small_subgroups_get_no_score() -> None:
    study = study_of()
    probability = np.column_stack([1 - study.rows.label, study.rows.label]).astype(float)
    said = Said(probability, study.rows.label, np.zeros(len(study.rows), np.int64))
    sex = np.array([study.about[at]["sex"] for at in study.rows.person])
    rare = np.where(study.rows.person < 2, "north", "")
    rows = subgroup_rows([said], study.rows.label, study.rows.person, 1, {"sex": sex, "culture": rare})
    by_value = {row["value"]: row for row in rows}
    assert by_value["f"]["auc"] == 1.0 and by_value["f"]["people"] == 6
    assert by_value["north"]["auc"] is None and by_value["north"]["people"] == 2 and "" not in by_value
