"""What the default recogniser measures of a flow map: is there anything to recognise, and what moved where to.

Two kinds of maps are taken. Live ones are displacements in pixels, from which how far a face moved can be told.
Stretched ones (the shared MEGC 2019 inputs, `flow_map.FlowMap.stretched`) have lost that; of them only the structure
can be told: skin moves in one piece, errors of the flow do not. After the test both are stretched, levelled and
described alike, so that what was learnt of one holds for the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.descriptors.flow import Hoof, PooledFlow
from modalities.face.recognition.inputs import Level, levelled
from modalities.face.recognition.samples import SIDE, mirrored

Maps = NDArray[np.floating]

BLOCKS: tuple[PooledFlow, Hoof] = (PooledFlow(10), Hoof(5, share=False))
"""Where the face moves, and in which directions."""
WEIGHTS = (1.0, 20.0)
"""What the features of each block are multiplied by, so that they spread about alike."""
FEATURES = 10 * 10 * 2 + 5 * 5 * 8
LEVELS: tuple[Level, ...] = ("mode", "median")
"""Ways in which the level of no motion is found; answers are averaged over them."""
LEAST_PERCENT = 0.8
"""A live face that moved less than this, in percent of the inter-ocular distance, shows nothing.

Planted micro-expressions move by 1 to 5 % at their peak; what is left of a turning head, over the lags of the face
path, is about a quarter of a percent (`benchmarks.residual_flow`: 0.1 to 0.15 px at a face 128 px wide).
"""
_PEAK = 98
"""Percentile of the displacement over the map that counts as how far the face moved."""


def check_maps(maps: NDArray[np.generic]) -> Maps:
    """The maps as numbers.

    Args:
        maps: Channels u, v, strain, (n, 28, 28, 3); one map (28, 28, 3) is taken as n = 1.

    Raises:
        InvalidValueError: another shape, no numbers, or values that are not finite.
    """
    given = np.asarray(maps)
    given = given[None] if given.ndim == 3 else given
    if given.shape[1:] != (SIDE, SIDE, 3) or not np.issubdtype(given.dtype, np.number) or np.iscomplexobj(given):
        raise InvalidValueError(
            "no flow maps",
            got=f"{given.dtype} {given.shape}",
            expected=f"numbers of shape (n, {SIDE}, {SIDE}, 3): u, v, strain",
        )
    out = given.astype(np.float64)
    if not np.isfinite(out).all():
        raise InvalidValueError("a flow map holds a value that is not finite", mend="Leave such maps out.")
    return out


def stretch(maps: Maps) -> NDArray[np.uint8]:
    """Each channel of each map from its least to its greatest value over 0..255, (n, h, w, 3).

    As `flow_map.FlowMap.stretched`; a channel of a single value becomes 0.
    """
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    return np.rint(255 * (maps - low) / np.maximum(high - low, 1e-9)).astype(np.uint8)


def moved_percent(maps: Maps, iod_px: float | Sequence[float]) -> NDArray[np.float64]:
    """How far the face moved: 98th percentile of the displacement from its median, percent of the IOD, (n,).

    Args:
        maps: u and v in pixels, (n, h, w, 3).
        iod_px: Inter-ocular distance in the same pixels, one for all or (n,).

    Raises:
        InvalidValueError: a distance that is not positive, or not one for each map.
    """
    iod = np.asarray(iod_px, np.float64)
    if iod.ndim > 1 or (iod.ndim == 1 and len(iod) != len(maps)) or not (np.isfinite(iod).all() and (iod > 0).all()):
        raise InvalidValueError(
            "an inter-ocular distance is a positive number of pixels, one for all maps or one for each",
            got=str(iod_px),
        )
    flow = maps[..., :2].reshape(len(maps), -1, 2)
    away = np.linalg.norm(flow - np.median(flow, axis=1, keepdims=True), axis=-1)
    return np.asarray(100 * np.percentile(away, _PEAK, axis=1) / iod)


def structure(maps: NDArray[np.number]) -> NDArray[np.float64]:
    """How much of a map is movement in one piece, (n,): mean likeness of u and v to themselves two pixels away.

    1 for a smooth movement, about 0 for errors that differ from pixel to pixel, 0 for a map without any motion.
    """
    flow = maps[..., :2].astype(np.float64)
    flow = flow - flow.mean(axis=(1, 2), keepdims=True)
    power = (flow**2).mean(axis=(1, 2))
    beside = (flow[:, :, 2:] * flow[:, :, :-2]).mean(axis=(1, 2))
    below = (flow[:, 2:] * flow[:, :-2]).mean(axis=(1, 2))
    likeness = (beside + below) / 2 / np.maximum(power, 1e-12)
    return np.asarray(np.where(power > 1e-12, likeness, 0.0).mean(axis=-1))


def describe(stretched: NDArray[np.number], level: Level, *, mirror: bool = False) -> NDArray[np.float32]:
    """Features of stretched maps, (n, `FEATURES`).

    Args:
        stretched: Channels over 0..255, (n, 28, 28, 3).
        level: How the level of no motion is found.
        mirror: Whether the face is seen in the mirror.
    """
    read = levelled(stretched, level)
    read = mirrored(read).astype(np.float32) if mirror else read
    places, directions = BLOCKS
    parts = [WEIGHTS[0] * places.describe(read), WEIGHTS[1] * directions.describe(read)]
    return np.concatenate(parts, axis=1).astype(np.float32)
