"""A table of cues from a file: which column is what, and what is left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import (
    InvalidValueError,
    MissingFileError,
    NothingUsableError,
    UnreadableFileError,
)
from pipeline.study.parsing import check_columns, finer_item, parse_identifier, words_of
from pipeline.study.roles import FOLD_NAMES, IDENTIFIER_NAMES, MANY_MISSING, NUISANCE_NAMES, Roles, order_values
from pipeline.study.table import MISSING_MOST, StudyTable, check_label, check_people

if TYPE_CHECKING:
    import pandas as pd


def load_frame(path: Path) -> pd.DataFrame:
    """A table of CSV, TSV or parquet.

    Raises:
        MissingFileError: it does not exist.
        UnreadableFileError: it is no table.
        NothingUsableError: it has no row.
    """
    import pandas as pd
    import pyarrow as pa

    if not path.is_file():
        raise MissingFileError("there is no such table", file=path)
    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
        else:
            with path.open(encoding="utf-8-sig") as file:
                head = file.readline()
            separator = max(",;\t", key=head.count)
            frame = pd.read_csv(path, sep=separator, encoding="utf-8-sig", low_memory=False)
    except (ValueError, pd.errors.ParserError, pa.ArrowException, UnicodeDecodeError) as error:
        raise UnreadableFileError("the file cannot be read as a table", file=path, got=str(error)) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    twice = sorted({name for name in frame.columns if list(frame.columns).count(name) > 1})
    if twice:
        raise InvalidValueError("columns of the same name", file=path, got=", ".join(twice))
    if not len(frame):
        raise NothingUsableError("the table has no row", file=path)
    return frame


def read_cues(path: Path, roles: Roles) -> StudyTable:
    """The table of a study from a file of cues.

    Raises:
        TelltaleError: a named column is missing, the label has not two values, there is one single person, no cue is
            left; says which and how to mend it.
    """
    from pipeline.provenance import hash_file

    table = assemble(load_frame(path), roles, path)
    return _replaced(table, inputs={path.name: hash_file(path)})


def read_unlabelled(path: Path, roles: Roles) -> tuple[StudyTable, bool]:
    """The same before the labels are joined, and whether they are there already; labels of this table mean nothing."""
    from pipeline.provenance import hash_file

    if roles.label is None:
        raise InvalidValueError(
            "a plan names the label, also where it is not there yet", file=path, mend="--label NAME"
        )
    frame = load_frame(path)
    labelled = roles.label in frame.columns
    if not labelled:
        frame[roles.label] = np.resize(roles.contrast or ("0", "1"), len(frame))
    return _replaced(assemble(frame, roles, path), inputs={path.name: hash_file(path)}), labelled


def assemble(frame: pd.DataFrame, roles: Roles, file: object = None) -> StudyTable:
    """The table of a study from a frame; see `read_cues`."""
    notes: list[str] = []
    frame = frame.copy()
    parsed: list[str] = []
    version: pd.Series | None = None
    whole: str | None = None
    if roles.parse:
        whole, groups, version = parse_identifier(frame, roles.parse, file)
        for name in groups.columns:
            frame[name] = groups[name]
            parsed.append(name)
    label, assumed = _label_column(frame, roles, parsed, file)
    notes += assumed
    subject = roles.subject or ("subject" if "subject" in parsed else None)
    item = roles.item or ("item" if "item" in parsed else None)
    if subject is None:
        raise InvalidValueError(
            "nobody says which column holds the people",
            file=file,
            mend="Name it with --subject, or take it out of an identifier with --parse 'COLUMN=(?P<subject>...)'.",
        )
    named = [name for name in (label, subject, item, *roles.nuisance, roles.folds) if name is not None]
    check_columns(frame, named, file)
    known = frame[label].notna() & frame[subject].notna()
    if item is not None:
        known &= frame[item].notna()
    if not known.all():
        notes.append(f"{int((~known).sum())} of {len(frame)} rows without label, subject or item were left out.")
    frame = frame[known]
    version = version[known] if version is not None else None
    check_people(words_of(frame[subject]), subject, file)
    words = words_of(frame[label])
    check_label(list(words), label, roles.contrast, file)
    if roles.contrast:
        kept = np.isin(words.astype(str), roles.contrast)
        if not kept.all():
            notes.append(f"{int((~kept).sum())} rows with other labels than {' and '.join(roles.contrast)} left out.")
        frame, words = frame[kept], words[kept]
        version = version[kept] if version is not None else None
        check_people(words_of(frame[subject]), subject, file)
    values = tuple(roles.contrast) if roles.contrast else order_values(list(words))
    folds = roles.folds or next((name for name in frame.columns if name.lower() in FOLD_NAMES), None)
    taken = {label, subject, item, folds, whole, *parsed}
    nuisance = [name for name in (*roles.nuisance, *parsed) if name not in (label, subject, item)]
    for name in frame.columns:
        if name not in taken and name not in nuisance and name.lower() in NUISANCE_NAMES:
            nuisance.append(name)
            notes.append(f"Column '{name}' was taken as a nuisance by its name.")
    cues, texts, left_out = _split_columns(frame, [name for name in frame.columns if name not in {*taken, *nuisance}])
    notes += left_out
    texts += [name for name in (whole,) if name is not None]
    if not len(cues.columns):
        raise NothingUsableError("the table has no numeric column left as a cue", file=file, got="; ".join(left_out))
    many = [str(name) for name in cues.columns if cues[name].isna().mean() > MISSING_MOST]
    share = float(cues.isna().to_numpy().mean())
    if not many and share > MANY_MISSING:
        notes.append(f"{share:.0%} of all cue cells are missing; to predict, they are filled with the training mean.")
    if many:
        notes.append(
            f"{share:.0%} of all cue cells are missing; {_listed(many)} with more than {MISSING_MOST:.0%} missing "
            f"{'is' if len(many) == 1 else 'are'} described, but not used to predict: most would be invented."
        )
    return StudyTable(
        cues=cues.reset_index(drop=True),
        label=(words.astype(str) == values[1]).astype(np.int64),
        label_name=label,
        label_values=(values[0], values[1]),
        subject=words_of(frame[subject]),
        item=words_of(frame[item]) if item is not None else None,
        version=finer_item(version, frame, subject, item),
        nuisance=frame[list(dict.fromkeys(nuisance))].reset_index(drop=True),
        identifiers=frame[list(dict.fromkeys(texts))].astype(str).reset_index(drop=True),
        folds=words_of(frame[folds]) if folds is not None else None,
        notes=tuple(notes),
        missing=bool(many),
    )


def _label_column(frame: pd.DataFrame, roles: Roles, parsed: Sequence[str], file: object) -> tuple[str, list[str]]:
    if roles.label is not None:
        return roles.label, []
    if "label" in parsed:
        return "label", []
    taken = {roles.subject, roles.item, roles.folds, *roles.nuisance, *parsed}
    columns = [name for name in frame.columns if name not in taken and name.lower() not in NUISANCE_NAMES]
    two = [name for name in columns if frame[name].nunique() == 2]
    if len(two) == 1:
        return two[0], [f"Column '{two[0]}' was taken as the label: it is the only one with two values."]
    raise InvalidValueError(
        "nobody says which column holds the label",
        file=file,
        got="columns with two values: " + (", ".join(two[:10]) or "none"),
        mend="Name it with --label.",
    )


def _split_columns(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Numeric cues, columns of text, and sentences on what was left out."""
    import pandas as pd

    cues: dict[str, Any] = {}
    texts, constant, empty = [], [], []
    for name in names:
        if name.lower() in IDENTIFIER_NAMES or name.lower().endswith("_id"):
            texts.append(name)
            continue
        numbers = pd.to_numeric(frame[name], errors="coerce").replace([np.inf, -np.inf], np.nan).astype(np.float64)
        filled = frame[name].notna()
        if not filled.any():
            empty.append(name)
        elif frame[name].nunique() < 2:
            constant.append(name)
        elif numbers[filled].notna().mean() < 0.5:
            texts.append(name)
        elif numbers.nunique() < 2:
            constant.append(name)
        else:
            cues[name] = numbers
    told = []
    for kind, left in (("constant", constant), ("empty", empty)):
        if left:
            told.append(f"{len(left)} {kind} column{'s' * (len(left) > 1)} left out: {_listed(left)}.")
    if texts:
        told.append(f"Taken as identifiers, not as cues: {_listed(texts)}.")
    return pd.DataFrame(cues, index=frame.index), texts, told


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _replaced(table: StudyTable, **changes: Any) -> StudyTable:
    from dataclasses import replace

    return replace(table, **changes)
