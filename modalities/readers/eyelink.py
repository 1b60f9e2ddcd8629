"""EyeLink ASC files: samples, blinks and messages, as SR Research's converter edf2asc writes them.

Layout after SR Research, EyeLink User Manual, "The ASC file format": preamble lines begin with "**"; `START` and `END`
enclose each recording; `SAMPLES GAZE LEFT RIGHT RATE 500.00 ...` says which eyes a sample has; a sample is its time in
ms, then x, y, pupil of each eye ("." for none); `SBLINK`/`EBLINK`, `ESACC`, `EFIX` are events; `MSG` are the
experiment's messages. Gaze is in pixels of the screen, pupil in arbitrary units of area or diameter.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError
from data_schemas.stream import Mark
from modalities.readers.eye_data import EyeData, both_eyes
from modalities.readers.text_lines import lines_of

_MS = 1_000_000
_UNITS = {"GAZE": "px", "HREF": "href", "PUPIL": "pupil px"}


@dataclass
class _Reading:
    """What was met so far."""

    eyes: tuple[str, ...] = ()
    space: str = "GAZE"
    rate_hz: float | None = None
    cells: array[float] = field(default_factory=lambda: array("d"))
    marks: list[Mark] = field(default_factory=list)
    blinks: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: {"left": [], "right": []})
    changed: bool = False


def read_eyelink(path: Path) -> EyeData:
    """All samples, blinks and messages of an ASC file.

    Raises:
        UnreadableFileError: it holds neither samples nor messages.
    """
    met = _Reading()
    for line in lines_of(path):
        if line[:1].isdigit():
            _sample(met, line)
        elif line:
            _event(met, line)
    rows = np.frombuffer(met.cells, np.float64).reshape(-1, 1 + 3 * max(1, len(met.eyes)))
    if not len(rows) and not met.marks:
        raise UnreadableFileError(
            "the EyeLink file holds no samples and no messages",
            file=path,
            mend="Convert the EDF again with samples and events.",
        )
    return _assembled(met, rows)


def _sample(met: _Reading, line: str) -> None:
    width = 3 * len(met.eyes)
    cells = line.split()
    if not width or len(cells) < 1 + width:
        return
    try:
        time = float(cells[0])
    except ValueError:
        return
    met.cells.append(time)
    met.cells.extend(_number(cell) for cell in cells[1 : 1 + width])


def _event(met: _Reading, line: str) -> None:
    words = line.split()
    head = words[0]
    if head == "MSG" and len(words) > 2:
        _message(met, line)
    elif head == "SAMPLES":
        eyes = tuple(word.lower() for word in words if word in ("LEFT", "RIGHT"))
        if met.eyes and eyes != met.eyes and met.cells:
            met.changed = True
            return
        met.eyes = eyes or met.eyes
        met.space = next((word for word in words if word in _UNITS), "GAZE")
        rate = re.search(r"RATE\s+([\d.]+)", line)
        met.rate_hz = float(rate.group(1)) if rate else met.rate_hz
    elif head in ("EBLINK", "ESACC", "EFIX") and len(words) >= 4:
        _span(met, head, words)


def _message(met: _Reading, line: str) -> None:
    found = re.match(r"MSG\s+(\d+(?:\.\d+)?)\s+(.*)", line)
    if found is None:
        return
    text, time = found.group(2).strip(), float(found.group(1))
    ahead = re.match(r"(-?\d+)\s+(\S.*)", text)
    if ahead is not None and not text.startswith("!"):
        # A leading number is by how many ms the message came after what it speaks of.
        time, text = time - float(ahead.group(1)), ahead.group(2)
    met.marks.append(Mark(round(time * _MS), 0, text))


def _span(met: _Reading, head: str, words: list[str]) -> None:
    try:
        start, end = float(words[2]), float(words[3])
    except ValueError:
        return
    eye = "left" if words[1] == "L" else "right"
    label = {"EBLINK": "blink", "ESACC": "saccade", "EFIX": "fixation"}[head]
    if label == "blink":
        met.blinks[eye].append((start, end))
        met.marks.append(Mark(round(start * _MS), max(1, round((end - start) * _MS)), label, {"eye": eye}))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _assembled(met: _Reading, rows: NDArray[np.float64]) -> EyeData:
    times = rows[:, 0]
    values: dict[str, NDArray[np.float64]] = {}
    masks: dict[str, NDArray[np.bool_]] = {}
    for at, eye in enumerate(met.eyes):
        x, y, pupil = (rows[:, 1 + 3 * at + k] for k in range(3))
        open_ = np.isfinite(x) & np.isfinite(y) & (pupil > 0)
        for start, end in met.blinks[eye]:
            open_[np.searchsorted(times, start) : np.searchsorted(times, end, side="right")] = False
        values |= {f"gaze_x_{eye}": x, f"gaze_y_{eye}": y, f"pupil_{eye}": pupil}
        masks |= dict.fromkeys((f"gaze_x_{eye}", f"gaze_y_{eye}", f"pupil_{eye}"), open_)
    notes = []
    if met.changed:
        notes.append("the recorded eyes change within the file: the samples of later recordings may be incomplete")
    unit = _UNITS[met.space]
    units = {name: unit if name.startswith("gaze") else "1" for name in values}
    return both_eyes(
        EyeData(
            times_ns=np.rint(times * _MS).astype(np.int64),
            values=values,
            masks=masks,
            units=units,
            step_ns=float(_MS) if np.all(times == np.rint(times)) else _MS / 10,
            rate_hz=met.rate_hz,
            marks=tuple(met.marks),
            notes=tuple(notes),
            maker="EyeLink",
        )
    )
