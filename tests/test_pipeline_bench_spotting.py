"""The spotting bench: real pixels through the real encoder, scores by the evaluator, tables with every column."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError, MissingFileError, NothingUsableError
from modalities.face.spotting.evaluation import Counts
from pipeline.bench_bands import band_rows, calibration_rows, threshold_rows
from pipeline.bench_cache import Seen, cached, code_version, store
from pipeline.bench_halves import HALVES, half_rows, split, winner_row
from pipeline.bench_material import _plan_events, make_copy
from pipeline.bench_plan import RATE_PER_MINUTE, CopyPlan, _plan, list_videos, plan_simulated
from pipeline.bench_printing import lay_out
from pipeline.bench_scores import (
    Found,
    Outcome,
    Planted,
    face_of,
    natural_rows,
    poisson_upper,
    rare_f1,
    score_rows,
)  # fmt: skip
from pipeline.bench_spotting import run_bench
from pipeline.bench_workers import share_out

COLUMNS = {
    "spotter", "material", "face", "own_movement", "kind", "minutes", "planted", "precision", "recall", "f1", "f1_rare",
    "alarms_per_minute", "alarms_upper95", "unplanted_per_minute", "apex_error_frames", "ms_per_frame",
}  # fmt: skip


def outcome(found: tuple[Found, ...], *, natural: bool = False, own: float = 0.3) -> Outcome:
    planted = () if natural else (Planted("micro", 100, 105, 110, 1.2, 0.35), Planted("macro", 300, 330, 360, 6.0, 2.0))
    times = np.arange(1801) * 33_333_333
    return Outcome("s", "n" if natural else "p", "m", natural, times, planted, found, 3.6, own)


HIT, WRONG = Found("micro", 101, 107, 111, 0.95, "au12"), Found("micro", 500, 505, 510, 0.55)


def test_scores_of_known_outcomes() -> None:
    outcomes = [outcome((HIT, WRONG)), outcome((WRONG,), natural=True)]
    rows = {(row["material"], row["kind"]): row for row in score_rows(outcomes)}
    assert set(rows) == {(name, kind) for name in ("m", "all calm") for kind in ("micro", "macro", "overall")}
    micro, macro = rows["m", "micro"], rows["m", "macro"]
    assert set(micro) == COLUMNS
    assert (micro["planted"], micro["precision"], micro["recall"], micro["f1"]) == (1, 0.5, 1.0, 0.667)
    assert micro["alarms_per_minute"] == pytest.approx(1.0, abs=0.01)
    assert micro["unplanted_per_minute"] == pytest.approx(1.0, abs=0.01)
    assert micro["alarms_upper95"] == pytest.approx(4.74, abs=0.02)
    assert micro["apex_error_frames"] == pytest.approx(2.0)
    assert micro["ms_per_frame"] == pytest.approx(2.0, abs=0.01)
    assert (macro["recall"], macro["f1"], macro["apex_error_frames"]) == (0.0, 0.0, None)
    assert (rows["m", "overall"]["f1"], rows["m", "micro"]["face"]) == (0.5, "calm")


def test_apex_errors_are_told_in_thirtieths_of_a_second() -> None:
    slow = replace(outcome((HIT,)), times_ns=np.arange(1801) * 40_000_000)
    micro = next(row for row in score_rows([slow]) if row["kind"] == "micro")
    assert micro["apex_error_frames"] == pytest.approx(2 * 30 / 25)


def test_faces_are_pooled_by_their_own_movement() -> None:
    outcomes = [outcome((HIT,)), outcome((WRONG,), own=1.0), outcome((HIT, WRONG), own=4.0)]
    rows = {row["material"]: row for row in score_rows(outcomes) if row["kind"] == "micro"}
    assert [(name, row["recall"]) for name, row in rows.items()] == [
        ("m", 0.667), ("all calm", 1.0), ("all between", 0.0), ("all lively", 1.0)
    ]  # fmt: skip
    bands = {row["from"]: row for row in band_rows(outcomes) if (row["by"], row["kind"]) == (OWN, "micro")}
    assert {low: (row["recall"], row["f1"]) for low, row in bands.items()} == {
        0.3: (1.0, 1.0), 1.0: (0.0, 0.0), 2.0: (1.0, 0.667)
    }  # fmt: skip


OWN = "own_movement_percent"


def test_bands_calibration_and_thresholds() -> None:
    outcomes = [outcome((HIT, WRONG))]
    rows = {(row["kind"], row["by"]): row for row in band_rows(outcomes) if row["by"] != OWN}
    assert rows["micro", "displacement_percent"] == {
        "spotter": "s", "face": "calm", "kind": "micro", "by": "displacement_percent", "from": 1.0, "to": 1.5,
        "planted": 1, "found": 1, "recall": 1.0, "f1": 0.667,
    }  # fmt: skip
    assert (rows["micro", "duration_s"]["from"], rows["micro", "duration_s"]["recall"]) == (0.25, 1.0)
    assert (rows["macro", "duration_s"]["from"], rows["macro", "duration_s"]["recall"]) == (2.0, 0.0)
    found = [(row["score_from"], row["events"], row["true_share"], row["brier"]) for row in calibration_rows(outcomes)]
    brier = round((0.05**2 + 0.55**2) / 2, 3)
    assert found == [(0.5, 1, 0.0, brier), (0.9, 1, 1.0, brier)]
    least = {row["least_score"]: row for row in threshold_rows(outcomes) if row["kind"] == "micro"}
    assert [(least[at]["precision"], least[at]["recall"]) for at in (0.0, 0.7)] == [(0.5, 1.0), (1.0, 1.0)]
    assert [least[at]["alarms_per_minute"] for at in (0.0, 0.7)] == [1.0, 0.0]
    natural = natural_rows([outcome((Found("macro", 30, 60, 90, 0.7, "au04"),), natural=True)])
    assert [(row["kind"], row["onset_s"], row["offset_s"], row["aus"]) for row in natural] == [
        ("macro", 1.0, 3.0, "au04")
    ]


def test_f1_of_a_band_is_that_of_a_plan_of_such_expressions() -> None:
    few = Planted("micro", 100, 105, 110, 1.2, 0.35), Planted("micro", 200, 205, 210, 4.0, 0.35)
    missed = replace(outcome((Found("micro", 200, 205, 210, 0.9), WRONG)), planted=few)
    rows = [row for row in band_rows([missed]) if row["by"] == "displacement_percent"]
    assert [(row["from"], row["recall"], row["f1"]) for row in rows] == [(1.0, 0.0, 0.0), (3.0, 1.0, 0.8)]


def test_sheets_fit_a_terminal() -> None:
    outcomes = [outcome((HIT, WRONG)), outcome((WRONG,), own=1.0), outcome((WRONG,) * 40, natural=True)]
    tables = {
        "rows": score_rows(outcomes), "bands": band_rows(outcomes), "thresholds": threshold_rows(outcomes),
        "calibration": calibration_rows(outcomes), "natural": natural_rows(outcomes),
        "halves": half_rows([all_right("a", 0), all_wrong("b", 0), all_right("a", 1), all_wrong("b", 1)]),
    }  # fmt: skip
    sheets = {sheet.title: sheet.rows for sheet in lay_out(tables)}
    assert [row["spotter"] for row in sheets["Training and test half"]] == ["a", "b"]
    assert {"Calm faces", "Between faces", "By material"} <= set(sheets) and "Lively faces" not in sheets
    for title, rows in sheets.items():
        assert len({tuple(row) for row in rows}) == 1, title
        widths = [max(len(str(row[name])) for row in rows) for name in rows[0]]
        assert sum(max(w, len(name)) + 3 for w, name in zip(widths, rows[0], strict=True)) <= 100, title
    natural = next(rows for title, rows in sheets.items() if "unplanted" in title)
    assert len(natural) == 12


# --- training and test half


def case(spotter: str, copy: str, found: tuple[Found, ...], material: str = "simulated quiet") -> Outcome:
    return replace(outcome(found), spotter=spotter, copy=copy, material=material)


def all_right(spotter: str, number: int, material: str = "simulated quiet") -> Outcome:
    return case(spotter, f"{material} {number}", (HIT, Found("macro", 300, 330, 360, 0.9)), material)


def all_wrong(spotter: str, number: int, material: str = "simulated quiet") -> Outcome:
    return case(spotter, f"{material} {number}", (WRONG,), material)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.randoms())
def test_halves_are_disjoint_and_hold_both_manners(quiet: int, talking: int, videos: int, chance: Random) -> None:
    made = [all_right("s", at) for at in range(quiet)]
    made += [all_right("s", at, "simulated talking") for at in range(talking)]
    made += [all_right("s", at, f"v{number}.mp4") for number in range(videos) for at in range(3)]
    chance.shuffle(made)
    halves = split(made)
    sides = [{one.copy for one in made if halves[one.copy] == half} for half in HALVES]
    assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == len(made)
    for manner, count in (("simulated quiet", quiet), ("simulated talking", talking)):
        sizes = [sum(name.startswith(manner) for name in side) for side in sides]
        assert sizes == [(count + 1) // 2, count // 2]
    for number in range(videos):
        assert len({halves[f"v{number}.mp4 {at}"] for at in range(3)}) == 1, "one face, one half"
    ordered = split(sorted(made, key=lambda one: one.copy))
    assert ordered == halves, "whatever the order"


def test_the_winner_is_that_of_the_training_half_alone() -> None:
    made = [all_right("a", 0), all_wrong("a", 1), all_wrong("b", 0), all_right("b", 1), all_right("b", 3)]
    made += [all_right("a", 2), all_wrong("b", 2), all_wrong("a", 3), all_right("b", 5), all_wrong("a", 5)]
    rows = {(row["half"], row["spotter"]): row for row in half_rows(made) if row["kind"] == "overall"}
    assert [rows[half, name]["f1"] for half in HALVES for name in "ab"] == [1.0, 0.0, 0.0, 1.0]
    assert set(rows["test", "a"]) >= {"precision", "recall", "alarms_per_minute", "ms_per_frame"}
    told = winner_row(made, "b")
    assert told == {"winner": "a", "f1_training": 1.0, "f1_test": 0.0, "default": "b", "default_wins": False}
    better = [one for one in made if split(made)[one.copy] == "training"]
    better += [all_right(name, at) for name in "ab" for at in (1, 3, 5)]
    assert winner_row(better, "a") == {**told, "f1_test": 1.0, "default": "a", "default_wins": True}
    alone = winner_row([all_right("a", 0)], "temporal")
    assert alone["f1_test"] is None and alone["default_wins"] is None
    assert winner_row([all_right("a", 1)], "a")["winner"] is None, "no training half"
    unplanted = replace(outcome((WRONG,), natural=True), spotter="a", copy="v.mp4 unplanted", material="v.mp4")
    assert half_rows([*made, unplanted]) == half_rows(made)


def test_reweighting_and_bounds() -> None:
    assert rare_f1(Counts(10, 0, 0), 2.0) == 1.0
    assert rare_f1(Counts(5, 0, 5), 2.0) == pytest.approx(2 / 3)
    assert rare_f1(Counts(10, 4, 0), 10.0) == pytest.approx(2 * 0.4 / (0.4 + 0.4 + 0.4))
    assert rare_f1(Counts(0, 4, 3), 10.0) == 0.0
    assert poisson_upper(0) == pytest.approx(3.0, abs=0.01)
    assert [face_of(x) for x in (0.1, 0.6, 2.0)] == ["calm", "between", "lively"]


def test_copies_repeat_by_seed_and_differ_by_number() -> None:
    plans = [plan_simulated("quiet", 0.2, seed)[0] for seed in (3, 3, 4)]
    first, again, other = (make_copy(plan) for plan in plans)
    assert first.planted == again.planted != other.planted
    pictures = [next(copy.pictures()) for copy in (first, again, other)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


@given(st.floats(1.5, 700), st.floats(0.1, 120), st.integers(0, 99))
def test_expressions_are_shared_out_over_copies_at_the_planned_rate(length: float, minutes: float, seed: int) -> None:
    plans = _plan("a", length, minutes, seed, None)
    planned = sum(plan.expressions for plan in plans)
    total = sum(plan.length_s for plan in plans) * RATE_PER_MINUTE / 60
    assert abs(planned - total) <= 1
    assert max(plan.expressions for plan in plans) - min(plan.expressions for plan in plans) <= 1


@pytest.mark.parametrize("length", [1.5, 2.4, 5.0, 12.0])
def test_expressions_fit_into_short_copies(length: float) -> None:
    for seed in range(40):
        plan = CopyPlan("a", 0, seed, length, 1)
        events = _plan_events(plan, np.random.default_rng(seed))
        assert len([event for event in events if event.kind == "macro"]) <= 1 <= len(events)
        assert all(0.25 * min(length, 4) <= event.onset_s < event.offset_s <= length for event in events)


def test_wrong_calls_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        list_videos(tmp_path / "nowhere")
    with pytest.raises(NothingUsableError, match="no video"):
        list_videos(tmp_path)
    with pytest.raises(InvalidValueError, match="no spotter"):
        run_bench(["crystal ball"])
    with pytest.raises(InvalidValueError, match="positive"):
        run_bench(["regional"], minutes=0)


def test_the_command_prints_every_column_and_looks_once(telltale: Callable, tmp_path: Path) -> None:
    words = ("bench", "spotting", "--spotters", "regional", "--minutes", "0.33", "-j", "2", "--cache", tmp_path)
    done = telltale(*words, "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert set(printed) == {"rows", "bands", "thresholds", "calibration", "natural", "halves", "winner", "refused"}
    assert {row["half"] for row in printed["halves"]} == {"training"}, "one copy of each manner"
    assert printed["winner"]["winner"] == "regional" and printed["winner"]["default_wins"] is None
    rows = printed["rows"]
    assert all(set(row) == COLUMNS for row in rows)
    assert {row["material"] for row in rows} >= {"simulated quiet", "simulated talking"}
    assert {row["kind"] for row in rows} == {"micro", "macro", "overall"}
    quiet = next(row for row in rows if row["material"] == "simulated quiet" and row["kind"] == "overall")
    assert quiet["face"] == "calm"
    assert quiet["ms_per_frame"] > 1
    (version,) = tmp_path.glob("v*")
    kept = {file: file.stat().st_mtime_ns for file in version.glob("*.npz")}
    assert len(kept) == 2
    again = run_bench(["regional"], minutes=0.33, jobs=1, cache=tmp_path, version=version.name[1:])
    told = [
        {name: value for name, value in row.items() if name != "ms_per_frame"} for row in score_rows(again.outcomes)
    ]
    assert told == [{name: value for name, value in row.items() if name != "ms_per_frame"} for row in rows]
    assert kept == {file: file.stat().st_mtime_ns for file in version.glob("*.npz")}


def test_what_was_seen_is_kept_and_broken_files_are_not_believed(tmp_path: Path) -> None:
    plan = CopyPlan("simulated quiet", 0, 0, 10.0, 1)
    planted = (Planted("micro", 1, 2, 3, 1.5, 0.1),)
    rows = np.zeros(4, [("t_ns", np.int64)])
    seen = Seen(np.arange(4), planted, rows, {"lbp": np.ones((4, 2))}, 1.5, {"lbp": 0.25})
    store(tmp_path, plan, "a", seen)
    back = cached(tmp_path, plan, "a", ["lbp"])
    assert back is not None
    assert (back.planted, back.looking_s, back.reducing_s) == (planted, 1.5, {"lbp": 0.25})
    assert np.array_equal(back.reduced["lbp"], np.ones((4, 2))) and np.array_equal(back.rows, rows)
    assert cached(tmp_path, plan, "a", ["mdmd"]) is None, "nobody reduced for this spotter"
    store(tmp_path, plan, "a", Seen(np.arange(4), planted, rows, {"mdmd": np.zeros((4, 1))}, 1.5, {"mdmd": 0.5}))
    both = cached(tmp_path, plan, "a", ["mdmd", "lbp"])
    assert both is not None and set(both.reduced) == {"lbp", "mdmd"}
    assert cached(tmp_path, plan, "b", []) is None, "other code looked"
    assert cached(tmp_path, replace(plan, seed=1), "a", []) is None
    (file,) = tmp_path.rglob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert cached(tmp_path, plan, "a", []) is None


def test_code_version_follows_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = code_version(["modalities.face.spotting.evaluation"])
    assert one == code_version(["modalities.face.spotting.evaluation"]) != code_version(["modalities.face.flow"])
    assert code_version(["modalities.face.spotting.evaluation", "data_schemas.errors"]) == one, "it is imported there"
    assert code_version(["numpy"]) == code_version([])


def fail_at_two(number: int) -> int:
    if number == 2:
        raise ValueError("two")
    if number == 3:
        os._exit(1)
    return number * number


def test_a_failing_task_is_told_in_words() -> None:
    told: list[int] = []
    answers = share_out(fail_at_two, [1, 2, 4], 1, told.append)
    assert answers == [1, "ValueError: two", 16]
    assert told == [1, 2, 3]


def test_a_dying_worker_takes_nobody_along() -> None:
    answers = share_out(fail_at_two, [1, 2, 3, 4, 5], 2, lambda done: None)
    assert answers[:2] + answers[3:] == [1, "ValueError: two", 16, 25]
    assert "worker process died" in str(answers[2])


def test_short_videos_are_planted_into_and_faceless_ones_refused(data_dir: Path, tmp_path: Path) -> None:
    for name in ("single_face.mp4", "no_face.mp4"):
        (tmp_path / name).write_bytes((data_dir / "video" / name).read_bytes())
    bench = run_bench(["regional"], tmp_path, minutes=0.3, simulated=False)
    assert set(bench.refused) == {"no_face.mp4"} and "0% of its frames" in bench.refused["no_face.mp4"]
    plain, *planted = bench.outcomes
    assert (plain.natural, plain.planted) == (True, ())
    assert len(planted) == 8 and not any(one.natural for one in planted), "the faceless one's share of time falls to it"
    assert sum(len(one.planted) for one in planted) <= 3
    assert len({one.own_percent for one in bench.outcomes}) == 1, "the unplanted copy tells how lively the face is"
