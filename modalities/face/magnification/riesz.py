"""Phase-based magnification with the Riesz transform: local waves are shifted instead of made stronger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.magnification.base import Band, Clip, changes, checked, cut

SHORTEST_PX = 3.0
"""Centre of the finest band, wavelength in pixels; it takes in all that is finer."""
GATHER = 0.15
"""Spread of the blur of phases, in wavelengths of the band."""
PAD = 16
"""Rim of reflected pixels, so that the picture's edges do not meet."""


@dataclass(frozen=True)
class RieszMagnifier:
    """Riesz pyramids for fast phase-based video magnification (Wadhwa, Rubinstein, Durand & Freeman 2014).

    In each band of an octave the picture and its two Riesz transforms make a quaternion at each pixel, whose phase
    moves with the picture and whose direction is that of the local wave. Phase differences from picture to picture are
    added up, filtered over time, blurred with the amplitude as weight, and factor - 1 times as much phase is added.
    Noise is moved, not magnified. Here bands and transforms are exact ones in the Fourier domain, at full size; the
    paper approximates them by short filters on a pyramid, for speed.

    A wave as long as the moving piece of skin loses more amplitude than it gains phase, so that phase alone would leave
    it behind: bands from `coarse_px` on get their changes themselves, as in linear magnification, which is exact for
    such waves (ours; infinity leaves it to phase).

    Attributes:
        band: What is motion; None for all that differs from the first picture.
        coarse_px: Wavelength from which bands are magnified linearly.
    """

    band: Band | None = None
    coarse_px: float = 24.0

    def magnify(self, clip: NDArray[np.number], factor: float) -> Clip:
        """See `base.Magnifier`."""
        from scipy import fft

        real = checked(clip, factor)
        h, w = real.shape[1:]
        pad = min(PAD, h - 1, w - 1)
        padded = np.pad(real, ((0, 0), (pad, pad), (pad, pad)), mode="reflect")
        spectrum = fft.rfft2(padded)
        out = real.astype(np.float32).copy()
        keep = (slice(None), slice(pad, pad + h), slice(pad, pad + w))
        for wavelength, band, right, down in octaves(padded.shape[1], padded.shape[2]):
            part = spectrum * band
            if wavelength >= self.coarse_px:
                wave = fft.irfft2(part, padded.shape[1:]).astype(np.float32)[keep]
                out += np.float32(factor - 1) * changes(wave, self.band).astype(np.float32)
                continue
            waves = [fft.irfft2(part * one, padded.shape[1:]).astype(np.float32)[keep] for one in (1.0, right, down)]
            phase = self._phase(waves, GATHER * wavelength) * np.float32(factor - 1)
            out += shift_phase(waves, phase) - waves[0]
        return cut(out)

    def _phase(self, waves: list[Clip], spread_px: float) -> NDArray[np.float32]:
        """Phase that motion made, along x and y, (2, t, h, w)."""
        from scipy.ndimage import gaussian_filter

        steps, weight = phase_steps(waves)
        moved = np.stack([changes(np.cumsum(one, axis=0), self.band) for one in steps])
        spread = (0, spread_px, spread_px)
        total = gaussian_filter(weight, spread, mode="nearest") + np.float32(1e-6)
        blurred = [gaussian_filter(one * weight, spread, mode="nearest") / total for one in moved]
        return np.asarray(blurred, np.float32)


def phase_steps(waves: list[Clip]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Phase from each picture to the next one, along x and y, (2, t, h, w), 0 at the first; and squared amplitude.

    Args:
        waves: A band and its Riesz transforms along x and y, (t, h, w) each.
    """
    real, right, down = waves
    amplitude = real**2 + right**2 + down**2
    same = real[1:] * real[:-1] + right[1:] * right[:-1] + down[1:] * down[:-1]
    turned = [right[1:] * real[:-1] - real[1:] * right[:-1], down[1:] * real[:-1] - real[1:] * down[:-1]]
    across = np.hypot(*turned)
    angle = np.arctan2(across, same) / np.maximum(across, 1e-12)
    steps = np.zeros((2, *real.shape), np.float32)
    steps[:, 1:] = [angle * one for one in turned]
    return steps, amplitude


def shift_phase(waves: list[Clip], phase: NDArray[np.float32]) -> Clip:
    """The band with phase added, (t, h, w).

    Args:
        waves: As for `phase_steps`.
        phase: Along x and y, (2, t, h, w).
    """
    real, right, down = waves
    size = np.hypot(*phase)
    return np.asarray(
        np.cos(size) * real - np.sinc(size / np.float32(np.pi)) * (phase[0] * right + phase[1] * down), np.float32
    )


def octaves(
    h: int, w: int
) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.complex128], NDArray[np.complex128]]]:
    """Bands of an octave, raised cosines of the logarithm of frequency, that add up to 1 between the ends.

    Yields:
        Wavelength of the centre in pixels, band, Riesz transform along x and along y, each (h, w // 2 + 1) as of a real
        Fourier transform.
    """
    y, x = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None]
    size = np.hypot(x, y)
    safe = np.where(size > 0, size, 1)
    right, down = -1j * x / safe, -1j * y / safe
    away = np.log2(safe * SHORTEST_PX)
    count = max(1, int(np.log2(min(h, w) / 2 / SHORTEST_PX)))
    for level in range(count):
        apart = away + level
        band = np.where(np.abs(apart) < 1, np.cos(np.pi * apart / 2) ** 2, 0) * (size > 0)
        if level == 0:
            band = np.where(apart >= 0, np.where(size > 0, 1.0, 0.0), band)
        yield SHORTEST_PX * 2**level, band, right, down
