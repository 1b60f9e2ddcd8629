"""Arrays that grow by rows while something is being read."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_S = TypeVar("_S", bound=np.generic)
_BLOCK = 2048
"""Least number of rows that are added at a time."""


def with_room(array: NDArray[_S], at: int) -> NDArray[_S]:
    """The array, longer by half with zeros if it has no row of this number.

    Args:
        array: Shape (n, ...).
        at: Number of the row that will be written.
    """
    if at < len(array):
        return array
    more = max(_BLOCK, len(array) // 2, at + 1 - len(array))
    return np.concatenate([array, np.zeros((more, *array.shape[1:]), array.dtype)])


def first_rows(array: NDArray[_S], n: int) -> NDArray[_S]:
    """The first `n` rows of an array that was to grow; those that were never written are zeros."""
    return with_room(array, n - 1)[:n] if n else array[:0]
