"""Trained networks on disk (`NAME.safetensors` beside `NAME.json`), and what they say of the gestures of a video."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from data_schemas.errors import MissingFileError, UnreadableFileError
from data_schemas.event import Event
from data_schemas.gesture_schemes import SCHEMES
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from data_schemas.weights import require_usable
from data_schemas.whole_file import write_whole
from modalities.body.gestures.layouts import of_skeleton
from modalities.body.gestures.recogniser import KIND
from modalities.body.gestures.training import Trained
from modalities.body.skeleton import Skeleton

FORM = "telltale gestures 1"
MARGIN = 0.15
"""Share of an interval's length that is looked at before and after it."""
LEAST_SCORE = 0.5
"""Least probability of an event."""
NOTHING = ("none", "background", "no gesture", "non-micro-gesture", "rest")
"""Names of classes that mean that there is no gesture."""


def save_gestures(trained: Trained, path: Path) -> None:
    """Write `path` (ending in .safetensors) and the .json beside it; neither is left half-written.

    Raises:
        OSError: the folder cannot be written.
    """
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "form": FORM,
        "classes": list(trained.classes),
        "frames": trained.frames,
        "temperature": trained.temperature,
        "figures": trained.figures,
        "plan": trained.plan,
        "trained_on": trained.trained_on,
    }
    weights = save({name: tensor.contiguous() for name, tensor in trained.network.state_dict().items()})
    for target, content in ((path, weights), (path.with_suffix(".json"), json.dumps(record, indent=1).encode())):
        write_whole(target, content, mode=0o644)


@lru_cache(maxsize=2)
def load_gestures(path: Path) -> Trained:
    """Read a trained network.

    Raises:
        MissingFileError: the weights, or the .json beside them, do not exist.
        UnreadableFileError: they are not those of a gesture network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from modalities.body.gestures.network import GestureNet

    beside = path.with_suffix(".json")
    for file in (path, beside):
        if not file.is_file():
            raise MissingFileError("no such gesture model", file=file, mend="Train one: telltale gestures train.")
    require_usable(path)
    try:
        record = json.loads(beside.read_text(encoding="utf-8"))
        if record.get("form") != FORM:
            raise UnreadableFileError("not a gesture model", file=beside, got=record.get("form"), expected=FORM)
        network = GestureNet(len(record["classes"]))
        network.load_state_dict(load_file(path))
        trained = Trained(
            network.eval(), tuple(record["classes"]), int(record["frames"]), float(record["temperature"]),
            record.get("figures", {}), record.get("plan", {}), record.get("trained_on", {}),
        )  # fmt: skip
    except (SafetensorError, RuntimeError, KeyError, ValueError, AttributeError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(f"not a gesture model: {error}", file=path) from error
    return trained


def name_gestures(
    skeleton: Skeleton, spans: Sequence[Interval], trained: Trained, person: str, least: float = LEAST_SCORE
) -> tuple[Event, ...]:
    """Name the gestures of these intervals.

    Args:
        skeleton: Joints as observed.
        spans: Where gestures are (`gestures.spotting`).
        trained: The network.
        person: Whom it concerns.
        least: Least probability of an event, 0..1.

    Returns:
        Events of kind `micro_gesture`; the score is the probability of the label.
    """
    joints = of_skeleton(skeleton)
    clips, kept = [], []
    for span in spans:
        margin = to_ns(MARGIN * span.duration_ns * 1e-9)
        first, last = np.searchsorted(skeleton.times_ns, (span.start_ns - margin, span.end_ns + margin))
        if (joints[first:last, :, 2] > 0).any(axis=1).sum() >= 3:
            clips.append(joints[first:last])
            kept.append(span)
    chances = trained.classify(clips)
    events = []
    for span, row in zip(kept, chances, strict=True):
        best = int(np.argmax(row))
        label = trained.classes[best]
        if row[best] < least or label.lower() in NOTHING:
            continue
        details = {"by": "network", "second": _second(row, trained.classes), **_scheme_of(label)}
        events.append(
            Event("body", KIND, span.start_ns, span.end_ns, None, person, round(float(row[best]), 4), label, details)
        )
    return tuple(events)


def _second(row: np.ndarray, classes: tuple[str, ...]) -> str:
    return classes[int(np.argsort(row)[-2])] if len(classes) > 1 else ""


def _scheme_of(label: str) -> dict[str, str]:
    return {name: label for name, scheme in SCHEMES.items() if label in scheme.names}
