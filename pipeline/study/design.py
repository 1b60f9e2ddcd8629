"""Who has which labels: where the label was assigned, and what may be exchanged under the hypothesis of no effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.study.table import Codes, StudyTable, codes_of

Unit = Literal["trial", "person", "item"]
PURE = 0.99
"""Share of rows from which an item counts as deciding the label."""


@dataclass(frozen=True, repr=False)
class Design:
    """Facts about the labels.

    Attributes:
        unit: Where the label was assigned: to trials of a person, to whole people, or to items that people share.
        people: Number of people.
        both: People who have rows of both labels.
        items: Number of items, as finely as known; 0 without items.
        items_repeat: Whether people share items.
        item_decides: Every shared item has one label.
        person_decides: Every person has one label.
        effective_people: Kish's number: as many equal contributions as the unequal ones are worth.
        effective_items: The same of items.
        paired: Whether effects are differences within people.
        person: Codes of the people, shape (n,).
        item: Codes of the items as finely as known, shape (n,); all different without items.
        stratum: Codes within which item labels may be swapped (versions of one item), or None.
        largest_share: Greatest share of one class that one person gives, and who, and which class.
    """

    unit: Unit
    people: int
    both: int
    items: int
    items_repeat: bool
    item_decides: bool
    person_decides: bool
    effective_people: float
    effective_items: float
    paired: bool
    person: Codes
    item: Codes
    stratum: Codes | None
    largest_share: tuple[float, str, str]

    @property
    def independent(self) -> int:
        """Units to which a label was assigned independently: people, or items where these decide it."""
        return self.items if self.unit == "item" else self.people

    def as_dict(self) -> dict[str, Any]:
        """The facts, for JSON."""
        return {
            "label_assigned_to": self.unit,
            "people": self.people,
            "people_with_both_labels": self.both,
            "effective_people": round(self.effective_people, 1),
            "items": self.items,
            "items_repeat": self.items_repeat,
            "effective_items": round(self.effective_items, 1),
            "labels_per_item": self.item_decides,
            "labels_per_person": self.person_decides,
            "independent_units": self.independent,
            "paired": self.paired,
            "largest_share_of_a_class_by_one_person": round(self.largest_share[0], 3),
        }


def describe_design(table: StudyTable) -> Design:
    """Facts about a study's labels."""
    person, names = codes_of(table.subject)
    finest = table.finest_item
    item = codes_of(finest)[0] if finest is not None else np.arange(len(table), dtype=np.int64)
    items = int(item.max()) + 1 if finest is not None else 0
    label = table.label
    ones, rows = np.bincount(person, label), np.bincount(person)
    both = int(np.count_nonzero((ones > 0) & (ones < rows)))
    repeat = finest is not None and _shared(person, item)
    item_decides = bool(repeat) and _purity(item, label) >= PURE
    person_decides = both == 0
    unit: Unit = "person" if person_decides else "item" if item_decides else "trial"
    shares = np.stack([(rows - ones) / max(1, (rows - ones).sum()), ones / max(1, ones.sum())])
    which, who = np.unravel_index(int(shares.argmax()), shares.shape)
    return Design(
        unit=unit,
        people=len(names),
        both=both,
        items=items,
        items_repeat=bool(repeat),
        item_decides=item_decides,
        person_decides=person_decides,
        effective_people=_kish(rows),
        effective_items=_kish(np.bincount(item)) if items else 0.0,
        paired=not person_decides and both >= 3 and both >= len(names) / 2,
        person=person,
        item=item,
        stratum=_strata(table) if unit == "item" else None,
        largest_share=(float(shares[which, who]), names[who], table.label_values[which]),
    )


def permute_labels(label: Codes, design: Design, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels as they might have been assigned, shape (n, count).

    Within people where they have both labels, over people where each has one, over items where these decide the label
    (between versions of the same item where there are such).
    """
    if design.unit == "trial":
        return shuffle_within(label, design.person, count, rng)
    units = design.person if design.unit == "person" else design.item
    first = np.unique(units, return_index=True)[1]
    of_unit = (np.bincount(units, label) / np.bincount(units) > 0.5).astype(np.int64)
    strata = design.stratum[first] if design.stratum is not None else np.zeros(len(first), dtype=np.int64)
    return shuffle_within(of_unit, strata, count, rng)[units]


def shuffle_within(values: Codes, groups: Codes, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Values shuffled within groups, shape (n, count)."""
    out = np.empty((count, len(values)), dtype=np.int64)
    order = np.argsort(groups, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        out[:, rows] = rng.permuted(np.tile(values[rows], (count, 1)), axis=1)
    return np.ascontiguousarray(out.T)


def _shared(person: Codes, item: Codes) -> bool:
    """Whether at least half of the rows belong to items that two people or more had."""
    pairs = np.unique(np.stack([item, person], axis=1), axis=0)
    return bool((np.bincount(pairs[:, 0])[item] >= 2).mean() >= 0.5)


def _purity(groups: Codes, label: Codes) -> float:
    """Share of the rows of groups of two or more whose label is the commoner one of their group."""
    rows, ones = np.bincount(groups), np.bincount(groups, label)
    big = rows >= 2
    return float(np.maximum(ones, rows - ones)[big].sum() / max(1, rows[big].sum()))


def _strata(table: StudyTable) -> Codes | None:
    """Items whose versions have both labels, each a stratum; None where most items have one label."""
    if table.version is None or table.item is None:
        return None
    coarse = codes_of(table.item)[0]
    rows, ones = np.bincount(coarse), np.bincount(coarse, table.label)
    return coarse if float(((ones > 0) & (ones < rows))[coarse].mean()) >= 0.5 else None


def _kish(weights: NDArray[np.integer]) -> float:
    """Kish 1965: (sum w)^2 / sum w^2."""
    return float(weights.sum()) ** 2 / float((weights.astype(np.float64) ** 2).sum())
