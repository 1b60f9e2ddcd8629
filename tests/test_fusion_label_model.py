"""A lab's model on disk and over a session."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.features import Encoding
from fusion.checkpoint import DEFAULT, load_checkpoint
from fusion.label_head import LabelHead
from fusion.label_inference import fuse_label, label_features
from fusion.label_model import LabelSpec, fusion_state, label_of, load_label_model, save_label_model
from fusion.label_steps import block_widths
from pipeline.simulate.tokens import TokenSession, simulate_tokens

SPEC = LabelSpec("bluff", ("open", "hidden"), 1, 4.0)


def voice_head(members: int = 3, strength: float = 4.0) -> LabelHead:
    """Members that read the mean pitch (first column of the voice) and differ in how much they make of it."""
    p = block_widths(64)["voice"]
    weights = np.zeros((members, p, 2), np.float32)
    weights[:, 0, 1] = strength * np.linspace(0.5, 1.5, members)
    return LabelHead(
        ("voice",), np.zeros(p, np.float32), np.ones(p, np.float32), weights, np.zeros((members, 2), np.float32),
        np.array([0.5, 0.5], np.float32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def session() -> TokenSession:
    return simulate_tokens(5, seconds=30, channels=CHANNELS)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "lab" / "bluff.safetensors"
    save_label_model(load_checkpoint(), voice_head(), SPEC, {"trained_on": {"people": ["ab"]}, "made": 1}, path)
    return path


def test_a_model_survives_the_disk_and_carries_the_fusion_weights_whole(weights: Path) -> None:
    import torch

    model = load_label_model(weights)
    assert (
        model.spec == SPEC and model.record["trained_on"] == {"people": ["ab"]} and model.record["label"]["made"] == 1
    )
    np.testing.assert_array_equal(model.head.weights, voice_head().weights)
    base = load_checkpoint().network.state_dict()
    assert all(torch.equal(one, base[name]) for name, one in fusion_state(weights).items())
    assert set(fusion_state(weights)) == set(base)
    assert label_of(weights) == "bluff" and label_of(DEFAULT) is None and label_of(weights.with_name("no.x")) is None
    assert sorted(p.name for p in weights.parent.iterdir()) == ["bluff.json", "bluff.safetensors"]
    assert weights.stat().st_mode & 0o077 == 0, "weights made from people's data are for the user alone"


def test_the_label_has_its_own_columns(session: TokenSession, weights: Path) -> None:
    track = fuse_label(session.encodings, session.extent, weights, grid_hz=10)
    names = [feature.name for feature in track.features]
    assert names[:4] == ["bluff", "bluff_uncertainty_data", "bluff_uncertainty_model", "bluff_cannot_say"]
    assert names[4:] == [f"bluff_share_{channel}" for channel in CHANNELS]
    assert ((track.values >= 0) & (track.values <= 1)).all() and track.valid.all()
    said = track.column("bluff")
    assert said.std() > 0.02, "pitch moves it"
    assert track.column("bluff_uncertainty_model").max() > 0.001
    shares = np.stack([track.column(f"bluff_share_{channel}") for channel in CHANNELS], axis=1)
    moved = shares[shares.max(axis=1) > 0.21]
    assert len(moved) > 20 and (moved.argmax(axis=1) == CHANNELS.index("voice")).all()
    assert (shares[np.abs(said - said.mean()) > 2 * said.std()].argmax(axis=1) == CHANNELS.index("voice")).all()
    assert not track.column("bluff_cannot_say").any()


def test_nothing_is_said_where_only_cues_are_there_or_training_gave_chance(
    session: TokenSession, weights: Path, tmp_path: Path
) -> None:
    context: list[Encoding] = [one for one in session.encodings if one.spec.channel == "context"]
    assert fuse_label(context, session.extent, weights, grid_hz=4).column("bluff_cannot_say").all()
    chance = tmp_path / "chance.safetensors"
    spec = LabelSpec("label", SPEC.classes, 1, 4.0, usable=False)
    save_label_model(load_checkpoint(), voice_head(), spec, {}, chance)
    assert fuse_label(session.encodings, session.extent, chance, grid_hz=4).column("label_cannot_say").all()
    unsure = tmp_path / "unsure.safetensors"
    spec = LabelSpec("label", SPEC.classes, 1, 4.0, cannot_say_above=0.9)
    save_label_model(load_checkpoint(), voice_head(strength=0.0), spec, {}, unsure)
    assert fuse_label(session.encodings, session.extent, unsure, grid_hz=4).column("label_cannot_say").all()


def test_every_subset_of_channels_runs(session: TokenSession, weights: Path) -> None:
    for channel in CHANNELS:
        own = [one for one in session.encodings if one.spec.channel == channel]
        track = fuse_label(own, session.extent, weights, grid_hz=4)
        assert np.isfinite(track.values).all()
        without = [one for one in session.encodings if one.spec.channel != channel]
        assert np.isfinite(fuse_label(without, session.extent, weights, grid_hz=4).values).all()


def test_columns_of_several_classes() -> None:
    names = [one.name for one in label_features(LabelSpec("state", ("calm", "Tense!", "嘘"), None, 2.0))]
    assert names[:3] == ["state_calm", "state_tense", "state_class_2"]


@pytest.mark.parametrize("name", ["concealed", "felt_x", "cit_response", "Label", "a b", "", "valid", "share_face"])
def test_a_label_never_takes_the_name_of_another_estimand(name: str) -> None:
    with pytest.raises(InvalidValueError, match="name"):
        LabelSpec(name, ("a", "b"), 1, 2.0)


def test_wrong_files_give_one_clear_message(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        load_label_model(tmp_path / "nowhere.safetensors")
    with pytest.raises(InvalidValueError, match="no lab's label"):
        load_label_model(DEFAULT)
    record = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    three = {"classes": ["a", "b", "c"], "positive": None}
    for spoiled in ({"blocks": ["voice", "body"]}, {"blocks": ["nothing"]}, three):
        label = {**record["label"], **spoiled}
        weights.with_suffix(".json").write_text(json.dumps({**record, "label": label}), encoding="utf-8")
        with pytest.raises(UnreadableFileError):
            load_label_model(weights)
    weights.with_suffix(".json").write_text(json.dumps({**record, "vocabulary": {}}), encoding="utf-8")
    with pytest.raises(InvalidValueError, match="columns"):
        load_label_model(weights)
    weights.with_suffix(".json").write_text("{", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="record"):
        load_label_model(weights)
    weights.with_suffix(".json").write_text(json.dumps(record), encoding="utf-8")
    weights.write_bytes(b"no weights")
    with pytest.raises(UnreadableFileError, match="safetensors"):
        load_label_model(weights)
