"""Reference spotter: histograms of oriented optical flow, read by a recurrent network.

After Verburg & Menkovski, "Micro-expression detection in long videos using optical flow and recurrent neural
networks" (2019): flow from picture to picture is counted by direction (HOOF, 8 bins) in parts of the face found by
landmarks, eyes left out, and a small LSTM reads the sequence.

What differs: six parts made of the squares of `areas`; flow is divided by the time between the pictures, so that the
frame rate does not matter; every moment is labelled (`recurrent`), for macro-expressions too, instead of windows of
0.5 s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.descriptors.flow import direction_votes
from modalities.face.flow_methods import DenseFlow, dense_flow
from modalities.face.models import FloatArray, Picture
from modalities.face.registration import PATCH_IOD_PX
from modalities.face.spotting.areas import Squares, cut_squares
from modalities.face.spotting.base import Reducer
from modalities.face.spotting.recurrent import RecurrentSpotter

PARTS = ((0, 1, 2), (3, 4, 5), (6, 7), (8,), (9,), (10, 11))
"""Squares of each part: brows right and left, nose, corners of the mouth, middle of the lips."""
BINS = 8
LEAST_USUAL = 1.0
"""Percent of the inter-ocular distance a second: no camera is better than that."""
LEAST_STEP_S, LONGEST_STEP_S = 0.0305, 0.15
"""At most about 30 pictures a second are looked at; none are compared across a longer gap."""


class HoofLstmSpotter(RecurrentSpotter):
    """HOOF from picture to picture and an LSTM."""

    name = "hoof-lstm"
    columns = len(PARTS) * BINS + 1

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return FlowReducer()

    def features(self, values: FloatArray) -> FloatArray:
        """See `RecurrentSpotter`."""
        return speeds(values)


def speeds(values: FloatArray) -> FloatArray:
    """Logarithm of histograms in units of what is usual of this recording, (m, 48), >= 0."""
    return np.asarray(np.log1p(values / (np.median(values) + LEAST_USUAL)))


class FlowReducer:
    """Keeps the histogram of each part, percent of the inter-ocular distance a second."""

    def __init__(self) -> None:
        self._squares = Squares()
        self._flow: DenseFlow | None = None
        self._last: tuple[int, Picture] | None = None
        self._rows: list[tuple[int, NDArray[np.float32]]] = []

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        if self._last is not None and t_ns - self._last[0] < LEAST_STEP_S * NS_PER_S:
            return
        self._flow = self._flow or dense_flow("dis")
        corners = self._squares.place(points, t_ns, len(patch))
        if self._last is not None and t_ns - self._last[0] <= LONGEST_STEP_S * NS_PER_S:
            flow = self._flow(self._last[1], patch) * (100 / PATCH_IOD_PX * NS_PER_S / (t_ns - self._last[0]))
            self._rows.append((number, part_histograms(flow, corners)))
        self._last = t_ns, patch.copy()

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: histograms, and whether there are any, (n, 49)."""
        out = np.zeros((n, len(PARTS) * BINS + 1), np.float32)
        for number, values in self._rows:
            out[number, :-1] = values
            out[number, -1] = 1
        return out


def part_histograms(flow: NDArray[np.floating], corners: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean length of the vectors of each part by direction, float32 (parts * `BINS`,).

    Args:
        flow: (h, w, 2).
        corners: Of the squares, (areas, 2).
    """
    squares = np.stack([cut_squares(flow[..., axis], corners) for axis in (0, 1)], axis=-1)
    votes = direction_votes(squares.astype(np.float32), BINS).mean(axis=(1, 2))
    return np.stack([votes[list(part)].mean(axis=0) for part in PARTS]).ravel().astype(np.float32)
