"""The mouth: how far it is open."""

from __future__ import annotations

import numpy as np

from modalities.face.models import FloatArray
from modalities.face.regions import INNER_LIPS

_UPPER = np.array([pair[0] for pair in INNER_LIPS])
_LOWER = np.array([pair[1] for pair in INNER_LIPS])


def inner_gap(frontal: FloatArray) -> float:
    """Mean gap between the inner edges of the lips, >= 0.

    Args:
        frontal: Landmarks in the face's axes, (478, 3), any unit; the answer has the same.
    """
    return float(np.linalg.norm(frontal[_UPPER] - frontal[_LOWER], axis=1).mean())
