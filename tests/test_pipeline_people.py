"""A face video of several people, from the manifest to the timeline."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from data_schemas.errors import ManifestError
from pipeline.check import check_session
from pipeline.manifest import load_manifest
from pipeline.simulate.face import render_face
from pipeline.simulate.motion import FaceMotion
from pipeline.simulate.video import write_video
from tests.manifests import head

Telltale = Callable[..., subprocess.CompletedProcess[str]]
FPS, COUNT = 15, 60
HEAD = head("two", "ann", "ben")
TABLE = """\
[[streams]]
name = "table"
kind = "face_rgb"
file = "table.mp4"
"""


def write(folder: Path, lines: str) -> Path:
    (folder / "session.toml").write_text(HEAD + TABLE + lines, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a video of two people: the left one smiles from 1.5 to 2.8 s; the other one leaves at 3 s."""
    t = np.arange(COUNT) / FPS
    smile = 0.5 - 0.5 * np.cos(np.pi * np.interp(t, (1.5, 1.8, 2.5, 2.8), (0, 1, 1, 0)))
    calm = FaceMotion(times_s=t, aus={"au12_left": 0 * t}, yaw_deg=3 * np.sin(t))
    smiling = FaceMotion(times_s=t, aus={"au12_left": smile, "au12_right": smile, "au06": smile}, yaw_deg=3 * np.sin(t))
    left = render_face(smiling, photograph="astronaut", size=(320, 320), face_width_px=120)
    right = list(render_face(calm, photograph="hopper", size=(320, 320), face_width_px=110))
    empty = cv2.GaussianBlur(np.roll(right[0], 160, axis=1), (0, 0), 60)
    pictures = [np.hstack([a, b if k < 45 else empty]) for k, (a, b) in enumerate(zip(left, right, strict=True))]
    folder = tmp_path_factory.mktemp("two")
    write_video(folder / "table.mp4", pictures, t)
    return folder


def test_two_people_in_one_video(telltale: Telltale, two: Path) -> None:
    write(two, 'people = ["ann", "ben"]\n')
    run = telltale("analyze", two, "-o", two / "out")
    assert run.returncode == 0, run.stderr
    table = pq.read_table(two / "out" / "timeline.parquet")
    people = np.array(table["person"].to_pylist())
    valid = table["face.valid"].to_numpy(zero_copy_only=False)
    seconds = table["t_ns"].to_numpy() / 1e9
    reason = np.array([word or "" for word in table["face.reason"].to_pylist()])
    smile = table["face.au12_left"].to_pandas().to_numpy()
    assert set(people) == {"ann", "ben"}
    assert valid[people == "ann"].mean() > 0.95
    away = (people == "ben") & (seconds > 3.4)
    assert not valid[away].any() and set(reason[away]) <= {"no_face", "gap"}
    assert valid[(people == "ben") & (seconds < 2.9)].mean() > 0.95
    apex = (seconds > 1.9) & (seconds < 2.4)
    assert smile[(people == "ann") & apex].min() > 0.3 > np.nanmax(smile[(people == "ben") & apex])
    record = json.loads((two / "out" / "result.json").read_text(encoding="utf-8"))
    faces = {one["person"]: one for one in record["channels"] if one["channel"] == "face"}
    assert faces["ann"]["quality"]["face_found"] > 0.95 > 0.8 > faces["ben"]["quality"]["face_found"] > 0.5
    assert not any("not used" in problem["what"] for problem in record["problems"])


def test_a_question_is_put_with_stream_and_time_and_an_answer_read(telltale: Telltale, two: Path) -> None:
    write(two, 'people = ["ben", "ann"]\n[[streams.seats]]\ntime_s = 0.0\nx = 0.25\nperson = "ann"\n')
    run = telltale("analyze", two, "-o", two / "answered")
    assert run.returncode == 0, run.stderr
    table = pq.read_table(two / "answered" / "timeline.parquet").to_pandas()
    ann = table[table["person"] == "ann"]
    assert ann["face.au12_left"].max() > 0.3, "the answer goes before the order of the seats"
    write(two, 'people = ["ann", "ben"]\n[[streams.seats]]\ntime_s = 2.0\nx = 0.5\nperson = "ben"\n')
    run = telltale("analyze", two, "-o", two / "odd")
    record = json.loads((two / "odd" / "result.json").read_text(encoding="utf-8"))
    (said,) = [one for one in record["problems"] if "answer" in one["what"]]
    assert said["stream"] == "table" and said["time_s"] == 2.0 and "They are at x = 0.2" in said["what"]


def test_check_names_who_is_shown_and_who_is_not(two: Path) -> None:
    write(two, 'people = ["ann", "ben"]\n[[streams.seats]]\ntime_s = 99.0\nperson = "ben"\n')
    words = " | ".join(finding.what for finding in check_session(two))
    assert "shows ann, ben from left to right" in words and "at 99 s, where ben" in words
    write(two, 'person = "ann"\n')
    assert any(one.where == "ben" and "no stream records" in one.what for one in check_session(two))
    write(two, "")
    assert any("or people = [...]" in finding.what for finding in check_session(two) if finding.severity == "error")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('people = ["ann", "eve"]', "no person 'eve'; there are ann, ben"),
        ('people = ["ann"]', "two or more"),
        ('people = ["ann", "ann"]', "two or more different"),
        ('people = ["ann", "ben"]\nperson = "ann"', "either person or people"),
        ('[[streams.seats]]\ntime_s = 1.0\nperson = "ann"', "give people"),
        ('people = ["ann", "ben"]\n[[streams.seats]]\ntime_s = 1.0\nperson = "eve"', "'eve' is not among"),
        ('people = ["ann", "ben"]\n[[streams.seats]]\ntime_s = 1.0\nx = 3.0\nperson = "ann"', "x"),
    ],
)
def test_faults_of_the_manifest_are_named(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        load_manifest(write(tmp_path, lines))


def test_a_manifest_of_several_people_is_read_as_written(tmp_path: Path) -> None:
    answer = '[[streams.seats]]\ntime_s = 12.4\nx = 0.3\nperson = "ben"\n'
    manifest = load_manifest(write(tmp_path, 'people = ["ben", "ann"]\n' + answer))
    (entry,) = manifest.streams
    assert entry.people == ["ben", "ann"] and manifest.person_of(entry) is None
    assert [(seat.time_s, seat.x, seat.person) for seat in entry.seats] == [(12.4, 0.3, "ben")]
    with pytest.raises(ManifestError, match="only a face video"):
        load_manifest(
            write(
                tmp_path,
                'people = ["ben", "ann"]\n'
                + TABLE.replace("face_rgb", "body_video").replace('"table"', '"s"')
                + 'people = ["ann", "ben"]\n',
            )
        )
