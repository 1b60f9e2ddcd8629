"""Local binary patterns on three orthogonal planes of a clip (Zhao & Pietikainen 2007)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.recognition.descriptors import Features

NEIGHBOURS = 8
LABELS = NEIGHBOURS * (NEIGHBOURS - 1) + 3
"""Uniform patterns, each with a bin of its own, and one bin for all others (Ojala et al. 2002)."""
_PLANES = ((2, 1), (2, 0), (1, 0))
"""Axes of the planes XY, XT and YT in a clip (t, y, x)."""


@dataclass(frozen=True)
class LbpTop:
    """Histograms of the three planes in each cell of a grid.

    Clips are first brought to one length, as the recognition baselines of SMIC and CASME II do (there by the temporal
    interpolation model, here linearly).

    Attributes:
        grid: Cells a side (5 in Yan et al. 2014).
        radius: In x and y, pixels.
        radius_t: In time, frames.
        frames: Length that clips are brought to.
    """

    grid: int = 5
    radius: float = 1.0
    radius_t: float = 2.0
    frames: int = 10

    def describe(self, clips: NDArray[np.object_]) -> Features:
        """Features (n, grid * grid * 3 * 59); each histogram sums to 1.

        Raises:
            InvalidValueError: a clip of a single picture, or too small for the radii and the grid.
        """
        return np.stack([self._one(np.asarray(clip, np.float32)) for clip in clips])

    def _one(self, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        margin = (int(np.ceil(self.radius_t)), *(int(np.ceil(self.radius)),) * 2)
        t, h, w = clip.shape
        if t < 2 or min(h, w) < 2 * margin[1] + self.grid or self.frames <= 2 * margin[0]:
            raise InvalidValueError(
                "a clip is too small for its descriptor",
                got=f"{t} pictures of {w}x{h}",
                expected=f"2 pictures or more, at least {2 * margin[1] + self.grid} pixels a side",
            )
        place = np.linspace(0, t - 1, self.frames)
        low = np.minimum(place.astype(np.int64), t - 2)
        part = (place - low).astype(np.float32)[:, None, None]
        volume = clip[low] * (1 - part) + clip[low + 1] * part
        radii = (self.radius_t, self.radius, self.radius)
        inner = tuple(slice(m, size - m) for m, size in zip(margin, volume.shape, strict=True))
        cells = self._cells(volume[inner].shape[1], volume[inner].shape[2])
        parts = []
        for first, second in _PLANES:
            codes = _uniform()[_codes(volume, inner, radii, first, second)]
            joint = np.bincount((cells * LABELS + codes).ravel(), minlength=self.grid**2 * LABELS)
            counts = joint.reshape(self.grid**2, LABELS).astype(np.float32)
            parts.append(counts / counts.sum(axis=1, keepdims=True))
        return np.concatenate(parts, axis=1).ravel()

    def _cells(self, h: int, w: int) -> NDArray[np.int64]:
        """Number of the cell of each inner pixel, (1, h, w)."""
        rows, columns = np.arange(h) * self.grid // h, np.arange(w) * self.grid // w
        return (rows[:, None] * self.grid + columns)[None]


def _codes(
    volume: NDArray[np.float32], inner: tuple[slice, ...], radii: tuple[float, float, float], first: int, second: int
) -> NDArray[np.int64]:
    """Pattern of each inner voxel in one plane, 0..255; places between voxels are interpolated."""
    centre = volume[inner]
    out = np.zeros(centre.shape, np.int64)
    for k in range(NEIGHBOURS):
        angle = 2 * np.pi * k / NEIGHBOURS
        step = np.zeros(3)
        step[first], step[second] = radii[first] * np.cos(angle), radii[second] * np.sin(angle)
        step = np.round(step, 9)
        out |= (_shifted(volume, inner, step) >= centre - 1e-4).astype(np.int64) << k
    return out


def _shifted(volume: NDArray[np.float32], inner: tuple[slice, ...], step: NDArray[np.float64]) -> NDArray[np.float32]:
    """The inner part of a volume, seen `step` voxels away."""
    low = np.floor(step).astype(int)
    part = step - low
    out = np.zeros(volume[inner].shape, np.float32)
    for corner in np.ndindex(2, 2, 2):
        share = float(np.prod(np.where(corner, part, 1 - part)))
        if share > 0:
            moved = tuple(
                slice(one.start + at + more, one.stop + at + more)
                for one, at, more in zip(inner, low.tolist(), corner, strict=True)
            )
            out += np.float32(share) * volume[moved]
    return out


@lru_cache(maxsize=1)
def _uniform() -> NDArray[np.int64]:
    """Bin of each pattern: uniform ones (at most two changes around the circle) have one each, (256,)."""
    out = np.full(2**NEIGHBOURS, LABELS - 1, np.int64)
    ring = (np.arange(2**NEIGHBOURS)[:, None] >> np.arange(NEIGHBOURS)) & 1
    changes = (ring != np.roll(ring, 1, axis=1)).sum(axis=1)
    uniform = np.flatnonzero(changes <= 2)
    out[uniform] = np.arange(len(uniform))
    return out
