"""Rows of a coding sheet: columns found by name, cells as frames or words, oddities put down as they are met."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from modalities.face.corpora.sample import FAULTS, OddRow
from modalities.face.corpora.shelf import Table

Columns = Mapping[str, Sequence[str]]
"""Field -> names that its column may have, in the form that `bare` gives."""

_PREAMBLE = 30
"""Rows in which the header is looked for; SAMM has 13 lines of text before it."""
_UNCODED = frozenset(("", "/", "\\", "-", "--", "?", "nan", "n/a", "na", "none", "null"))


def bare(name: str) -> str:
    """A column name as compared: letters and digits in lower case, "Onset Frame" gives "onsetframe"."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKC", name).casefold())


@dataclass(frozen=True)
class Header:
    """Where the columns of a table are.

    Attributes:
        row: Index of the row of names; -1 where there is none.
        at: Field -> index of its column.
        names: Name of each column, "column 3" where it has none.
    """

    row: int
    at: Mapping[str, int]
    names: tuple[str, ...]


def find_header(table: Table, columns: Columns, required: Sequence[str]) -> Header | None:
    """The first row that names all required fields; None where there is none.

    A required "a|b" asks for one of the two.
    """
    for number, row in enumerate(table.grid[:_PREAMBLE]):
        names = [bare(cell) for cell in row]
        at: dict[str, int] = {}
        for field, known in columns.items():
            place = next((names.index(one) for one in known if one in names), None)
            if place is not None and place not in at.values():
                at[field] = place
        if all(any(one in at for one in field.split("|")) for field in required):
            return Header(number, at, tuple(cell or f"column {k + 1}" for k, cell in enumerate(row)))
    return None


def fixed_header(fields: Sequence[str]) -> Header:
    """The header of a table without one, whose columns are known by their order."""
    return Header(-1, {field: at for at, field in enumerate(fields)}, tuple(fields))


class Oddities:
    """Collects what is odd in the sheets of one corpus."""

    def __init__(self) -> None:
        self.found: list[OddRow] = []

    def note(self, file: str, row: int, column: str, got: str, fault: str, reason: str = "") -> None:
        """Put one cell down; without a reason it is that of the fault."""
        self.found.append(OddRow(file, row, column, got, fault, reason or FAULTS[fault]))


@dataclass(frozen=True)
class Row:
    """One row of a sheet.

    Attributes:
        table: The sheet.
        header: Its columns.
        number: Of the row as a spreadsheet shows it, from 1.
        cells: Text of the cells.
        odd: Where oddities go.
    """

    table: Table
    header: Header
    number: int
    cells: Sequence[str]
    odd: Oddities

    def get(self, field: str) -> str:
        """Text of a field; empty where the sheet has no such column."""
        at = self.header.at.get(field)
        return self.cells[at] if at is not None and at < len(self.cells) else ""

    def has(self, field: str) -> bool:
        """Whether the sheet has such a column."""
        return field in self.header.at

    @property
    def source(self) -> str:
        """Sheet and number of the row."""
        return f"{self.table.label}:{self.number}"

    def note(self, field: str, fault: str, reason: str = "", got: str | None = None) -> None:
        """Put a cell of this row down as odd."""
        at = self.header.at.get(field)
        name = field if at is None else self.header.names[at]
        self.odd.note(self.table.label, self.number, name, self.get(field) if got is None else got, fault, reason)

    def frame(self, field: str, needed: bool = True) -> int | None:
        """A frame number; None where it is not coded or no whole number, which is put down.

        Args:
            field: Which.
            needed: Put down also that it is not coded; not done for columns that the sheet does not have.
        """
        if not self.has(field):
            return None
        text = self.get(field)
        if text.lower() in _UNCODED:
            if needed:
                self.note(field, "missing_frame")
            return None
        number = whole(text)
        if number is None:
            self.note(field, "no_number")
        elif number < 0:
            self.note(field, "negative_frame")
            return None
        return number

    def frames(self) -> tuple[int | None, int | None, int | None]:
        """Onset, apex and offset, what contradicts their order put down.

        0 is read as "not coded" where it cannot be a frame, since it would come before the onset.
        """
        onset, apex, offset = self.frame("onset"), self.frame("apex"), self.frame("offset")
        if onset == 0:
            self.note("onset", "onset_zero")
        if offset == 0 and onset != 0:
            self.note("offset", "offset_zero")
            offset = None
        if apex == 0 and onset != 0:
            self.note("apex", "apex_zero")
            apex = None
        if onset is not None and offset is not None and offset <= onset:
            self.note("offset", "offset_not_after_onset", got=f"{onset} to {offset}")
        if apex is not None:
            early, late = onset is not None and apex < onset, offset is not None and apex > offset
            if early or late:
                self.note("apex", "apex_outside", got=f"{onset}, {apex}, {offset}")
        return onset, apex, offset

    def rest(self, used: Sequence[str]) -> dict[str, str]:
        """Cells of the columns that no field in `used` takes, by column name; empty ones left out."""
        taken = {self.header.at[field] for field in used if field in self.header.at}
        return {
            self.header.names[at]: cell
            for at, cell in enumerate(self.cells)
            if cell and at not in taken and at < len(self.header.names)
        }


def rows_of(
    table: Table, header: Header, odd: Oddities, keep: Callable[[Row], bool] | None = None
) -> Iterator[Row]:  # fmt: skip
    """The rows below the header that have any cell, or that `keep` keeps."""
    for at, cells in enumerate(table.grid):
        if at > header.row and any(cells):
            row = Row(table, header, at + 1, cells, odd)
            if keep is None or keep(row):
                yield row


def whole(text: str) -> int | None:
    """A whole number as a sheet may write it: "46", "46.0"; None for anything else."""
    match = re.fullmatch(r"\s*([+-]?\d{1,15})(?:\.0*)?\s*", text)
    return int(match.group(1)) if match else None
