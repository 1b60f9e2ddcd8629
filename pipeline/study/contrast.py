"""Means per person and label, and the standardised difference between them with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.study.design import Design
from pipeline.study.table import Codes

Floats = NDArray[np.float64]

LEAST_PEOPLE = 3
"""Fewer people (or, in groups, fewer of one label) give no effect."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Differences (label 1 minus label 0) of k cues.

    Attributes:
        difference: In the cue's own unit, shape (k,).
        g: Hedges g, shape (k,): the difference over the average standard deviation of the people's means (d_av of
            Lakens 2013), times Hedges' correction; NaN where nothing can be told.
        low, high: Interval of g, shape (k,).
        dz: Mean over standard deviation of the people's differences; NaN in groups.
        n0, n1: People behind each mean, shape (k,).
    """

    difference: Floats
    g: Floats
    low: Floats
    high: Floats
    dz: Floats
    n0: Codes
    n1: Codes


def measure_contrast(
    values: Floats, label: Codes, design: Design, bootstraps: int, alpha: float, rng: np.random.Generator
) -> Contrast:
    """Differences and Hedges g with intervals by bootstrap over people.

    People are drawn with replacement (in groups within each label), the interval is bias-corrected and accelerated
    (Efron 1987) with Hesterberg's expansion for few people. Where items decide the label, items are drawn too
    (Owen 2007), and the interval is the percentile one.

    Args:
        values: Cues, shape (n, k), NaN where missing.
        label: 0 or 1, shape (n,).
        design: Who has which labels.
        bootstraps: Draws.
        alpha: The interval covers 1 - alpha.
        rng: Source of the draws.
    """
    means, counts = person_means(values, label, design)
    people = design.people
    once = np.ones((1, people))
    g, difference, dz = standardise(means, counts, once, design.paired)
    has = counts > 0
    both = has.all(axis=0)
    n0, n1 = (both.sum(axis=0),) * 2 if design.paired else (has[0].sum(axis=0), has[1].sum(axis=0))
    if design.unit == "item" and design.paired:
        low, high = _two_way(values, label, design, bootstraps, alpha, rng)
    else:
        weights = _draw(design, label, bootstraps, rng)
        drawn = standardise(means, counts, weights, design.paired)[0]
        left_out = standardise(means, counts, 1.0 - np.eye(people), design.paired)[0]
        n = n0 if design.paired else n0 + n1 - 1
        low, high = _accelerated(g[0], drawn, left_out, n, alpha)
    return Contrast(difference[0], g[0], low, high, dz[0], n0.astype(np.int64), n1.astype(np.int64))


def person_means(values: Floats, label: Codes, design: Design) -> tuple[Floats, Floats]:
    """Mean of every cue per label and person, and rows behind it, both of shape (2, people, k).

    In groups a person who has rows of both labels is counted with neither.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    shape = (2, design.people, values.shape[1])
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (label, design.person), filled)
    np.add.at(counts, (label, design.person), known)
    if not design.paired:
        rows = np.zeros((2, design.people))
        np.add.at(rows, (label, design.person), 1)
        counts[:, (rows > 0).all(axis=0)] = 0
    return np.divide(sums, counts, out=np.zeros(shape), where=counts > 0), counts


def standardise(means: Floats, counts: Floats, weights: Floats, paired: bool) -> tuple[Floats, Floats, Floats]:
    """Hedges g, raw difference and d_z for every row of weights, each shape (b, k)."""
    has = (counts > 0).astype(np.float64)
    if paired:
        both = has[0] * has[1]
        n, m0, v0 = _moments(means[0], both, weights)
        _, m1, v1 = _moments(means[1], both, weights)
        _, _, v = _moments(means[1] - means[0], both, weights)
        difference = m1 - m0
        df, spread = n - 1, np.sqrt((v0 + v1) / 2)
        enough = n >= LEAST_PEOPLE
        dz = np.where(enough, _ratio(difference, np.sqrt(v)), np.nan)
    else:
        n0, m0, v0 = _moments(means[0], has[0], weights)
        n1, m1, v1 = _moments(means[1], has[1], weights)
        difference, df = m1 - m0, n0 + n1 - 2
        spread = np.sqrt(_ratio((n0 - 1) * v0 + (n1 - 1) * v1, df))
        enough = (n0 >= LEAST_PEOPLE) & (n1 >= LEAST_PEOPLE)
        dz = np.full_like(difference, np.nan)
    g = np.where(enough, _correction(df) * _ratio(difference, spread), np.nan)
    return g, np.where(enough, difference, np.nan), dz


def _moments(values: Floats, has: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted number, mean and variance (n - 1) of each cue, each shape (b, k)."""
    centre = _ratio((values * has).sum(axis=0), has.sum(axis=0))
    moved = (values - np.nan_to_num(centre)) * has
    n = weights @ has
    mean = _ratio(weights @ moved, n)
    squares = weights @ moved**2
    variance = _ratio(np.maximum(squares - n * mean**2, 0), n - 1)
    return n, mean + centre, variance


def _correction(df: Floats) -> Floats:
    """Hedges 1981: J = 1 - 3 / (4 df - 1)."""
    return 1 - 3 / np.maximum(4 * df - 1, 1)


def _draw(design: Design, label: Codes, bootstraps: int, rng: np.random.Generator) -> Floats:
    """How often each person is drawn, shape (b, people); in groups each label keeps its number."""
    people = design.people
    if design.paired:
        return rng.multinomial(people, np.full(people, 1 / people), size=bootstraps).astype(np.float64)
    share = np.bincount(design.person, label, people) / np.bincount(design.person, minlength=people)
    weights = np.zeros((bootstraps, people))
    for group in (np.flatnonzero(share <= 0.5), np.flatnonzero(share > 0.5)):
        if len(group):
            weights[:, group] = rng.multinomial(len(group), np.full(len(group), 1 / len(group)), size=bootstraps)
    return weights


def _accelerated(
    g: Floats, drawn: Floats, left_out: Floats, n: NDArray[np.integer], alpha: float
) -> tuple[Floats, Floats]:
    """Bias-corrected and accelerated interval of each cue (Efron 1987), expanded for n people (Hesterberg 2015)."""
    from scipy.special import ndtr, ndtri, stdtrit

    low, high = np.full(len(g), np.nan), np.full(len(g), np.nan)
    for at in range(len(g)):
        values = drawn[np.isfinite(drawn[:, at]), at]
        knife = left_out[np.isfinite(left_out[:, at]), at]
        if not np.isfinite(g[at]) or len(values) < len(drawn) / 2 or len(knife) < 2:
            continue
        below = np.clip(np.mean(values < g[at]) + np.mean(values == g[at]) / 2, 1e-3, 1 - 1e-3)
        bias, away = ndtri(below), knife.mean() - knife
        scale = float((away**2).sum()) ** 1.5
        pull = float((away**3).sum()) / (6 * scale) if scale > 0 else 0.0
        wide = float(np.sqrt(n[at] / (n[at] - 1)))
        z = wide * stdtrit(n[at] - 1, np.array([alpha / 2, 1 - alpha / 2])) + bias
        low[at], high[at] = np.quantile(values, ndtr(bias + z / (1 - pull * z)))
    return low, high


def _two_way(
    values: Floats, label: Codes, design: Design, bootstraps: int, alpha: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Percentile interval of g with people and items drawn independently (Owen 2007), versions of an item together."""
    units = design.stratum if design.stratum is not None else design.item
    people, items = design.people, int(units.max()) + 1
    by_person = rng.multinomial(people, np.full(people, 1 / people), size=bootstraps).astype(np.float64)
    by_item = _draw_items(units, label, design, bootstraps, rng)
    known = np.isfinite(values)
    centre = np.nanmean(values, axis=0)
    low, high = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    for at in range(values.shape[1]):
        means, weights = [], by_person
        for side in (0, 1):
            rows = known[:, at] & (label == side)
            sums, counts = np.zeros((people, items)), np.zeros((people, items))
            np.add.at(sums, (design.person[rows], units[rows]), values[rows, at] - centre[at])
            np.add.at(counts, (design.person[rows], units[rows]), 1.0)
            n = by_item @ counts.T
            means.append(np.divide(by_item @ sums.T, n, out=np.zeros(n.shape), where=n > 0))
            weights = weights * (n > 0)
        g = _weighted_g(means[0], means[1], weights)
        good = g[np.isfinite(g)]
        if len(good) >= bootstraps / 2:
            low[at], high[at] = np.quantile(good, [alpha / 2, 1 - alpha / 2])
    return low, high


def _draw_items(units: Codes, label: Codes, design: Design, bootstraps: int, rng: np.random.Generator) -> Floats:
    """How often each item is drawn, shape (b, items); each label keeps its number where an item has one label."""
    items = int(units.max()) + 1
    if design.stratum is not None:
        return rng.multinomial(items, np.full(items, 1 / items), size=bootstraps).astype(np.float64)
    weights = np.zeros((bootstraps, items))
    share = np.bincount(units, label, items) / np.maximum(1, np.bincount(units, minlength=items))
    for group in (np.flatnonzero(share <= 0.5), np.flatnonzero(share > 0.5)):
        if len(group):
            weights[:, group] = rng.multinomial(len(group), np.full(len(group), 1 / len(group)), size=bootstraps)
    return weights


def _weighted_g(low: Floats, high: Floats, weights: Floats) -> Floats:
    """Paired g of every draw, from means and weights of shape (b, people)."""
    n = weights.sum(axis=1)
    m0, m1 = (_ratio((weights * one).sum(axis=1), n) for one in (low, high))
    v0 = _ratio((weights * (low - m0[:, None]) ** 2).sum(axis=1), n - 1)
    v1 = _ratio((weights * (high - m1[:, None]) ** 2).sum(axis=1), n - 1)
    g = _correction(n - 1) * _ratio(m1 - m0, np.sqrt((v0 + v1) / 2))
    return np.where(n >= LEAST_PEOPLE, g, np.nan)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)
