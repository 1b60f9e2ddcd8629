"""Which corpus a folder is, the composite, plain tables, counts, and messages."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from data_schemas.errors import InvalidValueError, MissingFileError, TelltaleError, UnreadableFileError
from modalities.face.corpora.emotions import composite_of
from modalities.face.corpora.registry import CORPORA, load_adapter, open_corpus
from modalities.face.corpora.sample import Corpus


def write(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows(rows)
    return path


def frames(folder: Path, numbers: range = range(1, 11)) -> Path:
    folder.mkdir(parents=True)
    for number in numbers:
        (folder / f"img{number}.jpg").touch()
    return folder


def odd(corpus: Corpus) -> list[tuple[int, str, str]]:
    return [(one.row, one.column, one.fault) for one in corpus.odd]


CASME2 = ["Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion"]


def casme2_rows(*rows: Sequence[object]) -> list[Sequence[object]]:
    return [CASME2, *[(s, c, "", on, ap, off, "", au, emo) for s, c, on, ap, off, au, emo in rows]]


PART_A = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Expression type", "Objective class"]
PART_A_ME = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]


def test_megc2019_alone_and_completed_from_its_members(tmp_path: Path) -> None:
    listed = [
        ["casme2", "sub01", "EP91_01", 0],
        ["casme2", "sub02", "EP91_02", 0],
        ["smic", "s093", "s093_po_01", 1],
        ["samm", "906", "906_1_2", 9],
    ]
    write(tmp_path / "combined_3class_gt.csv", listed)
    corpus = open_corpus(tmp_path)
    assert corpus.name == "megc2019"
    assert [one.corpus for one in corpus.samples] == ["casme2", "casme2", "smic_hs", "samm"]
    assert [one.composite for one in corpus.samples] == ["negative", "negative", "positive", None]
    assert odd(corpus) == [(4, "class", "unknown_class")]
    assert corpus.samples[0].onset is None
    write(
        tmp_path / "casme2" / "coding.csv",
        casme2_rows(("01", "EP91_01", 5, 7, 9, "4", "disgust"), ("02", "EP91_02", 5, 7, 9, "12", "happiness")),
    )
    frames(tmp_path / "smic" / "HS" / "s93" / "micro" / "positive" / "s93_po_01", range(20, 30))
    corpus = open_corpus(tmp_path, "megc2019")
    first, second, third, _ = corpus.samples
    assert (first.subject, first.onset, first.apex, first.offset, first.emotion) == ("sub01", 5, 7, 9, "disgust")
    assert second.composite == "negative"
    assert (third.onset, third.offset, third.clip) == (20, 29, "s093_po_01")
    assert ("class_disagrees") in corpus.faults()
    assert "samm itself is not in the folder" in corpus.notes[0]


def test_a_plain_table(tmp_path: Path) -> None:
    rows = [
        ["subject", "clip", "onset", "apex", "offset", "fps", "au", "emotion", "kind", "class", "path", "room"],
        ["ann", "c1", 3, 5, 9, 29.97, "12", "happy", "macro", "", "c1.mp4", "B"],
        ["ann", "c2", 3, "", 9, "fast", "", "", "", "2", "gone.mp4", ""],
        ["bob", "c3", 3, 4, 9, "", "12", "happy", "smirk", "cheerful", "", ""],
    ]
    write(tmp_path / "mine.csv", rows)
    (tmp_path / "c1.mp4").touch()
    corpus = open_corpus(tmp_path)
    assert corpus.name == "plain"
    first, second, third = corpus.samples
    assert (first.kind, first.fps, first.path, first.composite, first.more) == (
        "macro",
        29.97,
        tmp_path / "c1.mp4",
        "positive",
        {"room": "B"},
    )
    assert (second.kind, second.fps, second.path, second.composite) == ("micro", None, None, "surprise")
    assert (third.kind, third.composite) == ("other", None)
    assert [(row, column) for row, column, _ in odd(corpus)] == [
        (3, "apex"), (3, "fps"), (3, "path"), (4, "kind"), (4, "class"),
    ]  # fmt: skip


def test_composite_classes_of_megc2019() -> None:
    for word in ("Repression", "anger", "contempt", "disgust", "fear", "sadness", " sad "):
        assert composite_of(word) == "negative"
    assert composite_of("Happiness") == "positive"
    assert composite_of("SURPRISE") == "surprise"
    assert composite_of("others") is None
    assert composite_of("") is None


def test_every_adapter_of_the_table_loads_and_speaks() -> None:
    for name in CORPORA:
        adapter = load_adapter(name)
        assert adapter.name == name
        assert adapter.title
        assert adapter.expected
    with pytest.raises(InvalidValueError, match="casme2"):
        load_adapter("casme4")


def test_a_wrong_layout_shows_expected_and_found(tmp_path: Path) -> None:
    write(
        tmp_path / "coding.csv",
        [["Subject", "Filename", "OnsetFrame", "OffsetFrame", "Estimated Emotion"], ["1", "EP1", 1, 9, "fear"]],
    )
    with pytest.raises(UnreadableFileError) as caught:
        open_corpus(tmp_path, "casme2")
    said = str(caught.value)
    assert "coding.csv: Subject, Filename, OnsetFrame, OffsetFrame" in said
    assert "ApexFrame" in said
    assert "lacks apex, aus" in said
    with pytest.raises(UnreadableFileError, match="no table; a"):
        (tmp_path / "empty" / "a").mkdir(parents=True)
        open_corpus(tmp_path / "empty")
    with pytest.raises(MissingFileError, match="nowhere"):
        open_corpus(tmp_path / "nowhere")


def test_a_table_of_something_else_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", [["Person", "OnsetF", "ApexF1", "OffsetF", "Emotion"], ["1", 1, 2, 9, "fear"]])
    with pytest.raises(UnreadableFileError) as caught:
        open_corpus(tmp_path)
    assert "casme:" in str(caught.value)
    assert "lacking here: subject, clip" in str(caught.value)


def test_several_corpora_in_a_folder_must_be_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", casme2_rows(("01", "EP91_01", 5, 7, 9, "4", "disgust")))
    write(tmp_path / "b.csv", [PART_A, ("spNO.901", "a", 41, 52, 60, "4", "Macro-expression", "VII")])
    with pytest.raises(TelltaleError, match="casme2, cas_me3_a"):
        open_corpus(tmp_path)
    assert open_corpus(tmp_path, "casme2").rows == {"a.csv": 1}
    assert open_corpus(tmp_path / "b.csv").name == "cas_me3_a"


def test_an_unreadable_table_beside_a_good_one_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", casme2_rows(("01", "EP91_01", 5, 7, 9, "4", "disgust")))
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04" + bytes(50))
    assert len(open_corpus(tmp_path).samples) == 1
    with pytest.raises(UnreadableFileError, match=r"b\.xlsx"):
        open_corpus(tmp_path / "b.xlsx")
