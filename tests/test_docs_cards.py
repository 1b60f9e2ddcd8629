"""Model cards, data sheet and promises: complete, never older than the weights; what they name is there."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gates import GATES
from data_schemas.json_schemas import __file__ as _json_schemas
from docs.model_cards_page import BUNDLED, FILE, MODELS, PACKAGES, flat, model_of, page, read_card, weights
from fusion.effect_table import TABLE, sourced_effects
from modalities.face.spotting.base import SPOTTERS
from pipeline.simulate.face_portrait import PHOTOGRAPHS
from pipeline.simulate.unit_model import BACKGROUND_FACES, RESPONSE_FACES

ROOT = Path(_json_schemas).resolve().parents[1]
SHEET = ROOT / "docs" / "data_sheet.md"
MODEL_FILES = (
    ".safetensors",
    ".pt",
    ".pth",
    ".onnx",
    ".tflite",
    ".task",
    ".npz",
    ".npy",
    ".h5",
    ".pkl",
    ".joblib",
    ".bin",
)
COMMAND = re.compile(r"`python -m ([\w.]+)([^`]*)`")


@pytest.fixture(scope="module")
def cards() -> str:
    return FILE.read_text(encoding="utf-8")


def shipped() -> set[str]:
    """Whatever in the packages could be a model."""
    return {
        one.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for one in (ROOT / package).rglob("*")
        if one.suffix in MODEL_FILES
    }


def test_the_page_is_up_to_date(cards: str) -> None:
    assert cards == page(), "run python -m docs.model_cards_page"


def test_every_weight_file_has_a_card_with_its_hash(cards: str) -> None:
    assert shipped() == set(weights()), "a model of another kind than safetensors, or without a card"
    said = dict(re.findall(r"\| file \| `([^`]+)`.*\n\| SHA-256 \| `([0-9a-f]{64})` \|", cards))
    assert said == {path: sha256((ROOT / path).read_bytes()).hexdigest() for path in shipped()}
    assert len(re.findall(r"^\| rebuilt by \|", cards, re.M)) == len(said)
    assert set(MODELS) <= set(said)


def test_packages_are_those_that_are_installed() -> None:
    import tomllib

    find = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(PACKAGES) == {one.rstrip("*") for one in find}


@pytest.mark.parametrize("path", weights())
def test_every_number_of_a_machine_readable_card_stands_on_the_page(cards: str, path: str) -> None:
    card = read_card(ROOT / path)
    own = next(part for part in re.split(r"^(?=###? )", cards, flags=re.M) if f"`{path}`" in part)
    if path not in MODELS:
        own += cards[cards.index("## Reference spotters") : cards.index("### ")]
    figures: dict[str, Any] = card.get("held_out_figures") or card.get("figures") or {}
    figures = figures.get("sets", {}).get("all sessions", {}).get("concealed", figures)
    plan = card.get("plan") or card.get("training", {}).get("plan")
    assert plan and (figures or path.endswith("units.safetensors"))
    for name, value in [*flat(figures), *flat(plan)]:
        if isinstance(value, int | float):
            words = f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
            assert f"{name.rpartition('.')[2].replace('_', ' ')} {words}" in own, (name, value)
    for limit in [*card.get("limits", ()), *card.get("training", {}).get("limits", ())]:
        assert limit in own
    for row in ("for", "not for", "trained on", "sizes", "protocol", "figures", "limits", "file", "rebuilt by"):
        assert re.search(rf"^\| {row} \| \S", own, re.M), row


def test_what_was_trained_on_a_family_of_faces_says_which_photograph(cards: str) -> None:
    assert "Collins" in cards and "Hopper" in cards and len(PHOTOGRAPHS) == 2
    names = {Path(path).stem for path in weights() if model_of(path).faces}
    assert names >= {"units", "temporal"} and names - {"units"} <= set(SPOTTERS)


@pytest.mark.parametrize("file", [FILE, SHEET], ids=["cards", "sheet"])
def test_every_command_and_file_that_is_named_exists(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    commands = COMMAND.findall(text)
    assert len(commands) >= 3
    for module, words in commands:
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin, module
        source = Path(spec.origin).read_text(encoding="utf-8")
        assert '__name__ == "__main__"' in source, module
        for option in re.findall(r"(?<!\S)-{1,2}[a-z][\w-]*", words):
            assert f'"{option}"' in source, f"{module} has no {option}"
        if module == "benchmarks.gates":
            assert words.split()[-1] in GATES
    for path in re.findall(r"`((?:data_schemas|modalities|fusion|pipeline|docs|benchmarks|tests)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (file.parent / link).exists(), link


@pytest.mark.parametrize("name", [Path(path).stem for path in weights() if path not in MODELS])
def test_a_reference_spotter_can_be_rebuilt_by_itself(name: str) -> None:
    from pipeline.simulate.spotter_models import FITS, SEEING

    assert name in FITS | SEEING


def test_models_of_mediapipe_are_those_that_the_graphs_load(cards: str) -> None:
    """The graphs name their models; of those that are not found in a graph's text the code chooses by a number."""
    from importlib.metadata import files

    held = {str(one) for one in files("mediapipe") or ()}
    assert {f"mediapipe/modules/{one.file}" for one in BUNDLED} <= held
    for one in BUNDLED:
        assert f"`{one.file}`" in cards
    chosen = {
        "modalities/face/models.py": ("model_selection=int(far)", "refine_landmarks=True"),
        "modalities/body/pose.py": ("model_complexity=1",),
        "modalities/body/hand_model.py": ('"model_complexity": 1', "HandRecropByRoiCpu", "HandLandmarkCpu"),
    }
    for path, words in chosen.items():
        source = (ROOT / path).read_text(encoding="utf-8")
        assert all(word in source for word in words), f"{path} asks for another model: see docs/model_cards_page.py"


def test_the_sheet_says_of_the_table_of_effects_what_the_table_says() -> None:
    text = " ".join(SHEET.read_text(encoding="utf-8").split())
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sized = sum(bool(row["magnitude"]) for row in rows)
    unchecked = [row["cue"] for row in rows if "not yet checked" in row["note"]]
    assert f"{len(rows)} rows" in text and f"{sized} with a size, {len(rows) - sized} with a direction alone" in text
    assert len(rows) == len(sourced_effects())
    for cue in unchecked:
        assert cue in text, "what nobody checked against its source is said"
    for author in {re.split(r",| et al| &", row["source"])[0] for row in rows}:
        assert author in text, author


def test_the_sheet_says_of_sizes_what_the_cards_say() -> None:
    text = SHEET.read_text(encoding="utf-8")
    units = read_card(ROOT / "modalities/face/units.safetensors")
    spotter = read_card(ROOT / "modalities/face/spotting/weights/temporal.safetensors")
    recogniser = read_card(ROOT / "modalities/face/recognition/default/recogniser.safetensors")
    reference = read_card(ROOT / "modalities/face/spotting/weights/cfd.safetensors")
    measured = json.loads((ROOT / "pipeline/simulate/measurement.json").read_text())["about"]
    assert units["faces"] == len(RESPONSE_FACES)
    for words in (
        f"{units['faces']} faces, {units['movements']:,} planted movements, {units['still_faces']} faces at rest",
        f"{spotter['faces']} faces, {spotter['held_out_faces']} held out",
        f"{reference['plan']['faces']} faces, {reference['plan']['held_out']} held out",
        f"{recogniser['plan']['faces']} faces with {recogniser['plan']['each']} flow maps each",
        f"{measured['sessions']} rendered sessions, {measured['minutes']:g} minutes",
    ):
        assert words in text, words
    said = (f"(a rebuild draws {len(BACKGROUND_FACES)})", f"draws {len(BACKGROUND_FACES)} by now")
    for words, page_ in zip(said, (text, FILE.read_text(encoding="utf-8")), strict=True):
        assert (words in page_) == (units["still_faces"] != len(BACKGROUND_FACES)), (
            "what was seen, and what a rebuild sees"
        )


@pytest.mark.parametrize(
    "heading", ["Motivation", "Composition", "Collection", "Preprocessing", "Uses", "Distribution", "Maintenance"]
)
def test_the_sheet_has_every_part(heading: str) -> None:
    part = re.search(rf"^## {heading}[^\n]*\n(.*?)(?=^## |\Z)", SHEET.read_text(encoding="utf-8"), re.M | re.S)
    assert part and len(part[1].split()) > 20


def test_every_promise_names_tests_that_are_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promises = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(promises) > 20
    for line in promises:
        held = re.findall(r"`(test_\w+\.py)`", line.rstrip(" |").rpartition("|")[2])
        assert held, line
        for name in held:
            assert (ROOT / "tests" / name).is_file(), name
