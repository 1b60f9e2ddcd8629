"""Text tables: how they are written (delimiter, decimals, header, comments), and their cells as text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from data_schemas.errors import UnreadableFileError
from modalities.readers.labels import canonical_unit, unit_in_name
from modalities.readers.packed import Unpacked
from modalities.readers.sniff import looks_like_text

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.parsers import TextFileReader

MOST_COLUMNS = 20_000
_SAMPLE = 256 * 1024
_PIECE = 200_000
_COMMENTS = ("#", "%", "//", '"#')
_NUMBER = re.compile(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
_COMMA_NUMBER = re.compile(r"^\s*[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?\s*$")
MISSING = frozenset(("", "nan", "na", "n/a", "null", "none", "-", "--", ".", "?", "inf", "-inf", "#n/a"))
_UNIT_ROW = frozenset(("1", "mV", "uV", "V", "uS", "S", "degC", "degF", "K", "g", "m/s2", "s", "ms", "Hz", "bpm", "%"))


@dataclass(frozen=True)
class TableForm:
    """How a text table is written.

    Attributes:
        encoding: Of its text.
        delimiter: Between cells; " " means any run of white space.
        decimal: "." or ",".
        names: Column names; "column_1" ... where there is no header.
        units: Canonical unit of each column, "1" where not stated.
        first_row: Number of lines before the first row of data.
        has_header: The names come from the file.
        numeric: Whether each column holds numbers, judged by the first rows.
        sample: The first rows, as text.
    """

    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    first_row: int
    has_header: bool
    numeric: tuple[bool, ...]
    sample: tuple[tuple[str, ...], ...]


def open_text(path: Path) -> IO[bytes]:
    """The bytes of a table, unpacked where it is gzipped."""
    return Unpacked(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def sniff_table(path: Path, header: bool | None = None) -> TableForm:
    """Find out how a table is written from its first 256 KB.

    Args:
        path: The file, .gz or not.
        header: Whether it has a header, where that is known.

    Raises:
        UnreadableFileError: empty, binary, or without a row of cells.
    """
    try:
        with open_text(path) as handle:
            head = handle.read(_SAMPLE)
            more = bool(handle.read(1))
    except (OSError, EOFError) as error:
        raise UnreadableFileError("the table cannot be read", file=path, got=str(error)) from error
    if not head.strip():
        raise UnreadableFileError("the table is empty", file=path)
    text, encoding = _decode(head, path)
    lines = re.split(r"\r\n|\n|\r", text)
    if more and len(lines) > 1:
        lines.pop()
    start = 0
    while start < len(lines) and (not lines[start].strip() or lines[start].lstrip().startswith(_COMMENTS)):
        start += 1
    body = [line for line in lines[start:] if line.strip()][:400]
    if not body:
        raise UnreadableFileError("the table holds nothing but comments", file=path)
    delimiter = _delimiter(body)
    decimal = _decimal(body, delimiter)
    if decimal == "," and delimiter == ",":
        decimal = "."
    return _form(path, lines, start, encoding, delimiter, decimal, header)


def _decode(head: bytes, path: Path) -> tuple[str, str]:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace"), "utf-16"
    if not looks_like_text(head[:65536]):
        raise UnreadableFileError("the file is binary, not a table of text", file=path)
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return head.decode(encoding), encoding
        except UnicodeDecodeError as error:
            if encoding == "utf-8-sig" and error.start >= len(head) - 4:
                return head[: error.start].decode(encoding), encoding
    return head.decode("latin-1"), "latin-1"


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of one line, without surrounding white space and quotes."""
    if delimiter == " ":
        return line.split()
    try:
        row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        row = line.split(delimiter)
    return [cell.strip() for cell in row]


def _delimiter(body: list[str]) -> str:
    """The delimiter that cuts most lines into the same number of cells; " " for white space, "," for one column."""
    best, best_score = ",", (0.0, 0.0)
    some = body[:200]
    if len(some) > 1 and "," not in some[0] and all(_COMMA_NUMBER.match(line) for line in some[1:]):
        return "\t"
    for rank, delimiter in enumerate(("\t", ";", ",", "|", " ")):
        counts = Counter(len(cells_of(line, delimiter)) for line in some)
        width, times = max(counts.items(), key=lambda item: (item[1] if item[0] > 1 else 0, item[0]))
        if width < 2:
            continue
        share = times / len(some)
        if delimiter == " " and not all(is_number(cell) for cell in cells_of(some[-1], " ")):
            continue
        score = (round(share, 1), -rank)
        if share >= 0.5 and score > best_score:
            best, best_score = delimiter, score
    return best


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a cell is a finite number as written with this decimal mark."""
    return bool(_NUMBER.match(cell)) or (decimal == "," and bool(_COMMA_NUMBER.match(cell)))


def _decimal(body: list[str], delimiter: str) -> str:
    cells = [cell for line in body[:200] for cell in cells_of(line, delimiter)]
    commas = sum(1 for cell in cells if _COMMA_NUMBER.match(cell))
    points = sum(1 for cell in cells if "." in cell and _NUMBER.match(cell))
    return "," if commas > points else "."


def _form(
    path: Path, lines: list[str], start: int, encoding: str, delimiter: str, decimal: str, header: bool | None
) -> TableForm:
    rows = [(at, cells_of(line, delimiter)) for at, line in enumerate(lines) if at >= start and line.strip()]
    tail = [len(row) for _, row in rows[-200:]]
    width = Counter(tail).most_common(1)[0][0]
    if width > MOST_COLUMNS:
        raise UnreadableFileError("the table has too many columns", file=path, got=width, expected=f"{MOST_COLUMNS}")
    first = next(at for at, (_, row) in enumerate(rows) if len(row) == width)
    if width == 1:
        first = 0
    rows = rows[first:]
    body = [row for _, row in rows]
    named = header if header is not None else not any(is_number(cell, decimal) for cell in body[0])
    if header is None and named and len(body) > 1 and all(cell == "" for cell in body[0]):
        named = False
    names = list(body[0]) if named else []
    if not named and start and header is None:
        names = _from_comment(lines[start - 1], delimiter, width)
    data = 1 if named else 0
    units = ["1"] * width
    if named and len(body) > 2 and _is_unit_row(body[1], decimal) and any(is_number(cell, decimal) for cell in body[2]):
        units = [canonical_unit(cell.strip("()[]")) for cell in body[1]] + ["1"] * width
        data = 2
    trailing = width > 1 and all(len(row) < width or row[-1] == "" for row in body[data : data + 50]) and body[data:]
    if trailing and (not names or len(names) < width or names[-1] == ""):
        width -= 1
    names = _unique([(names[at] if at < len(names) else "") or f"column_{at + 1}" for at in range(width)])
    sample = tuple(tuple(row[:width]) for row in body[data : data + 200])
    units = [unit if unit != "1" else unit_in_name(name) for unit, name in zip(units, names, strict=False)]
    first_row = rows[data][0] if data < len(rows) else rows[-1][0] + 1
    return TableForm(
        encoding=encoding,
        delimiter=delimiter,
        decimal=decimal,
        names=tuple(names),
        units=tuple(units[:width]),
        first_row=first_row,
        has_header=named,
        numeric=tuple(_numeric([row[at] for row in sample if at < len(row)], decimal) for at in range(width)),
        sample=sample,
    )


def _from_comment(line: str, delimiter: str, width: int) -> list[str]:
    """Column names that stand in the last comment before the data."""
    text = re.sub(r'^\W*["#%/]+\s*', "", line.strip())
    cells = cells_of(text, delimiter)
    return cells if len(cells) == width and all(cell and not is_number(cell) for cell in cells) else []


def _is_unit_row(row: list[str], decimal: str) -> bool:
    known = [canonical_unit(cell.strip("()[]")) in _UNIT_ROW for cell in row]
    return all(known) and any(row) and not any(is_number(cell, decimal) for cell in row)


def _numeric(cells: list[str], decimal: str) -> bool:
    told = [cell for cell in cells if cell.lower() not in MISSING]
    return bool(told) and sum(is_number(cell, decimal) for cell in told) * 2 >= len(told)


def _unique(names: list[str]) -> list[str]:
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    out: list[str] = []
    for name in names:
        counts[name] += 1
        unique = name if name not in taken else f"{name}_{max(2, counts[name])}"
        while unique in taken:
            counts[name] += 1
            unique = f"{name}_{counts[name]}"
        taken.add(unique)
        out.append(unique)
    return out


def read_text_columns(path: Path, form: TableForm) -> list[list[str]]:
    """All rows as text, each with one cell per column; for tables of events, which are short.

    Raises:
        UnreadableFileError: the table cannot be read to its end.
    """
    frame = read_text_frame(path, form, range(len(form.names)))
    return [[str(cell).strip() for cell in row] for row in frame.itertuples(index=False, name=None)]


def read_text_frame(path: Path, form: TableForm, places: Iterable[int]) -> pd.DataFrame:
    """Some columns of a table as text, by their places; "" where a cell is missing, no rows where the table has none.

    Raises:
        UnreadableFileError: the table cannot be read to its end.
    """
    import pandas as pd

    columns = list(places)
    try:
        pieces = list(open_pieces(path, form, columns, dtype=str, keep_default_na=False, na_filter=False))
    except pd.errors.EmptyDataError:
        pieces = []
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableFileError("the table cannot be read", file=path, got=str(error).splitlines()[0]) from error
    if not pieces:
        return pd.DataFrame({column: [] for column in columns}, dtype=str)
    return pd.concat(pieces, ignore_index=True).fillna("")


def open_pieces(path: Path, form: TableForm, places: Iterable[int], **cells: Any) -> TextFileReader:
    """Some columns of a table, by their places, in pieces of 200,000 rows; `cells` says how pandas reads a cell."""
    import pandas as pd

    return pd.read_csv(
        open_text(path) if path.suffix.lower() == ".gz" else path,
        sep=r"\s+" if form.delimiter == " " else form.delimiter,
        header=None,
        names=list(range(len(form.names))),
        usecols=list(places),
        skiprows=form.first_row,
        encoding=form.encoding,
        encoding_errors="replace",
        index_col=False,
        skipinitialspace=True,
        on_bad_lines="skip",
        chunksize=_PIECE,
        **cells,
    )
