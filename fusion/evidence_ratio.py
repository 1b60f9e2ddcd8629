"""Log-likelihood ratios of single cues: from a published effect and its spread between labs to what one value says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fusion.effect_table import SourcedEffect

Array = NDArray[np.float64]
BETWEEN_LABS = 0.2
"""Standard deviation of an effect between labs where its row states no interval (assumed)."""
HALF_NORMAL = 0.4
"""Scale of the half-normal size of an effect of which only the direction is known (assumed)."""
UNSOURCED = 1.0
"""Standard deviation of the effect of a cue without a source, centred on zero (assumed)."""
NO_EFFECT = 0.12
"""Share of sessions in which no cue says anything (assumed)."""
PERSON_SHARE = 0.3
"""Share of the variance of a cue between statements that is the person's own level (assumed): published d count in the
whole of it, the model compares statements of one person."""
_NODES = 41
INTERVAL = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Ratio:
    """What one value says, natural logarithm of the likelihood if concealed over that if not.

    Attributes:
        value: Averaged over the effect's uncertainty.
        low: Least of what it says over the middle 90 % of the effect's prior, and where nothing shows.
        high: Greatest of the same.
    """

    value: float
    low: float
    high: float


@cache
def prior_sizes(effect: SourcedEffect) -> tuple[float, ...]:
    """Equally likely signed sizes of a sourced effect: quantiles of its prior over labs, in order of size."""
    from scipy.stats import halfnorm, norm

    at = (np.arange(_NODES) + 0.5) / _NODES
    if effect.magnitude is None:
        sizes = halfnorm.ppf(at, scale=HALF_NORMAL)
    else:
        spread = BETWEEN_LABS if effect.error is None else np.hypot(effect.error, BETWEEN_LABS / 2)
        sizes = norm.ppf(at, effect.magnitude, spread)
    return tuple(float(size) for size in effect.sign * sizes)


def statement_ratio(z: float, effect: SourcedEffect, prior: float) -> Ratio:
    """Of one statement against the person's other statements.

    Args:
        z: Its value against mean and standard deviation of all the person's statements.
        effect: A row at the unit of a statement.
        prior: Share of statements that are taken to be concealed: the mean lies that far from honest ones.
    """
    own = 1 / np.sqrt(1 - PERSON_SHARE)
    sizes = np.array(prior_sizes(effect)) * own
    with_effect = _normal(z - (1 - prior) * sizes), _normal(z + prior * sizes)
    return _ratio(*with_effect, float(_normal(np.array([z]))[0]))


def session_ratio(z: float, effect: SourcedEffect, freedom: int) -> Ratio:
    """Of one session against sessions of the same lab without concealment.

    Args:
        z: Its value against mean and standard deviation of those, the latter widened for their number.
        effect: A row at the unit of a session.
        freedom: Number of those sessions less one, >= 1.
    """
    from scipy.stats import t

    sizes = np.array(prior_sizes(effect))
    without = float(t.pdf(z, freedom))
    return _ratio(t.pdf(z - sizes, freedom), np.full(len(sizes), without), without)


def unsourced_ratio(z: float) -> Ratio:
    """Of a cue without a sourced effect: 0, because either sign is as likely; the range is what it could say."""
    reach = 1.645 * UNSOURCED * abs(z)
    return Ratio(0.0, -reach, reach)


def _ratio(concealed: Array, honest: Array, nothing: float) -> Ratio:
    """Ratio of mixtures over equally likely sizes, with the sessions in which nothing shows."""
    tiny = 1e-300
    above = NO_EFFECT * nothing + (1 - NO_EFFECT) * float(concealed.mean())
    below = NO_EFFECT * nothing + (1 - NO_EFFECT) * float(honest.mean())
    value = float(np.log((above + tiny) / (below + tiny)))
    first, last = (round(p * (len(concealed) - 1)) for p in INTERVAL)
    middle = slice(first, last + 1)
    each = np.r_[np.log((concealed[middle] + tiny) / (honest[middle] + tiny)), 0.0, value]
    return Ratio(value, float(each.min()), float(each.max()))


def _normal(x: Array) -> Array:
    return np.asarray(np.exp(-0.5 * np.asarray(x) ** 2) / np.sqrt(2 * np.pi))
