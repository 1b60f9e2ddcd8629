"""What the spotters with a recurrent network share: every moment is labelled, and labelled stretches are expressions.

A long short-term memory (Hochreiter & Schmidhuber 1997) reads what a reducer kept of the pictures, forwards and
backwards, and says of each moment whether a micro- and whether a macro-expression is under way; what is under way for
at most half a second is a micro-expression. The papers classify
windows that slide over the video and join those that pass; labelling every moment gives the length at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.threads import one_thread
from data_schemas.time import NS_PER_S, Int64Array, to_s
from modalities.face.models import FloatArray
from modalities.face.spotting.bands import judged_runs, resample, rolling_median, smooth
from modalities.face.spotting.base import MACRO_S, MICRO_S, Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.differences import describe, reduced_of
from modalities.face.spotting.learned import Learned, load_learned, part_of

if TYPE_CHECKING:
    from torch import nn

RATE_HZ = 25.0
"""What a reducer kept is brought to this rate."""
KINDS: tuple[Literal["micro", "macro"], ...] = ("micro", "macro")
SHORTEST_S, LONGEST_S = 0.06, 1.25 * MACRO_S
WIDTH, HIDDEN = 24, 16
USUAL_S, LEAST_USUAL = 20.0, 0.3
"""What is usual is the running median over this time; its spread is never below this share of the mean spread."""
SMOOTH_S = 0.04
"""Spread of the Gaussian that smooths the logits."""
TOGETHER_S = 0.1
"""Stretches that are less apart are one."""
_PART, _MARGIN = 4000, 250
"""Samples read at a time, and how many more on either side are seen."""


class RecurrentSpotter(ABC):
    """A spotter whose network reads one row of numbers for each moment."""

    name: str
    columns: int
    """Of what the reducer keeps, one more than the numbers: whether there are any."""

    @abstractmethod
    def reducer(self) -> Reducer:
        """See `base.Spotter`."""

    def features(self, values: FloatArray) -> FloatArray:
        """What the network reads, (m, c), of what was kept, at `RATE_HZ`, (m, columns - 1)."""
        return unusual(values)

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        learned = load_learned(self.name)
        table = reduced_of(signals, self.name, self.columns)
        rows = np.flatnonzero(signals.judged & (table[:, -1] > 0))
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        times_ns = signals.times_ns[rows]
        for run in judged_runs(times_ns, np.ones(len(rows), bool), least_s=2 * MICRO_S):
            even = even_grid(times_ns[run])
            values = resample(table[rows[run], :-1].astype(np.float64), times_ns[run], even)
            score = 1 / (1 + np.exp(-margins(learned, self.name, self.features(values)).max(axis=1)))
            first, last = rows[run[0]], rows[run[-1]]
            within = first + np.flatnonzero(signals.judged[first : last + 1])
            evidence[within] = np.clip(resample(score[:, None], even, signals.times_ns[within])[:, 0], 0, 1)
            for kind, first, apex, last, sure in labelled(even, score):
                found.append(describe(kind, (int(even[first]), int(even[apex]), int(even[last])), sure, signals))
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


def even_grid(times_ns: Int64Array) -> Int64Array:
    """Times at `RATE_HZ` over the same span, at least two, int64 (m,)."""
    step = round(NS_PER_S / RATE_HZ)
    return np.arange(int(times_ns[0]), max(int(times_ns[-1]) + 1, int(times_ns[0]) + step + 1), step, dtype=np.int64)


def unusual(values: FloatArray) -> FloatArray:
    """How far values are from what is usual of this face there and then, in units of how far they usually are.

    So that neither the person, nor the camera's noise, nor its frame rate sets the scale.

    Args:
        values: At `RATE_HZ`, (m, c).
    """
    away = values - rolling_median(values, RATE_HZ, USUAL_S)
    usual = rolling_median(np.abs(away), RATE_HZ, USUAL_S)
    return away / (usual + LEAST_USUAL * usual.mean() + 1e-9)


def labelled(times_ns: Int64Array, score: FloatArray) -> list[tuple[Literal["micro", "macro"], int, int, int, float]]:
    """Kind, first, greatest and last sample of each stretch under way, and its score; its length tells the kind.

    Args:
        times_ns: Of the samples, evenly spaced, (m,).
        score: 0.5 at the threshold, (m,).
    """
    out: list[tuple[Literal["micro", "macro"], int, int, int, float]] = []
    above = np.flatnonzero(score >= 0.5)
    if not len(above):
        return out
    for run in np.split(above, np.flatnonzero(np.diff(times_ns[above]) > TOGETHER_S * NS_PER_S) + 1):
        length = to_s(int(times_ns[run[-1]] - times_ns[run[0]]))
        if SHORTEST_S <= length <= LONGEST_S:
            apex = int(run[np.argmax(score[run])])
            kind: Literal["micro", "macro"] = "micro" if length <= MICRO_S else "macro"
            out.append((kind, int(run[0]), apex, int(run[-1]), float(score[apex])))
    return out


def margins(learned: Learned, name: str, features: FloatArray) -> FloatArray:
    """How far the logit of each kind lies above its threshold, (m, 2).

    Args:
        learned: Tables of the network under "labeller.", "mean" and "spread"; thresholds in the card.
        name: Of the spotter, under which the network is kept ready.
        features: At `RATE_HZ`, (m, c).
    """
    least = np.array([learned.card["threshold_logit"][kind] for kind in KINDS])
    return read(_ready(name), scaled(features, learned)) - least


@lru_cache(maxsize=4)
def _ready(name: str) -> nn.Module:
    import torch

    tables = part_of(load_learned(name), "labeller.")
    network = build_labeller(tables["first.weight"].shape[1])
    network.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in tables.items()})
    return network.eval()


def scaled(features: FloatArray, learned: Learned) -> NDArray[np.float32]:
    """Features less their mean, in units of their spread, cut to 8."""
    z = (features - learned.tables["mean"]) / learned.tables["spread"]
    return np.clip(z, -8, 8).astype(np.float32)


def read(network: nn.Module, features: NDArray[np.float32]) -> FloatArray:
    """Smoothed logits of both kinds, (m, 2), part by part."""
    import torch

    out = np.zeros((len(features), len(KINDS)))
    with torch.inference_mode(), one_thread():
        for first in range(0, len(features), _PART):
            low, high = max(0, first - _MARGIN), min(len(features), first + _PART + _MARGIN)
            said = network(torch.from_numpy(features[low:high].copy())[None])[0].numpy()
            out[first : first + _PART] = said[first - low : first - low + _PART]
    return smooth(out, RATE_HZ, SMOOTH_S)


def build_labeller(columns: int) -> nn.Module:
    """The network without its weights: (batch, samples, columns) to (batch, samples, 2)."""
    import torch
    from torch import nn

    class Labeller(nn.Module):
        """Rows to logits."""

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(columns, WIDTH)
            self.memory = nn.LSTM(WIDTH, HIDDEN, batch_first=True, bidirectional=True)
            self.last = nn.Linear(2 * HIDDEN, len(KINDS))

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            """Logits of each moment."""
            kept, _ = self.memory(torch.tanh(self.first(rows)))
            return self.last(kept)

    return Labeller()
