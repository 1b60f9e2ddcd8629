"""Why a map was given its class: which regions of the face moved the decision.

Each region in turn is put back to rest, and the fall of the class's log odds is its share (occlusion; Zeiler & Fergus
2014). A region that speaks against the class has none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.samples import SIDE
from modalities.face.regions import NAMES
from modalities.face.registration import PATCH_EYES, PATCH_IOD_PX, PATCH_PX

REACH = 2.0
"""Spread of the patch that is put back to rest, pixels of the map."""
TOLD = 3
"""So many regions are named."""
LEAST_SHARE = 0.05

Numbers = NDArray[np.float64]
Judge = Callable[[NDArray[np.float64]], Numbers]
"""Maps (n, 28, 28, 3) to probabilities (n, classes)."""


def region_shares(judge: Judge, one: NDArray[np.floating], places: NDArray[np.floating]) -> Numbers:
    """Share of each region in the decision.

    Args:
        judge: Gives probabilities.
        one: u, v, strain of one event, (28, 28, 3).
        places: Where each region lies in the map, pixels, x and y, (regions, 2).

    Returns:
        0..1, (regions,); they sum to 1, or to 0 where no region speaks for the class.
    """
    flow = one.astype(np.float64)
    rest = np.median(flow, axis=(0, 1))
    rest[2] = flow[..., 2].min()
    hidden = _patches(places)[..., None]
    said = judge(np.concatenate([flow[None], flow * (1 - hidden) + rest * hidden]))
    chosen = np.clip(said[:, int(said[0].argmax())], 1e-6, 1 - 1e-6)
    odds = np.log(chosen / (1 - chosen))
    fall = np.maximum(0.0, odds[0] - odds[1:])
    return np.asarray(fall / fall.sum() if fall.sum() > 0 else fall)


def map_places(places: NDArray[np.floating]) -> Numbers:
    """Registered places of regions as pixels of a map.

    Args:
        places: Percent of the inter-ocular distance, x to the person's left, y up (`observation.ROW`), (regions, 2).
    """
    patch = np.array(PATCH_EYES) + PATCH_IOD_PX / 100 * places * (1, -1)
    return np.asarray((patch + 0.5) * SIDE / PATCH_PX - 0.5, np.float64)


def name_shares(shares: Numbers) -> dict[str, float]:
    """The few greatest shares by name of their region, greatest first."""
    order = np.argsort(-shares)[:TOLD].tolist()
    return {NAMES[at]: round(float(shares[at]), 3) for at in order if shares[at] >= LEAST_SHARE}


def _patches(places: NDArray[np.floating]) -> Numbers:
    """How much each pixel belongs to each region, 0..1, (regions, 28, 28)."""
    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    away = (columns - places[:, 0, None, None]) ** 2 + (rows - places[:, 1, None, None]) ** 2
    return np.asarray(np.exp(-away / (2 * REACH**2)), np.float64)
