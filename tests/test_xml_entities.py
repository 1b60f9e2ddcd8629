"""Every reader of XML refuses a file that declares a document type, before anything in it expands or is fetched."""

from __future__ import annotations

import gzip
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.errors import TelltaleError
from data_schemas.plain_xml import parse_xml
from modalities.face.corpora.xlsx import MOST_BYTES, read_xlsx
from modalities.readers import probe
from pipeline.coding.readers import read_eaf
from pipeline.export.content import Content, read_content
from pipeline.export.run import export_result
from pipeline.export.sample import write_sample

ROOT = Path(__file__).resolve().parent.parent
LAUGHS = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10 if at else "ha" * 5000}">' for at in range(12))
DECLARED = {
    "laughs": f"<!DOCTYPE x [{LAUGHS}]>",
    "file": '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/hostname">]>',
    "parameter": '<!DOCTYPE x [<!ENTITY % all SYSTEM "http://127.0.0.1:9/a.dtd"> %all;]>',
    "outside": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/a.dtd">',
    "plain": "<!DOCTYPE x>",
}
"""Document types that expand to terabytes, read a file, ask a server; and one that does nothing."""
USED = {"laughs": "&l11;", "file": "&secret;"}
HERE = "<?xml version='1.0'?>"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("xml"))


@pytest.fixture(scope="module")
def content(result: Path) -> Content:
    return read_content(result)


@pytest.fixture(scope="module")
def eaf(result: Path) -> str:
    export_result(result, "eaf", result.parent / "a.eaf")
    return (result.parent / "a.eaf").read_text(encoding="utf-8")


def declared(text: str, how: str) -> str:
    """The same document with a document type, whose entity stands in the first text of the root."""
    body = re.sub(r"^<\?xml.*?\?>\s*", "", text)
    return (
        HERE + DECLARED[how] + re.sub(r"(<[A-Za-z][^>]*[^/]>)", lambda tag: tag[1] + USED.get(how, ""), body, count=1)
    )


def xdf(head: str, stream: str, footer: str) -> bytes:
    def chunk(tag: int, data: bytes) -> bytes:
        return b"\x04" + struct.pack("<IH", len(data) + 2, tag) + data

    number = struct.pack("<I", 1)
    sample = number + b"\x01\x02" + b"".join(b"\x08" + struct.pack("<df", at, 1.0) for at in (1.0, 2.0))
    parts = [(1, head.encode()), (2, number + stream.encode()), (3, sample), (6, number + footer.encode())]
    return b"XDF:" + b"".join(chunk(tag, data) for tag, data in parts)


XDF = (
    f"{HERE}<info><version>1.0</version></info>",
    f"{HERE}<info><name>amp</name><type>ECG</type><channel_count>1</channel_count><nominal_srate>1</nominal_srate>"
    "<channel_format>float32</channel_format></info>",
    f"{HERE}<info><sample_count>2</sample_count></info>",
)
XLSX = {
    "xl/workbook.xml": '<workbook xmlns:r="r"><sheets><sheet name="a" r:id="one"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="one" Target="s.xml"/></Relationships>',
    "xl/sharedStrings.xml": "<sst><si><t>word</t></si></sst>",
    "xl/s.xml": '<worksheet><sheetData><row><c t="s"><v>0</v></c></row></sheetData></worksheet>',
}


def write_workbook(path: Path, parts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    return path


def refused(read: Callable[[Path], object], path: Path) -> None:
    with pytest.raises(TelltaleError, match="document type") as told:
        read(path)
    assert told.value.file == str(path) and told.value.mend


@pytest.mark.parametrize("how", DECLARED)
def test_elan(content: Content, eaf: str, how: str, tmp_path: Path) -> None:
    file = tmp_path / "b.eaf"
    file.write_text(eaf, encoding="utf-8")
    assert read_eaf(file, content).tiers
    file.write_text(declared(eaf, how), encoding="utf-8")
    refused(lambda path: read_eaf(path, content), file)


@pytest.mark.parametrize("how", DECLARED)
@pytest.mark.parametrize("part", XLSX)
def test_workbook(part: str, how: str, tmp_path: Path) -> None:
    assert read_xlsx(write_workbook(tmp_path / "good.xlsx", XLSX)) == {"a": [["word"]]}
    file = write_workbook(tmp_path / "evil.xlsx", {**XLSX, part: declared(XLSX[part], how)})
    refused(read_xlsx, file)


def test_a_workbook_that_unpacks_to_hundreds_of_megabytes_is_refused(tmp_path: Path) -> None:
    file = write_workbook(tmp_path / "bomb.xlsx", {name: text for name, text in XLSX.items() if name != "xl/s.xml"})
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as packed, packed.open("xl/s.xml", "w") as part:
        for _ in range(MOST_BYTES // 1_000_000 + 1):
            part.write(b" " * 1_000_000)
    assert file.stat().st_size < 1_000_000
    with pytest.raises(TelltaleError, match="unpacks to more than") as told:
        read_xlsx(file)
    assert told.value.file == str(file)


@pytest.mark.parametrize("how", DECLARED)
@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("name", ["r.xdf", "r.xdfz"])
def test_xdf(at: int, how: str, name: str, tmp_path: Path) -> None:
    def write(data: bytes) -> Path:
        (tmp_path / name).write_bytes(gzip.compress(data) if name == "r.xdfz" else data)
        return tmp_path / name

    assert probe(write(xdf(*XDF))).tracks[0].n == 2
    texts = [declared(text, how) if at == place else text for place, text in enumerate(XDF)]
    refused(probe, write(xdf(*texts)))


@pytest.mark.parametrize("how", DECLARED)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_no_encoding_hides_a_declaration(how: str, encoding: str) -> None:
    with pytest.raises(TelltaleError, match="document type"):
        parse_xml(f"\ufeff{DECLARED[how]}<x>{USED.get(how, '')}</x>".encode(encoding))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"<a>{text}</a>".encode()))
def test_other_documents_are_read_as_the_standard_library_reads_them(data: bytes) -> None:
    if b"!DOCTYPE" in data.replace(b"\0", b""):
        return
    try:
        expected = ElementTree.canonicalize(ElementTree.tostring(ElementTree.fromstring(data)))
    except (ElementTree.ParseError, LookupError, ValueError):
        with pytest.raises(ElementTree.ParseError):
            parse_xml(data)
    else:
        assert ElementTree.canonicalize(ElementTree.tostring(parse_xml(data))) == expected


@pytest.mark.parametrize("size", [10, 4095, 4096, 4097, 20_000])
def test_words_that_only_look_like_declarations_are_text(size: int) -> None:
    root = parse_xml(f"<a><!-- <!DOCTYPE x> --><b><![CDATA[<!ENTITY a 'b'>]]></b><c>{'é' * size}</c></a>")
    assert (root.findtext("b"), root.findtext("c")) == ("<!ENTITY a 'b'>", "é" * size)


@pytest.mark.parametrize("bad", ["", "<a>", "<a/><a/>", '<?xml version="1.0" encoding="klingon"?><a/>', "<a>&b;</a>"])
def test_what_is_no_xml_is_one_kind_of_error(bad: str) -> None:
    with pytest.raises(ElementTree.ParseError):
        parse_xml(bad.encode())


def test_nothing_else_parses_xml() -> None:
    """Readers go through `parse_xml`; whoever adds one finds this test."""
    folders = ("data_schemas", "sync", "modalities", "fusion", "pipeline")
    parsing = re.compile(
        r"\b(?:ElementTree|etree|ET)\.(?:parse|fromstring|XML|iterparse|XMLParser|XMLPullParser)\b|\bminidom\b|xml\.sax\.(?!saxutils)|\bexpat\b|\blxml\b"
    )
    found = {
        str(file.relative_to(ROOT))
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        if parsing.search(file.read_text(encoding="utf-8"))
    }
    assert found == {"data_schemas/plain_xml.py"}
