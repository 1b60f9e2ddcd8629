"""Association of action units with classes, and mapping tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from modalities.face.recognition.association import agreement, associate, match_rule, read_mapping
from modalities.face.recognition.samples import CLASSES, Samples
from modalities.face.recognition.simulation import simulate_flow_set

CELLS = (("4+7", "L14"), ("6+12", "R12"), ("1+2", "2"))


def coded(seed: int = 2) -> Samples:
    samples = simulate_flow_set(10, 8, seed=seed)
    rng = np.random.default_rng(seed)
    cells = [CELLS[kind][int(rng.integers(2))] + ("+17" if rng.random() < 0.3 else "") for kind in samples.y.tolist()]
    return replace(samples, attributes={"au": np.array(cells), "emotion": np.array([f"e{kind}" for kind in samples.y])})


def test_units_that_make_a_class_stand_out_and_others_do_not() -> None:
    samples = coded()
    rows = {(row["unit"], row["group"]): row for row in associate(samples, draws=200)}
    smile = rows["AU12", "positive"]
    assert smile["both"] == smile["shown"] == int((samples.y == 1).sum()) and smile["share"] == 1
    assert smile["odds_low"] > 5 and smile["q"] < 0.001 and smile["phi"] == pytest.approx(1)
    stray = rows["AU17", "positive"]
    assert stray["odds_low"] < 1 < stray["odds_high"] and stray["q"] > 0.05
    for row in rows.values():
        assert row["p"] <= row["q"] + 1e-9 and row["odds_low"] <= row["odds_high"] and row["n"] == len(samples)
    other = {(row["unit"], row["group"]): row for row in associate(samples, "emotion", draws=20)}
    assert other["AU12", "e1"]["both"] == smile["both"]
    with pytest.raises(InvalidValueError, match="'mood'"):
        associate(samples, "mood")
    with pytest.raises(InvalidValueError, match="action unit"):
        associate(replace(samples, attributes={}))


def test_the_mapping_that_comes_along() -> None:
    rules = read_mapping()
    assert {rule.group for rule in rules} == set(CLASSES)
    for units, emotion in (
        ((6, 12, 25), "happiness"),
        ((1, 2, 5), "surprise"),
        ((1, 4), "sadness"),
        ((9, 4), "disgust"),
    ):
        rule = match_rule(units, rules)
        assert rule is not None and rule.emotion == emotion
    assert match_rule((45,), rules) is None
    rows = {row["class"]: row for row in agreement(coded(), rules)}
    assert rows["positive"]["right"] == rows["positive"]["told"] == rows["positive"]["n"] > 0
    assert rows["all"]["n"] == sum(rows[name]["n"] for name in CLASSES)


def test_agreement_with_coded_emotions_and_with_chance() -> None:
    samples, rules = coded(), read_mapping()
    words = np.array([("anger", "happiness", "Surprise")[kind] for kind in samples.y])

    def told(said: np.ndarray) -> list[dict[str, Any]]:
        known = replace(samples, attributes={"au": samples.attributes["au"], "emotion": said})
        return agreement(known, rules, "emotion", draws=100)

    rows = {row["emotion"]: row for row in told(words)}
    smile, total = rows["happiness"], rows["all"]
    assert smile["share"] == smile["low"] == smile["high"] == 1 and smile["said"]["happiness"] == smile["n"]
    assert total["told"] == sum(rows[name]["told"] for name in ("anger", "happiness", "surprise"))
    assert total["low"] <= total["share"] <= total["high"] and total["chance"] < 0.5 < total["share"]
    stray = told(np.random.default_rng(0).permutation(words))[-1]
    assert abs(stray["share"] - stray["chance"]) < 0.15, "emotions dealt at random agree as chance does"
    none = agreement(samples, rules[:0], draws=5)[-1]
    assert none["told"] == 0 and none["share"] is None and none["n"] == len(samples)
    with pytest.raises(InvalidValueError, match="mood"):
        agreement(samples, rules, "mood")
    with pytest.raises(InvalidValueError, match="'emotion'"):
        agreement(replace(samples, attributes={"au": samples.attributes["au"]}), rules, "emotion")


def test_a_mapping_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("emotion,units,class\nsmirk,R12,negative\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="row 2"):
        read_mapping(own)
    own.write_text("emotion,units,class\nsmirk,12,negative\n", encoding="utf-8")
    assert {row["class"]: row["right"] for row in agreement(coded(), read_mapping(own))}["positive"] == 0
    own.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="mapping"):
        read_mapping(own)
    with pytest.raises(MissingFileError):
        read_mapping(tmp_path / "none.csv")
