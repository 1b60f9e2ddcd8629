"""How good the default recogniser is on labelled samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from data_schemas.errors import InvalidValueError
from modalities.face.recognition.default.recogniser import UNSURE, DefaultRecogniser
from modalities.face.recognition.samples import CLASSES, Samples
from modalities.face.recognition.scores import Answers, by_group, score

_KEPT = ("n", "uf1", "uar", "accuracy")


def evaluate_default(recogniser: DefaultRecogniser, samples: Samples) -> dict[str, Any]:
    """Scores of forced answers, as the published protocols demand; nothing is trained.

    Args:
        recogniser: Shipped or own weights.
        samples: Stretched flow maps.

    Returns:
        {model, protocol, n, uf1, uar, accuracy, answered, accuracy_answered, per_dataset}; `answered` is the share
        of samples that it would not call unsure, `accuracy_answered` how often it is right there (None without any).

    Raises:
        InvalidValueError: samples that are no flow maps, or have other classes.
    """
    if samples.kind != "flow_map" or samples.classes != CLASSES:
        raise InvalidValueError(
            "the default recogniser takes flow maps of its own classes",
            got=f"{samples.kind} of {', '.join(samples.classes)}",
            expected=f"flow_map of {', '.join(CLASSES)}",
        )
    said = recogniser.recognise(samples.x).argmax(axis=1).astype(np.int64)
    known = np.array([one != UNSURE for one in recogniser.label(samples.x)])
    answers = Answers(np.arange(len(samples)), samples.y, said, samples.person, samples.dataset)
    parts = {name: _scores(part, known) for name, part in by_group(answers).items()}
    whole = parts.pop("all")
    return {"model": "default", "protocol": "trained on simulation", **whole, "per_dataset": parts}


def _scores(answers: Answers, known: np.ndarray) -> dict[str, Any]:
    scores = score(answers, CLASSES)
    sure = known[answers.rows]
    hit = answers.said == answers.truth
    right = round(float(hit[sure].mean()), 4) if sure.any() else None
    return {
        **{key: scores[key] for key in _KEPT},
        "answered": round(float(sure.mean()), 4),
        "accuracy_answered": right,
    }
