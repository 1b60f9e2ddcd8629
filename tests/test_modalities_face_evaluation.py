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

from data_schemas.errors import InvalidValueError
from modalities.face.spotting.evaluation import Spotted, pair, score


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
    counts = score(truth, found)
    assert counts["overall"].tp + counts["overall"].fp == len(found)
    assert counts["overall"].tp + counts["overall"].fn == len(truth)
    assert counts == score(truth[::-1], found[::-1])


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="ends before it begins"):
        micro(5, 4)
    with pytest.raises(InvalidValueError, match="unknown kinds"):
        score([Spotted("a", "blink", 1, 2)], [])
    with pytest.raises(InvalidValueError):
        score([], [], iou=0)


def test_published_detections_of_casme2_long_videos(
    data_dir: Path, tmp_path: Path, telltale: Callable[..., Any]
) -> None:
    with (data_dir / "spotting" / "ground_truth.csv").open(encoding="utf-8") as file:
        truth = [(row["video"], row["type"], row["onset"], row["offset"]) for row in csv.DictReader(file)]
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
                found.append((video, kind, onset + 1, after))
    for name, rows in (("truth.csv", truth), ("found.csv", found)):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("video", "kind", "onset", "offset"))
            writer.writerows(rows)
    run = telltale(
        "evaluate", "spotting", "--truth", tmp_path / "truth.csv", "--detections", tmp_path / "found.csv", "--json"
    )
    counts = json.loads(run.stdout)
    assert (counts["micro"]["tp"], counts["micro"]["tp"] + counts["micro"]["fp"]) == (21, 5035)
    assert counts["macro"]["tp"] + counts["macro"]["fp"] == 1523
