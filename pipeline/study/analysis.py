"""The whole analysis of a study: audit, effects, prediction, headline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data_schemas.hook import Hook, silent
from pipeline.study.audit import Audit, audit_study
from pipeline.study.design import Design, describe_design
from pipeline.study.effects import Effects, describe_effects
from pipeline.study.headline import is_as_good, write_headline
from pipeline.study.power import sample_sizes
from pipeline.study.prediction import Prediction, predict_label
from pipeline.study.scores import draw_rows
from pipeline.study.settings import Settings
from pipeline.study.splits import coarse_item
from pipeline.study.table import StudyTable


@dataclass(frozen=True, repr=False)
class StudyResult:
    """Everything that came out of a study.

    Attributes:
        table, design, settings: What went in.
        headline: One or two sentences.
        audit, effects, prediction: The parts.
        sizes: Rows of the sample size table.
        plan: What a frozen plan says of this analysis; {"frozen": False} without one.
    """

    table: StudyTable
    design: Design
    settings: Settings
    headline: str
    audit: Audit
    effects: Effects
    prediction: Prediction
    sizes: tuple[dict[str, Any], ...]
    plan: dict[str, Any]

    @property
    def exit_status(self) -> int:
        """1 where something was missing or refused."""
        return int(self.table.missing or bool(self.prediction.summary["refused"]))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        leaky = {"leakage": f"LEAKY: folds share {self.prediction.leaks}"} if self.prediction.leaks else {}
        return {
            "headline": self.headline,
            **leaky,
            "label": {
                "name": self.table.label_name,
                "negative": self.table.label_values[0],
                "positive": self.table.label_values[1],
                "rows_negative": int((self.table.label == 0).sum()),
                "rows_positive": int((self.table.label == 1).sum()),
            },
            "audit": {**self.audit.as_dict(), "design": self.design.as_dict()},
            "effects": list(self.effects.rows),
            "least_detectable": {
                "one_cue": _plain(self.effects.least_detectable[0]),
                "all_cues": _plain(self.effects.least_detectable[1]),
                "power": self.settings.power,
                "units": self.effects.units,
            },
            "sample_sizes": list(self.sizes),
            "prediction": self.prediction.summary,
            "plan": self.plan,
            "notes": list(self.table.notes),
            "settings": self.settings.as_dict(),
            "inputs": self.table.inputs,
        }


def analyse_study(
    table: StudyTable, settings: Settings, plan: dict[str, Any] | None = None, hook: Hook = silent
) -> StudyResult:
    """Audit, describe and predict.

    Args:
        table: The study.
        settings: Parameters.
        plan: What a frozen plan says of this analysis.
        hook: Told of the steps.

    Raises:
        TelltaleError: folds of the author's own share people or items, or no fold has both labels.
    """
    design = describe_design(table)
    hook("audit", 0, 1)
    audit = audit_study(table, design, settings)
    hook("audit", 1, 1)
    effects = describe_effects(table, design, settings, hook)
    prediction = predict_label(table, design, settings, hook=hook)
    rng = np.random.default_rng([settings.seed, 5])
    weights = draw_rows(design, coarse_item(table, design), settings.bootstraps, rng)
    as_good = is_as_good(prediction, audit.nuisance, table.label, weights, settings.alpha)
    prediction.summary["nuisance_as_good"] = as_good
    headline = write_headline(table, design, audit, prediction, as_good)
    sizes = tuple(sample_sizes(settings.alpha, len(table.names), effects.paired))
    return StudyResult(table, design, settings, headline, audit, effects, prediction, sizes, plan or {"frozen": False})


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None
