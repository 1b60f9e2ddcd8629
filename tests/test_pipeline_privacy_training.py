"""Recognisers of micro-expressions and of gestures: whose data they are trained with, and what a withdrawal does."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import ConsentError, MissingFileError, NothingUsableError
from pipeline.lab.trainees import find_trainees
from pipeline.privacy import audit, keys
from pipeline.privacy.consent import people_of_card
from pipeline.privacy.forget import forget

PEOPLE = ("anna", "berta", "carla", "dora")
TEXT = """\
name = "{name}"
[consent]
scope = {scope}
[[people]]
id = "{person}"
[clocks.lab]
reference = true
[[streams]]
name = "ecg"
kind = "ecg"
file = "a.csv"
clock = "lab"
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        "modalities.face.recognition.default.training.OWN_UPDATES", 5
    )  # how well it learns is no matter


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Four people; dora agreed in one session and not in the other."""
    for name, person, scope in [(f"s_{one}", one, '["analyse", "train"]') for one in PEOPLE] + [
        ("again", "dora", '["analyse"]')
    ]:
        place = tmp_path / "sessions" / name
        place.mkdir(parents=True)
        (place / "session.toml").write_text(TEXT.format(name=name, person=person, scope=scope), encoding="utf-8")
    return tmp_path / "sessions"


def maps(folder: Path) -> Path:
    """Flow maps of the four, and of somebody whom no manifest names."""
    folder.mkdir()
    subject = np.repeat([*PEOPLE, "stranger"], 6)
    y, rng = np.tile(np.arange(3), 10), np.random.default_rng(0)
    x = rng.integers(0, 255, (30, 28, 28, 3)).astype(np.uint8)
    clip = np.array([f"c{at}" for at in range(30)])
    np.savez(folder / "f.npz", x=x, y=y, subject=subject, dataset=np.repeat("lab", 30), clip=clip)
    return folder


def skeletons(folder: Path) -> Path:
    """Clips of 17 joints of the same people."""
    folder.mkdir()
    x = np.random.default_rng(0).normal(0, 50, (30, 16, 17, 3)) + 200
    x[..., 2] = 1
    np.savez(folder / "clips.npz", x=x, y=np.tile(["nod", "wave"], 15), subject=np.repeat([*PEOPLE, "stranger"], 6))
    return folder / "clips.npz"


COMMANDS = {
    "me train": lambda folder: ("me", "train", "--data", maps(folder)),
    "gestures train": lambda folder: ("gestures", "train", skeletons(folder), "--epochs", 1, "--frames", 16),
}


def load(command: str, weights: Path) -> object:
    from modalities.body.gestures.learned import load_gestures
    from modalities.face.recognition.default.recogniser import DefaultRecogniser

    return load_gestures(weights) if command == "gestures train" else DefaultRecogniser.load(weights)


@pytest.mark.parametrize("command", COMMANDS)
def test_who_agreed_is_trained_with_and_found_when_they_withdraw(
    here: Callable, study: Path, tmp_path: Path, command: str
) -> None:
    weights = tmp_path / "model" / "own.safetensors"
    done = here(*COMMANDS[command](tmp_path / "data"), "--study", study, "-o", weights, "--json")
    assert done.returncode == 1, done.stderr
    assert "dora is not used" in done.stderr and "no consent to train" in done.stderr
    assert "stranger is not used: no manifest of the study names them" in done.stderr
    text = weights.with_suffix(".json").read_text()
    card = json.loads(text)
    names = {one: keys.known_pseudonym(study, one) for one in PEOPLE}
    assert people_of_card(card) == {names["anna"], names["berta"], names["carla"]}
    assert not any(one in text for one in (*PEOPLE, "stranger")), "people stand in the card by pseudonyms alone"
    assert stat.S_IMODE(weights.parent.stat().st_mode) == 0o700
    lines = [json.loads(one) for one in (keys.home() / audit.NAME).read_text().splitlines()]
    mine = [line for line in lines if line["what"] == command]
    assert len(mine) == 1 and len(mine[0]["data"]) == 3 and mine[0]["study"] == str(study)
    assert load(command, weights) is not None
    report = forget("berta", study)
    assert [line.where for line in report.lines if line.action == "retrain"] == [str(weights.with_suffix(".json"))]
    again = weights.rename(tmp_path / "copy.safetensors")
    weights.with_suffix(".json").rename(tmp_path / "copy.json")
    with pytest.raises(ConsentError, match="Train it again"):
        load(command, again)
    assert find_trainees(study, ["anna", "berta"]).refused == {"berta": "they have withdrawn from this study"}


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_study_it_is_said_that_nobody_knows(here: Callable, tmp_path: Path, command: str) -> None:
    weights = tmp_path / "own.safetensors"
    done = here(*COMMANDS[command](tmp_path / "data"), "-o", weights, "--json")
    assert done.returncode == 0, done.stderr
    assert "a withdrawal will not find this model" in done.stderr
    card = json.loads(weights.with_suffix(".json").read_text())
    assert card["trained_on"] == {"study": "unknown", "people": "unknown"} and people_of_card(card) == set()
    lines = [json.loads(one) for one in (keys.home() / audit.NAME).read_text().splitlines()]
    assert [line["study"] for line in lines if line["what"] == command] == [str(tmp_path / "data")]


def test_nobody_to_train_with_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingUsableError, match=r"dora.*no consent to train"):
        find_trainees(study, ["dora", "stranger"])
    with pytest.raises(MissingFileError):
        find_trainees(tmp_path / "nowhere", ["anna"])
    found = find_trainees(study, ["anna", "anna"])
    assert found.people == ("anna",) and [one.name for one in found.sessions] == ["s_anna"]
    assert found.aliases() == {"anna": keys.pseudonym(study, "anna")}


def test_flow_maps_that_are_kept_are_pointed_at(study: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    find_trainees(study, ["anna"]).note(tmp_path / "own.safetensors", tmp_path / "kept")
    keys.pseudonym(study, "anna")
    lines = [one for one in forget("anna", study).lines if one.what == "export"]
    assert [(one.where, one.action) for one in lines] == [(str(tmp_path / "kept"), "look at it")]
