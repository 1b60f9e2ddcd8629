"""Scores of predictions pooled over folds, with intervals by resampling persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.samples import Labels, Names

Confusion = NDArray[np.float64]
MOST_LEVELS = 12
"""A column with more different values is no subgroup."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Predictions pooled over folds; a sample may be tested more than once (cross-database pairs).

    Attributes:
        rows: Sample of each answer, (m,).
        truth: Its class.
        said: Predicted class.
        person: Who it shows.
        group: What it is reported under.
    """

    rows: NDArray[np.int64]
    truth: Labels
    said: Labels
    person: Names
    group: Names

    def where(self, chosen: NDArray[np.bool_]) -> Answers:
        """Only these."""
        return Answers(
            self.rows[chosen], self.truth[chosen], self.said[chosen], self.person[chosen], self.group[chosen]
        )  # fmt: skip


def confusion(truth: Labels, said: Labels, classes: int) -> Confusion:
    """Counts, (classes, classes): rows are the truth, columns what was said."""
    return np.bincount(truth * classes + said, minlength=classes**2).reshape(classes, classes).astype(np.float64)


def f1_by_class(counts: Confusion) -> Confusion:
    """2 TP / (2 TP + FP + FN) of each class, (..., classes); NaN for a class without samples."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(axis=-1) + counts.sum(axis=-2)
    return np.where(counts.sum(axis=-1) > 0, 2 * hits / np.maximum(total, 1), np.nan)


def recall_by_class(counts: Confusion) -> Confusion:
    """TP / (TP + FN) of each class, (..., classes); NaN for a class without samples."""
    hits, size = np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1)
    return np.where(size > 0, hits / np.maximum(size, 1), np.nan)


def uf1(counts: Confusion) -> Any:
    """Unweighted F1 (See et al. 2019): mean F1 over the classes that have samples."""
    return np.nanmean(f1_by_class(counts), axis=-1)


def uar(counts: Confusion) -> Any:
    """Unweighted average recall: mean recall over the classes that have samples."""
    return np.nanmean(recall_by_class(counts), axis=-1)


def accuracy(counts: Confusion) -> Any:
    """Share that is right."""
    return np.diagonal(counts, axis1=-2, axis2=-1).sum(axis=-1) / counts.sum(axis=(-2, -1))


def uf1_of(truth: Labels, said: Labels, classes: int) -> float:
    """Unweighted F1 of predictions."""
    return float(uf1(confusion(truth, said, classes)))


def score(answers: Answers, classes: Sequence[str]) -> dict[str, Any]:
    """All scores.

    Args:
        answers: Pooled predictions.
        classes: Names of the classes.

    Returns:
        n, subjects, accuracy, f1 (mean weighted by class size), uf1, uar, war (recall weighted by class size, which
        equals the accuracy), f1_<class>, recall_<class>, confusion (rows truth). Scores are rounded to 4 digits;
        those of a class without samples are None.
    """
    counts = confusion(answers.truth, answers.said, len(classes))
    one_f1, recall = f1_by_class(counts), recall_by_class(counts)
    size = counts.sum(axis=1)
    return {
        "n": len(answers.truth),
        "subjects": len(set(answers.person.tolist())),
        "accuracy": _round(accuracy(counts)),
        "f1": _round(np.nansum(one_f1 * size) / size.sum()),
        "uf1": _round(uf1(counts)),
        "uar": _round(uar(counts)),
        "war": _round(np.nansum(recall * size) / size.sum()),
        **{f"f1_{name}": _round(value) for name, value in zip(classes, one_f1, strict=True)},
        **{f"recall_{name}": _round(value) for name, value in zip(classes, recall, strict=True)},
        "confusion": counts.astype(int).tolist(),
    }


def _round(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def by_group(answers: Answers) -> dict[str, Answers]:
    """The answers of each group by its name, and of all as "all"."""
    names = sorted(set(answers.group.tolist()))
    return {**{name: answers.where(answers.group == name) for name in names}, "all": answers}


def interval(
    answers: Answers, classes: int, *, other: Answers | None = None, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of UF1, or of its difference to another system's, by resampling persons (Efron 1979).

    Args:
        answers: Pooled predictions.
        classes: Number of classes.
        other: Answers of another system to the same samples; persons are drawn together.
        draws: Resamples.
        seed: Of the drawing.

    Returns:
        Bounds at 2.5 and 97.5 %.
    """
    persons = np.unique(answers.person)
    chance = np.random.default_rng(seed)
    times = chance.multinomial(len(persons), np.full(len(persons), 1 / len(persons)), size=draws).astype(np.float64)
    values = uf1(np.einsum("dp,pij->dij", times, _by_person(answers, persons, classes)))
    if other is not None:
        values = values - uf1(np.einsum("dp,pij->dij", times, _by_person(other, persons, classes)))
    low, high = np.percentile(values, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)


def _by_person(answers: Answers, persons: Names, classes: int) -> Confusion:
    at = np.searchsorted(persons, answers.person)
    out = np.zeros((len(persons), classes, classes))
    np.add.at(out, (at, answers.truth, answers.said), 1)
    return out


def subgroups(
    answers: Answers, attributes: Mapping[str, Names], classes: Sequence[str], least: int = 5
) -> list[dict[str, Any]]:
    """Scores for each value of each column that has few: {column, value, n, subjects, uf1, uar, accuracy}.

    Args:
        answers: Pooled predictions.
        attributes: Columns over all samples, such as emotion or gender.
        classes: Names of the classes.
        least: Values with fewer answers are left out.
    """
    out = []
    for name, column in attributes.items():
        values = column[answers.rows]
        levels = sorted(set(values.tolist()) - {""})
        if not 2 <= len(levels) <= MOST_LEVELS:
            continue
        for level in levels:
            part = answers.where(values == level)
            if len(part.truth) >= least:
                scores = score(part, classes)
                kept = {key: scores[key] for key in ("n", "subjects", "uf1", "uar", "accuracy")}
                out.append({"column": name, "value": level, **kept})
    return out
