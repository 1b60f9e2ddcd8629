"""SAMM, SMIC, MMEW, MEVIEW and CMED from small sheets made here, in their published layouts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from modalities.face.corpora.registry import find_corpora, open_corpus
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


SAMM = [
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
    "Micro",
    "Action Units",
    "Estimated Emotion",
    "Objective Classes",
    "Notes",
]


def test_samm_below_its_preamble(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = [["SAMM, a data set"], ["Davison"], [], SAMM]
    rows.append([906, "906_1_2", 1, 100, 120, 150, 51, "Micro - 1/2", "R12 or R15", "Contempt", 3, ""])
    rows.append([917, "917_3_1", 3, 100, -1, 150, 51, "Micro", "AU4+R14A", "Other", 7, "faint"])
    write(tmp_path / "SAMM_Micro_FACS_Codes_v2.csv", rows)
    found = frames(tmp_path / "SAMM" / "906" / "906_1_2")
    corpus = open_corpus(tmp_path)
    assert corpus.name == "samm"
    first, second = corpus.samples
    assert (first.subject, first.composite, first.path, first.fps) == ("906", "negative", found, 200.0)
    assert [str(unit) for unit in first.aus] == ["R12?", "R15?"]
    assert (second.apex, second.composite, second.more["Notes"]) == (None, None, "faint")
    assert second.aus[1].intensity == "A"
    assert {(row, fault) for row, _, fault in odd(corpus)} == {
        (5, "marked_units"), (5, "doubtful_units"), (6, "negative_frame"), (6, "marked_units"),
    }  # fmt: skip


def test_samm_long_videos(tmp_path: Path) -> None:
    head = [
        "Subject",
        "Filename",
        "Inducement Code",
        "Onset",
        "Apex",
        "Offset",
        "Duration",
        "Type",
        "Action Units",
        "Notes",
    ]
    rows: list[Sequence[object]] = [["text"]] * 9 + [head]
    rows += [
        [906, "906_1_2", 1, 100, 120, 150, 51, "Micro - 1/2", "12", ""],
        [906, "906_1_3", 1, 300, -1, 900, 601, "Macro", "4", ""],
    ]
    write(tmp_path / "SAMM_LongVideos_V3_Release.csv", rows)
    found = frames(tmp_path / "SAMM_longvideos" / "906_1")
    corpus = open_corpus(tmp_path)
    assert corpus.name == "samm_long"
    assert corpus.kinds() == {"micro": 1, "macro": 1}
    assert [one.path for one in corpus.samples] == [found, found]
    assert corpus.samples[1].apex is None
    assert corpus.samples[1].more["video"] == "906_1"
    assert odd(corpus) == [(12, "Apex", "negative_frame")]


HS = [
    "Subject",
    "Filename",
    "",
    "OnsetF",
    "OffsetF",
    "Onset2F",
    "Offset2F",
    "Onset3F",
    "Offset3F",
    "",
    "FirstF",
    "LastF",
    "TotalMF1",
    "TotalMF2",
    "TotalMF3",
    "TotalVL",
    "Emotion",
]


def test_smic_e_movements(tmp_path: Path) -> None:
    def row(name: str, *cells: object) -> list[object]:
        on, off, on2, off2, on3, off3, first, last, one, two, three, length = cells
        return ["9", name, "", on, off, on2, off2, on3, off3, "", first, last, one, two, three, length, "negative"]

    rows = [
        HS,
        row("s93_ne_01", 110, 120, "", "", "", "", 100, 199, 11, "", "", 100),
        row("s93_ne_02", 310, 320, 330, 340, 350, 360, 300, 399, 11, 11, 11, 100),
        row("s93_ne_03", 510, 520, 505, 508, 9, 500, 500, 599, 11, 4, -490, 100),
        row("s93_ne_04", 710, 720, 730, 745, 730, 745, 700, 799, 11, 15, 16, 100),
        row("s93_ne_05", 910, 920, 930, "", "", "", 900, 999, 12, "", "", 99),
        row("s93_ne_06", 80, 120, "", "", "", "", 100, 199, 41, "", "", 100),
    ]
    write(tmp_path / "SMIC-HS-E_annotation.csv", rows)
    found = frames(tmp_path / "SMIC-HS-E" / "HS" / "s09" / "s93_ne_01")
    corpus = open_corpus(tmp_path)
    assert corpus.name == "smic_hs_e"
    assert corpus.rows == {"SMIC-HS-E_annotation.csv": 6}
    marked = [(one.clip[-1], one.onset, one.offset, one.more.get("movement")) for one in corpus.samples]
    assert marked == [
        ("1", 110, 120, None),
        ("2", 310, 320, None),
        ("2", 330, 340, "2"),
        ("2", 350, 360, "3"),
        ("3", 510, 520, None),
        ("3", 505, 508, "2"),
        ("4", 710, 720, None),
        ("4", 730, 745, "2"),
        ("5", 910, 920, None),
        ("6", 80, 120, None),
    ]
    assert corpus.samples[0].path == found
    assert all(one.apex is None and one.aus == () and one.composite == "negative" for one in corpus.samples)
    assert [(row, fault) for row, _, fault in odd(corpus)] == [
        (6, "length_disagrees"),
        (6, "length_disagrees"),
        (7, "outside_clip"),
        (3, "further_onset"),
        (3, "further_onset"),
        (4, "further_onset"),
        (4, "malformed_onset"),
        (5, "further_onset"),
        (5, "length_disagrees"),
        (5, "malformed_onset"),
        (6, "missing_frame"),
        (6, "malformed_onset"),
    ]
    reasons = [one.reason for one in corpus.odd if one.fault == "malformed_onset"]
    assert "leaves the clip" in reasons[0]
    assert "repeats" in reasons[1]
    assert "before the first" in next(one.reason for one in corpus.odd if one.row == 4)


@pytest.mark.parametrize("camera", ["VIS", "NIR"])
def test_smic_e_of_the_slow_cameras(camera: str, tmp_path: Path) -> None:
    head = [
        "Subject",
        "Filename",
        "",
        "OnsetF",
        "OffsetF",
        "Onset2F",
        "Offset2F",
        "",
        "FirstF",
        "TotalMF1",
        "TotalMF2",
        "TotalVL",
        "Emotion",
    ]
    rows = [head, ["81", "s81_po_01", "", 110, 120, 140, 160, "", 100, 11, 21, 50, "positive"]]
    write(tmp_path / f"SMIC-{camera}-E_annotation.csv", rows)
    corpus = open_corpus(tmp_path)
    assert corpus.name == f"smic_{camera.lower()}_e"
    assert [one.fps for one in corpus.samples] == [25.0]
    assert [fault for _, _, fault in odd(corpus)] == ["malformed_onset"]


def test_smic_clips_from_folders(tmp_path: Path) -> None:
    for camera in ("HS", "VIS"):
        frames(tmp_path / "SMIC_all_raw" / camera / "s91" / "micro" / "negative" / "s91_ne_01", range(20, 40))
    frames(tmp_path / "SMIC_all_cropped" / "HS" / "s91" / "micro" / "negative" / "s91_ne_01", range(20, 40))
    frames(tmp_path / "SMIC_all_raw" / "HS" / "s91" / "micro" / "surprise" / "s91_po_01", range(5, 9))
    frames(tmp_path / "SMIC_all_raw" / "HS" / "s91" / "non_micro" / "s91_no_01", range(5, 9))
    assert find_corpora(tmp_path) == ["smic_hs", "smic_vis"]
    corpus = open_corpus(tmp_path, "smic_hs")
    assert [(one.clip, one.onset, one.offset, one.composite) for one in corpus.samples] == [
        ("s91_ne_01", 20, 39, "negative"),
        ("s91_po_01", 5, 8, "surprise"),
    ]
    assert "SMIC_all_raw" in str(corpus.samples[0].path)
    assert corpus.faults() == {"class_disagrees": 1}
    assert open_corpus(tmp_path / "SMIC_all_raw" / "VIS").name == "smic_vis"


def test_mmew_is_told_from_casme2(tmp_path: Path) -> None:
    head = [
        "Subject",
        "Filename",
        "OnsetFrame",
        "ApexFrame",
        "OffsetFrame",
        "Action Units",
        "Estimated Emotion",
        "remarks",
    ]
    rows = [
        head,
        ["S91", "S91-02-001", 1, 9, 20, "12", "happiness", ""],
        ["S91", "S91-02-002", 1, "/", "/", "4", "others", "x"],
    ]
    write(tmp_path / "labels.csv", rows)
    found = frames(tmp_path / "Micro_Expression" / "happiness" / "S91-02-001")
    corpus = open_corpus(tmp_path)
    assert corpus.name == "mmew"
    assert (corpus.samples[0].path, corpus.samples[0].composite, corpus.samples[0].fps) == (found, "positive", 90.0)
    assert odd(corpus) == [(3, "ApexFrame", "missing_frame"), (3, "OffsetFrame", "missing_frame")]


def test_meview_by_the_name_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "MEVIEW"
    write(
        folder / "labels.csv",
        [["video", "person", "onset", "offset", "FACS", "emotion"], ["07.mp4", "p3", 10, 19, "R14", "contempt"]],
    )
    (folder / "videos").mkdir()
    (folder / "videos" / "07.mp4").touch()
    corpus = open_corpus(folder)
    assert corpus.name == "meview"
    only = corpus.samples[0]
    assert (only.subject, only.composite, only.path, only.fps) == ("p3", "negative", folder / "videos" / "07.mp4", None)
    assert corpus.faults() == {"marked_units": 1}


def test_cmed_compounds(tmp_path: Path) -> None:
    rows = [
        ["dataset", "subject", "filename", "class"],
        ["CASME", "1", "a", "PS"],
        ["SMIC", "2", "b", "negatively negative"],
    ]
    rows += [["SAMM", "3", "c", "surprise"], ["SAMM", "3", "d", "mixed"]]
    write(tmp_path / "compounds.csv", rows)
    corpus = open_corpus(tmp_path)
    assert corpus.name == "cmed"
    assert [one.composite for one in corpus.samples] == [None, "negative", "surprise", None]
    assert corpus.samples[0].emotion == "PS"
    assert odd(corpus) == [(5, "class", "unknown_emotion")]
