"""What could fool the author, looked for before anything else: leaks, confounds, dependence, too few people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data_schemas.ranking import auc
from pipeline.study.association import (
    Association,
    Permuted,
    associate,
    columns_of,
    identity_test,
    missing_patterns,
    spread_over,
)
from pipeline.study.baselines import baseline_scores
from pipeline.study.design import Design
from pipeline.study.identifiers import PURITY_LEAST, Leak, find_leak
from pipeline.study.prediction import Prediction
from pipeline.study.settings import Settings
from pipeline.study.splits import coarse_item, shared_between
from pipeline.study.table import StudyTable

MOST_OF_A_CLASS = 0.5
"""Share of one class from which one person dominates it."""
AUC_TOO_GOOD = 0.999
"""A single cue that ranks this well is no cue but the label in disguise."""
REPEATED_LEAST = 3
"""Rows with fewer values are not looked at for repeated ones."""
CELLS_MOST = 20_000_000
"""Permuted labels that are held at a time; large tables are permuted less often, at least 999 times."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the audit.

    Attributes:
        flag: Short name; "" for a fact that is no alarm.
        text: One sentence.
        p: Of its test, None where it is counted and not tested.
    """

    flag: str
    text: str
    p: float | None = None


@dataclass(frozen=True, repr=False)
class Audit:
    """What the audit found.

    Attributes:
        findings: Alarms first, then facts.
        scores: `majority`, `identity_only`, `item_only`, `nuisance_only`: balanced accuracies.
        tested: All tests as rows of name, strength, p, p (Holm).
        nuisance: Prediction from nuisances alone, None where there are none.
    """

    findings: tuple[Finding, ...]
    scores: dict[str, Any]
    tested: tuple[dict[str, Any], ...]
    nuisance: Prediction | None

    @property
    def flags(self) -> list[str]:
        """Names of the alarms."""
        return [one.flag for one in self.findings if one.flag]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: `flags`, the four scores, findings and tests."""
        return {
            "flags": self.flags,
            **self.scores,
            "score": "balanced accuracy",
            "findings": [{"flag": one.flag, "text": one.text, "p": one.p} for one in self.findings],
            "tests": list(self.tested),
        }


def audit_study(table: StudyTable, design: Design, settings: Settings) -> Audit:
    """Look for everything that predicts the label and is no cue.

    Tests by permutation within the design share one level: Holm's method keeps false alarms of a clean study, all tests
    together, below `alpha`. What is counted (one label per item, one person with most of a class) needs no test.
    """
    findings, tested = find_alarms(table, design, settings)
    scores, nuisance = baseline_scores(table, design, settings)
    return Audit((*findings, *_facts(table, design)), scores, tested, nuisance)


def find_alarms(
    table: StudyTable, design: Design, settings: Settings
) -> tuple[tuple[Finding, ...], tuple[dict[str, Any], ...]]:
    """The alarms, and all tests as rows of name, strength, p, p (Holm)."""
    rng = np.random.default_rng([settings.seed, 4])
    permutations = min(settings.permutations, max(999, CELLS_MOST // len(table)))
    drawn = Permuted.draw(table.label, design, permutations, rng)
    tests = _associations(table, design, drawn)
    item = coarse_item(table, design)
    if design.unit == "trial" and design.people < len(table):
        tests.append(Association("identity_predicts_label", *identity_test(table.label, design, permutations, rng)))
    if design.unit == "trial" and item is not None:
        tests.append(Association("item_predicts_label", *spread_over(item, table.label, drawn.labels)))
    leak = find_leak(table, drawn.labels)
    if leak is not None:
        tests.append(Association("identifier_contains_label", leak.purity, leak.p))
    adjusted = _holm([one.p for one in tests])
    findings = _counted(table, design)
    for one, p in zip(tests, adjusted, strict=True):
        weak = one.name == "identifier_contains_label" and one.strength < PURITY_LEAST
        if p <= settings.alpha and not weak:
            findings.append(Finding(one.name, _sentence(one, leak), one.p))
    rows = (
        {"test": a.name, "strength": a.strength, "p": a.p, "p_holm": p} for a, p in zip(tests, adjusted, strict=True)
    )
    return tuple(findings), tuple(rows)


def _associations(table: StudyTable, design: Design, drawn: Permuted) -> list[Association]:
    columns = {f"nuisance:{name}": columns_of(table, str(name)) for name in table.nuisance.columns}
    columns["missingness"] = missing_patterns(table)
    tested = (associate(name, values, table.label, design, drawn) for name, values in columns.items() if values.size)
    return [one for one in tested if one is not None]


def _counted(table: StudyTable, design: Design) -> list[Finding]:
    """Alarms that are counted, not tested."""
    found = []
    if design.item_decides:
        what = "version of an item (as the identifier writes it)" if table.version is not None else "item"
        shown = sorted({str(word) for word in table.finest_item})[:3] if table.finest_item is not None else []
        found.append(
            Finding(
                "item_decides_label",
                f"The item decides the label: each {what} has one label ({design.items}, e.g. {', '.join(shown)}), and "
                f"people share them. Labels are per item: {design.items} independent labels, not {len(table)} rows.",
            )
        )
    share, who, value = design.largest_share
    if share > MOST_OF_A_CLASS and design.people > 2:
        found.append(
            Finding("one_person_dominates", f"One person, {who}, gives {share:.0%} of all rows labelled '{value}'.")
        )
    exact = [name for name in table.names if _is_label(table, name)]
    if exact:
        found.append(
            Finding(
                "cue_is_label", f"Single columns tell the label without fail: {', '.join(exact[:5])}. Are they cues?"
            )
        )
    whole = table.cues[table.cues.notna().sum(axis=1) >= REPEATED_LEAST]
    twice = int(whole.round(12).duplicated(keep=False).sum())
    if twice > 0.02 * len(table):
        found.append(Finding("duplicate_rows", f"{twice} rows have the same values in all cues as another row."))
    shared = shared_between(table, coarse_item(table, design))
    if shared:
        found.append(Finding("folds_share_groups", f"The table's own folds share {shared}."))
    return found


def _facts(table: StudyTable, design: Design) -> list[Finding]:
    """What is no alarm and must be known."""
    said = [
        f"{design.both} of {design.people} people have rows of both labels; {len(table)} rows, worth "
        f"{design.effective_people:.1f} equally represented people."
    ]
    if design.person_decides:
        said.append("Each person has one label: effects are differences between people, and people are the units.")
    if design.items_repeat:
        said.append(f"People share items ({design.items}), so people and items are both kept apart in prediction.")
    if design.independent < 20:
        said.append(f"Only {design.independent} units carry a label of their own: intervals are wide and rough.")
    return [Finding("", text) for text in said]


def _sentence(one: Association, leak: Leak | None) -> str:
    if one.name == "identifier_contains_label" and leak is not None:
        return (
            f"The label can be read off an identifier: {leak.piece} of '{leak.column}' tells it in {leak.purity:.0%} "
            f"of rows ({leak.example})."
        )
    what = {
        "identity_predicts_label": "People differ in how often they have each label, more than by chance",
        "item_predicts_label": "Items differ in how often they have each label, more than by chance",
        "missingness": "Which cells are missing goes with the label",
    }.get(one.name, f"The nuisance '{one.name.partition(':')[2]}' goes with the label")
    return f"{what} (correlation {one.strength:.2f}, p {one.p:.3g})."


def _is_label(table: StudyTable, name: str) -> bool:
    values = table.cues[name].to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    label = table.label[known]
    if known.sum() < 20 or len(np.unique(label)) < 2:
        return False
    area = float(auc(values[known, None], label[:, None])[0])
    return max(area, 1 - area) >= AUC_TOO_GOOD


def _holm(p: list[float]) -> list[float]:
    """Adjusted p values of Holm 1979, Scand J Stat 6:65."""
    order = np.argsort(p, kind="stable")
    steps = np.array([(len(p) - at) * p[one] for at, one in enumerate(order)])
    out = np.empty(len(p))
    out[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(p) else steps
    return [float(one) for one in out]
