"""The rigid motion of a head between two clouds of points, whatever the face does meanwhile."""

from __future__ import annotations

import numpy as np

from modalities.face.models import FloatArray

_ROUNDS = 8
_FLOOR = 1e-2
_SETTLED, _SETTLED_MM = 2e-5, 2e-3

Turn = tuple[FloatArray, FloatArray]
"""Rotation (3, 3) and shift (3,): `rotation @ point + shift`."""


def fit_turn(start: FloatArray, end: FloatArray, trust: FloatArray) -> Turn:
    """The motion that takes points to others best, by least squares (Kabsch 1976).

    Args:
        start: (n, 3).
        end: (n, 3).
        trust: Weight of each point, (n,).
    """
    share = trust / trust.sum()
    here, there = share @ start, share @ end
    u, _, vt = np.linalg.svd(((end - there) * share[:, None]).T @ (start - here))
    rotation = (u * (1.0, 1.0, np.linalg.det(u) * np.linalg.det(vt))) @ vt
    return rotation, there - rotation @ here


def fit_head_turn(start: FloatArray, end: FloatArray, trust: FloatArray, precision: FloatArray) -> Turn:
    """The motion of a head under a face that moves, by reweighted least squares.

    Each point counts along each direction as precisely as it was measured there, and points that depart from the motion
    of the others lose their weight for good (Geman & McClure 1985), since an expression is no noise.

    Args:
        start: (n, 3).
        end: (n, 3).
        trust: Weight of each point before looking at them, (n,).
        precision: Inverse covariance of each displacement, (n, 3, 3).
    """
    counted = trust > 0
    start, end, trust, precision = start[counted], end[counted], trust[counted], precision[counted]
    rotation, shift = fit_turn(start, end, trust)
    for _ in range(_ROUNDS):
        at = start @ rotation.T + shift
        off = end - at
        size = np.einsum("na,na->n", off, np.matmul(precision, off[..., None])[..., 0])
        weights = trust / (1 + size / (2 * _typical(size, trust) + _FLOOR)) ** 2
        middle = weights @ at / weights.sum()
        lever = np.concatenate([_crosses(at - middle), np.broadcast_to(np.eye(3), (len(at), 3, 3))], axis=2)
        weighted = np.matmul(precision * weights[:, None, None], lever).reshape(-1, 6)
        step = np.linalg.solve(lever.reshape(-1, 6).T @ weighted, weighted.T @ off.ravel())
        turn = _rotation_of(step[:3])
        rotation = turn @ rotation
        shift = turn @ (shift - middle) + middle + step[3:]
        if np.abs(step[:3]).max() < _SETTLED and np.abs(step[3:]).max() < _SETTLED_MM:
            break
    return rotation, shift


def _typical(size: FloatArray, trust: FloatArray) -> float:
    """Median of values, each as often as it is trusted."""
    order = np.argsort(size)
    total = np.cumsum(trust[order])
    return float(size[order][np.searchsorted(total, total[-1] / 2)])


def _crosses(points: FloatArray) -> FloatArray:
    """Matrices (n, 3, 3) that take a small turn to the displacement of points (n, 3)."""
    x, y, z = points.T
    none = np.zeros(len(points))
    rows = [[none, z, -y], [-z, none, x], [y, -x, none]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=1)


def _rotation_of(turn: FloatArray) -> FloatArray:
    """Rotation (3, 3) about an axis by the length of it, radians."""
    import cv2

    return np.asarray(cv2.Rodrigues(np.asarray(turn, np.float64))[0])
