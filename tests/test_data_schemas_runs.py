"""Runs of flags, and names of columns that are made different."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.intervals import runs_of
from modalities.readers.columns import distinct


@given(st.lists(st.booleans(), max_size=60))
def test_runs_cover_what_is_true_and_nothing_else(flags: list[bool]) -> None:
    runs = runs_of(np.array(flags, bool))
    again = np.zeros(len(flags), bool)
    for first, stop in runs:
        assert first < stop
        again[first:stop] = True
    assert again.tolist() == flags
    assert all(stop < following for (_, stop), (following, _) in pairwise(runs)), "runs touch"


@given(st.lists(st.sampled_from(["a", "b", "a_2", "a_3", "a_3_"]), max_size=8))
def test_names_of_columns_are_made_different_and_single_ones_kept(names: list[str]) -> None:
    made = distinct(names)
    assert len(set(made)) == len(names) == len(made)
    assert all(one.startswith(name) for one, name in zip(made, names, strict=True))
    if len(set(names)) == len(names):
        assert made == names


def test_a_name_that_comes_twice_gets_the_number_of_its_column() -> None:
    assert distinct(["t", "a", "a"]) == ["t", "a", "a_3"]
    assert distinct(["a", "a", "a_2"]) == ["a", "a_2", "a_2_"]
