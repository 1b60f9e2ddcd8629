"""`telltale spot`: choice of the spotter, tables in two forms, and the picture of a video."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.stream import Video
from modalities.face.spotting.base import SPOTTERS, load_spotter
from modalities.face.spotting.megc import read_table
from modalities.face.synthesis.events import PlantedExpression
from modalities.face.synthesis.families import family
from modalities.face.synthesis.planting import animate
from pipeline.simulate.face_portrait import load_photograph
from pipeline.simulate.video import write_video
from pipeline.spot_plot import _strips, draw_spots, name_unit, thin_curve, thresholds_of
from pipeline.spot_thumbnails import cut_thumbnails, strongest
from pipeline.spotting import SPOT_COLUMNS, SpottedVideo, spot_video, write_spots

SMILE = PlantedExpression("macro", ("au12",), 2.0, 2.4, 2.7, 3.2, 9.0)


@pytest.fixture(scope="module")
def smiling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A still photograph that smiles once."""
    file = tmp_path_factory.mktemp("spot") / "smiling.mp4"
    times = np.arange(150) / 30
    photograph = load_photograph(family("bench").photograph)
    side = 2 * (min(photograph.shape[:2]) // 2)
    write_video(file, animate(photograph[:side, :side], times, [SMILE]), times)
    return file


@pytest.fixture(scope="module")
def spotted(smiling: Path) -> SpottedVideo:
    return spot_video(smiling, spotter="regional")


def test_the_named_spotter_is_asked(spotted: SpottedVideo) -> None:
    assert spotted.encoding.parameters["spotter"] == "regional"
    (row,) = [row for row in spotted.rows if row["kind"] == "macro"]
    assert row["onset_s"] < 2.55 < row["offset_s"] and "au12" in row["aus"]
    assert abs(row["apex_frame"] - 72) <= 6
    with pytest.raises(InvalidValueError, match="no spotter"):
        spot_video(spotted.path, spotter="crystal ball")


def test_tables_in_both_forms(spotted: SpottedVideo) -> None:
    table = list(csv.DictReader(write_spots(spotted.rows, "table").splitlines()))
    assert tuple(table[0]) == SPOT_COLUMNS
    found = read_table(write_spots(spotted.rows, "megc"))
    assert [(one.video, one.kind, one.onset, one.offset) for one in found] == [
        ("smiling", row["kind"], int(row["onset_frame"]) + 1, int(row["offset_frame"]) + 1) for row in table
    ]


def test_faces_are_cut_out_where_they_moved(spotted: SpottedVideo) -> None:
    events = [event for event in spotted.encoding.events if event.kind == "macro"]
    (thumbnail,) = cut_thumbnails(_video(spotted), events)
    assert thumbnail.onset is not None and thumbnail.apex is not None
    assert thumbnail.onset.shape == thumbnail.apex.shape
    height, width = thumbnail.apex.shape[:2]
    change = np.abs(thumbnail.apex.astype(float) - thumbnail.onset).mean(axis=2)
    lower, upper = change[height // 2 : height * 9 // 10, width // 5 : -width // 5], change[: height // 3]
    assert lower.mean() > 2 * upper.mean(), "the mouth smiles, the forehead does not"


def _video(spotted: SpottedVideo) -> Video:
    assert isinstance(spotted.stream, Video)
    return spotted.stream


def test_the_strongest_come_by_time() -> None:
    events = [Event("face", "micro", at, at + 1, at, "p01", score) for at, score in ((1, 0.2), (2, 0.9), (3, 0.5))]
    assert [event.onset_ns for event in strongest(events, 2)] == [2, 3]


def test_pictures_of_one_and_of_no_expression(spotted: SpottedVideo, tmp_path: Path) -> None:
    thresholds = {"micro": 0.5, "macro": 0.5}
    draw_spots(spotted, tmp_path / "one.png", thresholds)
    draw_spots(replace(spotted, encoding=replace(spotted.encoding, events=())), tmp_path / "none.png", thresholds)
    one, none = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")) for name in ("one", "none"))
    assert one.shape[1] == none.shape[1] == 1540
    assert one.shape[0] > none.shape[0] + 200, "faces take room"
    assert _of_colour(one, (0x24, 0x71, 0xA3)) > 100 > _of_colour(none, (0x24, 0x71, 0xA3)) == 0


def _of_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 8).sum())


def test_long_videos_are_drawn_in_strips(spotted: SpottedVideo) -> None:
    class Stream:
        def __init__(self, seconds: float) -> None:
            self.times_ns = np.array([0, round(seconds * 1e9)], np.int64)

    def strips(seconds: float) -> list[tuple[float, float]]:
        return _strips(replace(spotted, stream=Stream(seconds)))  # type: ignore[arg-type]

    assert strips(30) == [(0.0, 30.0)]
    assert len(strips(1500)) == 5 and strips(1500)[-1][1] == 1500
    assert len(strips(8 * 3600)) == 12


def test_no_peak_is_lost_when_a_curve_is_thinned() -> None:
    values = np.zeros(40_003)
    values[12_345] = 1
    values[20_000:20_050] = np.nan
    times, thin = thin_curve(np.arange(40_003.0), values)
    assert len(times) == len(thin) < 5000
    assert np.nanmax(thin) == 1 and abs(times[np.nanargmax(thin)] - 12_345) <= 10
    assert np.isnan(thin).any()


def test_units_in_words_and_thresholds_of_spotters() -> None:
    assert name_unit("au12_left") == "AU12 lip corner puller, left"
    assert name_unit("au05") == "AU5 upper lid raiser"
    assert name_unit("au26") == "AU26 jaw drop"

    class Own:
        thresholds: Mapping[str, float] = {"micro": 0.3, "macro": 0.4}

    assert thresholds_of(Own()) == {"micro": 0.3, "macro": 0.4}  # type: ignore[arg-type]
    assert thresholds_of(load_spotter("regional")) == {"micro": 0.5, "macro": 0.5}


def test_the_command_draws_and_names_spotters(telltale: Callable[..., Any], smiling: Path, tmp_path: Path) -> None:
    out = tmp_path / "found" / "events.csv"
    run = telltale("spot", smiling, "-o", out, "--spotter", "strain", "--plot", "--format", "megc", "--json")
    assert run.returncode == 0, run.stderr
    assert {row["kind"] for row in json.loads(run.stdout)["rows"]} <= {"micro", "macro"}
    assert out.read_text(encoding="utf-8").startswith("vid,pred_onset,pred_offset,type\n")
    with Image.open(tmp_path / "found" / "events_smiling.png") as picture:
        assert picture.width == 1540
    wrong = telltale("spot", smiling, "-o", tmp_path / "no.csv", "--spotter", "crystal")
    assert wrong.returncode == 2 and all(name in wrong.stderr for name in SPOTTERS)
    odd = telltale("spot", smiling, "-o", tmp_path / "no.csv", "--format", "xml")
    assert odd.returncode == 2 and "megc" in odd.stderr
    assert not (tmp_path / "no.csv").exists()


def test_the_command_counts_what_goes_into_the_file(
    telltale: Callable[..., Any], smiling: Path, tmp_path: Path
) -> None:
    run = telltale("spot", smiling, "-o", tmp_path / "events.csv", "--spotter", "regional")
    assert run.returncode == 0, run.stderr
    written = list(csv.DictReader((tmp_path / "events.csv").read_text(encoding="utf-8").splitlines()))
    shown = " ".join(run.stdout.split())
    assert f"{len(written)} micro- or macro-expression" in shown and len(written) >= 1
    assert "blink" not in shown and "gaze" not in shown
