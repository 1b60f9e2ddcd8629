"""Action units from flow maps: chosen inside training, better than chance, chance where there is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from data_schemas.ranking import auc
from modalities.face.recognition.flow_units import coded_units, score_units, unit_rows
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.simulation import simulate_flow_set

CELLS = ("4+7", "6+R12", "1+2")
"""What a coder might write for the three simulated classes."""


def coded(seed: int, shuffled: bool = False) -> Samples:
    samples = simulate_flow_set(7, 6, seed=seed, nuisance=0.4)
    kinds = np.random.default_rng(seed).permutation(samples.y) if shuffled else samples.y
    return replace(samples, attributes={"au": np.array([CELLS[kind] for kind in kinds], dtype=np.str_)})


def test_units_of_strangers_and_of_shuffled_labels() -> None:
    told = score_units(coded(3), (4, 12))
    rows = {row["unit"]: row for row in unit_rows(told, draws=100)}
    assert rows["AU4"]["auc"] > 0.8 and rows["AU12"]["auc"] > 0.8
    assert rows["mean"]["auc"] == pytest.approx((rows["AU4"]["auc"] + rows["AU12"]["auc"]) / 2, abs=1e-3)
    for row in rows.values():
        assert row["auc_low"] <= row["auc"] <= row["auc_high"] and row["gain_low"] <= row["gain_high"]
    chance = auc(score_units(coded(3, True), (4, 12)).kernel, coded_units(coded(3, True), (4, 12)))
    assert (np.abs(chance - 0.5) < 0.25).all() and chance.mean() < rows["mean"]["auc"] - 0.15


def test_coded_units_of_either_side() -> None:
    samples = coded(1)
    assert (coded_units(samples, (12,))[:, 0] == (samples.y == 1)).all(), "R12 is AU12"
    with pytest.raises(InvalidValueError, match="no action units"):
        coded_units(replace(samples, attributes={}))
    with pytest.raises(InvalidValueError, match="AU9 cannot be learnt"):
        score_units(samples, (9,))
