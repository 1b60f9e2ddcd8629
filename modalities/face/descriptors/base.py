"""What all descriptors of clips share: one length, cells, one vector for each clip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.descriptors.cells import Grid, Part, cell_count, finest, pool_parts
from modalities.face.descriptors.sampling import Volume
from modalities.face.interpolation.length import Way, bring_to_length

Features = NDArray[np.float32]


class Descriptor(Protocol):
    """A formula from samples to vectors of one length."""

    @property
    def dimension(self) -> int:
        """Length of the vector."""

    def describe(self, samples: Any) -> Features:
        """A vector for each sample, float32 (n, dimension).

        Args:
            samples: Clips (n,), each uint8 (t, h, w); or, for descriptors of flow, maps (n, h, w, 3): u, v, strain.
        """


@dataclass(frozen=True, kw_only=True)
class ClipDescriptor(ABC):
    """A descriptor of clips.

    Clips are first brought to one length, as the recognition baselines of SMIC and CASME II do.

    Attributes:
        grid: Cells a side, or those of several grids (`cells.HIERARCHY`).
        grid_t: Cells along time.
        frames: Length that clips are brought to.
        way: How: "linear" or "tim" (`modalities.face.interpolation`).
    """

    grid: Grid = 5
    grid_t: int = 1
    frames: int = 10
    way: Way = "linear"

    takes: ClassVar[str] = "clip"

    @property
    @abstractmethod
    def margin(self) -> tuple[int, int]:
        """Frames and pixels at the rim that only serve as neighbours."""

    @property
    @abstractmethod
    def per_cell(self) -> int:
        """Numbers for each cell."""

    @abstractmethod
    def parts(self, volume: Volume) -> list[Part]:
        """What is counted or averaged, of a clip of the right length, grey levels (t, h, w)."""

    @property
    def dimension(self) -> int:
        """Length of the vector."""
        return cell_count(self.grid, self.grid_t) * self.per_cell

    def describe(self, samples: NDArray[np.object_]) -> Features:
        """A vector for each clip, float32 (n, dimension).

        Args:
            samples: Clips (n,), each uint8 (t, h, w); lengths and sizes may differ.

        Raises:
            InvalidValueError: a clip of a single picture, or too small for the radii and the grid.
        """
        return np.stack([self.describe_clip(np.asarray(clip)) for clip in samples])

    def describe_clip(self, clip: NDArray[np.number]) -> NDArray[np.float32]:
        """The vector of one clip (t, h, w), float32 (dimension,).

        Raises:
            InvalidValueError: see `describe`.
        """
        t, rim = self.margin
        least = 2 * rim + finest(self.grid)
        if clip.ndim != 3 or len(clip) < 2 or min(clip.shape[1:]) < least or self.frames < 2 * t + self.grid_t:
            size = "x".join(map(str, clip.shape[:0:-1]))
            raise InvalidValueError(
                "a clip is too small for its descriptor",
                got=f"{len(clip)} pictures of {size}" if clip.ndim else "a number",
                expected=f"2 pictures or more, at least {least} pixels a side, brought to {2 * t + self.grid_t} frames",
            )
        return self.pool(bring_to_length(clip, self.frames, self.way))

    def pool(self, volume: Volume) -> NDArray[np.float32]:
        """The vector of a clip of the right length."""
        return pool_parts(self.parts(volume), self.grid, self.grid_t)
