"""What keeps slow measurements from wandering: now and then the face is compared with how it looked long ago.

Flow between neighbouring pictures adds up its errors, and landmarks wander by a percent of the inter-ocular distance
over seconds; both together drift as much as a weak smile moves. So a few key pictures of the face are kept, one for
each way the head is turned, and several times a second the present picture is compared with the one whose head is
turned most alike. The loops that this closes straighten the trajectories, as loop closures straighten a robot's path
(Lu & Milios 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, to_s
from modalities.face.depth.motion import measure_motion
from modalities.face.depth.space import FaceSpace
from modalities.face.flow import REGION_MEAN
from modalities.face.flow_methods import DenseFlow, dense_flow
from modalities.face.head_motion import POINTS, FacePicture, HeadMotion
from modalities.face.models import FloatArray, Picture
from modalities.face.regions import NAMES

EVERY_S = 0.5
"""Time between two comparisons."""
LEAST_AGE_S = 1.5
"""A key picture younger than this says nothing that flow does not."""
ALIKE_DEG, REACH_DEG = 5.0, 14.0
"""A head turned by more than the first from every key picture becomes one; by more than the second it is not compared.
"""
MOST_KEYS = 9
RENEW_S = 90.0
"""An older key picture is replaced by the present one after the comparison: light and hair change."""

LINK_SIGMA = 0.3
"""Standard error of a comparison, percent of the inter-ocular distance."""
DRIFT_SIGMA = 0.3
"""Drift of a trajectory in one second."""
WANDER_SIGMA = 1.5
"""How far landmarks wander in all."""
_ROUNDS = 3


@dataclass(eq=False, slots=True)
class _Key:
    number: int
    angles: FloatArray
    face: FacePicture


@dataclass(frozen=True, eq=False, slots=True)
class Link:
    """One comparison.

    Attributes:
        back: How many pictures ago the key picture was; 0 where there was no comparison.
        motion: Displacement of each region since then (x to the person's left, y up), pixels of the aligned picture,
            (regions, 2).
        in_space: Whether it was measured in space, see `flow.LagFlow`.
    """

    back: int
    motion: FloatArray
    in_space: bool = False


NO_LINK = Link(0, np.zeros((len(NAMES), 2)))


class FaceAnchor:
    """Keeps key pictures of one face, at most `MOST_KEYS`, and compares later ones with them.

    Args:
        head: That of the flow of the same face, which learns its depth.
    """

    def __init__(self, head: HeadMotion | None = None) -> None:
        self._keys: list[_Key] = []
        self._head = head or HeadMotion()
        self._last_ns = -(10**18)
        self._flow: DenseFlow | None = None

    def compare(
        self,
        patch: Picture,
        points: NDArray[np.float32],
        depth: FloatArray,
        angles: FloatArray,
        t_ns: int,
        number: int,
        space: FaceSpace | None = None,
    ) -> Link:
        """Take the next aligned picture; most are let pass.

        Args:
            patch: Grey uint8 (s, s).
            points: Landmarks in it, (478, 2).
            depth: Landmarks towards the camera in inter-ocular distances, (478,).
            angles: Yaw, pitch and roll of the head, degrees, (3,).
            t_ns: Its time; increases from call to call.
            number: Its row number; the answer's `back` counts in these.
            space: What a depth camera says of it.
        """
        if t_ns - self._last_ns < EVERY_S * NS_PER_S:
            return NO_LINK
        self._last_ns = t_ns
        face = FacePicture(patch, points[POINTS], depth[POINTS].astype(np.float32), t_ns, space)
        away = [float(np.linalg.norm(key.angles[:2] - angles[:2])) for key in self._keys]
        best = int(np.argmin(away)) if away else -1
        fresh = best < 0 or (away[best] > ALIKE_DEG and len(self._keys) < MOST_KEYS)
        out = NO_LINK
        if best >= 0:
            key = self._keys[best]
            if away[best] <= REACH_DEG and t_ns - key.face.t_ns >= LEAST_AGE_S * NS_PER_S:
                self._flow = self._flow or dense_flow("dis")
                moved, in_space = measure_motion(self._head, key.face, face, self._flow)
                out = Link(number - key.number, REGION_MEAN @ moved * (1, -1), in_space)
                if not fresh and t_ns - key.face.t_ns > RENEW_S * NS_PER_S:
                    self._keys[best] = _Key(number, angles, face)
        if fresh:
            self._keys.append(_Key(number, angles, face))
        return out


def straighten(rows: NDArray[np.void], traced: FloatArray) -> FloatArray:
    """Trajectories whose slow errors are taken back at the comparisons.

    The correction is the least-squares compromise of all comparisons (Cauchy weights) and a random walk.

    Args:
        rows: Rows of `observation.ROW`, in order of time, with `key_back` and `key_motion`.
        traced: From `trajectory.trace_regions`, (frames, regions, 2), percent of the inter-ocular distance.

    Returns:
        Corrected, same shape; 0 where no face was found.
    """
    back = rows["key_back"].astype(np.int64)
    now = np.flatnonzero(rows["found"] & (back > 0))
    now = now[(now >= back[now]) & rows["found"][now - back[now]]]
    if not len(now):
        return traced
    then = now - back[now]
    nodes = np.unique(np.r_[now, then])
    first, last = np.searchsorted(nodes, then), np.searchsorted(nodes, now)
    off = rows["key_motion"][now].astype(np.float64) - (traced[now] - traced[then])
    times_s = to_s(rows["t_ns"] - rows["t_ns"][0])
    shift = _solve(off, first, last, times_s[nodes])
    out = np.zeros(traced.shape, np.float32)
    found = rows["found"]
    for region, axis in np.ndindex(traced.shape[1:]):
        straight = traced[:, region, axis] + np.interp(times_s, times_s[nodes], shift[:, region, axis])
        out[found, region, axis] = straight[found]
    return out


def _solve(off: FloatArray, first: NDArray[np.int64], last: NDArray[np.int64], times_s: FloatArray) -> FloatArray:
    """Correction at each node, (nodes, regions, 2)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    n = len(times_s)
    at = np.arange(n)
    stiff = 1 / (DRIFT_SIGMA**2 * np.maximum(np.diff(times_s), 1e-3))
    anchor = np.gradient(times_s) / WANDER_SIGMA**2 if n > 1 else np.ones(1)
    entries = (
        np.r_[at, at[1:], at[:-1], at[1:], at[:-1], last, first, last, first],
        np.r_[at, at[1:], at[:-1], at[:-1], at[1:], last, first, first, last],
    )
    out = np.zeros((n, off.shape[1], 2))
    for region in range(off.shape[1]):
        weight = np.full(len(first), 1 / LINK_SIGMA**2)
        for _ in range(_ROUNDS):
            values = np.r_[0.02 * anchor, stiff, stiff, -stiff, -stiff, weight, weight, -weight, -weight]
            right = np.zeros((n, 2))
            pull = weight[:, None] * off[:, region]
            np.add.at(right, last, pull)
            np.subtract.at(right, first, pull)
            out[:, region] = splu(coo_matrix((values, entries), (n, n)).tocsc()).solve(right)
            away = np.linalg.norm(out[last, region] - out[first, region] - off[:, region], axis=1)
            weight = 1 / (LINK_SIGMA**2 * (1 + (away / (2 * LINK_SIGMA)) ** 2))
    return out
