"""Studies with known effects and known confounds, to test the analysis itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from data_schemas.errors import InvalidValueError
from pipeline.study.table import Codes, StudyTable

Confound = Literal["", "sex", "one_person"]
Kind = Literal["within", "between", "item"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated.

    Attributes:
        people: Number of people.
        trials: Rows per person.
        effects: True standardised effect of each cue, in the measure of the design (d_av of people's means).
        kind: within: every person has both labels, drawn by a coin per trial; between: half of the people each; item:
            people share items, and each item has one label.
        between_sd: Standard deviation between people's levels, in units of one trial's noise.
        item_sd: The same between items (kind item).
        slope_sd: Standard deviation of people's own effects.
        confound: sex: the label agrees with the person's sex in a share `strength` of trials (or people); one_person:
            one person gives a share `strength` of class 1.
        strength: See `confound`.
        missing: Share of cells missing at random.
    """

    people: int = 40
    trials: int = 10
    effects: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    kind: Kind = "within"
    between_sd: float = 1.0
    item_sd: float = 0.3
    slope_sd: float = 0.2
    confound: Confound = ""
    strength: float = 0.75
    missing: float = 0.02


def simulate_study(plan: Plan, seed: int) -> StudyTable:
    """Draw one study.

    Every study has the nuisances sex, order, length_s and device, which mean nothing unless planted.

    Args:
        plan: What is simulated.
        seed: Of the draw.

    Returns:
        The table; `true_effects(plan, ...)` is what its intervals should cover.

    Raises:
        InvalidValueError: a plan that cannot be drawn.
    """
    import pandas as pd

    if plan.people < 4 or plan.trials < 2 or (plan.kind == "between" and plan.confound == "one_person"):
        raise InvalidValueError("such a study cannot be simulated", got=plan)
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(plan.people), plan.trials)
    trial = np.tile(np.arange(plan.trials), plan.people)
    sex = rng.permutation(np.arange(plan.people) % 2)
    label = _labels(plan, person, trial, sex, rng)
    if plan.confound == "one_person":
        person, trial, label = _let_one_dominate(plan, person, trial, label)
    n, k = len(person), len(plan.effects)
    scale = math.sqrt(plan.between_sd**2 + 1)
    effect = np.asarray(plan.effects) * scale
    level = rng.normal(0, plan.between_sd, (plan.people, k))
    slope = rng.normal(0, plan.slope_sd, (plan.people, k)) if plan.kind != "between" else np.zeros((plan.people, k))
    values = level[person] + label[:, None] * (effect + slope[person]) + rng.normal(0, 1, (n, k))
    item = None
    if plan.kind == "item":
        values += rng.normal(0, plan.item_sd, (int(trial.max()) + 1, k))[trial]
        item = np.array([f"q{one:02d}" for one in trial], dtype=object)
    values[rng.random((n, k)) < plan.missing] = np.nan
    nuisance = pd.DataFrame(
        {
            "sex": np.array(["f", "m"])[sex[person]],
            "order": rng.permuted(np.tile(np.arange(n), 1)) % plan.trials,
            "length_s": rng.gamma(9, 1, n),
            "device": np.array(["a", "b"])[rng.integers(0, 2, plan.people)[person]],
        }
    )
    return StudyTable(
        cues=pd.DataFrame(values, columns=[f"cue{at + 1}" for at in range(k)]),
        label=label.astype(np.int64),
        label_name="condition",
        label_values=("truth", "lie"),
        subject=np.array([f"p{one:03d}" for one in person], dtype=object),
        item=item,
        nuisance=nuisance,
    )


def true_effects(plan: Plan, people: int = 20_000, seed: int = 0) -> np.ndarray:
    """What Hedges g estimates in studies of a plan: the same measure in a population, by simulation of many people."""
    from dataclasses import replace

    from pipeline.study.contrast import person_means, standardise
    from pipeline.study.design import describe_design

    table = simulate_study(replace(plan, people=people, missing=0.0), seed)
    design = describe_design(table)
    means, counts = person_means(table.values, table.label, design)
    return standardise(means, counts, np.ones((1, people)), design.paired)[0][0]


def _labels(plan: Plan, person: Codes, trial: Codes, sex: Codes, rng: np.random.Generator) -> Codes:
    if plan.kind == "item":
        return rng.permutation(np.arange(plan.trials) % 2)[trial]
    if plan.kind == "between":
        chosen = rng.permutation(np.arange(plan.people) % 2)
        if plan.confound == "sex":
            chosen = sex.copy()
            wrong = rng.permutation(plan.people)[: round((1 - plan.strength) * plan.people)]
            chosen[wrong] = 1 - chosen[wrong]
        return chosen[person]
    if plan.confound == "sex":
        agrees = rng.random(len(person)) < plan.strength
        return np.where(agrees, sex[person], 1 - sex[person])
    return rng.integers(0, 2, len(person))


def _let_one_dominate(plan: Plan, person: Codes, trial: Codes, label: Codes) -> tuple[Codes, Codes, Codes]:
    """Give the first person so many more rows of label 1 that they are the share `strength` of all of them."""
    others = int(label[person != 0].sum())
    wanted = math.ceil(others * plan.strength / (1 - plan.strength)) - int(label[person == 0].sum())
    more = max(1, wanted)
    return (
        np.r_[person, np.zeros(more, dtype=person.dtype)],
        np.r_[trial, np.arange(more) % plan.trials],
        np.r_[label, np.ones(more, dtype=label.dtype)],
    )
