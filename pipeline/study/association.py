"""Whether the label goes with something that it should not go with: permutation tests within the design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.study.contrast import Floats
from pipeline.study.design import Design, permute_labels, shuffle_within
from pipeline.study.table import Codes, StudyTable

LEVELS_MOST = 30
"""A nuisance of text with more values than this is compared by its commonest ones."""
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Association:
    """How a label goes with one nuisance.

    Attributes:
        name: Of the nuisance.
        strength: Greatest absolute correlation, between people or between rows (or items), 0 to 1.
        p: Permutation p; Bonferroni's where both were tested.
    """

    name: str
    strength: float
    p: float


def columns_of(table: StudyTable, name: str) -> Floats:
    """A nuisance as numbers, shape (n, q): ranks of a number, 0/1 columns of text; missing is the mean."""
    import pandas as pd
    from scipy.stats import rankdata

    column = table.nuisance[name]
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().sum() >= 0.9 * max(1, column.notna().sum()) and numbers.nunique() > 2:
        ranks = np.full(len(column), np.nan)
        known = numbers.notna().to_numpy()
        ranks[known] = rankdata(numbers[known])
        ranks[~known] = np.nanmean(ranks)
        return ranks[:, None]
    words = column.astype(object).where(column.notna(), "missing").astype(str)
    levels = list(words.value_counts().index[:LEVELS_MOST])
    if len(levels) == 2:
        levels = levels[:1]
    return np.stack([(words == level).to_numpy(dtype=np.float64) for level in levels], axis=1)


def missing_patterns(table: StudyTable) -> Floats:
    """Share of missing cells per row, and each pattern of missing columns, shape (n, q); q is 0 without any."""
    gone = table.cues.isna().to_numpy()
    if not gone.any():
        return np.empty((len(table), 0))
    patterns = np.unique(gone.T, axis=0).astype(np.float64).T
    together = np.column_stack([gone.mean(axis=1), patterns])
    return together[:, together.std(axis=0) > 0]


@dataclass(frozen=True, repr=False)
class Permuted:
    """Labels as they might have been assigned, drawn once for all tests.

    Attributes:
        labels: Permuted within the design, shape (n, p).
        centred: The same less their person's mean, shape (n, p).
        shares: People's shares of label 1, exchanged between people, shape (people, p).
    """

    labels: NDArray[np.int64]
    centred: Floats
    shares: Floats

    @classmethod
    def draw(cls, label: Codes, design: Design, permutations: int, rng: np.random.Generator) -> Permuted:
        """Draw them."""
        labels = permute_labels(label, design, permutations, rng)
        order = np.argsort(rng.random((design.people, permutations)), axis=0)
        share = group_sum(design.person, label[:, None])[:, 0] / np.bincount(design.person)
        return cls(labels, _centred(labels.astype(np.float64), design.person), share[order])


def associate(name: str, columns: Floats, label: Codes, design: Design, drawn: Permuted) -> Association | None:
    """Test whether the label goes with the columns of one nuisance.

    Between people their share of label 1 is compared with their mean, people exchanged; within people (or between
    items, where these decide the label) the labels are permuted within the design. The statistic is the greatest
    correlation of the columns.

    Returns:
        None where the nuisance, or the label, does not vary so that they could go together.
    """
    found = []
    rows = np.bincount(design.person).astype(np.float64)
    share = np.bincount(design.person, label) / rows
    means = group_sum(design.person, columns) / rows[:, None]
    if share.std() > _TINY and means.std(axis=0).max(initial=0) > _TINY:
        found.append(_compare(means, share[:, None], drawn.shares))
    if design.unit != "person":
        inside = columns - means[design.person]
        own = _centred(label.astype(np.float64)[:, None], design.person)
        if inside.std(axis=0).max(initial=0) > _TINY * max(1.0, float(np.abs(columns).max())):
            found.append(_compare(inside, own, drawn.centred))
    if not found:
        return None
    best = min(found, key=lambda one: one[1])
    return Association(name, best[0], min(1.0, len(found) * best[1]))


def spread_over(groups: Codes, label: Codes, drawn: NDArray[np.integer]) -> tuple[float, float]:
    """Whether groups differ more in their share of label 1 than permuted labels: correlation ratio and p."""
    rows = np.bincount(groups).astype(np.float64)

    def between(labels: NDArray[np.integer]) -> Floats:
        share = group_sum(groups, labels) / rows[:, None]
        return (rows[:, None] * (share - labels.mean(axis=0)) ** 2).sum(axis=0)

    own, null = float(between(label[:, None])[0]), between(drawn)
    whole = float(len(label) * label.mean() * (1 - label.mean()))
    p = float((1 + np.count_nonzero(null >= own - _TINY)) / (len(null) + 1))
    return float(np.sqrt(own / whole)) if whole > 0 else 0.0, p


def identity_test(label: Codes, design: Design, permutations: int, rng: np.random.Generator) -> tuple[float, float]:
    """Whether people differ in their share of label 1 more than labels shuffled over all rows would."""
    everywhere = np.zeros(len(label), dtype=np.int64)
    return spread_over(design.person, label, shuffle_within(label, everywhere, permutations, rng))


def _compare(columns: Floats, own: Floats, drawn: Floats) -> tuple[float, float]:
    """Greatest absolute correlation of the columns with the own labels (n, 1), and its p against drawn ones (n, p)."""
    z = columns - columns.mean(axis=0)
    size = np.sqrt((z**2).sum(axis=0))
    z = z[:, size > _TINY] / size[size > _TINY]

    def greatest(labels: Floats) -> Floats:
        spread = np.sqrt(np.maximum((labels**2).sum(axis=0) - len(labels) * labels.mean(axis=0) ** 2, _TINY**2))
        return np.abs((z.T @ labels) / spread).max(axis=0, initial=0.0)

    strength, null = float(greatest(own)[0]), greatest(drawn)
    return strength, float((1 + np.count_nonzero(null >= strength - _TINY)) / (len(null) + 1))


def _centred(labels: Floats, person: Codes) -> Floats:
    """Labels less their person's mean, shape (n, p)."""
    rows = np.bincount(person).astype(np.float64)
    return labels - (group_sum(person, labels) / rows[:, None])[person]


def group_sum(groups: Codes, values: NDArray[np.generic]) -> Floats:
    """Sums of the rows of each group, shape (groups, p)."""
    from scipy.sparse import csr_array

    n = len(groups)
    chosen = csr_array((np.ones(n), (groups, np.arange(n))), shape=(int(groups.max()) + 1, n))
    return np.asarray(chosen @ values.astype(np.float64))
