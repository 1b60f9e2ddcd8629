"""`telltale train` from a lab's results to weights, card and column."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from fusion.label_inference import track_label
from fusion.label_model import load_label_model
from fusion.label_training import HeadPlan
from fusion.tokens import tokens_of
from pipeline.lab import train as lab_train
from pipeline.lab.card import lab_card
from pipeline.lab.folds import MODEL, STATES_ALONE, Protocol
from pipeline.lab.labels import read_labels
from pipeline.lab.sessions import find_sources
from pipeline.lab.simulated import HIDDEN, lab_sessions, write_lab
from pipeline.lab.train import Order, Trained, place_of, train

QUICK = Protocol(2, 1, HeadPlan(penalties=(1e-3,), epochs=40, parts=2))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    write_lab(folder, lab_sessions(10, seed=1, seconds=60))
    return folder


@pytest.fixture(scope="module")
def trained(lab: Path) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLTALE_HOME", str(lab / "home"))
        sources = find_sources(lab / "results", lab / "sessions").usable
        order = Order("bluff", QUICK, ablation=True, draws=40)
        return train(sources, read_labels(lab / "labels.csv"), lab / "model", order)


def test_the_table_has_every_baseline_and_the_model_first(trained: Trained) -> None:
    names = [row["system"] for row in trained.rows]
    assert names[:2] == [MODEL, STATES_ALONE]
    assert set(names[2:]) == {
        "majority", "identity only", "nuisance only", "face alone", "voice alone", "body alone", "physiology alone",
        "context alone", "early fusion", "shipped, untrained", "evidence model",
    }  # fmt: skip
    assert [row["without"] for row in trained.ablation] == ["face", "voice", "body", "physiology", "context"]
    assert all(row["auc"] is not None and 0 <= row["auc"] <= 1 for row in trained.rows)
    assert {row["against"] for row in trained.differences} == set(names) - {MODEL}


def test_weights_record_and_card_say_the_same_and_name_nobody(trained: Trained, lab: Path) -> None:
    assert trained.weights == lab / "model" / "model.safetensors"
    record = json.loads(trained.weights.with_suffix(".json").read_text(encoding="utf-8"))
    card = trained.weights.with_suffix(".md").read_text(encoding="utf-8")
    assert card == lab_card(record)
    people = record["trained_on"]["people"]
    assert len(people) == 10 and all(len(one) == 16 for one in people)
    for text in (card, json.dumps(record)):
        assert "p003" not in text, "people are named by pseudonyms alone"
    for word in ("Subgroups", "Limits", "consent", "never mixed", trained.headline, people[0]):
        assert word in card, word
    assert record["label"]["data"]["people"] == 10 and {row["group"] for row in trained.subgroups} == {
        "sex", "age_group", "culture",
    }  # fmt: skip


def test_a_person_who_withdraws_is_found_in_the_model(
    trained: Trained, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.privacy import keys
    from pipeline.privacy.consent import people_of_card

    monkeypatch.setenv("TELLTALE_HOME", str(lab / "home"))
    card = json.loads(trained.weights.with_suffix(".json").read_text(encoding="utf-8"))
    root = keys.study_root(lab / "sessions" / "s_p003")
    assert keys.pseudonym(root, "p003") in people_of_card(card)
    assert trained.weights.with_suffix(".json").absolute() in keys.places(root, "models")


def test_the_trained_label_runs_over_a_new_session(trained: Trained) -> None:
    model = load_label_model(trained.weights)
    assert model.spec.name == "bluff" and model.spec.classes[model.spec.positive or 0] == HIDDEN
    new = next(lab_sessions(1, seed=9, seconds=40))
    tokens = tokens_of(new.session.encodings, new.session.extent)
    track = track_label(model, tokens, tokens.times_ns)
    assert np.isfinite(track.values).all() and ((track.values >= 0) & (track.values <= 1)).all()
    if not model.spec.usable:
        assert track.column("bluff_cannot_say").all() and "Chance" in trained.headline


def test_an_interrupted_run_goes_on_and_gives_the_same(
    trained: Trained, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(lab / "home"))
    next((lab / "model" / "model.work" / "folds").glob("*fold1.npz")).unlink()
    sources = find_sources(lab / "results", lab / "sessions").usable
    order = Order("bluff", QUICK, ablation=True, draws=40)
    taken = []
    real = lab_train.validate

    def watched(*given: object) -> object:
        found = real(*given)
        taken.append(found.taken)
        return found

    monkeypatch.setattr(lab_train, "validate", watched)
    again = train(sources, read_labels(lab / "labels.csv"), lab / "model", order)
    assert taken == [1]
    assert list(again.rows) == list(trained.rows) and list(again.ablation) == list(trained.ablation)


def test_the_command_prints_one_object_and_tells_who_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer
    from typer.testing import CliRunner

    from pipeline.cli import train as command

    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    write_lab(tmp_path, lab_sessions(9, seed=1, seconds=60))
    manifest = tmp_path / "sessions" / "s_p002" / "session.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(', "train"', ""), encoding="utf-8")
    app = typer.Typer()
    command.register(app)
    places = {"--sessions": "sessions", "--labels": "labels.csv", "-o": "m.safetensors"}
    options = [word for name, place in places.items() for word in (name, str(tmp_path / place))]
    call = [str(tmp_path / "results"), *options, "--folds", "2", "--seeds", "1", "--json"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert list(told["not_used"]) == ["s_p002"] and "consent to train" in told["not_used"]["s_p002"]
    assert told["data"]["people"] == 8 and Path(told["card"]).is_file() and Path(told["weights"]).is_file()


def test_where_a_model_goes(tmp_path: Path) -> None:
    assert place_of(tmp_path / "a.safetensors") == tmp_path / "a.safetensors"
    assert place_of(tmp_path / "a") == tmp_path / "a" / "model.safetensors"
    (tmp_path / "b.csv").write_text("x", encoding="utf-8")
    with pytest.raises(InvalidValueError, match="no weights"):
        place_of(tmp_path / "b.csv")
