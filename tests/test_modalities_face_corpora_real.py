"""The sheets that data sets really ship: counts of each kind, and a plain scan that must agree with what is listed."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from data_schemas.errors import UnreadableFileError
from modalities.face.corpora.registry import find_corpora, open_corpus
from modalities.face.corpora.sample import FAULTS, Corpus
from modalities.face.corpora.shelf import read_table

SHEETS = ("casme2", "cas_me2", "cas_me3_a", "cas_me3_c", "smic_hs_e", "smic_vis_e")


@pytest.fixture(scope="module")
def read(data_dir: Path) -> Callable[[str], Corpus]:
    known: dict[str, Corpus] = {}

    def get(name: str) -> Corpus:
        if name not in known:
            known[name] = open_corpus(data_dir / "annotations", name)
        return known[name]

    return get


@pytest.mark.parametrize(
    ("name", "kinds", "rows"),
    [
        ("casme2", {"micro": 255}, {255}),
        ("cas_me2", {"macro": 300, "micro": 57}, {357}),
        ("cas_me3_a", {"macro": 3346, "micro": 860, "blink": 841}, {4206, 860, 841}),
        ("cas_me3_c", {"macro": 303, "micro": 166}, {463, 165}),
        ("smic_hs_e", {"micro": 166}, {157}),
        ("smic_vis_e", {"micro": 76}, {71}),
    ],
)
def test_counts_of_each_kind(name: str, kinds: dict[str, int], rows: set[int], read: Callable[[str], Corpus]) -> None:
    corpus = read(name)
    assert corpus.kinds() == kinds
    assert set(corpus.rows.values()) == rows
    assert all(sample.corpus == name and sample.subject and sample.clip for sample in corpus.samples)


def test_each_row_is_in_a_sample(read: Callable[[str], Corpus]) -> None:
    for name in SHEETS:
        corpus = read(name)
        places = Counter(place.rsplit(":", 1)[0] for place in {one for s in corpus.samples for one in s.source})
        assert dict(places) == dict(corpus.rows)


def test_smic_further_movements(read: Callable[[str], Corpus]) -> None:
    high, slow = read("smic_hs_e"), read("smic_vis_e")
    moves = Counter(sample.more.get("movement", "1") for sample in high.samples)
    assert moves == {"1": 157, "2": 8, "3": 1}
    assert high.faults()["malformed_onset"] == 6
    assert Counter(sample.more.get("movement", "1") for sample in slow.samples) == {"1": 71, "2": 5}
    assert len({sample.clip for sample in high.samples}) == 157


def test_emotions_of_cas_me3(read: Callable[[str], Corpus]) -> None:
    part_a = [sample for sample in read("cas_me3_a").samples if sample.kind == "micro"]
    assert all(len(sample.source) == 2 and sample.emotion for sample in part_a)
    assert read("cas_me3_a").faults()["sheets_disagree"] == 4
    part_c = read("cas_me3_c")
    both = [sample for sample in part_c.samples if len(sample.source) == 2]
    assert len(both) == 159
    assert part_c.faults()["only_in_one_sheet"] == 7
    assert sum(bool(sample.aus) for sample in part_c.samples) == 165


def test_long_videos_of_cas_me2_as_the_ground_truth_has_them(data_dir: Path, read: Callable[[str], Corpus]) -> None:
    with (data_dir / "spotting" / "ground_truth.csv").open() as opened:
        truth = Counter((row["video"], row["type"], int(row["onset"])) for row in csv.DictReader(opened))
    got = Counter((one.more["video"], one.kind, one.onset) for one in read("cas_me2").samples)
    assert got == truth


def test_casme2_as_the_composite_has_it(data_dir: Path, read: Callable[[str], Corpus]) -> None:
    sheet = {(f"sub{one.subject}", one.clip): one for one in read("casme2").samples}
    composite = open_corpus(data_dir / "me_flow")
    assert composite.name == "megc2019"
    mine = [one for one in composite.samples if one.corpus == "casme2"]
    assert (len(mine), len(composite.samples)) == (145, 309)
    assert Counter(one.composite for one in mine) == {"negative": 88, "positive": 32, "surprise": 25}
    same = [sheet[one.subject, one.clip] for one in mine]
    assert [one.composite for one in mine] == [one.composite for one in same]
    assert [one.aus for one in mine] == [one.aus for one in same]
    differ = sum((a.onset, a.apex, a.offset) != (b.onset, b.apex, b.offset) for a, b in zip(mine, same, strict=True))
    assert differ <= 2


def plain_scan(grid: Sequence[Sequence[str]], columns: Sequence[int | None], header: int) -> set[int]:
    """Numbers of rows with an odd frame or action unit, found without any of the package's own rules."""
    onset, apex, offset, units = columns
    found = set()
    for number, row in enumerate(grid, 1):
        if number <= header or not any(row):
            continue
        cells = [None if at is None else row[at] for at in (onset, apex, offset)]
        values = [None if cell is None else int(cell) if cell.isdigit() else -1 for cell in cells]
        first, top, last = values
        if first is None or last is None:
            continue
        wrong = first <= 0 or last <= first or (top is not None and not first <= top <= last)
        if units is not None:
            names = re.split(r"[+,]", row[units])
            wrong |= not all(name.isdigit() for name in names) or len(set(names)) < len(names)
        if wrong:
            found.add(number)
    return found


@pytest.mark.parametrize(
    ("name", "file", "sheet", "columns", "header"),
    [
        ("casme2", "CASME2-coding-20140508.xlsx", "Sheet1", (3, 4, 5, 7), 1),
        ("cas_me2", "CASME_sq_gt.xlsx", "CASFEcode_final", (2, 3, 4, 5), 0),
        ("cas_me3_a", "CAS(ME)3_part_A_v2.xls", "AU+Emotion", (2, 3, 4, 5), 1),
        ("cas_me3_a", "CAS(ME)3_part_A_v2.xls", "eye blink", (2, None, 3, None), 1),
        ("cas_me3_a", "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", "label", (2, 3, 4, 5), 1),
        ("cas_me3_c", "CAS(ME)3_part_C_ME.xlsx", "mockCrimeME", (2, None, 3, 4), 1),
        ("cas_me3_c", "CAS(ME)3_part_C.xls", "organize", (1, None, 2, None), 1),
        ("smic_hs_e", "SMIC-HS-E_annotation.xlsx", "HS", (3, None, 4, None), 1),
        ("smic_vis_e", "SMIC-HS-E_annotation.xlsx", "VIS", (3, None, 4, None), 1),
    ],
)
def test_every_malformed_row_is_listed_with_its_reason(
    name: str,
    file: str,
    sheet: str,
    columns: tuple[int | None, ...],
    header: int,
    data_dir: Path,
    read: Callable[[str], Corpus],
) -> None:
    corpus = read(name)
    wrong = plain_scan(read_table(data_dir / "annotations" / file)[sheet], columns, header)
    listed = {one.row for one in corpus.odd if one.file == f"{file}!{sheet}"}
    assert wrong <= listed
    assert all(one.fault in FAULTS and one.reason and one.row > 0 for one in corpus.odd)
    shape = {"marked_units", "doubtful_units", "repeated_units", "strange_separator", "unread_units", "no_units"}
    frames = {"onset_zero", "offset_zero", "apex_zero", "missing_frame", "apex_outside", "offset_not_after_onset"}
    listed = {one.row for one in corpus.odd if one.file == f"{file}!{sheet}" and one.fault in shape | frames}
    assert listed <= wrong


def test_the_folder_holds_several_and_says_which(data_dir: Path) -> None:
    assert find_corpora(data_dir / "annotations") == list(SHEETS)
    with pytest.raises(UnreadableFileError, match="smic_vis_e"):
        open_corpus(data_dir / "annotations")
    assert open_corpus(data_dir / "annotations" / "CASME2-coding-20140508.xlsx").name == "casme2"
    with pytest.raises(UnreadableFileError, match="Inducement Code"):
        open_corpus(data_dir / "annotations", "samm")
