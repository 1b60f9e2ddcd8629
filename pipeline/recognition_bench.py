"""`telltale me bench` and `evaluate`: recognition systems under one protocol, nominated before any test is opened.

First every system's worth is measured inside training sets (`Job.inner`); the best is nominated. Only then are test
sets opened, for all systems, and predictions pooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import InvalidValueError, NothingUsableError
from data_schemas.hook import Hook, silent

if TYPE_CHECKING:
    from modalities.face.recognition.crossvalidation import Outcome
    from modalities.face.recognition.protocols import Fold, Protocol
    from modalities.face.recognition.samples import Kind, Samples
    from modalities.face.recognition.scores import Answers
    from modalities.face.recognition.system import System

NOMINATION_SETS = 3
NOMINATION_FOLDS = 3
"""A system is nominated by its mean inner UF1 over so many of the protocol's training sets, so many folds in each."""
SIMULATED = 20, 8
"""Simulated people, and samples of each."""
_SCORES = ("n", "uf1", "uar", "accuracy")


def simulated_samples(kind: Kind, people: int = SIMULATED[0], each: int = SIMULATED[1]) -> Samples:
    """The simulated clips, or maps, on which systems are compared where there is no corpus; always the same ones."""
    from modalities.face.recognition.simulation import simulate_flow_set
    from modalities.face.recognition.simulation_clips import simulate_clip_set

    if kind == "clip":
        return simulate_clip_set(people, each, seed=71)
    return simulate_flow_set(people, each, seed=71, units=True)


@dataclass(frozen=True, eq=False)
class Result:
    """Pooled answers of one system with one seed.

    Attributes:
        system: Its name.
        seed: Of its training.
        answers: Honest ones.
        dishonest: Those of the best candidate for each person tested; None where not asked for.
        ms_per_sample: Preparing a sample and answering it, training apart, milliseconds, mean over the folds.
    """

    system: str
    seed: int
    answers: Answers
    dishonest: Answers | None = None
    ms_per_sample: float | None = None


@dataclass(frozen=True, eq=False)
class RecognitionBench:
    """What was measured.

    Attributes:
        samples: On what.
        protocol: How it was split.
        results: By system and seed.
        inner: Mean inner UF1 of each system; empty where there was only one.
        nominated: The system with the greatest.
        refused: Systems that cannot take these samples, and why.
    """

    samples: Samples
    protocol: Protocol
    results: tuple[Result, ...]
    inner: dict[str, float]
    nominated: str
    refused: dict[str, str] = field(default_factory=dict)


def run_recognition_bench(
    samples: Samples,
    systems: Sequence[System],
    protocol: Protocol,
    *,
    seeds: int = 1,
    workers: int = 1,
    oracle: bool = False,
    shuffled: bool = False,
    keep: Path | None = None,
    hook: Hook = silent,
) -> RecognitionBench:
    """Measure systems.

    Args:
        samples: Labelled samples.
        systems: What to measure; those for other kinds of samples are refused by name.
        protocol: Of `modalities.face.recognition.protocols`.
        seeds: Runs, seeds from 0.
        workers: Processes.
        oracle: Whether the dishonest figure is measured too.
        shuffled: Whether training labels are shuffled, as a control.
        keep: Folder of finished folds.
        hook: Told of each stage.

    Raises:
        InvalidValueError: no seed, no worker, or samples that do not allow the protocol.
        NothingUsableError: no system takes these samples.
    """
    from modalities.face.recognition.crossvalidation import Job, best_of, pool_answers, run_jobs
    from modalities.face.recognition.samples import KIND_WORDS

    if seeds < 1 or workers < 1:
        raise InvalidValueError("the bench needs a seed and a process", got=f"{seeds} seeds, {workers} processes")
    usable = [one for one in systems if one.input.kind == samples.kind]
    refused = {
        one.name: f"takes {KIND_WORDS[one.input.kind]}, not {KIND_WORDS[samples.kind]}"
        for one in systems
        if one.input.kind != samples.kind
    }
    if not usable:
        raise NothingUsableError("no system takes these samples", got="; ".join(refused.values()) or "no system")
    inner, nominated = {}, usable[0].name
    if len(usable) > 1:
        sets = _some(protocol.folds(samples, 0))
        jobs = [Job(one, fold, 0, inner=NOMINATION_FOLDS, shuffled=shuffled) for one in usable for fold in sets]
        found = run_jobs(samples, jobs, workers=workers, keep=keep, hook=hook)
        for at, one in enumerate(usable):
            part = [outcome.inner or 0.0 for outcome in found[at * len(sets) : (at + 1) * len(sets)]]
            inner[one.name] = round(float(np.mean(part)), 4)
        nominated = max(inner, key=lambda name: inner[name])
        hook(f"nominated: {nominated}", 1, 1)
    runs = [(one, seed, fold) for one in usable for seed in range(seeds) for fold in protocol.folds(samples, seed)]
    outer = [Job(one, fold, seed, oracle=oracle, shuffled=shuffled) for one, seed, fold in runs]
    said = run_jobs(samples, outer, workers=workers, keep=keep, hook=hook)
    results = []
    for (name, seed), group in groupby(zip(runs, said, strict=True), key=lambda pair: (pair[0][0].name, pair[0][1])):
        pairs = [(fold, outcome) for (_, _, fold), outcome in group]
        folds = [fold for fold, _ in pairs]
        honest = pool_answers(samples, folds, [outcome.said for _, outcome in pairs])
        picked = pool_answers(samples, folds, [best_of(samples, *pair) for pair in pairs]) if oracle else None
        results.append(Result(name, seed, honest, picked, _mean_ms([outcome for _, outcome in pairs])))
    return RecognitionBench(samples, protocol, tuple(results), inner, nominated, refused)


def _some(folds: list[Fold]) -> list[Fold]:
    """A few folds, evenly among those whose training set holds enough persons for inner folds."""
    return [folds[round(at)] for at in np.linspace(0, len(folds) - 1, min(NOMINATION_SETS, len(folds)))]


def _mean_ms(outcomes: Sequence[Outcome]) -> float | None:
    spent = [one.ms_per_sample for one in outcomes if one.ms_per_sample is not None]
    return round(float(np.mean(spent)), 3) if spent else None


def score_rows(bench: RecognitionBench) -> list[dict[str, Any]]:
    """{model, dataset, protocol, seed, n, uf1, uar, accuracy, ms_per_sample} for each data set and for "all"."""
    return [row for result in bench.results for row in _rows(bench, result, result.answers)]


def _rows(bench: RecognitionBench, result: Result, answers: Answers) -> list[dict[str, Any]]:
    from modalities.face.recognition.scores import by_group, score

    rows = []
    for name, part in by_group(answers).items():
        scores = score(part, bench.samples.classes)
        head = {"model": result.system, "dataset": name, "protocol": bench.protocol.name, "seed": result.seed}
        rows.append({**head, **{key: scores[key] for key in _SCORES}, "ms_per_sample": result.ms_per_sample})
    return rows


def detail_rows(bench: RecognitionBench) -> list[dict[str, Any]]:
    """Every score of each system and seed over all, with the 95 % interval of UF1 and the confusion."""
    from modalities.face.recognition.scores import interval, score

    rows = []
    for result in bench.results:
        low, high = interval(result.answers, len(bench.samples.classes))
        head = {"model": result.system, "seed": result.seed, "nominated": result.system == bench.nominated}
        rows.append({**head, "uf1_low": low, "uf1_high": high, **score(result.answers, bench.samples.classes)})
    return rows


def mean_rows(bench: RecognitionBench) -> list[dict[str, Any]]:
    """Mean and spread over the seeds of each system over all, with its inner UF1."""
    from modalities.face.recognition.scores import score

    rows = []
    for name in dict.fromkeys(result.system for result in bench.results):
        scored = [score(one.answers, bench.samples.classes) for one in bench.results if one.system == name]
        values = {key: np.array([one[key] for one in scored]) for key in ("uf1", "uar", "accuracy")}
        rows.append(
            {
                "model": name,
                "nominated": name == bench.nominated,
                "inner_uf1": bench.inner.get(name),
                "seeds": len(scored),
                **{key: round(float(value.mean()), 4) for key, value in values.items()},
                "uf1_sd": round(float(values["uf1"].std(ddof=1)), 4) if len(scored) > 1 else None,
            }
        )
    return rows


def difference_rows(bench: RecognitionBench) -> list[dict[str, Any]]:
    """UF1 of the nominated system minus each other's, seed by seed, with its 95 % interval over persons."""
    from modalities.face.recognition.scores import interval, uf1_of

    rows = []
    classes = len(bench.samples.classes)
    best = {one.seed: one.answers for one in bench.results if one.system == bench.nominated}
    for one in bench.results:
        if one.system == bench.nominated:
            continue
        ours, theirs = best[one.seed], one.answers
        gap = uf1_of(ours.truth, ours.said, classes) - uf1_of(theirs.truth, theirs.said, classes)
        low, high = interval(ours, classes, other=theirs)
        head = {"nominated": bench.nominated, "other": one.system, "seed": one.seed}
        rows.append(
            {**head, "uf1_difference": round(gap, 4), "low": low, "high": high, "excludes_0": low > 0 or high < 0}
        )
    return rows


def oracle_rows(bench: RecognitionBench) -> list[dict[str, Any]]:
    """The honest UF1 beside the dishonest one, whose settings or epochs are chosen by looking at each test person."""
    from modalities.face.recognition.scores import uf1_of

    classes = len(bench.samples.classes)
    return [
        {
            "model": one.system,
            "seed": one.seed,
            "uf1_honest": round(uf1_of(one.answers.truth, one.answers.said, classes), 4),
            "uf1_dishonest_best_per_test_subject": round(uf1_of(one.dishonest.truth, one.dishonest.said, classes), 4),
        }
        for one in bench.results
        if one.dishonest is not None
    ]


def subgroup_rows(bench: RecognitionBench) -> list[dict[str, Any]]:
    """Scores of the nominated system by each further column of the samples that has few values."""
    from modalities.face.recognition.scores import subgroups

    first = next(one for one in bench.results if one.system == bench.nominated)
    columns = {"dataset": bench.samples.dataset, **bench.samples.attributes}
    found = subgroups(first.answers, columns, bench.samples.classes)
    return [{"model": first.system, "seed": first.seed, **row} for row in found]


def evaluation(bench: RecognitionBench) -> dict[str, Any]:
    """{n, uf1, uar, accuracy, per_dataset} of the first result."""
    from modalities.face.recognition.scores import by_group, score

    groups = by_group(bench.results[0].answers)
    scores = {name: score(part, bench.samples.classes) for name, part in groups.items()}
    kept = {name: {key: one[key] for key in _SCORES} for name, one in scores.items()}
    whole = kept.pop("all")
    return {"model": bench.results[0].system, "protocol": bench.protocol.name, **whole, "per_dataset": kept}
