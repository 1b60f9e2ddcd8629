"""How large the reaction to a concealed item is, from the published d*: prior of labs and people, and the posterior.

The score of one person in one measure is the standardised difference of probe and irrelevant items
(`fusion.cit_items`). Without a response it is noise around zero. With one its mean is

    effect = size of the measure x factor of the lab x factor of the person,

factors positive with mean 1. The size is chosen so that, averaged over labs, people who respond differ from people
who do not by the d* of the table in a test of the reference size: d* belongs to a person's score over all items, never
to an item. A test with fewer presentations has more noise and so a smaller d*, one with more a larger.

Sourced: the three d* (Meijer et al. 2014); how much labs differ, from the spread of nine mock-crime studies of skin
conductance (Zaitsu 2014, Jpn. J. Forensic Sci. Technol. 19:9: d = 2.35, 95 % CI 1.77 to 2.93, so a standard deviation
of 38 % of the mean between studies, sampling error included), taken over for the two others. The rest is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from fusion.cit_items import MEASURES, Contrast
from fusion.effect_table import effects_of

Array = NDArray[np.float64]
LAB_CV = 0.4
"""Standard deviation over mean of the labs' factors."""
PERSON_CV = 0.5
"""The same of people within a lab (assumed)."""
LAB_R, PERSON_R, NOISE_R = 0.5, 0.3, 0.1
"""Correlations between measures of labs' factors, of people's factors and of the noise of presentations (assumed).
With none the three together would tell far more than skin conductance alone; they tell little more (Gamer et al. 2008,
Physiol. Behav. 95:333)."""
REFERENCE = (6, 24)
"""Probe and irrelevant presentations of the test that d* is taken to belong to (assumed): 6 questions of 5 items."""
KNOWING, NO_EFFECT = 0.5, 0.12
"""Assumed share of examinees who know the item, and of those in whom knowing it leaves no trace."""
PRIOR = KNOWING * (1 - NO_EFFECT)
"""Probability of a response before anything is seen."""
DRAWS = 8_000
INTERVAL = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the scores of one person say.

    Attributes:
        probability: Of a response.
        log_ratio: Natural logarithm of the likelihood of the scores with a response over that without.
        contributions: Share of the log ratio of each contrast, in order; they sum to it.
        effects: Drawn effects, (draws, contrasts), in standard deviations of one presentation.
        weights: Their posterior weights given that there is a response, (draws,), sum 1.
    """

    probability: float
    log_ratio: float
    contributions: tuple[float, ...]
    effects: Array
    weights: Array

    def interval(self, at: int | None = None) -> tuple[float, float, float]:
        """Mean and 90 % interval of an effect, or of the mean effect for None, given that there is a response."""
        values = self.effects.mean(axis=1) if at is None else self.effects[:, at]
        order = np.argsort(values)
        reached = np.cumsum(self.weights[order])
        places = np.minimum(np.searchsorted(reached, INTERVAL), len(values) - 1)
        low, high = values[order][places].tolist()
        return float(values @ self.weights), low, high


def judge_scores(contrasts: Sequence[Contrast], prior: float = PRIOR) -> Posterior:
    """Posterior of one person by importance sampling from the prior of labs and people.

    Args:
        contrasts: One per measure that allows one; at least one.
        prior: Probability of a response before, between 0 and 1.

    Raises:
        InvalidValueError: no contrast, or a prior that is no probability between 0 and 1.
    """
    if not contrasts or not 0 < prior < 1:
        raise InvalidValueError("a test is judged by one score or more and a prior between 0 and 1", got=prior)
    columns = [MEASURES.index(one.measure) for one in contrasts]
    effects = drawn_effects()[:, columns]
    k = len(contrasts)
    subsets = [[at for at in range(k) if code >> at & 1] for code in range(1 << k)]
    ratios: list[float] = [0.0]
    likelihood = np.zeros(len(effects))
    for subset in subsets[1:]:
        chosen = [contrasts[at] for at in subset]
        likelihood = log_likelihood(chosen, effects[:, subset])
        without = log_likelihood(chosen, np.zeros((1, len(subset))))[0]
        ratios.append(_log_mean(likelihood) - float(without))
    log_ratio = ratios[-1]
    weights = np.exp(likelihood - likelihood.max())
    odds = np.log(prior / (1 - prior)) + log_ratio
    probability = float(1 / (1 + np.exp(-np.clip(odds, -500, 500))))
    return Posterior(probability, log_ratio, shapley(ratios, k), effects, weights / weights.sum())


def log_likelihood(contrasts: Sequence[Contrast], effects: Array) -> Array:
    """Logarithm of the likelihood of the scores, up to a constant, for effects (draws, contrasts); shape (draws,).

    A multivariate t: the standard deviation that a score is divided by is itself estimated.
    """
    k = len(contrasts)
    scores = np.array([one.score for one in contrasts])
    errors = np.array([one.error for one in contrasts])
    freedom = min(one.freedom for one in contrasts)
    scale = np.sqrt(errors**2 + effects**2 / (2 * freedom))
    z = (scores - effects) / scale
    alike = np.full((k, k), NOISE_R) + (1 - NOISE_R) * np.eye(k)
    distance = np.einsum("ij,jk,ik->i", z, np.linalg.inv(alike), z)
    return np.asarray(-np.log(scale).sum(axis=1) - (freedom + k) / 2 * np.log1p(distance / freedom))


@cache
def drawn_effects(draws: int = DRAWS, seed: int = 20140) -> Array:
    """Effects of people who respond, each of another lab, (draws, 3), in standard deviations of one presentation."""
    rng = np.random.default_rng(seed)
    return sizes() * lab_factors(rng, draws) * person_factors(rng, draws)


def lab_factors(rng: np.random.Generator, n: int) -> Array:
    """Factors of n labs, (n, 3), mean 1."""
    return _factors(rng, n, LAB_CV, LAB_R)


def person_factors(rng: np.random.Generator, n: int) -> Array:
    """Factors of n people, (n, 3), mean 1."""
    return _factors(rng, n, PERSON_CV, PERSON_R)


@cache
def sizes() -> Array:
    """Mean effect of each of `MEASURES` per presentation, in its standard deviations, shape (3,), from the table's d*.

    Raises:
        InvalidValueError: the table lacks a d*, or states one that such labs and people cannot give.
    """
    from scipy.optimize import brentq

    rows = {row.measured_by: row for row in effects_of("cit", "person_over_items")}
    found = []
    for measure in MEASURES:
        row = rows.get(measure.row)
        limit = np.sqrt(2) / PERSON_CV
        if row is None or row.magnitude is None or not row.magnitude < 0.9 * limit:
            raise InvalidValueError(f"the table of effects has no usable d* for {measure.row}", got=row)
        wanted = row.magnitude
        found.append(brentq(lambda size, wanted=wanted: expected_d(size) - wanted, 1e-6, 50.0))
    return np.array(found)


def expected_d(size: float, lab: float | None = None) -> float:
    """d* between people who respond and people who do not, in a test of the reference size.

    Args:
        size: Mean effect per presentation, in its standard deviations.
        lab: Factor of the lab; None averages over labs.
    """
    noise = 1 / REFERENCE[0] + 1 / REFERENCE[1]
    if lab is not None:
        return float(size * lab / np.sqrt(noise + (PERSON_CV * size * lab) ** 2 / 2))
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    spread = np.log1p(LAB_CV**2)
    labs = np.exp(np.sqrt(spread) * nodes - spread / 2)
    each = size * labs / np.sqrt(noise + (PERSON_CV * size * labs) ** 2 / 2)
    return float(each @ weights / weights.sum())


def shapley(ratios: Sequence[float], k: int) -> tuple[float, ...]:
    """What each of k parts adds, averaged over the orders in which they may be added (Shapley 1953).

    Args:
        ratios: Value of each subset; bit i of its place says that part i is in it. 2^k values.
        k: Number of parts.
    """
    from math import factorial

    out = []
    for part in range(k):
        total = 0.0
        for code in range(1 << k):
            if not code >> part & 1:
                size = code.bit_count()
                weight = factorial(size) * factorial(k - size - 1) / factorial(k)
                total += weight * (ratios[code | 1 << part] - ratios[code])
        out.append(total)
    return tuple(out)


def _factors(rng: np.random.Generator, n: int, cv: float, r: float) -> Array:
    """Log-normal factors of mean 1 with correlated logarithms, (n, 3)."""
    shared, own = rng.standard_normal((n, 1)), rng.standard_normal((n, len(MEASURES)))
    normal = np.sqrt(r) * shared + np.sqrt(1 - r) * own
    spread = np.log1p(cv**2)
    return np.asarray(np.exp(np.sqrt(spread) * normal - spread / 2))


def _log_mean(values: Array) -> float:
    top = float(values.max())
    return top + float(np.log(np.exp(values - top).mean()))
