"""Whether the label can be read off an identifier: pieces of names, and what they give away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.study.association import group_sum
from pipeline.study.contrast import Floats
from pipeline.study.table import Codes, StudyTable, Words, codes_of

LEVELS_MOST = 12
"""A piece with more values is a name of its own, not a code."""
PURITY_LEAST = 0.9
"""Share of rows that a piece must give away to be told of."""


@dataclass(frozen=True, slots=True)
class Leak:
    """The piece of an identifier that tells most of the label.

    Attributes:
        column: The identifier's column.
        piece: Which piece, in words.
        example: Its values and the labels they stand for.
        purity: Share of rows whose label is the commonest of their piece.
        p: Against labels permuted within the design, over all pieces.
    """

    column: str
    piece: str
    example: str
    purity: float
    p: float


def find_leak(table: StudyTable, drawn: NDArray[np.integer]) -> Leak | None:
    """The piece of any identifier that goes with the label best; None without identifiers that could tell.

    Pieces are the parts between separators, runs of letters and of digits, single characters from either end and what
    no group of --parse took. Pieces that are the person or the item are left to the checks of these.

    Args:
        table: The study.
        drawn: Labels permuted within the design, shape (n, p).
    """
    candidates: list[tuple[str, str, Words, Codes]] = []
    skip = [codes_of(words)[0] for words in (table.subject, table.item) if words is not None]
    seen: set[bytes] = {_partition(codes) for codes in skip}
    for column, name, words in _pieces(table):
        codes, levels = codes_of(words)
        if not 2 <= len(levels) <= LEVELS_MOST or len(levels) > len(table) / 4:
            continue
        key = _partition(codes)
        if key not in seen:
            seen.add(key)
            candidates.append((column, name, words, codes))
    if not candidates:
        return None
    everything = np.column_stack([table.label, drawn]).astype(np.float64)
    purity = np.stack([_purity(codes, everything) for *_, codes in candidates])
    levels_of = np.array([int(codes.max()) + 1 for *_, codes in candidates])
    best = int(np.lexsort((levels_of, -purity[:, 0].round(9)))[0])
    greatest = purity[:, 1:].max(axis=0)
    p = float((1 + np.count_nonzero(greatest >= purity[best, 0] - 1e-12)) / (drawn.shape[1] + 1))
    column, name, words, _ = candidates[best]
    return Leak(column, name, _example(words, table), float(purity[best, 0]), p)


def _pieces(table: StudyTable) -> Iterator[tuple[str, str, Words]]:
    for column in table.identifiers.columns:
        words = [str(word) for word in table.identifiers[column]]
        yield str(column), "all of it", _array(words)
        split = [re.split(r"[\s_.,;:/\\-]+", word) for word in words]
        for at in range(min(8, max(map(len, split)))):
            yield str(column), f"part {at + 1}", _array([parts[at] if at < len(parts) else "" for parts in split])
        for kind, pattern in (("letters", r"[A-Za-z]+"), ("digits", r"\d+")):
            runs = [re.findall(pattern, word) for word in words]
            for at in range(min(6, max(map(len, runs)))):
                yield str(column), f"run {at + 1} of {kind}", _array([r[at] if at < len(r) else "" for r in runs])
        longest = min(40, max(map(len, words)))
        for at in range(longest):
            yield (
                str(column),
                f"character {at + 1} from the end",
                _array([w[-1 - at] if at < len(w) else "" for w in words]),
            )
            yield str(column), f"character {at + 1}", _array([w[at] if at < len(w) else "" for w in words])
    for name, whole in (("subject", table.subject), ("item", table.item)):
        if whole is not None:
            words = [str(word) for word in whole]
            for kind, pattern in (("letters", r"[A-Za-z]+"),):
                first = [next(iter(re.findall(pattern, word)), "") for word in words]
                yield name, f"first run of {kind}", _array(first)
            yield name, "last character", _array([word[-1:] for word in words])
            yield name, "first character", _array([word[:1] for word in words])
    if table.version is not None and table.item is not None:
        rest = [str(v).removeprefix(str(i)) for v, i in zip(table.version, table.item, strict=True)]
        yield "identifier", "what subject and item leave over", _array(rest)


def _purity(codes: Codes, labels: Floats) -> Floats:
    """Share of rows with the commonest label of their level, for labels of shape (n, p)."""
    rows = np.bincount(codes).astype(np.float64)
    ones = group_sum(codes, labels)
    return np.maximum(ones, rows[:, None] - ones).sum(axis=0) / len(codes)


def _example(words: Words, table: StudyTable, most: int = 4) -> str:
    """Values and the labels they stand for."""
    told = []
    for word in sorted(set(map(str, words)))[:most]:
        rows = words.astype(str) == word
        told.append(f"'{word}' {table.label_values[int(table.label[rows].mean() > 0.5)]} ({int(rows.sum())} rows)")
    return ", ".join(told)


def _partition(codes: Codes) -> bytes:
    """The same for codes that group rows in the same way."""
    first = np.unique(codes, return_index=True)[1]
    return first[codes].astype(np.int64).tobytes()


def _array(words: list[str]) -> Words:
    return np.array(words, dtype=object)
