"""Choosing, inside training sets only: settings of a system by inner folds, and what a system is worth there."""

from __future__ import annotations

from typing import Any

import numpy as np

from modalities.face.recognition.protocols import grouped
from modalities.face.recognition.samples import Labels, Rows, Samples
from modalities.face.recognition.scores import uf1_of
from modalities.face.recognition.system import Model, System

INNER_FOLDS = 5


def learn(
    system: System, prepared: Any, samples: Samples, rows: Rows, seed: int, parts: int = INNER_FOLDS
) -> tuple[Model, Any]:
    """Train a system: choose its setting by inner folds of the training set, then fit all of it.

    Args:
        system: The declaration.
        prepared: `system.prepare(samples)`.
        samples: The whole set; only the labels of `rows` are looked at.
        rows: The training set.
        seed: Of inner folds and training.
        parts: Inner folds, persons kept whole.

    Returns:
        The trained model and its setting.
    """
    settings = system.architecture.settings(system)
    chosen = settings[0]
    if len(settings) > 1:
        chosen = settings[int(np.argmax(_inner_scores(system, prepared, samples, rows, settings, seed, parts)))]
    classes = len(samples.classes)
    (model,) = system.architecture.fits(system, prepared, samples.y[rows], rows, [chosen], classes, seed)
    return model, chosen


def _inner_scores(
    system: System, prepared: Any, samples: Samples, rows: Rows, settings: tuple[Any, ...], seed: int, parts: int
) -> list[float]:
    """UF1 of each setting, pooled over the inner folds."""
    folds = grouped(samples, rows, parts, seed)
    classes = len(samples.classes)
    said: list[list[Labels]] = [[] for _ in settings]
    for train, test in folds:
        models = system.architecture.fits(system, prepared, samples.y[train], train, settings, classes, seed)
        for into, model in zip(said, models, strict=True):
            into.append(answers(model, prepared, test))
    truth = np.concatenate([samples.y[test] for _, test in folds])
    return [round(uf1_of(truth, np.concatenate(one), classes), 6) for one in said]


def answers(model: Model, prepared: Any, rows: Rows) -> Labels:
    """The class with the greatest score."""
    return model.scores(prepared, rows).argmax(axis=1).astype(np.int64)


def inner_uf1(system: System, prepared: Any, samples: Samples, rows: Rows, seed: int, parts: int) -> float:
    """What a system is worth inside a training set: `learn`, its choosing included, over inner folds of it.

    Args:
        system: The declaration.
        prepared: `system.prepare(samples)`.
        samples: The whole set.
        rows: The training set; nothing outside it is looked at.
        seed: Of the folds and of training.
        parts: Folds, persons kept whole.

    Returns:
        UF1 pooled over the folds.
    """
    folds = grouped(samples, rows, parts, seed)
    said = [answers(learn(system, prepared, samples, train, seed)[0], prepared, test) for train, test in folds]
    truth = np.concatenate([samples.y[test] for _, test in folds])
    return uf1_of(truth, np.concatenate(said), len(samples.classes))
