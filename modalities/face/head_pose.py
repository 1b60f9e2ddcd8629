"""Head angles from the rotation of the face."""

from __future__ import annotations

import numpy as np

from modalities.face.models import FloatArray


def head_angles(rotation: FloatArray) -> FloatArray:
    """Yaw, pitch and roll in degrees.

    Args:
        rotation: (..., 3, 3), from camera axes (right, up, towards the camera) to the face's axes.

    Returns:
        (..., 3): yaw, positive to the person's left; pitch, positive up; roll, positive clockwise in the picture.
    """
    forward, leftward = rotation[..., 2, :], rotation[..., 0, :]
    yaw = np.arctan2(forward[..., 0], forward[..., 2])
    pitch = np.arcsin(np.clip(forward[..., 1], -1, 1))
    roll = np.arctan2(-leftward[..., 1], leftward[..., 0])
    return np.degrees(np.stack([yaw, pitch, roll], axis=-1))
