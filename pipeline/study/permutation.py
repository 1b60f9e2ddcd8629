"""Permutation tests of every cue at the unit to which the label was assigned, and what to make of many of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.study.contrast import Floats, person_means
from pipeline.study.design import Design
from pipeline.study.table import Codes

_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class CueTests:
    """Tests of k cues.

    Attributes:
        t: Paired t or Welch's t of the unit means, shape (k,).
        p: Two-sided permutation p of each cue, shape (k,); NaN where there was too little.
        p_max_t: The same against the greatest |t| of all cues (Westfall & Young 1993): holds over all cues together.
        p_fdr: Adjusted by Benjamini & Hochberg 1995.
        n: Units, shape (k,): pairs, or the two groups together.
        n0, n1: Units of either label; equal where paired.
        paired: Whether t is a paired one.
    """

    t: Floats
    p: Floats
    p_max_t: Floats
    p_fdr: Floats
    n: Codes
    n0: Codes
    n1: Codes
    paired: bool


def check_cues(values: Floats, label: Codes, design: Design, permutations: int, rng: np.random.Generator) -> CueTests:
    """Test every cue by permutation within the design.

    Paired designs swap the labels of whole pairs (sign flips of people's differences, which hold also where people
    differ in their effect); groups exchange people; where items decide the label, items are exchanged, or the versions
    of each item are swapped, on means of deviations from each person's own mean.
    """
    differences, means, sides = _units(values, label, design)
    if differences is not None:
        signs = (2 * rng.integers(0, 2, (permutations, len(differences))) - 1).astype(np.float64)
        has = np.isfinite(differences)
        filled = np.where(has, differences, 0.0)
        n = has.sum(axis=0)
        t = _paired_t(np.ones((1, len(filled))), filled, n)[0]
        drawn = _paired_t(signs, filled, n)
        n0 = n1 = n
    else:
        has = np.isfinite(means)
        n0, n1 = (has & (sides == 0)[:, None]).sum(axis=0), (has & (sides == 1)[:, None]).sum(axis=0)
        n = n0 + n1
        t = _welch_t(sides[None].astype(np.float64), means)[0]
        order = np.argsort(rng.random((permutations, len(sides))), axis=1)
        drawn = _welch_t(sides[order].astype(np.float64), means)
    good = np.isfinite(t)
    size, sizes = np.where(good, np.abs(t), -np.inf), np.where(np.isfinite(drawn), np.abs(drawn), 0.0)
    p = (1 + (sizes >= size - _TINY).sum(axis=0)) / (permutations + 1)
    greatest = sizes[:, good].max(axis=1) if good.any() else np.zeros(permutations)
    p_max = (1 + (greatest[:, None] >= size - _TINY).sum(axis=0)) / (permutations + 1)
    p, p_max = np.where(good, p, np.nan), np.where(good, p_max, np.nan)
    return CueTests(
        t, p, p_max, adjust(p), n.astype(np.int64), n0.astype(np.int64), n1.astype(np.int64), differences is not None
    )


def adjust(p: Floats) -> Floats:
    """P values adjusted by Benjamini & Hochberg 1995, NaN left as it is."""
    from scipy.stats import false_discovery_control

    out = np.full(len(p), np.nan)
    good = np.isfinite(p)
    if good.any():
        out[good] = false_discovery_control(p[good])
    return out


def _units(values: Floats, label: Codes, design: Design) -> tuple[Floats | None, Floats, Codes]:
    """Differences of pairs (units, k), or None with the units' means (units, k) and labels (units,)."""
    if design.unit != "item":
        means, counts = person_means(values, label, design)
        if design.paired:
            both = (counts > 0).all(axis=0)
            return np.where(both, means[1] - means[0], np.nan), np.empty((0, 0)), np.empty(0, dtype=np.int64)
        side = (counts[1].max(axis=1) > 0).astype(np.int64)
        has = counts.sum(axis=0) > 0
        return None, np.where(has, means.sum(axis=0), np.nan), side
    centred = values - _group_mean(values, design.person)[design.person]
    if design.stratum is not None:
        low, high = (
            _group_mean(np.where((label == side)[:, None], centred, np.nan), design.stratum) for side in (0, 1)
        )
        return high - low, np.empty((0, 0)), np.empty(0, dtype=np.int64)
    side = (np.bincount(design.item, label) / np.bincount(design.item) > 0.5).astype(np.int64)
    return None, _group_mean(centred, design.item), side


def _group_mean(values: Floats, groups: Codes) -> Floats:
    """Mean of each column per group, shape (groups, k); NaN where a group has no value."""
    known = np.isfinite(values)
    shape = (int(groups.max()) + 1, values.shape[1])
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, groups, np.where(known, values, 0.0))
    np.add.at(counts, groups, known)
    return np.divide(sums, counts, out=np.full(shape, np.nan), where=counts > 0)


def _paired_t(signs: Floats, differences: Floats, n: NDArray[np.integer]) -> Floats:
    """T of the flipped differences, shape (b, k); the sum of squares never changes."""
    mean = signs @ differences / np.maximum(n, 1)
    squares = (differences**2).sum(axis=0)
    variance = np.maximum(squares - n * mean**2, 0) / np.maximum(n - 1, 1)
    return _t(mean, variance / np.maximum(n, 1), n >= 3)


def _welch_t(sides: Floats, means: Floats) -> Floats:
    """Welch's t for every row of labels, shape (b, k)."""
    known = np.isfinite(means)
    moved = np.where(known, means - np.nanmean(np.where(known.any(axis=0), means, 0.0), axis=0), 0.0)
    parts = []
    for weights in (1 - sides, sides):
        n = weights @ known
        mean = weights @ moved / np.maximum(n, 1)
        variance = np.maximum(weights @ moved**2 - n * mean**2, 0) / np.maximum(n - 1, 1)
        parts.append((n, mean, variance / np.maximum(n, 1)))
    (n0, m0, v0), (n1, m1, v1) = parts
    return _t(m1 - m0, v0 + v1, (n0 >= 2) & (n1 >= 2))


def _t(difference: Floats, variance: Floats, enough: NDArray[np.bool_]) -> Floats:
    shape = np.broadcast(difference, variance, enough).shape
    good = np.broadcast_to(enough, shape) & np.broadcast_to(variance > 0, shape)
    return np.divide(difference, np.sqrt(variance), out=np.full(shape, np.nan), where=good)
