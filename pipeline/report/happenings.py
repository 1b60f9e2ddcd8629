"""The events of a page, each with what speaks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import EVENT_KINDS, Event
from data_schemas.time import to_s
from pipeline.coding.identity import identify
from pipeline.timeline import rows_of

if TYPE_CHECKING:
    import pyarrow as pa

MOST_FEATURES = 8
_LEAST_Z = 1.0
_LEAST_VALID = 0.25
_DESCRIPTIVE = ("face.yaw", "face.pitch", "face.roll", "face.face_size", "face.brightness", "face.sharpness",
                "face.confidence", "voice.mfcc", "voice.mel", "context.")  # fmt: skip


def happenings(events: Sequence[Event]) -> list[dict[str, Any]]:
    """All events in order, JSON-serialisable, each under the name that coders' layers know it by."""
    return [as_item(name, event) for name, event in identify(events).items()]


def as_item(name: str, event: Event) -> dict[str, Any]:
    """One event as the page knows it; times in seconds.

    Args:
        name: Its identity, see `pipeline.coding.identity`.
        event: What and when.
    """
    return {
        "id": name,
        "person": event.person,
        "channel": event.channel,
        "kind": event.kind,
        "on": to_s(event.onset_ns),
        "apex": None if event.apex_ns is None else to_s(event.apex_ns),
        "off": to_s(event.offset_ns),
        "score": None if event.score is None else float(event.score),
        "label": event.label,
        "details": dict(event.details),
    }


def meanings(events: Sequence[Event]) -> dict[str, str]:
    """What each kind of event means, for kinds that occur and for those a coder may add."""
    return EVENT_KINDS | {event.kind: "" for event in events if event.kind not in EVENT_KINDS}


def add_evidence(items: Sequence[dict[str, Any]], timeline: pa.Table) -> None:
    """Tell each incongruence what was fused then, and which features were unlike the person.

    Adds `evidence`: {"fused": {feature: mean}, "unlike": [{"column", "z", "value", "unit", "what"}]}; z is the mean
    robust z of the feature against the person's own baseline within the event.

    Args:
        items: Of `happenings`.
        timeline: The table of `timeline.parquet`.
    """
    wanted = [item for item in items if item["kind"] == "incongruence"]
    people = {item["person"] for item in wanted}
    for person in people:
        rows = rows_of(timeline, person)
        if not rows.num_rows:
            continue
        seconds = to_s(rows["t_ns"].to_numpy())
        own = [item for item in wanted if item["person"] == person]
        inside = [slice(*np.searchsorted(seconds, [item["on"], item["off"]]).tolist()) for item in own]
        fused, unlike = _fused(rows, inside), _unlike(rows, inside)
        for item, shares, features in zip(own, fused, unlike, strict=True):
            item["evidence"] = {"fused": shares, "unlike": features}


def _means(rows: pa.Table, name: str, inside: Sequence[slice]) -> list[float | None]:
    """Mean of a column within each stretch; the column is held as numbers no longer than this takes."""
    values = rows[name].to_numpy(zero_copy_only=False).astype(np.float64)
    return [_mean(values[one]) for one in inside]


def _fused(rows: pa.Table, inside: Sequence[slice]) -> list[dict[str, float]]:
    """Means of the fused features within each stretch."""
    found: list[dict[str, float]] = [{} for _ in inside]
    for name in rows.column_names:
        if name.startswith("fused.") and name.rsplit(".")[-1] not in ("valid", "reason", "cannot_say"):
            for one, value in zip(found, _means(rows, name, inside), strict=True):
                if value is not None:
                    one[name.removeprefix("fused.")] = round(value, 4)
    return found


def _unlike(rows: pa.Table, inside: Sequence[slice]) -> list[list[dict[str, Any]]]:
    """The features that were furthest from the person's own baseline within each stretch."""
    found: list[list[dict[str, Any]]] = [[] for _ in inside]
    for name in rows.column_names:
        base = name.removesuffix("_z")
        if name == base or base not in rows.column_names or base.startswith(_DESCRIPTIVE):
            continue
        about: Mapping[bytes, bytes] = rows.schema.field(base).metadata or {}
        both = zip(_means(rows, name, inside), _means(rows, base, inside), strict=True)
        for one, (z, value) in zip(found, both, strict=True):
            if z is None or abs(z) < _LEAST_Z:
                continue
            one.append(
                {
                    "column": base,
                    "z": round(z, 2),
                    "value": None if value is None else float(f"{value:.4g}"),
                    "unit": about.get(b"unit", b"1").decode(),
                    "what": about.get(b"description", b"").decode(),
                }
            )
    return [sorted(one, key=lambda feature: -abs(feature["z"]))[:MOST_FEATURES] for one in found]


def _mean(values: NDArray[np.float64]) -> float | None:
    """Mean of what is there; None where most is missing."""
    there = np.isfinite(values)
    if not there.any() or there.mean() < _LEAST_VALID:
        return None
    return float(values[there].mean())
