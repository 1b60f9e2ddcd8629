"""The recognition bench and its commands, on simulated flow maps and on the shared ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from data_schemas.errors import InvalidValueError, NothingUsableError, TelltaleError
from modalities.face.recognition.flow_set import read_flow_set
from modalities.face.recognition.protocols import find_protocol
from modalities.face.recognition.simulation import simulate_flow_set
from modalities.face.recognition.systems import SYSTEMS, find_system
from pipeline.cli.me import register
from pipeline.recognition_bench import (
    difference_rows,
    evaluation,
    mean_rows,
    oracle_rows,
    run_recognition_bench,
    score_rows,
)  # fmt: skip

COLUMNS = {"model", "dataset", "protocol", "seed", "n", "uf1", "uar", "accuracy", "ms_per_sample"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("flow maps")
    for name, seed in (("one", 1), ("two", 2)):
        samples = simulate_flow_set(5, 6, seed=seed, dataset=name)
        columns = {"subject": samples.subject, "dataset": samples.dataset, "clip": samples.clip}
        np.savez(made / f"{name}.npz", x=samples.x.astype(np.uint8), y=samples.y, **columns)
    return made


def me(*words: object) -> Result:
    """The command in this process; status 2 for an error that the command line would put into words."""
    app = typer.Typer()
    register(app)

    @app.callback()
    def _all() -> None: ...

    done = CliRunner().invoke(app, ["me", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit | TelltaleError), done.exception
    return done


def status(done: Result) -> int:
    return 2 if isinstance(done.exception, TelltaleError) else done.exit_code


def test_nomination_comes_before_any_test(folder: Path) -> None:
    steps: list[str] = []
    samples = read_flow_set(folder)
    bench = run_recognition_bench(
        samples, [find_system("hoof-linear"), find_system("kernel-ridge"), find_system("lbp-top-rbf")],
        find_protocol("kfold"), seeds=2, oracle=True, hook=lambda step, done, total: steps.append(step),
    )  # fmt: skip
    order = list(dict.fromkeys(steps))
    assert order[0].startswith("nomination")
    assert order[1] == f"nominated: {bench.nominated}"
    assert bench.nominated == max(bench.inner, key=lambda name: bench.inner[name])
    assert set(bench.refused) == {"lbp-top-rbf"}
    rows = score_rows(bench)
    assert all(set(row) == COLUMNS for row in rows)
    assert [row["dataset"] for row in rows] == ["one", "two", "all"] * 4
    assert {row["n"] for row in rows if row["dataset"] == "all"} == {60}
    assert all(row["ms_per_sample"] > 0 for row in rows), "the time of every row is told"
    assert [row["nominated"] for row in mean_rows(bench)].count(True) == 1
    assert len(difference_rows(bench)) == 2
    for row in oracle_rows(bench):
        assert row["uf1_dishonest_best_per_test_subject"] > row["uf1_honest"]


def test_pairs_of_data_sets_and_wrong_calls(folder: Path) -> None:
    samples = read_flow_set(folder)
    ridge = [find_system("kernel-ridge")]
    bench = run_recognition_bench(samples, ridge, find_protocol("type2"))
    assert [row["dataset"] for row in score_rows(bench)] == ["one to two", "two to one", "all"]
    whole = evaluation(run_recognition_bench(samples, ridge, find_protocol("loso")))
    assert {"n", "uf1", "uar", "accuracy", "per_dataset"} <= set(whole)
    assert set(whole["per_dataset"]) == {"one", "two"}
    with pytest.raises(NothingUsableError, match="no system"):
        run_recognition_bench(samples, [find_system("lbp-top-linear")], find_protocol("loso"))
    with pytest.raises(InvalidValueError, match="a seed"):
        run_recognition_bench(samples, ridge, find_protocol("loso"), seeds=0)


def test_the_commands(folder: Path, tmp_path: Path) -> None:
    listed = me("models", "--json")
    assert {row["model"] for row in json.loads(listed.stdout)["rows"]} == set(SYSTEMS)
    words = ("bench", "--data", folder, "--models", "hoof-linear,kernel-ridge", "--resume", tmp_path, "--json")
    done = me(*words, "-j", 2)
    assert status(done) == 0, done.stderr
    printed = json.loads(done.stdout)
    assert all(set(row) == COLUMNS for row in printed["rows"])
    assert printed["nominated"] in ("hoof-linear", "kernel-ridge")
    assert json.loads(me(*words).stdout) == printed, "finished folds give the same"
    people = me("bench", "--data", folder, "--models", "kernel-ridge", "--oracle")
    assert status(people) == 0, people.stderr
    assert "DISHONEST" in people.stdout
    single = me("evaluate", "--model", "kernel-ridge", "--data", folder, "--json")
    assert json.loads(single.stdout)["n"] == 60
    refused = me("bench", "--data", folder, "--models", "kernel-ridge,lbp-top-linear", "--json")
    assert status(refused) == 1 and "lbp-top-linear" in json.loads(refused.stdout)["refused"]
    for wrong in (
        ("bench",),
        ("bench", "--data", folder, "--simulated"),
        ("bench", "--data", folder / "nowhere"),
        ("bench", "--data", folder, "--models", "crystal ball"),
        ("bench", "--data", folder, "--protocol", "guess"),
        ("evaluate", "--model", "lbp-top-rbf", "--data", folder),
    ):
        failed = me(*wrong)
        assert status(failed) == 2, wrong


def test_kernel_ridge_on_the_shared_flow_maps(data_dir: Path) -> None:
    samples = read_flow_set(data_dir / "me_flow")
    assert np.unique(samples.dataset, return_counts=True)[1].tolist() == [145, 164]
    assert np.bincount(samples.y).tolist() == [158, 83, 68]
    assert len(set(samples.person.tolist())) == 40
    bench = run_recognition_bench(samples, [find_system("kernel-ridge")], find_protocol("kfold"))
    assert score_rows(bench)[-1]["uf1"] > 0.5
