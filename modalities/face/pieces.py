"""Long arrays worked on piece by piece, so that what is made on the way stays small."""

from __future__ import annotations

from collections.abc import Iterator

MOST = 8192
"""Rows of a piece."""


def pieces(n: int, most: int = MOST) -> Iterator[slice]:
    """Slices of at most `most` rows that cover 0..n in order."""
    for first in range(0, n, most):
        yield slice(first, min(n, first + most))
