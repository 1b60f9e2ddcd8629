"""What a label can be told by without the model: nothing, who it is, circumstances, one channel, all channels at once.

Each is fitted to the same training people and asked about the same left-out people as the model. A new one is one more
entry of `BASELINES`; one that is not fitted at all, such as the evidence model, an entry of `LabStudy.untrained`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from fusion.label_steps import STATEMENTS, joined
from fusion.label_training import deal_people
from pipeline.lab.dataset import LabStudy
from pipeline.lab.scores import Said

Mask = NDArray[np.bool_]
STRENGTHS = (0.0003, 0.003, 0.03, 0.3)
"""Candidates of C, the inverse of the weight of the squared weights in logistic regression."""
INNER = 3
IDENTITY = "identity only"


@dataclass(frozen=True, eq=False)
class Split:
    """One fold.

    Attributes:
        study: All rows.
        train: Rows of the training people, (n,).
        test: Rows of the people left out, (n,).
        seed: Of inner divisions.
    """

    study: LabStudy
    train: Mask
    test: Mask
    seed: int

    @property
    def prior(self) -> NDArray[np.float64]:
        """Share of each class in training, (k,)."""
        label = self.study.rows.label[self.train]
        return np.bincount(label, minlength=len(self.study.classes)) / len(label)


def majority(split: Split) -> Said:
    """The classes' shares in training, whoever it is."""
    count = int(split.test.sum())
    probability = np.tile(split.prior, (count, 1))
    return Said(probability, np.full(count, int(np.argmax(split.prior)), np.int64), np.zeros(count, np.int64))


def shipped(split: Split) -> Said:
    """The shipped weights as they are: mean log odds of concealed over the stretch; nothing is fitted.

    Only for two classes; which of them should go with concealment is the lab's positive one.
    """
    positive = split.study.positive
    log_odds = split.study.rows.blocks[STATEMENTS][split.test, 0].astype(np.float64)
    probability = 1 / (1 + np.exp(-log_odds))
    both = np.column_stack([1 - probability, probability] if positive == 1 else [probability, 1 - probability])
    return Said(both, both.argmax(axis=1).astype(np.int64), np.zeros(len(both), np.int64))


def untrained(name: str) -> Callable[[Split], Said]:
    """What a model says that no label is fitted to, such as the evidence model."""

    def said(split: Split) -> Said:
        probability = split.study.untrained[name][split.test]
        pair = [1 - probability, probability] if split.study.positive == 1 else [probability, 1 - probability]
        both = np.column_stack(pair)
        return Said(both, both.argmax(axis=1).astype(np.int64), np.zeros(len(both), np.int64))

    return said


def nuisance(split: Split) -> Said:
    """Logistic regression on sex, age group, culture, order, and the lengths of stretch and recording."""
    columns = []
    for values in split.study.nuisance.values():
        if values.dtype.kind in "fi":
            columns.append(values.astype(np.float64)[:, None])
        else:
            words = sorted({str(one) for one in values})
            columns.append(np.stack([(values == word).astype(np.float64) for word in words], axis=1))
    return logistic(split, np.concatenate(columns, axis=1))


def _channel(name: str) -> Callable[[Split], Said]:
    return lambda split: logistic(split, split.study.rows.blocks[name].astype(np.float64))


def early_fusion(split: Split) -> Said:
    """Logistic regression on the pooled tokens of all channels at once."""
    return logistic(split, joined(split.study.rows.blocks, CHANNELS).astype(np.float64))


BASELINES: dict[str, Callable[[Split], Said]] = {
    "majority": majority,
    "nuisance only": nuisance,
    **{f"{channel} alone": _channel(channel) for channel in CHANNELS},
    "early fusion": early_fusion,
    "shipped, untrained": shipped,
}
"""Name -> what it says of the people left out. Identity is not here: it needs the person's own other labels."""


def baselines_for(study: LabStudy) -> Mapping[str, Callable[[Split], Said]]:
    """Those that make sense for a label: the shipped weights know of two classes at most."""
    fitted = {name: one for name, one in BASELINES.items() if study.positive is not None or one is not shipped}
    return {**fitted, **{name: untrained(name) for name in study.untrained}}


def identity(study: LabStudy, seed: int) -> Said:
    """What somebody who knows the person's other labels would say, and nothing else: the only one that may know them.

    Rows of each person are dealt into five parts; each part is answered by the person's shares in the other four, drawn
    towards the study's shares by two rows' weight.
    """
    label, person, k = study.rows.label, study.rows.person, len(study.classes)
    overall = np.bincount(label, minlength=k) / len(label)
    rng = np.random.default_rng([seed, 7])
    probability = np.zeros((len(label), k))
    for one in np.unique(person):
        rows = rng.permutation(np.flatnonzero(person == one))
        for part in np.array_split(rows, min(5, len(rows))):
            others = np.setdiff1d(rows, part)
            counts = np.bincount(label[others], minlength=k) + 2 * overall
            probability[part] = counts / counts.sum()
    return Said.at_prior(probability, overall)


def logistic(split: Split, columns: NDArray[np.float64]) -> Said:
    """Logistic regression whose strength is chosen on training people left out inside."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, k = split.study.rows, len(split.study.classes)
    label, person = rows.label[split.train], rows.person[split.train]
    parts = deal_people(person, label, INNER, split.seed)
    inside = [(np.flatnonzero(parts != at), np.flatnonzero(parts == at)) for at in range(int(parts.max()) + 1)]
    whole = all(len(np.unique(label[one])) == k for pair in inside for one in pair)
    fitted: Any = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTHS[1], max_iter=300))
    if whole and len(inside) > 1:
        fitted = GridSearchCV(fitted, {"logisticregression__C": STRENGTHS}, scoring="neg_log_loss", cv=inside)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted.fit(columns[split.train], label)
    probability = np.zeros((int(split.test.sum()), k))
    probability[:, fitted.classes_] = fitted.predict_proba(columns[split.test])
    return Said.at_prior(probability, split.prior)
