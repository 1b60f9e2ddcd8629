"""From evidence to intervals: the likeliest sequence of states, and its runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.body.gestures.hands import Scores
from modalities.body.skeleton import BoolArray, FloatArray

SWITCH_COST = 4.5
"""What a change of state costs, in units of the evidence of 0.1 s."""
STEP_S = 0.1
HOLE_S = 0.7
"""Longest time without a body that a gesture lasts over."""
LONGEST_STEP_S = 0.4
"""Evidence of a sample counts for the time since the last one, at most for this long."""


@dataclass(frozen=True)
class Run:
    """Consecutive samples of one state.

    Attributes:
        name: State.
        first: Its first sample.
        last: Its last one.
        score: How sure it is, 0..1: mean share of its likelihood among all states.
        peak: The sample at which it is surest.
    """

    name: str
    first: int
    last: int
    score: float
    peak: int


def best_path(scores: Scores, times_s: FloatArray, valid: BoolArray, switch_cost: float = SWITCH_COST) -> FloatArray:
    """The likeliest sequence of states (Viterbi 1967), int (n,). Invalid samples tell nothing.

    Args:
        scores: Log-likelihoods per `STEP_S`, (n, k).
        times_s: (n,).
        valid: bool (n,).
        switch_cost: Price of a change.
    """
    n, k = scores.values.shape
    if n == 0:
        return np.zeros(0, dtype=int)
    step = np.diff(times_s, prepend=times_s[0] - STEP_S)
    worth = np.where(valid[:, None], scores.values * np.clip(step, 0, LONGEST_STEP_S)[:, None] / STEP_S, 0.0)
    came = np.zeros((n, k), dtype=np.int32)
    total = worth[0] - switch_cost * (np.arange(k) > 0)
    for at in range(1, n):
        best = int(np.argmax(total))
        stay = total >= total[best] - switch_cost
        came[at] = np.where(stay, np.arange(k), best)
        total = np.where(stay, total, total[best] - switch_cost) + worth[at]
    path = np.zeros(n, dtype=int)
    path[-1] = int(np.argmax(total))
    for at in range(n - 1, 0, -1):
        path[at - 1] = came[at, path[at]]
    return path


def runs_of(scores: Scores, path: FloatArray, valid: BoolArray, times_s: FloatArray) -> list[Run]:
    """Runs of all states but the first; a hole longer than `HOLE_S` ends one."""
    shifted = scores.values - scores.values.max(axis=1, keepdims=True)
    share = np.exp(shifted)
    share /= share.sum(axis=1, keepdims=True)
    rows = np.flatnonzero(valid)
    if not len(rows):
        return []
    cut = (np.diff(path[rows]) != 0) | (np.diff(times_s[rows]) > HOLE_S)
    runs = []
    for part in np.split(rows, np.flatnonzero(cut) + 1):
        state = int(path[part[0]])
        if state:
            peak = int(part[np.argmax(share[part, state])])
            score = float(share[part, state].mean())
            runs.append(Run(scores.names[state], int(part[0]), int(part[-1]), score, peak))
    return runs
