"""Equal blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.divisions.base import Points, Regions, frame_size


@dataclass(frozen=True)
class EqualBlocks:
    """A grid over the whole picture, as of LBP-TOP on faces (Zhao & Pietikainen 2007).

    Attributes:
        rows: Of the grid.
        columns: Of the grid.
    """

    rows: int = 5
    columns: int = 5

    def divide(self, clip: NDArray[np.number], points: Points | None = None) -> Regions:
        """See `base.Division`; blocks differ in size by a pixel at most.

        Raises:
            InvalidValueError: more blocks than pixels.
        """
        h, w = frame_size(clip)
        if not (1 <= self.rows <= h and 1 <= self.columns <= w):
            raise InvalidValueError("no such blocks", got=f"{self.rows} x {self.columns} of {h} x {w} pixels")
        row, column = np.arange(h) * self.rows // h, np.arange(w) * self.columns // w
        number = row[:, None] * self.columns + column
        names = tuple(f"block_{r}_{c}" for r in range(self.rows) for c in range(self.columns))
        return Regions(names, number == np.arange(len(names))[:, None, None])
