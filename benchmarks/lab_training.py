"""A lab's own labels against the shipped weights, on people left out.

`python -m benchmarks.lab_training [--full] [--labs 6] [--people 60] [--validate] [-j 2]`. The lab is simulated: people
with one labelled session each, whose effects are its own (`pipeline.lab.simulated`); others are held out. Each seed is
another lab of the same kind with other people. `--validate` also times all that `telltale train` does with the first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_schemas.ranking import auc_of
from data_schemas.threads import one_thread
from fusion.calibration import calibration_error
from fusion.checkpoint import load_checkpoint
from fusion.label_head import together
from fusion.label_steps import STATEMENTS
from pipeline.bench_workers import share_out
from pipeline.lab.dataset import LabStudy, PersonSession, build_study
from pipeline.lab.folds import MODEL, Protocol, validate
from pipeline.lab.labels import LabelRow, LabelTable
from pipeline.lab.scores import auc, mean_score
from pipeline.lab.simulated import HIDDEN, OPEN, LabSession, lab_sessions
from pipeline.lab.train import fit_on_all

LABS = 6


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab to train in: its seed, how many people it has, and how many more are held out."""

    seed: int
    people: int
    held_out: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """AUC of the trained and of the shipped weights on the people held out, calibration error, seconds."""

    trained: float
    shipped: float
    ece: float
    seconds: float


def measure(full: bool) -> dict[str, float]:
    """AUC on the lab's held-out people, the model's and the shipped weights', paired over seeds.

    Args:
        full: Six labs of 60 people and the nested cross-validation of the first, instead of one lab of 60.

    Returns:
        `auc_trained` and `auc_shipped` (mean over labs; the shipped weights' mean or maximum of `concealed` over the
        stretch, whichever is better on the held-out people themselves), `gain` (mean difference), `gain_error` (its
        standard error over labs, with several), `gain_least` (of any lab), `ece` (mean), `seconds` (simulating and
        training, mean); with `full`, of the first lab, `auc_validated` (nested cross-validation within the 60),
        `validated_off` (how far that is from the held-out people's AUC) and `minutes` (of simulating, validating and
        training together).
    """
    return measure_labs(LABS if full else 1, 60, 40, full, 2)


def measure_labs(labs: int, people: int, held_out: int, validated: bool, jobs: int) -> dict[str, float]:
    """`measure` with other numbers of labs and people, in several processes."""
    tasks = [Lab(seed, people, held_out) for seed in range(labs)]
    answers = share_out(train_lab, tasks, jobs, lambda done: _say(f"{done} of {labs} labs"))
    found = [one for one in answers if isinstance(one, Outcome)]
    for one in answers:
        if not isinstance(one, Outcome):
            _say(one)
    if not found:
        return {"failed": float(len(answers))}
    gain = np.array([one.trained - one.shipped for one in found])
    figures = {
        "auc_trained": float(np.mean([one.trained for one in found])),
        "auc_shipped": float(np.mean([one.shipped for one in found])),
        "gain": float(gain.mean()),
        **({"gain_error": float(gain.std(ddof=1) / np.sqrt(len(gain)))} if len(gain) > 1 else {}),
        "gain_least": float(gain.min()),
        "ece": float(np.mean([one.ece for one in found])),
        "seconds": float(np.mean([one.seconds for one in found])),
        "failed": float(len(answers) - len(found)),
    }
    return figures | (validate_lab(tasks[0], found[0], jobs) if validated else {})


def train_lab(lab: Lab) -> Outcome:
    """Train on a lab's people and ask about those held out."""
    started = time.monotonic()
    with one_thread():
        study = as_study(list(lab_sessions(lab.people, 2 * lab.seed)))
        head = together([one.head for one in fit_on_all(study, Protocol())])
        seconds = time.monotonic() - started
        test = as_study(list(lab_sessions(lab.held_out, 2 * lab.seed + 1)))
    said = head.answer(test.rows.blocks).probability[:, 1]
    hidden = test.rows.label == 1
    statements = test.rows.blocks[STATEMENTS].astype(float)
    shipped = max(auc_of(statements[:, at], hidden) for at in (0, statements.shape[1] // 2))
    return Outcome(auc_of(said, hidden), shipped, calibration_error(said, hidden, bins=10), seconds)


def validate_lab(lab: Lab, outcome: Outcome, jobs: int) -> dict[str, float]:
    """What nested cross-validation says, beside what held-out people say, and how long all of it takes."""
    started = time.monotonic()
    with one_thread():
        study = as_study(list(lab_sessions(lab.people, 2 * lab.seed)))
        with tempfile.TemporaryDirectory() as folder:
            found = validate(study, Protocol(), Path(folder), load_checkpoint().name, _step, jobs)
        fit_on_all(study, Protocol())
    value = mean_score(auc, found.by_seed[MODEL], study.rows.label, study.positive)
    minutes = (time.monotonic() - started) / 60
    return {"auc_validated": value, "validated_off": abs(value - outcome.trained), "minutes": minutes}


def as_study(sessions: list[LabSession]) -> LabStudy:
    """The rows of simulated sessions, without files between."""
    rows, line = [], 1
    for one in sessions:
        for stretch in one.stretches:
            line += 1
            rows.append(
                LabelRow(line, one.person, one.person, stretch.onset_s, stretch.offset_s, "", stretch.label)
            )  # fmt: skip
    table = LabelTable(Path("labels.csv"), "label", (OPEN, HIDDEN), 1, tuple(rows))
    return build_study(table, _people(sessions), load_checkpoint().network)


def _people(sessions: list[LabSession]) -> Iterator[PersonSession]:
    for one in sessions:
        about = {"sex": one.sex, "age_group": one.age_group, "culture": one.culture}
        yield PersonSession(one.person, one.person, about, one.session.encodings, one.session.extent)


def _step(step: str, completed: int, total: int | None) -> None:
    _say(f"{step} {completed} of {total}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--labs", type=int, default=1)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--held-out", type=int, default=40)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    labs, people, held_out = (LABS, 60, 40) if options.full else (options.labs, options.people, options.held_out)
    found = measure_labs(labs, people, held_out, options.full or options.validate, options.jobs)
    for name, value in found.items():
        print(f"{name:16} {value:.4g}")
