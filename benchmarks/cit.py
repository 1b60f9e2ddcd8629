"""The concealed information test against simulated examinees with known truth. `python -m benchmarks.cit [--full]`."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from data_schemas.ranking import auc_of
from fusion.calibration import calibration_error
from fusion.cit import examine
from fusion.cit_items import MEASURES, contrasts_of, items_of
from fusion.cit_model import LAB_CV, Posterior
from fusion.effect_table import effects_of
from pipeline.simulate.designs_cit import CitSession, simulate_cit

Floats = NDArray[np.float64]
BINS = 10


def measure(full: bool) -> dict[str, float]:
    """Figures of the test.

    Args:
        full: 3,000 sessions instead of 500, and more people for the recovered effects.

    Returns:
        `ece` (10 bins), `auc`, `covered` (share of the true mean effects, of all sessions, within the middle 90 % of
        their posterior), `covered_response` (the same of people who respond and the interval given that they do),
        `ranks_p` (chi-square of the ranks of the true mean effect in the posterior, 10 bins, ties broken by chance),
        `auc_no_effect` (people who know against people who do not where nothing shows), `cannot_say`, and
        `d_scr`, `d_heart_rate`, `d_line_length`: recovered d* over that of the table.
    """
    figures = calibration(3_000 if full else 500)
    figures |= {"auc_no_effect": without_effect(1_000 if full else 400)}
    return figures | {f"d_{name}": ratio for name, ratio in recovered(200 if full else 40).items()}


def calibration(sessions: int, first: int = 0) -> dict[str, float]:
    """Calibration, coverage and ranks over sessions of all kinds, seeds from `first` on."""
    from scipy.stats import chisquare

    rng = np.random.default_rng(7)
    told, truth, inside, ranks = [], [], [], []
    for seed in range(first, first + sessions):
        session = simulate_cit(seed)
        test = examine(session.encodings(), session.extent)
        if test is None or test.posterior is None:
            continue
        told.append(test.posterior.probability)
        truth.append(session.responds)
        effect = true_effect(session, [one.measure.name for one in test.contrasts])
        if session.responds:
            _, low, high = test.posterior.interval()
            inside.append(low <= effect <= high)
        ranks.append(rank(test.posterior, effect, float(rng.random())))
    counts = np.histogram(ranks, BINS, (0, 1))[0]
    return {
        "ece": calibration_error(np.array(told), np.array(truth), 10),
        "auc": auc_of(np.array(told), np.array(truth)),
        "covered": float(np.mean(np.abs(np.array(ranks) - 0.5) <= 0.45)),
        "covered_response": float(np.mean(inside)),
        "ranks_p": float(chisquare(counts).pvalue),
        "cannot_say": 1 - len(told) / sessions,
    }


def true_effect(session: CitSession, names: list[str]) -> float:
    """Mean of the true effects over the measures that were judged."""
    return float(np.mean([session.effects[at] for at, one in enumerate(MEASURES) if one.name in names]))


def rank(posterior: Posterior, effect: float, chance: float) -> float:
    """Place of the true mean effect in the posterior, 0..1: uniform where that is right (Talts et al. 2018).

    Without a response the effect is exactly 0; a tie with that is broken by chance.
    """
    none = 1 - posterior.probability
    if effect == 0:
        return chance * none
    below = float(posterior.weights[posterior.effects.mean(axis=1) < effect].sum())
    return none + posterior.probability * below


def without_effect(sessions: int) -> float:
    """AUC of people who know against people who do not, where knowing leaves no trace."""
    told, knows = [], []
    for seed in range(50_000, 50_000 + sessions):
        session = simulate_cit(seed, no_effect=1.0)
        test = examine(session.encodings(), session.extent)
        if test is not None and test.posterior is not None:
            told.append(test.posterior.probability)
            knows.append(session.knows)
    return auc_of(np.array(told), np.array(knows))


def recovered(people: int, labs: int = 9) -> dict[str, float]:
    """d* of simulated labs over that of the table: people who respond against the same people if they did not.

    Labs stand at equal steps of their distribution; d* is taken within each, with the pooled standard deviation, and
    averaged.
    """
    from scipy.stats import norm

    spread = np.log1p(LAB_CV**2)
    factors = np.exp(np.sqrt(spread) * norm.ppf((np.arange(labs) + 0.5) / labs) - spread / 2)
    rows = {row.measured_by: row for row in effects_of("cit")}
    sizes: dict[str, list[float]] = {one.name: [] for one in MEASURES}
    for at, factor in enumerate(factors):
        scores = {knows: _scores(knows, float(factor), at, people) for knows in (False, True)}
        for which, one in enumerate(MEASURES):
            off, on = scores[False][:, which], scores[True][:, which]
            sizes[one.name].append(float((on.mean() - off.mean()) / np.sqrt((on.var(ddof=1) + off.var(ddof=1)) / 2)))
    return {one.name: float(np.mean(sizes[one.name])) / (rows[one.row].magnitude or np.nan) for one in MEASURES}


def _scores(knows: bool, factor: float, lab: int, people: int) -> Floats:
    out = []
    for person in range(people):
        session = simulate_cit(
            100_000 + 1_000 * lab + person, knows, lab=np.full(len(MEASURES), factor), no_effect=0.0,
            presentations=(6, 4, 1), complete=True,
        )  # fmt: skip
        encodings = session.encodings()
        found, _ = contrasts_of(encodings, items_of(encodings))
        out.append([one.score for one in found])
    return np.array(out)


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name:20} {value:.4g}")
