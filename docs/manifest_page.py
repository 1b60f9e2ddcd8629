"""Make docs/manifest.md from the models of `session.toml` and of the configuration: `python -m docs.manifest_page`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from data_schemas.session import (
    STREAM_KINDS,
    Clock,
    Consent,
    Cue,
    EvidenceEntry,
    Manifest,
    Person,
    Region,
    ScreenEntry,
    SeatEntry,
    StreamEntry,
)
from modalities.body.observation import BodySettings
from modalities.face.encoder import SETTINGS as FACE_SETTINGS
from pipeline.config import Config

FILE = Path(__file__).with_name("manifest.md")

TABLES: dict[type[BaseModel], str] = {
    Manifest: "(top of the file)",
    Consent: "[consent]",
    Person: "[[people]]",
    Clock: "[clocks.NAME]",
    StreamEntry: "[[streams]]",
    Region: "region of a stream",
    ScreenEntry: "screen of a stream",
    SeatEntry: "[[streams.seats]]",
    EvidenceEntry: "[[evidence]]",
    Cue: "[[cues]]",
}
"""Every model of the manifest and where it stands in the file."""

MEANINGS: dict[str, str] = {
    "Manifest.schema_version": "version of this format",
    "Manifest.name": "name of the session",
    "Manifest.consent": "what was agreed to, see below",
    "Manifest.people": "who was recorded, at least one",
    "Manifest.clocks": "how each device's clock relates to the session clock, by the names that streams use",
    "Manifest.streams": "what was recorded, at least one",
    "Manifest.cues": "context that stands in no file",
    "Manifest.labels": 'anything that is to be looked up, trained on or compared later, e.g. `condition = "lie"`',
    "Consent.scope": "without `analyse` nothing is analysed; `share` and `train` for what goes further",
    "Person.id": "name of the person in all results; no real name",
    "Person.role": "your own word, e.g. `interviewer`",
    "Person.sex": "your own word",
    "Person.age_group": "your own word",
    "Person.culture": "your own word",
    "Clock.tolerance_ms": "the alignment fails where its RMS residual is above this",
    "EvidenceEntry.own": "one stream",
    "EvidenceEntry.against": "a stream on another clock",
    "EvidenceEntry.by": "what both recorded",
    "Region.x": "left edge, pixels",
    "Region.y": "upper edge, pixels",
    "Region.width": "pixels",
    "Region.height": "pixels",
    "SeatEntry.person": "who it was",
    "StreamEntry.name": "name of the stream, yours to choose",
    "StreamEntry.kind": "what it is, see the kinds below",
    "StreamEntry.time_column": "column of a table that holds the times",
    "StreamEntry.time_unit": "unit of that column",
    "StreamEntry.region": "the part of the picture to look at",
    "StreamEntry.depth_scale_m": "metres per unit of a depth picture",
    "StreamEntry.person": "whom it records; not needed where the session has one person",
    "StreamEntry.clock": "name of a clock under `[clocks]`; `session` is the session clock",
    "Cue.onset_s": "session time, seconds",
    "Cue.offset_s": "session time, seconds; left out for a moment",
    "Cue.label": "the question, the stimulus",
    "Cue.person": "whom it concerns; left out for everybody",
    "Cue.columns": "further columns of your own",
    "Config.grid_hz": "rows per second of the timeline",
    "Config.strict": "stop at the first error instead of keeping the other channels",
    "Config.faces": "whether reports may show pictures of faces",
    "Config.device": "where the torch parts run",
    "Config.encoders": "encoder of each channel: a name, or `module:Class` of your own",
    "Config.settings": "settings of each channel's encoder, see below",
    "Config.fusion_weights": "your own fusion weights (.safetensors)",
    "Config.cit_prior": "probability, before a concealed information test, that its examinee responds to the "
    "concealed item",
}
"""What a key means where its model does not say so itself."""

CHANNELS: dict[str, dict[str, str]] = {
    "face": {
        "spotter": "who finds expressions, see [spotting](spotting.md)",
        "detector": "`mediapipe`, or `module:Class` of your own detector of faces",
        "landmarks": "`mediapipe`, or the path of a Face Landmarker bundle (.task)",
        "registration": "how pictures are aligned",
        "flow": "method of optical flow; the weights of spotters are those for `dis`",
        "recogniser": "`default`, `none`, or the path of weights (.safetensors) of `telltale me train`",
    },
    "body": {
        "pose_hz": "poses looked for per second",
        "hands_hz": "looks at the fingers per second; 0 for none",
        "max_side_px": "longer sides of pictures are reduced to this",
        "gesture_model": "weights of `telltale gestures train`",
    },
}
"""Settings of the encoders that know a fixed list of them."""

_TEXT = """# Manifest and configuration

Every key of `session.toml`, and every setting of `telltale analyze --config FILE`. `telltale init DIR` writes a
commented manifest from what it finds in a folder; `telltale check DIR` says what is wrong with one. An unknown key is
an error.
This page is made from the models that check the files.

A name has letters, digits, `_`, `.` and `-`, and at most 64 characters. Times are seconds on the session clock.

```toml
name = "p01"

[consent]
scope = ["analyse"]
date = 2026-01-31

[[people]]
id = "p01"

[clocks.camera]
align = "sound"
own = "camera_sound"
against = "microphone"

[[streams]]
name = "face"
kind = "face_rgb"
file = "camera.mp4"
clock = "camera"

[[streams]]
name = "camera_sound"
kind = "sync_audio"
file = "camera.mp4"
clock = "camera"

[[streams]]
name = "microphone"
kind = "audio"
file = "interview.wav"
```

{tables}
## Kinds of streams

| kind | what it is |
|---|---|
{kinds}

## Configuration

A TOML file for `telltale analyze --config FILE`; an option that is given to the command overrides it.

{config}
### Settings of the channels

They stand in a table of the channel:

```toml
[settings.body]
pose_hz = 15
```

| channel | key | default | what it is |
|---|---|---|---|
{settings}
| `voice` | `channel` | mean of all | channel of a sound file with several, counted from 0 |
| `voice` | `egemaps` | | true: add the descriptors of eGeMAPS; `"opensmile"`: as openSMILE computes them |
| `voice` | `embedding` | | your own speech model: TorchScript, or weights (safetensors) |
| `voice` | `embedding_architecture` | | factory in torchaudio.models that the weights belong to |
| `voice` | `questions_s` | of the cues | ends of the questions, a list of seconds |
| `context` | `presence_s` | 1 | how long a moment's cue counts as present, seconds |
"""


def page() -> str:
    """The whole page.

    Raises:
        KeyError: a key or setting has no meaning here.
    """
    tables = "\n".join(f"## `{place}`\n\n{_about(model)}{table(model)}" for model, place in TABLES.items())
    kinds = "\n".join(f"| `{kind}` | {what} |" for kind, what in STREAM_KINDS.items())
    return _TEXT.format(tables=tables, kinds=kinds, config=table(Config), settings=_settings())


def table(model: type[BaseModel]) -> str:
    """One row per key of a model."""
    rows = [_row(model, name, field) for name, field in model.model_fields.items()]
    return "\n".join(["| key | value | default | what it is |", "|---|---|---|---|", *rows]) + "\n"


def _about(model: type[BaseModel]) -> str:
    return f"{' '.join((model.__doc__ or '').split())}\n\n" if model is not Manifest else ""


def _row(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    meaning = field.description or MEANINGS[f"{model.__name__}.{name}"]
    bounds = " and ".join(
        f"{sign} {getattr(one, word):g}"
        for one in field.metadata
        for word, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
        if hasattr(one, word)
    )
    named = any(getattr(one, "pattern", None) for one in field.metadata)
    value = ("name" if named else _value(field.annotation)) + (f", {bounds}" if bounds else "")
    return f"| `{name}` | {value} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or value in ((), [], {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key} = `{one}`" for key, one in value.items())
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


_WORDS: dict[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "true or false", dt.date: "date, YYYY-MM-DD", Path: "path",
    Any: "any value",
}  # fmt: skip


def _value(annotation: Any) -> str:
    """The type of a key in words of TOML."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"table, see `{TABLES[annotation]}`"
    if origin is Annotated:
        return "name"
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inside)
    if origin in (Union, UnionType):
        return " or ".join(_value(one) for one in inside if one is not NoneType)
    if origin is list or (origin is tuple and inside[-1] is Ellipsis):
        return f"list of {_several(_value(inside[0]))}"
    if origin is tuple:
        return f"[{', '.join(map(_value, inside))}]"
    if origin is dict:
        return f"table of {_several(_value(inside[1]))}"
    raise KeyError(f"no words for {annotation}")


def _several(words: str) -> str:
    """Type words in the plural: "names", "tables, see ..."."""
    first, comma, rest = words.partition(",")
    kind, of, what = first.partition(" of ")
    several = f"{kind}s" if kind in ("name", "table", "number") else kind
    return f"{several}{of}{what}{comma}{rest}"


def _settings() -> str:
    body = {name: field.default for name, field in BodySettings.__dataclass_fields__.items()}
    known = {"face": FACE_SETTINGS, "body": body}
    return "\n".join(
        f"| `{channel}` | `{name}` | {'' if default is None else f'`{default}`'} | {CHANNELS[channel][name]} |"
        for channel, settings in known.items()
        for name, default in settings.items()
    )


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
