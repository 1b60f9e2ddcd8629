"""Frames of any kind as the pictures that models see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_picture(image: NDArray[np.generic], max_side_px: int) -> NDArray[np.uint8]:
    """Any frame as uint8 RGB (h, w, 3) of at most `max_side_px`: grey is repeated, 16 bit stretched to its range."""
    import cv2

    picture: NDArray[Any] = image
    scale = max_side_px / max(picture.shape[:2])
    if scale < 1:
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if picture.dtype != np.uint8:
        top = max(1.0, float(np.percentile(picture, 99.5)))
        picture = np.clip(picture.astype(np.float32) * (255 / top), 0, 255).astype(np.uint8)
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    return np.ascontiguousarray(picture)
