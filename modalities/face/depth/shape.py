"""The shape of one person's head, averaged while it is watched: a steadier hold for its pose than a frame's landmarks.

A frame's landmarks shake by a millimetre, and a template of thirteen pairs of them turns by a degree with that. All
landmarks together, against where they usually are on this head, do not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modalities.face.depth.measured import MeasuredFace
from modalities.face.depth.rigid import fit_head_turn
from modalities.face.models import FloatArray
from modalities.face.regions import STABLE
from modalities.face.registration import HeadFit, fit_head

LEAST_RATE = 0.005
"""Share of a frame in the average once there have been two hundred: half a minute at most is remembered."""
TRUST = np.array([STABLE.get(at, 0.1) for at in range(468)] + [0.0] * 10)
"""Weight of each landmark for the pose."""
GUESSED = 0.02
"""Weight of one without a distance."""
_UP = (1.0, -1.0, -1.0)


class HeadShape:
    """Learns where the landmarks are on one head."""

    def __init__(self) -> None:
        self._shape: FloatArray | None = None
        self._seen = np.zeros(478)

    def hold(self, face: MeasuredFace) -> MeasuredFace:
        """The face with a pose, and places along the face's axes, that all its landmarks tell."""
        points = face.points_mm * _UP
        if self._shape is None:
            self._shape = face.head.iod_px * face.head.frontal
        trust = TRUST * np.where(face.valid, 1.0, GUESSED)
        precision = np.broadcast_to(np.eye(3), (len(points), 3, 3))
        turn, shift = fit_head_turn(self._shape, points, trust, precision)
        own = (points - shift) @ turn
        self._seen += face.valid
        rate = np.where(face.valid, np.maximum(1 / np.maximum(self._seen, 1), LEAST_RATE), 0)
        self._shape = self._shape + rate[:, None] * (own - self._shape)
        upright = fit_head(self._shape * _UP)
        frontal = upright.frontal + (own - self._shape) @ upright.rotation.T / upright.iod_px
        return replace(face, head=HeadFit(upright.rotation @ turn.T, upright.iod_px, frontal, upright.residual))
