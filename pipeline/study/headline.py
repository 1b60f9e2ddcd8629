"""The one sentence that says what came out, and never more than that."""

from __future__ import annotations

import numpy as np

from pipeline.study.audit import Audit
from pipeline.study.design import Design
from pipeline.study.prediction import LEAKY, Prediction
from pipeline.study.scores import weighted_auc
from pipeline.study.table import StudyTable

_WORDS = {
    "item_decides_label": "the item decides the label",
    "identifier_contains_label": "the identifier contains the label",
    "identity_predicts_label": "people differ in how often they have each label",
    "item_predicts_label": "items differ in how often they have each label",
    "one_person_dominates": "one person gives most of one label",
    "missingness": "missing cells go with the label",
    "cue_is_label": "a column is the label in disguise",
    "duplicate_rows": "rows are repeated",
    "folds_share_groups": "the folds share people or items",
}


def write_headline(table: StudyTable, design: Design, audit: Audit, prediction: Prediction, as_good: bool) -> str:
    """What came out, in one or two sentences.

    Args:
        table: The study.
        design: Who has which labels.
        audit: Whose alarms are named.
        prediction: The cues' prediction.
        as_good: Whether nuisances alone predict as well as the cues.
    """
    one = prediction.summary
    whom = "new people and items" if design.items_repeat and table.item is not None else "new people"
    if one["refused"]:
        text = f"No prediction: {one['refused']}."
    else:
        figures = (
            f"balanced accuracy {one['balanced_accuracy']:.2f}{_between(one['balanced_accuracy_interval'])}, "
            f"AUC {one['auc']:.2f}{_between(one['auc_interval'])}, permutation p {one['permutation_p']:.3g}"
        )
        if prediction.leaks:
            text = (
                f"{LEAKY}: folds share {prediction.leaks}, so these figures say nothing about new people ({figures})."
            )
        elif one["chance"]:
            text = f"Chance: the cues do not predict '{table.label_name}' of {whom} ({figures})."
            if _above_half(one["auc_interval"]):
                text += " Labels exchanged within the design are predicted as well: they tell who has which label."
        else:
            text = f"The cues predict '{table.label_name}' of {whom} better than chance ({figures})."
        if as_good and audit.nuisance is not None:
            other = audit.nuisance.summary
            text += (
                " A model of nuisances alone is as good as the cues "
                f"(AUC {other['auc']:.2f}{_between(other['auc_interval'])}): the figure may be theirs."
            )
    named = [_WORDS.get(flag, f"'{flag.partition(':')[2]}' goes with the label") for flag in audit.flags]
    return text + (f" The audit warns: {', '.join(named)}." if named else "")


def is_as_good(
    cues: Prediction, nuisance: Prediction | None, label: np.ndarray, weights: np.ndarray, alpha: float
) -> bool:
    """Whether nuisances alone predict something and no worse than the cues.

    Something: better than permuted labels, or the interval of the AUC lies above 0.5 (labels permuted within people
    keep what goes with the people). No worse: the interval of the difference of the AUCs, rows drawn by the same
    weights (b, n), reaches 0.
    """
    if nuisance is None or cues.summary["refused"] or nuisance.summary["refused"]:
        return False
    if nuisance.summary["chance"] and not _above_half(nuisance.summary["auc_interval"]):
        return False
    known = np.isfinite(cues.scores) & np.isfinite(nuisance.scores)
    own, other = (weighted_auc(one.scores[known], label[known], weights[:, known]) for one in (cues, nuisance))
    difference = (own - other)[np.isfinite(own - other)]
    return bool(len(difference) and np.quantile(difference, alpha / 2) <= 0)


def _above_half(limits: tuple[float | None, float | None]) -> bool:
    return limits[0] is not None and limits[0] > 0.5


def _between(limits: tuple[float | None, float | None] | None) -> str:
    if limits is None or limits[0] is None or limits[1] is None:
        return ""
    return f" ({limits[0]:.2f} to {limits[1]:.2f})"
