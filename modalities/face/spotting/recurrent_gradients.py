"""Reference spotters: HOG-TOP and HIGO-TOP of sliding windows, read by a recurrent network.

After Tran, Vo, Hong & Zhao, "Dense prediction for micro-expression spotting based on deep sequence model" (2019):
windows of several lengths slide over the video, each is described by HOG-TOP or HIGO-TOP (Li et al. 2018;
`descriptors.gradients`), and an LSTM reads the sequence of descriptions and gives a score to every place and length.

What differs: two lengths, 0.32 s for micro- and 1.3 s for macro-expressions; 4 x 4 cells of pictures of half the size,
windows brought to 8 pictures; the 384 numbers of each window are brought to 24 by principal components of what changes
within a video; the network labels every moment (`recurrent`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.descriptors.gradients import HigoTop, HogTop
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.base import Reducer
from modalities.face.spotting.differences import FACE_BOX
from modalities.face.spotting.learned import load_learned
from modalities.face.spotting.recurrent import RecurrentSpotter

WINDOWS_S = (0.32, 1.3)
FRAMES, GRID = 8, 4
COMPONENTS = 24
SIZE = (66, 75)
"""Width and height of the face as it is looked at."""
HOP_S = 0.075
"""Windows follow each other by this time."""
LEAST_STEP_S = 0.0305
MOST_MISSING = 0.3
"""A window of which a greater share was not seen is left out."""


class HogLstmSpotter(RecurrentSpotter):
    """HOG-TOP and an LSTM."""

    name = "hog-lstm"
    columns = len(WINDOWS_S) * COMPONENTS + 1

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        tables = load_learned(self.name).tables
        projections = tuple(Projection(tables[f"centre{at}"], tables[f"axes{at}"]) for at in range(len(WINDOWS_S)))
        return WindowReducer(descriptor_of(self.name), projections)


class HigoLstmSpotter(HogLstmSpotter):
    """HIGO-TOP and an LSTM."""

    name = "higo-lstm"


def descriptor_of(name: str) -> HogTop:
    """The descriptor of "hog-lstm" or "higo-lstm"."""
    return (HigoTop if name.startswith("higo") else HogTop)(grid=GRID, frames=FRAMES)


@dataclass(frozen=True, eq=False)
class Projection:
    """Onto principal components.

    Attributes:
        centre: Mean of the vectors, (d,).
        axes: (components, d).
    """

    centre: NDArray[np.float32]
    axes: NDArray[np.float32]


class WindowReducer:
    """Keeps the description of the windows around a picture.

    Args:
        descriptor: Of windows.
        projections: By window length; None keeps all numbers, for those who fit them.
    """

    def __init__(self, descriptor: HogTop, projections: tuple[Projection, ...] | None) -> None:
        self._descriptor = descriptor
        self._projections = projections
        self._kept: deque[tuple[int, int, NDArray[np.float32]]] = deque()
        self._done_ns: int | None = None
        self._each = descriptor.dimension if projections is None else COMPONENTS
        self._rows: list[tuple[int, NDArray[np.float32]]] = []

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        import cv2

        if self._kept and t_ns - self._kept[-1][0] < LEAST_STEP_S * NS_PER_S:
            return
        left, top, right, bottom = FACE_BOX
        face = cv2.resize(patch[top:bottom, left:right], SIZE, interpolation=cv2.INTER_AREA)
        self._kept.append((t_ns, number, face.astype(np.float32)))
        reach_ns = round(max(WINDOWS_S) * NS_PER_S)
        while t_ns - self._kept[0][0] > reach_ns:
            self._kept.popleft()
        middle_ns = t_ns - reach_ns // 2
        if self._done_ns is None or middle_ns - self._done_ns >= HOP_S * NS_PER_S:
            self._describe(middle_ns)

    def _describe(self, middle_ns: int) -> None:
        times = np.array([one[0] for one in self._kept], np.int64)
        if len(times) < 5 or times[-1] - times[0] < (1 - MOST_MISSING) * max(WINDOWS_S) * NS_PER_S:
            return
        if np.diff(times).max() > MOST_MISSING * max(WINDOWS_S) * NS_PER_S:
            return
        self._done_ns = middle_ns
        values = []
        for at, window_s in enumerate(WINDOWS_S):
            wanted = middle_ns + np.linspace(-0.5, 0.5, FRAMES) * window_s * NS_PER_S
            vector = self._descriptor.pool(self._at(np.rint(wanted).astype(np.int64), times))
            if self._projections is not None:
                one = self._projections[at]
                vector = one.axes @ (vector - one.centre)
            values.append(vector)
        nearest = int(np.abs(times - middle_ns).argmin())
        self._rows.append((self._kept[nearest][1], np.concatenate(values)))

    def _at(self, wanted_ns: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pictures at these times, between two neighbours by their shares, (frames, h, w)."""
        right = np.clip(np.searchsorted(times, wanted_ns), 1, len(times) - 1)
        share = np.clip((wanted_ns - times[right - 1]) / (times[right] - times[right - 1]), 0, 1)
        return np.stack(
            [
                (1 - part) * self._kept[at - 1][2] + part * self._kept[at][2]
                for at, part in zip(right.tolist(), share.astype(np.float32), strict=True)
            ]
        )

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: numbers of both windows, and whether there are any, (n, 49)."""
        out = np.zeros((n, len(WINDOWS_S) * self._each + 1), np.float32)
        for number, values in self._rows:
            out[number, :-1] = values
            out[number, -1] = 1
        return out
