"""The default spotter: second differences of regional movement over many scales, judged by a small trained network.

The score of an expression is the calibrated probability that it is one, measured on simulated faces held out from the
training; the threshold is where F1 is best there. Blinks, speech and head motion reach the network beside the
movement, so that it can tell what they explain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.action_units import explain_movement, name_units
from modalities.face.models import FloatArray
from modalities.face.regions import NAMES
from modalities.face.spotting.bands import judged_runs
from modalities.face.spotting.base import MICRO_S, Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.temporal_features import STRONGEST, describe_run
from modalities.face.spotting.temporal_network import DEFAULT, KINDS, load_network, predict

LEAST_LOGIT = -4.0
"""Less likely middles are not looked at."""
APART_S = {"micro": 0.06, "macro": 0.2}
"""A middle is the greatest of its kind so far around."""
MOST_OVERLAP = 0.3
"""Of two of a kind whose intersection over union is greater, the less likely one is dropped; between kinds 0.5."""
SHOWN_SHARE, SHOWN_LEAST = 0.4, 0.05
"""An action unit takes part when it has this share of the strongest one's intensity, and at least this intensity."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One expression as the network sees it.

    Attributes:
        kind: "micro" or "macro".
        logit: Of its middle.
        onset_ns: Start.
        apex_ns: Greatest movement.
        offset_ns: End.
    """

    kind: Literal["micro", "macro"]
    logit: float
    onset_ns: int
    apex_ns: int
    offset_ns: int


class TemporalSpotter:
    """Spots with the shipped weights.

    Args:
        weights: Another safetensors file with its card beside it (`temporal_network.load_network`).
    """

    name = "temporal"

    def __init__(self, weights: Path = DEFAULT) -> None:
        self._weights = weights

    @property
    def thresholds(self) -> dict[str, float]:
        """Score from which each kind counts as found."""
        return {kind: float(load_network(self._weights)[1]["threshold"][kind]) for kind in KINDS}

    def reducer(self) -> Reducer | None:
        """Needs nothing but the signals."""
        return None

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`.

        Raises:
            MissingFileError: the weights are not there.
            UnreadableFileError: they are no weights.
        """
        network, card = load_network(self._weights)
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        for rows in judged_runs(signals.times_ns, signals.judged, least_s=MICRO_S):
            even, features, motion = describe_run(signals, rows)
            said = predict(network, card, features)
            times = signals.times_ns[rows]
            for one in find_candidates(even, said):
                sure = float(probability(np.array([one.logit]), card, one.kind)[0])
                within = rows[(times >= one.onset_ns) & (times <= one.offset_ns)]
                evidence[within] = np.maximum(evidence[within], sure)
                if sure >= card["threshold"][one.kind]:
                    found.append(_describe(one, sure, even, motion, signals))
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


def probability(logits: FloatArray, card: Mapping[str, Any], kind: str) -> FloatArray:
    """Calibrated probability 0..1 that a middle of this logit is one (Platt 1999)."""
    slope, offset = card["calibration"][kind]
    return 1 / (1 + np.exp(-(slope * np.asarray(logits, np.float64) + offset)))


def find_candidates(times_ns: Int64Array, said: FloatArray) -> list[Candidate]:
    """Middles and edges out of what the network said, without doubles.

    Args:
        times_ns: Evenly spaced, (m,).
        said: From `temporal_network.predict`, (m, kinds, outputs).

    Returns:
        By descending likelihood.
    """
    from scipy.ndimage import maximum_filter1d

    period_s = float(times_ns[1] - times_ns[0]) / NS_PER_S
    found: list[Candidate] = []
    for at, kind in enumerate(KINDS):
        logits = said[:, at, 0]
        reach = 1 + 2 * max(1, round(APART_S[kind] / period_s))
        tops = np.flatnonzero((logits >= LEAST_LOGIT) & (logits == maximum_filter1d(logits, reach)))
        for top in tops.tolist():
            found.append(_candidate(kind, float(logits[top]), int(times_ns[top]), said[top, at, 1:], times_ns))
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda one: -one.logit):
        if all(_overlap(one, other) <= (MOST_OVERLAP if one.kind == other.kind else 0.5) for other in kept):
            kept.append(one)
    return kept


def _candidate(kind: str, logit: float, middle_ns: int, edges: FloatArray, times_ns: Int64Array) -> Candidate:
    before, after = np.exp(np.clip(edges[:2].astype(np.float64), -5, 1.5))
    if kind == "micro" and before + after > MICRO_S:
        before, after = MICRO_S * before / (before + after), MICRO_S * after / (before + after)
    onset = max(int(times_ns[0]), middle_ns - round(before * NS_PER_S))
    offset = min(int(times_ns[-1]), middle_ns + round(after * NS_PER_S))
    share = float(np.clip(edges[2], 0.05, 0.95))
    word: Literal["micro", "macro"] = "micro" if kind == "micro" else "macro"
    return Candidate(word, logit, onset, onset + round(share * (offset - onset)), offset)


def _overlap(one: Candidate, other: Candidate) -> float:
    """Intersection over union in time."""
    shared = min(one.offset_ns, other.offset_ns) - max(one.onset_ns, other.onset_ns)
    union = max(one.offset_ns, other.offset_ns) - min(one.onset_ns, other.onset_ns)
    return max(0, shared) / max(1, union)


def _describe(one: Candidate, sure: float, even: Int64Array, motion: FloatArray, signals: FaceSignals) -> Expression:
    """What moved from the edges to the apex, and which action units explain it."""
    onset, apex, offset = np.searchsorted(even, [one.onset_ns, one.apex_ns, one.offset_ns]).clip(0, len(even) - 1)
    moved = motion[apex] - (motion[onset] + motion[offset]) / 2
    frames = np.searchsorted(signals.times_ns, [one.onset_ns, one.apex_ns, one.offset_ns]).clip(
        0, len(signals.times_ns) - 1
    )
    lids = _rise(signals.lids, frames)
    mouth = _rise(signals.mouth, frames)
    whole = _rise(signals.motion, frames)[None]
    whole[0, : len(moved)] = moved
    intensity = explain_movement(whole, lids[None], mouth[None])[0]
    aus = name_units(intensity, SHOWN_SHARE, SHOWN_LEAST)
    size = np.linalg.norm(moved, axis=1)
    most: Sequence[int] = np.argsort(-size)[:4].tolist()
    return Expression(
        one.kind,
        one.onset_ns,
        one.apex_ns,
        one.offset_ns,
        sure,
        float(np.sort(size)[-STRONGEST:].mean()),
        aus,
        {NAMES[at]: round(float(size[at]), 2) for at in most},
    )


def _rise(values: FloatArray, frames: NDArray[np.int64]) -> FloatArray:
    """How far values at the apex lie over their mean at onset and offset."""
    return np.asarray(values[frames[1]] - (values[frames[0]] + values[frames[2]]) / 2)
