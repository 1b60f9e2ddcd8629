"""Global Lagrangian magnification: the movement of the whole clip is followed, made larger, and drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.flow_methods import dense_flow
from modalities.face.magnification.base import Band, Clip, changes, checked, cut

ENERGY = 0.95
"""Share of the energy of the movement that the kept components hold together."""
SMOOTH_PX = 2.0
ROUNDS = 8
"""Fixed-point rounds that find where a pixel came from."""


@dataclass(frozen=True)
class LagrangianMagnifier:
    """Global Lagrangian motion magnification, GLMM (Le Ngo, Johnston, Phan & See 2018).

    Every point of the first picture is followed through the whole clip; of these displacements the principal components
    over time that hold 95 % of the energy are kept, which leaves out what does not move together; they are made larger
    and the pictures are warped to the new places. Needs flow that holds over the clip; hidden skin is stretched.

    Attributes:
        band: What is motion; None for all that differs from the first picture.
        method: Of `flow_methods.FLOW_METHODS`.
    """

    band: Band | None = None
    method: str = "dis"

    def magnify(self, clip: NDArray[np.number], factor: float) -> Clip:
        """See `base.Magnifier`."""
        real = checked(clip, factor)
        moved = displacements(np.clip(np.rint(real), 0, 255).astype(np.uint8), self.method)
        extra = np.float32(factor - 1) * changes(principal(moved), self.band).astype(np.float32)
        y, x = np.indices(real.shape[1:], dtype=np.float32)
        here: NDArray[np.float32] = np.stack([x, y], axis=-1)
        out = np.empty_like(real)
        for at, picture in enumerate(real):
            whole = moved[at] + extra[at]
            source = here
            for _ in range(ROUNDS):
                source = here - _look_up(whole, source)
            out[at] = _look_up(picture, source + _look_up(moved[at], source), sharp=True)
        return cut(out)


def displacements(clip: NDArray[np.uint8], method: str = "dis") -> NDArray[np.float32]:
    """Where each pixel of the first picture is in every picture, less where it began, pixels, (t, h, w, 2)."""
    import cv2

    flow = dense_flow(method)
    out = np.zeros((*clip.shape, 2), np.float32)
    first = np.ascontiguousarray(clip[0])
    for at in range(1, len(clip)):
        out[at] = cv2.GaussianBlur(flow(first, np.ascontiguousarray(clip[at])), (0, 0), SMOOTH_PX)
    return out


def principal(moved: NDArray[np.float32], energy: float = ENERGY) -> NDArray[np.float32]:
    """Displacements rebuilt from the fewest components over time that hold this share of their energy, same shape."""
    flat = moved.reshape(len(moved), -1).astype(np.float64)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    if values.sum() <= 0:
        return moved
    count = int(np.searchsorted(np.cumsum(values) / values.sum(), energy)) + 1
    kept = vectors[:, :count]
    return (kept @ (kept.T @ flat)).reshape(moved.shape).astype(np.float32)


def _look_up(field: NDArray[np.float32], places: NDArray[np.float32], *, sharp: bool = False) -> NDArray[np.float32]:
    """Values at any places (h, w, 2): column, row; the rim goes on beyond it."""
    import cv2

    way = cv2.INTER_CUBIC if sharp else cv2.INTER_LINEAR
    found = cv2.remap(field, places[..., 0], places[..., 1], way, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)
