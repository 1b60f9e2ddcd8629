"""Eye trackers' tables of text: Tobii Pro Lab and Studio, Pupil Labs Core, Invisible and Neon.

Layouts after the makers' manuals. Tobii ("Data export", Pro Lab user's manual): one row per sample or event, `Recording
timestamp` in microseconds (milliseconds in older versions), `Gaze point X/Y`, `Validity left/right` ("Valid", or codes
0 to 4 of which 0 and 1 mean that the eye was found surely), `Pupil diameter` in mm, `Event`. Pupil Labs ("Data
format"): `gaze_positions.csv` and `pupil_positions.csv` of Core with a `confidence` of which less than 0.6 is noise;
`gaze.csv` and `3d_eye_states.csv` of Invisible and Neon in nanoseconds, with `worn` and angles in degrees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError
from data_schemas.stream import Mark
from data_schemas.time import Int64Array
from modalities.readers.delimited import TableForm, read_text_frame, sniff_table
from modalities.readers.eye_data import EyeData, both_eyes
from modalities.readers.text_lines import eye_table
from modalities.readers.timing import print_step_ns, stamps_to_ns

LEAST_CONFIDENCE = 0.6
_UNIT = re.compile(r"\s*[\[(]([^\])]*)[\])]\s*$")
_TOBII: dict[str, tuple[str, ...]] = {
    "gaze_x": ("gaze point x", "gazepointx"),
    "gaze_y": ("gaze point y", "gazepointy"),
    "gaze_x_left": ("gaze point left x", "gazepointleftx"),
    "gaze_y_left": ("gaze point left y", "gazepointlefty"),
    "gaze_x_right": ("gaze point right x", "gazepointrightx"),
    "gaze_y_right": ("gaze point right y", "gazepointrighty"),
    "pupil_left": ("pupil diameter left", "pupilleft"),
    "pupil_right": ("pupil diameter right", "pupilright"),
}
_TOBII_VALIDITY: dict[str, tuple[str, ...]] = {
    "left": ("validity left", "validityleft"),
    "right": ("validity right", "validityright"),
}
_NEON: dict[str, tuple[str, ...]] = {
    "gaze_x": ("gaze x",),
    "gaze_y": ("gaze y",),
    "gaze_x_deg": ("azimuth",),
    "gaze_y_deg": ("elevation",),
    "pupil_left": ("pupil diameter left",),
    "pupil_right": ("pupil diameter right",),
}


def read_eye_table(path: Path) -> EyeData:
    """Gaze and pupil of a table.

    Raises:
        UnreadableFileError: it is none of these tables, or holds no valid sample.
    """
    form = sniff_table(path, header=True)
    header = "\t".join(form.names)
    maker = eye_table(header)
    if maker is None:
        raise UnreadableFileError(
            "not a table of an eye tracker that is known",
            file=path,
            got=f"columns {', '.join(form.names[:6])}",
            expected="Tobii (Recording timestamp, Gaze point X), Pupil Labs, or an EyeLink ASC file",
        )
    names = {_UNIT.sub("", name).strip().lower(): name for name in form.names}
    if maker == "tobii":
        return _tobii(path, form, names)
    if "timestamp" in names and "gaze_timestamp" not in names:
        return _neon(path, form, names)
    return _core(path, form, names)


def _tobii(path: Path, form: TableForm, names: dict[str, str]) -> EyeData:
    time = next(names[one] for one in ("recording timestamp", "recordingtimestamp") if one in names)
    columns = _found(_TOBII, names)
    validity = _found(_TOBII_VALIDITY, names)
    extra = [names[one] for one in ("sensor", "event", "event value", "presented stimulus name") if one in names]
    frame = _load(path, form, [time, *columns.values(), *validity.values(), *extra])
    stamps = _numbers(frame[time], form.decimal)
    unit, notes = _tobii_unit(time, stamps)
    told = np.isfinite(stamps)
    times = np.zeros(len(stamps), np.int64)
    times[told] = stamps_to_ns(stamps[told], unit)
    marks = _tobii_marks(frame, names, times, told)
    if "sensor" in names:
        told &= frame[names["sensor"]].str.contains("eye", case=False).to_numpy(bool)
    elif "event" in names:
        told &= (frame[names["event"]] == "").to_numpy(bool)
    good = {eye: _tobii_valid(frame[name]) for eye, name in validity.items()}
    values, masks, units = {}, {}, {}
    for column, name in columns.items():
        numbers = _numbers(frame[name], form.decimal)
        eye = column.rpartition("_")[2]
        mask = np.isfinite(numbers)
        if eye in good:
            mask &= good[eye]
        elif good:
            mask &= np.any(list(good.values()), axis=0)
        if column.startswith("pupil"):
            mask &= numbers > 0
        values[column], masks[column] = numbers[told], mask[told]
        units[column] = _unit_of(name, "mm" if column.startswith("pupil") else "px")
    return both_eyes(
        EyeData(
            times[told], values, masks, units, print_step_ns(stamps[told], unit), None, marks, tuple(notes), "Tobii"
        )
    )


def _tobii_unit(name: str, stamps: NDArray[np.float64]) -> tuple[str, list[str]]:
    """Unit of the time stamps, and what to say of it; no tracker is slower than 20 Hz or faster than 2.5 kHz."""
    stated = _UNIT.search(name)
    text = stated.group(1).strip().replace("µ", "u").replace("μ", "u").lower() if stated else ""
    if text in ("us", "ms", "s", "ns"):
        return text, []
    steps = np.diff(stamps[np.isfinite(stamps)])
    steps = steps[steps > 0]
    unit = "us" if len(steps) and np.median(steps) >= 200 else "ms"
    return unit, [f"the time stamps state no unit; their steps say {unit}"]


def _tobii_valid(cells: Any) -> NDArray[np.bool_]:
    """Validity as words, or as the codes 0 (sure) to 4 (no eye) of Tobii Studio: 0 and 1 are valid."""
    return cells.str.strip().str.lower().isin(["valid", "0", "1", "true"]).to_numpy(bool)


def _tobii_marks(frame: Any, names: dict[str, str], times: Int64Array, told: NDArray[np.bool_]) -> tuple[Mark, ...]:
    """Events of the recording, with their values; and the stimulus that was shown, from its first to its last row."""
    out = []
    if "event" in names:
        event = frame[names["event"]].to_numpy()
        value = frame[names["event value"]].to_numpy() if "event value" in names else np.full(len(event), "")
        for at in np.flatnonzero((event != "") & told).tolist():
            out.append(Mark(int(times[at]), 0, str(event[at]), {"value": str(value[at])} if value[at] else {}))
    if "presented stimulus name" in names:
        shown = frame[names["presented stimulus name"]].to_numpy()[told]
        clock = times[told]
        edges = np.flatnonzero(np.r_[True, shown[1:] != shown[:-1]]) if len(shown) else np.zeros(0, int)
        for begin, end in zip(edges.tolist(), [*edges[1:].tolist(), len(shown)], strict=True):
            if shown[begin]:
                stop = int(clock[end] if end < len(clock) else clock[-1])
                length = max(0, stop - int(clock[begin]))
                out.append(Mark(int(clock[begin]), length, str(shown[begin]), {"kind": "stimulus"}))
    return tuple(out)


def _neon(path: Path, form: TableForm, names: dict[str, str]) -> EyeData:
    columns = _found(_NEON, names)
    extra = [names["worn"]] if "worn" in names else []
    frame = _load(path, form, [names["timestamp"], *columns.values(), *extra])
    times, told = _integers(frame[names["timestamp"]])
    worn = np.ones(len(times), bool)
    if extra:
        worn = frame[extra[0]].str.strip().str.lower().isin(["1", "1.0", "true", "255"]).to_numpy(bool)
    values, masks, units = {}, {}, {}
    for column, name in columns.items():
        numbers = _numbers(frame[name], form.decimal)
        good = np.isfinite(numbers) & worn & ((numbers > 0) | (not column.startswith("pupil")))
        values[column], masks[column] = numbers[told], good[told]
        units[column] = _unit_of(name, "1")
    return both_eyes(EyeData(times[told], values, masks, units, 0.0, maker="Pupil Labs"))


def _core(path: Path, form: TableForm, names: dict[str, str]) -> EyeData:
    """Pupil Core: one row per gaze, or one row per eye and sample, told apart by `eye_id` (0 the right, 1 the left)."""
    by_eye = "pupil_timestamp" in names
    time = names["pupil_timestamp" if by_eye else "gaze_timestamp"]
    wanted = [one for one in ("norm_pos_x", "norm_pos_y", "diameter", "diameter_3d", "confidence", "eye_id", "method")
              if one in names]  # fmt: skip
    frame = _load(path, form, [time, *(names[one] for one in wanted)])
    stamps = _numbers(frame[time], form.decimal)
    told = np.isfinite(stamps)
    sure = _numbers(frame[names["confidence"]], form.decimal) >= LEAST_CONFIDENCE if "confidence" in names else told
    if not by_eye:
        values = {f"gaze_{axis}": _numbers(frame[names[f"norm_pos_{axis}"]], form.decimal)[told] for axis in "xy"}
        masks = {name: np.isfinite(column) & sure[told] for name, column in values.items()}
        times = stamps_to_ns(stamps[told], "s")
        return EyeData(times, values, masks, dict.fromkeys(values, "1"), 0.0, maker="Pupil Labs")
    return _core_pupils(frame, form, names, stamps, told, sure)


def _core_pupils(
    frame: Any,
    form: TableForm,
    names: dict[str, str],
    stamps: NDArray[np.float64],
    told: NDArray[np.bool_],
    sure: NDArray[np.bool_],
) -> EyeData:
    """Both eyes are measured at times of their own: each sample has one of them, the other is invalid there."""
    three = "diameter_3d" in names
    size = _numbers(frame[names["diameter_3d" if three else "diameter"]], form.decimal)
    if three and not np.any(np.isfinite(size) & (size > 0)) and "diameter" in names:
        three, size = False, _numbers(frame[names["diameter"]], form.decimal)
    told = told & np.isfinite(size) & (size > 0)
    eye = _numbers(frame[names["eye_id"]], form.decimal) if "eye_id" in names else np.zeros(len(size))
    times = np.zeros(len(stamps), np.int64)
    times[told] = stamps_to_ns(stamps[told], "s")
    order = np.flatnonzero(told)[np.argsort(times[told], kind="stable")]
    together, index = np.unique(times[order], return_inverse=True)
    values, masks = {}, {}
    for name, number in (("pupil_left", 1), ("pupil_right", 0)):
        own = eye[order] == number
        column, mask = np.zeros(len(together)), np.zeros(len(together), bool)
        column[index[own]] = size[order][own]
        mask[index[own]] = sure[order][own]
        if own.any():
            values[name], masks[name] = column, mask
    return EyeData(together, values, masks, dict.fromkeys(values, "mm" if three else "px"), 0.0, maker="Pupil Labs")


def _found(wanted: dict[str, tuple[str, ...]], names: dict[str, str]) -> dict[str, str]:
    """Column of ours -> column of the table, for those that it has."""
    out = {}
    for column, spellings in wanted.items():
        name = next((names[one] for one in spellings if one in names), None)
        if name is not None:
            out[column] = name
    return out


def _unit_of(name: str, default: str) -> str:
    stated = _UNIT.search(name)
    text = stated.group(1).strip() if stated else default
    return "px" if text.lower().startswith(("adcs", "mcs", "dacs")) and text.lower().endswith("px") else text


def _load(path: Path, form: TableForm, wanted: Sequence[str]) -> Any:
    """The wanted columns as text, "" for none."""
    places = {form.names.index(name): name for name in wanted}
    frame = read_text_frame(path, form, places)
    if frame.empty:
        raise UnreadableFileError("the table has no row of data", file=path)
    return frame.rename(columns=places)


def _numbers(cells: Any, decimal: str) -> NDArray[np.float64]:
    import pandas as pd

    text = cells.str.replace(",", ".", regex=False) if decimal == "," else cells
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _integers(cells: Any) -> tuple[Int64Array, NDArray[np.bool_]]:
    """Nanoseconds since 1970 do not fit a float: they are read as integers."""
    told = cells.str.fullmatch(r"\s*\d{1,18}\s*|\s*[1-8]\d{18}\s*").to_numpy(bool)
    out = np.zeros(len(cells), np.int64)
    out[told] = np.array([int(cell) for cell in cells[told]], dtype=np.int64)
    return out, told
