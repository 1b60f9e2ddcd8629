"""`telltale study` and `telltale study plan` as users meet them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pandas as pd

from pipeline.study.plan import compare, freeze, plan_in_words, read_plan, write_plan
from pipeline.study.roles import Roles
from pipeline.study.settings import Settings
from pipeline.study.simulated import Plan, simulate_study

Telltale = Callable[..., CompletedProcess[str]]


def write_table(path: Path, **plan: object) -> pd.DataFrame:
    """A simulated study as a lab would hand it in."""
    table = simulate_study(Plan(people=16, trials=6, effects=(1.2, 0.0, 0.0), **plan), 4)  # type: ignore[arg-type]
    frame = table.cues.assign(who=table.subject, said=np.where(table.label, "lie", "truth"), sex=table.nuisance["sex"])
    frame.to_csv(path, index=False)
    return frame


def test_audit_effects_prediction_and_report(telltale: Telltale, tmp_path: Path) -> None:
    write_table(tmp_path / "cues.csv")
    out = tmp_path / "report"
    words = ("study", tmp_path / "cues.csv", "--label", "said", "--subject", "who", "--permutations", 199)
    run = telltale(*words, "-o", out, "--json")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert {"flags", "majority", "identity_only", "item_only", "nuisance_only"} <= set(told["audit"])
    assert told["audit"]["flags"] == [] and told["audit"]["item_only"] is None
    assert told["effects"][0]["cue"] == "cue1" and told["effects"][0]["g_low"] > 0
    assert {"balanced_accuracy", "auc", "auc_interval", "permutation_p"} <= set(told["prediction"])
    assert told["prediction"]["auc"] > 0.6 and "better than chance" in told["headline"]
    assert told["plan"] == {"frozen": False}
    page = (out / "report.html").read_text()
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page.index("what could fool the author") < page.index("<h2>Effects") < page.index("<h2>Prediction")
    assert "statsmodels" in page and "exploratory" in page
    for name in ("forest", "raincloud", "permutation", "calibration", "decision_curve"):
        assert (out / f"{name}.svg").read_text().lstrip().startswith("<?xml")
        assert (out / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert len(list(csv.DictReader((out / f"{name}.csv").open()))) > 0
    assert len(list(csv.DictReader((out / "predictions.csv").open()))) == 96
    assert json.loads((out / "study.json").read_text())["headline"] == told["headline"]


def test_leaky_folds_are_refused_or_labelled_everywhere_and_the_audit_comes_first(
    here: Telltale, tmp_path: Path
) -> None:
    frame = write_table(tmp_path / "plain.csv")
    frame.assign(fold=np.arange(len(frame)) % 4).to_csv(tmp_path / "cues.csv", index=False)
    words = (tmp_path / "cues.csv", "--label", "said", "--subject", "who", "--permutations", 99)
    run = here("study", *words, "-o", tmp_path / "r", "--json")
    assert run.returncode == 2 and "share 16 subjects" in json.loads(run.stdout)["error"]
    assert "--allow-leakage" in run.stderr and not (tmp_path / "r").exists()
    run = here("study", "run", *words, "-o", tmp_path / "r", "--allow-leakage")
    assert run.returncode == 0 and run.stdout.count("LEAKY") >= 3
    for name in ("report.html", "study.json", "predictions.csv"):
        assert "LEAKY" in (tmp_path / "r" / name).read_text(), name
    assert run.stdout.index("Audit") < run.stdout.index("Effects") < run.stdout.index("Prediction")
    assert "exploratory" in run.stderr


def test_bad_tables_get_the_right_message(here: Telltale, tmp_path: Path) -> None:
    frame = write_table(tmp_path / "plain.csv")
    rng = np.random.default_rng(0)
    table, out = tmp_path / "cues.csv", tmp_path / "r"
    words = ("study", table, "--label", "said", "--subject", "who", "--permutations", 99, "-o", out, "--json")

    def told_of(rows: pd.DataFrame, status: int) -> dict[str, Any]:
        rows.to_csv(table, index=False)
        run = here(*words)
        assert run.returncode == status, run.stderr
        told = json.loads(run.stdout)
        assert isinstance(told, dict)
        return told

    unsure = frame.assign(said=np.where(np.arange(len(frame)) < 8, "unsure", frame["said"]))
    error = told_of(unsure, 2)["error"]
    assert "3 values" in error and "lie, truth, unsure" in error and "--contrast" in error
    error = told_of(frame.assign(who="p1"), 2)["error"]
    assert "one single subject in column 'who'" in error and "--subject" in error
    assert not out.exists()
    holes = frame.copy()
    for name in ("cue1", "cue2", "cue3"):
        holes.loc[rng.permutation(len(frame))[: round(0.6 * len(frame))], name] = np.nan
    told = told_of(holes, 1)
    assert told["headline"].startswith("No prediction: every cue has more than half of its cells missing")
    assert told["prediction"]["auc"] is None and len(told["effects"]) == 3
    names = [f"rec{rng.integers(1000, 9999)}_{'L' if one == 'lie' else 'T'}.mp4" for one in frame["said"]]
    told = told_of(frame.assign(file=names, flat=1.0, word="x"), 0)
    assert "identifier_contains_label" in told["audit"]["flags"]
    page = (out / "report.html").read_text()
    assert "file" in page and "2 constant columns left out: flat, word" in page


def test_a_plan_is_frozen_before_labels_and_followed_or_not(here: Telltale, tmp_path: Path) -> None:
    frame = write_table(tmp_path / "all.csv")
    study = tmp_path / "study"
    study.mkdir()
    frame.drop(columns="said").to_csv(study / "cues.csv", index=False)
    words = ("--label", "said", "--subject", "who", "--permutations", 99)
    run = here("study", "plan", study, *words, "--json")
    assert run.returncode == 0, run.stderr
    frozen = json.loads(run.stdout)
    assert frozen["labels_present_when_frozen"] is False and len(frozen["hash"]) == 64
    assert here("study", "plan", study, *words).returncode == 2  # never replaced
    frame.to_csv(study / "cues.csv", index=False)
    run = here("study", study, *words, "-o", tmp_path / "r", "--json")
    told = json.loads(run.stdout)["plan"]
    assert told["followed"] is True and told["hash"] == frozen["hash"] and told["departures"] == []
    assert "was followed" in (tmp_path / "r" / "report.html").read_text()
    run = here("study", study, *words, "--seed", 7, "--nuisance", "cue2", "-o", tmp_path / "r", "--json")
    told = json.loads(run.stdout)["plan"]
    assert told["followed"] is False
    assert any("seed" in one for one in told["departures"]) and any("cue2" in one for one in told["departures"])


def test_a_plan_that_was_changed_is_not_intact(tmp_path: Path) -> None:
    roles, settings = Roles("said", "who"), Settings()
    plan = freeze(roles, settings, ["a", "b"], {}, labelled=True)
    write_plan(plan, tmp_path / "plan.json")
    assert compare(read_plan(tmp_path / "plan.json"), roles, settings, ["b", "a"])["followed"] is True
    plan["frozen_at"] = "2020-01-01T00:00:00+00:00"
    found = compare(plan, roles, settings, ["a", "b"])
    assert found["intact"] is False and "hash" in plan_in_words(found) and "already" in plan_in_words(found)


def test_wrong_calls_say_how_to_mend_them(here: Telltale, tmp_path: Path) -> None:
    assert here("study", tmp_path / "none.csv").returncode == 2
    run = here("study", tmp_path)
    assert run.returncode == 2 and "no analysed session" in run.stderr
    write_table(tmp_path / "cues.csv")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "report.html").write_text("mine")
    words = ("study", tmp_path / "cues.csv", "--label", "said", "--subject", "who")
    run = here(*words, "-o", tmp_path / "taken")
    assert run.returncode == 2 and (tmp_path / "taken" / "report.html").read_text() == "mine"
    assert "Example" in here("study", "--help").stdout


def test_the_shared_cues_are_chance_as_scikit_learn_says_too(
    telltale: Telltale, tmp_path: Path, data_dir: Path
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rule = r"pid_vid=(?P<subject>p\d+)_(?P<item>\d[fm])"
    few = ("--permutations", 199)
    run = telltale("study", data_dir / "cues", "--parse", rule, *few, "-o", tmp_path / "r", "--json")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert {"item_decides_label", "identifier_contains_label"} <= set(told["audit"]["flags"])
    assert told["audit"]["item_only"] == 1.0 and told["audit"]["design"]["labels_per_item"] is True
    assert told["headline"].startswith("Chance") and told["prediction"]["chance"] is True
    frame = pd.read_csv(next((data_dir / "cues").glob("*.csv")))
    parts = frame["pid_vid"].str.extract(r"(?P<subject>p\d+)_(?P<item>\d[fm])")
    x, y = frame.drop(columns=["pid_vid", frame.columns[-1]]).to_numpy(float), frame[frame.columns[-1]].to_numpy()
    scores = np.full(len(y), np.nan)
    for _, a in GroupKFold(5).split(x, y, parts["subject"]):
        for _, b in GroupKFold(4).split(x, y, parts["item"]):
            test = np.intersect1d(a, b)
            train = np.setdiff1d(np.arange(len(y)), np.union1d(a, b))
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced"))
            scores[test] = model.fit(x[train], y[train]).decision_function(x[test])
    assert np.isfinite(scores).all()
    low, high = told["prediction"]["auc_interval"]
    assert low <= roc_auc_score(y, scores) <= high
    assert abs(balanced_accuracy_score(y, scores > 0) - told["prediction"]["balanced_accuracy"]) < 0.1
    assert 0.35 < roc_auc_score(y, scores) < 0.62


def test_a_misspelt_column_names_the_nearest_of_many(here: Telltale, tmp_path: Path) -> None:
    frame = write_table(tmp_path / "cues.csv")
    others = pd.DataFrame({"condition": frame["said"], **{f"other{n}": 1.0 for n in range(100)}})
    pd.concat([frame, others], axis=1).to_csv(tmp_path / "cues.csv")
    run = here("study", tmp_path / "cues.csv", "--label", "Conditon", "--subject", "who", "-o", tmp_path / "out")
    assert run.returncode == 2
    assert "expected condition (nearest of " in run.stderr and "other1" not in run.stderr
    far = here("study", tmp_path / "cues.csv", "--label", "zzz", "--subject", "who", "-o", tmp_path / "out")
    assert f"... ({len(pd.read_csv(tmp_path / 'cues.csv').columns)} columns)" in far.stderr
