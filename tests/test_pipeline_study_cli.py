"""`telltale study` and `telltale study plan` as users meet them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

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


def test_the_audit_is_printed_first(telltale: Telltale, tmp_path: Path) -> None:
    write_table(tmp_path / "cues.csv")
    words = ("study", "run", tmp_path / "cues.csv", "--label", "said", "--subject", "who", "--permutations", 99)
    run = telltale(*words, "-o", tmp_path / "r")
    assert run.returncode == 0 and run.stdout.index("Audit") < run.stdout.index("Effects") < run.stdout.index(
        "Prediction"
    )
    assert "exploratory" in run.stderr


def test_leaky_folds_are_refused_or_labelled_everywhere(telltale: Telltale, tmp_path: Path) -> None:
    frame = write_table(tmp_path / "plain.csv")
    frame.assign(fold=np.arange(len(frame)) % 4).to_csv(tmp_path / "cues.csv", index=False)
    words = ("study", tmp_path / "cues.csv", "--label", "said", "--subject", "who", "--permutations", 99)
    run = telltale(*words, "-o", tmp_path / "r", "--json")
    assert run.returncode == 2 and "share 16 subjects" in json.loads(run.stdout)["error"]
    assert "--allow-leakage" in run.stderr and not (tmp_path / "r").exists()
    run = telltale(*words, "-o", tmp_path / "r", "--allow-leakage")
    assert run.returncode == 0 and run.stdout.count("LEAKY") >= 3
    for name in ("report.html", "study.json", "predictions.csv"):
        assert "LEAKY" in (tmp_path / "r" / name).read_text(), name


def test_a_plan_is_frozen_before_labels_and_followed_or_not(telltale: Telltale, tmp_path: Path) -> None:
    frame = write_table(tmp_path / "all.csv")
    study = tmp_path / "study"
    study.mkdir()
    frame.drop(columns="said").to_csv(study / "cues.csv", index=False)
    words = ("--label", "said", "--subject", "who", "--permutations", 99)
    run = telltale("study", "plan", study, *words, "--json")
    assert run.returncode == 0, run.stderr
    frozen = json.loads(run.stdout)
    assert frozen["labels_present_when_frozen"] is False and len(frozen["hash"]) == 64
    assert telltale("study", "plan", study, *words).returncode == 2  # never replaced
    frame.to_csv(study / "cues.csv", index=False)
    run = telltale("study", study, *words, "-o", tmp_path / "r", "--json")
    told = json.loads(run.stdout)["plan"]
    assert told["followed"] is True and told["hash"] == frozen["hash"] and told["departures"] == []
    assert "was followed" in (tmp_path / "r" / "report.html").read_text()
    run = telltale("study", study, *words, "--seed", 7, "--nuisance", "cue2", "-o", tmp_path / "r", "--json")
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


def test_wrong_calls_say_how_to_mend_them(telltale: Telltale, tmp_path: Path) -> None:
    assert telltale("study", tmp_path / "none.csv").returncode == 2
    run = telltale("study", tmp_path)
    assert run.returncode == 2 and "no analysed session" in run.stderr
    write_table(tmp_path / "cues.csv")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "report.html").write_text("mine")
    words = ("study", tmp_path / "cues.csv", "--label", "said", "--subject", "who")
    run = telltale(*words, "-o", tmp_path / "taken")
    assert run.returncode == 2 and (tmp_path / "taken" / "report.html").read_text() == "mine"
    assert "Example" in telltale("study", "--help").stdout


def test_the_shared_cues_are_chance_as_scikit_learn_says_too(
    telltale: Telltale, tmp_path: Path, data_dir: Path
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rule = r"pid_vid=(?P<subject>p\d+)_(?P<item>\d[fm])"
    run = telltale("study", data_dir / "cues", "--parse", rule, "-o", tmp_path / "r", "--json")
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
