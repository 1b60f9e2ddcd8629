"""Dense optical flow by several methods behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.models import Picture

DenseFlow = Callable[[Picture, Picture], NDArray[np.float32]]
"""Displacement from one grey picture, uint8 (h, w), to another of the same size: float32 (h, w, 2), x right and y down
in pixels, at the pixels of the first."""

GRID_PX = 4
"""Distance of the points that Lucas-Kanade follows."""


def dense_flow(method: str = "dis") -> DenseFlow:
    """A way to measure flow; what it returns keeps buffers, so that each thread needs its own.

    Args:
        method: "dis": dense inverse search (Kroeger et al. 2016) down to single pixels without variational smoothing:
            the presets stop at a quarter of the resolution and lose two thirds of a movement of a few percent of the
            inter-ocular distance. "farneback": polynomial expansion (Farnebaeck 2003). "lk": pyramidal Lucas-Kanade
            (Bouguet 2001) on a grid, joined by normalised convolution. "tvl1": duality-based TV-L1 (Zach, Pock &
            Bischof 2007) with the parameters of Sanchez, Meinhardt-Llopis & Facciolo (2013); some hundred times slower.

    Raises:
        InvalidValueError: unknown method; the message lists the known ones.
    """
    makers: dict[str, Callable[[], DenseFlow]] = {
        "dis": _make_dis,
        "farneback": lambda: _farneback,
        "lk": lambda: _lucas_kanade,
        "tvl1": _make_tvl1,
    }
    if method not in makers:
        raise InvalidValueError(f"no flow method '{method}'", expected=f"one of {', '.join(makers)}")
    return makers[method]()


FLOW_METHODS = ("dis", "farneback", "lk", "tvl1")


def _make_dis() -> DenseFlow:
    import cv2

    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    engine.setFinestScale(0)
    engine.setPatchStride(6)
    return partial(_calculate, engine)


def _make_tvl1() -> DenseFlow:
    import cv2

    engine = cv2.optflow.DualTVL1OpticalFlow.create(
        tau=0.25,
        lambda_=0.15,
        theta=0.3,
        nscales=5,
        warps=5,
        epsilon=0.01,
        innnerIterations=30,
        outerIterations=10,
        scaleStep=0.5,
        gamma=0.0,
        medianFiltering=1,
        useInitialFlow=False,
    )
    return partial(_calculate, engine)


def _calculate(engine: Any, before: Picture, after: Picture) -> NDArray[np.float32]:
    return np.asarray(engine.calc(before, after, None), np.float32)


def _farneback(before: Picture, after: Picture) -> NDArray[np.float32]:
    import cv2

    start = np.zeros((*before.shape, 2), np.float32)
    return np.asarray(cv2.calcOpticalFlowFarneback(before, after, start, 0.5, 4, 15, 3, 5, 1.1, 0), np.float32)


def _lucas_kanade(before: Picture, after: Picture) -> NDArray[np.float32]:
    """Points of a grid are followed there; those that are lost take what their neighbours found."""
    import cv2

    height, width = before.shape
    columns = (np.arange(-(-width // GRID_PX), dtype=np.float32) + 0.5) * GRID_PX - 0.5
    rows = (np.arange(-(-height // GRID_PX), dtype=np.float32) + 0.5) * GRID_PX - 0.5
    places = np.stack(np.meshgrid(columns, rows), axis=-1)
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before, after, places.reshape(-1, 1, 2), places.reshape(-1, 1, 2).copy(), winSize=(15, 15), maxLevel=3
    )
    moved = np.asarray(found).reshape(places.shape) - places
    known = np.asarray(status, np.float32).reshape(places.shape[:2])
    share = cv2.GaussianBlur(known, (0, 0), 2.0)
    around = cv2.GaussianBlur(moved * known[..., None], (0, 0), 2.0) / np.maximum(share, 1e-6)[..., None]
    coarse = np.where(known[..., None] > 0, moved, around).astype(np.float32)
    size = (len(columns) * GRID_PX, len(rows) * GRID_PX)
    fine = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(fine[:height, :width], dtype=np.float32)
