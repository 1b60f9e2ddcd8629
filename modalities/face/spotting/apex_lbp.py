"""The apex by local binary patterns and divide and conquer.

After Yan, Wang, Chen, Zhao & Fu, "Quantifying micro-expressions with constraint local model and local binary pattern"
(2014), who measure how far a picture is from the onset by one minus the correlation of their LBP histograms, and
Liong, See, Wong, Le Ngo, Oh & Phan, "Automatic apex frame spotting in micro-expression database" (2015), who look for
the apex by divide and conquer: the peaks of that curve on the left and on the right half are added up, the half with
the greater sum is halved again, until one picture is left.

Histograms are those of `lbp`: uniform patterns, radius 3, 6 x 6 blocks.
"""

from __future__ import annotations

import numpy as np

from data_schemas.time import Int64Array
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.lbp import block_histograms


class LbpApex:
    """Divide and conquer over one minus the correlation with the onset."""

    name = "lbp"
    intervals_s = (0.5, 2.0)

    def describe(self, face: Picture) -> FloatArray:
        """See `apex.ApexFinder`: histograms of all blocks as one unit vector without mean, (36 * 59,)."""
        flat = block_histograms(face).ravel().astype(np.float64)
        flat -= flat.mean()
        return (flat / max(1e-12, float(np.linalg.norm(flat)))).astype(np.float32)

    def curve(self, described: FloatArray, times_ns: Int64Array) -> FloatArray:
        """See `apex.ApexFinder`: one minus the correlation with the first picture, 0..2."""
        return 1 - described.astype(np.float64) @ described[0]

    def apex(self, described: FloatArray, times_ns: Int64Array) -> int:
        """See `apex.ApexFinder`."""
        return divide_and_conquer(self.curve(described, times_ns))


def divide_and_conquer(curve: FloatArray) -> int:
    """Where the halves with the greater sum of peaks lead to.

    Args:
        curve: (t,); a curve without peaks in either half is searched for its greatest value.
    """
    from scipy.signal import find_peaks

    low, high = 0, len(curve)
    peaks = np.zeros(len(curve))
    tops, _ = find_peaks(np.r_[-np.inf, curve, -np.inf])
    peaks[tops - 1] = curve[tops - 1]
    while high - low > 1:
        middle = (low + high) // 2
        left, right = (float(peaks[part].sum()) for part in (slice(low, middle), slice(middle, high)))
        if left == right == 0:
            return low + int(np.argmax(curve[low:high]))
        low, high = (low, middle) if left >= right else (middle, high)
    return low
