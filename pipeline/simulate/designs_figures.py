"""How far the published effects alone let anybody tell: the evidence model on sessions simulated from them.

The model and the sessions share their assumptions, so these figures are what the effects allow; no fusion of the same
channels can be expected to do better on people.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from data_schemas.ranking import auc_of
from fusion.calibration import calibration_error
from fusion.cit import KNOWING_WITHOUT_RESPONSE, examine
from fusion.evidence_model import Norm, evidence, norms_of
from pipeline.simulate.designs import simulate_cit, simulate_interview, simulate_suppression

Answers = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Probabilities and what was so, shape (n,) each."""
FIRST = 40_000
NORM_SESSIONS = range(48_000, 48_040)
BINS = 10
DIGITS = 3


def published_figures(sessions: int = 800) -> dict[str, dict[str, float]]:
    """AUC and calibration error of the evidence model, with the published effects and without any.

    Args:
        sessions: Of each design.

    Returns:
        Question -> `cases`, `auc`, `ece`, `auc_without_effects`.
    """
    seeds = range(FIRST, FIRST + sessions)
    out = {}
    for name, answers in (
        ("deceptive statements of an interview", statement_answers),
        ("sessions of suppressed expression", suppression_answers),
        ("people who know the item of a concealed information test", cit_answers),
    ):
        (told, truth), without = answers(seeds, None), answers(seeds, 1.0)
        out[name] = {
            "cases": len(told),
            "auc": round(auc_of(told, truth), DIGITS),
            "ece": round(calibration_error(told, truth, BINS), DIGITS),
            "auc_without_effects": round(auc_of(*without), DIGITS),
        }
    return out


def statement_answers(seeds: Iterable[int], no_effect: float | None = None) -> Answers:
    """Of every statement of interviews: is it deceptive?

    Args:
        seeds: One per interview.
        no_effect: Share of sessions in which nothing shows; the usual one if None.
    """
    told, truth = [], []
    for seed in seeds:
        one = simulate_interview(seed) if no_effect is None else simulate_interview(seed, no_effect=no_effect)
        told.append(evidence(one.encodings, one.extent, "interview").segment_probability)
        truth.append(one.deceptive)
    return np.concatenate(told), np.concatenate(truth)


def suppression_answers(seeds: Iterable[int], no_effect: float | None = None) -> Answers:
    """Of sessions, against the norm of a lab's others: is expression suppressed? Arguments as above."""
    norms = lab_norms()
    told, truth = [], []
    for seed in seeds:
        one = simulate_suppression(seed) if no_effect is None else simulate_suppression(seed, no_effect=no_effect)
        told.append(evidence(one.encodings, one.extent, "suppression", norms).probability)
        truth.append(one.suppressed)
    return np.array(told), np.array(truth)


def lab_norms() -> dict[str, Norm]:
    """How sessions of the simulated lab lie where nothing is suppressed."""
    calm = [simulate_suppression(seed, False) for seed in NORM_SESSIONS]
    return norms_of([(one.encodings, one.extent) for one in calm])


def cit_answers(seeds: Iterable[int], no_effect: float | None = None) -> Answers:
    """Of examinees: do they know the item? Those of whom nothing can be said are left out. Arguments as above."""
    told, truth = [], []
    for seed in seeds:
        one = simulate_cit(seed) if no_effect is None else simulate_cit(seed, no_effect=no_effect)
        test = examine(one.encodings(), one.extent)
        if test is not None and test.posterior is not None:
            response = test.posterior.probability
            told.append(response + (1 - response) * KNOWING_WITHOUT_RESPONSE)
            truth.append(one.knows)
    return np.array(told), np.array(truth)
