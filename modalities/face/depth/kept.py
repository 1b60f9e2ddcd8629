"""What is kept of each frame that a depth camera measured: some 160 bytes, beside the frame's row."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modalities.face.depth.measured import MeasuredFace, measure_face
from modalities.face.depth.shape import HeadShape
from modalities.face.depth.surface import Surface
from modalities.face.landmarks import Sighting
from modalities.face.models import FloatArray
from modalities.face.regions import NAMES, averaging

KEPT_DEPTH = "depth"
"""Name of these columns among what `observation.FaceObserver.kept` gives."""
DISTANCE, EYES, SHARE, FORWARD = 0, 1, 2, slice(3, 3 + len(NAMES))
"""Columns: distance of the face from the camera, mm; inter-ocular distance, mm; share of the face's landmarks that had
distances, 0..1; place of each region along the face's axis forward, out of its plane, percent of the inter-ocular
distance. All 0 where there was no depth."""
COLUMNS = 3 + len(NAMES)
SurfaceSource = Surface | Callable[[tuple[int, int, int, int]], Surface | None]
"""The distances in a picture; or what gives those in a box (left, top, right, bottom) of it, None for none."""
MARGIN = 0.15
"""So much is added on each side of a face's box, shares of its longer side."""
_REMEMBERED = 150
_MEAN = averaging(478)


class DepthMeter:
    """Measures one face in space, picture after picture."""

    def __init__(self) -> None:
        self._eyes: deque[float] = deque(maxlen=_REMEMBERED)
        self._shape = HeadShape()

    @property
    def eyes_mm(self) -> float:
        """Inter-ocular distance of this person: the median of what was measured lately."""
        return float(np.median(self._eyes)) if self._eyes else 0.0

    def measure(self, sighting: Sighting, source: SurfaceSource | None) -> tuple[MeasuredFace, Surface] | None:
        """The face of a sighting in millimetres, and the distances around it; None where too few were measured."""
        surface = source(box_around(sighting.box)) if callable(source) else source
        if surface is None:
            return None
        face = measure_face(sighting.points, surface)
        if face is None:
            return None
        self._eyes.append(face.eyes_mm)
        return self._shape.hold(face), surface


def box_around(box: FloatArray) -> tuple[int, int, int, int]:
    """What of a picture must have distances for a face in a box (left, top, right, bottom)."""
    margin = MARGIN * float(np.max(box[2:] - box[:2]))
    low, high = np.floor(box[:2] - margin), np.ceil(box[2:] + margin)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def depth_row(face: MeasuredFace, eyes_mm: float) -> NDArray[np.float32]:
    """The columns of one frame, float32 (`COLUMNS`,)."""
    out = np.zeros(COLUMNS, np.float32)
    out[DISTANCE], out[EYES], out[SHARE] = face.distance_mm, eyes_mm, face.share
    out[FORWARD] = 100 * (_MEAN @ face.head.frontal[:, 2])
    return out
