"""How much the picture changes inside the person's box: movement that no joint shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import to_s
from modalities.body.skeleton import BoolArray, FloatArray

WIDTH_PX = 160
"""Width of the small grey picture that differences are taken on; averaging over it removes the camera's noise."""
NOISE_GREY = 3
"""Differences below this many grey levels are taken for noise and count as 0."""
MAX_STEP_S = 0.25
"""Longest distance of two pictures whose difference is used."""
MARGIN = 0.15
"""The box is this share of its size larger than the joints on every side."""


class PixelMotion:
    """Mean absolute grey difference inside the person's box, per second; even changes of the light are taken out."""

    def __init__(self) -> None:
        self._last: NDArray[np.int16] | None = None
        self._last_ns = 0
        self._rates: list[float] = []
        self._box: tuple[int, int, int, int] | None = None

    def add(self, picture: NDArray[np.uint8], t_ns: int) -> None:
        """Take the next picture.

        Args:
            picture: uint8 (h, w, 3), the same size every time.
            t_ns: Its time.
        """
        import cv2

        height, width = picture.shape[:2]
        size = (WIDTH_PX, max(1, round(height * WIDTH_PX / width)))
        grey = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        small = grey.astype(np.int16)
        step_s = to_s(t_ns - self._last_ns)
        if self._last is not None and self._box is not None and step_s <= MAX_STEP_S:
            change = small - self._last
            change -= np.int16(np.median(change))
            left, top, right, bottom = self._box
            inside = np.abs(change[top:bottom, left:right])
            inside[inside < NOISE_GREY] = 0
            self._rates.append(float(inside.mean()) / step_s)
        self._last, self._last_ns = small, t_ns

    def collect(self) -> float | None:
        """Mean of the differences since the last call, grey levels per second; None without a box or a difference."""
        rate = float(np.mean(self._rates)) if self._rates else None
        self._rates.clear()
        return rate

    def follow(self, points: FloatArray | None, seen: BoolArray | None) -> None:
        """Set the box for the pictures to come.

        Args:
            points: (33, 2) as shares of width and height; None where no body was found.
            seen: bool (33,), which of them can be used.
        """
        self._box = None
        if points is None or seen is None or self._last is None or seen.sum() < 2:
            return
        height, width = self._last.shape
        used = points[seen] * (width, height)
        low, high = used.min(axis=0), used.max(axis=0)
        spread = MARGIN * (high - low)
        left, top = np.clip(np.floor(low - spread), 0, (width - 1, height - 1)).astype(int).tolist()
        right, bottom = np.clip(np.ceil(high + spread), 1, (width, height)).astype(int).tolist()
        if right > left and bottom > top:
            self._box = (left, top, right, bottom)
