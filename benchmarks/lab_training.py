"""A lab's own labels against the shipped weights, on people left out. `python -m benchmarks.lab_training [--full]`.

The lab is simulated: 60 people with one labelled session each, whose effects are its own (`pipeline.lab.simulated`); 40
others are held out. Each seed is another lab of the same kind with other people.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_schemas.threads import one_thread
from fusion.calibration import auc_of, calibration_error
from fusion.checkpoint import load_checkpoint
from fusion.label_head import together
from fusion.label_steps import STATEMENTS
from pipeline.lab.dataset import LabStudy, PersonSession, build_study
from pipeline.lab.folds import MODEL, Protocol, Validated, validate
from pipeline.lab.labels import LabelRow, LabelTable
from pipeline.lab.scores import auc, mean_score
from pipeline.lab.simulated import HIDDEN, OPEN, LabSession, lab_sessions
from pipeline.lab.train import fit_on_all

PEOPLE, HELD_OUT = 60, 40
SEEDS = 3


def measure(full: bool) -> dict[str, float]:
    """AUC on the lab's held-out people, the model's and the shipped weights', paired over seeds.

    Args:
        full: Also the nested cross-validation that `telltale train` runs, and how long all of it takes.

    Returns:
        `auc_trained` and `auc_shipped` (mean over seeds; the shipped weights' mean or maximum of `concealed` over the
        stretch, whichever is better on the held-out people themselves), `gain` (mean difference), `gain_least` (of any
        seed), `ece` (mean); with `full`, of the first seed, `auc_validated` (nested cross-validation within the 60),
        `validated_off` (how far that is from the held-out people's AUC) and `minutes`.
    """
    base = load_checkpoint()
    trained, shipped, ece, figures = [], [], [], {}
    for seed in range(SEEDS):
        train, test = (as_study(list(lab_sessions(n, at))) for n, at in ((PEOPLE, 2 * seed), (HELD_OUT, 2 * seed + 1)))
        started = time.monotonic()
        with one_thread():
            head = together([one.head for one in fit_on_all(train, Protocol())])
        said = head.answer(test.rows.blocks).probability[:, 1]
        hidden = test.rows.label == 1
        statements = test.rows.blocks[STATEMENTS]
        width = statements.shape[1] // 2
        trained.append(auc_of(said, hidden))
        shipped.append(max(auc_of(statements[:, at].astype(float), hidden) for at in (0, width)))
        ece.append(calibration_error(said, hidden, bins=10))
        if full and seed == 0:
            with tempfile.TemporaryDirectory() as folder, one_thread():
                found = validate(train, Protocol(), Path(folder), base.name, jobs=2)
            figures = validated(train, found, trained[0]) | {"minutes": (time.monotonic() - started) / 60}
    gain = np.array(trained) - np.array(shipped)
    return {
        "auc_trained": float(np.mean(trained)),
        "auc_shipped": float(np.mean(shipped)),
        "gain": float(gain.mean()),
        "gain_least": float(gain.min()),
        "ece": float(np.mean(ece)),
        **figures,
    }


def validated(study: LabStudy, found: Validated, held_out: float) -> dict[str, float]:
    """What nested cross-validation says, beside what held-out people say."""
    value = mean_score(auc, found.by_seed[MODEL], study.rows.label, study.positive)
    return {"auc_validated": value, "validated_off": abs(value - held_out)}


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


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name:16} {value:.4g}")
