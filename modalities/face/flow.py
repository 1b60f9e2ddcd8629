"""Motion of the face's regions between aligned pictures, the head's own motion taken out.

Dense inverse search flow (Kroeger et al. 2016) between the aligned picture now and those about 1/15, 1/4 and 1 s ago.
What a rigid head does to it is linear in place and depth for small turns (Longuet-Higgins & Prazdny 1980): fitted
robustly on the whole face, most on the points that expressions hardly move, and subtracted. Hundreds of points
together know the head's motion far better than a few stable ones; a movement of one part of the face does not bend the
fit, because weights fall where flow departs from it.

The flow goes down to single pixels (finest scale 0) without variational smoothing: the presets stop at a quarter of the
resolution and lose two thirds of a movement of a few percent of the inter-ocular distance.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.models import FloatArray, Picture
from modalities.face.regions import NAMES, REGIONS, STABLE, averaging

LAGS_S = (1 / 15, 0.25, 1.0)
"""How long ago the picture is with which the present one is compared."""
LAG_TOLERANCE = 0.4
"""A picture counts as `lag` ago when it is off by at most this share of the lag."""
SMOOTH_PX = 7
"""Side of the square over which flow is averaged around a landmark, pixels of the aligned picture."""

LEAST_TRUST = 0.3
"""Weight, before looking at the flow, of the points that expressions do move."""

_LIDS = (
    *(7, 22, 23, 24, 25, 26, 27, 28, 29, 30, 33, 56, 110, 112, 130, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160),
    *(161, 163, 173, 190, 243, 246, 247, 249, 252, 253, 254, 255, 256, 257, 258, 259, 260, 263, 286, 339, 341, 359, 362),
    *(373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 414, 463, 466, 467),
)
_OUTLINE = (
    *(10, 21, 54, 58, 67, 93, 103, 109, 127, 132, 136, 148, 149, 150, 152, 162, 172, 176, 234, 251, 284, 288, 297, 323),
    *(332, 338, 356, 361, 365, 377, 378, 379, 389, 397, 400, 454),
)
"""Flow says nothing of the head around the eyes, which blink, and at the outline, where the background begins."""
_OF_REGIONS = {index for points in REGIONS.values() for index in points}
_USED = np.array([i for i in range(468) if i in _OF_REGIONS or i not in {*_LIDS, *_OUTLINE}], dtype=np.int64)
_REGION_MEAN = averaging(len(_USED), _USED)
_TRUST = np.array(
    [0.0 if i in _LIDS or i in _OUTLINE else max(LEAST_TRUST, STABLE.get(i, 0.0)) for i in _USED.tolist()]
)


@dataclass(frozen=True, eq=False, slots=True)
class _Past:
    t_ns: int
    number: int
    patch: Picture
    points: NDArray[np.float32]
    depth: NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class LagFlow:
    """Motion since about `LAGS_S` ago.

    Attributes:
        back: For each lag how many remembered pictures ago its partner was, int (lags,); 0 where there was none.
        motion: Displacement of each region (x to the person's left, y up) in pixels of the aligned picture,
            float64 (lags, regions, 2); meaningless where `back` is 0.
        remaining: Root mean square motion that is left on the points of the fit, pixels, (lags,).
    """

    back: NDArray[np.int64]
    motion: FloatArray
    remaining: FloatArray


class FlowMeter:
    """Measures the motion of regions between each aligned picture and earlier ones; remembers about 1.4 s."""

    def __init__(self) -> None:
        self._past: deque[_Past] = deque()
        self._dis: Any = None

    def restart(self) -> None:
        """Forget the past: the face was lost."""
        self._past.clear()

    def measure(
        self, patch: Picture, points: NDArray[np.float32], depth: FloatArray, t_ns: int, number: int
    ) -> LagFlow:
        """Take the next aligned picture.

        Args:
            patch: Grey uint8 (s, s).
            points: Landmarks in it, (478, 2).
            depth: Landmarks towards the camera in inter-ocular distances, (478,).
            t_ns: Its time; increases from call to call.
            number: Its row number; the answer's `back` counts in these.
        """
        now = _Past(t_ns, number, patch, points[_USED], depth[_USED].astype(np.float32))
        back = np.zeros(len(LAGS_S), np.int64)
        motion = np.zeros((len(LAGS_S), len(NAMES), 2))
        remaining = np.zeros(len(LAGS_S))
        for at, lag_s in enumerate(LAGS_S):
            then = self._partner(t_ns, lag_s)
            if then is None:
                continue
            back[at] = number - then.number
            moved = remove_head_motion(self._flow_at(then, now), then.points, then.depth)
            remaining[at] = np.sqrt(np.average((moved**2).sum(axis=1), weights=_TRUST))
            motion[at] = _REGION_MEAN @ moved * (1, -1)
        self._past.append(now)
        while t_ns - self._past[0].t_ns > (1 + LAG_TOLERANCE) * max(LAGS_S) * NS_PER_S:
            self._past.popleft()
        return LagFlow(back, motion, remaining)

    def _partner(self, t_ns: int, lag_s: float) -> _Past | None:
        """The remembered picture whose age is nearest to the lag."""
        best = min(self._past, key=lambda past: abs(t_ns - past.t_ns - lag_s * NS_PER_S), default=None)
        off = np.inf if best is None else abs(t_ns - best.t_ns - lag_s * NS_PER_S)
        return best if off <= LAG_TOLERANCE * lag_s * NS_PER_S else None

    def _flow_at(self, then: _Past, now: _Past) -> FloatArray:
        """Smoothed flow at the earlier picture's landmarks, x right and y down, float64 (used, 2)."""
        import cv2

        if self._dis is None:
            self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
            self._dis.setFinestScale(0)
            self._dis.setPatchStride(6)
        flow = self._dis.calc(then.patch, now.patch, None)
        smooth = cv2.blur(flow, (SMOOTH_PX, SMOOTH_PX))
        columns, rows = np.clip(np.rint(then.points), 0, np.array(smooth.shape[1::-1]) - 1).astype(int).T
        return smooth[rows, columns].astype(np.float64)


def remove_head_motion(flow: FloatArray, points: FloatArray, depth: FloatArray, rounds: int = 3) -> FloatArray:
    """Flow at landmarks minus that of a rigid head.

    Args:
        flow: (used, 2), pixels, at the landmarks off the lids and the outline, in order of index.
        points: Where they are, (used, 2), pixels.
        depth: Towards the camera, any scale, (used,).
        rounds: Rounds of reweighting by Cauchy's function, which lets go of points that move otherwise.

    Returns:
        What is left, (used, 2).
    """
    basis = np.column_stack([np.ones(len(points)), (points - points.mean(axis=0)) / 60.0, depth])
    weights = _TRUST.copy()
    left = flow
    for _ in range(rounds):
        gram = (basis * weights[:, None]).T
        ridge = 1e-3 * weights.sum() * np.diag([0, 1, 1, 1])
        left = flow - basis @ np.linalg.solve(gram @ basis + ridge, gram @ flow)
        size = (left**2).sum(axis=1)
        typical = float(np.median(size[_TRUST > 0])) + 1e-4
        weights = _TRUST / (1 + size / (4 * typical))
    return left
