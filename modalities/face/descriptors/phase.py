"""Local phase quantisation on three orthogonal planes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalities.face.descriptors.base import ClipDescriptor
from modalities.face.descriptors.cells import Codes, Part
from modalities.face.descriptors.sampling import PLANES, Inner, Volume, inside, joined

FREQUENCIES = ((1, 0), (0, 1), (1, 1), (1, -1))
"""Of the four waves along the two axes of a plane, in 1 / window."""
LIKENESS = 0.9
"""Correlation of neighbouring pixels that decorrelation assumes (Ojansivu & Heikkila 2008)."""


@dataclass(frozen=True, kw_only=True)
class LpqTop(ClipDescriptor):
    """LPQ-TOP (Jiang, Valstar, Martinez & Pantic 2014): signs of four low frequencies of the window around each voxel.

    Local phase quantisation (Ojansivu & Heikkila 2008) with decorrelation, 256 labels a plane, 768 numbers a cell.

    Attributes:
        window: Odd side of the window in x and y, pixels.
        window_t: In time, frames.
        decorrelate: Whether the eight parts are made independent before their signs are taken.
    """

    window: int = 5
    window_t: int = 5
    decorrelate: bool = True

    @property
    def margin(self) -> tuple[int, int]:
        """See `ClipDescriptor`."""
        return self.window_t // 2, self.window // 2

    @property
    def per_cell(self) -> int:
        """768."""
        return len(PLANES) * 256

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        sizes = (self.window_t, self.window, self.window)
        return [Codes(self._codes(volume, inner, plane, sizes), 256) for plane in PLANES]

    def _codes(
        self, volume: Volume, inner: Inner, plane: tuple[int, int], sizes: tuple[int, int, int]
    ) -> NDArray[np.int64]:
        first, second = plane
        other = 3 - first - second
        crop = tuple(inner[axis] if axis == other else slice(None) for axis in range(3))
        rows = {k: _along(volume[crop], second, sizes[second], k) for k in (0, 1, -1)}
        waves = [_along(rows[down], first, sizes[first], right) for right, down in FREQUENCIES]
        values = np.stack([part for one in waves for part in (one.real, one.imag)])
        if self.decorrelate:
            values = np.tensordot(decorrelation(sizes[first], sizes[second]), values, axes=(1, 0))
        return joined([one >= 0 for one in values])


def _along(values: NDArray[Any], axis: int, size: int, frequency: int) -> NDArray[Any]:
    """Windowed Fourier transform along one axis, where the window fits."""
    n = values.shape[axis] - size + 1
    places = np.arange(size) - size // 2
    wave = np.exp(-2j * np.pi * frequency * places / size) if frequency else np.ones(size)
    start = [slice(None)] * values.ndim
    out = 0
    for at, factor in enumerate(wave):
        start[axis] = slice(at, at + n)
        out = out + factor * values[tuple(start)]
    return np.asarray(out)


@lru_cache(maxsize=16)
def decorrelation(width: int, height: int) -> NDArray[np.float64]:
    """Rotation after which the eight parts are uncorrelated, (8, 8).

    Args:
        width: Window along the plane's first axis.
        height: Along the second.
    """
    x, y = (np.arange(size) - size // 2 for size in (width, height))
    across, down = (part.ravel() for part in np.meshgrid(x, y))
    waves = [np.exp(-2j * np.pi * (a * across / width + b * down / height)) for a, b in FREQUENCIES]
    basis = np.stack([part for one in waves for part in (one.real, one.imag)])
    apart = np.hypot(across[:, None] - across, down[:, None] - down)
    spread = basis @ LIKENESS**apart @ basis.T
    tilt = np.diag(1 + 1e-6 * np.arange(8, 0, -1))
    _, vectors = np.linalg.eigh(tilt @ spread @ tilt)
    vectors = vectors[:, ::-1]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(8)])
    return np.asarray((vectors * signs).T)
