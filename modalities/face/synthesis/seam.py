"""The line between the lips: tissue above it and below it moves apart, blended in a narrow band.

A planter has no inside of a mouth to show: the band stretches the dark line between the lips.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.mesh import FaceMesh, Field

LOWER_LIP_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Upper edge of the lower lip, from the person's right to their left."""
_SEAM = 0.03
"""Half the height, in inter-ocular distances, of the band in which upper and lower lip go over into each other."""


def share_below(mesh: FaceMesh, at: NDArray[np.floating]) -> Field:
    """How far each position belongs to what moves with the lower lip, 0..1, float (..., 1)."""
    line = mesh.points[list(LOWER_LIP_INNER)]
    line = line[np.argsort(line[:, 0])]
    depth = (at[..., 1] - np.interp(at[..., 0], line[:, 0], line[:, 1])) / (_SEAM * mesh.iod)
    share = np.clip(0.5 + depth / 2, 0, 1)[..., None]
    return np.asarray(share * share * (3 - 2 * share))
