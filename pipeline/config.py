"""Settings of a run: grid, strictness, models. Everything has a default; a TOML file or keywords override it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data_schemas.errors import ManifestError, MissingFileError
from pipeline.complaints import explain


class Config(BaseModel):
    """Settings of `Analyzer`.

    Attributes:
        grid_hz: Rows per second of the timeline.
        strict: Stop at the first error instead of keeping the other channels.
        faces: Whether reports may show pictures of faces.
        device: Where the torch parts run.
        encoders: Channel -> name in the registry or "module:Class" of the user's own encoder.
        settings: Channel -> settings of its encoder.
        fusion_weights: A user's own fusion weights (safetensors); the shipped ones by default.
        cit_prior: Probability, before a concealed information test, that its examinee responds to the concealed item;
            that of `fusion.cit` by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    grid_hz: float = Field(25.0, gt=0, le=1000)
    strict: bool = False
    faces: bool = True
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    encoders: dict[str, str] = Field(
        default_factory=lambda: {name: name for name in ("face", "voice", "body", "physiology", "context")}
    )
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    fusion_weights: Path | None = None
    cit_prior: float | None = Field(None, gt=0, lt=1)


def load_config(source: str | Path | Mapping[str, Any] | None = None, **overrides: Any) -> Config:
    """Settings from a TOML file or a mapping, with keywords on top.

    Args:
        source: Path of a TOML file, a mapping, or None for the defaults.
        **overrides: Single settings, e.g. `grid_hz=50`.

    Raises:
        MissingFileError: the file does not exist.
        ManifestError: it is no TOML, or a setting is unknown or out of range; the message names it.
    """
    values: dict[str, Any] = {}
    text = ""
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise MissingFileError("no such configuration file", file=path)
        text = path.read_text(encoding="utf-8")
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ManifestError("the configuration is no valid TOML", file=path, got=str(error)) from error
    elif source is not None:
        values = dict(source)
    try:
        return Config.model_validate({**values, **overrides})
    except ValidationError as error:
        where = source if isinstance(source, str | Path) else None
        raise ManifestError(explain(error, Config, text), file=where) from error
