"""The CASME family from small sheets made here, in the layout of each data set."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from modalities.face.corpora.registry import open_corpus
from modalities.face.corpora.sample import FAULTS, Corpus


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


def test_casme2_keeps_and_lists_what_is_odd(tmp_path: Path) -> None:
    rows = casme2_rows(
        ("1", "EP91_01", 10, 20, 30, "4+7", "disgust"),
        ("01", "EP91_02", 10, "/", 30, "4+L10", "happiness"),
        ("02", "EP91_01", 10, 40, 0, "?", "surprise"),
        ("02", "EP92_01", 10, 40, 30, "12", "boredom"),
        ("02", "EP92_01", 50, 55, 45, "R12", "Others"),
        ("02", "EP92_02", "x", 55, 60, "", "fear"),
        ("02", "EP92_01", 50, 56, 45, "12", "others"),
    )
    write(tmp_path / "coding.csv", rows)
    found = frames(tmp_path / "RAW" / "sub01" / "EP91_01")
    corpus = open_corpus(tmp_path)
    assert corpus.name == "casme2"
    assert corpus.rows == {"coding.csv": 7}
    assert corpus.kinds() == {"micro": 7}
    first, second, third, *_ = corpus.samples
    assert (first.subject, first.clip, first.onset, first.apex, first.offset) == ("01", "EP91_01", 10, 20, 30)
    assert [unit.unit for unit in first.aus] == [4, 7]
    assert first.path == found
    assert first.source == ("coding.csv:2",)
    assert (second.apex, second.aus_written, second.composite) == (None, "4+L10", "positive")
    assert second.aus[1].side == "left"
    assert (third.offset, third.composite, third.aus) == (None, "surprise", ())
    assert [one.composite for one in corpus.samples] == [
        "negative",
        "positive",
        "surprise",
        None,
        None,
        "negative",
        None,
    ]
    assert odd(corpus) == [
        (3, "ApexFrame", "missing_frame"),
        (3, "Action Units", "marked_units"),
        (4, "OffsetFrame", "offset_zero"),
        (4, "Action Units", "no_units"),
        (5, "ApexFrame", "apex_outside"),
        (5, "Estimated Emotion", "unknown_emotion"),
        (6, "OffsetFrame", "offset_not_after_onset"),
        (6, "ApexFrame", "apex_outside"),
        (6, "Action Units", "marked_units"),
        (7, "OnsetFrame", "no_number"),
        (7, "Action Units", "no_units"),
        (8, "OffsetFrame", "offset_not_after_onset"),
        (8, "ApexFrame", "apex_outside"),
        (6, "Filename", "repeated_name"),
        (8, "Filename", "repeated_event"),
    ]
    assert all(one.reason and one.fault in FAULTS for one in corpus.odd)


def test_casme_by_its_own_columns(tmp_path: Path) -> None:
    head = ["Subject", "Filename", "", "OnsetF", "ApexF1", "ApexF2", "OffsetF", "", "Onset", "Total", "AU", "Emotion"]
    write(
        tmp_path / "CASME.csv",
        [
            head,
            [1, "EP91_12", "", 50, 58, "\\", 70, "", 133, 266.7, "4", "tense"],
            [7, "EP93", "", 1, "\\", "", 9, "", 1, 2, "12", "happiness"],
        ],
    )
    found = frames(tmp_path / "Section A" / "sub01" / "EP91_12")
    corpus = open_corpus(tmp_path)
    assert corpus.name == "casme"
    assert (corpus.samples[0].subject, corpus.samples[0].fps, corpus.samples[0].path) == ("01", 60.0, found)
    assert corpus.samples[0].more["Total"] == "266.7"
    assert odd(corpus) == [(3, "ApexF1", "missing_frame")]


def test_cas_me2_without_header_and_with_naming_rules(tmp_path: Path) -> None:
    rows = [
        (1, "anger8_1", 10, 20, 30, "4", "negative", "macro-expression", "anger"),
        (1, "anger8_2", 40, 45, 0, "12", "others", "macro-expression", "joyful"),
        (2, "happy8_1", 7, 9, 12, "12", "positive", "micro-expression", "happiness"),
        (2, "happy8_2", 7, 9, 12, "12", "positive", "mixed", "happiness"),
    ]
    write(tmp_path / "code_final.csv", rows)
    write(tmp_path / "rule1.csv", [(75, "s75", 1), (76, "s76", 2)])
    write(tmp_path / "rule2.csv", [("0801", "anger8"), ("0908", "happy8")])
    found = frames(tmp_path / "rawpic" / "s75" / "75_0801sad")
    corpus = open_corpus(tmp_path)
    assert corpus.name == "cas_me2"
    assert corpus.kinds() == {"macro": 2, "micro": 1, "other": 1}
    assert [one.more["video"] for one in corpus.samples] == ["s75_0801", "s75_0801", "s76_0908", "s76_0908"]
    assert corpus.samples[0].path == found
    assert corpus.samples[0].more["self-report"] == "anger"
    assert [one.composite for one in corpus.samples] == ["negative", None, "positive", "positive"]
    assert odd(corpus) == [
        (2, "offset", "offset_zero"),
        (2, "self-report", "unknown_emotion"),
        (4, "kind", "unknown_kind"),
    ]


PART_A = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Expression type", "Objective class"]
PART_A_ME = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]


def test_cas_me3_part_a_joins_emotions_and_adds_blinks(tmp_path: Path) -> None:
    sheet = [
        PART_A,
        ("spNO.901", "a", 41, 52, 60, "4+R10", "Macro-expression", "VII"),
        ("spNO.901", "a", 455, 459, 470, "5", "Micro-expression", "II"),
        ("spNO.901", "j", 10, 12, 20, "4", "Micro-expression", "III"),
        ("spNO.901", "j", 210, 212, 220, "4", "Micro-expression", "III"),
        ("spNO.902", "J", 10, 12, 900, "4", "Micro-expression", "III"),
    ]
    emotions = [
        PART_A_ME,
        ("spNO.901", "a", 455, 459, 470, "5", "II", "others"),
        ("spNO.901", "j", 210, 212, 0, "4", "III", "disgust"),
        ("spNO.901", "j", 10, 12, 20, "4", "III", "sad"),
        ("spNO.909", "a", 10, 12, 20, "4", "III", "happy"),
    ]
    write(tmp_path / "part_A.csv", sheet)
    write(tmp_path / "part_A_ME.csv", emotions)
    write(tmp_path / "part_A_blink.csv", [("Subject", "Filename", "Onset", "Offset"), ("spNO.901", "a", 5, 9)])
    found = frames(tmp_path / "data" / "spNO.901" / "a" / "color")
    corpus = open_corpus(tmp_path)
    assert corpus.name == "cas_me3_a"
    assert corpus.rows == {"part_A.csv": 5, "part_A_ME.csv": 4, "part_A_blink.csv": 1}
    assert corpus.kinds() == {"macro": 1, "micro": 5, "blink": 1}
    by_onset = {(one.subject, one.clip, one.onset): one for one in corpus.samples if one.kind == "micro"}
    assert by_onset["spNO.901", "j", 210].emotion == "disgust"
    assert by_onset["spNO.901", "j", 210].offset == 220
    assert by_onset["spNO.901", "j", 210].source == ("part_A.csv:5", "part_A_ME.csv:3")
    assert by_onset["spNO.901", "j", 10].composite == "negative"
    assert by_onset["spNO.909", "a", 10].composite == "positive"
    assert by_onset["spNO.902", "J", 10].emotion == ""
    assert by_onset["spNO.901", "a", 455].path == found
    assert [(one.file, one.row, one.fault) for one in corpus.odd] == [
        ("part_A.csv", 2, "marked_units"),
        ("part_A.csv", 6, "long_micro"),
        ("part_A.csv", 6, "other_case"),
        ("part_A_ME.csv", 3, "offset_zero"),
        ("part_A_ME.csv", 3, "sheets_disagree"),
        ("part_A_ME.csv", 5, "only_in_one_sheet"),
    ]
    alone = open_corpus(tmp_path / "part_A_ME.csv")
    assert alone.kinds() == {"micro": 4}
    assert any("no macro-expression" in note for note in alone.notes)


def test_cas_me3_part_c_is_the_union_of_its_sheets(tmp_path: Path) -> None:
    write(
        tmp_path / "part_C.csv",
        [
            ("Subject", "Onset", "Offset", "diff", "Exp_type", "risk"),
            (94, 100, 110, 10, 1, 1),
            (94, 200, 260, 60, 0, 1),
            (95, 300, 310, 11, 1, 0),
            (95, 400, 410, 10, 7, 0),
        ],
    )
    write(
        tmp_path / "part_C_ME.csv",
        [
            ("sub", "count", "onset", "offset", "au", "emotion"),
            (94, 1, 100, 110, "4,12", "negative"),
            (91, 1, 50, 61, "17?", "surprise"),
        ],
    )
    corpus = open_corpus(tmp_path)
    assert corpus.name == "cas_me3_c"
    assert corpus.rows == {"part_C.csv": 4, "part_C_ME.csv": 2}
    assert corpus.kinds() == {"micro": 3, "macro": 1, "other": 1}
    first = corpus.samples[0]
    assert (first.clip, first.apex, [unit.unit for unit in first.aus], first.composite) == (
        "video",
        None,
        [4, 12],
        "negative",
    )
    assert first.source == ("part_C.csv:2", "part_C_ME.csv:2")
    assert first.more == {"diff": "10", "Exp_type": "1", "risk": "1", "count": "1"}
    assert corpus.faults() == {
        "length_disagrees": 1, "unknown_kind": 1, "doubtful_units": 1, "only_in_one_sheet": 2,
    }  # fmt: skip
