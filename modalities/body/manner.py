"""How a body moves over seconds: fidgeting, freezing, spread of the limbs, and the rhythm of the movement."""

from __future__ import annotations

import numpy as np

from modalities.body.geometry import Cells, Movement
from modalities.body.skeleton import HIPS, MOVING, SHOULDERS, BoolArray, FloatArray, index_of

FIDGET_WINDOW_S = 5.0
FIDGET_TOP = 0.6
"""Speed above which movement is a gesture and no fidgeting, shoulder widths per second."""
FREEZE_SHARE, FREEZE_LEAST_S = 0.4, 1.5
"""Less than this share of the usual movement, for at least this long, is a freeze."""
USUAL_S = 120.0
LEAST_USUAL = 0.04
"""Usual movement above the person's quietest, shoulder widths per second, below which no freeze can show."""
RHYTHM_WINDOW_S, RHYTHM_LEAST_S = 6.0, 2.0
RHYTHM_LOW_HZ, RHYTHM_HIGH_HZ, RHYTHM_STEP_HZ = 0.3, 6.0, 0.05
RHYTHM_NEAR_HZ = 0.4
SIGNIFICANT = 9.0
"""Power of a rate that noise reaches once in 8000 times, over its mean; what is below counts as noise."""

_ABOVE = index_of("nose", "left_wrist", "right_wrist", "left_index", "right_index")
_BELOW = index_of("left_knee", "right_knee", "left_ankle", "right_ankle")
_SPREAD = index_of("left_elbow", "right_elbow", "left_wrist", "right_wrist")


def measure_manner(m: Movement, energy: Cells) -> dict[str, Cells]:
    """Values and validity of `fidgeting`, `freeze`, `posture_expansion`, `rhythm_hz` and `rhythm_strength`, each (n,).

    Args:
        m: Cleaned joints.
        energy: Movement energy, shoulder widths per second.
    """
    times_s = m.skeleton.times_s
    rhythm, strength, rhythmic = _rhythm(m, times_s)
    return {
        "fidgeting": _fidgeting(m, times_s),
        "freeze": find_freezes(*energy, times_s),
        "posture_expansion": _expansion(m),
        "rhythm_hz": (rhythm, rhythmic),
        "rhythm_strength": (strength, rhythmic),
    }


def mean_around(
    values: FloatArray, valid: BoolArray, times_s: FloatArray, window_s: float
) -> tuple[FloatArray, FloatArray]:
    """Mean of the valid samples within half a window to either side, and their number, each (n,)."""
    rows = np.flatnonzero(valid)
    total = np.r_[0.0, np.cumsum(values[rows])]
    first = np.searchsorted(times_s[rows], times_s - window_s / 2)
    last = np.searchsorted(times_s[rows], times_s + window_s / 2, side="right")
    number = (last - first).astype(np.float64)
    return (total[last] - total[first]) / np.maximum(number, 1), number


def find_freezes(energy: FloatArray, valid: BoolArray, times_s: FloatArray) -> Cells:
    """1 while somebody who usually moves hardly does, after van der Zee et al. 2019 (PLoS ONE 14:e0215000).

    Movement is counted above the quietest 2 % of the recording (the tracker's noise). Where a person's usual movement
    within `USUAL_S` is below `LEAST_USUAL`, no freeze could be told from rest and the cells are invalid.
    """
    n = len(energy)
    if not valid.any():
        return np.zeros(n), np.zeros(n, dtype=bool)
    level, number = mean_around(energy, valid, times_s, 1.0)
    level = level - float(np.percentile(level[valid], 2))
    usual = np.zeros(n)
    for at in np.arange(0, n, max(1, n // 400)):
        near = valid & (np.abs(times_s - times_s[at]) <= USUAL_S / 2)
        usual[at : at + max(1, n // 400)] = np.median(level[near]) if near.any() else 0.0
    known = valid & (number >= 2) & (usual >= LEAST_USUAL)
    still = known & (level < FREEZE_SHARE * usual)
    out = np.zeros(n)
    for run in np.split(np.arange(n), np.flatnonzero(np.diff(still)) + 1):
        if still[run[0]] and times_s[run[-1]] - times_s[run[0]] >= FREEZE_LEAST_S:
            out[run] = 1.0
    return out, known


def _fidgeting(m: Movement, times_s: FloatArray) -> Cells:
    """Small movement of hands, head and legs against the trunk, from unsmoothed joints, less each joint's quietest."""
    n = len(times_s)
    total, counted = np.zeros(n), np.zeros(n)
    if n < 3:
        return total, np.zeros(n, dtype=bool)
    points = m.skeleton.points / m.scale[:, None, None]
    step_s = np.maximum(np.diff(times_s), 1e-6)
    for joints, root in ((_ABOVE, SHOULDERS), (_BELOW, HIPS)):
        base = points[:, root].mean(axis=1)
        for joint in joints:
            ok = m.scaled & m.seen[:, joint] & m.seen[:, root].all(axis=1)
            both = np.r_[False, ok[1:] & ok[:-1] & (step_s < 0.5)]
            speed = np.r_[0.0, np.linalg.norm(np.diff(points[:, joint] - base, axis=0), axis=-1) / step_s]
            level, number = mean_around(speed, both, times_s, 1.0)
            there = both & (number >= 2)
            if not there.any():
                continue
            level = np.maximum(level - np.percentile(level[there], 5), 0)
            total += np.where(there & (level < FIDGET_TOP), level, 0.0)
            counted += there
    mean = total / np.maximum(counted, 1)
    long, number = mean_around(mean, counted > 0, times_s, FIDGET_WINDOW_S)
    return long, m.scaled & (number >= 3)


def _expansion(m: Movement) -> Cells:
    """Mean distance of elbows and wrists from the line from hips to shoulders."""
    shoulders, hips = (m.points[:, pair].mean(axis=1) for pair in (SHOULDERS, HIPS))
    axis = shoulders - hips
    length = np.maximum(np.linalg.norm(axis, axis=-1), 1e-6)
    off = m.points[:, _SPREAD] - hips[:, None]
    across = np.abs(off[..., 0] * axis[:, None, 1] - off[..., 1] * axis[:, None, 0]) / length[:, None]
    known = m.scaled & m.seen[:, [*_SPREAD, *SHOULDERS, *HIPS]].all(axis=1)
    return across.mean(axis=1) / m.scale, known


def _rhythm(m: Movement, times_s: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Dominant rate of the joints' velocity and its share of all power, twice a second, held in between."""
    n = len(times_s)
    rate, strength, known = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
    if n < 8 or times_s[-1] < RHYTHM_LEAST_S:
        return rate, strength, known
    joints = [*MOVING, *index_of("left_ankle", "right_ankle")]
    points = m.skeleton.points[:, joints] / m.scale[:, None, None]
    top = min(RHYTHM_HIGH_HZ, 0.45 / float(np.median(np.diff(times_s))))
    rates = np.arange(RHYTHM_LOW_HZ, top, RHYTHM_STEP_HZ)
    if len(rates) < 8:
        return rate, strength, known
    window = min(RHYTHM_WINDOW_S, float(times_s[-1]))
    centres = np.arange(window / 2, times_s[-1] - window / 2 + 1e-6, 0.5)
    for centre in centres:
        inside = np.flatnonzero(m.scaled & (np.abs(times_s - centre) <= window / 2))
        power = _velocity_power(times_s[inside], points[inside], m.seen[inside][:, joints], rates)
        if power is None:
            continue
        best = int(np.argmax(power))
        low = 0.0 if centre == centres[0] else centre - 0.25
        high = times_s[-1] if centre == centres[-1] else centre + 0.25
        rows = np.flatnonzero((times_s >= low) & (times_s <= high) & m.scaled)
        near = np.abs(rates - rates[best]) <= RHYTHM_NEAR_HZ
        rate[rows], strength[rows], known[rows] = rates[best], power[near].sum() / power.sum(), True
    return rate, strength, known


def _velocity_power(times_s: FloatArray, points: FloatArray, seen: BoolArray, rates: FloatArray) -> FloatArray | None:
    """Power of the velocity at each rate, over all joints that are seen in most samples, less each one's white noise.

    Noise of position is even over all rates and that of velocity grows with their square: its level comes from the
    median of the faster 40 % of the rates (power of noise is exponentially distributed), and only what stands out of it
    counts.
    """
    if len(times_s) < 8 or times_s[-1] - times_s[0] < 0.8 * RHYTHM_LEAST_S:
        return None
    total = np.zeros(len(rates))
    for at in np.flatnonzero(seen.mean(axis=0) >= 0.7):
        rows = seen[:, at]
        t = times_s[rows] - times_s[0]
        if len(t) < 8:
            continue
        span = times_s[-1] - times_s[0]
        weight = 0.5 - 0.5 * np.cos(2 * np.pi * (t + 0.02 * span) / (1.04 * span))
        values = points[rows, at]
        values = values - np.polynomial.polynomial.polyval(t, np.polynomial.polynomial.polyfit(t, values, 1)).T
        power = (np.abs((np.exp(-2j * np.pi * np.outer(rates, t)) * weight) @ values) ** 2).sum(axis=1)
        noise = float(np.median(power[int(0.6 * len(rates)) :])) / np.log(2)
        total += np.where(power > SIGNIFICANT * noise, power - noise, 0.0) * rates**2
    return total if total.sum() > 0 else None
