"""What a rigid head does to flow between two aligned pictures, and what is left of the flow without it.

Under a distant camera the displacement of a rigid head's points is linear in their place and depth, whatever the turn:
the rows of a rotation (Longuet-Higgins & Prazdny 1980; Tomasi & Kanade 1992). Three things keep a plain fit of that
from being exact, and each has its answer here:

- Flow over several pixels of foreshortening is itself wrong. The motion of the landmarks foretells the head's, the
  later picture is warped back by it, and flow measures only what is still left.
- The mesh's depth is a guess. Its error is the same in all pictures of a person, so that it is learnt while the head
  turns: it moves each point along the one direction in which depth moves, in proportion to the turn.
- Expressions bend the fit. Points that depart from it lose their weight (Cauchy's function).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.flow_methods import DenseFlow
from modalities.face.models import FloatArray, Picture
from modalities.face.regions import REGIONS, STABLE

if TYPE_CHECKING:
    from modalities.face.depth.space import FaceSpace

WARP_FROM_PX = 1.0
"""The later picture is warped where the foretold motion of some point is greater than this; below it flow is exact."""
SMOOTH_PX = 7
"""Side of the square over which flow is averaged around a landmark, pixels of the aligned picture."""
UNIT_PX = 60.0
"""Places are counted in this unit, which is the inter-ocular distance in the aligned picture."""
DEPTH_SIGMA = 0.08
"""Prior standard error of the mesh's depth, inter-ocular distances."""
NOISE_PX = 0.7
"""Standard error of one measurement as far as depth is learnt from it: high, because the pairs of one second of video
say much the same and expressions are among them."""
REMEMBER_S = 60.0
"""Time constant with which what was learnt of depth is forgotten."""
LEAST_TRUST = 0.3
"""Weight, before looking at the flow, of the points that expressions do move."""

_LIDS = (
    *(7, 22, 23, 24, 25, 26, 27, 28, 29, 30, 33, 56, 110, 112, 130, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160),
    *(161, 163, 173, 190, 243, 246, 247, 249, 252, 253, 254, 255, 256, 257, 258, 259, 260, 263, 286, 339, 341, 359),
    *(362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 414, 463, 466, 467),
)
_OUTLINE = (
    *(10, 21, 54, 58, 67, 93, 103, 109, 127, 132, 136, 148, 149, 150, 152, 162, 172, 176, 234, 251, 284, 288, 297, 323),
    *(332, 338, 356, 361, 365, 377, 378, 379, 389, 397, 400, 454),
)
"""Flow says nothing of the head around the eyes, which blink, and at the outline, where the background begins."""
_OF_REGIONS = {index for points in REGIONS.values() for index in points}
POINTS = np.array([i for i in range(468) if i in _OF_REGIONS or i not in {*_LIDS, *_OUTLINE}], dtype=np.int64)
"""Landmarks at which flow is read, in order of index."""
TRUST = np.array(
    [0.0 if i in _LIDS or i in _OUTLINE else max(LEAST_TRUST, STABLE.get(i, 0.0)) for i in POINTS.tolist()]
)
"""Weight of each of `POINTS` before looking at the flow; 0 where it says nothing of the head."""
_RIDGE = np.diag([0.0, 1.0, 1.0, 1.0])
_CELL_PX = 4
_NEAR_CELLS, _FAR_CELLS, _FAR_SHARE = 1.2, 5.0, 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class FacePicture:
    """An aligned picture and where its face is.

    Attributes:
        patch: Grey uint8 (s, s).
        points: Those of `POINTS`, (points, 2), pixels.
        depth: Towards the camera or along the face's axis, inter-ocular distances, (points,).
        t_ns: Time.
        space: Where in space its pixels lie; None without a depth camera.
    """

    patch: Picture
    points: NDArray[np.float32]
    depth: NDArray[np.float32]
    t_ns: int
    space: FaceSpace | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Remainder:
    """Motion between two pictures without the head's.

    Attributes:
        at_points: (points, 2), pixels, x right and y down, smoothed over `SMOOTH_PX`.
        warped: Whether the later picture was warped before flow was measured.
        found: The flow that was measured, (s, s, 2).
        rest: What of it is the head's, coefficients of `rigid_basis`, (4, 2).
        points: Where it was fitted, (points, 2).
        depth: Depth there, (points,).
        deeper: What was learnt of depth from this pair, (points,).
        turn: What one inter-ocular distance of depth moves by, pixels, (2,).
    """

    at_points: FloatArray
    warped: bool
    found: NDArray[np.float32]
    rest: FloatArray
    points: FloatArray
    depth: FloatArray
    deeper: FloatArray
    turn: FloatArray

    def dense(self) -> NDArray[np.float32]:
        """The same for every pixel of the earlier picture, not smoothed, (s, s, 2)."""
        side = len(self.found)
        surface = spread(self.points, self.depth, side)
        deeper = spread(self.points, self.deeper, side)
        head = dense_rigid(self.rest, surface, self.points)
        return self.found - head - deeper[..., None] * self.turn.astype(np.float32)


class HeadMotion:
    """Takes the head's motion out of flow; learns the depth of one person's face on the way.

    Args:
        trust: Weight of each landmark before looking at the flow, 0 for those that say nothing of the head, (points,);
            by default `TRUST`, for `POINTS`.
    """

    def __init__(self, trust: FloatArray = TRUST) -> None:
        self._trust = trust
        self._trusted = trust > 0
        self._pull = np.zeros(len(trust))
        self._weight = np.zeros(len(trust))
        self._learnt_ns = 0

    @property
    def correction(self) -> FloatArray:
        """What was learnt to add to the mesh's depth, inter-ocular distances, (points,)."""
        return self._pull / (self._weight + (NOISE_PX / DEPTH_SIGMA) ** 2)

    def remove(self, then: FacePicture, now: FacePicture, flow: DenseFlow) -> Remainder:
        """Measure the motion from one picture to a later one, without that of the head.

        Args:
            then: Earlier picture.
            now: Later picture.
            flow: Measures it.
        """
        points = then.points.astype(np.float64)
        depth: FloatArray = then.depth + self.correction
        basis = rigid_basis(points, depth)
        known = fit_rigid(now.points - points, basis, self._trust, rounds=1)
        moved = basis @ known
        warped = bool(np.abs(moved - moved.mean(axis=0)).max() > WARP_FROM_PX)
        if not warped:
            known = np.zeros((4, 2))
        later = now.patch
        if warped:
            surface = spread(points, depth, len(now.patch))
            later = warp_back(now.patch, dense_rigid(known, surface, points))
            depth = sample(surface, points)
            basis = rigid_basis(points, depth)
        measured = flow(then.patch, later)
        found = sample(measured, points)
        rest = fit_rigid(found, basis, self._trust)
        left = found - basis @ rest
        turn = known[3] + rest[3]
        deeper = self._learn(left, turn, now.t_ns)
        return Remainder(left - deeper[:, None] * turn, warped, measured, rest, points, depth, deeper, turn)

    def _learn(self, left: FloatArray, turn: FloatArray, t_ns: int) -> FloatArray:
        """Learn depth from what is left; how much deeper each point is than was thought before, (points,).

        Args:
            left: Motion without the head's, (points, 2).
            turn: What one inter-ocular distance of depth moves by, pixels, (2,).
            t_ns: Time of the later picture.
        """
        before = self.correction
        kept = float(np.exp(-max(0, t_ns - self._learnt_ns) / (REMEMBER_S * NS_PER_S)))
        self._learnt_ns = t_ns
        size = squares(left)
        weight = 1 / (1 + size / (9 * typical_size(size[self._trusted])))
        self._pull = kept * self._pull + weight * (left @ turn + before * (turn @ turn))
        self._weight = kept * self._weight + weight * float(turn @ turn)
        return self.correction - before


def rigid_basis(points: FloatArray, depth: FloatArray, middle: FloatArray | None = None) -> FloatArray:
    """1, place and depth of each point, (n, 4): what a rigid motion is linear in.

    Args:
        points: (n, 2), pixels.
        depth: (n,), inter-ocular distances.
        middle: What places are counted from, (2,); the mean of the points by default.
    """
    centre = points.mean(axis=0) if middle is None else middle
    basis = np.empty((len(points), 4))
    basis[:, 0], basis[:, 3] = 1.0, depth
    basis[:, 1:3] = (points - centre) / UNIT_PX
    return basis


def fit_rigid(flow: FloatArray, basis: FloatArray, trust: FloatArray, rounds: int = 3) -> FloatArray:
    """Motion of a head as coefficients of `rigid_basis`, (4, 2), by reweighted least squares.

    Args:
        flow: (n, 2).
        basis: (n, 4).
        trust: Weight of each point before looking at the flow, (n,).
        rounds: Of weighing; 1 is plain least squares.
    """
    weights = trust
    trusted = trust > 0
    fit = np.zeros((4, 2))
    for at in range(rounds):
        if at:
            size = squares(flow - basis @ fit)
            weights = trust / (1 + size / (4 * typical_size(size[trusted])))
        gram = (basis * weights[:, None]).T
        ridge = 1e-5 * weights.sum() * _RIDGE
        fit = np.linalg.solve(gram @ basis + ridge, gram @ flow)
    return fit


def squares(motion: FloatArray) -> FloatArray:
    """Squared lengths of (n, 2), (n,)."""
    return np.asarray(np.einsum("na,na->n", motion, motion))


def typical_size(size: FloatArray) -> float:
    """Upper median of squared lengths (n,), never 0; numpy's own median takes longer than the rest of a fit."""
    half = len(size) // 2
    return float(np.partition(size, half)[half]) + 1e-4


def spread(points: FloatArray, values: FloatArray, side: int) -> NDArray[np.float32]:
    """A smooth surface through values at scattered points: normalised convolution (Knutsson & Westin 1993).

    Args:
        points: (n, 2), pixels.
        values: (n,).
        side: Side of the surface, pixels.

    Returns:
        float32 (side, side); beyond the points it levels out.
    """
    import cv2

    cells = -(-side // _CELL_PX)
    place = np.clip((points + 0.5) / _CELL_PX - 0.5, 0, cells - 1.001)
    low = place.astype(np.int64)
    share = place - low
    total = np.zeros(cells * cells)
    weight = np.zeros(cells * cells)
    for right in (0, 1):
        for down in (0, 1):
            part = np.abs(1 - right - share[:, 0]) * np.abs(1 - down - share[:, 1])
            at = (low[:, 1] + down) * cells + low[:, 0] + right
            total += np.bincount(at, part * values, cells * cells)
            weight += np.bincount(at, part, cells * cells)
    both = np.stack([total, weight], axis=-1).reshape(cells, cells, 2).astype(np.float32)
    near = cv2.GaussianBlur(both, (0, 0), _NEAR_CELLS, borderType=cv2.BORDER_REPLICATE)
    far = cv2.GaussianBlur(both, (0, 0), _FAR_CELLS, borderType=cv2.BORDER_REPLICATE)
    mixed = near + np.float32(_FAR_SHARE) * far
    coarse = mixed[..., 0] / np.maximum(mixed[..., 1], np.float32(1e-9))
    fine = cv2.resize(coarse, (cells * _CELL_PX, cells * _CELL_PX), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(fine[:side, :side], dtype=np.float32)


def dense_rigid(fit: FloatArray, surface: NDArray[np.float32], points: FloatArray) -> NDArray[np.float32]:
    """Displacement of every pixel by a rigid motion, float32 (side, side, 2).

    Args:
        fit: Coefficients, (4, 2).
        surface: Depth, (side, side).
        points: Those of the fit, whose mean places are counted from.
    """
    x, y = ((np.arange(len(surface)) - middle) / UNIT_PX for middle in points.mean(axis=0))
    one = fit.astype(np.float32)
    out = np.empty((*surface.shape, 2), np.float32)
    for axis in (0, 1):
        out[..., axis] = (
            (one[0, axis] + one[1, axis] * x.astype(np.float32))[None]
            + (one[2, axis] * y.astype(np.float32))[:, None]
            + one[3, axis] * surface
        )
    return out


def warp_back(picture: Picture, displacement: NDArray[np.float32]) -> Picture:
    """The picture as it looked before it moved by this displacement, uint8 (h, w)."""
    import cv2

    height, width = picture.shape
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.asarray(
        cv2.remap(
            picture,
            displacement[..., 0] + columns,
            displacement[..., 1] + rows[:, None],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def sample(field: NDArray[np.float32], points: FloatArray) -> FloatArray:
    """A field averaged over `SMOOTH_PX` at points, float64 (n, ...) with the field's last axis if it has one.

    Args:
        field: (h, w) or (h, w, c).
        points: (n, 2), pixels.
    """
    import cv2

    smooth = cv2.blur(field, (SMOOTH_PX, SMOOTH_PX))
    x, y = points.astype(np.float32).T[:, None]
    found = np.asarray(cv2.remap(smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return found[0].astype(np.float64)
