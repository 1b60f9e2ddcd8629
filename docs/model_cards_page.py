"""Make docs/model_cards.md from the weights, their cards and the code: `python -m docs.model_cards_page`."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.metadata import files, metadata, version
from pathlib import Path
from typing import Any

from data_schemas.named import find_named
from modalities.face.spotting.base import SPOTTERS
from modalities.face.synthesis.families import FAMILIES
from pipeline.privacy.intended_use import STATEMENT
from pipeline.simulate import face_portrait
from pipeline.simulate.unit_model import BACKGROUND_FACES

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_name("model_cards.md")
PACKAGES = ("data_schemas", "sync", "modalities", "fusion", "pipeline")
SPOTTING = "modalities/face/spotting/weights"


@dataclass(frozen=True)
class Model:
    """What a card says beside what weights, card and code say themselves.

    Attributes:
        code: Module whose first paragraph says what it is.
        builder: Module that rebuilds the weights; its first paragraphs say how.
        use: What it is for.
        not_for: What its answers must not be taken for.
        gate: Name of the gate that measures it again; "" for none.
        faces: Family of simulated faces (`FAMILIES`) it learned from and was measured on; "" where the card says it.
    """

    code: str
    builder: str
    use: str
    not_for: str
    gate: str = ""
    faces: str = ""


_MOVED = "A finding says that a face moved in the way of an expression, not what the person felt."
_COMPARED = "Comparison with the method of the paper: `telltale spot --spotter {name}`, `telltale bench spotting`."

MODELS: dict[str, Model] = {
    "fusion/weights/default.safetensors": Model(
        "fusion.transformer", "pipeline.simulate.default_model",
        "The columns `fused.*` and the events `incongruence` of `telltale analyze`, to look at what may differ.",
        "`concealed` is no probability of lying; sessions as the simulator draws them are not sessions of people.",
        "fusion",
    ),
    "modalities/face/recognition/default/recogniser.safetensors": Model(
        "modalities.face.recognition.default.recogniser", "pipeline.simulate.recogniser_model",
        "The class of each expression that `telltale analyze` found.",
        "What a movement of the face means by EMFACS is not what the person felt.", "recogniser",
    ),
    "modalities/face/units.safetensors": Model(
        "modalities.face.action_units", "pipeline.simulate.unit_model",
        "The columns `face.au*` of `telltale analyze`.",
        "Intensities are no coding by a certified FACS coder, and not on the scale A to E.", "planted_units", "train",
    ),
    f"{SPOTTING}/temporal.safetensors": Model(
        "modalities.face.spotting.temporal", "pipeline.simulate.spotter_model",
        "The events `micro` and `macro` of `telltale analyze` and `telltale spot`.", _MOVED, "spotting", "train",
    ),
}  # fmt: skip
"""By file. Weights of the reference spotters are found by themselves."""

_CODE = {"apex-cnn": "modalities.face.spotting.apex_cnn"}
"""Where a spotter's own module says less than another one."""
_ONE_OF_SEVERAL = ("hog-lstm", "higo-lstm")
"""Spotters that share a module."""
_MAIN = ("sessions", "concealed.", "felt.accuracy", "felt.majority", "shown.accuracy", "shown.majority")
"""Figures of the fusion that stand here; its own card has all."""


@dataclass(frozen=True)
class Bundled:
    """A model of MediaPipe's that is used.

    Attributes:
        file: Below the package.
        use: What for.
        limits: Stated where it is used, or by its makers.
    """

    file: str
    use: str
    limits: str


BUNDLED = (
    Bundled("face_detection/face_detection_short_range.tflite", "finding faces; a step of the face mesh",
            "made for faces within 2 m of the camera, say its makers"),
    Bundled("face_detection/face_detection_full_range_sparse.tflite", "finding small faces",
            "made for faces within 5 m of the camera, say its makers"),
    Bundled("face_landmark/face_landmark_with_attention.tflite", "478 landmarks of a face, irises among them",
            "depth is estimated from one picture; hidden points are given too"),
    Bundled("pose_detection/pose_detection.tflite", "finding a person; a step of the pose",
            "the most prominent person alone"),
    Bundled("pose_landmark/pose_landmark_full.tflite", "33 joints of a body",
            "the most prominent person alone; depth is estimated from one picture"),
    Bundled("holistic_landmark/hand_recrop.tflite", "finding the hand near a wrist", "needs the wrist of the pose"),
    Bundled("hand_landmark/hand_landmark_full.tflite", "21 landmarks of a hand", "hidden fingers are given too"),
)  # fmt: skip

_TEXT = """# Model cards

One card for each file of weights that comes with Telltale, and one table for the models of MediaPipe that it uses. This
page is made from the weights, the cards beside them and the code. How the data came about: [data sheet](data_sheet.md).

## What holds for all of them

{statement}

**Trained on** simulation alone: no recording and no data set of people had a part in any of them. The faces are
{photographs}, with other proportions and planted movements.

**Subgroups.** {subgroups}

**Figures** are of simulated material and say how well a model reads the simulator, nothing of people. {intervals} Their
names are those of the cards.

**Files** are safetensors, which hold numbers and run nothing; licence {licence}.

{cards}
## Reference spotters

Methods of the field, to compare with.

{shared}
{references}
## MediaPipe's models

{bundled}
"""


def page() -> str:
    """The whole page.

    Raises:
        KeyError: weights have no card here.
    """
    cards = {path: read_card(ROOT / path) for path in weights()}
    references = {path: one for path, one in cards.items() if path not in MODELS}
    said = cards["modalities/face/recognition/default/recogniser.safetensors"]
    return _TEXT.format(
        statement=STATEMENT, photographs=" and ".join(photographs().values()), subgroups=said["subgroups"],
        licence=said["licence"], intervals=_intervals(cards.values()), shared=_table(_shared(references)),
        cards="\n".join(card(path, cards[path]) for path in cards if path in MODELS),
        references="\n".join(card(path, one, brief=_shared(references)) for path, one in references.items()),
        bundled=_bundled(),
    )  # fmt: skip


def weights() -> list[str]:
    """Every file of weights in the packages, as a path below the repository; those that `analyze` uses come first."""
    found = {
        one.relative_to(ROOT).as_posix() for package in PACKAGES for one in (ROOT / package).rglob("*.safetensors")
    }
    return [path for path in MODELS if path in found] + sorted(found - set(MODELS))


def read_card(path: Path) -> dict[str, Any]:
    """The machine-readable card of weights: the .json beside them, or what they hold themselves."""
    from safetensors import safe_open

    beside = path.with_suffix(".json")
    if beside.is_file():
        found: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        return found
    with safe_open(path, "np") as held:
        about = json.loads(held.metadata()["about"])
    return json.loads(about["card"]) | {"units": about["units"], "regions": len(about["regions"])}


def model_of(path: str) -> Model:
    """What is said of weights.

    Raises:
        KeyError: nothing is.
    """
    if path in MODELS:
        return MODELS[path]
    name = Path(path).stem
    if not path.startswith(f"{SPOTTING}/") or name not in SPOTTERS:
        raise KeyError(f"no card for {path}: describe it in docs/model_cards_page.py")
    code = _CODE.get(name, SPOTTERS[name].partition(":")[0])
    return Model(code, "pipeline.simulate.spotter_models", _COMPARED.format(name=name), _MOVED, "", "train")


def command_of(path: str, card: Mapping[str, Any]) -> str:
    """The command that rebuilds weights: as the card says, else as the module that does it says."""
    said = card.get("rebuild") or card.get("command") or card.get("training", {}).get("made_by")
    if said:
        return str(said)
    builder = import_module(model_of(path).builder)
    command = re.search(r"`(python -m [^`]+)`", inspect.getdoc(builder) or "")
    if command is None:
        raise KeyError(f"{builder.__name__} does not say how it is run")
    return command[1] + (f" --only {Path(path).stem}" if "--only" in inspect.getsource(builder) else "")


def rows_of(path: str, card: Mapping[str, Any]) -> dict[str, str]:
    """The lines of the card of one file of weights."""
    model, content = model_of(path), (ROOT / path).read_bytes()
    rows = {
        "for": model.use,
        "not for": model.not_for,
        "trained on": _trained_on(card, model),
        "sizes": _flat_words(_sizes(card)),
        "protocol": _protocol(card, model),
        "figures": _figures(card),
        "measured again by": f"`python -m benchmarks.gates --only {model.gate}`" if model.gate else "",
        "limits": "<br>".join(_limits(card, model)),
        "file": f"`{path}`, {len(content):,} bytes, {_numbers(ROOT / path):,} numbers",
        "SHA-256": f"`{sha256(content).hexdigest()}`",
        "rebuilt by": f"`{command_of(path, card)}`",
    }
    return {what: said for what, said in rows.items() if said}


def card(path: str, card: Mapping[str, Any], brief: Mapping[str, str] | None = None) -> str:
    """The card of one file of weights; without the lines of `brief`, which stand above."""
    rows = {what: said for what, said in rows_of(path, card).items() if said != (brief or {}).get(what)}
    name, more = Path(path).stem, (ROOT / path).with_suffix(".md")
    title = {"default": "Fusion", "units": "Action units", "temporal": "Spotter", "recogniser": "Recogniser"}.get(
        name, name
    )
    link = f"\nAll figures and assumptions: [{more.name}](../{more.relative_to(ROOT).as_posix()}).\n"
    level = "##" if brief is None else "###"
    return f"{level} {title}\n\n{_about(path)}\n\n{_table(rows)}{link if more.is_file() else ''}"


def _shared(cards: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The lines that all cards have in common."""
    first, *others = [rows_of(path, one) for path, one in cards.items()]
    return {what: said for what, said in first.items() if all(one.get(what) == said for one in others)}


def _table(rows: Mapping[str, str]) -> str:
    lines = (f"| {what} | {said.replace('|', chr(92) + '|')} |" for what, said in rows.items())
    return "| | |\n|---|---|\n" + "\n".join(lines) + "\n"


def _about(path: str) -> str:
    first = re.sub(r"^Reference spotters?: ", "", _paragraphs(model_of(path).code)[0])
    name = Path(path).stem
    own = inspect.getdoc(find_named(SPOTTERS, name, "spotter")) if name in _ONE_OF_SEVERAL else ""
    return first[:1].upper() + first[1:] + (f" This one: {own}" if own else "")


def _trained_on(card: Mapping[str, Any], model: Model) -> str:
    said = card.get("trained_on") or card.get("training", {}).get("data")
    if said:
        return f"{str(said).rstrip('.')}."
    photograph = photographs()[FAMILIES[model.faces].photograph]
    return f'Simulated faces alone (family "{model.faces}"): other proportions of {photograph}.'


def _sizes(card: Mapping[str, Any]) -> dict[str, Any]:
    names = ("faces", "held_out_faces", "still_faces", "movements", "rate_per_minute", "members")
    plan = {**card.get("plan", {}), **card.get("training", {}).get("plan", {})}
    return {**plan, **{name: card[name] for name in names if name in card}}


def _protocol(card: Mapping[str, Any], model: Model) -> str:
    """What the card says, and else how the module that trains says it goes about it."""
    said = [f"{key.replace('_', ' ')}: {card[key]}" for key in ("calibrated_on", "held_out") if key in card]
    return "<br>".join(said) or " ".join(_paragraphs(model.builder)[1:2])


def _figures(card: Mapping[str, Any]) -> str:
    figures = card.get("figures") or card.get("held_out_figures") or {}
    if "sets" in figures:
        return "<br>".join(
            f"{name}: {_flat_words({key: value for key, value in flat(one) if key.startswith(_MAIN)})}"
            for name, one in figures["sets"].items()
        )
    return _flat_words(figures) or "None on the card."


def _limits(card: Mapping[str, Any], model: Model) -> list[str]:
    said = [*card.get("limits", ()), *card.get("training", {}).get("limits", ())]
    if not model.faces:
        return said
    said.append("Every face is the same photograph with other proportions, moved by one table of muscles.")
    still = card.get("still_faces")
    if still is not None and still != len(BACKGROUND_FACES):
        rebuilt = f"the command draws {len(BACKGROUND_FACES)} by now, so that a rebuild gives other numbers"
        said.append(f"These weights were made of {still} still faces; {rebuilt}.")
    if any(key.startswith("threshold") for key in card):
        said.append("Thresholds were set on the very faces that the figures are of.")
    return said


def _intervals(cards: Iterable[Mapping[str, Any]]) -> str:
    named = [key for one in cards for key, _ in flat(one) if re.search(r"interval|ci95|lower|upper95", key)]
    return f"Intervals: {', '.join(named)}." if named else "No card states intervals."


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers of a nested table by their path, lists and tables of tables unfolded: ("micro.f1", 0.669)."""
    for key, value in values.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping):
            yield from flat(value, name)
        else:
            yield name, value


def _flat_words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {_number(value)}" for key, value in flat(values))


def _number(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " x ".join(map(_number, value))
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _numbers(path: Path) -> int:
    """How many numbers the weights are."""
    from safetensors.numpy import load_file

    return sum(value.size for value in load_file(path).values())


def _paragraphs(module: str) -> list[str]:
    text = inspect.getdoc(import_module(module)) or ""
    return [" ".join(part.split()) for part in text.split("\n\n")]


def photographs() -> dict[str, str]:
    """Each photograph in words, by its name, as the module that loads them says."""
    text = " ".join((face_portrait.__doc__ or "").split())
    found = re.findall(r"((?:the )?[A-Z]+\b[\w' ]*?) \(\"(\w+)\", ([\w-]+)\)", text)
    words = {name: f"{what} (a public-domain photograph that comes with {package})" for what, name, package in found}
    if set(words) != set(face_portrait.PHOTOGRAPHS):
        raise KeyError("the docstring of pipeline.simulate.face_portrait no longer says where its photographs are from")
    return words


def _bundled() -> str:
    held = {str(one): one for one in files("mediapipe") or ()}
    rows = []
    for one in BUNDLED:
        content = Path(str(held[f"mediapipe/modules/{one.file}"].locate())).read_bytes()
        digest = sha256(content).hexdigest()
        rows.append(f"| `{one.file}` | {one.use} | {one.limits} | {len(content):,} | `{digest}` |")
    return (
        f"They come inside MediaPipe {version('mediapipe')} (licence {metadata('mediapipe')['License']}); they were "
        "not trained by us; on what they were trained is for their makers' model cards to say. None of them tells who "
        "somebody is. Other landmarks or another detector can be set in the [configuration](manifest.md).\n\n"
        "| file below `mediapipe/modules` | for | limits | bytes | SHA-256 |\n|---|---|---|---|---|\n" + "\n".join(rows)
    )


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
