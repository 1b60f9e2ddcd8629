"""Weights of the reference spotters that learn: small tables of numbers, each with a card beside it.

They are trained on simulated faces alone, by `python -m pipeline.simulate.spotter_models`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import MissingFileError, UnreadableFileError
from data_schemas.weights import require_usable

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True, eq=False)
class Learned:
    """What one spotter learned.

    Attributes:
        tables: Arrays by name, float32.
        card: How it was trained, on how many faces, what it found on others.
    """

    tables: Mapping[str, NDArray[np.float32]]
    card: Mapping[str, Any]


@lru_cache(maxsize=16)
def load_learned(name: str, folder: Path = WEIGHTS) -> Learned:
    """What the spotter of this name learned.

    Args:
        name: Of the spotter.
        folder: Holds `name`.safetensors and `name`.json.

    Raises:
        MissingFileError: one of them is not there.
        UnreadableFileError: they are not such files.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / f"{name}.safetensors"
    for file in (path, path.with_suffix(".json")):
        if not file.is_file():
            raise MissingFileError(
                f"the weights of the spotter '{name}' are not there",
                file=file,
                mend="Rebuild them: python -m pipeline.simulate.spotter_models",
            )
    require_usable(path)
    try:
        return Learned(load_file(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
    except (SafetensorError, ValueError) as error:
        raise UnreadableFileError("not the weights of a spotter", file=path, got=str(error)) from error


def save_learned(name: str, learned: Learned, folder: Path = WEIGHTS) -> None:
    """Write weights and card."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tables = {key: np.ascontiguousarray(value, np.float32) for key, value in learned.tables.items()}
    save_file(tables, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(dict(learned.card), indent=1) + "\n", encoding="utf-8")


def part_of(learned: Learned, prefix: str) -> dict[str, NDArray[np.float32]]:
    """The tables whose name begins so, named by what follows."""
    return {key.removeprefix(prefix): value for key, value in learned.tables.items() if key.startswith(prefix)}
