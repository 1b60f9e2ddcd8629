"""The eyes."""

from __future__ import annotations

import numpy as np

from modalities.face.models import FloatArray
from modalities.face.regions import EYES, LIDS

_SIDES = ("right", "left")
_CORNERS = np.array([EYES[side] for side in _SIDES])
_LIDS = np.array([LIDS[side] for side in _SIDES])


def lid_heights(frontal: FloatArray) -> FloatArray:
    """Height of upper and lower lid over the line between the corners of the eye.

    Args:
        frontal: Landmarks in the face's axes, (478, 2), any unit; the answer has the same.

    Returns:
        (2, 2): right and left eye by upper and lower lid; positive is up.
    """
    outer, inner = frontal[_CORNERS[:, 0]], frontal[_CORNERS[:, 1]]
    along = inner - outer
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1) / np.linalg.norm(along, axis=1, keepdims=True)
    across *= np.sign(across[:, 1:])
    lids = frontal[_LIDS].mean(axis=1)
    return np.einsum("slx,sx->sl", lids - outer[:, None], across)
