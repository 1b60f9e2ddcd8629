"""Nested cross-validation by people: one file per finished fold, so that an interrupted run goes on where it was.

Outer folds leave people out; whatever is chosen or stopped is chosen and stopped on parts of the training people
(`fusion.label_training`, `pipeline.lab.baselines`). Each seed deals the people anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import NothingUsableError, TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.whole_file import write_whole
from fusion.label_steps import STATEMENTS, STATES
from fusion.label_training import HeadPlan, Rows, deal_people, fit_head
from pipeline.lab.baselines import IDENTITY, Split, baselines_for, identity
from pipeline.lab.dataset import LabStudy
from pipeline.lab.scores import Said

MODEL, STATES_ALONE = "this model", "transformer"
"""What is trained, and the head on the states and statements of the frozen transformer alone."""
WITHOUT = "without "
LEAST_PEOPLE = 6
VERSION = 1


@dataclass(frozen=True)
class Protocol:
    """How it is validated.

    Attributes:
        folds: Outer folds of people.
        seeds: Deals of the people, each with all folds.
        head: How heads are fitted.
    """

    folds: int = 5
    seeds: int = 3
    head: HeadPlan = field(default_factory=HeadPlan)


@dataclass(frozen=True, eq=False)
class Validated:
    """What every system said of people left out.

    Attributes:
        by_seed: System -> one answer of all n rows per seed.
        choices: Per seed and fold: reading, penalty, passes, temperature and share of each reading's loss.
        taken: Folds that an earlier run had finished.
    """

    by_seed: Mapping[str, Sequence[Said]]
    choices: Sequence[Mapping[str, Any]]
    taken: int


def check_people(study: LabStudy, protocol: Protocol) -> None:
    """Return if the study can be validated.

    Raises:
        NothingUsableError: too few people, or a class that too few of them have; says how many there are.
    """
    label, person = study.rows.label, study.rows.person
    people = len(study.people)
    if people < max(LEAST_PEOPLE, protocol.folds):
        raise NothingUsableError(
            f"{people} people are too few to train on some and to test on others", got=", ".join(study.people[:8]),
            expected=f"{max(LEAST_PEOPLE, protocol.folds)} or more with labels",
        )  # fmt: skip
    for at, word in enumerate(study.classes):
        having = len(np.unique(person[label == at]))
        if having < 4:
            raise NothingUsableError(
                f"only {having} people have rows of the class '{word}'", expected="4 or more people per class",
                mend="Leave the class out, put it together with another, or label more people.",
            )  # fmt: skip


def validate(
    study: LabStudy, protocol: Protocol, folder: Path, base: str, hook: Hook = silent, jobs: int = 1
) -> Validated:
    """Run all folds of all seeds that are not done yet.

    Args:
        study: Rows.
        protocol: Folds and seeds.
        folder: For one file per fold; folds of another study, protocol or base are left alone and not used.
        base: What the base weights are, e.g. their hash.
        hook: Progress in folds.
        jobs: Worker processes of one thread each.

    Raises:
        NothingUsableError: too few people.
        TelltaleError: a fold failed; the others are kept.
        OSError: the folder cannot be written.
    """
    from pipeline.bench_workers import share_out

    check_people(study, protocol)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark = fingerprint(study, protocol, base)
    label, person = study.rows.label, study.rows.person
    dealt = {seed: deal_people(person, label, protocol.folds, 1000 + seed) for seed in range(protocol.seeds)}
    files = {
        (seed, fold): folder / f"{mark}-seed{seed}-fold{fold}.npz"
        for seed, fold_of in dealt.items()
        for fold in range(int(fold_of.max()) + 1)
    }
    done = {at: _read(file, int((dealt[at[0]] == at[1]).sum())) for at, file in files.items()}
    waiting = [at for at, found in done.items() if found is None]
    taken, total = len(files) - len(waiting), len(files)
    hook("folds", taken, total)
    tasks = [
        _Fold(study, dealt[seed] == fold, protocol, 100 * seed + fold, files[seed, fold]) for seed, fold in waiting
    ]
    answers = share_out(_run, tasks, max(1, min(jobs, len(tasks))), lambda count: hook("folds", taken + count, total))
    failed = [answer for answer in answers if answer]
    if failed:
        raise TelltaleError(f"{len(failed)} of {total} folds failed", got=failed[0], mend="The others are kept.")
    by_seed: dict[str, list[Said]] = {}
    choices: list[dict[str, Any]] = []
    for seed, fold_of in dealt.items():
        known = identity(study, seed)
        whole: dict[str, Said] = {IDENTITY: Said(known.probability, known.choice, fold_of)}
        for fold in range(int(fold_of.max()) + 1):
            found = done[seed, fold] or _read(files[seed, fold], int((fold_of == fold).sum()))
            if found is None:
                raise TelltaleError("a finished fold cannot be read", file=files[seed, fold], mend="Run again.")
            for name, one in found[0].items():
                _place(whole, name, one, fold_of, fold)
            choices.append({"seed": seed, "fold": fold, **found[1]})
        for name, one in whole.items():
            by_seed.setdefault(name, []).append(one)
    return Validated(by_seed, choices, taken)


def fingerprint(study: LabStudy, protocol: Protocol, base: str) -> str:
    """What a finished fold depends on, 12 hexadecimal digits."""
    told = json.dumps([VERSION, study.fingerprint(), asdict(protocol), base, list(study.without)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class _Fold:
    """One fold to run: the rows of the people left out, and where its answers go."""

    study: LabStudy
    test: NDArray[np.bool_]
    protocol: Protocol
    seed: int
    file: Path


def _run(fold: _Fold) -> str:
    """Fit everything without the people left out, ask about them, write the answers; "" when done."""
    study, plan = fold.study, fold.protocol.head
    split = Split(study, ~fold.test, fold.test, fold.seed)
    said = {name: system(split) for name, system in baselines_for(study).items()}
    said[MODEL], choice = _model(study.rows, split, plan)
    said[STATES_ALONE], _ = _model(study.rows, split, replace(plan, blocks=(STATEMENTS, STATES), choose=False))
    read = set(choice["reading"].split(" + "))
    for channel, rows in study.without.items():
        if read & {channel, STATES, STATEMENTS}:
            blocks = tuple(one for one in plan.blocks if one != channel)
            said[f"{WITHOUT}{channel}"], _ = _model(rows, split, replace(plan, blocks=blocks))
        else:
            said[f"{WITHOUT}{channel}"] = said[MODEL]
    _write(fold.file, said, choice)
    return ""


def _model(rows: Rows, split: Split, plan: HeadPlan) -> tuple[Said, dict[str, Any]]:
    fitted = fit_head(rows.part(split.train), len(split.study.classes), plan, split.seed)
    answer = fitted.head.answer(rows.part(split.test).blocks)
    choice = {
        "reading": fitted.reading, "penalty": fitted.penalty, "passes": list(fitted.epochs),
        "temperature": round(fitted.head.temperature, 4), "losses": dict(fitted.losses),
    }  # fmt: skip
    return Said.at_prior(answer.probability, split.prior), choice


def _place(whole: dict[str, Said], name: str, part: Said, fold_of: NDArray[np.int64], fold: int) -> None:
    if name not in whole:
        shape = (len(fold_of), part.probability.shape[1])
        whole[name] = Said(np.zeros(shape), np.zeros(shape[0], np.int64), fold_of)
    whole[name].probability[fold_of == fold] = part.probability
    whole[name].choice[fold_of == fold] = part.choice


def _write(file: Path, said: Mapping[str, Said], choice: Mapping[str, Any]) -> None:
    """Whole or not at all, readable by the user alone."""
    arrays: dict[str, Any] = {f"p:{name}": one.probability for name, one in said.items()}
    arrays |= {f"c:{name}": one.choice for name, one in said.items()}
    packed = BytesIO()
    np.savez(packed, choice=np.array(json.dumps(choice)), **arrays)
    write_whole(file, packed.getvalue())


def _read(file: Path, rows: int) -> tuple[dict[str, Said], dict[str, Any]] | None:
    """A finished fold; None where there is none, or it is damaged."""
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as kept:
            names = [name[2:] for name in kept.files if name.startswith("p:")]
            said = {
                name: Said(kept[f"p:{name}"], kept[f"c:{name}"], np.zeros(len(kept[f"c:{name}"]), np.int64))
                for name in names
            }
            choice = json.loads(str(kept["choice"]))
    except (OSError, ValueError, KeyError, EOFError):
        return None
    if any(len(one.choice) != rows for one in said.values()) or MODEL not in said:
        return None
    return said, dict(choice)
