"""Linear prediction of many frames at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_WHITE = 1e-4
"""White noise added to the predicted signal, as a share of its power: 40 dB below."""


def solve_predictors(correlation: Doubles) -> Doubles:
    """Predictor polynomials by the recursion of Levinson and Durbin (Makhoul 1975).

    Args:
        correlation: Autocorrelations at lags 0..p, shape (m, p + 1).

    Returns:
        Polynomials (m, p + 1) with a leading 1; the prediction error is the signal filtered with one.
    """
    rows, size = correlation.shape
    poly = np.zeros((rows, size))
    poly[:, 0] = 1
    error = correlation[:, 0] * (1 + _WHITE) + 1e-20
    for order in range(1, size):
        reflection = -np.einsum("ij,ij->i", poly[:, :order], correlation[:, order:0:-1]) / error
        poly[:, 1 : order + 1] += reflection[:, None] * poly[:, order - 1 :: -1][:, :order]
        error *= np.maximum(1 - reflection**2, 1e-9)
    return poly
