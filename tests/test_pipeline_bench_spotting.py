"""The spotting bench: real pixels through the real encoder, scores by the evaluator, tables with every column."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError, MissingFileError, NothingUsableError
from modalities.face.spotting.evaluation import Counts
from pipeline.bench_material import simulated_copies
from pipeline.bench_scores import (
    Found,
    Outcome,
    Planted,
    calibration_rows,
    natural_rows,
    poisson_upper,
    rare_f1,
    recall_rows,
    score_rows,
)  # fmt: skip
from pipeline.bench_spotting import face_of, list_videos, run_bench

COLUMNS = {
    "spotter", "material", "face", "own_movement", "kind", "minutes", "planted", "precision", "recall", "f1", "f1_rare",
    "alarms_per_minute", "alarms_upper95", "unplanted_per_minute", "apex_error_frames", "ms_per_frame",
}  # fmt: skip


def outcome(found: tuple[Found, ...], *, natural: bool = False, spotter: str = "s") -> Outcome:
    planted = () if natural else (Planted("micro", 100, 105, 110, 1.2, 0.35), Planted("macro", 300, 330, 360, 6.0, 2.0))
    times = np.arange(1801) * 33_333_333
    return Outcome(spotter, "n" if natural else "p", "m", natural, times, planted, found, 3.6)


def test_scores_of_known_outcomes() -> None:
    hit, wrong = Found("micro", 101, 107, 111, 0.95, "au12"), Found("micro", 500, 505, 510, 0.55)
    outcomes = [outcome((hit, wrong)), outcome((wrong,), natural=True)]
    rows = {(row["material"], row["kind"]): row for row in score_rows(outcomes, {"m": 0.3}, face_of)}
    assert set(rows) == {(name, kind) for name in ("m", "all calm") for kind in ("micro", "macro", "overall")}
    micro, macro = rows["m", "micro"], rows["m", "macro"]
    assert set(micro) == COLUMNS
    assert (micro["planted"], micro["precision"], micro["recall"], micro["f1"]) == (1, 0.5, 1.0, 0.667)
    assert micro["alarms_per_minute"] == pytest.approx(1.0, abs=0.01)
    assert micro["unplanted_per_minute"] == pytest.approx(1.0, abs=0.01)
    assert micro["alarms_upper95"] == pytest.approx(4.74, abs=0.02)
    assert micro["apex_error_frames"] == 2.0
    assert micro["ms_per_frame"] == pytest.approx(2.0, abs=0.01)
    assert (macro["recall"], macro["f1"], macro["apex_error_frames"]) == (0.0, 0.0, None)
    assert (rows["m", "overall"]["f1"], rows["m", "micro"]["face"]) == (0.5, "calm")


def test_recall_by_band_and_calibration() -> None:
    outcomes = [outcome((Found("micro", 100, 105, 110, 0.95), Found("micro", 500, 505, 510, 0.55)))]
    recall = {(row["kind"], row["by"]): row for row in recall_rows(outcomes, {"m": 3.0}, face_of)}
    assert recall["micro", "displacement_percent"] == {
        "spotter": "s", "face": "lively", "kind": "micro", "by": "displacement_percent", "from": 1.0, "to": 1.5,
        "planted": 1, "found": 1, "recall": 1.0,
    }  # fmt: skip
    assert (recall["micro", "duration_s"]["from"], recall["micro", "duration_s"]["recall"]) == (0.25, 1.0)
    assert (recall["macro", "duration_s"]["from"], recall["macro", "duration_s"]["recall"]) == (2.0, 0.0)
    shares = [(row["score_from"], row["events"], row["true_share"]) for row in calibration_rows(outcomes)]
    assert shares == [(0.5, 1, 0.0), (0.9, 1, 1.0)]
    natural = natural_rows([outcome((Found("macro", 30, 60, 90, 0.7, "au04"),), natural=True)])
    assert [(row["kind"], row["onset_s"], row["offset_s"], row["aus"]) for row in natural] == [
        ("macro", 1.0, 3.0, "au04")
    ]


def test_reweighting_and_bounds() -> None:
    assert rare_f1(Counts(10, 0, 0), 2.0) == 1.0
    assert rare_f1(Counts(5, 0, 5), 2.0) == pytest.approx(2 / 3)
    assert rare_f1(Counts(10, 4, 0), 10.0) == pytest.approx(2 * 0.4 / (0.4 + 0.4 + 0.4))
    assert rare_f1(Counts(0, 4, 3), 10.0) == 0.0
    assert poisson_upper(0) == pytest.approx(3.0, abs=0.01)
    assert [face_of(x) for x in (0.1, 0.6, 2.0)] == ["calm", "between", "lively"]


def test_copies_repeat_by_seed_and_differ_by_number() -> None:
    first, again, other = ([*simulated_copies("quiet", 0.2, seed)] for seed in (3, 3, 4))
    assert first[0].planted == again[0].planted != other[0].planted
    pictures = [next(copies[0].pictures()) for copies in (first, again, other)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_wrong_calls_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        list_videos(tmp_path / "nowhere")
    with pytest.raises(NothingUsableError, match="no video"):
        list_videos(tmp_path)
    with pytest.raises(InvalidValueError, match="no spotter"):
        run_bench(["crystal ball"])
    with pytest.raises(InvalidValueError, match="positive length"):
        run_bench(["regional"], minutes=0)


def test_the_command_prints_every_column(telltale: Callable) -> None:
    done = telltale("bench", "spotting", "--spotters", "regional", "--minutes", "0.5", "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert set(printed) == {"rows", "recall", "calibration", "natural", "refused"}
    rows = printed["rows"]
    assert all(set(row) == COLUMNS for row in rows)
    assert {row["material"] for row in rows} >= {"simulated quiet", "simulated talking"}
    assert {row["kind"] for row in rows} == {"micro", "macro", "overall"}
    quiet = next(row for row in rows if row["material"] == "simulated quiet" and row["kind"] == "overall")
    assert quiet["face"] == "calm"
    assert quiet["ms_per_frame"] > 1


def test_real_videos_are_planted_and_short_ones_refused(data_dir: Path, tmp_path: Path) -> None:
    for name in ("woman_596x336.mp4", "single_face.mp4"):
        (tmp_path / name).write_bytes((data_dir / "video" / name).read_bytes())
    bench = run_bench(["regional"], tmp_path, minutes=0.1, simulated=False)
    assert set(bench.refused) == {"single_face.mp4"}
    plain, planted = bench.outcomes
    assert (plain.natural, plain.planted, planted.natural) == (True, (), False)
    assert face_of(bench.own_movement["woman_596x336.mp4"]) != "calm"
    assert plain.minutes == planted.minutes == pytest.approx(10 / 60, rel=0.01)
