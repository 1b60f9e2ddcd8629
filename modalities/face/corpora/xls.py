"""Cells of .xls workbooks: BIFF8 records ([MS-XLS]) in a compound file ([MS-CFB])."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from data_schemas.errors import UnreadableFileError
from modalities.face.corpora.xlsx import Grid, number_text

_MOST_COLUMNS = 256
_FREE = 0xFFFFFFF0
"""Sector numbers from here on are marks, not sectors."""
_BOUND, _END, _CONTINUE, _SST, _BOF = 0x0085, 0x000A, 0x003C, 0x00FC, 0x0809
_NUMBER, _RK, _MULRK, _LABELSST, _LABEL, _FORMULA, _STRING, _BOOL = (
    0x0203, 0x027E, 0x00BD, 0x00FD, 0x0204, 0x0006, 0x0207, 0x0205,
)  # fmt: skip


def read_xls(path: Path) -> dict[str, Grid]:
    """All worksheets of a workbook of Excel 97 to 2003 by name, in their order.

    Raises:
        UnreadableFileError: the file is no such workbook, or it is encrypted.
    """
    try:
        stream = _workbook_stream(path.read_bytes())
        return _sheets(stream)
    except (struct.error, ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise UnreadableFileError(
            "not a readable .xls workbook", file=path, got=str(error), mend="Save the sheet again, or as CSV."
        ) from error


def _workbook_stream(data: bytes) -> bytes:
    """The stream "Workbook" of a compound file."""
    if data[:8] != bytes.fromhex("D0CF11E0A1B11AE1"):
        raise ValueError("no compound file")
    sector_bits, mini_bits = struct.unpack_from("<HH", data, 30)
    size = 1 << sector_bits
    first_directory, _, cutoff, first_mini_fat, _, first_difat, _ = struct.unpack_from("<IIIIIII", data, 48)

    def sector(at: int) -> bytes:
        return data[(at + 1) * size : (at + 2) * size]

    def words(block: bytes) -> tuple[int, ...]:
        return struct.unpack(f"<{len(block) // 4}I", block[: len(block) // 4 * 4])

    difat = list(struct.unpack_from("<109I", data, 76))
    seen: set[int] = set()
    while first_difat < _FREE and first_difat not in seen:
        seen.add(first_difat)
        more = words(sector(first_difat))
        difat += more[:-1]
        first_difat = more[-1]
    fat = [word for at in difat if at < _FREE for word in words(sector(at))]

    def chained(at: int, table: list[int]) -> Iterator[int]:
        steps = 0
        while at < _FREE:
            yield at
            at = table[at]
            steps += 1
            if steps > len(table):
                raise ValueError("a chain of sectors runs in a circle")

    def stream(at: int) -> bytes:
        return b"".join(sector(one) for one in chained(at, fat))

    directory = stream(first_directory)
    entries: dict[str, tuple[int, int]] = {}
    root: tuple[int, int] | None = None
    for at in range(0, len(directory), 128):
        length = struct.unpack_from("<H", directory, at + 64)[0]
        name = directory[at : at + max(0, length - 2)].decode("utf-16-le")
        start, count = struct.unpack_from("<II", directory, at + 116)
        if directory[at + 66] == 5:
            root = start, count
        elif directory[at + 66] == 2:
            entries.setdefault(name, (start, count))
    if "Workbook" not in entries or root is None:
        raise ValueError("the file holds no workbook of Excel 97 or later")
    start, count = entries["Workbook"]
    if count >= cutoff:
        return stream(start)[:count]
    mini_fat = list(words(stream(first_mini_fat)))
    mini, width = stream(root[0]), 1 << mini_bits
    return b"".join(mini[one * width : (one + 1) * width] for one in chained(start, mini_fat))[:count]


def _records(stream: bytes, at: int = 0) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        at += 4 + length


def _sheets(stream: bytes) -> dict[str, Grid]:
    strings: list[str] = []
    bound: list[tuple[str, int]] = []
    blocks: list[bytes] = []
    previous = 0
    for kind, body in _records(stream):
        if kind == 0x002F:
            raise ValueError("the workbook is encrypted")
        if kind == _BOUND and body[5] == 0:
            length, wide = body[6], body[7] & 1
            name = body[8 : 8 + length * (2 if wide else 1)].decode("utf-16-le" if wide else "latin-1")
            bound.append((name, struct.unpack_from("<I", body)[0]))
        elif kind == _SST or (kind == _CONTINUE and previous == _SST):
            blocks.append(body)
        if kind == _END:
            break
        previous = _SST if kind == _CONTINUE and previous == _SST else kind
    if blocks:
        strings = _shared_strings(blocks)
    return {name: _grid(stream, at, strings) for name, at in bound}


class _Blocks:
    """Reads over the ends of records: a text that goes on in the next one repeats its flag of width there."""

    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks, self._block, self._at = blocks, 0, 0

    def take(self, count: int) -> bytes:
        out = b""
        while count:
            self._advance()
            part = self._blocks[self._block][self._at : self._at + count]
            out += part
            self._at += len(part)
            count -= len(part)
        return out

    def text(self, length: int, wide: bool) -> str:
        out = ""
        while length:
            if self._advance():
                wide = bool(self.take(1)[0] & 1)
            unit = 2 if wide else 1
            fitting = min(length, (len(self._blocks[self._block]) - self._at) // unit)
            out += self.take(fitting * unit).decode("utf-16-le" if wide else "latin-1")
            length -= fitting
            if fitting == 0:
                raise ValueError("a text is cut within a letter")
        return out

    def _advance(self) -> bool:
        """Go to the next block where this one is used up; whether that was so."""
        moved = False
        while self._at >= len(self._blocks[self._block]):
            self._block, self._at, moved = self._block + 1, 0, True
        return moved


def _shared_strings(blocks: list[bytes]) -> list[str]:
    reader = _Blocks(blocks)
    count = struct.unpack("<II", reader.take(8))[1]
    out = []
    for _ in range(count):
        length, flags = struct.unpack("<HB", reader.take(3))
        runs = struct.unpack("<H", reader.take(2))[0] if flags & 8 else 0
        extra = struct.unpack("<I", reader.take(4))[0] if flags & 4 else 0
        out.append(reader.text(length, bool(flags & 1)))
        reader.take(4 * runs + extra)
    return out


def _grid(stream: bytes, at: int, strings: list[str]) -> Grid:
    cells: dict[tuple[int, int], str] = {}
    depth = 0
    awaiting: tuple[int, int] | None = None
    for kind, body in _records(stream, at):
        if kind == _BOF:
            depth += 1
        elif kind == _END:
            depth -= 1
            if depth == 0:
                break
        elif depth != 1:
            continue
        elif kind == _STRING and awaiting is not None:
            length, wide = struct.unpack_from("<HB", body)
            cells[awaiting] = _decoded(body[3:], length, wide)
        elif kind in (_NUMBER, _RK, _LABELSST, _LABEL, _FORMULA, _BOOL):
            place: tuple[int, int] = struct.unpack_from("<HH", body)
            awaiting = place if kind == _FORMULA and body[12:14] == b"\xff\xff" and body[6] == 0 else None
            cells[place] = _value(kind, body, strings)
        elif kind == _MULRK:
            row, first = struct.unpack_from("<HH", body)
            for number in range((len(body) - 6) // 6):
                cells[row, first + number] = number_text(_rk(struct.unpack_from("<I", body, 6 + 6 * number)[0]))
    cells = {place: text.strip() for place, text in cells.items() if text.strip()}
    if not cells:
        return []
    width = max(x for _, x in cells) + 1
    if width > _MOST_COLUMNS:
        raise ValueError(f"{width} columns")
    filled = {y for y, _ in cells}
    return [
        [cells.get((y, x), "") for x in range(width)] if y in filled else [] for y in range(max(filled) + 1)
    ]  # fmt: skip


def _value(kind: int, body: bytes, strings: list[str]) -> str:
    if kind == _LABELSST:
        return strings[struct.unpack_from("<I", body, 6)[0]]
    if kind == _LABEL:
        length, wide = struct.unpack_from("<HB", body, 6)
        return _decoded(body[9:], length, wide)
    if kind == _RK:
        return number_text(_rk(struct.unpack_from("<I", body, 6)[0]))
    if kind == _BOOL:
        return "" if body[7] else str(bool(body[6])).upper()
    if kind == _FORMULA and body[12:14] == b"\xff\xff":
        return str(bool(body[8])).upper() if body[6] == 1 else ""
    return number_text(struct.unpack_from("<d", body, 6)[0])


def _decoded(body: bytes, length: int, wide: int) -> str:
    return body[: length * 2].decode("utf-16-le") if wide & 1 else body[:length].decode("latin-1")


def _rk(word: int) -> float:
    """A number packed into 30 bits: bit 0 divides by 100, bit 1 says integer."""
    if word & 2:
        value = float(struct.unpack("<i", struct.pack("<I", word))[0] >> 2)
    else:
        value = struct.unpack("<d", struct.pack("<Q", (word & 0xFFFFFFFC) << 32))[0]
    return value / 100 if word & 1 else value
