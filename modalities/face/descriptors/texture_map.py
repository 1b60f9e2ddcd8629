"""Spatio-temporal texture map: where a clip changes along all three axes at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.descriptors.base import ClipDescriptor
from modalities.face.descriptors.cells import Codes, Part
from modalities.face.descriptors.gradients import central_differences
from modalities.face.descriptors.sampling import Volume

SPREAD, SPREAD_T = 1.0, 1.0
"""Of the Gaussian that gathers the gradients, pixels and frames; cut at 2 spreads."""
FLATNESS = 0.005
"""Weight of the cubed trace in the corner function (Laptev 2005)."""
WHOLE = 99.0
"""Percentile of the size of the response that ends the histogram."""


@dataclass(frozen=True, kw_only=True)
class Sttm(ClipDescriptor):
    """Spatio-temporal texture map (Kamarol, Jaward, Parkkinen & Parthiban 2016): histograms of the corner function.

    The corner function in space and time is det(M) - k trace(M)^3 with the second-moment matrix M of the gradients
    (Laptev 2005). Its cube root, in squared grey levels per pixel, is counted in equal bins between plus and minus the
    99th percentile of its size in the clip. The paper's bins are not known to us; 16 a cell here.

    Attributes:
        bins: Of the histogram of each cell.
    """

    bins: int = 16

    @property
    def margin(self) -> tuple[int, int]:
        """See `ClipDescriptor`."""
        return 1, 1

    @property
    def per_cell(self) -> int:
        """One histogram."""
        return self.bins

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        found = np.cbrt(corner_function(volume))
        whole = float(np.percentile(np.abs(found), WHOLE))
        place = (found / whole + 1) / 2 * self.bins if whole > 0 else np.full(found.shape, self.bins / 2)
        return [Codes(np.clip(np.floor(place + 1e-6), 0, self.bins - 1).astype(np.int64), self.bins)]


def corner_function(volume: Volume) -> NDArray[np.float64]:
    """det(M) - k trace(M)^3 at each voxel that has all neighbours, (t - 2, h - 2, w - 2)."""
    from scipy.ndimage import gaussian_filter

    t, y, x = (one.astype(np.float64) for one in central_differences(volume))
    spread = (SPREAD_T, SPREAD, SPREAD)
    xx, yy, tt, xy, xt, yt = (
        gaussian_filter(one * other, spread, truncate=2.0, mode="nearest")
        for one, other in ((x, x), (y, y), (t, t), (x, y), (x, t), (y, t))
    )
    determinant = xx * (yy * tt - yt * yt) - xy * (xy * tt - yt * xt) + xt * (xy * yt - yy * xt)
    return np.asarray(determinant - FLATNESS * (xx + yy + tt) ** 3)
