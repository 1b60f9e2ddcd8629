"""Networks that speak together: their mean, and what their disagreement says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fusion.calibration import Decisions, Temperature
from fusion.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fusion.ensemble import members_of, together, uncertainties
from fusion.posterior import uncertainty_of
from fusion.tokens import Tokens
from fusion.transformer import Shape, build
from fusion.windows import joint_of, session_joint
from pipeline.simulate.tokens import simulate_tokens

SMALL = Shape(width=16, layers=1, heads=2, steps=20)
PLAIN = Temperature(1.0, (0.0,) * 5)


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return simulate_tokens(5, 40.0).example().tokens


def networks(count: int) -> list:
    import torch

    torch.manual_seed(3)
    return [build(SMALL).eval() for _ in range(count)]


def test_an_ensemble_gives_the_mean_probability_of_its_members(tokens: Tokens) -> None:
    some = networks(3)
    parts = [tokens.part(0, 20), tokens.part(10, 30)]
    apart = np.mean([joint_of(one, parts, PLAIN) for one in some], axis=0)
    np.testing.assert_allclose(joint_of(together(some), parts, PLAIN), apart, atol=1e-6)
    assert members_of(together(some)) == some and members_of(some[0]) == some[:1]


def test_disagreement_is_the_part_that_one_network_lacks(tokens: Tokens) -> None:
    one, *_ = some = networks(3)
    data, model = uncertainties(together(some), tokens, PLAIN)
    assert data.shape == model.shape == (len(tokens),) and (model > 0).any() and (data >= 0).all()
    whole = uncertainty_of(session_joint(together(some), tokens, PLAIN))
    assert np.all(data + model <= whole + 0.05)
    assert np.abs(data + model - whole).mean() < 0.02, "the two parts make up the whole but for the cross-fading"
    alone, nothing = uncertainties(one, tokens, PLAIN)
    assert not nothing.any() and np.all(alone > 0)
    _, same = uncertainties(together([one, one]), tokens, PLAIN)
    np.testing.assert_allclose(same, 0, atol=1e-9)


def test_an_ensemble_is_saved_and_read(tokens: Tokens, tmp_path: Path) -> None:
    ensemble = together(networks(2))
    decisions = Decisions(PLAIN, 0.9, 0.4, 0.3)
    save_checkpoint(Checkpoint(ensemble, SMALL, decisions), tmp_path / "two.safetensors")
    again = load_checkpoint(tmp_path / "two.safetensors")
    assert len(members_of(again.network)) == 2
    parts = [tokens.part(0, 20)]
    np.testing.assert_array_equal(joint_of(ensemble, parts, PLAIN), joint_of(again.network, parts, PLAIN))
