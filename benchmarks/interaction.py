"""Who follows whom: mimicry found at its planted lag, and nothing found between people who have nothing to do.

Pairs of simulated people (`pipeline.simulate.pairs_of_people`) whose smiles and gestures come in bursts, whose pitch
exists in the own turns of a dialogue alone, whose heart rates drift and swing with breathing; independent ones, and
ones of which the second follows the first. `python -m benchmarks.interaction [--full]`.
"""

from __future__ import annotations

import sys

import numpy as np

from pipeline.interaction import interact
from pipeline.interaction_table import BEHAVIOURS, Tie
from pipeline.simulate.chance import generator
from pipeline.simulate.pairs_of_people import NAMES, Planted, simulate_pair

INDEPENDENT = 200
FIRST_PLANTED = 10_001
LAG_S = {"smile": (0.4, 3.0), "gesture": (0.4, 3.0), "pitch": (0.5, 4.0), "heart_rate": (0.5, 4.0)}
SHARE = 0.6
RIGHT_S = 0.1
P_BOUND = 0.01


def measure(full: bool) -> dict[str, float]:
    """Figures over all pairs.

    Args:
        full: 600 s, 499 surrogates and 40 planted pairs instead of 300 s, 299 surrogates and 15 pairs. Independent
            pairs are 200 in either case.

    Returns:
        For each behaviour and measure ("smile_correlation", "smile_coincidence", ...): `ks_<...>`, the p of the
        Kolmogorov-Smirnov test of the p of independent pairs against a uniform distribution; `false_<...>`, the share
        of them below 0.05; `found_<...>`, the share of planted pairs with p < 0.01; `lag_error_s_<...>`, the median
        error of the lag; `lag_right_<...>`, the share of lags within 100 ms; `direction_<...>`, the share in which
        the planted direction is called the likelier. `ks_least` is the least of all ks.
    """
    from scipy.stats import kstest

    seconds, surrogates = (600.0, 499) if full else (300.0, 299)
    figures: dict[str, float] = {}
    chance = _by_name([_ties(number, seconds, surrogates, {}) for number in range(INDEPENDENT)])
    for name, rows in chance.items():
        p = np.array([row.p for row in rows if row.p is not None])
        figures[f"ks_{name}"] = float(kstest(p, "uniform").pvalue)
        figures[f"false_{name}"] = float((p < 0.05).mean())
    figures["ks_least"] = min(value for name, value in figures.items() if name.startswith("ks_"))
    planted = []
    for number in range(FIRST_PLANTED, FIRST_PLANTED + (40 if full else 15)):
        planted.append(_ties(number, seconds, surrogates, _plan(number)))
    for name, rows in _by_name(planted).items():
        behaviour = rows[0].behaviour
        lags = [_plan(FIRST_PLANTED + at)[behaviour].lag_s for at in range(len(rows))]
        error = np.array([abs((row.lag_s or np.inf) - lag) for row, lag in zip(rows, lags, strict=True)])
        figures[f"found_{name}"] = float(np.mean([row.p is not None and row.p < P_BOUND for row in rows]))
        figures[f"lag_error_s_{name}"] = float(np.median(error))
        figures[f"lag_right_{name}"] = float((error <= RIGHT_S).mean())
        figures[f"direction_{name}"] = float(np.mean([row.leads for row in rows]))
    return figures


def _plan(number: int) -> dict[str, Planted]:
    rng = generator(number, "plan of mimicry")
    return {name: Planted(float(rng.uniform(*LAG_S[name])), SHARE) for name in NAMES}


def _ties(number: int, seconds: float, surrogates: int, planted: dict[str, Planted]) -> list[Tie]:
    """Rows of the direction in which the second person follows the first."""
    pair = simulate_pair(number, seconds, planted)
    ties = interact(pair.encodings(), pair.extent, seed=number, surrogates=surrogates, tracks=False).ties
    return [tie for tie in ties if tie.leader == "p01"]


def _by_name(pairs: list[list[Tie]]) -> dict[str, list[Tie]]:
    out: dict[str, list[Tie]] = {}
    for behaviour in BEHAVIOURS:
        for tie in (tie for ties in pairs for tie in ties if tie.behaviour == behaviour.name):
            out.setdefault(f"{tie.behaviour}_{tie.measure}", []).append(tie)
    return out


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        sys.stdout.write(f"{name:36s} {value:.3f}\n")
