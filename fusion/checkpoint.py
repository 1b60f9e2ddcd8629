"""Weights on disk: `NAME.safetensors` beside `NAME.json` (what they expect and decide) and `NAME.md` (model card)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.emotion import CHANNELS, EMOTIONS
from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.weights import require_usable
from fusion.calibration import Decisions, Temperature
from fusion.ensemble import build_several, members_of
from fusion.transformer import Shape
from fusion.vocabulary import TABLES

if TYPE_CHECKING:
    from torch import nn

DEFAULT = Path(__file__).resolve().parent / "weights" / "default.safetensors"
"""The shipped weights, trained on simulated sessions alone."""
FORMAT = 1
OF_A_LABEL = "label."
"""How the tensors of a lab's own head begin (`fusion.label_model`); the fused statements do not read them."""
_REBUILD = "Rebuild the shipped weights with `python -m pipeline.simulate.default_model -o fusion/weights`."


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and all that is needed to use it.

    Attributes:
        network: In evaluation mode, on the CPU; one, or an ensemble (`fusion.ensemble`).
        shape: Its size.
        decisions: Temperature and thresholds.
        name: For provenance.
        training: Seeds, amounts, assumptions; JSON-serialisable.
        figures: Measured on held-out sessions; JSON-serialisable.
    """

    network: nn.Module
    shape: Shape
    decisions: Decisions
    name: str = "default"
    training: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


def vocabulary_record() -> dict[str, Any]:
    """The columns that a network reads and the emotions it tells apart."""
    return {"emotions": list(EMOTIONS), "columns": {channel: list(TABLES[channel].columns) for channel in CHANNELS}}


def _decisions(record: Mapping[str, Any]) -> Decisions:
    return Decisions(**{**record, "temperature": Temperature(**record["temperature"])})


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write `path` (ending in .safetensors) and the .json beside it.

    Raises:
        OSError: the folder cannot be written.
    """
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.network.state_dict().items()}
    path.write_bytes(save(state, metadata={"format": str(FORMAT), "name": checkpoint.name}))
    record = {
        "format": FORMAT,
        "name": checkpoint.name,
        "shape": asdict(checkpoint.shape),
        "members": len(members_of(checkpoint.network)),
        "decisions": asdict(checkpoint.decisions),
        "vocabulary": vocabulary_record(),
        "training": dict(checkpoint.training),
        "figures": dict(checkpoint.figures),
    }
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def load_checkpoint(path: Path | None = None) -> Checkpoint:
    """Read weights and the record beside them.

    Args:
        path: A .safetensors file; the shipped one by default.

    Raises:
        MissingFileError: the weights or their .json are not there.
        UnreadableFileError: one of them is not what it claims to be.
        InvalidValueError: they were trained for other columns than this version reads.
        ConsentError: they were trained with somebody who has withdrawn.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights = DEFAULT if path is None else Path(path)
    beside = weights.with_suffix(".json")
    mend = _REBUILD if path is None else "Give the .safetensors file of a fusion model, with its .json beside it."
    for file in (weights, beside):
        if not file.is_file():
            raise MissingFileError("no such fusion weights", file=file, mend=mend)
    require_usable(weights)
    try:
        record = json.loads(beside.read_text(encoding="utf-8"))
        shape, decisions = Shape(**record["shape"]), _decisions(record["decisions"])
        known, members = record["vocabulary"], int(record.get("members", 1))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            "the record beside the fusion weights is not one",
            file=beside,
            got=f"{type(error).__name__}: {error}",
            mend=mend,
        ) from error
    if record.get("format") != FORMAT or known != vocabulary_record():
        raise InvalidValueError(
            "the fusion weights were trained for other columns than this version reads", file=weights, mend=_REBUILD
        )
    network = build_several(shape, members)
    try:
        tensors = load_file(str(weights))
        network.load_state_dict({name: one for name, one in tensors.items() if not name.startswith(OF_A_LABEL)})
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UnreadableFileError(
            "these are not the fusion weights they claim to be", file=weights, got=reason, mend=mend
        ) from error
    network.eval()
    return Checkpoint(
        network, shape, decisions, str(record.get("name", weights.stem)), record["training"], record["figures"]
    )
