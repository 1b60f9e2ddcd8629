"""Cleaning joints over time: left/right swaps, single outliers, jitter. All windows are in seconds, never in frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modalities.body.skeleton import SIDES, BoolArray, FloatArray, Skeleton, index_of

BANDWIDTH_S = 0.25
"""Half-width of the smoothing window."""
SWAP_COST = 0.15
"""What it costs to call a frame swapped, in shoulder widths of mean joint displacement."""

_AT_ONCE = 6
"""Joints that are smoothed at a time."""
_HANDS = ("wrist", "pinky", "index", "thumb")
_ARMS = ("shoulder", "elbow")
_LEGS = ("hip", "knee", "ankle", "heel", "foot_index")
_GROUPS = tuple(
    tuple(index_of(*(f"{side}_{name}" for name in names)) for side in SIDES) for names in (_HANDS, _ARMS, _LEGS)
)
"""Pairs of left and right joints that are swapped together; trackers swap hands without arms, too."""


def reach_s(times_s: FloatArray) -> float:
    """Half-width of the window for these times: `BANDWIDTH_S`, or 1.5 median periods where samples are sparser."""
    return max(BANDWIDTH_S, 1.5 * float(np.median(np.diff(times_s)))) if len(times_s) > 1 else BANDWIDTH_S


def unswap(skeleton: Skeleton, scale: FloatArray) -> Skeleton:
    """Undo left/right swaps of a few frames.

    For each group of paired joints the sequence of "kept" and "swapped" that moves the joints least is found
    (Viterbi), where each swapped frame costs `SWAP_COST`: a swap that lasts is believed.

    Args:
        skeleton: As observed.
        scale: Shoulder width in px, (n,); NaN where unknown.
    """
    rows = np.flatnonzero(skeleton.found & np.isfinite(scale))
    if len(rows) < 3:
        return skeleton
    found = skeleton
    for left, right in _GROUPS:  # no joint is in two groups
        a, b = (skeleton.points[rows[:, None], joints] for joints in (left, right))
        swapped = rows[_find_swaps(a, b, scale[rows], skeleton.times_s[rows])]
        if not len(swapped):
            continue
        if found is skeleton:
            world = None if skeleton.world is None else skeleton.world.copy()
            found = replace(skeleton, points=skeleton.points.copy(), visibility=skeleton.visibility.copy(), world=world)
        for values in (found.points, found.visibility, found.world):
            if values is not None:
                kept = values[swapped[:, None], left].copy()
                values[swapped[:, None], left] = values[swapped[:, None], right]
                values[swapped[:, None], right] = kept
    return found


def _find_swaps(left: FloatArray, right: FloatArray, scale: FloatArray, times_s: FloatArray) -> BoolArray:
    """Which rows (n,) are swapped; left and right are (n, k, 2) px."""

    def moved(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.asarray(np.linalg.norm(b[1:] - a[:-1], axis=-1).mean(axis=-1) / scale[1:])

    same = moved(left, left) + moved(right, right)
    crossed = moved(left, right) + moved(right, left)
    gap = np.diff(times_s) > 2 * reach_s(times_s)
    same, crossed = np.where(gap, 0.0, same), np.where(gap, 0.0, crossed)
    n = len(left)
    came_from = np.zeros((n, 2), dtype=np.int8)
    kept, flipped = 0.0, SWAP_COST
    for at in range(1, n):
        step, cross = same[at - 1], crossed[at - 1]
        to_kept, to_flipped = (kept + step, flipped + cross), (kept + cross, flipped + step)
        came_from[at] = (to_kept[1] < to_kept[0], to_flipped[1] < to_flipped[0])
        kept, flipped = min(to_kept), min(to_flipped) + SWAP_COST
    out = np.zeros(n, dtype=bool)
    state = int(flipped < kept)
    for at in range(n - 1, -1, -1):
        out[at] = bool(state)
        state = int(came_from[at, state])
    return out


def remove_outliers(points: FloatArray, valid: BoolArray, times_s: FloatArray) -> FloatArray:
    """Median of each sample and its two neighbours where both are valid and near; other samples stay.

    Args:
        points: (n, j, 2).
        valid: bool (n, j).
        times_s: (n,).

    Returns:
        Points of the same shape; those of invalid samples mean nothing.
    """
    out = points.copy()
    if len(points) < 3:
        return out
    before, here, after = points[:-2], points[1:-1], points[2:]
    near = np.diff(times_s) <= reach_s(times_s)
    usable = valid[:-2] & valid[1:-1] & valid[2:] & (near[:-1] & near[1:])[:, None]
    middle = np.maximum(np.minimum(before, here), np.minimum(np.maximum(before, here), after))
    np.copyto(out[1:-1], middle, where=usable[..., None])
    return out


def smooth(points: FloatArray, valid: BoolArray, times_s: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Position and velocity by local linear regression with tricube weights (Cleveland 1979, without iteration).

    This is the first-order Savitzky-Golay filter for samples at any distance; only valid samples within the window
    (see `reach_s`) take part, so that nothing is carried across a gap.

    Args:
        points: (n, j, 2).
        valid: bool (n, j).
        times_s: (n,).

    Returns:
        Smoothed points (n, j, 2); velocity (n, j, 2) in units per second; bool (n, j), where velocity is known: the
        sample and at least one more within the window are valid.
    """
    places, velocity, known = np.zeros(points.shape), np.zeros(points.shape), np.zeros(valid.shape, dtype=bool)
    if not len(points):
        return places, velocity, known
    joints = points.shape[1]
    for first in range(0, joints, _AT_ONCE):  # what lies between is many times as large as the result
        some = slice(first, min(first + _AT_ONCE, joints))
        found = _smooth_some(points[:, some], valid[:, some], times_s)
        places[:, some], velocity[:, some], known[:, some] = found
    return places, velocity, known


def _smooth_some(points: FloatArray, valid: BoolArray, times_s: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """See `smooth`, of at least one sample."""
    n, reach = len(points), reach_s(times_s)
    side = max(
        int((np.searchsorted(times_s, times_s + reach, side="right") - np.arange(n)).max()) - 1,
        int((np.arange(n) - np.searchsorted(times_s, times_s - reach)).max()),
    )
    weight_sum, first, second = (np.zeros(valid.shape) for _ in range(3))
    sum_x, sum_tx = np.zeros(points.shape), np.zeros(points.shape)
    for offset in range(-side, side + 1):
        here = slice(max(0, -offset), n - max(0, offset))
        there = slice(max(0, offset), n - max(0, -offset))
        dt = times_s[there] - times_s[here]
        weight = np.clip(1 - np.abs(dt / reach) ** 3, 0, None) ** 3
        w = weight[:, None] * valid[there]
        weight_sum[here] += w
        first[here] += w * dt[:, None]
        second[here] += w * dt[:, None] ** 2
        sum_x[here] += w[..., None] * points[there]
        sum_tx[here] += (w * dt[:, None])[..., None] * points[there]
    spread = second * weight_sum - first**2
    known = valid & (spread > 1e-6 * reach**2)
    safe = np.where(known, spread, 1.0)[..., None]
    velocity = (weight_sum[..., None] * sum_tx - first[..., None] * sum_x) / safe
    mean = sum_x / np.where(weight_sum > 0, weight_sum, 1.0)[..., None]
    lag = (first / np.where(weight_sum > 0, weight_sum, 1.0))[..., None]
    velocity = np.where(known[..., None], velocity, 0.0)
    return np.where(valid[..., None], mean - lag * velocity, 0.0), velocity, known
