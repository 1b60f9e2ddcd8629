"""The lab's table of labels: which stretch or question of which session and person, and what it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_schemas.errors import (
    InvalidValueError,
    MissingFileError,
    MissingTrackError,
    NothingUsableError,
    UnreadableFileError,
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "session": ("session", "session_id"),
    "person": ("person", "subject", "participant", "participant_id", "subject_id"),
    "onset_s": ("onset_s", "onset", "start_s", "start"),
    "offset_s": ("offset_s", "offset", "end_s", "end"),
    "item": ("question", "item", "stimulus", "cue"),
}
"""What a column may be called; the first that is there is taken."""
POSITIVE_WORDS = (
    "hidden", "concealed", "conceal", "suppressed", "suppress", "lie", "lying", "deceptive", "deception", "false",
    "guilty", "probe", "yes", "true", "1",
)  # fmt: skip
"""Words for the positive class of two: the first of them that occurs; else the later class in order."""
MOST_CLASSES = 6
LEAST_ROWS = 10


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of the table.

    Attributes:
        line: Its number in the file, from 1 for the header.
        session: Name of the session; "" where the table has no such column.
        person: Whom it concerns; "" where the table has no such column.
        onset_s: Start on the session clock; None where the row names an item.
        offset_s: End.
        item: Label of the question or stimulus.
        label: The lab's word.
    """

    line: int
    session: str
    person: str
    onset_s: float | None
    offset_s: float | None
    item: str
    label: str


@dataclass(frozen=True)
class LabelTable:
    """The whole table.

    Attributes:
        file: Where it was read from.
        column: Name of the label's column.
        classes: The lab's words, in order.
        positive: Index of the positive class of two; None for more.
        rows: Lines with a label.
        unlabelled: How many lines have none.
    """

    file: Path
    column: str
    classes: tuple[str, ...]
    positive: int | None
    rows: tuple[LabelRow, ...]
    unlabelled: int = 0


def read_labels(path: Path, column: str = "label", positive: str | None = None) -> LabelTable:
    """Read a table of labels (CSV or TSV, UTF-8, with a header).

    Args:
        path: Columns `session` and `person` (one of them may be left out), `onset_s` and `offset_s` or `question` (or
            `item`), and the label's; other names are in `COLUMNS`.
        column: The label's column.
        positive: Which of two classes the probability is of.

    Raises:
        MissingFileError: it is not there.
        UnreadableFileError: it is no such table.
        MissingTrackError: a column is missing.
        InvalidValueError: a time is wrong, or the label has one value, or more than six.
        NothingUsableError: fewer than ten labelled lines.
    """
    frame = _frame(path)
    names = {key: next((one for one in known if one in frame.columns), None) for key, known in COLUMNS.items()}
    if column not in frame.columns:
        raise MissingTrackError(
            f"the table has no column '{column}'", file=path, got=", ".join(map(str, frame.columns)),
            mend="Name the label's column with --label.",
        )  # fmt: skip
    if names["session"] is None and names["person"] is None:
        raise MissingTrackError(
            "the table does not say whose labels these are", file=path, expected="a column session, person, or both"
        )
    timed = names["onset_s"] is not None and names["offset_s"] is not None
    if not timed and names["item"] is None:
        raise MissingTrackError(
            "the table does not say when", file=path, expected="columns onset_s and offset_s, or a column question"
        )
    rows, unlabelled = [], 0
    for line, cells in enumerate(frame.to_dict("records"), 2):
        word = _text(cells[column])
        if not word:
            unlabelled += 1
            continue
        onset, offset = (_seconds(cells, names[key], path, line) for key in ("onset_s", "offset_s"))
        item = _text(cells[names["item"]]) if names["item"] else ""
        if onset is not None and offset is not None and offset <= onset:
            raise InvalidValueError(f"line {line} ends before it begins", file=path, got=f"{onset:g} to {offset:g} s")
        if (onset is None or offset is None) and not item:
            raise InvalidValueError(f"line {line} has neither times nor a question", file=path)
        who = {key: _text(cells[name]) if name else "" for key, name in names.items() if key in ("session", "person")}
        rows.append(LabelRow(line, who["session"], who["person"], onset, offset, item, word))
    classes = tuple(sorted({row.label for row in rows}, key=_order))
    if len(classes) == 1 or len(classes) > MOST_CLASSES:
        raise InvalidValueError(
            f"the label '{column}' has {len(classes)} different values", file=path, got=", ".join(classes[:8]),
            expected=f"2 to {MOST_CLASSES} classes", mend="Name another column with --label, or put values together.",
        )  # fmt: skip
    if len(rows) < LEAST_ROWS:
        raise NothingUsableError(f"only {len(rows)} lines carry a label", file=path, expected=f"{LEAST_ROWS} or more")
    return LabelTable(path, column, classes, _positive(classes, positive, path), tuple(rows), unlabelled)


def _positive(classes: Sequence[str], stated: str | None, path: Path) -> int | None:
    if stated is not None and stated not in classes:
        raise InvalidValueError("the positive class does not occur", file=path, got=stated, expected=", ".join(classes))
    if len(classes) > 2:
        if stated is not None:
            raise InvalidValueError("a label of more than two classes has no positive one", file=path, got=stated)
        return None
    if stated is not None:
        return classes.index(stated)
    low = [one.lower() for one in classes]
    return next((low.index(word) for word in POSITIVE_WORDS if word in low), 1)


def _frame(path: Path) -> Any:
    import pandas as pd

    if not path.is_file():
        raise MissingFileError(
            "there is no table of labels", file=path,
            mend="Name it with --labels; its columns are session, person, onset_s, offset_s (or question) and label.",
        )  # fmt: skip
    try:
        sep = "\t" if path.suffix.lower() == ".tsv" else ","
        frame = pd.read_csv(path, sep=sep, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UnreadableFileError("the file cannot be read as a table", file=path, got=str(error)[:200]) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def _text(cell: object) -> str:
    text = str(cell).strip()
    return "" if text.lower() in ("", "n/a", "na", "nan") else text


def _seconds(cells: dict[str, Any], name: str | None, path: Path, line: int) -> float | None:
    text = _text(cells[name]) if name else ""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise InvalidValueError(f"line {line}: {name} is no number", file=path, got=text) from error
    if not abs(value) < 1e9:
        raise InvalidValueError(f"line {line}: {name} is no time", file=path, got=text)
    return value


def _order(word: str) -> tuple[float, str]:
    try:
        return (float(word), word)
    except ValueError:
        return (float("inf"), word)
