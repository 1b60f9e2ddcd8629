"""Composed identifiers taken apart: subject, item and nuisances by the named groups of a regular expression."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from data_schemas.errors import InvalidValueError, MissingTrackError
from pipeline.study.table import Words

if TYPE_CHECKING:
    import pandas as pd


def parse_identifier(frame: pd.DataFrame, rule: str, file: object) -> tuple[str, pd.DataFrame, pd.Series | None]:
    """The identifier's column, its named groups, and the item with what no group took.

    Raises:
        TelltaleError: the rule is none, fits no cell, or names columns that are there already.
    """
    import pandas as pd

    column, _, pattern = rule.partition("=")
    column = column.strip()
    if not pattern:
        raise InvalidValueError("a rule of --parse has no '='", got=rule, expected="COLUMN=REGEX with named groups")
    check_columns(frame, [column], file)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InvalidValueError("the pattern of --parse is no regular expression", got=f"{pattern}: {error}") from error
    if not compiled.groupindex:
        raise InvalidValueError("the pattern of --parse has no named group", got=pattern, expected="(?P<subject>...)")
    rows, rests, failed = [], [], []
    for text in frame[column].astype(str):
        match = compiled.search(text)
        if match is None:
            failed.append(text)
            rows.append(dict.fromkeys(compiled.groupindex))
            rests.append("")
            continue
        rows.append(dict(match.groupdict()))
        rests.append(_rest(text, match))
    if len(failed) == len(frame):
        raise InvalidValueError(
            f"the pattern of --parse fits no cell of '{column}'", file=file, got=failed[0], expected=pattern
        )
    groups = pd.DataFrame(rows, index=frame.index)
    rest = pd.Series(rests, index=frame.index)
    taken = sorted(set(groups.columns) & set(frame.columns))
    if taken:
        raise InvalidValueError("groups of --parse are columns already", file=file, got=", ".join(taken))
    finer = groups["item"].astype(str) + rest if "item" in groups else None
    return column, groups, finer


def _rest(text: str, match: re.Match[str]) -> str:
    """What no named group took, without separators."""
    kept = list(text)
    for name in match.re.groupindex:
        start, end = match.span(name)
        for at in range(max(start, 0), max(end, 0)):
            kept[at] = " "
    return re.sub(r"[\s_.,;:/\\-]+", "", "".join(kept))


def finer_item(version: pd.Series | None, frame: pd.DataFrame, subject: str, item: str | None) -> Words | None:
    """The item as the identifier writes it, where it is finer than the item and shared between people."""
    if version is None or item is None or version.nunique() <= frame[item].nunique():
        return None
    people = frame[subject].groupby(version).transform("nunique")
    return words_of(version) if float((people >= 2).mean()) >= 0.5 else None


def check_columns(frame: pd.DataFrame, names: Sequence[str], file: object) -> None:
    """Return if the table has all these columns.

    Raises:
        MissingTrackError: it has not.
    """
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise MissingTrackError(
            "the table has no such column",
            file=file,
            got=", ".join(absent),
            expected=_offered(absent, [str(name) for name in frame.columns]),
        )


def _offered(absent: Sequence[str], there: Sequence[str], shown: int = 12) -> str:
    """The names nearest to those that are absent, in any case of letters, or the first of all; how many there are."""
    lower = {name.lower(): name for name in there}
    near = [lower[one] for name in absent for one in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
    if near:
        return f"{', '.join(dict.fromkeys(near))} (nearest of {len(there)} columns)"
    return ", ".join(there[:shown]) + (f" ... ({len(there)} columns)" if len(there) > shown else "")


def words_of(column: pd.Series) -> Words:
    """Text of every cell; whole numbers without a point."""
    if column.dtype.kind == "f" and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    return column.astype(str).to_numpy(dtype=object)
