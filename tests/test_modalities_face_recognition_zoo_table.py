"""The table of all systems, and clips of a corpus for those that take clips."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks import recognition_table
from data_schemas.errors import InvalidValueError
from modalities.face.recognition.inputs_clip import ClipFrames, ClipPicture, apex_of, flow_between, sized
from modalities.face.recognition.protocols import find_protocol, k_fold
from modalities.face.recognition.simulation import simulate_flow_set
from modalities.face.recognition.simulation_clips import simulate_clip_set
from modalities.face.recognition.systems import find_system
from modalities.face.recognition.zoo.table import GROUPS
from pipeline.recognition_bench import run_recognition_bench
from pipeline.recognition_clips import read_clips

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
    told = {name: recognition_table.compared_with(find_system(name)) for name in ("flow-gan", "sdf", "loss-focal")}
    assert told == {"flow-gan": "loss-balanced", "sdf": "loss-balanced", "loss-focal": "loss-cross-entropy"}
    for name in ("ststnet", "kernel-ridge", "loss-cross-entropy", "loss-large-margin"):
        assert recognition_table.compared_with(find_system(name)) is None
    samples = simulate_flow_set(4, 6, seed=2)
    bench = run_recognition_bench(samples, [find_system("loss-balanced"), find_system("loss-cross-entropy")], k_fold(2))
    rows = {row["model"]: row for row in recognition_table.table_rows("maps", bench)}
    told = rows["loss-balanced"]
    assert told["compared_with"] == "loss-cross-entropy"
    assert told["gain"] == pytest.approx(told["uf1"] - rows["loss-cross-entropy"]["uf1"], abs=2e-4)
    assert told["gain_low"] <= told["gain"] <= told["gain_high"]


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
    mine = GROUPS[group]
    kind = mine[0].input.kind
    samples = simulate_flow_set(6, 6, seed=3) if kind == "flow_map" else simulate_clip_set(6, 6, seed=3)
    bench = run_recognition_bench(samples, mine, k_fold(2), seeds=3, oracle=True)
    rows = recognition_table.table_rows(group, bench)
    recognition_table.write_table(rows, tmp_path)
    assert len(rows) == len(mine) and all(row["uf1_sd"] is not None for row in rows)
    assert np.mean([row["dishonest_uf1"] for row in rows]) > np.mean([row["uf1"] for row in rows])


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
