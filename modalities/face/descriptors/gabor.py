"""Gabor filters: binary patterns of their responses on three planes, and filters tuned to moving edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modalities.face.descriptors.base import ClipDescriptor
from modalities.face.descriptors.cells import Codes, Part, Votes
from modalities.face.descriptors.lbp_top import PlanePatterns
from modalities.face.descriptors.sampling import PLANES, Volume, inside, joined, ring, shifted

WAVELENGTHS = (4.0, 8.0)
"""Of the filters within a picture, pixels."""
PAPER_WAVELENGTHS, PAPER_ORIENTATIONS = (4.0, 4.0 * 2**0.5, 8.0, 8.0 * 2**0.5, 16.0), 8
"""As many as in the paper, half an octave apart from our shortest."""
ORIENTATIONS = 4
SPREAD = 0.56
"""Of the Gaussian, in wavelengths: a bandwidth of one octave (Daugman 1985)."""
SPEEDS = (0.5, 1.0)
"""Pixels per frame."""
DIRECTIONS = 8
ASPECT = 0.5
TIME_SPREAD = 1.5
"""Frames; the filter spans 5."""


@dataclass(frozen=True, kw_only=True)
class CgbpTop(PlanePatterns):
    """CGBP-TOP (Hu et al. 2019): centralised binary patterns of Gabor magnitudes on three planes.

    Each picture is filtered at some wavelengths and orientations. Of each magnitude 5 bits (Fu & Wei 2008): is the
    neighbour at least as great as the opposite one, four times, and is the centre at least the mean of all nine? Fu &
    Wei ask instead whether the two differ by a threshold in either direction. 2 x 4 filters on 3 planes make 8 x 3 x 32
    = 768 numbers a cell; the paper's 5 x 8 filters (`PAPER_WAVELENGTHS`) 3840.

    Attributes:
        wavelengths: Of the filters, pixels.
        orientations: Of the filters at each wavelength.
    """

    radius_t: float = 1.0
    wavelengths: tuple[float, ...] = WAVELENGTHS
    orientations: int = ORIENTATIONS

    @property
    def per_cell(self) -> int:
        """768, or as many as there are filters times 96."""
        return len(self.wavelengths) * self.orientations * len(PLANES) * 32

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        inner = inside(volume.shape, self.margin)
        out: list[Part] = []
        for kernel in picture_filters(self.wavelengths, self.orientations):
            size = magnitudes(volume, kernel)
            out += [Codes(self._codes(size, inner, plane), 32) for plane in PLANES]
        return out

    def _codes(self, size: Volume, inner: tuple[slice, slice, slice], plane: tuple[int, int]) -> NDArray[np.int64]:
        around = [shifted(size, inner, step) for step in ring(plane, self.radii)]
        centre = size[inner]
        slack = np.float32(1e-3)
        mean = (np.sum(around, axis=0, dtype=np.float32) + centre) / np.float32(9)
        bits = [around[k] >= around[k + 4] - slack for k in range(4)]
        return joined([*bits, centre >= mean - slack])


def magnitudes(volume: Volume, kernel: NDArray[np.complex64]) -> Volume:
    """Size of the response of each picture to one filter, rim reflected, float32 (t, h, w)."""
    import cv2

    real, imaginary = np.ascontiguousarray(kernel.real), np.ascontiguousarray(kernel.imag)
    out = np.empty_like(volume)
    for at, one in enumerate(np.ascontiguousarray(volume)):
        parts = [cv2.filter2D(one, cv2.CV_32F, part, borderType=cv2.BORDER_REFLECT) for part in (real, imaginary)]
        out[at] = np.hypot(*parts)
    return out


@lru_cache(maxsize=4)
def picture_filters(
    wavelengths: tuple[float, ...] = WAVELENGTHS, orientations: int = ORIENTATIONS
) -> tuple[NDArray[np.complex64], ...]:
    """Complex filters without response to even light, by wavelength and orientation; 1.5 spreads to each side."""
    out = []
    for length in wavelengths:
        spread = SPREAD * length
        half = int(np.ceil(1.5 * spread))
        y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
        for angle in np.pi * np.arange(orientations) / orientations:
            window = np.exp(-(x**2 + y**2) / (2 * spread**2))
            window /= window.sum()
            wave = np.exp(2j * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length)
            kernel = window * wave
            out.append((kernel - window * kernel.sum()).astype(np.complex64))
    return tuple(out)


@dataclass(frozen=True, kw_only=True)
class SpatioTemporalGabor(ClipDescriptor):
    """Energy of Gabor filters that move (Petkov & Subramanian 2007), as Lin, Long, Huang & Li (2018) use them.

    Each filter is tuned to edges of one direction that move at one speed; wavelength 2 sqrt(1 + speed^2) pixels, as in
    the paper, which calls for an envelope in time that is symmetric here and spans 5 frames. Both phases make an
    energy, whose root is averaged over each cell: 8 directions x 2 speeds = 16 numbers a cell.
    """

    @property
    def margin(self) -> tuple[int, int]:
        """See `ClipDescriptor`."""
        _, h, _ = moving_filters().shape[1:]
        return moving_filters().shape[1] // 2, h // 2

    @property
    def per_cell(self) -> int:
        """16."""
        return DIRECTIONS * len(SPEEDS)

    def parts(self, volume: Volume) -> list[Part]:
        """See `ClipDescriptor`."""
        from scipy import fft

        filters = moving_filters()
        shape = [fft.next_fast_len(size) for size in volume.shape]
        inner = inside(volume.shape, self.margin)
        reach = [size // 2 for size in filters.shape[1:]]
        spectrum = fft.fftn(volume - volume.mean(), shape)
        energies = []
        for one in filters:
            answer = fft.ifftn(spectrum * np.conj(fft.fftn(one, shape)))
            begun = tuple(slice(part.start - r, part.stop - r) for part, r in zip(inner, reach, strict=True))
            energies.append(np.abs(answer[begun]))
        return [Votes(np.stack(energies, axis=-1), "sum")]


@lru_cache(maxsize=1)
def moving_filters() -> NDArray[np.complex64]:
    """Complex filters by speed and direction, (filters, t, h, w), none responding to a still, even picture.

    Correlating a clip with one of them peaks where an edge moves along its direction at its speed.
    """
    half_t = 2
    half = int(np.ceil(1.5 * SPREAD * 2 * np.sqrt(1 + max(SPEEDS) ** 2)))
    t, y, x = np.mgrid[-half_t : half_t + 1, -half : half + 1, -half : half + 1].astype(np.float64)
    out = []
    for speed in SPEEDS:
        length = 2 * np.sqrt(1 + speed**2)
        spread = SPREAD * length
        for angle in 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS:
            along = x * np.cos(angle) + y * np.sin(angle) - speed * t
            across = -x * np.sin(angle) + y * np.cos(angle)
            window = np.exp(-(along**2 + (ASPECT * across) ** 2) / (2 * spread**2) - t**2 / (2 * TIME_SPREAD**2))
            window /= window.sum()
            kernel = window * np.exp(2j * np.pi * along / length)
            out.append(kernel - window * kernel.sum())
    return np.asarray(out, np.complex64)
