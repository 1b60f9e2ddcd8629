"""Skeletons over time: the 33 joints of MediaPipe Pose, their names and mirror partners, and how well each was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.time import Int64Array

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

JOINTS = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
"""Joints in MediaPipe's order; left and right are the person's own."""

VISIBLE = 0.3
"""Least visibility at which a joint counts as seen."""

SIDES = ("left", "right")


def index_of(*names: str) -> list[int]:
    """Indices of joints by name."""
    return [JOINTS.index(name) for name in names]


FACE = index_of("nose", "left_eye", "right_eye", "mouth_left", "mouth_right")
"""Joints whose mean is the centre of the face."""
MOUTH = index_of("mouth_left", "mouth_right")
HANDS = {side: index_of(f"{side}_wrist", f"{side}_pinky", f"{side}_index") for side in SIDES}
"""Joints whose mean is the centre of a hand; the first is the wrist."""
SHOULDERS = index_of("left_shoulder", "right_shoulder")
HIPS = index_of("left_hip", "right_hip")
EYES = index_of("left_eye_outer", "right_eye_outer")
MOVING = index_of(
    "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee",
)  # fmt: skip
"""Joints whose mean speed is the movement energy."""
JUDGED = index_of(
    "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip",
)  # fmt: skip
"""Joints whose mean visibility is the confidence."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """One person's joints at n times.

    Attributes:
        times_ns: int64 (n,), strictly increasing.
        points: float64 (n, 33, 2), x right and y down in px of the original picture; may lie outside of it.
        visibility: float64 (n, 33), 0..1.
        found: bool (n,): False where there is no body; points and visibility mean nothing there.
        width: Picture width, px.
        height: Picture height, px.
        world: float64 (n, 33, 3), metres from the middle of the hips: right in the picture, down, away from the
            camera; None where the tracker gives none.
    """

    times_ns: Int64Array
    points: FloatArray
    visibility: FloatArray
    found: BoolArray
    width: int
    height: int
    world: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.times_ns)
        if self.world is not None and self.world.shape != (n, len(JOINTS), 3):
            raise InvalidValueError("the world coordinates of a skeleton do not fit its times", got=self.world.shape)
        shapes = (self.points.shape, self.visibility.shape, self.found.shape)
        if shapes != ((n, len(JOINTS), 2), (n, len(JOINTS)), (n,)):
            raise InvalidValueError("the arrays of a skeleton do not fit together", got=shapes)

    @property
    def times_s(self) -> FloatArray:
        """Seconds since the first sample, shape (n,)."""
        first = self.times_ns[0] if len(self.times_ns) else 0
        return (self.times_ns - first).astype(np.float64) * 1e-9

    @property
    def inside(self) -> BoolArray:
        """Which joints lie inside the picture, shape (n, 33)."""
        x, y = self.points[..., 0], self.points[..., 1]
        return (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)

    @property
    def seen(self) -> BoolArray:
        """Which joints can be used: body found, visibility at least `VISIBLE`, inside the picture; shape (n, 33)."""
        return self.found[:, None] & (self.visibility >= VISIBLE) & self.inside
