"""Regions where the clip itself changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.divisions.base import Points, Regions, frame_size


@dataclass(frozen=True)
class DifferenceRegions:
    """The places that differ most from the first picture, whoever's face it is.

    The mean absolute difference of smoothed pictures from the first one is cut at a share of its greatest value; the
    pieces that hang together, the strongest first, are the regions. After the difference energy maps by which regions
    of interest are found for micro-expressions (Yu, Guo, Yu, Wang & Cen 2019). Blinks change most of all: hide the eyes
    (`EyeCheekMask`) where they occur.

    Attributes:
        most: Regions.
        share: Of the greatest difference, 0..1.
        smooth: Spread of the smoothing, share of the picture's width.
        least: Area below which a piece is left out, share of the picture.
    """

    most: int = 6
    share: float = 0.4
    smooth: float = 0.02
    least: float = 0.002

    def divide(self, clip: NDArray[np.number], points: Points | None = None) -> Regions:
        """See `base.Division`; no region where nothing changes.

        Raises:
            InvalidValueError: a single picture.
        """
        from scipy.ndimage import label

        h, w = frame_size(clip)
        if len(clip) < 2:
            raise InvalidValueError("a single picture changes nowhere", expected="2 pictures or more")
        energy = difference_energy(clip, self.smooth * w)
        top = float(energy.max())
        pieces, count = label(energy > self.share * top) if top > 0 else (np.zeros((h, w), int), 0)
        sums = np.bincount(pieces.ravel(), energy.ravel(), count + 1)[1:]
        areas = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        order = [at for at in np.argsort(-sums, kind="stable").tolist() if areas[at] >= self.least * h * w]
        chosen = np.array(order[: self.most], int) + 1
        return Regions(tuple(f"change_{at + 1}" for at in range(len(chosen))), pieces == chosen[:, None, None])


def difference_energy(clip: NDArray[np.number], smooth_px: float) -> NDArray[np.float64]:
    """Mean absolute difference from the first picture, pictures smoothed, grey levels, (h, w)."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(clip.astype(np.float64), (0, smooth_px, smooth_px))
    return np.asarray(np.abs(smooth[1:] - smooth[0]).mean(axis=0))
