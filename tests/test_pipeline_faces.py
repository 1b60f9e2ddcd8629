"""Videos without a face, and with one that leaves: null with `no_face`, exit 1, never a made-up value."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.spotting import SPOT_COLUMNS

Telltale = Callable[..., subprocess.CompletedProcess[str]]


def analyse(telltale: Telltale, video: Path, folder: Path) -> tuple[int, str, Path]:
    folder.mkdir()
    shutil.copyfile(video, folder / video.name)
    run = telltale("init", folder, "--consent", "analyse")
    assert run.returncode == 0, run.stderr
    run = telltale("analyze", folder, "-o", folder / "out")
    return run.returncode, run.stderr, folder / "out" / "timeline.parquet"


def test_no_face_in_a_session(telltale: Telltale, data_dir: Path, tmp_path: Path) -> None:
    status, stderr, path = analyse(telltale, data_dir / "video" / "no_face.mp4", tmp_path / "session")
    assert status == 1
    assert "no_face" in stderr
    table = pq.read_table(path)
    assert table["face.valid"].to_pylist().count(True) == 0
    assert "no_face" in set(table["face.reason"].to_pylist())
    assert table["face.au12_left"].null_count == table.num_rows


def test_spot_on_a_video_without_a_face(telltale: Telltale, data_dir: Path, tmp_path: Path) -> None:
    run = telltale("spot", data_dir / "video" / "no_face.mp4", "-o", tmp_path / "events.csv")
    assert run.returncode == 1
    assert (tmp_path / "events.csv").read_text(encoding="utf-8") == ",".join(SPOT_COLUMNS) + "\n"


def test_face_that_leaves(telltale: Telltale, data_dir: Path, tmp_path: Path) -> None:
    _, _, path = analyse(telltale, data_dir / "video" / "face_noface.mov", tmp_path / "session")
    table = pq.read_table(path)
    valid = table["face.valid"].to_numpy(zero_copy_only=False)
    reason = np.array([word or "" for word in table["face.reason"].to_pylist()])
    assert 0.1 < valid.mean() < 0.95
    assert "no_face" in set(reason[~valid])


def test_spot_gives_rows_that_fit_the_video(telltale: Telltale, data_dir: Path, tmp_path: Path) -> None:
    videos = [data_dir / "video" / "single_face.mp4", data_dir / "video" / "face_noface.mov"]
    run = telltale("spot", *videos, "-o", tmp_path / "events.csv")
    assert run.returncode == 0, run.stderr
    assert "no consent record" in run.stderr
    with (tmp_path / "events.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    frames = {"single_face.mp4": 72, "face_noface.mov": 169}
    for row in rows:
        assert row["kind"] in ("micro", "macro")
        assert 0 <= int(row["onset_frame"]) <= int(row["apex_frame"]) <= int(row["offset_frame"]) < frames[row["video"]]
        assert float(row["onset_s"]) <= float(row["apex_s"]) <= float(row["offset_s"])


def test_spot_on_what_is_no_video(telltale: Telltale, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video\n" * 20, encoding="utf-8")
    run = telltale("spot", tmp_path / "text.mp4", "-o", tmp_path / "events.csv")
    assert run.returncode == 2
    assert "text.mp4" in run.stderr


@pytest.mark.parametrize("name", ["nowhere.mp4"])
def test_spot_on_a_missing_file(telltale: Telltale, tmp_path: Path, name: str) -> None:
    run = telltale("spot", tmp_path / name, "-o", tmp_path / "events.csv")
    assert run.returncode == 2 and name in run.stderr
