"""The table of all systems, and clips of a corpus for those that take clips."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks import recognition_table
from data_schemas.errors import InvalidValueError
from modalities.face.recognition.inputs_clip import ClipFrames, ClipPicture, apex_of, flow_between, sized
from modalities.face.recognition.protocols import find_protocol, k_fold
from modalities.face.recognition.schedule import Schedule
from modalities.face.recognition.simulation import simulate_flow_set
from modalities.face.recognition.simulation_clips import simulate_clip_set
from modalities.face.recognition.systems import SYSTEMS, find_system
from modalities.face.recognition.zoo.printed import printed_figures
from modalities.face.recognition.zoo.table import GROUPS
from pipeline.recognition_bench import run_recognition_bench
from pipeline.recognition_clips import read_clips
from pipeline.recognition_data import read_samples

HEADER = ["Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion"]


def test_one_table_of_all_data(tmp_path: Path) -> None:
    samples = simulate_flow_set(5, 6, seed=1)
    data = tmp_path / "maps"
    data.mkdir()
    np.savez(
        data / "a.npz", x=samples.x.astype(np.uint8), y=samples.y, subject=samples.subject, dataset=samples.dataset,
        clip=samples.clip,
    )  # fmt: skip
    words = ["--data", str(data), "--models", "hoof-linear,kernel-ridge", "--seeds", "2", "-o", str(tmp_path / "out")]
    recognition_table.main([*words, "--resume", str(tmp_path / "folds")])
    with (tmp_path / "out" / "recognition.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert tuple(rows[0]) == recognition_table.COLUMNS
    assert {row["model"] for row in rows} == {"hoof-linear", "kernel-ridge"}
    assert [row["rank"] for row in rows] == ["1", "2"] and [row["nominated"] for row in rows].count("True") == 1
    for row in rows:
        assert float(row["uf1_low"]) <= float(row["uf1"]) <= float(row["uf1_high"])
        assert float(row["dishonest_uf1"]) >= float(row["uf1"])
        assert float(row["gain_by_peeking"]) == pytest.approx(float(row["dishonest_uf1"]) - float(row["uf1"]), abs=1e-3)
        assert row["n"] == "30" and row["subjects"] == "5" and row["seeds"] == "2"
    page = (tmp_path / "out" / "recognition.html").read_text(encoding="utf-8")
    assert page.count("<tr") == 3 and "kernel-ridge" in page and "Dishonest" in page
    assert "http" not in page, "nothing is loaded from elsewhere"


def test_what_a_row_is_compared_with() -> None:
    wanted = {
        "loss-balanced": "flow-gan ice-gan au-icgan sdf macro-fine-tuned loss-adaptive-focal",
        "loss-cross-entropy": "loss-balanced loss-focal loss-center loss-triplet loss-contrastive nmer mtm-net "
        "distilled attention-transfer unit-multi-task",
        "two-streams": "mima-net geme identity-multi-task",
        "loss-cosine": "loss-large-margin",
    }
    for plain, names in wanted.items():
        for name in names.split():
            assert recognition_table.compared_with(find_system(name)) == plain, name
            assert begins_as(name) == begins_as(plain), "the same layers from the same first weights"
    for name in ("ststnet", "kernel-ridge", "loss-cross-entropy", "loss-cosine", "two-streams", "dssn", "capsule-net"):
        assert recognition_table.compared_with(find_system(name)) is None
    samples = simulate_flow_set(4, 6, seed=2)
    bench = run_recognition_bench(samples, [find_system("loss-balanced"), find_system("loss-cross-entropy")], k_fold(2))
    rows = {row["model"]: row for row in recognition_table.table_rows("maps", bench)}
    told = rows["loss-balanced"]
    assert told["compared_with"] == "loss-cross-entropy"
    assert told["gain"] == pytest.approx(told["uf1"] - rows["loss-cross-entropy"]["uf1"], abs=2e-4)
    assert told["gain_low"] <= told["gain"] <= told["gain_high"]
    assert told["verdict"] in ("raises", "lowers", "no evidence") and rows["loss-cross-entropy"]["verdict"] is None


def begins_as(name: str) -> list[list[float]]:
    import torch

    from modalities.face.recognition.networks_assembled import untrained

    torch.manual_seed(3)
    return [one.flatten()[:4].tolist() for one in untrained(find_system(name)).parameters()]


def test_a_verdict_is_what_the_interval_says() -> None:
    told = [recognition_table.verdict(*one) for one in ((0.01, 0.1), (-0.2, -0.01), (-0.1, 0.2), (0.0, 0.1))]
    assert told == ["raises", "lowers", "no evidence", "no evidence"]
    assert recognition_table.verdict(None, None) is None


def test_a_label_that_no_sample_has_is_told() -> None:
    bare, full = (simulate_flow_set(4, 6, seed=2, units=one) for one in (False, True))
    told = {
        name: [recognition_table.missing_label(find_system(name), one) for one in (bare, full)]
        for name in ("geme", "unit-multi-task", "identity-multi-task", "ststnet")
    }
    assert told == {
        "geme": ["gender", None], "unit-multi-task": ["action units", None], "identity-multi-task": [None, None],
        "ststnet": [None, None],
    }  # fmt: skip


def test_printed_figures_are_beside_the_honest_ones(tmp_path: Path) -> None:
    printed = printed_figures()
    assert all(name in SYSTEMS and 0.5 < one.uf1 < 0.9 and one.source for name, one in printed.items())
    assert printed["ststnet"].uf1 == 0.7353 and printed["ststnet"].uar == 0.7605
    quick = [
        replace(find_system(name), strategy=Schedule(3, 1e-3, 16)) for name in ("capsule-net", "feature-refinement")
    ]
    samples = simulate_flow_set(6, 6, seed=2)
    rows = recognition_table.measured("lab", samples, [*quick, find_system("bi-woof-linear")], k_fold(2))
    assert {row["model"]: row["printed_uf1"] for row in rows} == {
        "capsule-net": 0.652, "feature-refinement": 0.7838, "bi-woof-linear": 0.6296
    }  # fmt: skip
    wanted = spearmanr([row["uf1"] for row in rows], [row["printed_uf1"] for row in rows]).statistic
    assert recognition_table.printed_agreement(rows) == {"systems": 3, "spearman": pytest.approx(wanted, abs=1e-3)}
    assert recognition_table.printed_agreement(rows[:2]) is None
    assert recognition_table.printed_agreement([{**row, "data": "simulated maps"} for row in rows]) is None
    recognition_table.write_table(rows, tmp_path)
    page = (tmp_path / "recognition.html").read_text(encoding="utf-8")
    assert "the printed ranking agrees" in page and "0.784" in page and "verdict" in page


def test_rankings_are_compared() -> None:
    rows = [{"uf1": at / 10, "dishonest_uf1": value} for at, value in enumerate((0.2, 0.3, 0.6, 0.5))]
    assert recognition_table.rank_agreement(rows) == pytest.approx(0.8)
    assert recognition_table.rank_agreement(rows[:2]) is None
    assert recognition_table.rank_agreement([{"uf1": 0.5, "dishonest_uf1": None}] * 4) is None


def test_systems_of_clips_have_rows_on_simulated_people() -> None:
    samples = simulate_clip_set(4, 4, seed=2, side=24, frames=6)
    quick = [find_system("dwld-dbn")]
    bench = run_recognition_bench(samples, quick, find_protocol("kfold"))
    (row,) = recognition_table.table_rows("clips", bench)
    assert row["n"] == 16 and row["nominated"] and row["dishonest_uf1"] is None


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("group", list(GROUPS))
def test_all_systems_with_three_seeds(group: str, tmp_path: Path) -> None:
    rows = []
    for samples in (simulate_flow_set(6, 6, seed=3), simulate_clip_set(6, 6, seed=3)):
        mine = [one for one in GROUPS[group] if one.input.kind == samples.kind]
        if mine:
            rows += recognition_table.measured(group, samples, mine, k_fold(2), seeds=3, oracle=True)
    recognition_table.write_table(rows, tmp_path)
    assert len(rows) == len(GROUPS[group]) and all(row["uf1_sd"] is not None for row in rows)
    assert np.mean([row["dishonest_uf1"] for row in rows]) > np.mean([row["uf1"] for row in rows])


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", [group for group, mine in GROUPS.items() if mine[0].input.kind == "flow_map"])
def test_flow_systems_with_three_seeds_on_real_maps(group: str, data_dir: Path, tmp_path: Path) -> None:
    """Three folds of persons instead of one for each: 19 s of one core for a system, ten minutes for all."""
    samples = read_samples(data_dir / "me_flow", workers=1)
    mine = [one for one in GROUPS[group] if one.input.kind == "flow_map"]
    rows = recognition_table.measured("me_flow", samples, mine, k_fold(3), seeds=3)
    recognition_table.write_table(rows, tmp_path)
    assert len(rows) == len(mine) and {row["seeds"] for row in rows} == {3}
    assert all(row["n"] == len(samples) and row["uf1_sd"] is not None for row in rows)
    assert max(row["uf1_low"] for row in rows) > 1 / 3, "the best is above chance"


# --- clips


def test_what_is_read_of_a_clip() -> None:
    samples = simulate_clip_set(3, 4, seed=5, side=48, nuisance=0.0)
    for clip in samples.x:
        small = sized(clip, 32)
        at = apex_of(small)
        apart = np.abs(small - small[0]).mean(axis=(1, 2))
        assert apart[at] > 0.7 * apart.max() and 0 < at < len(clip) - 1
    pictures = ClipPicture(("apex", "u", "v", "dynamic"))
    volume = ClipFrames(8, 24, ("flow", "strain", "grey"))
    for part in (pictures, volume):
        read = part.read(samples)
        assert read.shape == (12, *part.shape) and read.dtype == np.float32 and np.isfinite(read).all()
    assert np.abs(volume.read(samples)[:, 3].mean(axis=1)).max() < 1e-5, "grey less its mean over time"
    still = np.repeat(samples.x[0][:1], 6, axis=0)
    assert np.abs(flow_between(*sized(still, 32)[:2])).max() < 0.05
    with pytest.raises(InvalidValueError, match="too short"):
        sized(samples.x[0][:1], 32)


def test_flow_of_a_shifted_picture() -> None:
    picture = sized(simulate_clip_set(1, 1, seed=6, side=34, nuisance=0.0).x[0], 34)[0]
    flow = flow_between(picture[1:33, 1:33], picture[1:33, 0:32])
    assert np.median(flow[0][8:24, 8:24]) == pytest.approx(1.0, abs=0.3)
    assert np.median(flow[1][8:24, 8:24]) == pytest.approx(0.0, abs=0.2)


def test_clips_of_a_corpus(tmp_path: Path) -> None:
    import cv2

    from modalities.face.synthesis.events import PlantedExpression
    from modalities.face.synthesis.planting import animate
    from pipeline.simulate.face_portrait import load_photograph

    photograph = np.ascontiguousarray(load_photograph("astronaut")[:320, 60:380])
    event = PlantedExpression("micro", ("au12_left", "au12_right"), 0.0, 0.1, 0.1, 0.25, 5.0)
    pictures = list(animate(photograph, np.array([0.0, 0.05, 0.1, 0.15, 0.2]), [event]))
    folder = tmp_path / "casme"
    rows = [HEADER]
    for subject, clip, shown in (("01", "EP01_01", pictures), ("02", "EP02_01", [np.full_like(photograph, 90)] * 5)):
        place = folder / "Cropped" / f"sub{subject}" / clip
        place.mkdir(parents=True)
        for number, one in enumerate(shown, 10):
            cv2.imwrite(str(place / f"img{number}.png"), one[..., ::-1])
        rows.append([subject, clip, "", "10", "12", "14", "", "12", "happiness"])
    with (folder / "CASME2-coding.csv").open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows(rows)
    read = read_clips(folder, keep=tmp_path / "kept")
    assert read.samples.kind == "clip" and len(read.samples) == 1
    clip = read.samples.x[0]
    assert clip.shape == (5, 64, 64) and clip.dtype == np.uint8
    assert read.samples.attributes["au"].tolist() == ["12"] and read.samples.y.tolist() == [1]
    assert [(one.subject, one.reason) for one in read.left_out] == [("02", "no_face_onset")]
    mouth = np.abs(clip[2].astype(float) - clip[0])[36:].mean()
    brow = np.abs(clip[2].astype(float) - clip[0])[:12].mean()
    assert mouth > brow, "the smile moves the mouth"
    again = read_clips(folder, keep=tmp_path / "kept")
    assert np.array_equal(again.samples.x[0], clip)
    maps = tmp_path / "maps"
    maps.mkdir()
    flows = simulate_flow_set(2, 2, seed=1)
    np.savez(maps / "a.npz", x=flows.x, y=flows.y, subject=flows.subject, dataset=flows.dataset, clip=flows.clip)
    with pytest.raises(InvalidValueError, match="no clips"):
        read_clips(maps)
