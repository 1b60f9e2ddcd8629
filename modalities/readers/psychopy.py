"""PsychoPy's tables of trials and its logs: what was shown and answered, when.

Layouts after PsychoPy's documentation ("Outputs", "Data analysis", "Logging data"). In the table each row is a pass of
a loop or routine; `<component>.started` and `.stopped` are seconds of the experiment's clock, `<response>.rt` seconds
after its start. In the log each line is seconds, level and message, between tabs; `autoDraw = True` and `False` say
when a component was on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_schemas.errors import UnreadableFileError
from data_schemas.stream import Mark
from data_schemas.time import to_ns
from modalities.readers.delimited import is_number, read_text_columns, sniff_table
from modalities.readers.text_lines import lines_of

_TIMES = (".started", ".stopped", ".rt")
_KEPT_OF_LOOPS = (".thisN", ".thisRepN", ".thisTrialN", ".thisIndex", ".ran", ".order")
_OF_SESSION = ("participant", "session", "date", "expName", "expStart", "psychopyVersion", "frameRate", "notes")
_LINE = re.compile(r"^\s*(\d+\.\d+)\s*\t\s*([A-Z]+)\s*\t\s*(.*)$")
_DRAW = re.compile(r"^(\S+): autoDraw = (True|False)\s*$")
_TEXT = re.compile(r"^(\S+): (?:text|image|movie|sound|setText|setImage) ?=? ?(.*)$")
_KEY = re.compile(r"^(?:Keypress|Mouse: .*button down.*?|Button): ?(.*)$")


def read_table(path: Path) -> tuple[list[Mark], list[str]]:
    """Components and answers of a table of trials, in order, and notes.

    Raises:
        UnreadableFileError: no row has an onset.
    """
    form = sniff_table(path, header=True)
    rows = [dict(zip(form.names, row, strict=True)) for row in read_text_columns(path, form)]
    components = [name.removesuffix(".started") for name in form.names if name.endswith(".started")]
    marks: list[Mark] = []
    for row in rows:
        about = _about(row, components)
        for name in components:
            started = _number(row.get(f"{name}.started", ""))
            if started is None:
                continue
            stopped = _number(row.get(f"{name}.stopped", ""))
            length = max(0.0, stopped - started) if stopped is not None else 0.0
            if f"{name}.rt" not in row:
                # A keyboard or mouse begins to listen: nothing happens then that anybody could see.
                marks.append(Mark(to_ns(started), to_ns(length), name, about))
            marks += _answer(row, name, started, about)
    if not marks:
        raise UnreadableFileError(
            "the PsychoPy table holds no onsets",
            file=path,
            expected="columns such as text.started",
            mend="Save onset and offset times of the components, or use the .log file of the same run.",
        )
    notes = [f"{len(rows)} rows of trials", "times count from the start of the experiment"]
    return marks, notes


def _about(row: Mapping[str, str], components: list[str]) -> dict[str, Any]:
    """What the row says beside times: conditions, and the numbers of its loops."""
    out: dict[str, Any] = {}
    for name, cell in row.items():
        owner, dot, what = name.rpartition(".")
        timed = name.endswith(_TIMES) or (dot and owner in components and what in ("started", "stopped", "rt", "keys"))
        loop = bool(dot) and name.endswith(_KEPT_OF_LOOPS)
        if not cell or timed or name in _OF_SESSION or name.startswith("column_"):
            continue
        if loop and what != "thisN":
            continue
        number = _number(cell)
        out[name] = cell if number is None else int(number) if number.is_integer() and "." not in cell else number
    return out


def _answer(row: Mapping[str, str], name: str, started: float, about: dict[str, Any]) -> list[Mark]:
    """The answers of a keyboard, mouse or slider: one per response time (a list where all keys were stored)."""
    times = _listed(row.get(f"{name}.rt", ""))
    keys = _listed(
        row.get(f"{name}.keys", "") or row.get(f"{name}.response", "") or row.get(f"{name}.clicked_name", "")
    )
    out = []
    for at, late in enumerate(times):
        number = _number(str(late))
        if number is None:
            continue
        given = str(keys[at]) if at < len(keys) else ""
        columns = {**about, "kind": "answer", "response": given}
        out.append(Mark(to_ns(started + number), 0, f"{name} {given}".strip(), columns))
    return out


def _listed(cell: str) -> list[Any]:
    if cell.startswith("["):
        try:
            value = ast.literal_eval(cell)
        except (ValueError, SyntaxError):
            return []
        return list(value) if isinstance(value, list) else []
    return [cell] if cell and cell != "None" else []


def read_log(path: Path) -> tuple[list[Mark], list[str]]:
    """Components, answers and trials of a log, in order, and notes.

    Raises:
        UnreadableFileError: nothing in it says what was shown or answered.
    """
    since: dict[str, float] = {}
    words: dict[str, str] = {}
    trial: dict[str, Any] = {}
    told: dict[str, dict[str, Any]] = {}
    marks: list[Mark] = []
    last = 0.0
    for line in lines_of(path):
        found = _LINE.match(line)
        if found is None:
            continue
        last, message = float(found.group(1)), found.group(3).strip()
        drawn, key, text = _DRAW.match(message), _KEY.match(message), _TEXT.match(message)
        if message.startswith("New trial"):
            trial = _conditions(message)
            marks.append(Mark(to_ns(last), 0, "trial", dict(trial)))
        elif drawn is not None and drawn.group(2) == "True":
            since.setdefault(drawn.group(1), last)
            told[drawn.group(1)] = dict(trial)
        elif drawn is not None and drawn.group(1) in since:
            marks.append(_shown(drawn.group(1), since, last, words, told))
        elif found.group(2) == "DATA" and key is not None:
            marks.append(Mark(to_ns(last), 0, key.group(1), {**trial, "kind": "answer", "response": key.group(1)}))
        elif text is not None:
            words[text.group(1)] = text.group(2).strip().strip("'\"")
    notes = [f"'{name}' was still on when the log ended" for name in since]
    marks += [_shown(name, since, last, words, told) for name in list(since)]
    if not marks:
        raise UnreadableFileError(
            "the PsychoPy log does not say what was shown or answered",
            file=path,
            mend="Log at level EXP or INFO, or use the .csv file of the same run.",
        )
    return sorted(marks, key=lambda mark: mark.onset_ns), [*notes, "times count from the start of the experiment"]


def _shown(
    name: str, since: dict[str, float], now: float, words: Mapping[str, str], told: Mapping[str, dict[str, Any]]
) -> Mark:
    start = since.pop(name)
    columns = dict(told.get(name, {}))
    if words.get(name):
        columns["content"] = words[name]
    return Mark(to_ns(start), max(1, to_ns(now - start)), name, columns)


def _conditions(message: str) -> dict[str, Any]:
    """The conditions of a trial as the log prints them: an ordered or plain dictionary, or pairs."""
    found = re.search(r"(\{.*\}|\[\(.*\)\])", message)
    if found is None:
        return {}
    try:
        value = ast.literal_eval(found.group(1))
        pairs = dict(value)
    except (ValueError, SyntaxError, TypeError):
        return {}
    return {str(name): cell for name, cell in pairs.items() if isinstance(cell, str | int | float | bool)}


def _number(cell: str) -> float | None:
    return float(cell) if is_number(cell) else None
