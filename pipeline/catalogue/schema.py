"""The tables of the catalogue, as `docs/catalogue.md` describes them."""

from __future__ import annotations

VERSION = 1
"""Goes up whenever a table or column changes its name or meaning; an older catalogue is made anew from the results."""

PARQUET, DATABASE = "study.parquet", "study.duckdb"

TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "sessions": {
        "session": ("VARCHAR", "name in the study; folder of the result"),
        "name": ("VARCHAR", "name in the manifest"),
        "status": ("VARCHAR", "done; sessions that failed or were skipped have no rows elsewhere"),
        "reason": ("VARCHAR", "why it failed or was skipped, or what of it is missing"),
        "exit_status": ("INTEGER", "0 whole, 1 in part, 2 nothing"),
        "purpose": ("VARCHAR", "as the manifest has it"),
        "duration_s": ("DOUBLE", "first to last moment, seconds"),
        "grid_hz": ("DOUBLE", "rows per second of the timeline"),
        "telltale_version": ("VARCHAR", "that analysed it"),
    },
    "people": {
        "session": ("VARCHAR", ""),
        "person": ("VARCHAR", "as the manifest has it"),
        "role": ("VARCHAR", ""),
        "sex": ("VARCHAR", ""),
        "age_group": ("VARCHAR", ""),
        "culture": ("VARCHAR", ""),
    },
    "labels": {
        "session": ("VARCHAR", ""),
        "person": ("VARCHAR", "whom it is said of; null for the whole session"),
        "name": ("VARCHAR", "a column of the study's table or of participants.tsv, or a key under [labels]"),
        "value": ("VARCHAR", ""),
    },
    "channels": {
        "session": ("VARCHAR", ""),
        "person": ("VARCHAR", ""),
        "channel": ("VARCHAR", "face, voice, body, physiology, context, fused"),
        "valid_share": ("DOUBLE", "share of the timeline with any valid feature, 0..1"),
    },
    "events": {
        "session": ("VARCHAR", ""),
        "person": ("VARCHAR", "whom it concerns; null where it concerns everybody"),
        "channel": ("VARCHAR", ""),
        "kind": ("VARCHAR", "micro, macro, blink, speech_turn, scr, cue, incongruence ..."),
        "cue": ("VARCHAR", "of a cue: question, answer, stimulus, condition, baseline, other; else null"),
        "condition": ("VARCHAR", "of the cue itself, or of the condition in force, or the session's label condition"),
        "onset_s": ("DOUBLE", "seconds on the session clock"),
        "apex_s": ("DOUBLE", ""),
        "offset_s": ("DOUBLE", ""),
        "score": ("DOUBLE", ""),
        "label": ("VARCHAR", ""),
        "details": ("VARCHAR", "JSON; details->>'key' gives one of them"),
    },
}
"""Table -> column -> (type, meaning). The view `timeline` has the columns of `study.parquet`: session, person, t_ns,
and `channel.feature` for each feature, e.g. "face.au12_left"."""


def create(table: str) -> str:
    """The statement that makes a table."""
    return f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, (kind, _) in TABLES[table].items())})"
