"""What spotters by flow keep of a video: one number of each picture and the flow to and past it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from modalities.face.flow_methods import DenseFlow, dense_flow
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.differences import FACE_BOX, Kept, Triples

LEAST_STEP_S = 0.0245
"""At most about 40 pictures a second are looked at."""

Flow = NDArray[np.float32]
Difference = Callable[[Flow, Flow], float]
"""A number of two flows, (h, w, 2) each: from the picture k earlier to the present one, and to the one k later."""


class FlowReducer:
    """Keeps the difference of each picture at several distances.

    Args:
        apart_s: The distances k, seconds.
        difference: What is kept.
    """

    def __init__(self, apart_s: Sequence[float], difference: Difference) -> None:
        self._triples: Triples[Picture] = Triples(tuple(apart_s), LEAST_STEP_S)
        self._kept = Kept(len(apart_s))
        self._difference = difference
        self._flow: DenseFlow | None = None

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        if not self._triples.wants(t_ns):
            return
        self._flow = self._flow or dense_flow("dis")
        left, top, right, bottom = FACE_BOX
        for one in self._triples.add(np.ascontiguousarray(patch[top:bottom, left:right]), t_ns, number):
            there, beyond = self._flow(one.before, one.now), self._flow(one.before, one.after)
            self._kept.put(one.number, one.scale, self._difference(there, beyond))

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: difference and whether there is one, at each distance, (n, 2 * distances)."""
        return self._kept.table(n)
