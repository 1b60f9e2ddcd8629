"""Columns of numbers from text tables: only those asked for, in pieces, bad cells masked and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import TelltaleError, UnreadableFileError
from modalities.readers.delimited import MISSING, TableForm, open_pieces

if TYPE_CHECKING:
    from pandas.io.parsers import TextFileReader


@dataclass(frozen=True, eq=False)
class Columns:
    """Numbers from a table.

    Attributes:
        values: float64 (n, c), 0 where invalid.
        mask: bool (n, c): True where the cell is a finite number.
        notes: What was not a number, and rows that were passed over.
    """

    values: NDArray[np.float64]
    mask: NDArray[np.bool_]
    notes: tuple[str, ...]


def read_columns(path: Path, form: TableForm, which: Sequence[int]) -> Columns:
    """Read some columns of a table.

    Args:
        path: The file.
        form: How it is written.
        which: Numbers of the columns, from 0, in the order wanted.

    Raises:
        UnreadableFileError: there is no row, or a column holds no number at all.
    """
    import pandas as pd

    order = sorted(set(which))
    pieces: list[NDArray[np.float64]] = []
    odd: dict[int, list[tuple[int, str]]] = {at: [] for at in order}
    odd_count = dict.fromkeys(order, 0)
    rows = 0
    notes: list[str] = []
    try:
        for frame in _pieces(path, form, order):
            block = np.empty((len(frame), len(order)))
            for place, at in enumerate(order):
                block[:, place], bad = _numbers(frame[at], form.decimal)
                odd_count[at] += len(bad)
                odd[at] += [(rows + row, cell) for row, cell in bad[:3]]
            pieces.append(block)
            rows += len(frame)
    except pd.errors.EmptyDataError:
        pass
    except TelltaleError:  # what a packed table holds is too much
        raise
    except (OSError, ValueError, EOFError) as error:
        if not pieces:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise UnreadableFileError("the table cannot be read", file=path, got=said) from error
        notes.append(f"the table breaks off after {rows} rows ({str(error).splitlines()[0]}); they were read")
    if not rows:
        raise UnreadableFileError("the table has no row of data", file=path)
    values = np.concatenate(pieces)
    mask = np.isfinite(values)
    for place, at in enumerate(order):
        if not mask[:, place].any():
            raise UnreadableFileError(f"the column '{form.names[at]}' holds no number", file=path)
        if odd_count[at]:
            row, cell = odd[at][0]
            where = f"the first in row {row + 1} ('{cell[:20]}')"
            notes.append(f"{odd_count[at]} cells of '{form.names[at]}' are no numbers, {where}: masked")
    picked = [order.index(at) for at in which]
    return Columns(np.where(mask, values, 0.0)[:, picked], mask[:, picked], tuple(notes))


def _pieces(path: Path, form: TableForm, order: Sequence[int]) -> TextFileReader:
    missing = [word for word in MISSING if word]
    return open_pieces(path, form, order, decimal=form.decimal, na_values=missing, low_memory=False)


def _numbers(cells: Any, decimal: str) -> tuple[NDArray[np.float64], list[tuple[int, str]]]:
    """One column as float64 with NaN where it is no finite number, and the cells that are text."""
    import pandas as pd

    if cells.dtype.kind in "fiu":
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(values), values, np.nan), []
    text = cells.astype("string").str.strip()
    tidy = text.str.replace(",", ".", regex=False) if decimal == "," else text
    values = pd.to_numeric(tidy, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(
        ~np.isfinite(values) & ~text.isna().to_numpy() & ~text.str.lower().isin(list(MISSING)).to_numpy(bool)
    )
    return np.where(np.isfinite(values), values, np.nan), [(int(row), str(text.iloc[row])) for row in bad]


def distinct(names: Sequence[str]) -> list[str]:
    """Names of columns, made different where a device gives one name twice: by the column's number, counted from 1."""
    out: list[str] = []
    for at, name in enumerate(names):
        other = name if names.index(name) == at else f"{name}_{at + 1}"
        while other in out:
            other += "_"
        out.append(other)
    return out
