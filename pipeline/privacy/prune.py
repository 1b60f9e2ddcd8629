"""Taking one person out of the result of a session that others are in too."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_schemas.errors import InvalidValueError, TelltaleError
from data_schemas.event import Event
from data_schemas.result import ResultRecord, SyncReport
from data_schemas.session import Manifest
from data_schemas.time import to_ns
from pipeline.batch.layout import OURS
from pipeline.privacy.traces import names, traces, word

_DRAFT, _READY = ".without-", ".instead-"
"""Folders in a result: one that is being made without a person, and one that is made and takes the result's place."""


def prune(result: Path, person: str, manifest: Manifest | None, dry_run: bool = False) -> bool:
    """Make a result anew without a person: their rows, events, channels, streams and all that mentions them.

    What others see of themselves stays. Files that several people are in together (who mirrors whom) go, and so do
    files of users' own that name the person.

    Args:
        result: Folder with the result.
        person: Whom to take out.
        manifest: Of the session, for the person's streams.
        dry_run: Only say whether it could be made.

    Returns:
        False where no trace-free result could be made; the folder is as it was, to be removed whole.
    """
    if manifest is None:
        return False
    if not dry_run:
        finish_pruning(result)
    draft = Path(tempfile.mkdtemp(dir=None if dry_run else result, prefix=_DRAFT))
    try:
        streams = [one.name for one in manifest.streams if manifest.person_of(one) == person]
        files = [path for one in manifest.streams if one.name in streams for path in one.paths]
        try:
            _write(result, draft, person, streams, files)
        except (TelltaleError, OSError, ValueError, KeyError):
            return False
        if traces(draft, person):
            return False
        if dry_run:
            return True
        for path in result.iterdir():
            if path != draft and path.name not in OURS and names(path, person):
                _delete(path)
        draft.rename(result / draft.name.replace(_DRAFT, _READY))
        finish_pruning(result)
        return True
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def finish_pruning(result: Path) -> None:
    """Put a result in place that an interrupted `prune` had ready, and clear its drafts away; nothing without such.

    The former files go first, `result.json` the last of them; then the new ones come, `result.json` the last again, so
    that how far it came can be told and no mixture of both reads as complete.

    Args:
        result: Folder of a result.
    """
    for ready in result.glob(f"{_READY}*"):
        if (ready / "result.json").is_file():
            if (result / "result.json").is_file():
                for name in sorted(OURS, key=lambda one: one == "result.json"):
                    _delete(result / name)
            for path in sorted(ready.iterdir(), key=lambda one: one.name == "result.json"):
                os.replace(path, result / path.name)
        _delete(ready)
    for draft in result.glob(f"{_DRAFT}*"):
        _delete(draft)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write(result: Path, draft: Path, person: str, streams: Sequence[str], files: Sequence[str]) -> None:
    import pyarrow.parquet as pq

    from pipeline.export.events import as_arrow, as_csv, as_rows
    from pipeline.report.page import write_report

    record = _record(json.loads((result / "result.json").read_text(encoding="utf-8")), person, streams, files)
    sync = _sync(json.loads((result / "sync.json").read_text(encoding="utf-8")), streams, person)
    timeline = _timeline(pq.read_table(result / "timeline.parquet"), person)
    events = _events(pq.read_table(result / "events.parquet").to_pylist(), person, streams)
    pq.write_table(timeline, draft / "timeline.parquet", compression="zstd")
    pq.write_table(as_arrow(events), draft / "events.parquet")
    (draft / "events.csv").write_text(as_csv(as_rows(events)), encoding="utf-8", newline="")
    (draft / "sync.json").write_text(sync.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_report(record, timeline, events, sync, draft / "report.html")
    lines = (result / "log.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not _names(line, person, streams)]
    (draft / "log.jsonl").write_text("".join(kept), encoding="utf-8")
    (draft / "result.json").write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _names(value: Any, person: str, streams: Sequence[str], files: Sequence[str] = ()) -> bool:
    """Whether something mentions the person, or a stream or file of theirs."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return any(word(name).search(text) for name in (person, *streams, *files))


def _record(values: dict[str, Any], person: str, streams: Sequence[str], files: Sequence[str]) -> ResultRecord:
    values["people"] = [one for one in values["people"] if one != person]
    if not values["people"]:
        raise InvalidValueError("nobody is left")
    values["channels"] = [
        one for one in values["channels"] if one["person"] != person and not _names(one["quality"], person, streams)
    ]
    values["problems"] = [one for one in values["problems"] if not _names(one, person, streams, files)]
    trace = []
    for one in values["provenance"]:
        inputs = {name: value for name, value in one["inputs"].items() if name not in files}
        parameters = {
            key: value for key, value in one["parameters"].items() if not _names([key, value], person, streams)
        }
        if not _names(one["step"], person, ()):
            trace.append({**one, "inputs": inputs, "parameters": parameters})
    values["provenance"] = trace
    return ResultRecord.model_validate(values)


def _sync(values: dict[str, Any], streams: Sequence[str], person: str) -> SyncReport:
    values["streams"] = [one for one in values["streams"] if one["stream"] not in streams]
    for name in ("checks", "evidence"):
        values[name] = [one for one in values[name] if one["own"] not in streams and one["against"] not in streams]
    for one in values["streams"]:
        if _names(one["why"], person, streams):
            one["why"] = ""
    values["checks"] = [one for one in values["checks"] if not _names(one["why"], person, streams)]
    return SyncReport.model_validate(values)


def _timeline(table: Any, person: str) -> Any:
    """The rows of the others; the dictionary of names is made anew, for it would still hold the name."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = table["person"].cast(pa.string())
    kept = table.filter(pc.not_equal(names, person))
    anew = kept["person"].cast(pa.string()).combine_chunks().dictionary_encode()
    at = kept.schema.get_field_index("person")
    return kept.set_column(at, kept.schema.field("person"), anew).replace_schema_metadata(table.schema.metadata)


def _events(rows: Sequence[dict[str, Any]], person: str, streams: Sequence[str]) -> list[Event]:
    found = []
    for row in rows:
        if row["person"] == person or _names([row["label"], row["details"]], person, streams):
            continue
        apex = None if row["apex_s"] is None else to_ns(row["apex_s"])
        found.append(
            Event(
                row["channel"],
                row["kind"],
                to_ns(row["onset_s"]),
                to_ns(row["offset_s"]),
                apex,
                row["person"],
                row["score"],
                row["label"],
                json.loads(row["details"]),
            )
        )
    return found
