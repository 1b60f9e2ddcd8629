"""Cues of windows: means of timeline columns and rates of events, per person and window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import InvalidValueError, NothingUsableError
from data_schemas.hook import Hook, silent
from data_schemas.time import NS_PER_S

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.study.sessions import Analysed, Course

CHANNELS = ("face", "voice", "body", "physiology")
"""Channels whose columns are cues. Context holds the design itself, and fusion reads context."""
QUALITY = ("confidence", "quality", "ecg_quality")
"""Columns (0 to 1) that say how good the recording is: their mean is a nuisance, never a cue."""
APPARATUS = ("face_size_px", "brightness", "snr_db")
"""Columns that tell of camera and microphone, not of the person: no cues."""
COUNTED = ("micro", "macro", "blink", "gaze_shift", "gesture", "hand_to_face", "pause", "filled_pause", "scr")
"""Events whose rate per minute is a cue."""
LEAST_VALID = 0.2
"""Share of a window that must be valid for a mean."""
COURSE_S = (-2.0, 6.0)
COURSE_STEP_S = 0.25
COURSES_MOST = 400


def cut_windows(
    sessions: Sequence[Analysed], design: pd.DataFrame, channels: Sequence[str] = CHANNELS, hook: Hook = silent
) -> tuple[pd.DataFrame, tuple[Course, ...]]:
    """One row per row of the design with the cues of its window, and the time course around its start.

    Adds `order` (of the window in its session), `length_s` and `quality` (mean of the recording's quality columns).
    One session is held in memory at a time.

    Args:
        sessions: Analysed sessions.
        design: Columns session, person, item, onset_s, offset_s (None where not said), and more.
        channels: Whose columns are cues.
        hook: Told of the sessions.

    Raises:
        InvalidValueError: a window lies outside its session, an item is no cue event, a person is not in it.
        NothingUsableError: no channel has a column.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    from pipeline.study.sessions import Course

    rows: list[dict[str, Any]] = [{} for _ in range(len(design))]
    courses: dict[str, list[np.ndarray | None]] = {}
    steps = np.arange(COURSE_S[0], COURSE_S[1] + 1e-9, COURSE_STEP_S)
    places = {name: np.flatnonzero(design["session"].to_numpy() == name) for name in design["session"].unique()}
    by_name = {one.name: one for one in sessions}
    for done, (name, at) in enumerate(places.items()):
        hook("sessions", done, len(places))
        file = pq.ParquetFile(by_name[name].folder / "timeline.parquet")
        wanted = [column for column in file.schema_arrow.names if _is_cue(file, column, channels)]
        timeline = file.read(columns=["person", "t_ns", *wanted]).to_pandas()
        events = pq.read_table(by_name[name].folder / "events.parquet").to_pandas()
        people = timeline["person"].astype(str).to_numpy()
        for which, row in enumerate(at):
            person = str(design["person"].iloc[row])
            mine = timeline[people == person]
            if not len(mine):
                raise InvalidValueError(
                    f"the design names a person that session '{name}' does not have",
                    got=person,
                    expected=", ".join(sorted(set(people))),
                )
            start, end = _window(design.iloc[int(row)], events, mine["t_ns"].to_numpy(), name)
            rows[row] = _cues(mine, events, person, wanted, channels, start, end)
            if design["onset_s"].isna().iloc[row] and design["item"].isna().iloc[row]:
                continue
            rows[row]["order"] = which
            for column in wanted[:COURSES_MOST]:
                if not _is_quality(column):
                    part = courses.setdefault(column, [None] * len(design))
                    part[row] = _course(mine, column, start, steps)
    hook("sessions", len(places), len(places))
    frame = pd.concat([design.reset_index(drop=True), pd.DataFrame(rows)], axis=1)
    if not any("." in str(column) for column in pd.DataFrame(rows).columns):
        raise NothingUsableError("no session has a column of these channels", got=", ".join(channels))
    if "order" not in frame:
        frame["order"] = 0
    blank = np.full(len(steps), np.nan)
    told = tuple(
        Course(column, steps, np.stack([blank if one is None else one for one in part]))
        for column, part in courses.items()
    )
    return frame.loc[:, ~frame.columns.duplicated()], told


def _is_cue(file: Any, column: str, channels: Sequence[str]) -> bool:
    channel, _, feature = column.partition(".")
    if channel not in channels or feature in ("valid", "reason", "", *APPARATUS):
        return False
    return str(file.schema_arrow.field(column).type) in ("float", "double", "halffloat")


def _is_quality(column: str) -> bool:
    return column.partition(".")[2] in QUALITY


def _window(row: pd.Series, events: pd.DataFrame, times: np.ndarray, session: str) -> tuple[int, int]:
    """Start and end of a window, ns."""
    import pandas as pd

    from pipeline.study.sessions import WINDOW_MOST_S

    first, last = int(times[0]), int(times[-1]) + 1
    onset, offset = row["onset_s"], row["offset_s"]
    if pd.isna(onset) and pd.isna(row["item"]):
        return first, last
    if pd.isna(onset):
        cues = events[(events["kind"] == "cue") & (events["label"].astype(str) == str(row["item"]))]
        cues = cues[cues["person"].isna() | (cues["person"].astype(str) == str(row["person"]))]
        if len(cues) != 1:
            raise InvalidValueError(
                f"item '{row['item']}' of session '{session}' is the name of {len(cues)} cues",
                expected="one cue of that name, or onset_s and offset_s in the design",
            )
        onset, offset = cues["onset_s"].iloc[0], cues["offset_s"].iloc[0]
        if offset - onset < 1.0:
            offset = None
    if offset is None or pd.isna(offset):
        later = events[(events["kind"] == "cue") & (events["onset_s"] > float(onset) + 1e-6)]["onset_s"]
        offset = min([float(onset) + WINDOW_MOST_S, *(float(one) for one in later)])
    start, end = int(float(onset) * NS_PER_S), int(float(offset) * NS_PER_S)
    if end <= start or end <= first or start >= last:
        raise InvalidValueError(
            f"a window lies outside session '{session}' or ends before it begins",
            got=f"{float(onset):g} to {float(offset):g} s",
            expected=f"within {first / NS_PER_S:g} to {last / NS_PER_S:g} s",
        )
    return start, end


def _cues(
    mine: pd.DataFrame,
    events: pd.DataFrame,
    person: str,
    wanted: Sequence[str],
    channels: Sequence[str],
    start: int,
    end: int,
) -> dict[str, Any]:
    times = mine["t_ns"].to_numpy()
    inside = mine[(times >= start) & (times < end)]
    cells = inside[list(wanted)]
    enough = cells.notna().mean() >= LEAST_VALID if len(cells) else None
    means = cells.mean()
    out: dict[str, Any] = {}
    quality = []
    for column in wanted:
        value = float(means[column]) if enough is not None and bool(enough[column]) else np.nan
        if _is_quality(column):
            quality.append(value)
        else:
            out[column] = value
    minutes = (end - start) / NS_PER_S / 60
    onset = (events["onset_s"].to_numpy() * NS_PER_S).astype(np.int64) if len(events) else np.empty(0)
    own = (events["person"].astype(str) == person).to_numpy() & (onset >= start) & (onset < end)
    for channel in channels:
        valid = [column for column in wanted if column.startswith(f"{channel}.")]
        seen = bool(valid) and bool(cells[valid].notna().to_numpy().any())
        for kind in COUNTED:
            known = (events["channel"] == channel) & (events["kind"] == kind)
            if known.any():
                out[f"{channel}.{kind}_per_min"] = float((known.to_numpy() & own).sum()) / minutes if seen else np.nan
    out["length_s"] = (end - start) / NS_PER_S
    known_quality = [one for one in quality if np.isfinite(one)]
    out["quality"] = float(np.mean(known_quality)) if known_quality else np.nan
    return out


def _course(mine: pd.DataFrame, column: str, start: int, steps: np.ndarray) -> np.ndarray:
    """Means of one column in steps around the start; NaN where nothing is valid."""
    times = (mine["t_ns"].to_numpy() - start) / NS_PER_S
    values = mine[column].to_numpy(dtype=np.float64)
    edges = np.r_[steps, steps[-1] + COURSE_STEP_S] - COURSE_STEP_S / 2
    at = np.searchsorted(edges, times, side="right") - 1
    good = (at >= 0) & (at < len(steps)) & np.isfinite(values)
    sums, counts = np.bincount(at[good], values[good], len(steps)), np.bincount(at[good], minlength=len(steps))
    return np.divide(sums, counts, out=np.full(len(steps), np.nan), where=counts > 0)
