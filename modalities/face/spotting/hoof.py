"""Reference spotter: differences of histograms of oriented optical flow (HOOF).

After Davison, Merghani, Lansley, Ng & Yap, "Objective micro-facial movement detection using FACS-based regions and
baseline evaluation" (2018), who compare HOOF (Chaudhry et al. 2009) of a picture with that of its neighbours in time
by the chi-square distance, region by region, and Li et al., "Towards reading hidden emotions" (2018), who put HOOF in
the place of LBP in feature difference analysis (`lbp`): 8 directions weighted by length in 6 x 6 blocks, mean of the
12 greatest distances, contrast, T = mean + tau (max - mean), a peak is an expression of the length of the window.

What differs: flow is measured from the picture k earlier, to the present one and to the one k later, so that no first
frame of the video is needed; histograms are not divided by their sum, for those of a still face would be noise;
blocks stand for the 26 regions, and the relative threshold for the person's neutral sequence, which a recording need
not have.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.descriptors.flow import direction_votes, pooled
from modalities.face.flow_methods import DenseFlow, dense_flow
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.base import Reducer
from modalities.face.spotting.differences import FACE_BOX, Kept, Triples
from modalities.face.spotting.lbp import BLOCKS, WINDOWS_S, LbpSpotter, feature_difference

BINS = 8
LEAST_STEP_S = 0.0245
"""At most about 40 pictures a second are looked at."""
EVERY_PX = 2
"""Every second vector along x and y is counted: flow is smooth."""


class HoofSpotter(LbpSpotter):
    """Peaks of the feature difference, the feature being HOOF."""

    name = "hoof"

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return HoofReducer()


class HoofReducer:
    """Keeps the feature difference of each picture at both windows."""

    def __init__(self) -> None:
        self._triples: Triples[Picture] = Triples(tuple(window / 2 for window in WINDOWS_S), LEAST_STEP_S)
        self._kept = Kept(len(WINDOWS_S))
        self._flow: DenseFlow | None = None

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        if not self._triples.wants(t_ns):
            return
        self._flow = self._flow or dense_flow("dis")
        left, top, right, bottom = FACE_BOX
        for one in self._triples.add(np.ascontiguousarray(patch[top:bottom, left:right]), t_ns, number):
            now = direction_histograms(self._flow(one.before, one.now))
            after = direction_histograms(self._flow(one.before, one.after))
            self._kept.put(one.number, one.scale, feature_difference(np.zeros_like(after), now, after))

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: difference and whether there is one, at both windows, (n, 4)."""
        return self._kept.table(n)


def direction_histograms(flow: NDArray[np.float32]) -> FloatArray:
    """Mean length of the vectors of each block by direction, pixels, (blocks, `BINS`).

    Args:
        flow: (h, w, 2).
    """
    votes = direction_votes(flow[None, ::EVERY_PX, ::EVERY_PX], BINS)
    return pooled(votes, BLOCKS).reshape(-1, BINS)
