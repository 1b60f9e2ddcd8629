"""Every cue described: difference, effect size, tests, Bayes factor, mixed model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_schemas.hook import Hook, silent
from pipeline.study.bayes import jzs_bayes_factor
from pipeline.study.contrast import Contrast, measure_contrast
from pipeline.study.design import Design
from pipeline.study.mixed import MixedEffect, fit_mixed
from pipeline.study.permutation import CueTests, check_cues
from pipeline.study.power import least_detectable
from pipeline.study.settings import Settings
from pipeline.study.table import StudyTable


@dataclass(frozen=True, repr=False)
class Effects:
    """All cues of a study.

    Attributes:
        rows: One mapping per cue, by p; keys are the columns of `effects.csv`.
        least_detectable: Standardised effect that one cue, and all cues together (Bonferroni), would show with the
            power of the settings; d_z of pairs, d of groups, at the unit of the tests.
        units: What the tests compare, in words.
        paired: Whether the tests are of paired differences.
    """

    rows: tuple[dict[str, Any], ...]
    least_detectable: tuple[float, float]
    units: str
    paired: bool


def describe_effects(table: StudyTable, design: Design, settings: Settings, hook: Hook = silent) -> Effects:
    """Describe and test every cue."""
    values, label = table.values, table.label
    rng = np.random.default_rng([settings.seed, 1])
    contrast = measure_contrast(values, label, design, settings.bootstraps, settings.alpha, rng)
    tests = check_cues(values, label, design, settings.permutations, rng)
    rows = []
    for at, name in enumerate(table.names):
        hook("effects", at, len(table.names))
        mixed = fit_mixed(values[:, at], label, design, settings.alpha)
        rows.append(_row(at, name, table, contrast, tests, mixed, settings))
    hook("effects", len(table.names), len(table.names))
    rows.sort(key=lambda row: (row["p"] is None, row["p"] or 0.0, -abs(row["g"] or 0.0), row["cue"]))
    least = least_for(tests, settings, len(rows))
    return Effects(tuple(rows), least, units_in_words(tests, design), tests.paired)


def least_for(tests: CueTests, settings: Settings, cues: int) -> tuple[float, float]:
    """Least detectable effect with the usual number of units, for one cue and for all of them."""
    n0, n1 = int(np.median(tests.n0)), int(np.median(tests.n1))
    second = None if tests.paired else n1
    one, every = (least_detectable(n0, second, a, settings.power) for a in (settings.alpha, settings.alpha / cues))
    return one, every


def units_in_words(tests: CueTests, design: Design) -> str:
    """What the tests compare."""
    n0, n1 = int(np.median(tests.n0)), int(np.median(tests.n1))
    if design.unit == "item":
        return f"{n0} items in two versions" if tests.paired else f"{n0} against {n1} items"
    return f"{n0} people, each with both labels" if tests.paired else f"{n0} against {n1} people"


def _row(
    at: int, name: str, table: StudyTable, contrast: Contrast, tests: CueTests, mixed: MixedEffect, settings: Settings
) -> dict[str, Any]:
    column, label = table.values[:, at], table.label
    n0, n1 = int(tests.n0[at]), int(tests.n1[at])
    bayes = jzs_bayes_factor(float(tests.t[at]), n0, None if tests.paired else n1, settings.prior_scale)
    row = {
        "cue": name,
        "mean_0": _mean(column[label == 0]),
        "mean_1": _mean(column[label == 1]),
        "difference": contrast.difference[at],
        "g": contrast.g[at],
        "g_low": contrast.low[at],
        "g_high": contrast.high[at],
        "d_z": contrast.dz[at],
        "people_0": int(contrast.n0[at]),
        "people_1": int(contrast.n1[at]),
        "units": int(tests.n[at]),
        "t": tests.t[at],
        "p": tests.p[at],
        "p_fdr": tests.p_fdr[at],
        "p_max_t": tests.p_max_t[at],
        "bf10": bayes,
        "mixed_estimate": mixed.estimate,
        "mixed_low": mixed.low,
        "mixed_high": mixed.high,
        "mixed_p": mixed.p,
        "mixed_person_share": mixed.person_share,
        "mixed_item_share": mixed.item_share,
        "mixed_note": mixed.note,
        "missing": float(np.isnan(column).mean()),
    }
    return {key: _plain(value) for key, value in row.items()}


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _plain(value: Any) -> Any:
    """A number that JSON can hold; None for what is not known."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
