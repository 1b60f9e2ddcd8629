"""Motion of a face's skin in space between two pictures, without the head's.

Flow tells where in the later picture each point of the skin is; both surfaces tell where in space it was and is. The
rigid motion that explains most of the points is the head's; what is left of each is turned to the face's own axes, so
that a smile is as large from the side as from the front (scene flow; Vedula et al. 1999).

Across the line of sight flow is precise, across the skin the distances are. Where both look the same way, at skin that
is seen edge on, nobody measures motion along the line of sight, and the skin around says what is likely.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.depth.rigid import Turn, fit_head_turn, fit_turn
from modalities.face.depth.space import FaceSpace, look_up
from modalities.face.flow_methods import DenseFlow
from modalities.face.head_motion import POINTS, TRUST, WARP_FROM_PX, FacePicture, HeadMotion, sample, warp_back
from modalities.face.models import FloatArray, Picture
from modalities.face.regions import REGIONS, STABLE
from modalities.face.registration import PATCH_IOD_PX

HEAD_TRUST = np.array(
    [STABLE.get(i, 0.05) if trust > 0 else 0.0 for i, trust in zip(POINTS.tolist(), TRUST.tolist(), strict=True)]
)
"""Weight of each of `head_motion.POINTS` for the head's motion: distances make it certain, so that what expressions
move need hardly count."""
ACROSS_MM, OUT_MM = 0.1, 0.2
"""Standard error of displacements across the line of sight (a fifth of a pixel of a face 60 px between the eyes), and
across the skin where distances are measured."""
AROUND = 0.2
"""Standard deviation of the bell within which the skin around counts, inter-ocular distances."""
ALIKE_MM, NEAR_ZERO_MM = 0.5, 0.7
"""How far the motion of a point is from that of the skin around, and that from none, where nobody measures it."""
LOOK_PX = 7
"""Side of the square that is looked for again around each point."""
FARTHEST_PX = 1.0
"""Farther from the flow around it a point is not sought."""
_CELL_PX = 4
_SLOPE_PX = 3.0
_LEAST_TRUST = 1e-4
_REGION_POINTS = np.flatnonzero(np.isin(POINTS, [index for points in REGIONS.values() for index in points]))


def measure_motion(head: HeadMotion, then: FacePicture, now: FacePicture, flow: DenseFlow) -> tuple[FloatArray, bool]:
    """Motion of the points of a face from one picture to a later one, without that of the head.

    Args:
        head: Takes the head's motion out where one of the two pictures has no distances.
        then: Earlier picture.
        now: Later picture.
        flow: Measures it.

    Returns:
        (points, 2), pixels of the aligned picture, x right and y down; and whether it was measured in space: then it is
        along the face's axes, and `PATCH_IOD_PX` pixels are the inter-ocular distance whatever the turn of the head.
    """
    if then.space is None or now.space is None:
        return head.remove(then, now, flow).at_points, False
    moved = motion_in_space(then, now, then.space, now.space, flow)
    return PATCH_IOD_PX * moved[:, :2] * (1, -1), True


def motion_in_space(
    then: FacePicture, now: FacePicture, before: FaceSpace, after: FaceSpace, flow: DenseFlow
) -> FloatArray:
    """Displacement of `head_motion.POINTS` along the face's axes (to the person's left, up, forward), without the
    head's, in inter-ocular distances, (points, 3).

    Args:
        then: Earlier picture.
        now: Later picture.
        before: Where the earlier one lies in space.
        after: Where the later one does.
        flow: Measures between them.
    """
    places = then.points.astype(np.float64)
    start = before.points_mm(places)
    guess = fit_turn(start, after.points_mm(now.points.astype(np.float64)), TRUST)
    ended = _follow(then, now, places, _foretell(before, after, guess, len(now.patch)), flow)
    end = after.points_mm(ended)
    known = np.minimum(look_up(before.known, places), look_up(after.known, ended)) ** 2
    sight = end / np.linalg.norm(end, axis=1, keepdims=True)
    out = _normals(after, ended)
    facing = np.einsum("na,na->n", out, sight)
    precision = (np.eye(3) - _squares(sight)) / ACROSS_MM**2 + _squares(out) * (known / OUT_MM**2)[:, None, None]
    trust = HEAD_TRUST * (known * facing**2 + _LEAST_TRUST)
    rotation, shift = fit_head_turn(start, end, trust, precision)
    left = end - (start @ rotation.T + shift)
    return after.to_face(_with_skin_around(left, end, precision, AROUND * after.eyes_mm))


def _foretell(before: FaceSpace, after: FaceSpace, motion: Turn, side: int) -> NDArray[np.float32]:
    """Displacement of every pixel of the earlier picture by the head's motion, float32 (side, side, 2)."""
    import cv2

    cells = -(-side // _CELL_PX)
    at = _CELL_PX * (np.arange(cells) + 0.5) - 0.5
    places = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    points = before.points_mm(places) @ motion[0].T + motion[1]
    moved = (after.places(points) - places).reshape(cells, cells, 2).astype(np.float32)
    fine = cv2.resize(moved, (cells * _CELL_PX, cells * _CELL_PX), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(fine[:side, :side])


def _follow(
    then: FacePicture, now: FacePicture, places: FloatArray, ahead: NDArray[np.float32], flow: DenseFlow
) -> FloatArray:
    """Where in the later picture the points of the earlier one are, (points, 2).

    Flow smooths over the small areas that an expression moves; so each point is sought again in a small square.
    """
    at_points = look_up(ahead, places)
    warped = bool(np.abs(at_points - at_points.mean(axis=0)).max() > WARP_FROM_PX)
    later = warp_back(now.patch, ahead) if warped else now.patch
    ended = _sought(then.patch, later, places, places + sample(flow(then.patch, later), places))
    return ended + look_up(ahead, ended) if warped else ended


def _sought(before: Picture, later: Picture, places: FloatArray, guess: FloatArray) -> FloatArray:
    """Points found anew near a guess (Lucas & Kanade 1981); the guess where they are not, (points, 2)."""
    import cv2

    begin, near = (np.ascontiguousarray(at[:, None], np.float32) for at in (places, guess))
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before, later, begin, near, winSize=(LOOK_PX, LOOK_PX), maxLevel=0, flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.005),
    )  # fmt: skip
    found = np.asarray(found, np.float64)[:, 0]
    kept = (np.asarray(status)[:, 0] > 0) & (np.linalg.norm(found - guess, axis=1) <= FARTHEST_PX)
    return np.where(kept[:, None], found, guess)


def _with_skin_around(left: FloatArray, end: FloatArray, precision: FloatArray, reach_mm: float) -> FloatArray:
    """Displacements (points, 3), those of the regions completed by the skin around where they are not measured."""
    at = _REGION_POINTS
    pull = np.einsum("nab,nb->na", precision, left)
    near = np.exp(-((end[at][:, None] - end[None]) ** 2).sum(axis=-1) / (2 * reach_mm**2)) * (TRUST > 0)
    near[np.arange(len(at)), at] = 1
    gathered = np.einsum("rn,nab->rab", near, precision) + np.eye(3) / NEAR_ZERO_MM**2
    around = np.linalg.solve(gathered, (near @ pull)[..., None])[..., 0]
    out = left.copy()
    likely = 1 / ALIKE_MM**2
    out[at] = np.linalg.solve(precision[at] + likely * np.eye(3), (pull[at] + likely * around)[..., None])[..., 0]
    return out


def _squares(vectors: FloatArray) -> FloatArray:
    """Products of vectors (n, 3) with themselves, (n, 3, 3)."""
    return np.asarray(vectors[:, :, None] * vectors[:, None, :])


def _normals(space: FaceSpace, places: FloatArray) -> FloatArray:
    """Unit vectors across the skin, (n, 3), camera's axes."""
    right, down = np.array([_SLOPE_PX, 0]), np.array([0, _SLOPE_PX])
    across = space.points_mm(places + right) - space.points_mm(places - right)
    along = space.points_mm(places + down) - space.points_mm(places - down)
    normal = np.cross(across, along)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9))
