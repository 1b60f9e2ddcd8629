"""Facial asymmetry: how much stronger one half of the face moves than the other.

Put-on expressions are more often one-sided than felt ones (Ekman, Hager & Friesen 1981), and a one-sided AU14 is the
expression of contempt, so that the difference is an output of its own. It is one of movement: a face that is crooked at
rest is not asymmetric here, because intensities are relative to the person's own neutral.
"""

from __future__ import annotations

import numpy as np

from modalities.face.action_units import AU_NAMES
from modalities.face.models import FloatArray

CALM = 0.3
"""Sum of the intensities of both sides at which the index reaches half of the plain share."""
PARTS: dict[str, tuple[str, ...]] = {
    "asymmetry": ("au01", "au02", "au04", "au05", "au06", "au07", "au09", "au10", "au12", "au14", "au15", "au20"),
    "asymmetry_upper": ("au01", "au02", "au04", "au05", "au06", "au07"),
    "asymmetry_lower": ("au09", "au10", "au12", "au14", "au15", "au20"),
}
"""Name of the column -> paired action units that count."""


def measure_asymmetry(intensities: FloatArray) -> dict[str, FloatArray]:
    """Signed asymmetry of the whole face, its upper and its lower half.

    The index is (left - right) / (left + right + `CALM`), left and right being the sums over the paired action units of
    the part: the plain share of one-sidedness, drawn to 0 where hardly anything moves.

    Args:
        intensities: Of each of `AU_NAMES`, 0..1, (frames, units).

    Returns:
        Column -> (frames,), -1..1: positive where the person's left side moves more.
    """
    out = {}
    for name, units in PARTS.items():
        left, right = (
            intensities[:, [AU_NAMES.index(f"{unit}_{side}") for unit in units]].sum(axis=1)
            for side in ("left", "right")
        )
        out[name] = np.asarray((left - right) / (left + right + CALM))
    return out
