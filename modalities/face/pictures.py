"""Pictures of any kind of face camera as RGB of 8 bits."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.stream import Video
from data_schemas.time import to_s
from modalities.face.depth.shading import Shader
from modalities.face.models import FloatArray, Picture

LOW_PERCENT, HIGH_PERCENT = 1.0, 99.5
"""Percentiles of the pixels that become black and white."""
SETTLE_S = 2.0
"""Time constant with which black and white follow the picture: slow, so that the light does not seem to flicker."""
JUMP = 0.5
"""Black or white that is off by more than this share of their distance is taken over at once: the light was
switched."""
_SAMPLES = 20_000


class Toner:
    """Turns near-infrared and colour pictures into RGB of 8 bits.

    Black and white follow the picture, slowly. Flow compares the shape of brightness and not its level, so that
    infrared needs no more to show the same movement as colour. Tried on simulated infrared with hot spots, noise and
    glasses, and no better: local contrast, coarse and fine; bright spots pressed down; logarithm; smoothing.
    """

    def __init__(self) -> None:
        self._range: FloatArray | None = None
        self._t_ns = 0

    def tone(self, image: NDArray[np.generic], t_ns: int) -> Picture:
        """The next picture.

        Args:
            image: uint8 (h, w, 3) colour, passed on as it is; or uint8 or uint16 (h, w), stretched between running
                percentiles.
            t_ns: Its time.

        Returns:
            uint8 (h, w, 3).

        Raises:
            InvalidValueError: another shape or type.
        """
        if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8:
            return image.astype(np.uint8, copy=False)
        if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
            raise InvalidValueError(
                "a face picture has an unknown format",
                time_s=to_s(t_ns),
                got=f"{image.dtype} {image.shape}",
                expected="uint8 (h, w, 3), or uint8 or uint16 (h, w)",
            )
        low, high = self._follow(image, t_ns)
        grey = (image.astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1e-6))
        return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2)

    def _follow(self, image: NDArray[np.generic], t_ns: int) -> FloatArray:
        """Values that become black and white now."""
        step = max(1, int(np.sqrt(image.size / _SAMPLES)))
        sample = image[::step, ::step].ravel().astype(np.float64)
        last = self._range
        now = np.percentile(sample, (LOW_PERCENT, HIGH_PERCENT))
        share = 1 - np.exp(-to_s(max(0, t_ns - self._t_ns)) / SETTLE_S)
        if last is not None and np.abs(now - last).max() <= JUMP * max(1.0, float(last[1] - last[0])):
            now = last + share * (now - last)
        self._range = now
        self._t_ns = t_ns
        return now


class PictureToner(Protocol):
    """Turns the pictures of one stream, one after the other, into RGB of 8 bits."""

    def tone(self, image: NDArray[np.generic], t_ns: int) -> Picture:
        """The next picture, uint8 (h, w, 3)."""


def toner_of(video: Video) -> PictureToner:
    """What makes the pictures of a face stream fit to look for a face in; depth becomes a shaded surface."""
    if video.info.kind == "face_depth":
        return Shader(video.camera, video.depth_scale_m)
    return Toner()
