"""What somebody looks like today, in colour statistics: hair, skin and clothes. No template of the face.

Only shares of colours are kept, in memory, for as long as one video is read: they tell people of one recording apart,
as their clothes do, and nobody on another day. Colours are taken relative to the brightness of the face, so that a lamp
that is dimmed does not make another person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modalities.face.landmarks import Sighting
from modalities.face.models import FloatArray, Picture

WEIGHTS = {"hair": 0.3, "skin": 0.2, "clothes": 0.5}
"""How much each part of the picture counts."""
LEAST_SEEN = 0.4
"""A part of which less than this share lies within the picture says nothing."""
ALIKE, ALIKE_SPREADS = 0.3, 2.5
"""A look fits a person up to this Hellinger distance (0 the same .. 1 nothing in common), or so many times the
person's own usual distance from their mean."""
_BINS = (6, 6, 6)
_MEMORY = 50
"""The mean look forgets over this many looks."""

Look = Mapping[str, NDArray[np.float64]]
"""Shares of colours of each part that was seen, each summing to 1."""


def _grid(x: tuple[float, float], y: tuple[float, float], step: float) -> FloatArray:
    across, up = np.meshgrid(np.arange(*x, step), np.arange(*y, step))
    return np.stack([across.ravel(), up.ravel()], axis=-1)


_HAIR = _grid((-1.1, 1.15), (1.05, 1.75), 0.12)
_SKIN = np.concatenate([_grid((-0.75, -0.3), (-0.95, -0.35), 0.1), _grid((0.35, 0.8), (-0.95, -0.35), 0.1)])
_CLOTHES = _grid((-2.2, 2.3), (-3.7, -2.2), 0.2)
"""Places in inter-ocular distances from the middle of the eyes: to the right in the picture, and up."""


def take_look(picture: Picture, sighting: Sighting) -> Look:
    """Colours around a face.

    Args:
        picture: RGB, uint8 (h, w, 3).
        sighting: A face in it.
    """
    points = sighting.points
    right, left = points[[33, 133]].mean(axis=0), points[[263, 362]].mean(axis=0)
    iod = max(2.0, float(np.linalg.norm(left - right)))
    middle = (left[:2] + right[:2]) / 2
    across = left[:2] - right[:2]
    turn = across / max(1e-6, float(np.hypot(*across)))
    seen = {}
    for name, places, upright in (("skin", _SKIN, False), ("hair", _HAIR, False), ("clothes", _CLOTHES, True)):
        axis = np.array([1.0, 0.0]) if upright else turn
        at = middle + iod * (places[:, :1] * axis - places[:, 1:] * (-axis[1], axis[0]))
        colours = _colours(picture, at)
        if colours is not None:
            seen[name] = colours
    if "skin" not in seen:
        return {}
    bright = float(np.median(seen["skin"].sum(axis=1)))
    return {name: _histogram(colours, bright) for name, colours in seen.items()}


def _colours(picture: Picture, at: FloatArray) -> FloatArray | None:
    """RGB at places that lie in the picture, float64 (n, 3); None if too few do."""
    cells = np.rint(at).astype(np.int64)
    inside = ((cells >= 0) & (cells < picture.shape[1::-1])).all(axis=1)
    if inside.mean() < LEAST_SEEN:
        return None
    return picture[cells[inside, 1], cells[inside, 0]].astype(np.float64)


def _histogram(colours: FloatArray, bright: float) -> NDArray[np.float64]:
    """Shares of colours by brightness relative to the face, red against green, and yellow against blue."""
    total = colours.sum(axis=1)
    red, green, blue = colours.T
    axes = (
        (np.log2((total + 24) / (bright + 24)) + 3.0) / 4.5,
        ((red - green) / (total + 30) + 0.1) / 0.4,
        ((red + green - 2 * blue) / (total + 30) + 0.25) / 0.9,
    )
    cell = np.zeros(len(colours), np.int64)
    for value, bins in zip(axes, _BINS, strict=True):
        cell = cell * bins + np.clip(value * bins, 0, bins - 1).astype(np.int64)
    counts = np.bincount(cell, minlength=int(np.prod(_BINS))).reshape(_BINS).astype(np.float64)
    for axis in range(3):  # colours at the border of two cells belong to both
        rim = [(1, 1) if other == axis else (0, 0) for other in range(3)]
        wide = np.moveaxis(np.pad(counts, rim, mode="edge"), axis, 0)
        counts = np.moveaxis(0.25 * wide[:-2] + 0.5 * wide[1:-1] + 0.25 * wide[2:], 0, axis)
    return counts.ravel() / counts.sum()


def difference(a: Look, b: Look) -> float | None:
    """Weighted Hellinger distance of two looks, 0..1; None where they share no part."""
    shared = [name for name in WEIGHTS if name in a and name in b]
    if not shared:
        return None
    weights = np.array([WEIGHTS[name] for name in shared])
    apart = [np.sqrt(max(0.0, 1 - float(np.sqrt(a[name] * b[name]).sum()))) for name in shared]
    return float(weights @ apart / weights.sum())


@dataclass
class MeanLook:
    """The running mean of somebody's looks.

    Attributes:
        mean: Mean shares by part.
        spread: Usual distance of a look from the mean.
        count: Looks so far.
    """

    mean: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    spread: float = 0.0
    count: int = 0

    def add(self, look: Look) -> None:
        """Take in the next look."""
        if not look:
            return
        apart = difference(self.mean, look)
        self.count += 1
        gain = 1 / min(self.count, _MEMORY)
        if apart is not None:
            self.spread += gain * (apart - self.spread)
        for name, shares in look.items():
            old = self.mean.get(name)
            self.mean[name] = shares if old is None else old + gain * (shares - old)

    @property
    def limit(self) -> float:
        """Up to which distance a look fits."""
        return max(ALIKE, ALIKE_SPREADS * self.spread)
