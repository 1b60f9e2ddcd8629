"""Reference spotter: main directional maximal difference analysis (MDMD).

After Wang, Wu, Qian, Li & Fu, "A main directional maximal difference analysis for spotting facial movements from
long-term videos" (2017), with the parameters and the intervals of the baseline of the third facial micro-expression
grand challenge (He, Wang, Li & Yap 2020): flow from the picture k earlier to the present one and to the one k later; in
each of 6 x 6 blocks the vectors of the main one of four directions; the differences of their lengths, of which the
greatest third is averaged; of the blocks again the greatest third. The contrast of this over k is compared with
T = mean + p (max - mean), p = 0.01; frames above T in a row are an expression. k is 12 frames of 30 a second for
micro-expressions and 39 for macro-expressions; micro-expressions last 7 to 16 frames, macro-expressions more.

The papers measure robust local flow (Senst et al. 2012) on the face as the camera shows it; here it is the dense
inverse search of `flow_methods` on the aligned picture.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, to_s
from modalities.face.spotting.base import MACRO_S, Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.differences import (
    contrast,
    describe,
    reduced_of,
    relative_level,
    score_of,
)
from modalities.face.spotting.flow_reducer import FlowReducer

APART_S = (12 / 30, 39 / 30)
"""k for micro and for macro."""
P = 0.01
LENGTHS_S = ((7 / 30, 16 / 30), (16.5 / 30, MACRO_S))
"""Shortest and longest micro- and macro-expression."""
BLOCKS = 6
GREATEST = 1 / 3
"""Share of the vectors of a block, and of the blocks, that are averaged."""
_KINDS: tuple[Literal["micro", "macro"], ...] = ("micro", "macro")


class MdmdSpotter:
    """Runs of frames whose maximal difference in the main direction stands out.

    Args:
        p: Threshold between the mean (0) and the maximum (1) of the contrast.
    """

    name = "mdmd"

    def __init__(self, p: float = P) -> None:
        self._p = p

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return FlowReducer(APART_S, main_difference)

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        table = reduced_of(signals, self.name, 2 * len(APART_S))
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        for scale, k_s in enumerate(APART_S):
            rows = np.flatnonzero(signals.judged & (table[:, 2 * scale + 1] > 0))
            if len(rows) < 3:
                continue
            times = signals.times_ns[rows]
            step_ns = float(np.median(np.diff(times)))
            change, there = contrast(times, table[rows, 2 * scale].astype(np.float64), k_s - step_ns / NS_PER_S)
            level = relative_level(change, there)
            score = score_of(level, self._p)
            evidence[rows] = np.maximum(evidence[rows], score)
            above = np.flatnonzero(level > self._p)
            broken = (np.diff(above) > 1) | (np.diff(times[above]) > 2.5 * step_ns)
            for run in np.split(above, np.flatnonzero(broken) + 1):
                if not len(run):
                    continue
                shortest, longest = LENGTHS_S[scale]
                length = to_s(int(times[run[-1]] - times[run[0]]) + round(step_ns))
                if shortest <= length + 1e-3 and length <= longest + 1e-3:
                    apex = int(run[np.argmax(change[run])])
                    moments = int(times[run[0]]), int(times[apex]), int(times[run[-1]])
                    found.append(describe(_KINDS[scale], moments, float(score[apex]), signals))
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


def main_difference(there: NDArray[np.float32], beyond: NDArray[np.float32]) -> float:
    """The frame's maximal difference, pixels.

    Args:
        there: Flow from k earlier to the frame, (h, w, 2).
        beyond: Flow from k earlier to k later.
    """
    height, width = (n // BLOCKS for n in there.shape[:2])
    first, second = (
        flow[: height * BLOCKS, : width * BLOCKS]
        .reshape(BLOCKS, height, BLOCKS, width, 2)
        .transpose(0, 2, 1, 3, 4)
        .reshape(BLOCKS**2, height * width, 2)
        for flow in (there, beyond)
    )
    quarter = 2 * (first[..., 0] >= 0) + (first[..., 1] >= 0)
    counts = np.stack([(quarter == one).sum(axis=1) for one in range(4)], axis=1)
    main = counts.argmax(axis=1)
    difference = np.linalg.norm(first, axis=2) - np.linalg.norm(second, axis=2)
    ordered = -np.sort(np.where(quarter == main[:, None], -difference, np.inf), axis=1)
    taken = np.maximum(1, np.rint(counts.max(axis=1) * GREATEST).astype(int))
    part = np.arange(ordered.shape[1]) < taken[:, None]
    blocks = np.where(part, ordered, 0).sum(axis=1) / taken
    return float(np.sort(blocks)[-round(BLOCKS**2 * GREATEST) :].mean())
