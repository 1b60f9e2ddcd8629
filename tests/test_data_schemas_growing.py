"""Arrays that grow: what was written stays where it was, what was not is zero."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.growing import first_rows, with_room


@given(st.integers(0, 50), st.sets(st.integers(0, 9000), max_size=20), st.integers(0, 9000))
@settings(deadline=None)
def test_rows_are_kept_wherever_they_are_written(expected: int, written: set[int], n: int) -> None:
    array = np.zeros((expected, 2), np.int32)
    for at in sorted(written):
        array = with_room(array, at)
        array[at] = at + 1
    found = first_rows(array, n)
    assert found.shape == (n, 2) and found.dtype == np.int32
    assert {int(at) for at in np.flatnonzero(found[:, 1])} == {at for at in written if at < n}
    assert all(found[at, 0] == at + 1 for at in written if at < n)
