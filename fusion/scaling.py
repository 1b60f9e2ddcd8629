"""Bringing features of different people, encoders and units to one scale: against the person's own session."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import IntervalSet
from data_schemas.time import Int64Array, to_ns
from fusion.vocabulary import Scale

MAD_TO_SD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""
Z_LIMIT = 30.0
LEAST_BASELINE_NS = to_ns(5.0)
LEAST_SAMPLES = 20
ELAPSED_LIMIT_S = 60.0


def scale_samples(
    values: NDArray[np.float32], valid: NDArray[np.bool_], how: Scale, calm: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Samples of one feature on the scale of the tokens; invalid ones are 0.

    Args:
        values: Shape (n,), in the encoder's unit.
        valid: Shape (n,).
        how: "person": (x - median) / (1.4826 MAD) over the person's valid samples, limited to +-30;
            "plain": limited to -1..2; "elapsed": log(1 + s) / log(61), limited to a minute.
        calm: Samples within baseline intervals, shape (n,). Median and MAD then come from the valid ones among
            them, if there are at least 20; the MAD is then at least a quarter of the whole session's.

    Returns:
        float64 (n,). A feature that never changes gives 0 throughout.
    """
    x = values.astype(np.float64)
    if how == "plain":
        return np.where(valid, np.clip(x, -1.0, 2.0), 0.0)
    if how == "elapsed":
        return np.where(valid, np.log1p(np.clip(x, 0.0, ELAPSED_LIMIT_S)) / np.log1p(ELAPSED_LIMIT_S), 0.0)
    seen = x[valid]
    if not seen.size:
        return np.zeros(len(x))
    middle = float(np.median(seen))
    spread = MAD_TO_SD * float(np.median(np.abs(seen - middle)))
    overall = float(seen.std())
    if calm is not None and np.count_nonzero(calm & valid) >= LEAST_SAMPLES:
        still = x[calm & valid]
        middle = float(np.median(still))
        spread = max(MAD_TO_SD * float(np.median(np.abs(still - middle))), spread / 4)
    if spread <= 1e-3 * overall:
        spread = overall
    if spread <= 1e-9 * max(1.0, abs(middle)):
        return np.zeros(len(x))
    return np.where(valid, np.clip((x - middle) / spread, -Z_LIMIT, Z_LIMIT), 0.0)


def calm_samples(times_ns: Int64Array, baseline: IntervalSet) -> NDArray[np.bool_] | None:
    """Which samples lie in the baseline intervals; None where those add up to less than 5 s."""
    return baseline.contains(times_ns) if baseline.total_ns >= LEAST_BASELINE_NS else None
