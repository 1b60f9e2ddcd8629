"""Interval scores: the rule of the field, on small cases, at random, and on the published detections of CAS(ME)2."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError, UnreadableFileError
from modalities.face.spotting import megc
from modalities.face.spotting.evaluation import Spotted, apex_errors, pair, score
from modalities.face.spotting.spot_then_recognise import spot_then_recognise


def micro(onset: int, offset: int, video: str = "a") -> Spotted:
    return Spotted(video, "micro", onset, offset)


def test_inclusive_frames_decide_the_half() -> None:
    assert len(pair([micro(1, 10)], [micro(1, 5)])) == 1, "5 of 10 frames are exactly half"
    assert pair([micro(1, 10)], [micro(1, 4)]) == []
    assert pair([micro(1, 10)], [micro(11, 20)]) == []


def test_one_truth_is_found_once_and_videos_and_kinds_stay_apart() -> None:
    truth = [micro(1, 10), Spotted("a", "macro", 100, 160)]
    found = [micro(1, 10), micro(2, 11), micro(1, 10, "b"), Spotted("a", "micro", 100, 160)]
    counts = score(truth, found)
    assert (counts["micro"].tp, counts["micro"].fp, counts["micro"].fn) == (1, 3, 0)
    assert (counts["macro"].tp, counts["macro"].fp, counts["macro"].fn) == (0, 0, 1)
    assert counts["overall"] == counts["micro"] + counts["macro"]
    assert counts["micro"].f1 == pytest.approx(2 / 5)


def test_matching_is_as_large_as_possible() -> None:
    truth, found = [micro(1, 10), micro(6, 15)], [micro(4, 12), micro(1, 9)]
    assert len(pair(truth, found)) == 2, "the first detection fits both, the second only the first"


intervals = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["micro", "macro"]), st.integers(0, 60), st.integers(0, 30)),
    max_size=8,
).map(lambda rows: [Spotted(v, k, a, a + n) for v, k, a, n in rows])


@given(intervals, intervals)
def test_counts_add_up_and_do_not_depend_on_order(truth: list[Spotted], found: list[Spotted]) -> None:
    counts = score(truth, found, counting="one-to-one")
    assert counts["overall"].tp + counts["overall"].fp == len(found)
    assert counts["overall"].tp + counts["overall"].fn == len(truth)
    assert counts == score(truth[::-1], found[::-1], counting="one-to-one")
    field = score(truth, found)
    assert field == score(truth[::-1], found[::-1])
    alone = [one for one in truth if not any(other is not one and touch(one, other) for other in truth)]
    assert score(alone, found) == score(alone, found, counting="one-to-one"), "they differ on overlapping truth only"
    for kind in ("micro", "macro"):
        meets = [one for one in truth if one.kind == kind and any(pair([one], [two]) for two in same(one, found))]
        assert counts[kind].tp <= field[kind].tp <= len(meets)
        assert field[kind].tp + field[kind].fn == len([one for one in truth if one.kind == kind])


def touch(one: Spotted, other: Spotted) -> bool:
    return (one.video, one.kind) == (other.video, other.kind) and (
        one.onset <= other.offset and other.onset <= one.offset
    )


def same(one: Spotted, table: list[Spotted]) -> list[Spotted]:
    return [two for two in table if (two.video, two.kind) == (one.video, one.kind)]


def test_overlapping_truth_shares_a_detection_as_the_field_counts() -> None:
    truth, found = [micro(1, 10), micro(2, 11)], [micro(1, 11), micro(50, 60)]
    field, single = score(truth, found)["micro"], score(truth, found, counting="one-to-one")["micro"]
    assert (field.tp, field.fp, field.fn) == (2, 0, 0)
    assert (single.tp, single.fp, single.fn) == (1, 1, 1)
    apart = [micro(1, 5), micro(6, 10)]
    assert score(apart, [micro(1, 10)])["micro"].tp == 1, "half of each, but they do not overlap"
    with pytest.raises(InvalidValueError, match="way of counting"):
        score([], [], counting="generous")


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="ends before it begins"):
        micro(5, 4)
    with pytest.raises(InvalidValueError, match="unknown kinds"):
        score([Spotted("a", "blink", 1, 2)], [])
    with pytest.raises(InvalidValueError):
        score([], [], iou=0)


def published(data_dir: Path) -> tuple[list[Spotted], list[Spotted]]:
    """Truth and detections of the MEGC 2020 baseline: levels are kept one per frame, the first frame is number 1."""
    with (data_dir / "spotting" / "ground_truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    truth = [Spotted(row["video"], row["type"], int(row["onset"]), int(row["offset"])) for row in rows]
    levels = np.load(data_dir / "spotting" / "mdmd_levels.npz")
    found = []
    for key in levels.files:
        if key.endswith("|th"):
            continue
        _, kind, video = key.split("|")
        edges = np.diff(np.r_[0, (levels[key] >= 1).astype(np.int8), 0])
        for onset, after in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            length = after - onset
            if (7 <= length <= 16) if kind == "micro" else (length > 16):
                found.append(Spotted(video, kind, int(onset) + 1, int(after)))
    return truth, found


def test_published_detections_of_casme2_long_videos(
    data_dir: Path, tmp_path: Path, telltale: Callable[..., Any]
) -> None:
    truth, found = published(data_dir)
    for name, rows in (("truth.csv", truth), ("found.csv", found)):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("video", "kind", "onset", "offset"))
            writer.writerows((one.video, one.kind, one.onset, one.offset) for one in rows)
    run = telltale(
        "evaluate", "spotting", "--truth", tmp_path / "truth.csv", "--detections", tmp_path / "found.csv", "--json"
    )
    counts = json.loads(run.stdout)
    assert (counts["micro"]["tp"], counts["micro"]["tp"] + counts["micro"]["fp"]) == (21, 5035)
    assert (counts["macro"]["tp"], counts["macro"]["tp"] + counts["macro"]["fp"]) == (109, 1523)
    assert (counts["micro"]["fn"], counts["macro"]["fn"]) == (36, 191)
    assert counts["overall"]["f1"] == pytest.approx(0.0376, abs=5e-5), "as the baseline's paper has it"
    (tmp_path / "megc.csv").write_text(megc.write_table(found), encoding="utf-8")
    again = telltale(
        "evaluate", "spotting", "--truth", tmp_path / "truth.csv", "--detections", tmp_path / "megc.csv", "--json"
    )
    assert json.loads(again.stdout) == counts
    strict = score(truth, found, counting="one-to-one")
    assert (strict["micro"].tp, strict["macro"].tp) == (21, 104), "five detections meet two or three overlapping truths"


def test_megc_tables_come_back_as_written() -> None:
    found = [
        Spotted("s15_0102", "macro", 396, 432),
        Spotted("s15_0102", "micro", 699, 707),
        Spotted("a", "micro", 3, 9),
    ]
    text = megc.write_table(found)
    assert text.splitlines() == [
        "vid,pred_onset,pred_offset,type", "a,3,9,me", "s15_0102,396,432,mae", "s15_0102,699,707,me"
    ]  # fmt: skip
    assert megc.read_table("\ufeff" + text) == sorted(found, key=lambda one: (one.video, one.onset))
    named = [Spotted("a", "micro", 3, 9, emotion="surprise")]
    assert megc.read_table(megc.write_table(named)) == named
    for wrong, what in (
        ("a,b\n1,2\n", "no MEGC table"),
        (text + "a,1,2,smile\n", "line 5"),
        (text + "a,x,2,me\n", "5"),
    ):
        with pytest.raises(UnreadableFileError, match=what):
            megc.read_table(wrong)


def written_log(truth: list[Spotted], found: list[Spotted]) -> str:
    """A log as of 2019 and 2020: every interval with its verdict, by video and frame."""
    lines = ["1"]
    for video in sorted({one.video for one in [*truth, *found]}):
        verdicts: list[tuple[Spotted | None, Spotted | None]] = []
        for kind in megc.TYPES:
            wanted = [one for one in truth if (one.video, one.kind) == (video, kind)]
            given = [one for one in found if (one.video, one.kind) == (video, kind)]
            pairs = dict(pair(wanted, given))
            verdicts += [(one, given[pairs[i]] if i in pairs else None) for i, one in enumerate(wanted)]
            verdicts += [(None, one) for j, one in enumerate(given) if j not in pairs.values()]
        lines += [_line(video, *verdict) for verdict in sorted(verdicts, key=_place)]
    return "\n".join(lines) + "\n"


def _place(verdict: tuple[Spotted | None, Spotted | None]) -> tuple[int, int]:
    one = verdict[1] or verdict[0]
    return (one.onset, one.offset) if one is not None else (0, 0)


def _line(video: str, true: Spotted | None, found: Spotted | None) -> str:
    frames = [str(frame) for one in (true, found) for frame in (("-", "-") if one is None else (one.onset, one.offset))]
    verdict = "TP" if true and found else "FN" if true else "FP"
    return f"{video:<10}" + "".join(f"{frame:<8}" for frame in frames) + verdict


@given(intervals, intervals)
def test_megc_logs_keep_intervals_and_verdicts(truth: list[Spotted], found: list[Spotted]) -> None:
    truth, found = (
        list({Spotted(o.video, "micro" if o.offset - o.onset < 15 else "macro", o.onset, o.offset): 0 for o in table})
        for table in (truth, found)
    )
    text = written_log(truth, found)
    back = megc.read_log(text, 15)
    assert [set(table) for table in back] == [set(truth), set(found)]
    verdicts = [line.split()[-1] for line in text.splitlines()[1:]]
    counts = score(truth, found, counting="one-to-one")["overall"]
    assert [verdicts.count(word) for word in ("TP", "FP", "FN")] == [counts.tp, counts.fp, counts.fn]


def test_megc_logs_say_which_line_is_wrong() -> None:
    with pytest.raises(UnreadableFileError, match="line 2"):
        megc.read_log("1\n019_7 - - 277 FP\n", 15)
    with pytest.raises(InvalidValueError, match="length"):
        megc.read_log("", 0)


def test_spot_then_recognise_score() -> None:
    def of(onset: int, emotion: str) -> Spotted:
        return Spotted("a", "micro", onset, onset + 9, emotion=emotion)

    truth = [of(0, "happy"), of(100, "happy"), of(200, "sad"), of(300, "sad")]
    assert spot_then_recognise(truth, truth).strs == 1.0
    found = [of(0, "happy"), of(100, "sad"), of(200, "sad"), of(900, "sad")]
    result = spot_then_recognise(truth, found)
    assert (result.spotting.tp, result.spotting.fp, result.spotting.fn, result.recognised) == (3, 1, 1, 2)
    assert (result.precision, result.recall) == (0.75, 0.75), "happy 1/1 and 1/2, sad 1/2 and 1/1"
    assert result.strs == pytest.approx(0.75 * 0.75)
    assert result.as_row()["strs"] == pytest.approx(0.5625)
    assert spot_then_recognise(truth, [of(500, "sad")]).strs == 0
    with pytest.raises(InvalidValueError, match="no emotion"):
        spot_then_recognise([micro(1, 9)], [])


def test_apex_errors_are_of_pairs_that_say_theirs() -> None:
    truth = [Spotted("a", "micro", 0, 9, 4), Spotted("a", "macro", 50, 99, 70), Spotted("b", "micro", 0, 9)]
    found = [Spotted("a", "micro", 1, 9, 6), Spotted("a", "macro", 50, 90, 65), Spotted("b", "micro", 0, 9, 5)]
    assert sorted(apex_errors(truth, found)) == [2, 5]


def test_tables_that_count_from_different_frames_are_brought_together(
    tmp_path: Path, telltale: Callable[..., Any]
) -> None:
    spot = "video,kind,onset_frame,apex_frame,offset_frame\na.mp4,micro,9,12,18\na.mp4,blink,1,2,3\n"
    (tmp_path / "spot.csv").write_text(spot, encoding="utf-8")
    (tmp_path / "megc.csv").write_text("vid,pred_onset,pred_offset,type\na,10,19,me\n", encoding="utf-8")
    run = telltale(
        "evaluate", "spotting", "--truth", tmp_path / "megc.csv", "--detections", tmp_path / "spot.csv", "--json",
        "--iou", "1",
    )  # fmt: skip
    assert json.loads(run.stdout)["micro"]["tp"] == 1, run.stderr
    assert "+1" in run.stderr and "endings" in run.stderr
    (tmp_path / "log.txt").write_text("2\na         10      19      11      19      TP\n", encoding="utf-8")
    words = ("--truth", tmp_path / "log.txt", "--detections", tmp_path / "log.txt", "--json")
    told = telltale("evaluate", "spotting", *words, "--fps", "30")
    assert json.loads(told.stdout)["micro"] == {"tp": 1, "fp": 0, "fn": 0, "precision": 1, "recall": 1, "f1": 1}
    untold = telltale("evaluate", "spotting", *words)
    assert (untold.returncode, "--fps" in untold.stderr) == (2, True)
