"""The rate at which a stream was really sampled, against the one that its header claims."""

from __future__ import annotations

import numpy as np

from data_schemas.time import NS_PER_S, Regular, TimeAxis

_GAP_NS, _GAP_PERIODS = 1_500_000_000, 5


def effective_hz(axis: TimeAxis) -> float | None:
    """Samples per second of covered time, gaps left out; None for fewer than two samples.

    A gap is what `IntervalSet.of_axis` takes for one: more than 1.5 s and 5 median periods.
    """
    if axis.n < 2:
        return None
    if isinstance(axis, Regular):
        return axis.rate_hz
    steps = np.diff(axis.times_ns)
    return NS_PER_S / float(steps[steps <= max(_GAP_NS, _GAP_PERIODS * axis.period_ns)].mean())


def rate_deviation(axis: TimeAxis, nominal_hz: float | None) -> float | None:
    """Effective over nominal rate minus 1; None where one of them is unknown."""
    found = effective_hz(axis)
    return None if found is None or nominal_hz is None else found / nominal_hz - 1
