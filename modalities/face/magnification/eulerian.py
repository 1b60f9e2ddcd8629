"""Linear Eulerian magnification: changes of each pixel of a Laplacian pyramid made larger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.magnification.base import Band, Clip, changes, checked, cut

SMALLEST = 8
"""Side below which pictures are not halved again, pixels."""


@dataclass(frozen=True)
class EulerianMagnifier:
    """Linear Eulerian video magnification (Wu, Rubinstein, Shih, Guttag, Durand & Freeman 2012).

    Each level of a Laplacian pyramid gets alpha times its changes added, alpha = factor - 1. A movement d of a wave of
    length l is only magnified truly while (1 + alpha) d < l / 8; levels of shorter waves than `cutoff_px` get less, in
    proportion to their wavelength. Noise grows by the factor, and large changes ring: take `riesz` where that hurts.

    Attributes:
        band: What is motion; None for all that differs from the first picture.
        cutoff_px: Wavelength below which levels are held back.
    """

    band: Band | None = None
    cutoff_px: float = 4.0

    def magnify(self, clip: NDArray[np.number], factor: float) -> Clip:
        """See `base.Magnifier`."""
        real = checked(clip, factor)
        pyramid = laplacian_pyramid(real)
        added = []
        for level, values in enumerate(pyramid):
            wavelength = 4.0 * 2**level
            alpha = factor - 1
            if alpha > 0 and wavelength < self.cutoff_px:
                alpha = max(0.0, min(alpha, factor * wavelength / self.cutoff_px - 1))
            added.append((alpha * changes(values, self.band)).astype(np.float32))
        return cut(real + from_laplacian(added))


def laplacian_pyramid(clip: Clip) -> list[Clip]:
    """Differences between each level and the next, blurred one, from fine to coarse; the coarsest level last."""
    import cv2

    out, now = [], clip
    while min(now.shape[1:]) >= 2 * SMALLEST:
        below = np.stack([cv2.pyrDown(one) for one in now])
        size = (now.shape[2], now.shape[1])
        out.append(now - np.stack([cv2.pyrUp(one, dstsize=size) for one in below]))
        now = below
    return [*out, now]


def from_laplacian(pyramid: list[Clip]) -> Clip:
    """The pictures that a pyramid stands for."""
    import cv2

    now = pyramid[-1]
    for finer in pyramid[-2::-1]:
        size = (finer.shape[2], finer.shape[1])
        now = finer + np.stack([cv2.pyrUp(one, dstsize=size) for one in now])
    return now
