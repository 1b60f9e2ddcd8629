"""Action units from the movement of regions: which muscles together explain what moved, and how strongly.

Each action unit of the Facial Action Coding System (Ekman, Friesen & Hager 2002) moves certain regions in certain
directions. A small network reads the intensities of all of them off the movement of all regions, the heights of the
lids and the gap between the lips at once. It was fitted to what the face path itself measures when muscles of many
different simulated faces are moved, one, two or three at a time, over what faces do that is none: blinks, turning
heads, speech (`pipeline.simulate.unit_model` rebuilds it). The two halves of the face are treated alike by
construction: the network sees each face and its mirror image.

Intensity 1 is the displacement of the synthesis table (`synthesis.action_units.planted_displacement`): 8 % of the
inter-ocular distance for brows and lip corners, 3 % for lids, 12 % for the jaw; about FACS level D.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import MissingFileError, UnreadableFileError
from modalities.face.models import FloatArray
from modalities.face.regions import NAMES

PAIRED = ("au01", "au02", "au04", "au05", "au06", "au07", "au09", "au10", "au12", "au14", "au15", "au20")
"""Action units whose muscle is there twice; told apart by side."""
MIDLINE = ("au17", "au23", "au24", "au25", "au26")
AU_NAMES = (*(f"{au}_{side}" for au in PAIRED for side in ("left", "right")), *MIDLINE)
"""What is told; left and right are the person's own."""
LID_AUS = tuple(name for name in AU_NAMES if name.startswith(("au05", "au07")))
"""Not judged during blinks."""
ACTIVE = 0.2
"""Intensity from which an action unit counts as active."""
FULL_SCALE = 8.0
"""A lip corner or brow that moves by this much, in percent of the inter-ocular distance, is a movement of intensity
1."""
BOTH_SHARE = 0.5
"""Both sides of a paired action unit take part when the weaker one has this share of the stronger one."""
DEFAULT = Path(__file__).with_name("units.safetensors")
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class UnitNetwork:
    """Weights of the network, and what they were fitted to.

    Attributes:
        scale: Of each measurement, (measurements,).
        layers: Weights and biases of each layer.
        atoms: What each of `AU_NAMES` does to the measurements at intensity 1, on average, (units, measurements).
        card: Where they come from, JSON text.
    """

    scale: NDArray[np.float32]
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    atoms: NDArray[np.float32]
    card: str

    def read(self, measured: NDArray[np.float32]) -> NDArray[np.float32]:
        """Intensities before the mirror image is asked, (n, units); may be negative."""
        values = measured / self.scale
        for at, (weight, bias) in enumerate(self.layers):
            values = values @ weight + bias
            if at + 1 < len(self.layers):
                values = np.maximum(values, 0)
        return values


@lru_cache(maxsize=2)
def load_units(path: Path = DEFAULT) -> UnitNetwork:
    """The shipped network, or another one.

    Raises:
        MissingFileError: the file is not there.
        UnreadableFileError: it holds no network for these regions and action units.
    """
    if not path.is_file():
        raise MissingFileError("the network of the action units is missing", file=path, mend="Install Telltale again.")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as stored:
            about = json.loads(stored.metadata()["about"])
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
        layers = tuple((arrays[f"weight{at}"], arrays[f"bias{at}"]) for at in range(about["layers"]))
        names = (about["regions"], about["units"])
        network = UnitNetwork(arrays["scale"], layers, arrays["atoms"], about["card"])
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise UnreadableFileError("no network of action units", file=path, got=str(error)) from error
    if names != (list(NAMES), list(AU_NAMES)):
        raise UnreadableFileError(
            "the network of the action units was made for other regions or units", file=path,
            mend="Rebuild it: python -m pipeline.simulate.unit_model",
        )  # fmt: skip
    return network


def explain_movement(motion: FloatArray, lids: FloatArray, mouth: FloatArray) -> NDArray[np.float32]:
    """Intensity of each action unit.

    Args:
        motion: Movement of the regions away from neutral, percent of the inter-ocular distance, (frames, regions, 2).
        lids: The same of the lids' heights, (frames, 2, 2): right and left eye by upper and lower lid.
        mouth: The same of the gap between the lips, (frames,).

    Returns:
        0 (absent) to 1, float32 (frames, len(AU_NAMES)).

    Raises:
        MissingFileError: the network is not there.
    """
    network = load_units()
    measured = stack_measurements(motion, lids, mouth)
    swap, sign = mirror_measurements()
    units = mirror_units()
    out = np.zeros((len(measured), len(AU_NAMES)), np.float32)
    for first in range(0, len(measured), _BLOCK):
        part = measured[first : first + _BLOCK]
        both = network.read(part) + network.read(part[:, swap] * sign)[:, units]
        out[first : first + _BLOCK] = np.clip(both / 2, 0, 1)
    return out


def stack_measurements(motion: FloatArray, lids: FloatArray, mouth: FloatArray) -> NDArray[np.float32]:
    """All that the network sees of each frame, (frames, 2 * regions + 5): the arguments of `explain_movement`."""
    n = len(motion)
    return np.column_stack([motion.reshape(n, -1), lids.reshape(n, -1), mouth]).astype(np.float32)


def mirror_measurements() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Order and sign that turn the measurements of a face into those of its mirror image."""
    order = []
    for name in NAMES:
        other = NAMES.index(_mirrored(name))
        order += [2 * other, 2 * other + 1]
    regions = 2 * len(NAMES)
    lids = [regions + at for at in (2, 3, 0, 1, 4)]
    sign = np.r_[np.tile([-1.0, 1.0], len(NAMES)), np.ones(5)]
    return np.array(order + lids), sign.astype(np.float32)


def mirror_units() -> NDArray[np.int64]:
    """For each of `AU_NAMES` the one that its mirror image is."""
    return np.array([AU_NAMES.index(_mirrored(name)) for name in AU_NAMES])


def _mirrored(name: str) -> str:
    for side, other in (("_left", "_right"), ("_right", "_left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


def both_sides(intensity: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Of each paired action unit the stronger side, (frames,), from (frames, len(AU_NAMES))."""
    return {
        au: np.maximum(intensity[:, AU_NAMES.index(f"{au}_left")], intensity[:, AU_NAMES.index(f"{au}_right")])
        for au in PAIRED
    }


def name_units(intensity: NDArray[np.float32], share: float, least: float) -> Mapping[str, float]:
    """The action units that take part in one movement, strongest first.

    Args:
        intensity: Of each of `AU_NAMES`, (units,).
        share: They have at least this share of the strongest one's intensity.
        least: They have at least this intensity.

    Returns:
        Intensity by name; where both sides take part alike, under the name without a side ("au12").
    """
    sided = dict(zip(AU_NAMES, intensity.tolist(), strict=True))
    merged: dict[str, float] = {au: sided[au] for au in MIDLINE}
    for au in PAIRED:
        left, right = sided[f"{au}_left"], sided[f"{au}_right"]
        if min(left, right) >= BOTH_SHARE * max(left, right):
            merged[au] = max(left, right)
        else:
            merged[f"{au}_left" if left > right else f"{au}_right"] = max(left, right)
    least = max(least, share * max(merged.values()))
    ordered = sorted(merged.items(), key=lambda pair: -pair[1])
    return {name: round(value, 3) for name, value in ordered if value >= least}
