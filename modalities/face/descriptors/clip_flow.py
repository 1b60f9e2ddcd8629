"""The flow of a clip from its first picture to the one that differs most from it, for descriptors of flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.flow_methods import dense_flow
from modalities.face.strain import optical_strain

if TYPE_CHECKING:
    from modalities.face.descriptors.base import Descriptor, Features


def apex_of_clip(clip: NDArray[np.uint8]) -> int:
    """Number of the picture that differs most from the first one, by mean absolute difference of smoothed pictures.

    Args:
        clip: Aligned grey pictures, uint8 (t, h, w).
    """
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(clip.astype(np.float32), (0, 2, 2))
    return int(np.abs(smooth - smooth[0]).mean(axis=(1, 2)).argmax())


def flow_of_clip(clip: NDArray[np.uint8], method: str = "dis") -> NDArray[np.float32]:
    """Flow from the first picture to the apex.

    Args:
        clip: Aligned grey pictures, uint8 (t, h, w).
        method: Of `flow_methods.FLOW_METHODS`.

    Returns:
        u (right) and v (down) in pixels and optical strain, float32 (h, w, 3).

    Raises:
        InvalidValueError: no clip of two pictures or more, or too small for the method.
    """
    if clip.ndim != 3 or len(clip) < 2 or min(clip.shape[1:]) < 16:
        raise InvalidValueError(
            "a clip is too small for optical flow", got=f"shape {clip.shape}", expected="(2 or more, 16+, 16+)"
        )
    flow = dense_flow(method)(np.ascontiguousarray(clip[0]), np.ascontiguousarray(clip[apex_of_clip(clip)]))
    return np.concatenate([flow, optical_strain(flow)[..., None]], axis=-1).astype(np.float32)


@dataclass(frozen=True)
class OfClipFlow:
    """A descriptor of flow, given clips.

    Attributes:
        block: Descriptor of maps (n, h, w, 3).
        method: Of `flow_methods.FLOW_METHODS`.
    """

    block: Any
    method: str = "dis"

    @property
    def dimension(self) -> int:
        """That of the block."""
        found: Descriptor = self.block
        return found.dimension

    def describe(self, samples: NDArray[np.object_]) -> Features:
        """A vector for each clip (n,), uint8 (t, h, w)."""
        found: Descriptor = self.block
        return np.concatenate([found.describe(flow_of_clip(np.asarray(one), self.method)[None]) for one in samples])
