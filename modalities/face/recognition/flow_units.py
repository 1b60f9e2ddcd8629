"""Action units from onset-apex flow maps of people whom training never saw.

One mean of mirror-symmetric kernels serves all units; a balanced kernel ridge tells each of them from its absence.
Width and strength are chosen in inner folds of the training persons, the same for all units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent
from data_schemas.ranking import auc
from modalities.face.corpora.units import parse_units
from modalities.face.descriptors.flow import pooled
from modalities.face.recognition.kernel_machine import KernelMachine, Likeness, solve
from modalities.face.recognition.protocols import find_protocol, grouped
from modalities.face.recognition.samples import Rows, Samples
from modalities.face.recognition.systems import find_system

UNITS = (1, 2, 4, 7, 12, 14, 17)
"""Action units of the issue's figure: those that coders of micro-expressions write most often."""
WIDTHS, TRUSTS = (0.5, 0.7, 1.0, 1.4), (0.3, 1.0, 3.0, 10.0)
INNER = 5
COMPONENTS, PENALTIES = (10.0, 20.0, 40.0), (0.01, 0.1, 1.0)
"""Choices of the baseline."""
BASELINE_GRID = 14

Scores = NDArray[np.float64]
Coded = NDArray[np.bool_]
Judge = Callable[[Rows, Rows, tuple[float, float]], Scores]
"""Training rows, test rows and a setting to scores (test rows, units)."""


@dataclass(frozen=True, eq=False)
class UnitScores:
    """Pooled over the persons left out.

    Attributes:
        units: FACS numbers.
        coded: Whether a coder wrote the unit, (n, units).
        kernel: Scores of the kernel ridge, greater where the unit is likelier, (n, units).
        baseline: Those of principal components and logistic regression.
        person: Of each sample, (n,).
    """

    units: tuple[int, ...]
    coded: Coded
    kernel: Scores
    baseline: Scores
    person: NDArray[np.str_]


def coded_units(samples: Samples, units: Sequence[int] = UNITS) -> Coded:
    """Which units a coder wrote, of either side or both, (n, units).

    Raises:
        InvalidValueError: the samples have no column `au`.
    """
    if "au" not in samples.attributes:
        raise InvalidValueError("the samples name no action units", expected="a column 'au' in labels.csv or the sheet")
    found = [{one.unit for one in parse_units(text)[0]} for text in samples.attributes["au"].tolist()]
    return np.array([[unit in cell for unit in units] for cell in found], dtype=np.bool_)


def with_units(samples: Samples) -> Samples:
    """The samples whose units a coder wrote down; an empty cell says nothing of what was shown.

    Raises:
        InvalidValueError: there are none.
    """
    cells = samples.attributes.get("au", np.zeros(len(samples), dtype="<U1"))
    rows = np.flatnonzero(np.char.strip(cells) != "")
    if not len(rows):
        raise InvalidValueError("the samples name no action units", expected="a column 'au' in labels.csv or the sheet")
    return samples.take(rows)


def score_units(samples: Samples, units: Sequence[int] = UNITS, *, seed: int = 0, hook: Hook = silent) -> UnitScores:
    """One person left out at a time.

    Args:
        samples: Flow maps with a column `au`; those where it is empty are left out.
        units: FACS numbers; each needs samples with and without it in every training set.
        seed: Of the inner folds.
        hook: Told how many persons are done.

    Raises:
        InvalidValueError: no such column, or a unit that everybody or nobody shows.
    """
    samples = with_units(samples)
    coded = coded_units(samples, units)
    for unit, column in zip(units, coded.T, strict=True):
        if len(set(samples.person[column].tolist())) < 2 or len(set(samples.person[~column].tolist())) < 2:
            raise InvalidValueError(
                f"AU{unit} cannot be learnt", got=f"{int(column.sum())} of {len(column)} samples show it",
                expected="samples with and without it of two persons at least",
            )  # fmt: skip
    judges: list[tuple[Judge, list[tuple[float, float]]]] = [
        (_kernel_judge(samples, coded), list(product(WIDTHS, TRUSTS))),
        (_baseline_judge(samples, coded), list(product(COMPONENTS, PENALTIES))),
    ]
    out = [np.zeros(coded.shape) for _ in judges]
    folds = find_protocol("loso").folds(samples, seed)
    for done, fold in enumerate(folds, start=1):
        inner = grouped(samples, fold.train, INNER, seed)
        for scores, (judge, settings) in zip(out, judges, strict=True):
            reached = [_inner_auc(judge, setting, inner, coded) for setting in settings]
            scores[fold.test] = judge(fold.train, fold.test, settings[int(np.argmax(reached))])
        hook("persons", done, len(folds))
    return UnitScores(tuple(units), coded, out[0], out[1], samples.person)


def _inner_auc(judge: Judge, setting: tuple[float, float], inner: list[tuple[Rows, Rows]], coded: Coded) -> float:
    """Mean AUC over the units, inner folds pooled."""
    scores = np.concatenate([judge(train, test, setting) for train, test in inner])
    truth = coded[np.concatenate([test for _, test in inner])]
    return float(np.nanmean(auc(scores, truth)))


def _kernel_judge(samples: Samples, coded: Coded) -> Judge:
    """Balanced kernel ridge, the mean over the ways of finding the zero level."""
    system = find_system("kernel-ridge")
    machine = cast(KernelMachine, system.architecture)
    prepared = machine.prepare(system, samples)
    kept: dict[tuple[bytes, float], list[Likeness]] = {}

    def judge(train: Rows, test: Rows, setting: tuple[float, float]) -> Scores:
        width, trust = setting
        key = (train.tobytes(), width)
        if key not in kept:
            kept[key] = [machine.likeness(prepared, at, width, train) for at in range(len(prepared))]
        total = np.zeros((len(test), coded.shape[1]))
        for likeness in kept[key]:
            gram = likeness.to(prepared, train)
            answers = [solve("squared", gram, column.astype(np.int64), 2, trust) for column in coded[train].T]
            between = likeness.to(prepared, test)
            for unit, (weights, offsets) in enumerate(answers):
                against, shown = (between @ weights + offsets).T
                total[:, unit] += shown - against
        return total

    return judge


def _baseline_judge(samples: Samples, coded: Coded) -> Judge:
    """Principal components and logistic regression on pooled flow as it is stored."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    flow = pooled(samples.x[..., :2].astype(np.float64) / 255, BASELINE_GRID).reshape(len(samples), -1)

    def judge(train: Rows, test: Rows, setting: tuple[float, float]) -> Scores:
        components = PCA(min(int(setting[0]), len(train) - 1), whiten=True, random_state=0).fit(flow[train])
        known, asked = components.transform(flow[train]), components.transform(flow[test])
        total = np.full((len(test), coded.shape[1]), -1.0)
        for unit, column in enumerate(coded[train].T):
            if column.any() and not column.all():
                fitted = LogisticRegression(C=setting[1], class_weight="balanced", max_iter=1000).fit(known, column)
                total[:, unit] = fitted.decision_function(asked)
        return total

    return judge


def unit_rows(found: UnitScores, *, draws: int = 1000, seed: int = 0) -> list[dict[str, Any]]:
    """AUC of each unit and of their mean, with intervals by bootstrap over persons (95 %).

    Args:
        found: From `score_units`.
        draws: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        Rows {unit, shown, auc, auc_low, auc_high, baseline, gain, gain_low, gain_high}; unit "mean" comes last.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 77]))
    people = [np.flatnonzero(found.person == one) for one in dict.fromkeys(found.person.tolist())]
    drawn = []
    for _ in range(draws):
        rows = np.concatenate([people[at] for at in rng.integers(0, len(people), len(people))])
        drawn.append([_with_mean(auc(one[rows], found.coded[rows])) for one in (found.kernel, found.baseline)])
    spread = np.array(drawn)
    kernel, baseline = (_with_mean(auc(one, found.coded)) for one in (found.kernel, found.baseline))
    low, high = np.nanpercentile(spread[:, 0], (2.5, 97.5), axis=0)
    gain_low, gain_high = np.nanpercentile(spread[:, 0] - spread[:, 1], (2.5, 97.5), axis=0)
    shown = [*found.coded.sum(axis=0).tolist(), int(found.coded.sum())]
    names = [*(f"AU{unit}" for unit in found.units), "mean"]
    columns = (kernel, low, high, baseline, kernel - baseline, gain_low, gain_high)
    keys = ("auc", "auc_low", "auc_high", "baseline", "gain", "gain_low", "gain_high")
    return [
        {"unit": name, "shown": shown[at]}
        | {key: round(float(column[at]), 4) for key, column in zip(keys, columns, strict=True)}
        for at, name in enumerate(names)
    ]


def _with_mean(values: Scores) -> Scores:
    return np.append(values, np.nanmean(values))
