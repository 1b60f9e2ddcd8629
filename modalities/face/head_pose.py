"""Head angles from the rotation of the face."""

from __future__ import annotations

import numpy as np

from modalities.face.models import FloatArray
from modalities.face.regions import TEMPLATE, TEMPLATE_WEIGHT

_POINTS = [index for pair in TEMPLATE for index in dict.fromkeys(pair)]
_PLACES = np.array(
    [
        (place[0] * (1 if index == pair[1] else -1), *place[1:])
        for pair, place in TEMPLATE.items()
        for index in dict.fromkeys(pair)
    ]
)
_TRUST = np.sqrt([TEMPLATE_WEIGHT.get(pair[0], 1.0) for pair in TEMPLATE for _ in dict.fromkeys(pair)])
_SOLVE = np.linalg.pinv(np.column_stack([_PLACES[:, 0], _PLACES[:, 2], np.ones(len(_PLACES))]) * _TRUST[:, None])
"""What the least-squares fit of `measure_head` multiplies by."""


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


def measure_head(points: FloatArray, rotation: FloatArray) -> FloatArray:
    """Yaw, pitch and roll of a sighted face in degrees, as `head_angles`, with a yaw that does not trust the mesh's
    depth.

    The network that guesses the depth of the landmarks lets it turn by a tenth to a quarter less than the face in the
    picture does. Seen from far, the place of a point across the picture is `scale * (x cos yaw + z sin yaw)`, once the
    lean is undone: fitted to the template's x and z over its stable points, that gives the yaw from the picture alone.
    Pitch stays with the mesh: faces differ more in height than the turn changes it.

    Args:
        points: Landmarks, (478, 3), x right and y down, pixels.
        rotation: From `registration.fit_head`, (3, 3).
    """
    up = rotation[1]
    lean = np.arctan2(up[0], up[1])
    flat = points[_POINTS, :2] * (1.0, -1.0)
    across = flat @ (np.cos(lean), -np.sin(lean))
    level, turned, _ = _SOLVE @ (across * _TRUST)
    yaw, pitch = np.arctan2(turned, level), np.arctan2(-up[2], np.hypot(up[0], up[1]))
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    leant = np.array([[np.cos(lean), np.sin(lean), 0], [-np.sin(lean), np.cos(lean), 0], [0, 0, 1]])
    return head_angles((leant @ tilt @ turn).T)
