"""Where the face's regions were at each moment, from flow over several lags and from landmarks together.

Flow says to about a tenth of a percent of the inter-ocular distance how far a region moved since 1/15, 1/4 and 1 s ago,
but for the times when it fails; landmarks say where it is, some ten times worse and never drifting. The trajectory is
the robust least-squares compromise of both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.flow import LAGS_S
from modalities.face.models import FloatArray
from modalities.face.regions import NAMES

FLOW_SIGMA = (0.25, 0.35, 0.8)
"""Standard error of flow for each of `LAGS_S`, percent of the inter-ocular distance."""
PLACE_SIGMA = 1.5
"""Standard error of one second of landmarks, whose errors are slow; percent of the inter-ocular distance."""
_ROUNDS = 3
_MOST_FRAMES = 6000
_OVERLAP_S = 20.0


def trace_regions(rows: NDArray[np.void]) -> FloatArray:
    """Place of each region by flow and landmarks together.

    Long videos are solved in overlapping parts, so that memory stays flat.

    Args:
        rows: Rows of `observation.ROW`, in order of time.

    Returns:
        Percent of the inter-ocular distance, axes as the face's, float32 (frames, regions, 2); 0 where no face was
        found.
    """
    n = len(rows)
    out = np.zeros((n, len(NAMES), 2), np.float32)
    if not rows["found"].any():
        return out
    period_s = _typical_period_s(rows["t_ns"])
    overlap = min(_MOST_FRAMES // 3, round(_OVERLAP_S / period_s))
    first = 0
    while True:
        end = n if n - first <= _MOST_FRAMES + overlap else first + _MOST_FRAMES
        part = _solve_part(rows[first:end], period_s)
        blend = np.ones(end - first, np.float32)
        if first:
            shared = min(overlap, end - first)
            blend[:shared] = np.linspace(0, 1, shared, dtype=np.float32)
        out[first:end] += blend[:, None, None] * (part - out[first:end])
        if end == n:
            return out
        first = end - overlap


def _typical_period_s(times_ns: NDArray[np.int64]) -> float:
    return float(np.median(np.diff(times_ns))) / NS_PER_S if len(times_ns) > 1 else 1.0


def _solve_part(rows: NDArray[np.void], period_s: float) -> FloatArray:
    """Trajectories of one part, (frames, regions, 2): reweighted least squares, one banded system per region."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    n = len(rows)
    out = np.zeros((n, len(NAMES), 2), np.float32)
    found = rows["found"]
    if not found.any():
        return out
    place = rows["place"].astype(np.float64)
    anchor = np.where(found, period_s / PLACE_SIGMA**2, 1.0)
    now, then, motion, sigma = _links(rows)
    at = np.arange(n)
    entries = (np.r_[at, now, then, now, then], np.r_[at, now, then, then, now])
    for region in range(len(NAMES)):
        start = np.where(found[:, None], place[:, region], 0)
        weight = 1 / sigma**2
        x = start
        for _ in range(_ROUNDS):
            system = coo_matrix((np.r_[anchor, weight, weight, -weight, -weight], entries), (n, n)).tocsc()
            right = anchor[:, None] * start
            pull = weight[:, None] * motion[:, region]
            np.add.at(right, now, pull)
            np.subtract.at(right, then, pull)
            x = splu(system).solve(right)
            away = np.linalg.norm(x[now] - x[then] - motion[:, region], axis=1)
            weight = 1 / (sigma**2 * (1 + (away / (2 * sigma)) ** 2))
        out[:, region] = x
    out[~found] = 0
    return out


def _links(
    rows: NDArray[np.void],
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, FloatArray]:
    """All measured steps: row, earlier row, motion (links, regions, 2) between them, and its standard error."""
    parts = []
    for lag in range(len(LAGS_S)):
        back = rows["back"][:, lag].astype(np.int64)
        now = np.flatnonzero(rows["found"] & (back > 0))
        now = now[now >= back[now]]
        then = now - back[now]
        error = np.hypot(FLOW_SIGMA[lag], 0.2 * rows["unsteady"][now, lag].astype(np.float64))
        parts.append((now, then, rows["motion"][now, lag].astype(np.float64), error))
    now, then, motion, sigma = (np.concatenate(part) for part in zip(*parts, strict=True))
    return now, then, motion, sigma
