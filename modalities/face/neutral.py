"""The person's own neutral: what the median frame looks like, and what head angles do to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.models import FloatArray

MIN_FRAMES = 100
"""Fewer judged frames than this give the median alone."""
MAX_YAW_DEG = 40.0
"""Frames turned farther are not judged: half of the face is hidden."""
MAX_PITCH_DEG = 40.0
_SAMPLES = 4000
_ROUNDS = 8


def subtract_neutral(values: FloatArray, angles: FloatArray, judged: NDArray[np.bool_]) -> FloatArray:
    """Values relative to the person's neutral at the same head angles.

    The neutral is the median over the session plus a quadratic function of yaw and pitch and a linear one of roll,
    fitted with Cauchy weights (iteratively reweighted least squares), so that expressions, which are rare, do not
    bend it.

    Args:
        values: (frames, c).
        angles: Yaw, pitch, roll in degrees, (frames, 3).
        judged: Which frames can be used, (frames,).

    Returns:
        float32 (frames, c), 0 where not judged.
    """
    out = np.zeros(values.shape, np.float32)
    rows = np.flatnonzero(judged)
    if not len(rows):
        return out
    picked = rows[:: max(1, len(rows) // _SAMPLES)]
    middle = np.median(values[picked], axis=0)
    out[judged] = values[judged] - middle
    if len(picked) < MIN_FRAMES:
        return out
    centre = np.median(angles[picked], axis=0)
    basis = _basis(angles[picked] - centre)
    sample = values[picked] - middle
    fit = np.zeros((basis.shape[1], values.shape[1]))
    # A prior of 1 degree of pose noise and no pose effect: short recordings with little movement stay as they are.
    ridge = np.diag([0.0, 1, 1, 1, 1, 1, 1]) * 0.02 * len(picked)
    for _ in range(_ROUNDS):
        left = sample - basis @ fit
        spread = 1.4826 * np.median(np.abs(left), axis=0) + 1e-3
        weights = 1 / (1 + (left / (1.5 * spread)) ** 2)
        for column in range(values.shape[1]):
            weighted = basis * weights[:, column : column + 1]
            fit[:, column] = np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ sample[:, column])
    out[judged] -= (_basis(angles[judged] - centre) @ fit).astype(np.float32)
    return out


def _basis(angles: FloatArray) -> FloatArray:
    """1, angles in tens of degrees, and products of yaw and pitch, (frames, 7)."""
    yaw, pitch, roll = (angles / 10.0).T
    return np.column_stack([np.ones(len(angles)), yaw, pitch, roll, yaw**2, pitch**2, yaw * pitch])
