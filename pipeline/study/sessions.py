"""A study of analysed sessions: the design (who, what, when, which label) and the cues of every window."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import InvalidValueError, MissingTrackError, NothingUsableError, UnreadableFileError
from data_schemas.hook import Hook, silent
from pipeline.study.reading import assemble, load_frame
from pipeline.study.roles import Roles
from pipeline.study.table import StudyTable

if TYPE_CHECKING:
    import pandas as pd

DESIGN_FILE = "design.csv"
DESIGN_LABELS = ("label", "outcome", "condition")
"""Columns of the design that hold the label, the first that is there, unless --label names another."""
WINDOW_MOST_S = 10.0
"""A cue without an end is looked at until the next one, and at most so long."""
_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Course:
    """One timeline column around the start of windows.

    Attributes:
        cue: Name of the column.
        times_s: From the start of the window, shape (m,).
        values: Of every row of the study's table, shape (n, m), NaN where invalid.
    """

    cue: str
    times_s: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class Analysed:
    """A folder that `telltale analyze` left."""

    name: str
    folder: Path
    people: tuple[str, ...]


def find_sessions(root: Path) -> list[Analysed]:
    """Analysed sessions below a folder, by name.

    Raises:
        NothingUsableError: there is none.
        UnreadableFileError: a `result.json` is none.
    """
    found = []
    for depth in range(_DEPTH + 1):
        for file in sorted(root.glob("*/" * depth + "result.json")):
            folder = file.parent
            if not (folder / "timeline.parquet").is_file() or not (folder / "events.parquet").is_file():
                continue
            try:
                record = json.loads(file.read_text(encoding="utf-8"))
                name, people = str(record["session"]), tuple(map(str, record["people"]))
            except (ValueError, KeyError, TypeError) as error:
                raise UnreadableFileError("the result of a session cannot be read", file=file, got=error) from error
            found.append(Analysed(name, folder, people))
    if not found:
        raise NothingUsableError(
            "the folder holds no analysed session (timeline.parquet, events.parquet, result.json)",
            file=root,
            mend="Run telltale analyze or telltale batch first, or name a table of cues.",
        )
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        found = [replace(one, name=one.folder.relative_to(root).as_posix() or one.name) for one in found]
    return found


def read_sessions(root: Path, roles: Roles, channels: Sequence[str], hook: Hook = silent) -> tuple[StudyTable, Roles]:
    """The table of a study from a folder of analysed sessions, and the roles of its columns.

    The design stands in `design.csv` beside the sessions: a row per person and window with `session`, `person`, the
    label, and where they apply `item`, `onset_s`, `offset_s` and nuisances. `subject` says who a person is where
    sessions call different people the same. Without times a window is the cue event of
    the item's name, without an item the whole session. Without the file, cue events with a `condition` are the design.

    Args:
        root: Folder of the study.
        roles: `label` and `nuisance` may name columns of the design.
        channels: Whose columns are cues.
        hook: Told of the sessions.

    Raises:
        TelltaleError: no session, no design, or one that does not fit the sessions.
    """
    sessions = find_sessions(root)
    design, inputs = _design(root, sessions)
    label = roles.label or next((name for name in DESIGN_LABELS if name in design.columns), None)
    if label is None or label not in design.columns:
        raise MissingTrackError(
            "the design has no column with the label", file=root / DESIGN_FILE, got=", ".join(map(str, design.columns)),
            expected=roles.label or " or ".join(DESIGN_LABELS),
        )  # fmt: skip
    return _assemble(root, sessions, design, label, inputs, roles, channels, hook)


def read_sessions_unlabelled(
    root: Path, roles: Roles, channels: Sequence[str], hook: Hook = silent
) -> tuple[StudyTable, Roles, bool]:
    """The same before the labels are joined, and whether they are there already; labels of this table mean nothing.

    Raises:
        TelltaleError: as `read_sessions`, but for a missing label.
    """
    sessions = find_sessions(root)
    design, inputs = _design(root, sessions)
    label = roles.label or next((name for name in DESIGN_LABELS if name in design.columns), DESIGN_LABELS[0])
    labelled = label in design.columns and bool(design[label].notna().any())
    if not labelled:
        design[label] = np.resize(roles.contrast or ("0", "1"), len(design))
    return *_assemble(root, sessions, design, label, inputs, roles, channels, hook), labelled


def _assemble(
    root: Path,
    sessions: Sequence[Analysed],
    design: pd.DataFrame,
    label: str,
    inputs: dict[str, str],
    roles: Roles,
    channels: Sequence[str],
    hook: Hook,
) -> tuple[StudyTable, Roles]:
    from pipeline.provenance import hash_file
    from pipeline.study.windows import cut_windows

    frame, courses = cut_windows(sessions, design, channels, hook)
    for one in sessions:
        for name in ("timeline.parquet", "events.parquet"):
            inputs[f"{one.name}/{name}"] = hash_file(one.folder / name)
    subject = roles.subject or ("subject" if "subject" in design.columns else "person")
    extra = [name for name in design.columns if name not in (*_FIXED, label, subject) and name in frame]
    found = replace(
        roles,
        label=label,
        subject=subject,
        item="item" if frame["item"].nunique() > 1 else None,
        nuisance=tuple(dict.fromkeys((*roles.nuisance, *extra, "order", "length_s", "quality"))),
    )
    frame = frame.drop(columns=[name for name in ("onset_s", "offset_s", "session") if name in frame])
    if frame["item"].nunique() <= 1:
        frame = frame.drop(columns="item")
    table = assemble(frame, found, root)
    kept = frame.index[frame[label].notna()]
    courses = tuple(replace(one, values=one.values[kept]) for one in courses) if len(kept) == len(table) else ()
    return replace(table, inputs=inputs, courses=courses), found


_FIXED = ("session", "person", "subject", "item", "onset_s", "offset_s")


def _design(root: Path, sessions: Sequence[Analysed]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Rows of session, person, item, onset_s, offset_s (None where not said), label, nuisances."""
    from pipeline.provenance import hash_file

    file = root / DESIGN_FILE
    if not file.is_file():
        return _design_of_cues(root, sessions), {}
    design = load_frame(file)
    if "session" not in design and len(sessions) > 1:
        raise MissingTrackError("the design has no column 'session'", file=file, got=", ".join(design.columns))
    if "session" not in design:
        design["session"] = sessions[0].name
    design["session"] = design["session"].astype(str)
    by_name = {one.name: one for one in sessions}
    lost = sorted(set(design["session"]) - set(by_name))
    if lost:
        raise InvalidValueError(
            "the design names sessions that were not analysed",
            file=file,
            got=", ".join(lost[:5]),
            expected=", ".join(list(by_name)[:5]),
        )
    if "person" not in design:
        if any(len(one.people) > 1 for one in sessions):
            raise MissingTrackError("sessions of several people need a column 'person' in the design", file=file)
        design["person"] = [by_name[name].people[0] for name in design["session"]]
    design["person"] = design["person"].astype(str)
    for name in ("item", "onset_s", "offset_s"):
        if name not in design:
            design[name] = None
    return design, {DESIGN_FILE: hash_file(file)}


def _design_of_cues(root: Path, sessions: Sequence[Analysed]) -> pd.DataFrame:
    """A design from cue events that name a condition."""
    import pandas as pd
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for one in sessions:
        events = pq.read_table(one.folder / "events.parquet", filters=[("kind", "==", "cue")]).to_pylist()
        for person in one.people:
            mine = [event for event in events if event["person"] in (person, None)]
            for at, event in enumerate(mine):
                details = json.loads(event["details"] or "{}")
                condition = details.get("condition")
                if condition is None:
                    continue
                later = [other["onset_s"] for other in mine[at + 1 :] if other["onset_s"] > event["onset_s"]]
                end = event["offset_s"]
                if end - event["onset_s"] < 1.0:
                    end = min([event["onset_s"] + WINDOW_MOST_S, *later])
                rows.append(
                    {"session": one.name, "person": person, "item": event["label"], "onset_s": event["onset_s"],
                     "offset_s": end, "condition": str(condition)}
                )  # fmt: skip
    if not rows:
        raise NothingUsableError(
            "nobody says which label belongs to which window: there is no design.csv, and no cue names a condition",
            file=root / DESIGN_FILE,
            mend="Write one: session, person, item, label, onset_s, offset_s; docs/studies.md tells how.",
        )
    return pd.DataFrame(rows)
