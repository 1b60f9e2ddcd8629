"""What a system looks at: flow maps, levelled or as they are, or clips of pictures. Nothing here learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.samples import Kind, Samples

Level = Literal["mode", "median"]
_SMOOTH = 4.0
"""Spread of the smoothing of a histogram of 256 levels before its mode is taken, levels."""


@dataclass(frozen=True)
class FlowMap:
    """Flow maps as stored: each channel over 0..255.

    Attributes:
        scale: What 255 becomes.
    """

    scale: float = 255.0
    kind: Kind = "flow_map"

    def read(self, samples: Samples) -> NDArray[np.float32]:
        """Maps (n, 28, 28, 3)."""
        return (samples.x * np.float32(self.scale / 255)).astype(np.float32)


@dataclass(frozen=True)
class LevelledFlow:
    """Flow maps whose zero level is put back.

    The stretch over 0..255 loses the level of no motion. Most of a face does not move in a micro-expression, so the
    most frequent value (or the middle one) of u and of v is that of no motion. u and v are divided by their common
    root mean square: what is left is where and in which direction a face moves, not how far.

    Attributes:
        levels: Ways of finding the zero level; which is used is a setting, chosen in training folds.
    """

    levels: tuple[Level, ...] = ("mode", "median")
    kind: Kind = "flow_map"

    def read(self, samples: Samples) -> NDArray[np.float32]:
        """Maps by level (levels, n, 28, 28, 3); strain over 0..1."""
        return np.stack([levelled(samples.x, level) for level in self.levels])


@dataclass(frozen=True)
class Clip:
    """Aligned grey pictures of the whole movement."""

    kind: Kind = "clip"

    def read(self, samples: Samples) -> NDArray[np.object_]:
        """Clips (n,), each uint8 (t, h, w)."""
        return samples.x


def levelled(maps: NDArray[np.number], level: Level) -> NDArray[np.float32]:
    """Flow with its zero level at 0.

    Args:
        maps: Channels u, v, strain over 0..255, (n, h, w, 3).
        level: "mode" or "median" of each channel of each sample.

    Returns:
        u and v with a common root mean square of 1, strain over 0..1, float32 (n, h, w, 3).
    """
    flow = maps[..., :2].astype(np.float32)
    flat = flow.reshape(len(flow), -1, 2)
    zero = np.median(flat, axis=1) if level == "median" else _modes(flat)
    moved = flow - zero[:, None, None].astype(np.float32)
    size = np.sqrt((moved**2).mean(axis=(1, 2, 3), keepdims=True))
    strain = maps[..., 2:].astype(np.float32) / 255
    return np.concatenate([moved / np.maximum(size, 1e-6), strain], axis=-1).astype(np.float32)


def _modes(flat: NDArray[np.float32]) -> NDArray[np.float64]:
    """Most frequent level of each column, histograms smoothed: (n, pixels, channels) to (n, channels)."""
    from scipy.ndimage import gaussian_filter1d

    n, _, channels = flat.shape
    bins = (
        np.rint(flat).astype(np.int64).clip(0, 255)
        + 256 * np.arange(channels)
        + 256 * channels * np.arange(n)[:, None, None]
    )
    counts = np.bincount(bins.ravel(), minlength=n * channels * 256).reshape(n, channels, 256)
    return (
        gaussian_filter1d(counts.astype(np.float64), _SMOOTH, axis=-1, mode="constant")
        .argmax(axis=-1)
        .astype(np.float64)
    )
