"""Cells of .xlsx workbooks (Office Open XML, ECMA-376 part 1, chapter 18): values as stored, no formats applied."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from data_schemas.errors import UnreadableFileError
from data_schemas.plain_xml import parse_xml

Grid = list[list[str]]
"""Text of the cells by row and column; the empty text where there is none."""

MOST_COLUMNS = 16_384
MOST_ROWS = 1_048_576
MOST_CELLS = 20_000_000
MOST_BYTES = 200_000_000
"""Unpacked size of one part that is still read; a coding sheet has a few hundred kB."""

_FAULTS = (zipfile.BadZipFile, zlib.error, KeyError, RuntimeError)
"""RuntimeError is what a part with a password raises."""


def read_xlsx(path: Path) -> dict[str, Grid]:
    """All sheets of a workbook by name, in their order.

    Numbers come as text: 12, not 12.0. Dates come as the serial numbers that they are stored as.

    Raises:
        UnreadableFileError: the file is no such workbook, or declares a document type.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            strings = _shared_strings(packed)
            return {name: _grid(_root(packed, part), strings) for name, part in _parts(packed)}
    except (*_FAULTS, ElementTree.ParseError, ValueError, IndexError, EOFError) as error:
        raise UnreadableFileError(
            "not a readable .xlsx workbook", file=path, got=str(error), mend="Save the sheet again, or as CSV."
        ) from error


def number_text(value: float) -> str:
    """A number the way a person writes it: without .0 where it is whole."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _root(packed: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if packed.getinfo(name).file_size > MOST_BYTES:
        raise ValueError(f"{name} unpacks to more than {MOST_BYTES // 1_000_000} MB")
    return parse_xml(packed.read(name), packed.filename)


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _below(node: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (one for one in node.iter() if _plain(one.tag) == name)


def _parts(packed: zipfile.ZipFile) -> list[tuple[str, str]]:
    """Name and part of each sheet."""
    targets = {
        one.attrib["Id"]: one.attrib["Target"] for one in _root(packed, "xl/_rels/workbook.xml.rels").iter()
        if "Id" in one.attrib
    }  # fmt: skip
    held = set(packed.namelist())
    out = []
    for sheet in _below(_root(packed, "xl/workbook.xml"), "sheet"):
        key = next((value for name, value in sheet.attrib.items() if name.endswith("}id")), "")
        target = targets[key]
        part = target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target)
        if part in held and "chartsheet" not in part:
            out.append((sheet.attrib["name"], part))
    return out


def _shared_strings(packed: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in packed.namelist():
        return []
    return [_text(item) for item in _root(packed, "xl/sharedStrings.xml") if _plain(item.tag) == "si"]


def _text(item: ElementTree.Element) -> str:
    """Text of an item, its runs joined; the phonetic guide (rPh) is no part of it."""
    out = []
    for child in item:
        name = _plain(child.tag)
        if name == "t":
            out.append(child.text or "")
        elif name == "r":
            out.extend(one.text or "" for one in child if _plain(one.tag) == "t")
    return "".join(out)


def _grid(sheet: ElementTree.Element, strings: list[str]) -> Grid:
    cells: dict[tuple[int, int], str] = {}
    row_at = -1
    for row in _below(sheet, "row"):
        row_at = int(row.attrib["r"]) - 1 if "r" in row.attrib else row_at + 1
        column_at = -1
        for cell in row:
            if _plain(cell.tag) != "c":
                continue
            column_at = _column(cell.attrib["r"]) if "r" in cell.attrib else column_at + 1
            text = _value(cell, strings)
            if text:
                cells[row_at, column_at] = text
    if not cells:
        return []
    height = max(at for at, _ in cells) + 1
    width = max(at for _, at in cells) + 1
    if height > MOST_ROWS or width > MOST_COLUMNS:
        raise ValueError(f"{height} rows, {width} columns")
    filled = {at for at, _ in cells}
    if len(filled) * width > MOST_CELLS:
        raise ValueError(f"{len(filled)} rows of {width} columns")
    return [[cells.get((y, x), "") for x in range(width)] if y in filled else [] for y in range(height)]


def _column(reference: str) -> int:
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        raise ValueError(f"cell '{reference}'")
    at = 0
    for letter in letters.group():
        at = at * 26 + ord(letter) - 64
    return at - 1


def _value(cell: ElementTree.Element, strings: list[str]) -> str:
    kind = cell.attrib.get("t", "n")
    if kind == "inlineStr":
        return "".join(_text(one) for one in cell if _plain(one.tag) == "is").strip()
    stored = next((one.text or "" for one in cell if _plain(one.tag) == "v"), "")
    if not stored:
        return ""
    if kind == "s":
        return strings[int(stored)].strip()
    return number_text(float(stored)) if kind == "n" else stored.strip()
