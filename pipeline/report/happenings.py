"""The events of a page, each with what speaks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import EVENT_KINDS, Event
from data_schemas.time import to_s
from pipeline.coding.identity import identify

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
    import pyarrow.compute as pc

    wanted = [item for item in items if item["kind"] == "incongruence"]
    people = {item["person"] for item in wanted}
    for person in people:
        rows = timeline.filter(pc.equal(timeline["person"].cast("string"), person))
        if not rows.num_rows:
            continue
        seconds = to_s(rows["t_ns"].to_numpy())
        columns = _Columns(rows)
        for item in wanted:
            if item["person"] == person:
                inside = slice(*np.searchsorted(seconds, [item["on"], item["off"]]).tolist())
                item["evidence"] = {"fused": columns.fused(inside), "unlike": columns.unlike(inside)}


class _Columns:
    """Columns of one person as arrays, each converted once."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows
        self._known: dict[str, NDArray[np.float64]] = {}

    def _of(self, name: str) -> NDArray[np.float64]:
        if name not in self._known:
            self._known[name] = self._rows[name].to_numpy(zero_copy_only=False).astype(np.float64)
        return self._known[name]

    def fused(self, inside: slice) -> dict[str, float]:
        """Means of the fused features."""
        found = {}
        for name in self._rows.column_names:
            if name.startswith("fused.") and name.rsplit(".")[-1] not in ("valid", "reason", "cannot_say"):
                value = _mean(self._of(name)[inside])
                if value is not None:
                    found[name.removeprefix("fused.")] = round(value, 4)
        return found

    def unlike(self, inside: slice) -> list[dict[str, Any]]:
        """The features that were furthest from the person's own baseline."""
        found = []
        for name in self._rows.column_names:
            base = name.removesuffix("_z")
            if name == base or base not in self._rows.column_names or base.startswith(_DESCRIPTIVE):
                continue
            z = _mean(self._of(name)[inside])
            if z is None or abs(z) < _LEAST_Z:
                continue
            about: Mapping[bytes, bytes] = self._rows.schema.field(base).metadata or {}
            value = _mean(self._of(base)[inside])
            found.append(
                {
                    "column": base,
                    "z": round(z, 2),
                    "value": None if value is None else float(f"{value:.4g}"),
                    "unit": about.get(b"unit", b"1").decode(),
                    "what": about.get(b"description", b"").decode(),
                }
            )
        return sorted(found, key=lambda one: -abs(one["z"]))[:MOST_FEATURES]


def _mean(values: NDArray[np.float64]) -> float | None:
    """Mean of what is there; None where most is missing."""
    there = np.isfinite(values)
    if not there.any() or there.mean() < _LEAST_VALID:
        return None
    return float(values[there].mean())
