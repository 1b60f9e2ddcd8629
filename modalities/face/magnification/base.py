"""What all ways of magnifying motion share: the protocol, the table, checks, which change over time is motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.named import find_named

Clip = NDArray[np.float32]
"""Grey pictures, (t, h, w), 0..255."""
LEAST_SIDE = 16
MOST_FACTOR = 100.0


class Magnifier(Protocol):
    """A way to magnify motion."""

    def magnify(self, clip: NDArray[np.number], factor: float) -> Clip:
        """The clip with its motion made `factor` times as large.

        Args:
            clip: Aligned grey pictures, (t, h, w), 0..255, t >= 2; the first is what motion is relative to. All of it
                is held in memory: give it expressions, not recordings.
            factor: 1 leaves it as it is; 8 makes 0.5 % of the inter-ocular distance 4 %.

        Returns:
            Float32 (t, h, w), cut to 0..255.

        Raises:
            InvalidValueError: no such clip, a value that is not finite, or a factor outside 0..100.
        """


@dataclass(frozen=True)
class Band:
    """Which change over time is motion to be magnified.

    Attributes:
        low_hz: Slower changes stay as they are.
        high_hz: Faster ones too.
        rate_hz: Pictures per second.
    """

    low_hz: float
    high_hz: float
    rate_hz: float

    def __post_init__(self) -> None:
        if not 0 < self.low_hz < self.high_hz < self.rate_hz / 2:
            raise InvalidValueError(
                "no band of frequencies",
                got=f"{self.low_hz} to {self.high_hz} Hz of {self.rate_hz} pictures a second",
                expected="0 < low < high < half the pictures a second",
            )


def changes(values: NDArray[np.floating], band: Band | None) -> NDArray[np.floating]:
    """The part of a signal that is to be magnified, (t, ...).

    Args:
        values: (t, ...).
        band: Butterworth filter of first order, run forwards and backwards, so that nothing is delayed; None for all
            that differs from the first picture, as suits the clip of one expression, which is too short for a filter.
    """
    if band is None:
        return values - values[:1]
    from scipy.signal import butter, sosfiltfilt

    filter_ = butter(1, (band.low_hz, band.high_hz), "bandpass", fs=band.rate_hz, output="sos")
    padding = min(9, len(values) - 1)
    return np.asarray(sosfiltfilt(filter_, values, axis=0, padlen=padding))


def checked(clip: NDArray[np.number], factor: float) -> Clip:
    """The clip as real numbers.

    Raises:
        InvalidValueError: see `Magnifier`.
    """
    if clip.ndim != 3 or len(clip) < 2 or min(clip.shape[1:]) < LEAST_SIDE:
        raise InvalidValueError(
            "no clip whose motion could be magnified",
            got=f"shape {clip.shape}",
            expected=f"grey pictures (t, h, w), 2 or more, {LEAST_SIDE} pixels a side or more",
        )
    if not 0 <= factor <= MOST_FACTOR:
        raise InvalidValueError("motion cannot be magnified so", got=f"{factor} times", expected="0 to 100 times")
    real = clip.astype(np.float32)
    if not np.isfinite(real).all():
        raise InvalidValueError("a clip holds a value that is not finite", mend="Leave such pictures out.")
    return real


def cut(clip: NDArray[np.floating]) -> Clip:
    """Grey levels within 0..255."""
    return np.clip(clip, 0, 255).astype(np.float32)


MAGNIFIERS: dict[str, str] = {
    "eulerian": "modalities.face.magnification.eulerian:EulerianMagnifier",
    "riesz": "modalities.face.magnification.riesz:RieszMagnifier",
    "lagrangian": "modalities.face.magnification.lagrangian:LagrangianMagnifier",
    "learned": "modalities.face.magnification.learned:LearnedMagnifier",
}
"""Name -> "module:Class" of this package; "learned" needs a file."""


def find_magnifier(name: str, **settings: Any) -> Magnifier:
    """A way to magnify motion by name.

    Args:
        name: Of `MAGNIFIERS`.
        settings: Of its class.

    Raises:
        InvalidValueError: no such name.
    """
    maker: Callable[..., Magnifier] = find_named(MAGNIFIERS, name, "magnification")
    return maker(**settings)
