"""An encoding as the bytes of a parquet file and back: the track as columns, everything else as JSON. No pickle."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.result import Problem

FORMAT = 1


def pack(encodings: Sequence[Encoding]) -> bytes:
    """Encodings of one step as one parquet file; `unpack` gives them back, value for value."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = json.dumps({"format": FORMAT, "encodings": [_about(one) for one in encodings]}, default=plain)
    columns: dict[str, Any] = {
        "which": np.concatenate([np.full(len(one.track.times_ns), at, np.int32) for at, one in enumerate(encodings)]),
        "t_ns": np.concatenate([one.track.times_ns for one in encodings]),
        "reason": pa.array([str(word) for one in encodings for word in one.track.reason], pa.string()),
    }
    for at in range(max(len(one.track.names) for one in encodings)):
        values = [_column(one, at) for one in encodings]
        columns[f"f{at}"] = pa.array(
            np.concatenate([value for value, _ in values]), mask=~np.concatenate([valid for _, valid in values])
        )
    table = pa.table(columns).replace_schema_metadata({"telltale": about})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def unpack(data: bytes) -> list[Encoding]:
    """The encodings that `pack` was given.

    Raises:
        UnreadableFileError: these are not such bytes, or not whole.
    """
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
        about = json.loads((table.schema.metadata or {})[b"telltale"])
        if about["format"] != FORMAT:
            raise UnreadableFileError("the kept step is of another version", got=about["format"])
        which = table["which"].to_numpy()
        return [_encoding(one, table.filter(which == at)) for at, one in enumerate(about["encodings"])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFileError("the kept step cannot be read", got=f"{type(error).__name__}: {error}") from error


def digest(one: Encoding) -> str:
    """Hash of all that an encoding says."""
    found = hashlib.sha256(json.dumps(_about(one), default=plain, sort_keys=True).encode())
    track = one.track
    for array in (track.times_ns, track.values, track.valid):
        found.update(np.ascontiguousarray(array).tobytes())
    found.update("\0".join(map(str, track.reason)).encode())
    return found.hexdigest()


def _column(one: Encoding, at: int) -> tuple[Any, Any]:
    n = len(one.track.times_ns)
    if at < len(one.track.names):
        return one.track.values[:, at], one.track.valid[:, at]
    return np.zeros(n, np.float32), np.zeros(n, bool)


def _about(one: Encoding) -> dict[str, Any]:
    return {
        "spec": asdict(one.spec),
        "person": one.person,
        "events": [
            [e.channel, e.kind, int(e.onset_ns), int(e.offset_ns), None if e.apex_ns is None else int(e.apex_ns),
             e.person, e.score, e.label, dict(e.details)]
            for e in one.events
        ],
        "quality": dict(one.quality),
        "streams": list(one.streams),
        "parameters": dict(one.parameters),
        "warnings": list(one.warnings),
        "problems": [problem.model_dump() for problem in one.problems],
    }  # fmt: skip


def _encoding(about: dict[str, Any], rows: Any) -> Encoding:
    stated = about["spec"]
    features = tuple(FeatureSpec(**feature) for feature in stated["features"])
    lists = {"inputs": tuple(stated["inputs"]), "event_kinds": tuple(stated["event_kinds"])}
    spec = EncoderSpec(**{**stated, **lists, "features": features})
    n, f = rows.num_rows, len(features)
    values, valid = np.zeros((n, f), np.float32), np.zeros((n, f), bool)
    for at in range(f):
        column = rows[f"f{at}"].combine_chunks()
        valid[:, at] = column.is_valid().to_numpy(zero_copy_only=False)
        values[:, at] = column.fill_null(0).to_numpy(zero_copy_only=False)
    reason = np.array(rows["reason"].to_pylist(), dtype=object).reshape(n)
    track = Track(rows["t_ns"].to_numpy().astype(np.int64), spec.feature_names, values, valid, reason)
    return Encoding(
        spec,
        about["person"],
        track,
        tuple(Event(*event) for event in about["events"]),
        about["quality"],
        tuple(about["streams"]),
        about["parameters"],
        tuple(about["warnings"]),
        tuple(Problem.model_validate(one) for one in about["problems"]),
    )


def plain(value: Any) -> Any:
    """A numpy value as JSON has it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"an encoding holds a {type(value).__name__}, which JSON cannot say")
