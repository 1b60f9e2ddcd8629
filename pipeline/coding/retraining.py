"""A retraining set: what coders made of the machine's events, as truth to train and to test with.

It is the format `retraining` of `telltale export`. People must have agreed to it: without consent to train in the
manifest nothing is written.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_schemas.errors import InvalidValueError, NothingUsableError
from data_schemas.event import Event
from data_schemas.time import Int64Array, to_s
from pipeline.coding.layers import Coded, Layer, coders_of
from pipeline.export.content import Content
from pipeline.export.megc import EXPRESSIONS, face_video, frame_times, frames_of, video_name

COLUMNS = (
    "session", "person", "channel", "kind", "verdict", "onset_s", "apex_s", "offset_s", "label", "machine_kind",
    "machine_onset_s", "machine_offset_s", "machine_label", "machine_score", "coder", "coded_at", "comments",
)  # fmt: skip
TRUTH = ("video", "kind", "onset", "apex", "offset", "label")


class RetrainingSet:
    """A folder: `examples.csv` with every judged event, `truth.csv` in frames, `about.json`.

    `truth.csv` is what `telltale evaluate spotting --truth` and the trainers of spotters read. The verdicts are
    confirmed, changed, added and rejected; events that nobody has looked at are not in it.
    """

    suffix = ""
    options: Mapping[str, str] = {"coder": "whose layer (needed where several have coded and --coder was not given)"}

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent

        if content.session is None:
            raise InvalidValueError(
                "whether the people agreed to training stands in the session's manifest, which was not found",
                file=content.folder,
                mend="Name the session folder with --session.",
            )
        require_consent(load_manifest(content.session), "train", content.session / MANIFEST_NAME)
        layer = Layer.existing(content.folder, _coder(content, options))
        machine = _machine(content)
        scopes = layer.scopes()
        judged = [one for one in layer.coded(machine) if one.verdict != "unseen"]
        rejected = layer.rejected(machine)
        if not judged and not rejected:
            raise NothingUsableError(f"'{layer.coder}' has judged no event", file=content.folder)
        times = {one.event: one.time for one in layer.alive()}
        said = sorted({one.time for one in layer.alive()})
        rows = [_row(content, layer, one, times.get(one.identity, said[0] if said else "")) for one in judged]
        rows += [_rejected(content, layer, event, said[-1] if said else "") for event in rejected]
        target.mkdir()
        _table(target / "examples.csv", COLUMNS, sorted(rows, key=lambda row: (row["onset_s"] or 0.0, row["kind"])))
        faces = [one.event for one in judged if one.event.kind in EXPRESSIONS]
        _table(target / "truth.csv", TRUTH, _truth(content, faces))
        about = {
            **content.about(),
            "coder": layer.coder,
            "scopes": sorted([list(scope) for scope in scopes], key=str),
            "verdicts": {
                word: sum(row["verdict"] == word for row in rows) for word in sorted({r["verdict"] for r in rows})
            },
            "consent": "train",
            "edits": len(layer.edits),
        }
        (target / "about.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return []


def _coder(content: Content, options: Mapping[str, str]) -> str:
    known = coders_of(content.folder)
    named = options.get("coder") or content.coder
    if named is None and len(known) != 1:
        raise InvalidValueError(
            "whose layer? " + ("nobody has coded yet" if not known else "several have coded"),
            expected=", ".join(known) or "an import with telltale import",
            mend="Say --coder NAME.",
        )
    return named or known[0]


def _machine(content: Content) -> tuple[Event, ...]:
    """The machine's own events, also where the content holds a coder's."""
    import pyarrow.parquet as pq

    from pipeline.export.content import as_events

    if content.deidentified:
        raise InvalidValueError("a retraining set is tied to its recordings", mend="Leave out --deidentify.")
    return as_events(pq.read_table(content.folder / "events.parquet").to_pylist())


def _row(content: Content, layer: Layer, one: Coded, when: str) -> dict[str, Any]:
    event, machine = one.event, one.machine
    return {
        "session": content.record.session,
        "person": event.person,
        "channel": event.channel,
        "kind": event.kind,
        "verdict": one.verdict,
        "onset_s": to_s(event.onset_ns),
        "apex_s": None if event.apex_ns is None else to_s(event.apex_ns),
        "offset_s": to_s(event.offset_ns),
        "label": event.label,
        **_of_machine(machine),
        "coder": layer.coder,
        "coded_at": when,
        "comments": " / ".join(one.comments),
    }


def _rejected(content: Content, layer: Layer, event: Event, when: str) -> dict[str, Any]:
    """A false alarm: as the machine has it; the verdict says that there is nothing."""
    own = {"session": content.record.session, "person": event.person, "channel": event.channel, "kind": event.kind}
    times = {"onset_s": to_s(event.onset_ns), "offset_s": to_s(event.offset_ns)}
    return {**own, "verdict": "rejected", **times, **_of_machine(event), "coder": layer.coder, "coded_at": when}


def _of_machine(event: Event | None) -> dict[str, Any]:
    if event is None:
        return {}
    return {
        "machine_kind": event.kind,
        "machine_onset_s": to_s(event.onset_ns),
        "machine_offset_s": to_s(event.offset_ns),
        "machine_label": event.label,
        "machine_score": event.score,
    }


def _truth(content: Content, events: Sequence[Event]) -> list[dict[str, Any]]:
    """The events in frames of the face videos; those of people without a known video are not among them."""
    rows = []
    times: dict[str, Int64Array] = {}
    for event in events:
        medium = face_video(content, event.person)
        if medium is None:
            continue
        if medium.stream not in times:
            times[medium.stream] = frame_times(content, medium)
        onset, offset, apex = frames_of(event, times[medium.stream])
        row = {"video": video_name(medium), "kind": event.kind, "onset": onset, "apex": apex, "offset": offset}
        rows.append({**row, "label": event.label})
    return rows


def _table(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
