"""Magnification, interpolation, regions and pictures of clips as recognition systems: every method has its row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from data_schemas.errors import InvalidValueError, MissingFileError
from modalities.face.descriptors.gabor import SpatioTemporalGabor
from modalities.face.descriptors.lbp_top import LbpTop
from modalities.face.divisions.base import DIVISIONS, find_division
from modalities.face.divisions.usual import usual_points
from modalities.face.interpolation.length import WAYS
from modalities.face.interpolation.summary import dynamic_image
from modalities.face.magnification.base import MAGNIFIERS
from modalities.face.recognition.crossvalidation import Job, run_jobs
from modalities.face.recognition.inputs_clip import apex_of
from modalities.face.recognition.inputs_methods import (
    InRegions,
    Lengthened,
    Magnified,
    Parted,
    PerRegion,
    PictureShape,
    SummedUp,
    boxed,
    place_of,
)
from modalities.face.recognition.protocols import find_protocol
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.simulation_clips import simulate_clip_set
from modalities.face.recognition.systems import CORE, SYSTEMS, core_for, find_system
from modalities.face.recognition.systems_methods import METHOD_LIST, magnified_by
from pipeline import recognition_bench
from pipeline.recognition_bench import run_recognition_bench, score_rows


@pytest.fixture(scope="module")
def clips() -> Samples:
    return simulate_clip_set(4, 4, seed=3)


def test_every_method_has_its_row_and_none_is_measured_by_default() -> None:
    names = {one.name for one in METHOD_LIST}
    assert names == {
        *(f"magnified-{name}" for name in MAGNIFIERS if name != "learned"), *(f"length-{way}" for way in WAYS),
        *(f"regions-{name}" for name in DIVISIONS), "dynamic-image", "active-image",
    }  # fmt: skip
    assert names <= set(SYSTEMS) and not names & set(CORE)
    assert not names & {one.name for one in core_for("clip")}
    for one in METHOD_LIST:
        assert one.architecture == METHOD_LIST[0].architecture and one.strategy == METHOD_LIST[0].strategy


def test_all_of_them_answer_on_the_same_clips_and_are_timed(clips: Samples) -> None:
    bench = run_recognition_bench(clips, METHOD_LIST, find_protocol("kfold"))
    rows = {row["model"]: row for row in score_rows(bench) if row["dataset"] == "all"}
    assert set(rows) == {one.name for one in METHOD_LIST} and not bench.refused
    assert {row["n"] for row in rows.values()} == {16}
    assert all(row["ms_per_sample"] > 0 for row in rows.values())
    told = run_recognition_bench(clips, [SYSTEMS["regions-patches"]], find_protocol("kfold"))
    vectors = {one.name: one.block.describe(one.input.read(clips.take(np.arange(2)))) for one in METHOD_LIST}
    assert all(np.isfinite(one).all() and one.std() > 0 for one in vectors.values())
    assert score_rows(told)[-1]["uf1"] == rows["regions-patches"]["uf1"], "alone as among others"


def test_methods_see_expressions_of_strangers() -> None:
    samples = simulate_clip_set(6, 6, seed=3, strength=2.0, nuisance=0.3)
    named = [find_system(name) for name in ("magnified-lagrangian", "length-linear", "regions-patches")]
    rows = score_rows(run_recognition_bench(samples, named, find_protocol("kfold")))
    assert all(row["uf1"] > 0.55 for row in rows if row["dataset"] == "all"), "chance is about a third"


def test_magnified_clips_move_more_and_others_have_their_length(clips: Samples) -> None:
    change = [np.abs(one.astype(float) - one[0]).mean() for one in clips.x]
    for name in ("eulerian", "riesz", "lagrangian"):
        larger = Magnified(name, 4.0).read(clips)
        assert larger[0].dtype == np.uint8 and larger[0].shape == clips.x[0].shape
        grown = [np.abs(one.astype(float) - one[0]).mean() for one in larger]
        assert np.mean(grown) > 1.3 * np.mean(change)
        same = Magnified(name, 1.0).read(clips)
        assert np.abs(same[0].astype(float) - clips.x[0]).mean() < 1.5
    for way in WAYS:
        assert {one.shape for one in Lengthened(way, 20).read(clips)} == {(20, 32, 32)}
    dynamic = SummedUp("dynamic").read(clips)
    rising = np.asarray(clips.x[0], np.float32)
    np.testing.assert_allclose(dynamic[0], dynamic_image(rising[: apex_of(rising) + 1]), rtol=1e-5)


def test_regions_are_counted_apart_and_lie_where_the_face_does(clips: Samples) -> None:
    lbp = LbpTop(grid=1)
    whole = np.ones((1, 32, 32), bool)
    (found,) = PerRegion(lbp).describe(boxed([Parted(clips.x[0], whole)]))
    np.testing.assert_allclose(found, lbp.describe_clip(clips.x[0]), atol=1e-6)
    empty = PerRegion(lbp).describe(boxed([Parted(clips.x[0], ~whole)]))
    assert not empty.any()
    with pytest.raises(InvalidValueError, match="count patterns"):
        PerRegion(SpatioTemporalGabor(grid=1)).describe(boxed([Parted(clips.x[0], whole)]))
    assert {len(one.masks) for one in InRegions("difference").read(clips)} == {3}
    (first,) = InRegions("eye-mouth").read(clips.take(np.arange(1)))
    middles = [np.array(np.nonzero(mask)).mean(axis=1) for mask in first.masks]
    assert middles[0][1] < 16 < middles[1][1] and abs(middles[2][1] - 15.5) < 1, "eyes left and right, mouth between"
    assert abs(middles[2][0] / 32 - 0.775) < 0.05, "where the simulated mouth is"
    aligned = usual_points((160, 160), (0.5, 0.275), 0.375)
    mouth = find_division("eye-mouth").divide(np.zeros((1, 160, 160)), aligned).masks[2]
    assert 90 < np.nonzero(mouth)[0].mean() < 125


def test_usual_face_agrees_with_a_photograph() -> None:
    from modalities.face.synthesis.mesh import find_mesh
    from pipeline.simulate.face_portrait import load_photograph

    mesh = find_mesh(load_photograph("hopper"))
    away = (mesh.points[:468] - mesh.eyes.mean(axis=0)) @ np.stack([mesh.across, -mesh.upwards]).T / mesh.iod
    usual = (usual_points((1000, 1000), (0.5, 0.5), 0.2) - 499.5) / 200
    assert np.median(np.linalg.norm(away - usual, axis=1)) < 0.12


def test_pictures_have_their_directions() -> None:
    y, x = np.mgrid[:20, :20].astype(np.float64)
    upright, flat = PictureShape(grid=2, directions=4).describe(boxed([10 * x, 10 * y]))
    assert upright.reshape(4, 4).argmax(axis=1).tolist() == [0] * 4
    assert flat.reshape(4, 4).argmax(axis=1).tolist() == [2] * 4
    assert np.allclose(upright.reshape(4, 4).sum(axis=1), 1)


def test_places_of_faces_and_wrong_ones(clips: Samples) -> None:
    assert place_of("") == pytest.approx((0.5, 0.275, 0.375))
    assert place_of(str(clips.attributes["eyes"][0])) == (0.5, 0.38, 0.36)
    for wrong in ("0.5", "a b c"):
        with pytest.raises(InvalidValueError, match="where a face lies"):
            place_of(wrong)
    with pytest.raises(InvalidValueError, match="eyes"):
        usual_points((10, 10), (2, 0), 0.3)


def test_the_command_simulates_and_takes_a_users_magnifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def linear(first: torch.Tensor, now: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return now + (factor - 1) * (now - first)

    example = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32), torch.full((1, 1, 1, 1), 2.0)
    file = tmp_path / "linear.pt"
    torch.jit.save(torch.jit.trace(linear, example), str(file))
    monkeypatch.setattr(recognition_bench.simulated_samples, "__defaults__", (5, 4))
    app = typer.Typer()
    from pipeline.cli.me import register

    register(app)
    words = ["me", "bench", "--simulated", "--models", "dynamic-image,regions-eye-mouth", "--magnifier", str(file)]
    done = CliRunner().invoke(app, [*words, "--protocol", "kfold", "--json"])
    assert done.exit_code == 0, done.exception
    rows = json.loads(done.stdout)["rows"]
    assert {row["model"] for row in rows} == {"dynamic-image", "regions-eye-mouth", "magnified-learned"}
    assert {row["n"] for row in rows} == {20} and all(row["ms_per_sample"] > 0 for row in rows)
    with pytest.raises(MissingFileError):
        magnified_by(tmp_path / "none.pt")


def test_finished_folds_keep_their_time(clips: Samples, tmp_path: Path) -> None:
    folds = find_protocol("kfold").folds(clips, 0)
    jobs = [Job(find_system("dynamic-image"), fold, oracle=fold is folds[0]) for fold in folds]
    first = run_jobs(clips, jobs, keep=tmp_path)
    assert all(one.ms_per_sample is not None and one.ms_per_sample > 0 for one in first)
    assert run_jobs(clips, jobs, keep=tmp_path) == first
    people = simulate_clip_set(8, 2, seed=5)
    fold = find_protocol("kfold").folds(people, 0)[0]
    (inner,) = run_jobs(people, [Job(find_system("dynamic-image"), fold, inner=2)])
    assert inner.ms_per_sample is None, "nothing was tested"
