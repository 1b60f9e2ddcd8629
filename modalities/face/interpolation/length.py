"""Clips brought to any length: linearly, or by the temporal interpolation model."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

Way = Literal["linear", "tim"]
WAYS: tuple[Way, ...] = ("linear", "tim")


def bring_to_length(clip: NDArray[np.number], frames: int, way: Way = "linear") -> NDArray[np.float32]:
    """The clip at `frames` moments evenly spread from its first picture to its last.

    Args:
        clip: Pictures of any size, (t, ...), t >= 2.
        frames: How many are wanted, >= 1.
        way: "linear" between neighbouring pictures; "tim", the temporal interpolation model (Zhou, Zhao & Pietikainen
            2011), along a smooth curve through all of them.

    Returns:
        Float32 (frames, ...). The pictures themselves where their own moments are asked for. The curve of "tim" may
        leave the range of the grey levels by a little.

    Raises:
        InvalidValueError: fewer than two pictures, no frame wanted, or another way.
    """
    if clip.ndim < 1 or len(clip) < 2 or frames < 1:
        raise InvalidValueError(
            "a clip cannot be brought to this length",
            got=f"{len(clip) if clip.ndim else 0} pictures to {frames}",
            expected="2 pictures or more, to 1 frame or more",
        )
    if way not in WAYS:
        raise InvalidValueError(f"no way '{way}' to interpolate", expected=" or ".join(WAYS))
    if way == "tim":
        flat = clip.reshape(len(clip), -1).astype(np.float64)
        return (tim_matrix(len(clip), frames) @ flat).reshape(frames, *clip.shape[1:]).astype(np.float32)
    real = clip.astype(np.float32, copy=False)
    place = np.linspace(0, len(real) - 1, frames)
    low = np.minimum(place.astype(np.int64), len(real) - 2)
    part = (place - low).astype(np.float32).reshape(-1, *(1,) * (real.ndim - 1))
    return np.asarray(real[low] * (1 - part) + real[low + 1] * part, np.float32)


@lru_cache(maxsize=64)
def tim_matrix(t: int, frames: int) -> NDArray[np.float64]:
    """What each picture of a clip counts in each picture of the curve through them, (frames, t).

    Pictures are the nodes of a path; the curve has the eigenvectors of the path's Laplacian as its coordinates,
    y_k(i) = sin(pi k i / t + pi (t - k) / (2 t)), and runs through them for real i too (Zhou, Zhao & Pietikainen
    2011). Where the pictures are linearly independent, mapping the curve back to pictures is linear: each pixel is its
    mean and its sum over the y_k, which are those of the cosine transform; so no pictures have to be decomposed.
    """
    at = np.linspace(1, t, frames)
    order = np.arange(1, t)
    nodes, curve = (_coordinates(np.asarray(one), order, t) for one in (np.arange(1, t + 1), at))
    return np.asarray(1 / t + curve @ nodes.T * (2 / t))


def _coordinates(at: NDArray[np.floating], order: NDArray[np.int64], t: int) -> NDArray[np.float64]:
    return np.asarray(np.sin(np.pi * order * at[:, None] / t + np.pi * (t - order) / (2 * t)))
