"""The three statements, uncertainty and divergence: all from the joint probability of felt and shown emotion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import EMOTIONS

Array = NDArray[np.float64]
_N = len(EMOTIONS)


def felt_of(joint: Array) -> Array:
    """Probability of each felt emotion, shape (..., 4), from (..., 16)."""
    return np.asarray(joint.reshape(*joint.shape[:-1], _N, _N).sum(-1))


def shown_of(joint: Array) -> Array:
    """Probability of each shown emotion, shape (..., 4), from (..., 16)."""
    return np.asarray(joint.reshape(*joint.shape[:-1], _N, _N).sum(-2))


def concealed_of(joint: Array) -> Array:
    """Probability that felt differs from shown, shape (...), from (..., 16)."""
    table = joint.reshape(*joint.shape[:-1], _N, _N)
    return np.clip(1.0 - np.trace(table, axis1=-2, axis2=-1), 0.0, 1.0)


def uncertainty_of(joint: Array) -> Array:
    """Entropy of the felt emotion over its maximum log 4, 0..1, shape (...), from (..., 16)."""
    felt = np.clip(felt_of(joint), 1e-12, 1.0)
    return np.clip(-(felt * np.log(felt)).sum(-1) / np.log(_N), 0.0, 1.0)


def divergence(a: Array, b: Array) -> Array:
    """Jensen-Shannon divergence of distributions in bits, 0..1, shape (...), from (..., k) each (Lin 1991)."""
    middle = (a + b) / 2

    def against(p: Array) -> Array:
        safe = np.clip(p, 1e-15, None)
        return np.asarray((p * np.log2(safe / np.clip(middle, 1e-15, None))).sum(-1))

    return np.clip((against(a) + against(b)) / 2, 0.0, 1.0)


def emotions_at(index: int) -> tuple[str, str]:
    """Felt and shown emotion of a cell of the joint table."""
    return EMOTIONS[index // _N], EMOTIONS[index % _N]
