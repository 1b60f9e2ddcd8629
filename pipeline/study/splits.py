"""Folds that share neither people nor items, and the refusal of those that do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, NothingUsableError
from pipeline.study.design import Design
from pipeline.study.table import Codes, StudyTable, codes_of

Rows = NDArray[np.int64]
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to learn from and rows to predict, shape (n_train,) and (n_test,)."""

    train: Rows
    test: Rows


def block_splits(
    person: Codes, item: Codes | None, label: Codes, rng: np.random.Generator, folds: int = FOLDS
) -> list[Split]:
    """Every row is predicted once, by a model that saw neither its person nor its item.

    People are cut into folds and, where they share items, items too; each pair of folds is predicted from the rows that
    share neither.

    Args:
        person: Codes of the people, shape (n,).
        item: Codes of the items that must not be shared, shape (n,); None where items do not repeat.
        label: 0 or 1, shape (n,).
        rng: Cuts.
        folds: At most so many of either.
    """
    of_person = deal(person, folds, rng)[person]
    of_item = deal(item, folds, rng)[item] if item is not None else np.zeros(len(person), dtype=np.int64)
    crossed = item is not None
    out = []
    for a in np.unique(of_person):
        for b in np.unique(of_item):
            test = np.flatnonzero((of_person == a) & (of_item == b))
            train = np.flatnonzero((of_person != a) & (of_item != b) if crossed else of_person != a)
            if len(test) and len(np.unique(label[train])) == 2:
                out.append(Split(train, test))
    return out


def deal(units: Codes, folds: int, rng: np.random.Generator) -> Codes:
    """The fold of every unit, shape (units,), balanced in rows.

    Labels play no part: folds balanced in the own labels, but not in permuted ones, would make the permutation test too
    optimistic.
    """
    rows = np.bincount(units)
    count = len(rows)
    order = np.lexsort((rng.random(count), -rows))
    fold = np.empty(count, dtype=np.int64)
    folds = min(folds, count)
    for start in range(0, count, folds):
        dealt = order[start : start + folds]
        fold[dealt] = rng.permutation(folds)[: len(dealt)]
    return fold


def study_splits(
    table: StudyTable, design: Design, repeats: int, rng: np.random.Generator, allow_leakage: bool = False
) -> tuple[list[list[Split]], str, str]:
    """Splits of every repeat, what they keep apart in words, and what leaks ("" where nothing does).

    With folds of the author's own there is one repeat. Without them `allow_leakage` cuts the rows at random.

    Raises:
        InvalidValueError: the author's folds share people or items, and leakage is not allowed.
        NothingUsableError: no fold has both labels to learn from.
    """
    item = coarse_item(table, design)
    if table.folds is not None:
        shared = shared_between(table, item)
        if shared and not allow_leakage:
            raise InvalidValueError(
                f"the folds share {shared}, so the same person or item would be learnt from and predicted",
                expected="folds that share no person and no item",
                mend="Leave the folds out to have people and items kept apart, or say --allow-leakage, which labels "
                "every output.",
            )
        codes = codes_of(table.folds)[0]
        splits = [Split(np.flatnonzero(codes != one), np.flatnonzero(codes == one)) for one in np.unique(codes)]
        splits = [one for one in splits if len(np.unique(table.label[one.train])) == 2]
        _check_splits([splits])
        return [splits], "the author's own folds", shared
    if allow_leakage:
        rows = np.arange(len(table), dtype=np.int64)
        cut = [block_splits(rows, None, table.label, rng) for _ in range(repeats)]
        _check_splits(cut)
        return cut, "rows cut at random", "people" + (" and items" if design.items_repeat else "")
    cut = [block_splits(design.person, item, table.label, rng) for _ in range(repeats)]
    _check_splits(cut)
    return cut, "people and items kept apart" if item is not None else "people kept apart", ""


def coarse_item(table: StudyTable, design: Design) -> Codes | None:
    """Codes of the items to keep apart (versions of one item together); None where items do not repeat."""
    if not design.items_repeat or table.item is None:
        return None
    return codes_of(table.item)[0]


def shared_between(table: StudyTable, item: Codes | None) -> str:
    """What folds share, in words with examples; "" where they share nothing."""
    if table.folds is None:
        return ""
    fold = codes_of(table.folds)[0]
    told = []
    for what, codes, words in (("subjects", codes_of(table.subject)[0], table.subject), ("items", item, table.item)):
        if codes is None or words is None:
            continue
        many = np.array([len(np.unique(fold[codes == one])) > 1 for one in range(int(codes.max()) + 1)])
        if many.any():
            names = sorted({str(word) for word in words[many[codes]]})
            told.append(f"{len(names)} {what} ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})")
    return " and ".join(told)


def check_apart(split: Split, *groups: Codes | None) -> None:
    """Return if no group has rows on both sides.

    Raises:
        InvalidValueError: a person or an item would be learnt from and predicted.
    """
    for codes in groups:
        if codes is not None and len(np.intersect1d(codes[split.train], codes[split.test])):
            raise InvalidValueError("a split shares people or items", mend="This is a fault of Telltale: report it.")


def inner_splits(split: Split, person: Codes, label: Codes, rng: np.random.Generator) -> Iterator[Split]:
    """Splits of the training rows by person, for calibration."""
    rows = split.train
    people = np.unique(person[rows], return_inverse=True)[1].astype(np.int64)
    for inner in block_splits(people, None, label[rows], rng, folds=3):
        yield Split(rows[inner.train], rows[inner.test])


def _check_splits(repeats: list[list[Split]]) -> None:
    if not all(repeats):
        raise NothingUsableError(
            "no fold leaves both labels to learn from",
            mend="There are too few people or items of one label to predict new ones.",
        )
