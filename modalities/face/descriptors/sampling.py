"""Binary patterns: values around each voxel of a clip, and the numbers of the patterns that they make."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]
"""A clip as real numbers, (t, h, w)."""
Inner = tuple[slice, slice, slice]
"""The voxels that have all neighbours."""
Step = Sequence[float]
"""From a voxel to a neighbour: frames, rows down, columns right."""

PLANES = ((2, 1), (2, 0), (1, 0))
"""Axes of the planes XY, XT and YT in a clip (t, y, x)."""
NEIGHBOURS = 8
LABELS = NEIGHBOURS * (NEIGHBOURS - 1) + 3
"""Uniform patterns, each with a bin of its own, and one bin for all others (Ojala et al. 2002)."""
SLACK = 1e-4
"""Grey levels by which a neighbour may be darker and still counts as equal: interpolation rounds."""


def inside(shape: tuple[int, ...], margin: tuple[int, int]) -> Inner:
    """Voxels farther from the rim of a volume (t, h, w) than `margin`: frames, pixels."""
    along = (margin[0], margin[1], margin[1])
    first, second, third = (slice(m, size - m) for m, size in zip(along, shape, strict=True))
    return first, second, third


def shifted(volume: Volume, inner: Inner, step: Step) -> Volume:
    """The inner part of a volume seen `step` voxels away; between voxels it is interpolated linearly. May be a view."""
    low = [int(np.floor(one)) for one in step]
    part = [float(one) - at for one, at in zip(step, low, strict=True)]
    out: Volume | None = None
    for corner in product((0, 1), repeat=3):
        share = 1.0
        for more, one in zip(corner, part, strict=True):
            share *= one if more else 1 - one
        if share <= 0:
            continue
        moved = tuple(
            slice(one.start + at + more, one.stop + at + more) for one, at, more in zip(inner, low, corner, strict=True)
        )
        if share == 1:
            return volume[moved]
        if out is None:
            out = np.float32(share) * volume[moved]
        else:
            out += np.float32(share) * volume[moved]
    return volume[inner] if out is None else out


def ring(
    plane: tuple[int, int], radii: tuple[float, float, float], neighbours: int = NEIGHBOURS
) -> list[tuple[float, float, float]]:
    """Steps to the neighbours on an ellipse in one plane.

    Args:
        plane: Axis along which the first neighbour lies, and the other one.
        radii: Along t, y and x.
        neighbours: How many.
    """
    out = []
    for angle in 2 * np.pi * np.arange(neighbours) / neighbours:
        step = np.zeros(3)
        step[plane[0]], step[plane[1]] = radii[plane[0]] * np.cos(angle), radii[plane[1]] * np.sin(angle)
        first, second, third = np.round(step, 9).tolist()
        out.append((first, second, third))
    return out


def joined(bits: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """Bits as one number for each voxel, the first one least."""
    out = np.zeros(bits[0].shape, np.uint8 if len(bits) <= 8 else np.uint32)
    for at, bit in enumerate(bits):
        out |= bit.view(np.uint8) << out.dtype.type(at)
    return out.astype(np.int64)


def pattern_codes(volume: Volume, inner: Inner, steps: Sequence[Step], slack: float = SLACK) -> NDArray[np.int64]:
    """Which neighbours are at least as bright as the voxel itself, 0 to 2 ** len(steps) - 1 (Ojala et al. 2002)."""
    least = volume[inner] - np.float32(slack)
    return joined([shifted(volume, inner, step) >= least for step in steps])


@lru_cache(maxsize=1)
def uniform_bins() -> NDArray[np.int64]:
    """Bin of each pattern of 8: uniform ones (at most two changes around the circle) have one each, (256,)."""
    out = np.full(2**NEIGHBOURS, LABELS - 1, np.int64)
    circle = (np.arange(2**NEIGHBOURS)[:, None] >> np.arange(NEIGHBOURS)) & 1
    changes = (circle != np.roll(circle, 1, axis=1)).sum(axis=1)
    uniform = np.flatnonzero(changes <= 2)
    out[uniform] = np.arange(len(uniform))
    return out
