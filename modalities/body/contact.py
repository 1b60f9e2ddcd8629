"""When a hand is at the face: distance below a reach that fits the person's own face, with hysteresis."""

from __future__ import annotations

import numpy as np

from modalities.body.skeleton import BoolArray, FloatArray

EYES_TO_REACH = 2.5
"""At a fingertip touch of the chin, centre of the face and centre of the hand are this many outer-eye distances apart:
the chin lies 10 cm below the former, the fingertip 12 cm from the latter, the outer eye corners 9 cm apart."""
REACH_LIMITS = (0.5, 0.75)
"""Reach in shoulder widths never leaves these limits, however the eyes were measured."""
RELEASE = 1.2
"""Contact ends when the distance exceeds the reach by this factor."""
BRIDGE_S = 0.35
"""Longest time without a valid sample that a state is kept over; 1.5 median periods where samples are sparser."""


def reach_of(eye_distances: FloatArray) -> float:
    """Distance in shoulder widths at which a hand is at the face.

    Args:
        eye_distances: Distance of the outer eye corners, in shoulder widths, any number of samples; the 80th
            percentile is used, because turning the head only shortens it.
    """
    if not len(eye_distances):
        return float(np.mean(REACH_LIMITS))
    return float(np.clip(EYES_TO_REACH * np.percentile(eye_distances, 80), *REACH_LIMITS))


def find_contact(distance: FloatArray, valid: BoolArray, times_s: FloatArray, reach: float) -> BoolArray:
    """Samples (n,) at which a hand is at the face: from below `reach` until above `RELEASE * reach`.

    Invalid samples are False; contact outlasts them when they last less than `bridge_s`.

    Args:
        distance: Hand to face in shoulder widths, (n,).
        valid: bool (n,).
        times_s: (n,).
        reach: Distance at which contact begins.
    """
    return hysteresis(-distance, valid, times_s, -reach, -RELEASE * reach)


def bridge_s(times_s: FloatArray) -> float:
    """Longest time without a valid sample that a state is kept over at these sample times."""
    return max(BRIDGE_S, 1.5 * float(np.median(np.diff(times_s)))) if len(times_s) > 1 else BRIDGE_S


def hysteresis(values: FloatArray, valid: BoolArray, times_s: FloatArray, high: float, low: float) -> BoolArray:
    """Samples (n,) from above `high` until below `low`, invalid ones False; forgotten after `bridge_s` without data."""
    out, longest = np.zeros(len(values), dtype=bool), bridge_s(times_s)
    state, last_s = False, -np.inf
    for at in np.flatnonzero(valid).tolist():
        if times_s[at] - last_s > longest:
            state = False
        last_s = times_s[at]
        state = values[at] > (low if state else high)
        out[at] = state
    return out
