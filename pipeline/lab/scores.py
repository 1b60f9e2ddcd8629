"""How well a label was told: AUC, balanced accuracy, log loss, calibration; intervals by drawing people anew.

Every score is taken within a deal of the people (a seed) and averaged over the deals. AUC compares only people who
were left out together: what is said in different folds comes from different fits, and pooling biases it below one half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.ranking import auc_of
from fusion.calibration import calibration_error

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
DRAWS = 500
LEAST_PEOPLE = 5
"""Fewer people than this make no interval worth reading."""


@dataclass(frozen=True, eq=False)
class Said:
    """What one system said of n left-out rows with one deal of the people.

    Attributes:
        probability: Of each class, (n, k).
        choice: The class it would name when all classes matter alike, int64 (n,).
        fold: With which others each row was left out, int64 (n,).
    """

    probability: Array
    choice: Codes
    fold: Codes

    def part(self, chosen: NDArray[Any]) -> Said:
        """Some of the rows, by mask or numbers."""
        return Said(self.probability[chosen], self.choice[chosen], self.fold[chosen])

    @staticmethod
    def at_prior(probability: Array, prior: Array) -> Said:
        """One fold; a choice by how much each class gained over its share in training (Menon et al. 2021)."""
        choice = np.argmax(probability / np.maximum(prior, 1e-9), axis=1).astype(np.int64)
        return Said(probability, choice, np.zeros(len(choice), np.int64))


def auc(said: Said, label: Codes, positive: int | None) -> float:
    """AUC of the positive class, or the mean over several classes, each against the rest; within folds, by pairs."""
    if positive is not None:
        return _auc_in_folds(said.probability[:, positive], label == positive, said.fold)
    k = said.probability.shape[1]
    each = np.array([_auc_in_folds(said.probability[:, at], label == at, said.fold) for at in range(k)])
    return float(np.mean(each[np.isfinite(each)])) if np.isfinite(each).any() else float("nan")


def _auc_in_folds(score: Array, happened: NDArray[np.bool_], fold: Codes) -> float:
    total, pairs = 0.0, 0
    for one in np.unique(fold):
        inside = fold == one
        here = happened[inside]
        count = int(here.sum()) * int((~here).sum())
        if count:
            total, pairs = total + count * auc_of(score[inside], here), pairs + count
    return total / pairs if pairs else float("nan")


def balanced_accuracy(said: Said, label: Codes, positive: int | None = None) -> float:
    """Mean over the classes that occur of the share of their rows that are told right."""
    return float(np.mean([np.mean(said.choice[label == k] == k) for k in np.unique(label)]))


def log_loss(said: Said, label: Codes, positive: int | None = None) -> float:
    """Mean negative logarithm of the probability of what was so, nats."""
    return float(-np.log(np.clip(said.probability[np.arange(len(label)), label], 1e-9, 1.0)).mean())


def ece(said: Said, label: Codes, positive: int | None) -> float:
    """Calibration error of the positive class, or of the likeliest one of several."""
    if positive is not None:
        return calibration_error(said.probability[:, positive], label == positive, bins=10)
    return calibration_error(said.probability.max(axis=1), said.probability.argmax(axis=1) == label, bins=10)


Score = Callable[[Said, Codes, int | None], float]
SCORES: dict[str, Score] = {"auc": auc, "balanced_accuracy": balanced_accuracy, "log_loss": log_loss, "ece": ece}


def mean_score(score: Score, deals: Sequence[Said], label: Codes, positive: int | None) -> float:
    """The mean over deals of the people."""
    return float(np.mean([score(one, label, positive) for one in deals]))


def drawn_scores(
    score: Score, deals: Sequence[Said], label: Codes, positive: int | None, drawn: Sequence[NDArray[np.int64]]
) -> Array:
    """The mean score of each study drawn anew, (draws,)."""
    return np.array([mean_score(score, [one.part(r) for one in deals], label[r], positive) for r in drawn])


def draw_people(person: Codes, draws: int = DRAWS, seed: int = 0) -> list[NDArray[np.int64]]:
    """Row numbers of studies of as many people, drawn from these with replacement."""
    rng = np.random.default_rng([seed, 6])
    people = np.unique(person)
    rows = {int(one): np.flatnonzero(person == one) for one in people}
    return [np.concatenate([rows[int(one)] for one in rng.choice(people, len(people))]) for _ in range(draws)]


def interval(values: Array) -> tuple[float, float] | None:
    """Central 95 % of drawn values; None where too few of them could be computed."""
    known = values[np.isfinite(values)]
    if len(known) < 0.5 * len(values) or not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


@dataclass(frozen=True, eq=False)
class Scored:
    """One system, scored.

    Attributes:
        row: Its line in the table.
        aucs: Its AUC in each study drawn anew, for comparisons on the same people.
    """

    row: dict[str, Any]
    aucs: Array


def score_system(
    name: str, deals: Sequence[Said], label: Codes, positive: int | None, drawn: Sequence[NDArray[np.int64]]
) -> Scored:
    """Scores of one system with intervals.

    Args:
        name: Of the system.
        deals: What it said with each deal of the people.
        label: What was so.
        positive: Index of the positive class of two.
        drawn: Studies drawn anew.
    """
    row: dict[str, Any] = {"system": name}
    aucs = drawn_scores(auc, deals, label, positive, drawn)
    for score, compute in SCORES.items():
        row[score] = short(mean_score(compute, deals, label, positive))
        if score == "auc":
            row["auc_ci95"] = interval(aucs)
        elif score == "balanced_accuracy":
            row["balanced_accuracy_ci95"] = interval(drawn_scores(compute, deals, label, positive, drawn))
    row["auc_by_seed"] = [short(auc(one, label, positive)) for one in deals]
    return Scored(row, aucs)


def difference_row(ours: Scored, other: Scored) -> dict[str, Any]:
    """By how much our AUC is above another system's, on the same people: difference and interval."""
    both = (ours.row["auc"], other.row["auc"])
    known = None if None in both else round(both[0] - both[1], 4)
    return {"against": other.row["system"], "auc_difference": known, "ci95": interval(ours.aucs - other.aucs)}


def subgroup_rows(
    deals: Sequence[Said], label: Codes, person: Codes, positive: int | None, groups: Mapping[str, NDArray[Any]]
) -> list[dict[str, Any]]:
    """Scores within each sex, age group and culture that the manifests name."""
    rows = []
    for kind, values in groups.items():
        for word in sorted({str(value) for value in values} - {""}):
            inside = values == word
            people = len(np.unique(person[inside]))
            row: dict[str, Any] = {"group": kind, "value": word, "people": people, "n": int(inside.sum())}
            row |= {"auc": None, "auc_ci95": None, "balanced_accuracy": None}
            if people >= LEAST_PEOPLE and len(np.unique(label[inside])) > 1:
                drawn = draw_people(person[inside], draws=200)
                own, truth = [one.part(inside) for one in deals], label[inside]
                row |= {
                    "auc": short(mean_score(auc, own, truth, positive)),
                    "auc_ci95": interval(drawn_scores(auc, own, truth, positive, drawn)),
                    "balanced_accuracy": short(mean_score(balanced_accuracy, own, truth, positive)),
                }
            rows.append(row)
    return rows


def short(value: float) -> float | None:
    """Rounded; None where it is no number, because JSON has no NaN."""
    return round(float(value), 4) if np.isfinite(value) else None
