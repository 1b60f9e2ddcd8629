"""Cells of workbooks: .xlsx, .xls and text, written here by hand."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import UnreadableFileError
from modalities.face.corpora.shelf import Shelf, read_table
from modalities.face.corpora.xls import read_xls
from modalities.face.corpora.xlsx import read_xlsx

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def write_xlsx(path: Path, sheets: dict[str, str], strings: str = "") -> Path:
    """A workbook with these <sheetData> bodies."""
    with zipfile.ZipFile(path, "w") as packed:
        names = "".join(f'<sheet name="{escape(n)}" sheetId="{k}" r:id="rId{k}"/>' for k, n in enumerate(sheets, 1))
        packed.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><sheets>{names}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="rId{k}" Target="worksheets/sheet{k}.xml"/>' for k in range(1, len(sheets) + 1)
        )
        packed.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{links}</Relationships>")
        if strings:
            packed.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{strings}</sst>')
        for k, body in enumerate(sheets.values(), 1):
            packed.writestr(
                f"xl/worksheets/sheet{k}.xml", f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'
            )
    return path


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def text16(text: str) -> bytes:
    return struct.pack("<HB", len(text), 1) + text.encode("utf-16-le")


def workbook(sheet: bytes, strings: list[bytes], name: str = "coding") -> bytes:
    """A BIFF8 stream of one sheet; `strings` are the SST record and its continuations."""
    begin = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    table = b"".join(record(0x00FC if k == 0 else 0x003C, part) for k, part in enumerate(strings))
    at = len(begin) + 4 + 8 + len(name) + len(table) + 4
    bound = record(0x0085, struct.pack("<IBBBB", at, 0, 0, len(name), 0) + name.encode())
    inner = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0)) + sheet + record(0x000A, b"")
    return begin + bound + table + record(0x000A, b"") + inner


def compound(stream: bytes) -> bytes:
    """A compound file with the stream "Workbook": in sectors from 4096 bytes on, else in the mini stream."""
    small = len(stream) < 4096
    unit = 64 if small else 512
    padded = stream + bytes(-len(stream) % unit)
    held = padded + bytes(-len(padded) % 512)
    count = len(held) // 512
    fat = [0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFE if small else 0xFFFFFFFF]
    fat += [*range(4, 3 + count), 0xFFFFFFFE]
    minis = len(padded) // 64
    mini_fat = [*range(1, minis), 0xFFFFFFFE] if small else []

    def sector(words: list[int]) -> bytes:
        return struct.pack("<128I", *(words + [0xFFFFFFFF] * (128 - len(words))))

    def entry(name: str, kind: int, start: int, size: int) -> bytes:
        raw = name.encode("utf-16-le") + b"\0\0"
        return (
            raw.ljust(64, b"\0") + struct.pack("<HBB", len(raw), kind, 1) + bytes(48) + struct.pack("<IQ", start, size)
        )

    root = entry("Root Entry", 5, 3 if small else 0xFFFFFFFE, len(padded) if small else 0)
    directory = (root + entry("Workbook", 2, 0 if small else 3, len(stream))).ljust(512, b"\0")
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, 2 if small else 0xFFFFFFFE, int(small), 0xFFFFFFFE, 0, 0)
    header = header[:76] + struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    assert len(header) == 512
    return header + sector(fat) + directory + sector(mini_fat) + held


def write_xls(path: Path, rows: list[list[str | float]]) -> Path:
    """A workbook of shared strings and numbers."""
    words = sorted({cell for row in rows for cell in row if isinstance(cell, str)})
    sheet = b""
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            place = struct.pack("<HHH", y, x, 0)
            if isinstance(cell, str):
                sheet += record(0x00FD, place + struct.pack("<I", words.index(cell)))
            else:
                sheet += record(0x0203, place + struct.pack("<d", cell))
    table = struct.pack("<II", len(words), len(words)) + b"".join(map(text16, words))
    path.write_bytes(compound(workbook(sheet, [table])))
    return path


def test_xlsx_cells_of_every_kind(tmp_path: Path) -> None:
    strings = "<si><t>Subject</t></si><si><r><t>On</t></r><r><t>set</t></r><rPh><t>no</t></rPh></si>"
    body = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>'
        '<row r="3"><c r="A3"><v>46</v></c><c r="B3"><v>1.5</v></c><c r="C3" t="inlineStr"><is><t> R12 </t></is></c>'
        '<c r="D3" t="str"><f>A3</f><v>4+L10</v></c><c r="AA3" t="b"><v>1</v></c></row>'
    )
    got = read_xlsx(write_xlsx(tmp_path / "a.xlsx", {"coding": body, "empty": ""}, strings))
    assert list(got) == ["coding", "empty"]
    assert got["empty"] == []
    first, second, third = got["coding"]
    assert first[:3] == ["Subject", "", "Onset"]
    assert second == []
    assert third[:4] == ["46", "1.5", "R12", "4+L10"]
    assert third[26] == "1"
    assert len(third) == 27


@pytest.mark.parametrize("padding", [0, 6000])
def test_xls_cells_of_every_kind(tmp_path: Path, padding: int) -> None:
    long = "x" * padding
    first = struct.pack("<II", 3, 3) + text16("Größe") + struct.pack("<HB", 6, 0) + b"off"
    strings = [first, b"\x00set" + text16("end")]
    if padding:
        strings = [
            struct.pack("<II", 4, 4) + text16("Größe") + struct.pack("<HB", 6, 0) + b"off",
            b"\x01" + "set".encode("utf-16-le") + text16("end") + struct.pack("<HB", padding, 0) + long.encode(),
        ]
    at = struct.pack
    sheet = b"".join(
        [
            *(record(0x00FD, at("<HHHI", 0, x, 0, x)) for x in range(3)),
            record(0x0203, at("<HHHd", 1, 0, 0, 2.5)),
            record(0x027E, at("<HHHI", 1, 1, 0, (37 << 2) | 2)),
            record(0x00BD, at("<HH", 1, 2) + at("<HI", 0, (1234 << 2) | 3) + at("<HI", 0, (7 << 2) | 2) + at("<H", 3)),
            record(0x0006, at("<HHH", 2, 0, 0) + at("<d", 9.0) + bytes(8)),
            record(0x0006, at("<HHH", 2, 1, 0) + b"\0\0\0\0\0\0\xff\xff" + bytes(8)),
            record(0x0207, text16("R12")),
            record(0x0204, at("<HHH", 2, 2, 0) + text16("4+L10")),
            record(0x0205, at("<HHHBB", 2, 3, 0, 1, 0)),
            record(0x027E, at("<HHHI", 4, 0, 0, struct.unpack("<Q", at("<d", -3.0))[0] >> 32)),
        ]
    )
    path = tmp_path / "a.xls"
    path.write_bytes(compound(workbook(sheet, strings)))
    grid = read_xls(path)["coding"]
    assert grid[0][:3] == ["Größe", "offset", "end"]
    assert grid[1] == ["2.5", "37", "12.34", "7"]
    assert grid[2] == ["9", "R12", "4+L10", "TRUE"]
    assert grid[3] == []
    assert grid[4][0] == "-3"


CELLS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12),
    st.integers(-(2**40), 2**40).map(float),
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=12))
def test_xls_gives_back_what_was_written(
    rows: list[list[str | float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [
        [cell if isinstance(cell, float) or len(cell.encode("utf-16-le")) == 2 * len(cell) else "x" for cell in row]
        for row in rows
    ]
    path = write_xls(tmp_path_factory.mktemp("xls") / "a.xls", rows)
    got = read_xls(path)["coding"]
    want = [[str(int(cell)) if isinstance(cell, float) else cell for cell in row] for row in rows]
    assert [row[: len(said)] for row, said in zip(got, want, strict=True)] == want


def test_text_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes('\ufeffsubject;clip\n1;"a;b"\n'.encode())
    assert read_table(tmp_path / "a.csv") == {"": [["subject", "clip"], ["1", "a;b"]]}
    (tmp_path / "b.tsv").write_bytes("subject\tclip\n1\tgröße\n".encode("cp1252"))
    assert read_table(tmp_path / "b.tsv")[""][1] == ["1", "größe"]


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls"])
def test_broken_workbooks(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for content in (b"", b"PK\x03\x04" + bytes(100), bytes.fromhex("D0CF11E0A1B11AE1") + bytes(600)):
        path.write_bytes(content)
        with pytest.raises(UnreadableFileError, match=name):
            read_table(path)


def test_a_cut_workbook_is_an_error_or_shorter(tmp_path: Path) -> None:
    whole = write_xls(tmp_path / "a.xls", [[f"clip {k}", float(k)] for k in range(40)]).read_bytes()
    errors = 0
    for end in range(0, len(whole), 97):
        (tmp_path / "b.xls").write_bytes(whole[:end])
        try:
            grid = read_xls(tmp_path / "b.xls").get("coding", [])
        except UnreadableFileError:
            errors += 1
        else:
            assert len(grid) <= 40
    assert errors > 3


def test_frames_are_not_listed_and_media_are_found(tmp_path: Path) -> None:
    for where in ("Cropped/sub01/EP01", "CASME2-RAW/sub01/EP01", "CASME2-RAW/sub02/EP01"):
        (tmp_path / where).mkdir(parents=True)
        for number in range(12):
            (tmp_path / where / f"img{number}.jpg").touch()
    (tmp_path / "videos" / "s77").mkdir(parents=True)
    (tmp_path / "videos" / "s77" / "77_0901sad.AVI").touch()
    shelf = Shelf(tmp_path)
    assert shelf.media("sub01/EP01") == tmp_path / "CASME2-RAW" / "sub01" / "EP01"
    assert shelf.media("sub03/EP01", "SUB02/ep01") == tmp_path / "CASME2-RAW" / "sub02" / "EP01"
    assert shelf.media("s77/77_0901*") == tmp_path / "videos" / "s77" / "77_0901sad.AVI"
    assert shelf.media("s78/77_0901*") is None
    assert len(shelf.frames) == 3
