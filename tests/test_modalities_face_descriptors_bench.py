"""Clips as data of `telltale me`: folders of clips, the systems of descriptors on them, the code that folds hang on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from data_schemas.errors import InvalidValueError, TelltaleError, UnreadableFileError
from modalities.face.recognition.clip_set import holds_clips, read_clip_set, write_clip_set
from modalities.face.recognition.flow_set import read_flow_set
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.simulation_clips import simulate_clip_set
from pipeline.cli.me import register
from pipeline.recognition_data import read_samples


@pytest.fixture(scope="module")
def samples() -> Samples:
    return simulate_clip_set(6, 4, seed=2, side=32, frames=10)


@pytest.fixture(scope="module")
def folder(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clips")
    write_clip_set(samples, made / "all.npz")
    return made


def test_clips_come_back_as_they_were(samples: Samples, folder: Path) -> None:
    assert holds_clips(folder)
    found = read_samples(folder)
    assert found.kind == "clip" and found.digest() == samples.digest()
    assert {len(one) for one in found.x} == {len(one) for one in samples.x} and len({len(one) for one in found.x}) > 1


def test_what_is_no_set_of_clips_is_refused(samples: Samples, folder: Path, tmp_path: Path) -> None:
    with np.load(folder / "all.npz") as held:
        good = dict(held)
    flat = {**good, "x": good["x"].reshape(len(good["x"]), -1)}
    short = {**good, "frames": good["frames"] - 1}
    real = {**good, "x": good["x"].astype(np.float32)}
    named = {**good, "y": good["clip"]}
    for at, wrong in enumerate((flat, short, real, named, {key: good[key] for key in ("x", "frames")})):
        place = tmp_path / str(at)
        place.mkdir()
        np.savez(place / "clips.npz", **wrong)
        with pytest.raises(UnreadableFileError):
            read_samples(place)
    with pytest.raises(UnreadableFileError):
        read_clip_set(tmp_path)
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    assert not holds_clips(tmp_path)
    with pytest.raises(UnreadableFileError):
        read_clip_set(tmp_path)
    mixed = simulate_clip_set(1, 1, side=24)
    both = np.empty(2, object)
    both[:] = [samples.x[0], mixed.x[0]]
    two = Samples("clip", both, samples.y[:2], samples.subject[:2], samples.dataset[:2], samples.clip[:2])
    with pytest.raises(InvalidValueError, match="one size"):
        write_clip_set(two, tmp_path / "two.npz")
    with pytest.raises(UnreadableFileError):
        read_flow_set(folder)


def test_descriptors_have_rows_on_the_bench_of_clips(folder: Path) -> None:
    app = typer.Typer()
    register(app)

    @app.callback()
    def _all() -> None: ...

    names = "hog-top-linear,lbp-sip-rbf,mdmo-clip-linear"
    done = CliRunner().invoke(
        app, ["me", "bench", "--data", str(folder), "--models", names, "--protocol", "kfold", "--json"]
    )
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["rows"]
    assert {row["model"] for row in rows} == set(names.split(",")) and all(0 <= row["uf1"] <= 1 for row in rows)
    for wrong in (["bench", "--models", "hoof-linear"], ["evaluate"], ["train", "-o", str(folder / "own.safetensors")]):
        failed = CliRunner().invoke(app, ["me", wrong[0], "--data", str(folder), *wrong[1:]])
        assert isinstance(failed.exception, TelltaleError), (wrong, failed.exception)
