"""Motion of the face's regions between aligned pictures, the head's own motion taken out.

Dense inverse search flow (Kroeger et al. 2016) between the aligned picture now and those about 1/15, 1/4 and 1 s ago,
without what a rigid head does to it (`head_motion`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.depth.motion import measure_motion
from modalities.face.depth.space import FaceSpace
from modalities.face.flow_methods import DenseFlow, dense_flow
from modalities.face.head_motion import POINTS, TRUST, FacePicture, HeadMotion, squares
from modalities.face.models import FloatArray, Picture
from modalities.face.regions import NAMES, averaging

LAGS_S = (1 / 15, 0.25, 1.0)
"""How long ago the picture is with which the present one is compared."""
EVERY_S = (0.0, 0.25, 0.25)
"""How often each lag is measured; 0 for every picture. What a longer lag adds, the shorter ones carry on."""
EARLY_S = 0.005
"""A lag may be measured so much before it is due, lest the jitter of frame times puts it off by a frame."""
LAG_TOLERANCE = 0.4
"""A picture counts as `lag` ago when it is off by at most this share of the lag."""
REGION_MEAN = averaging(len(POINTS), POINTS)
"""From `POINTS` to the regions, (regions, points)."""


@dataclass(frozen=True, eq=False, slots=True)
class _Past:
    number: int
    face: FacePicture


@dataclass(frozen=True, eq=False, slots=True)
class LagFlow:
    """Motion since about `LAGS_S` ago.

    Attributes:
        back: For each lag how many pictures ago its partner was, int (lags,); 0 where there was none or it was not due.
        motion: Displacement of each region (x to the person's left, y up) in pixels of the aligned picture,
            float64 (lags, regions, 2); meaningless where `back` is 0.
        remaining: Root mean square motion that is left on the points of the fit, pixels, (lags,).
        in_space: Where motion was measured in space: it is along the face's axes, whatever the turn of the head, and
            `registration.PATCH_IOD_PX` pixels are the inter-ocular distance; bool (lags,).
    """

    back: NDArray[np.int64]
    motion: FloatArray
    remaining: FloatArray
    in_space: NDArray[np.bool_]


class FlowMeter:
    """Measures the motion of regions between each aligned picture and earlier ones; remembers about 1.4 s.

    Args:
        method: Of `flow_methods.FLOW_METHODS`.

    Attributes:
        head: What it has learnt of this head.
    """

    def __init__(self, method: str = "dis") -> None:
        self._past: deque[_Past] = deque()
        self.head = HeadMotion()
        self._method = method
        self._flow: DenseFlow | None = None
        self._due_ns = [-(2**62)] * len(LAGS_S)

    def restart(self) -> None:
        """Forget the past: the face was lost."""
        self._past.clear()

    def measure(
        self,
        patch: Picture,
        points: NDArray[np.float32],
        depth: FloatArray,
        t_ns: int,
        number: int,
        space: FaceSpace | None = None,
    ) -> LagFlow:
        """Take the next aligned picture.

        Args:
            patch: Grey uint8 (s, s).
            points: Landmarks in it, (478, 2).
            depth: Landmarks towards the camera in inter-ocular distances, (478,).
            t_ns: Its time; increases from call to call.
            number: Its row number; the answer's `back` counts in these.
            space: What a depth camera says of it.
        """
        now = FacePicture(patch, points[POINTS], depth[POINTS].astype(np.float32), t_ns, space)
        self._flow = self._flow or dense_flow(self._method)
        back = np.zeros(len(LAGS_S), np.int64)
        motion = np.zeros((len(LAGS_S), len(NAMES), 2))
        remaining = np.zeros(len(LAGS_S))
        in_space = np.zeros(len(LAGS_S), bool)
        for at, lag_s in enumerate(LAGS_S):
            then = self._partner(t_ns, lag_s, number, int(back[0])) if t_ns >= self._due_ns[at] else None
            if then is None:
                continue
            self._due_ns[at] = t_ns + round((EVERY_S[at] - EARLY_S) * NS_PER_S)
            back[at] = number - then.number
            moved, in_space[at] = measure_motion(self.head, then.face, now, self._flow)
            remaining[at] = np.sqrt(TRUST @ squares(moved) / TRUST.sum())
            motion[at] = REGION_MEAN @ moved * (1, -1)
        self._past.append(_Past(number, now))
        while t_ns - self._past[0].face.t_ns > (1 + LAG_TOLERANCE) * max(LAGS_S) * NS_PER_S:
            self._past.popleft()
        return LagFlow(back, motion, remaining, in_space)

    def _partner(self, t_ns: int, lag_s: float, number: int, first: int) -> _Past | None:
        """The remembered picture whose age is nearest to the lag.

        Where the shortest lag leaps over pictures, links of that lag alone make several chains side by side that know
        nothing of each other (even and odd pictures, say); a partner that joins them is preferred.

        Args:
            t_ns: Time now.
            lag_s: The lag.
            number: Row number now.
            first: How many pictures ago the partner of the shortest lag is; 0 while it is being looked for.
        """
        near, reach = t_ns - round(lag_s * NS_PER_S), LAG_TOLERANCE * lag_s * NS_PER_S
        after = bisect_left(self._past, near, key=lambda past: past.face.t_ns)
        around = [self._past[at] for at in range(max(0, after - 2), min(len(self._past), after + 2))]
        around = [past for past in around if abs(past.face.t_ns - near) <= reach]
        joining = [past for past in around if gcd(number - past.number, first) == 1]
        return min(
            joining if first > 1 and joining else around, key=lambda past: abs(past.face.t_ns - near), default=None
        )
