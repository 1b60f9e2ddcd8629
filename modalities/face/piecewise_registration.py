"""Piecewise-affine registration: points that expressions hardly move stay where they were in the reference face.

The similarity of `registration.PatchAligner` leaves what a turned head does to the shape of the face. Here the
triangles between stable points of the mesh are each mapped on those of the reference face, as is done before spotting
with a local weighted mean or a piecewise-affine warp (Goshtasby 1988; Davison et al. 2018; Li et al. 2018). Brows,
mouth and chin carry no point: what they do is left in the picture.

It is meant for what compares pictures directly, such as the reference spotters and descriptors. A head in pictures made
like this is no longer rigid, so that `head_motion` takes out less of it than of pictures made by the similarity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import to_s
from modalities.face.landmarks import Sighting
from modalities.face.models import FloatArray, Picture
from modalities.face.registration import PATCH_IOD_PX, PATCH_PX, OneEuro, PatchAligner, window_view

CONTROL = (
    *(33, 133, 362, 263, 127, 356, 234, 454, 162, 389, 21, 251, 54, 284, 10, 151, 168, 6, 197, 195, 5, 4),
    *(122, 351, 196, 419, 188, 412, 143, 372, 116, 345, 227, 447, 137, 366, 34, 264, 177, 401, 58, 288),
)
"""Landmarks that are held: eye corners, nose ridge, forehead, temples, cheekbones, sides of the jaw."""
MIN_CUTOFF_HZ, BETA = 0.7, 1.0
"""Filter of the points' departure from the reference: what is left of a similarity changes only as the head turns."""
SETTLE_S = 0.5
"""The reference face is the mean of the first pictures of this length."""
_ROUNDS = 3
_RIM = PATCH_PX / 2 * np.array([(-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0)]) * 1.1
_ANCHORS = _RIM + (PATCH_PX - 1) / 2
"""Around the picture, moved by the similarity alone."""


class PiecewiseAligner:
    """Maps the face of each frame on a reference face, triangle by triangle.

    Args:
        reference: Landmarks of the reference face in the aligned picture, (478, 2); by default the face's own as a
            similarity places it in the first half second.
    """

    def __init__(self, reference: FloatArray | None = None) -> None:
        self._similarity = PatchAligner()
        self._filter = OneEuro(MIN_CUTOFF_HZ, BETA)
        self._total = np.zeros((len(CONTROL), 2))
        self._count = 0
        self._began_ns: int | None = None
        self._reference: FloatArray | None = None
        self._weights: Any = None
        if reference is not None:
            self._settle(np.asarray(reference, np.float64)[list(CONTROL)])

    def restart(self) -> None:
        """Forget where the face was; the reference face is kept."""
        self._similarity.restart()
        self._filter.restart()

    def align(self, sighting: Sighting, t_ns: int) -> tuple[Picture, NDArray[np.float32]]:
        """See `registration.Aligner`."""
        import cv2

        matrix = self._similarity.place(sighting, t_ns)
        placed = sighting.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        departure = self._departure(placed[list(CONTROL)], t_ns)
        field = self._field(departure)
        through, grey = window_view(sighting, matrix)
        back = np.linalg.inv(np.vstack([through, (0, 0, 1)]))[:2].astype(np.float32)
        at = np.arange(PATCH_PX, dtype=np.float32)
        x, y = at + field[..., 0], at[:, None] + field[..., 1]
        source = [back[axis, 0] * x + back[axis, 1] * y + back[axis, 2] for axis in (0, 1)]
        patch = cv2.remap(grey, source[0], source[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(patch, np.uint8), _follow(placed, field)

    def _departure(self, control: FloatArray, t_ns: int) -> FloatArray:
        """How far the control points are from the reference face, filtered, (points, 2), pixels."""
        if self._reference is None or self._weights is None:
            self._gather(control, t_ns)
        if self._reference is None:
            return np.zeros((len(CONTROL), 2))
        off = control - self._reference
        nose = off[CONTROL.index(4)]
        state = self._filter(np.concatenate([nose, off.ravel()]), to_s(t_ns), PATCH_IOD_PX)
        return state[2:].reshape(off.shape)

    def _gather(self, control: FloatArray, t_ns: int) -> None:
        """Take part in the reference face; make it once there is enough."""
        self._began_ns = t_ns if self._began_ns is None else self._began_ns
        self._total += control
        self._count += 1
        if to_s(t_ns - self._began_ns) >= SETTLE_S:
            self._settle(self._total / self._count)

    def _settle(self, reference: FloatArray) -> None:
        """Fix the reference face: which triangle each pixel lies in, and where in it."""
        from scipy.sparse import csr_matrix
        from scipy.spatial import Delaunay

        nodes = np.vstack([reference, _ANCHORS])
        triangles = Delaunay(nodes)
        pixels = np.stack(np.meshgrid(np.arange(PATCH_PX), np.arange(PATCH_PX)), axis=-1).reshape(-1, 2).astype(float)
        inside = triangles.find_simplex(pixels)
        change = triangles.transform[inside]
        first = np.einsum("nij,nj->ni", change[:, :2], pixels - change[:, 2])
        shares = np.column_stack([first, 1 - first.sum(axis=1)])
        corners = triangles.simplices[inside]
        rows = np.repeat(np.arange(len(pixels)), 3)
        whole = csr_matrix((shares.ravel(), (rows, corners.ravel())), (len(pixels), len(nodes)))
        self._weights = whole[:, : len(CONTROL)].astype(np.float32)
        self._reference = reference

    def _field(self, departure: FloatArray) -> NDArray[np.float32]:
        """Departure of every pixel, affine in each triangle, float32 (side, side, 2)."""
        if self._weights is None:
            return np.zeros((PATCH_PX, PATCH_PX, 2), np.float32)
        return np.asarray(self._weights @ departure.astype(np.float32), np.float32).reshape(PATCH_PX, PATCH_PX, 2)


def _follow(placed: FloatArray, field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where points end up that lie at `placed` under the similarity: a pixel q shows what lies at q + field(q)."""
    import cv2

    out = placed.astype(np.float32)
    for _ in range(_ROUNDS):
        x, y = out.T[:, None]
        moved = np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)[0]
        out = placed.astype(np.float32) - moved
    return out
