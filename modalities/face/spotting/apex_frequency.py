"""The apex by frequency: where the pictures hold most of what changes fast in space and time.

After Li, Huang & Zhao, "Can micro-expression be recognized based on single apex frame?" (2018): in each of 6 x 6
blocks the pictures within a short window around the present one are Fourier transformed in space and time; the
amplitudes beyond a cut-off frequency are added up over all blocks; the apex is where the sum is greatest.

What differs: pictures are shrunk to 60 pixels; the window is as long as the interval and fades out towards
its ends; the mean picture of the window is taken off first, for the texture of a still face would drown the rest; and
energy, the squared amplitude, is added up, which noise adds less to.
"""

from __future__ import annotations

import numpy as np

from data_schemas.time import Int64Array
from modalities.face.models import FloatArray, Picture

BLOCKS = 6
BLOCK_PX = 10
"""Side of a block of the picture as it is kept."""
CUT_OFF = 2.0
"""Radius in the spectrum of a block, cycles per block and window, from which energy counts."""


class FrequencyApex:
    """Greatest energy of high frequencies."""

    name = "frequency"
    intervals_s = (1.0, 4.0)
    """Twice as long as an expression: shorter windows see no rest around it."""

    def describe(self, face: Picture) -> FloatArray:
        """See `apex.ApexFinder`: the picture in blocks, float32 (36, 10, 10)."""
        import cv2

        side = BLOCKS * BLOCK_PX
        small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        blocks = small.reshape(BLOCKS, BLOCK_PX, BLOCKS, BLOCK_PX).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(blocks.reshape(BLOCKS**2, BLOCK_PX, BLOCK_PX))

    def curve(self, described: FloatArray, times_ns: Int64Array) -> FloatArray:
        """See `apex.ApexFinder`: squared grey levels; before and after the interval its ends are taken to last on."""
        half = len(described) // 2
        padded = np.concatenate([described[:1].repeat(half, 0), described, described[-1:].repeat(half, 0)])
        return np.array([high_energy(padded[at : at + 2 * half + 1]) for at in range(len(described))])

    def apex(self, described: FloatArray, times_ns: Int64Array) -> int:
        """See `apex.ApexFinder`."""
        return int(self.curve(described, times_ns).argmax())


def high_energy(window: FloatArray) -> float:
    """Energy of the high frequencies of a window, of all blocks, a voxel.

    Args:
        window: Blocks of successive pictures, (t, blocks, h, w).
    """
    from scipy import fft

    t, _, h, w = window.shape
    taper = np.hanning(t + 2)[1:-1].astype(np.float32)
    moving = (window - window.mean(axis=0)) * taper[:, None, None, None]
    energy = np.abs(fft.rfftn(moving, axes=(0, 2, 3))) ** 2
    cycles = [np.fft.fftfreq(t, 1 / t)[:, None, None], np.fft.fftfreq(h, 1 / h)[None, :, None]]
    radius = np.sqrt(sum(one**2 for one in cycles) + np.fft.rfftfreq(w, 1 / w)[None, None] ** 2)
    return float((energy.sum(axis=1) * (radius >= CUT_OFF)).sum() / (t * h * w) / window.size)
