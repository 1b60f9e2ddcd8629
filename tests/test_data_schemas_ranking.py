"""How well scores rank: against its definition by pairs, with ties and with one outcome only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.ranking import auc, auc_of

CASES = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30)


@given(CASES)
def test_it_is_the_share_of_pairs_in_the_right_order(cases: list[tuple[int, bool]]) -> None:
    score, happened = np.array([one for one, _ in cases], float), np.array([one for _, one in cases])
    a, b = score[happened][:, None], score[~happened][None]
    found = auc_of(score, happened)
    assert found == pytest.approx(((a > b) + 0.5 * (a == b)).mean()) if a.size and b.size else np.isnan(found)


def test_columns_are_judged_one_by_one() -> None:
    shown = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], dtype=bool)
    found = auc(np.array([[3.0, 1], [1, 2], [2, 3], [2, 4]]), shown)
    assert found[0] == pytest.approx(0.875) and np.isnan(found[1]), "a tie counts half"
