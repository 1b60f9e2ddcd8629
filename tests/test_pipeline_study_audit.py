"""The audit of studies: planted confounds are named, clean studies raise no alarm, names of files give nothing away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.study.audit import audit_study, find_alarms
from pipeline.study.design import describe_design
from pipeline.study.reading import assemble
from pipeline.study.roles import Roles
from pipeline.study.settings import Settings
from pipeline.study.simulated import Confound, Kind, Plan, simulate_study
from pipeline.study.table import StudyTable

QUICK = Settings(permutations=1999, prediction_permutations=99, bootstraps=300, repeats=1)


def alarms(table: StudyTable) -> list[str]:
    """Names of the alarms."""
    return [one.flag for one in find_alarms(table, describe_design(table), QUICK)[0]]


@pytest.mark.parametrize(
    ("kind", "confound", "strength", "flag"),
    [
        ("within", "sex", 0.75, "nuisance:sex"),
        ("between", "sex", 0.75, "nuisance:sex"),
        ("within", "one_person", 0.6, "one_person_dominates"),
    ],
)
def test_planted_confounds_are_named(kind: Kind, confound: Confound, strength: float, flag: str) -> None:
    plan = Plan(kind=kind, confound=confound, strength=strength)
    named = [flag in alarms(simulate_study(plan, seed)) for seed in range(12)]
    assert sum(named) >= 11


@pytest.mark.parametrize("kind", ["within", "between", "item"])
def test_clean_studies_raise_no_alarm(kind: Kind) -> None:
    found = [set(alarms(simulate_study(Plan(kind=kind), 500 + seed))) - {"item_decides_label"} for seed in range(25)]
    assert sum(map(bool, found)) <= 5


def test_scores_without_cues() -> None:
    table = simulate_study(Plan(kind="item", people=30), 4)
    audit = audit_study(table, describe_design(table), QUICK)
    assert audit.flags[0] == "item_decides_label"
    assert audit.scores["item_only"] == 1.0
    assert audit.scores["identity_only"] < 0.7 and audit.scores["nuisance_only"] < 0.7
    assert audit.scores["majority"] <= 0.6
    told = audit.as_dict()
    assert {"flags", "majority", "identity_only", "item_only", "nuisance_only"} <= set(told)


def test_balanced_people_tell_nothing_by_their_names() -> None:
    rng = np.random.default_rng(0)
    rows = [{"p": f"p{who}", "q": f"q{at}", "y": one, "x": rng.normal()}
            for who in range(10) for at, one in enumerate(rng.permutation([0, 0, 1, 1]))]  # fmt: skip
    table = assemble(pd.DataFrame(rows), Roles("y", "p", "q"))
    scores = audit_study(table, describe_design(table), QUICK).scores
    assert scores["identity_only"] == 0.5 and scores["item_only"] < 0.75


def test_order_length_device_and_missing_cells_are_named() -> None:
    table = simulate_study(Plan(), 11)
    rng = np.random.default_rng(0)
    nuisance = table.nuisance.copy()
    nuisance["length_s"] = rng.gamma(9, 1, len(table)) + 4 * table.label
    nuisance["order"] = np.arange(len(table)) % 10 + 5 * table.label
    nuisance["device"] = np.where(rng.random(len(table)) < 0.8, table.label, 1 - table.label).astype(str)
    cues = table.cues.copy()
    cues.loc[(table.label == 1) & (rng.random(len(table)) < 0.4), "cue2"] = np.nan
    found = alarms(replace(table, nuisance=nuisance, cues=cues))
    assert {"nuisance:length_s", "nuisance:order", "nuisance:device", "missingness"} <= set(found)
    assert "nuisance:sex" not in found


def test_a_cue_that_is_the_label_and_repeated_rows_are_named() -> None:
    table = simulate_study(Plan(missing=0.0), 2)
    cues = table.cues.assign(secret=table.label * 3.0 + 1)
    assert "cue_is_label" in alarms(replace(table, cues=cues))
    twice = table.cues.copy()
    twice.iloc[100:200] = twice.iloc[:100].to_numpy()
    assert "duplicate_rows" in alarms(replace(table, cues=twice))


def frame(version: bool) -> pd.DataFrame:
    """Rows whose identifier holds person, item and label; with versions each person had one version of each item."""
    rng = np.random.default_rng(1)
    rows = []
    for person in range(14):
        for item in range(10):
            side = int(rng.integers(0, 2))
            letter = "nd"[side] if version else "ab"[int(rng.integers(0, 2))]
            rows.append({"clip": f"s{person:02d}_{item}x{letter}", "truth": side, "x": rng.normal(), "y": rng.normal()})
    return pd.DataFrame(rows)


def test_the_label_is_read_off_an_identifier() -> None:
    rule = r"clip=(?P<subject>s\d+)_(?P<item>\dx)"
    table = assemble(frame(version=True), Roles(label="truth", parse=rule))
    assert table.version is not None and len(set(table.version)) == 20 and len(set(table.item)) == 10  # type: ignore[arg-type]
    design = describe_design(table)
    assert design.unit == "item" and design.stratum is not None and design.items == 20
    audit = audit_study(table, design, QUICK)
    assert {"item_decides_label", "identifier_contains_label"} <= set(audit.flags)
    assert any("'xd' 1" in one.text and "clip" in one.text for one in audit.findings)
    innocent = assemble(frame(version=False), Roles(label="truth", parse=rule))
    assert "identifier_contains_label" not in alarms(innocent)


def test_labels_tied_to_a_file_name_are_found_without_parsing() -> None:
    table = simulate_study(Plan(people=20), 6)
    rng = np.random.default_rng(0)
    name = [f"rec{rng.integers(1000, 9999)}_{'L' if one else 'T'}.mp4" for one in table.label]
    rows = table.cues.assign(person=table.subject, y=table.label, file=name)
    found = assemble(rows, Roles(label="y", subject="person"))
    assert "file" not in found.names and "identifier_contains_label" in alarms(found)


def test_an_honest_count_of_people() -> None:
    table = simulate_study(Plan(confound="one_person", strength=0.8), 3)
    design = describe_design(table)
    assert design.people == 40 and design.effective_people < 10
    assert design.largest_share[0] > 0.7 and design.largest_share[1:] == ("p000", "lie")
    assert describe_design(simulate_study(Plan(), 3)).effective_people == pytest.approx(40)
