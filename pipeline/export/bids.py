"""BIDS: a data set with physiology, motion and events of each person.

The format: Brain Imaging Data Structure 1.10 (Gorgolewski et al. 2016, Scientific Data 3, 160044; motion: Jeung et al.
2024, Scientific Data 11, 716). Onsets and StartTime are seconds on the session clock.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.errors import InvalidValueError
from data_schemas.event import EVENT_KINDS
from data_schemas.time import to_s
from pipeline.export.bids_recordings import IGNORED, add_recordings
from pipeline.export.content import Content
from pipeline.export.events import as_rows
from pipeline.export.format import one_of

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "1.10.0"
MARK = ".telltale.json"
EVENTS: dict[str, dict[str, Any]] = {
    "onset": {"Description": "start on the session clock", "Units": "s"},
    "duration": {"Description": "length", "Units": "s"},
    "trial_type": {"LongName": "kind of the event", "Description": "what was found", "Levels": {}},
    "telltale_channel": {"Description": "face, voice, body, physiology, context or fused"},
    "telltale_label": {"Description": "name in words"},
    "apex": {"Description": "moment of the greatest intensity, on the session clock", "Units": "s"},
    "score": {"Description": "strength or confidence by the encoder's own scale"},
    "telltale_details": {"Description": "further values as JSON"},
}
MOTION = {"head": ("face", ("yaw_deg", "pitch_deg", "roll_deg")), "body": ("body", None)}
"""Tracking system -> channel and its features; None for all that are angles or speeds."""


class Bids:
    """A folder: `physio` for every channel, `motion` for head and body, `events`, each with its JSON."""

    suffix = ""
    options: Mapping[str, str] = {
        "bep047": "draft-2026: copy sound and video too, named as in the draft of BEP047 (needs consent to share)"
    }

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        draft = one_of(options, "bep047", ("no", "draft-2026"))
        labels = {person: label_of(person) for person in content.people}
        if len(set(labels.values())) < len(labels):
            raise InvalidValueError(
                "two people have the same BIDS label, which knows letters and digits only", got=", ".join(labels)
            )
        target.mkdir()
        task = label_of(content.record.session)
        _describe(content, target, labels)
        for person, label in labels.items():
            stem = f"sub-{label}_task-{task}"
            beh = target / f"sub-{label}" / "beh"
            beh.mkdir(parents=True)
            _write_events(content, person, beh / stem)
            for channel in content.channels:
                names = [field.name for field in content.features if field.name.startswith(f"{channel}.")]
                _write_physio(content, person, channel, names, beh / f"{stem}_recording-{channel}_physio")
            for system, (channel, wanted) in MOTION.items():
                names = _motion_columns(content, channel, wanted)
                if names:
                    folder = target / f"sub-{label}" / "motion"
                    folder.mkdir(exist_ok=True)
                    _write_motion(content, person, names, system, folder / f"{stem}_tracksys-{system}")
        return add_recordings(content, target, labels, task) if draft != "no" else []


def label_of(name: str) -> str:
    """A name as a BIDS label: letters and digits alone.

    Raises:
        InvalidValueError: nothing of it is left.
    """
    label = re.sub(r"[^A-Za-z0-9]", "", name)
    if not label:
        raise InvalidValueError("the name has neither letters nor digits, which a BIDS label needs", got=name)
    return label


def _describe(content: Content, target: Path, labels: Mapping[str, str]) -> None:
    record = content.record
    tool = {"Name": "Telltale", "Version": record.telltale_version, "Description": "telltale export"}
    said = {
        "Name": f"Telltale result of session {record.session}",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [tool],
    }
    write_json(target / "dataset_description.json", said)
    write_json(target / MARK, content.about())
    lines = [
        f"Telltale result of session {record.session}",
        "",
        record.purpose,
        "",
        "Times are seconds on the session clock.",
        "",
        *record.caveats,
    ]
    (target / "README").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (target / ".bidsignore").write_text("\n".join([MARK, *IGNORED]) + "\n", encoding="utf-8")
    rows = [["participant_id", "telltale_person"], *([f"sub-{label}", person] for person, label in labels.items())]
    (target / "participants.tsv").write_text(as_tsv(rows), encoding="utf-8")
    write_json(target / "participants.json", {"telltale_person": {"Description": "name in the session's manifest"}})


def _write_events(content: Content, person: str, stem: Path) -> None:
    own = [event for event in content.events if event.person in (person, None)]
    rows: list[list[Any]] = [list(EVENTS)]
    for row in as_rows(own):
        duration = round(row["offset_s"] - row["onset_s"], 6)
        found = [row["onset_s"], duration, row["kind"], row["channel"], row["label"], row["apex_s"], row["score"]]
        rows.append([*found, row["details"]])
    stem.with_name(f"{stem.name}_events.tsv").write_text(as_tsv(rows), encoding="utf-8")
    kinds = {event.kind: EVENT_KINDS.get(event.kind, "see its encoder") for event in own}
    columns = {**EVENTS, "trial_type": {**EVENTS["trial_type"], "Levels": kinds}}
    write_json(stem.with_name(f"{stem.name}_events.json"), {**columns, "Telltale": content.about()})


def _write_physio(content: Content, person: str, channel: str, names: Sequence[str], stem: Path) -> None:
    rows = _numbers(content, person, names)
    rows["telltale_reason"] = [word or "n/a" for word in content.reasons(channel, person)]
    with (
        stem.with_name(f"{stem.name}.tsv.gz").open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as file,
    ):
        _write_rows(rows, file)
    columns = [name.split(".", 1)[1] for name in names]
    said = {column: _said(content, name) for column, name in zip(columns, names, strict=True)}
    grid = content.grid_ns
    about = {
        "SamplingFrequency": content.record.grid_hz,
        "StartTime": float(to_s(grid)[0]) if len(grid) else 0.0,
        "Columns": [*columns, "telltale_reason"],
        "Manufacturer": "n/a",
        "SoftwareVersions": f"Telltale {content.record.telltale_version}",
        **said,
        "telltale_reason": {"Description": f"why the {channel} channel says nothing; n/a where it does"},
        "Telltale": content.about(),
    }
    write_json(stem.with_name(f"{stem.name}.json"), about)


def _write_motion(content: Content, person: str, names: Sequence[str], system: str, stem: Path) -> None:
    _write_rows(_numbers(content, person, names), str(stem.with_name(f"{stem.name}_motion.tsv")))
    counts = {"ORNT": 0, "VEL": 0}
    rows = [["name", "component", "type", "tracked_point", "units"]]
    for name in names:
        kind = "ORNT" if name.endswith("_deg") else "VEL"
        counts[kind] += 1
        unit = _said(content, name).get("Units", "1").replace("shoulder widths/s", "shoulder widths per second")
        part = {"pitch_deg": "x", "yaw_deg": "y", "roll_deg": "z"}.get(name.split(".", 1)[1], "n/a")
        point = "head" if system == "head" else name.split(".", 1)[1].rsplit("_", 1)[0]
        rows.append([name.split(".", 1)[1], part, kind, point, unit])
    stem.with_name(f"{stem.name}_channels.tsv").write_text(as_tsv(rows), encoding="utf-8")
    grid = content.grid_ns
    about = {
        "TaskName": content.record.session,
        "SamplingFrequency": content.record.grid_hz,
        "MotionChannelCount": len(names),
        **{f"{kind}ChannelCount": count for kind, count in counts.items() if count},
        "TrackedPointsCount": len({row[3] for row in rows[1:]}),
        "TrackingSystemName": f"Telltale {system}",
        "SoftwareVersions": f"Telltale {content.record.telltale_version}",
        "StartTime": float(to_s(grid)[0]) if len(grid) else 0.0,
        "MissingValues": "n/a",
        "Telltale": content.about(),
    }
    write_json(stem.with_name(f"{stem.name}_motion.json"), about)


def _motion_columns(content: Content, channel: str, wanted: Sequence[str] | None) -> list[str]:
    own = [field.name for field in content.features if field.name.startswith(f"{channel}.")]
    if wanted is None:
        return [name for name in own if name.endswith(("_deg", "_hand_speed"))]
    return [name for name in own if name.split(".", 1)[1] in wanted]


def _said(content: Content, name: str) -> dict[str, str]:
    said = {key.decode(): value.decode() for key, value in (content.timeline.schema.field(name).metadata or {}).items()}
    return {"Description": said.get("description", ""), "Units": said.get("unit", "") or "1"}


def _numbers(content: Content, person: str, names: Sequence[str]) -> dict[str, pa.Array]:
    """Columns of the timeline as texts, the shortest that give the float32 value back, "n/a" for what is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = content.rows_of(person)
    return {name: pc.fill_null(rows.column(name).cast(pa.string()), "n/a") for name in names}


def _write_rows(columns: Mapping[str, pa.Array], file: Any) -> None:
    """Tab-separated text without a header."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    how = arrow_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    arrow_csv.write_csv(pa.table(dict(columns)), file, how)


def as_tsv(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as tab-separated text, "n/a" for None and for empty texts."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    for row in rows:
        cells = [" ".join(str(cell).split("\t")) if cell not in (None, "") else "n/a" for cell in row]
        writer.writerow([" ".join(cell.splitlines()) for cell in cells])
    return out.getvalue()


def write_json(path: Path, said: Mapping[str, Any]) -> None:
    """A JSON file for people and programs."""
    path.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
