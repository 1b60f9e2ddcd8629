"""Where each region of the face is over time: precise flow over short spans, joined to landmarks over long ones.

Flow says to within about 0.1 % of the inter-ocular distance how far a region moved since 1/8, 1/4 and 1 s ago,
landmarks say where it is, some ten times worse and never drifting. The trajectory is the least-squares compromise of
both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.flow import LAGS_S
from modalities.face.models import FloatArray
from modalities.face.regions import NAMES

FLOW_SIGMA = (0.08, 0.1, 0.25)
"""Standard error of flow for each of `LAGS_S`, percent of the inter-ocular distance."""
PLACE_SIGMA = 1.5
"""Standard error of landmarks including their slow errors, percent of the inter-ocular distance."""
_COLUMNS = 8
_ROUNDS = 400


def trace_regions(rows: NDArray[np.void]) -> FloatArray:
    """Place of each region by flow and landmarks together.

    Args:
        rows: Rows of `observation.ROW`, in order of time.

    Returns:
        Percent of the inter-ocular distance, axes as the face's, float32 (frames, regions, 2); 0 where no face was
        found.
    """
    from scipy.sparse import coo_matrix, diags

    found = rows["found"]
    out = np.zeros((len(rows), len(NAMES), 2), np.float32)
    if not found.any():
        return out
    links = _links(rows)
    n = len(rows)
    places = np.where(found, 1 / PLACE_SIGMA**2, 1.0)
    matrix = diags(places).tocsr()
    for now, then, weight, _ in links:
        size = (n, n)
        stiff = coo_matrix((np.r_[weight, weight], (np.r_[now, then], np.r_[now, then])), size)
        bond = coo_matrix((np.r_[weight, weight], (np.r_[now, then], np.r_[then, now])), size)
        matrix = matrix + stiff.tocsr() - bond.tocsr()
    flat = out.reshape(n, -1)
    for first in range(0, flat.shape[1], _COLUMNS):
        part = slice(first, first + _COLUMNS)
        start = np.where(found[:, None], rows["place"].reshape(n, -1)[:, part], 0).astype(np.float64)
        right = places[:, None] * start
        for now, then, weight, lag in links:
            pull = weight[:, None] * rows["motion"][:, lag].reshape(n, -1)[now, part].astype(np.float64)
            np.add.at(right, now, pull)
            np.subtract.at(right, then, pull)
        flat[:, part] = _solve(matrix, right, start)
    return out


def _links(rows: NDArray[np.void]) -> list[tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, int]]:
    """For each lag: rows, their partners, the weight of the flow between them, and the lag's number."""
    out = []
    for lag in range(len(LAGS_S)):
        back = rows["back"][:, lag].astype(np.int64)
        now = np.flatnonzero(rows["found"] & (back > 0))
        error = np.hypot(FLOW_SIGMA[lag], 0.5 * rows["unsteady"][now, lag].astype(np.float64))
        out.append((now, now - back[now], 1 / error**2, lag))
    return out


def _solve(matrix: object, right: FloatArray, start: FloatArray) -> FloatArray:
    """Conjugate gradients with Jacobi's preconditioner, all columns at once (Hestenes & Stiefel 1952)."""
    from scipy.sparse import csr_matrix

    system = csr_matrix(matrix)
    scale = 1 / system.diagonal()[:, None]
    x = start.copy()
    rest = right - system @ x
    goal = 1e-8 * np.maximum((right**2 * scale).sum(axis=0), 1e-12)
    pre = scale * rest
    step = pre.copy()
    energy = (rest * pre).sum(axis=0)
    for _ in range(_ROUNDS):
        image = system @ step
        rate = energy / np.maximum((step * image).sum(axis=0), 1e-30)
        x += rate * step
        rest -= rate * image
        pre = scale * rest
        fresh = (rest * pre).sum(axis=0)
        if np.all(fresh <= goal):
            break
        step = pre + fresh / np.maximum(energy, 1e-30) * step
        energy = fresh
    return x
