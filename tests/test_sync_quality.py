from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S, Explicit, Regular
from sync.quality import effective_hz, rate_deviation

S = NS_PER_S


def test_the_rate_of_a_lossy_stream() -> None:
    rng = np.random.default_rng(1)
    ticks = np.r_[np.arange(0, 1000), np.arange(1500, 3000)]
    times = np.rint(ticks * S / 92.93 + rng.normal(0, 0.4e6, len(ticks))).astype(np.int64)
    assert effective_hz(Explicit(times)) == pytest.approx(92.93, rel=1e-4)
    assert rate_deviation(Explicit(times), 100) == pytest.approx(-0.0707, abs=1e-4)
    assert rate_deviation(Explicit(times), None) is None


def test_a_long_gap_does_not_count_against_the_rate() -> None:
    times = np.rint(np.r_[np.arange(300), np.arange(600, 900)] / 30 * S).astype(np.int64)
    assert effective_hz(Explicit(times)) == pytest.approx(30, rel=1e-6)


@settings(deadline=None)
@given(st.lists(st.integers(1, 20 * S), min_size=1, max_size=30))
def test_gaps_are_those_of_the_support(steps: list[int]) -> None:
    axis = Explicit(np.cumsum(np.array([S, *steps], dtype=np.int64)))
    spans = IntervalSet.of_axis(axis)
    rate = effective_hz(axis)
    assert rate is not None
    covered_ns = spans.total_ns - len(spans) * round(axis.period_ns)
    assert (axis.n - len(spans)) / rate * S == pytest.approx(covered_ns, abs=1e-6 * S)


def test_too_few_samples_have_no_rate() -> None:
    assert effective_hz(Regular(0, 1e6, 1)) is None
    assert rate_deviation(Regular(0, 1e6, 0), 100) is None
    assert effective_hz(Regular.from_rate(360, 5000)) == pytest.approx(360)
