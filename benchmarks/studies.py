"""The analysis of studies against simulated truth. `python -m benchmarks.studies [--full]`.

Studies of 40 people with known effects, with none, and with planted confounds (`pipeline.study.simulated`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.study.audit import find_alarms
from pipeline.study.contrast import measure_contrast
from pipeline.study.design import describe_design
from pipeline.study.permutation import check_cues
from pipeline.study.prediction import predict_label
from pipeline.study.settings import Settings
from pipeline.study.simulated import Kind, Plan, simulate_study, true_effects
from pipeline.study.table import StudyTable

EFFECTS = (0.0, 0.2, 0.5, 0.8)
KINDS: tuple[Kind, ...] = ("within", "between", "item")
SETTINGS = Settings(permutations=1999, prediction_permutations=99, bootstraps=1000, repeats=1)
BY_DESIGN = ("item_decides_label",)
"""An alarm that a design of the kind item has by itself."""


def measure(full: bool) -> dict[str, float]:
    """Figures over all kinds of design.

    Args:
        full: 1,000 studies of each kind; otherwise 120, and 100 where audit and prediction run.

    Returns:
        Of every kind of design: `covered_<kind>` (share of 95 % intervals of g that hold the true effect, all cues),
        `false_<kind>` (share of cues without effect with p <= .05), `family_<kind>` (share of studies without any
        effect with p <= .05 by max-T), `chance_<kind>` (of them those whose prediction has p <= .05), `alarm_<kind>`
        (share of clean studies with any alarm). `named_sex_within`, `named_sex_between` (label agrees with sex in
        75 %), `named_one_person` (one person gives 60 % of a class): share of studies whose audit names it.
        `covered_least` and `covered_most` over designs, `covered_one_effect_least` over designs and true effects,
        `false_most`, `family_most`, `chance_most`, `alarm_most`, `named_least`.
    """
    studies, audits = (1000, 1000) if full else (120, 100)
    figures: dict[str, float] = {}
    covered: list[float] = []
    for kind in KINDS:
        each = cover(kind, studies)
        covered += list(each)
        figures[f"covered_{kind}"] = float(each.mean())
        figures |= measure_null(kind, studies, audits)
    for name, plan in (
        ("named_sex_within", Plan(kind="within", confound="sex", strength=0.75)),
        ("named_sex_between", Plan(kind="between", confound="sex", strength=0.75)),
        ("named_one_person", Plan(kind="within", confound="one_person", strength=0.6)),
    ):
        figures[name] = name_confound(plan, audits)
    pooled = [figures[f"covered_{kind}"] for kind in KINDS]
    figures |= {"covered_least": min(pooled), "covered_most": max(pooled), "covered_one_effect_least": min(covered)}
    for word in ("false", "family", "chance", "alarm"):
        figures[f"{word}_most"] = max(figures[f"{word}_{kind}"] for kind in KINDS)
    figures["named_least"] = min(value for name, value in figures.items() if name.startswith("named_"))
    return figures


def cover(kind: Kind, studies: int) -> np.ndarray:
    """Share of intervals that hold the truth, per true effect."""
    plan = Plan(effects=EFFECTS, kind=kind)
    truth = population_effects(plan)
    inside = []
    for seed in range(studies):
        table = simulate_study(plan, 1 + seed)
        contrast = measure_contrast(
            table.values, table.label, describe_design(table), SETTINGS.bootstraps, 0.05, np.random.default_rng(seed)
        )
        inside.append((contrast.low <= truth) & (truth <= contrast.high))
    return np.mean(inside, axis=0)


def population_effects(plan: Plan) -> np.ndarray:
    """What g estimates; where items are drawn too, on average over many sets of items."""
    draws, people = (200, 400) if plan.kind == "item" else (5, 20_000)
    return np.mean([true_effects(plan, people, seed) for seed in range(draws)], axis=0)


def measure_null(kind: Kind, studies: int, audits: int) -> dict[str, float]:
    """False positives of tests, prediction and audit in studies without effect or confound."""
    plan = Plan(kind=kind)
    single: list[float] = []
    family, chance, alarms = [], [], []
    for seed in range(studies):
        table = simulate_study(plan, 10_001 + seed)
        design = describe_design(table)
        tests = check_cues(table.values, table.label, design, 999, np.random.default_rng(seed))
        single.append(float(np.mean(tests.p <= 0.05)))
        family.append(tests.p_max_t.min() <= 0.05)
        if seed < audits:
            chance.append(not predict_label(table, design, _settings(seed)).summary["chance"])
            alarms.append(bool(alarms_of(table, seed) - set(BY_DESIGN)))
    return {f"{name}_{kind}": float(np.mean(values)) for name, values in _named(single, family, chance, alarms)}


def name_confound(plan: Plan, studies: int) -> float:
    """Share of studies whose audit names the planted confound."""
    flag = {"sex": "nuisance:sex", "one_person": "one_person_dominates"}[plan.confound]
    named = []
    for seed in range(studies):
        table = simulate_study(plan, 20_001 + seed)
        named.append(flag in alarms_of(table, seed))
    return float(np.mean(named))


def alarms_of(table: StudyTable, seed: int) -> set[str]:
    """Names of the alarms of a study."""
    return {one.flag for one in find_alarms(table, describe_design(table), _settings(seed))[0]}


def _settings(seed: int) -> Settings:
    """Other permutations and folds for every study, so that their chance does not add up over studies."""
    return replace(SETTINGS, seed=seed)


def _named(*columns: Sequence[float]) -> list[tuple[str, Sequence[float]]]:
    return list(zip(("false", "family", "chance", "alarm"), columns, strict=True))


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name:40} {value:.4g}")
