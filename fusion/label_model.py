"""A lab's model on disk: the fusion weights that it was trained on, and the head of its label, in one file.

`MODEL.safetensors` holds the fusion network's weights under their own names and the head's under `label.`; `MODEL.json`
is the record of fusion weights (`fusion.checkpoint`) with a part `label` and, at its top, `trained_on`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.emotion import FUSED_COLUMNS
from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.time import to_ns
from data_schemas.weights import require_usable
from fusion.checkpoint import Checkpoint, save_checkpoint, vocabulary_record
from fusion.ensemble import build_several
from fusion.label_head import LabelHead
from fusion.label_steps import block_widths
from fusion.transformer import Shape

if TYPE_CHECKING:
    from torch import nn

PREFIX = "label."
LABEL_FORMAT = 1
_ARRAYS = ("middle", "scale", "weights", "offsets", "prior")
_MEND = "Give the .safetensors file that `telltale train` wrote, with its .json beside it."


@dataclass(frozen=True)
class LabelSpec:
    """What the label is and when something can be said of it.

    Attributes:
        name: Of the column.
        classes: The lab's words, in order.
        positive: Index of the class whose probability is the column; None for more than two classes.
        length_s: Length of the stretch around each moment that is judged: the median labelled one.
        cannot_say_above: Uncertainty from which the likeliest class is wrong more often than right.
        usable: False where cross-validation did not tell the label from chance; then nothing is said.
    """

    name: str
    classes: tuple[str, ...]
    positive: int | None
    length_s: float
    cannot_say_above: float = 1.0
    usable: bool = True

    def __post_init__(self) -> None:
        taken = {feature.name for feature in FUSED_COLUMNS} | {"valid", "reason", "person"}
        starts = ("felt_", "shown_", "share_", "concealed", "cit_", "uncertainty", "cannot_say")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", self.name) or self.name in taken or self.name.startswith(starts):
            raise InvalidValueError(
                "this name cannot be that of a label's column", got=self.name,
                expected="lower-case letters, digits and _, and none of the names of felt, shown, concealed or cit",
            )  # fmt: skip
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes) or self.length_s <= 0:
            raise InvalidValueError("a label needs two or more different classes and a length", got=self)
        if (self.positive is None) == (len(self.classes) == 2):
            raise InvalidValueError("a label of two classes has a positive one, any other has none", got=self)

    @property
    def length_ns(self) -> int:
        """`length_s` in nanoseconds."""
        return to_ns(self.length_s)


@dataclass(frozen=True)
class LabelModel:
    """Fusion weights and a label's head that reads their states.

    Attributes:
        network: The transformer, in evaluation mode, on the CPU.
        shape: Its size.
        head: Linear members.
        spec: What the label is.
        record: The whole JSON.
    """

    network: nn.Module
    shape: Shape
    head: LabelHead
    spec: LabelSpec
    record: Mapping[str, Any] = field(default_factory=dict)


def save_label_model(
    base: Checkpoint, head: LabelHead, spec: LabelSpec, about: Mapping[str, Any], path: Path
) -> dict[str, Any]:
    """Write `path` (ending in .safetensors) and the .json beside it, each whole or not at all, the weights last.

    Args:
        base: The fusion weights that the head reads the states of.
        head: Trained on them.
        spec: What the label is.
        about: What else the JSON says: `trained_on` at its top, all else under `label`; JSON-serialisable.
        path: Of the weights.

    Returns:
        The record that was written.

    Raises:
        OSError: the folder cannot be written.
    """
    import torch
    from safetensors.torch import load_file, save

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as scratch:
        draft = Path(scratch) / path.name
        save_checkpoint(base, draft)
        record = json.loads(draft.with_suffix(".json").read_text(encoding="utf-8"))
        state = load_file(str(draft))
        parts = {f"{PREFIX}{name}": np.ascontiguousarray(getattr(head, name)) for name in _ARRAYS}
        state |= {name: torch.from_numpy(values) for name, values in parts.items()}
        rest = {key: value for key, value in about.items() if key != "trained_on"}
        record["label"] = {
            "format": LABEL_FORMAT, "name": spec.name, "classes": list(spec.classes), "positive": spec.positive,
            "length_s": spec.length_s, "cannot_say_above": spec.cannot_say_above, "usable": spec.usable,
            "blocks": list(head.blocks), "temperature": head.temperature, **rest,
        }  # fmt: skip
        record["trained_on"] = about.get("trained_on", {})
        draft.write_bytes(
            save(state, metadata={"format": str(record["format"]), "name": base.name, "label": spec.name})
        )
        draft.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        for one in (draft.with_suffix(".json"), draft):
            os.chmod(one, 0o600)
            shutil.move(one, path.parent / one.name)
    return dict(record)


def label_of(weights: Path | None) -> str | None:
    """Name of the label that fusion weights carry a head for; None where they carry none, or are not there."""
    if weights is None:
        return None
    try:
        record = json.loads(Path(weights).with_suffix(".json").read_text(encoding="utf-8"))
        return str(record["label"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fusion_state(weights: Path) -> dict[str, Any]:
    """The tensors of the fusion network alone, without those of a label's head.

    Raises:
        UnreadableFileError: it is no safetensors file.
    """
    return {name: one for name, one in _tensors(weights).items() if not name.startswith(PREFIX)}


def load_label_model(weights: Path) -> LabelModel:
    """Read a lab's model.

    Raises:
        MissingFileError: the weights or their .json are not there.
        UnreadableFileError: one of them is not what it claims to be.
        InvalidValueError: they carry no label's head, or were trained for other columns than this version reads.
    """
    beside = weights.with_suffix(".json")
    for file in (weights, beside):
        if not file.is_file():
            raise MissingFileError("no such weights of a lab", file=file, mend=_MEND)
    try:
        record = json.loads(beside.read_text(encoding="utf-8"))
        known, shape, about = record["vocabulary"], Shape(**record["shape"]), record.get("label")
        members = int(record.get("members", 1))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            "the record beside the weights is not one", file=beside, got=f"{type(error).__name__}: {error}", mend=_MEND
        ) from error
    if about is None:
        raise InvalidValueError("these fusion weights carry no lab's label", file=weights, mend=_MEND)
    if known != vocabulary_record() or about.get("format") != LABEL_FORMAT:
        raise InvalidValueError(
            "the lab's weights were trained for other columns than this version reads", file=weights,
            mend="Train them again with `telltale train`.",
        )  # fmt: skip
    tensors = _tensors(weights)
    network = build_several(shape, members)
    try:
        network.load_state_dict({name: one for name, one in tensors.items() if not name.startswith(PREFIX)})
        arrays = {name: tensors[PREFIX + name].numpy() for name in _ARRAYS}
        head = LabelHead(tuple(about["blocks"]), temperature=float(about["temperature"]), **arrays)
        spec = LabelSpec(
            about["name"], tuple(about["classes"]), about["positive"], float(about["length_s"]),
            float(about["cannot_say_above"]), bool(about["usable"]),
        )  # fmt: skip
        wide = sum(block_widths(shape.width)[name] for name in head.blocks)
    except (RuntimeError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UnreadableFileError(
            "these are not the weights they claim to be", file=weights, got=reason, mend=_MEND
        ) from error
    if wide != len(head.middle) or len(spec.classes) != len(head.prior):
        raise UnreadableFileError("the label's head does not fit its record", file=weights, mend=_MEND)
    return LabelModel(network.eval(), shape, head, spec, record)


def _tensors(weights: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    require_usable(weights)
    try:
        return dict(load_file(str(weights)))
    except SafetensorError as error:
        reason = str(error).splitlines()[0]
        raise UnreadableFileError("this is no safetensors file", file=weights, got=reason, mend=_MEND) from error
