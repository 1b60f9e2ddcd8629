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
from modalities.face.models import FloatArray
from modalities.face.spotting.base import Reducer
from modalities.face.spotting.flow_reducer import FlowReducer
from modalities.face.spotting.lbp import BLOCKS, WINDOWS_S, LbpSpotter, feature_difference

BINS = 8
EVERY_PX = 2
"""Every second vector along x and y is counted: flow is smooth."""


class HoofSpotter(LbpSpotter):
    """Peaks of the feature difference, the feature being HOOF."""

    name = "hoof"

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return FlowReducer(tuple(window / 2 for window in WINDOWS_S), histogram_difference)


def histogram_difference(there: NDArray[np.float32], beyond: NDArray[np.float32]) -> float:
    """Feature difference of the frame, whose flow k earlier is none.

    Args:
        there: Flow from k earlier to the frame, (h, w, 2).
        beyond: Flow from k earlier to k later.
    """
    now, after = direction_histograms(there), direction_histograms(beyond)
    return float(feature_difference(np.zeros_like(after), now, after))


def direction_histograms(flow: NDArray[np.float32]) -> FloatArray:
    """Mean length of the vectors of each block by direction, pixels, (blocks, `BINS`).

    Args:
        flow: (h, w, 2).
    """
    votes = direction_votes(flow[None, ::EVERY_PX, ::EVERY_PX], BINS)
    return pooled(votes, BLOCKS).reshape(-1, BINS)
