"""What can be predicted without a single cue: majority, identity, item, nuisances."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.study.association import columns_of, missing_patterns
from pipeline.study.contrast import Floats
from pipeline.study.design import Design
from pipeline.study.prediction import Prediction, predict_label
from pipeline.study.scores import balanced_accuracy
from pipeline.study.settings import Settings
from pipeline.study.splits import block_splits, coarse_item, deal
from pipeline.study.table import Codes, StudyTable


def nuisance_columns(table: StudyTable) -> Floats:
    """All nuisances and the patterns of missing cells as numbers, shape (n, q); q is 0 where there is none."""
    parts = [columns_of(table, str(name)) for name in table.nuisance.columns]
    parts.append(missing_patterns(table))
    together = np.column_stack(parts)
    return together[:, together.std(axis=0) > 0] if together.shape[1] else together


def baseline_scores(table: StudyTable, design: Design, settings: Settings) -> tuple[dict[str, Any], Prediction | None]:
    """Balanced accuracy of majority, identity, item and nuisances, and the prediction from nuisances.

    `majority` answers the commoner label of the training rows. `identity_only` answers what the person mostly gave in
    other rows (of other items, where items repeat), `item_only` what other people mostly gave to the item as finely as
    it is known; where there is nothing to go by they toss a coin, and below 0.5, which only says that each has as many
    rows of either label (the row left out is what the others lack), they count as 0.5. `nuisance_only` is the cues'
    own model with nuisances in their place.
    """
    label = table.label
    rng = np.random.default_rng([settings.seed, 3])
    item = coarse_item(table, design)
    apart = item if item is not None else np.arange(len(table), dtype=np.int64)
    majority = np.zeros(len(label))
    for split in block_splits(design.person, None, label, rng):
        majority[split.test] = 1.0 if label[split.train].mean() > 0.5 else -1.0
    shared = table.finest_item is not None and design.items_repeat
    scores: dict[str, Any] = {
        "majority": _accuracy(majority, label),
        "identity_only": max(0.5, _accuracy(_from_others(design.person, apart, label, rng), label)),
        "item_only": max(0.5, _accuracy(_from_others(design.item, design.person, label, rng), label))
        if shared
        else None,
    }
    columns = nuisance_columns(table)
    if not columns.shape[1]:
        scores["nuisance_only"] = scores["majority"]
        return scores, None
    found = predict_label(table, design, settings, columns)
    scores["nuisance_only"] = found.summary["balanced_accuracy"]
    return scores, found


def _from_others(groups: Codes, apart: Codes, label: Codes, rng: np.random.Generator, folds: int = 10) -> Floats:
    """Which label the group mostly has in the other folds of `apart`: above 0 for 1; 0 where it has none there."""
    fold = deal(apart, folds, rng)[apart]
    out = np.zeros(len(label))
    size = int(groups.max()) + 1
    for one in np.unique(fold):
        train, test = fold != one, fold == one
        if not train.any():
            continue
        rows = np.bincount(groups[train], minlength=size)
        ones = np.bincount(groups[train], label[train], size)
        out[test] = (ones / np.maximum(rows, 1) - 0.5 * (rows > 0))[groups[test]]
    return out


def _accuracy(scores: Floats, label: Codes) -> float:
    return float(balanced_accuracy(scores[:, None], label[:, None])[0])
