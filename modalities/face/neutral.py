"""The person's own neutral: what the median frame looks like, and what head angles do to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.action_units import explain_movement, load_units
from modalities.face.models import FloatArray
from modalities.face.pieces import pieces

MIN_FRAMES = 100
"""Fewer judged frames than this give the median alone."""
MAX_YAW_DEG = 40.0
"""Frames turned farther are not judged: half of the face is hidden."""
MAX_PITCH_DEG = 40.0
SHORT_S = 45.0
"""In a recording shorter than this an expression may fill most of the time."""
HELD_S, HELD_SHARE = 0.5, 0.12
"""Least time, and least share of the recording, that a face must be at rest to be found so."""
_NOISE, _OUTLIER, _PRICE = 0.3, 3.0, 2.0
_SAMPLES = 4000
_ROUNDS = 8


def subtract_neutral(
    values: NDArray[np.floating], angles: FloatArray, judged: NDArray[np.bool_], beside: FloatArray | None = None
) -> FloatArray:
    """Values relative to the person's neutral at the same head angles.

    The neutral is the median over the session plus a quadratic function of yaw and pitch and a linear one of roll,
    fitted with Cauchy weights (iteratively reweighted least squares), so that expressions, which are rare, do not
    bend it.

    Args:
        values: (frames, c), any floating type; worked on in float64, piece by piece.
        angles: Yaw, pitch, roll in degrees, (frames, 3).
        judged: Which frames can be used, (frames,).
        beside: What else the neutral depends on, linearly, about 1 where it matters, (frames, k).

    Returns:
        float32 (frames, c), 0 where not judged.
    """
    out = np.zeros(values.shape, np.float32)
    rows = np.flatnonzero(judged)
    if not len(rows):
        return out
    picked = rows[:: max(1, len(rows) // _SAMPLES)]
    chosen = values[picked].astype(np.float64)
    middle = np.median(chosen, axis=0)
    for part in pieces(len(rows)):
        out[rows[part]] = values[rows[part]].astype(np.float64) - middle
    if len(picked) < MIN_FRAMES:
        return out
    centre = np.median(angles[picked], axis=0)
    more = np.zeros((len(values), 0)) if beside is None else beside - np.median(beside[picked], axis=0)
    basis = np.column_stack([_basis(angles[picked] - centre), more[picked]])
    sample = chosen - middle
    fit = np.zeros((basis.shape[1], values.shape[1]))
    # A prior of 1 degree of pose noise and no pose effect: short recordings with little movement stay as they are.
    ridge = np.diag([0.0] + [1.0] * (basis.shape[1] - 1)) * 0.02 * len(picked)
    for _ in range(_ROUNDS):
        left = sample - basis @ fit
        spread = 1.4826 * np.median(np.abs(left), axis=0) + 1e-3
        weights = 1 / (1 + (left / (1.5 * spread)) ** 2)
        for column in range(values.shape[1]):
            weighted = basis * weights[:, column : column + 1]
            fit[:, column] = np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ sample[:, column])
    for part in pieces(len(rows)):
        at = rows[part]
        out[at] -= (np.column_stack([_basis(angles[at] - centre), more[at]]) @ fit).astype(np.float32)
    return out


def find_rest(moved: FloatArray, judged: NDArray[np.bool_], seconds: float) -> NDArray[np.float32]:
    """What the median face of a short recording shows that the person's resting face does not.

    Muscles contract and let go, they do not push: when the median is itself an expression, the frames at rest look like
    its reverse. If some frames look like the reverse of an action unit, and all frames together are explained better by
    action units that start from there, that is where the face rests. Expressions that fill less than half of a
    recording never need this.

    Args:
        moved: Measurements relative to the median, (frames, 2 * regions + 5), as
            `action_units.stack_measurements` has them.
        judged: Which frames can be used, (frames,).
        seconds: Length of the judged time.

    Returns:
        To be subtracted from `moved`, float32 (2 * regions + 5,); zeros where the median is at rest, where nothing
        better was found, and in recordings longer than `SHORT_S`.
    """
    none = np.zeros(moved.shape[1], np.float32)
    rows = np.flatnonzero(judged)
    if seconds > SHORT_S or len(rows) < 4:
        return none
    sample = moved[rows[:: max(1, len(rows) // _SAMPLES)]]
    reverse = _explain(-sample)
    least = max(HELD_SHARE, HELD_S / max(seconds, HELD_S))
    if np.mean(reverse.max(axis=1) > 0.2) < least:
        return none
    unit = int(reverse.sum(axis=0).argmax())
    at_rest = reverse[:, unit] > 0.5 * np.percentile(reverse[:, unit], 95)
    if at_rest.mean() < least:
        return none
    rest = np.median(sample[at_rest], axis=0).astype(np.float32)
    return rest if _misfit(sample - rest) < _misfit(sample) else none


def _explain(sample: FloatArray) -> NDArray[np.float32]:
    n = len(sample)
    return explain_movement(sample[:, :-5].reshape(n, -1, 2), sample[:, -5:-1].reshape(n, 2, 2), sample[:, -1])


def _misfit(sample: FloatArray) -> float:
    """How badly action units explain the measurements: Cauchy's loss of what they leave, and a price on intensity."""
    shown = _explain(sample)
    left = (sample - shown @ load_units().atoms) / (_OUTLIER * _NOISE)
    return float(_OUTLIER**2 * np.log1p(left**2).sum(axis=1).mean() + _PRICE * shown.sum(axis=1).mean())


def _basis(angles: FloatArray) -> FloatArray:
    """1, angles in tens of degrees, and products of yaw and pitch, (frames, 7)."""
    yaw, pitch, roll = (angles / 10.0).T
    return np.column_stack([np.ones(len(angles)), yaw, pitch, roll, yaw**2, pitch**2, yaw * pitch])
