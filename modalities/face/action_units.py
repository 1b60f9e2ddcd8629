"""Action units from the movement of regions: which muscles together explain what moved, and how strongly.

Each action unit of the Facial Action Coding System (Ekman, Friesen & Hager 2002) moves certain regions in certain
directions. The intensities are the non-negative combination that best explains the movement of all regions at once,
with a small price on each unit (non-negative lasso), so that overlapping units share what they have in common instead
of each claiming all of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.models import FloatArray
from modalities.face.regions import NAMES

FULL_SCALE = 8.0
"""A lip corner or brow that moves by this much, in percent of the inter-ocular distance, is a movement of intensity
1."""

_SMILE = {"lip_corner": (0.6, 0.65), "cheek_low": (0.2, 0.35), "fold": (0.2, 0.3), "upper_lip": (0.5, 0.5),
          "lower_lip": (0.3, 0.3)}  # fmt: skip

MOVES: dict[str, dict[str, tuple[float, float]]] = {
    "au01": {"brow_inner": (0, 0.8), "brow_between": (0, 0.5), "brow_middle": (0, 0.3), "brow_outer": (0, 0.1)},
    "au02": {"brow_outer": (0, 0.7), "brow_middle": (0, 0.8), "brow_inner": (0, 0.15), "brow_between": (0, 0.1)},
    "au04": {
        "brow_inner": (-0.4, -0.65),
        "brow_middle": (-0.25, -0.45),
        "brow_between": (0, -0.4),
        "brow_outer": (-0.1, -0.2),
    },
    "au05": {"lid_upper": (0, 0.22)},
    "au06": {"cheek_high": (0, 0.35), "cheek_bone": (0.05, 0.3), "cheek_low": (0, 0.2), "lid_lower": (0, 0.1)},
    "au07": {"lid_lower": (0, 0.15), "lid_upper": (0, -0.15)},
    "au09": {"nose": (0, 0.45), "fold": (0, 0.15), "brow_inner": (-0.1, -0.25), "brow_between": (0, -0.2)},
    "au10": {
        "upper_lip": (0, 0.4),
        "upper_lip_middle": (0, 0.5),
        "fold": (0, 0.4),
        "nose": (0, 0.15),
        "cheek_low": (0, 0.15),
    },
    "au12_left": _SMILE,
    "au12_right": _SMILE,
    "au15": {"lip_corner": (0.1, -0.8), "upper_lip": (0, -0.5), "lower_lip": (0, -0.4), "fold": (0, -0.15)},
    "au17": {"chin": (0, 0.4), "lower_lip_middle": (0, 0.55), "lower_lip": (0, 0.3), "upper_lip_middle": (0, 0.2)},
    "au20": {
        "lip_corner": (0.8, -0.05),
        "upper_lip": (0.55, 0),
        "lower_lip": (0.4, 0),
        "fold": (0.2, 0),
        "cheek_low": (0.1, 0),
    },
    "au24": {
        "upper_lip_middle": (0, -0.3),
        "lower_lip_middle": (0, 0.35),
        "upper_lip": (0, -0.2),
        "lower_lip": (0, 0.2),
        "lip_corner": (-0.15, 0),
    },
    "au25": {"lower_lip_middle": (0, -0.55), "lower_lip": (0, -0.3), "upper_lip_middle": (0, 0.1), "mouth": (0, 0.3)},
    "au26": {
        "lower_lip_middle": (0, -1.3),
        "lower_lip": (0, -0.9),
        "chin": (0, -1.2),
        "mouth": (0, 1.1),
        "lip_corner": (-0.1, -0.3),
        "upper_lip": (0, -0.25),
    },
    "closure": {"lid_upper": (0, -1.2), "lid_lower": (0, 0.1)},
}
"""Displacement (out, up) of each region at intensity 1, in units of `FULL_SCALE`; `lid_*` and `mouth` are heights and
gap.

What neighbouring skin is dragged along belongs to a unit: without it a lowered lip corner would be read as a pressed
lip.

`closure` takes up blinks and closed eyes, so that lid tightening is not taken for them; it is no feature.
"""
AU_NAMES = tuple(name for name in MOVES if name != "closure")
LID_AUS = ("au05", "au07")
MOUTH_AUS = ("au10", "au12_left", "au12_right", "au15", "au17", "au20", "au24", "au25", "au26")

SIGMA = {"region": 0.5, "lid": 1.0, "mouth": 2.0}
"""How far measurements may lie off the model, percent of the inter-ocular distance; more trust in what is smaller."""
PRICE = 0.6
"""Price of intensity (the lasso's penalty), in squared deviations per unit."""
_ROUNDS = 60


def _atoms() -> FloatArray:
    """Movement of all measurements at intensity 1, in standard errors, (measurements, units)."""
    out = np.zeros((2 * len(NAMES) + 5, len(MOVES)))
    for unit, (name, moves) in enumerate(MOVES.items()):
        side = name.partition("_")[2]
        for region, (outwards, up) in moves.items():
            if region.startswith("lid_"):
                at = 2 * len(NAMES) + (0 if region == "lid_upper" else 1)
                out[[at, at + 2], unit] = FULL_SCALE * up / SIGMA["lid"]
            elif region == "mouth":
                out[-1, unit] = FULL_SCALE * up / SIGMA["mouth"]
            elif region in NAMES:
                out[2 * NAMES.index(region) + 1, unit] = FULL_SCALE * up / SIGMA["region"]
            else:
                for which, sign in (("right", -1), ("left", 1)):
                    if side in ("", which):
                        at = 2 * NAMES.index(f"{region}_{which}")
                        out[at, unit] = sign * FULL_SCALE * outwards / SIGMA["region"]
                        out[at + 1, unit] = FULL_SCALE * up / SIGMA["region"]
    return out


_ATOMS = _atoms()


def explain_movement(motion: FloatArray, lids: FloatArray, mouth: FloatArray) -> NDArray[np.float32]:
    """Intensity of each action unit.

    Args:
        motion: Movement of the regions away from neutral, percent of the inter-ocular distance, (frames, regions, 2).
        lids: The same of the lids' heights, (frames, 2, 2): right and left eye by upper and lower lid.
        mouth: The same of the gap between the lips, (frames,).

    Returns:
        0 (absent) to 1, float32 (frames, len(AU_NAMES)).
    """
    seen = np.column_stack(
        [
            motion.reshape(len(motion), -1) / SIGMA["region"],
            lids.reshape(len(lids), -1) / SIGMA["lid"],
            mouth / SIGMA["mouth"],
        ]
    )
    gram = _ATOMS.T @ _ATOMS
    target = seen @ _ATOMS - PRICE
    found = np.zeros((len(seen), _ATOMS.shape[1]))
    for _ in range(_ROUNDS):
        before = found.copy()
        for unit in range(len(gram)):
            pull = target[:, unit] - found @ gram[:, unit]
            found[:, unit] = np.maximum(0, found[:, unit] + pull / gram[unit, unit])
        if np.abs(found - before).max(initial=0) < 1e-3:
            break
    keep = [list(MOVES).index(name) for name in AU_NAMES]
    return np.clip(found[:, keep], 0, 1).astype(np.float32)
