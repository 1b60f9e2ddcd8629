"""Prediction of people and items that the model never saw, against the permutation of labels within the design."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_schemas.hook import Hook, silent
from data_schemas.ranking import auc
from pipeline.study.contrast import Floats
from pipeline.study.design import Design, permute_labels
from pipeline.study.ridge import fit, learn_probability, predict
from pipeline.study.scores import (
    balanced_accuracy,
    calibration,
    decision_curve,
    draw_rows,
    interval,
    weighted_auc,
)
from pipeline.study.settings import Settings
from pipeline.study.splits import Split, check_apart, coarse_item, inner_splits, study_splits
from pipeline.study.table import Codes, StudyTable

LEAKY = "LEAKY"
_PIECE = 250
"""Permutations that are computed together."""


@dataclass(frozen=True, repr=False)
class Prediction:
    """How well new people's (and items') labels are predicted.

    Attributes:
        summary: For JSON: `balanced_accuracy`, `auc`, `..._interval`, `permutation_p` (of the AUC), `chance` and more.
            Figures are None, with `refused` saying why, where nothing could be predicted.
        scores: Of every row, shape (n,); above 0 for label 1; empty where refused.
        probability: The same as calibrated probabilities.
        calibration: Rows of predicted and observed shares.
        decision: Rows of net benefit.
        leaks: What folds share; "" where nothing.
        null_auc: AUC under each permutation.
    """

    summary: dict[str, Any]
    scores: Floats = field(default_factory=lambda: np.empty(0))
    probability: Floats = field(default_factory=lambda: np.empty(0))
    calibration: tuple[dict[str, Any], ...] = ()
    decision: tuple[dict[str, Any], ...] = ()
    leaks: str = ""
    null_auc: Floats = field(default_factory=lambda: np.empty(0))


def predict_label(
    table: StudyTable, design: Design, settings: Settings, values: Floats | None = None, hook: Hook = silent
) -> Prediction:
    """Predict the label of every row from its cues, people and repeating items kept apart.

    Args:
        table: The study.
        design: Who has which labels.
        settings: Repeats, permutations, draws.
        values: Other columns than the cues to predict from (nuisances), shape (n, k).
        hook: Told of the permutations.

    Raises:
        InvalidValueError: the author's own folds share people or items.
    """
    if values is None:
        names = table.usable
        if not names:
            return refuse("every cue has more than half of its cells missing")
        values = table.cues[names].to_numpy(dtype=np.float64)
    rng = np.random.default_rng([settings.seed, 2])
    repeats, kept, leaks = study_splits(table, design, settings.repeats, rng, settings.allow_leakage)
    item = coarse_item(table, design)
    if not leaks:
        for split in (one for splits in repeats for one in splits):
            check_apart(split, design.person, item)
    label = table.label
    scores = predict(values, label[:, None], repeats)[:, 0]
    known = np.isfinite(scores)
    own = float(auc(scores[known, None], label[known, None])[0])
    own_ba = float(balanced_accuracy(scores[known, None], label[known, None])[0])
    null_auc, null_ba = _under_the_null(values, label, design, repeats, known, settings, rng, hook)
    p = _p(own, null_auc)
    weights = draw_rows(design, item, settings.bootstraps, rng)[:, known]
    auc_interval = interval(weighted_auc(scores[known], label[known], weights), settings.alpha)
    columns = np.broadcast_to(scores[known, None], weights.T.shape)
    sides = np.broadcast_to(label[known, None], weights.T.shape)
    ba_interval = interval(balanced_accuracy(columns, sides, weights.T), settings.alpha)
    probability = _probabilities(values, label, design.person, repeats[0], rng)
    told = np.isfinite(probability)
    curve, error, brier = calibration(probability[told], label[told])
    summary: dict[str, Any] = {
        "model": "ridge regression on the label, penalty = number of cues",
        "cues": values.shape[1],
        "rows": int(known.sum()),
        "groups": kept,
        "balanced_accuracy": own_ba,
        "balanced_accuracy_interval": ba_interval,
        "auc": own,
        "auc_interval": auc_interval,
        "permutation_p": p,
        "permutation_p_balanced_accuracy": _p(own_ba, null_ba),
        "permutations": settings.prediction_permutations,
        "chance": not p <= settings.alpha,
        "calibration_error": error,
        "brier": brier,
        "leakage": leaks,
        "refused": "",
    }
    if leaks:
        summary["label"] = f"{LEAKY}: folds share {leaks}"
    return Prediction(summary, scores, probability, tuple(curve), tuple(decision_curve(probability[told], label[told])),
                      leaks, null_auc)  # fmt: skip


def refuse(why: str) -> Prediction:
    """No prediction, and why."""
    empty = dict.fromkeys(
        ("balanced_accuracy", "balanced_accuracy_interval", "auc", "auc_interval", "permutation_p", "chance")
    )
    return Prediction({**empty, "leakage": "", "refused": why})


def _under_the_null(
    values: Floats,
    label: Codes,
    design: Design,
    repeats: list[list[Split]],
    known: np.ndarray,
    settings: Settings,
    rng: np.random.Generator,
    hook: Hook,
) -> tuple[Floats, Floats]:
    """AUC and balanced accuracy for labels permuted within the design."""
    aucs, accuracies = [], []
    wanted = settings.prediction_permutations
    for start in range(0, wanted, _PIECE):
        hook("permutations", start, wanted)
        labels = permute_labels(label, design, min(_PIECE, wanted - start), rng)
        scores = predict(values, labels, repeats)[known]
        aucs.append(auc(scores, labels[known]))
        accuracies.append(balanced_accuracy(scores, labels[known]))
    hook("permutations", wanted, wanted)
    return np.concatenate(aucs), np.concatenate(accuracies)


def _p(own: float, null: Floats) -> float:
    """One-sided permutation p."""
    return float((1 + np.count_nonzero(null >= own - 1e-12)) / (len(null) + 1))


def _probabilities(
    values: Floats, label: Codes, person: Codes, splits: list[Split], rng: np.random.Generator
) -> Floats:
    """Probability of label 1 of every row, calibrated within the training rows, people kept apart."""
    out = np.full(len(label), np.nan)
    for split in splits:
        inner = np.full(len(label), np.nan)
        for part in inner_splits(split, person, label, rng):
            inner[part.test] = fit(values, part).score(label[:, None])[:, 0]
        rows = split.train[np.isfinite(inner[split.train])]
        if len(np.unique(label[rows])) < 2:
            out[split.test] = label[split.train].mean()
            continue
        slope, offset = learn_probability(inner[rows], label[rows])
        z = slope * fit(values, split).score(label[:, None])[:, 0] + offset
        out[split.test] = 1 / (1 + np.exp(-np.clip(z, -50, 50)))
    return out
