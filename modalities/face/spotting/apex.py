"""Apex finders: which picture of an interval shows an expression at its greatest.

A finder describes each picture once and then says of the pictures of an interval how much each looks like the apex. By
itself it needs to be told where the expression is (`find_apex`); `apex_spotter` slides an interval over a recording.
"""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.named import find_named
from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.models import FloatArray, Picture

LEAST_SIDE = 64
DEFAULT_RATE_HZ = 30.0


class ApexFinder(Protocol):
    """A way to find the apex.

    Attributes:
        name: Key of `APEX_FINDERS`.
        intervals_s: Lengths of the intervals in which it is asked for a micro- and for a macro-expression by whoever
            does not know where one is.
    """

    name: str
    intervals_s: tuple[float, float]

    def describe(self, face: Picture) -> FloatArray:
        """What is kept of a picture, always of one shape.

        Args:
            face: Aligned grey picture of the face, uint8 (h, w).
        """

    def curve(self, described: FloatArray, times_ns: Int64Array) -> FloatArray:
        """How much of the expression each picture shows, (t,).

        Args:
            described: Of each picture of the interval, (t, ...), t >= 3.
            times_ns: Of the pictures, increasing, (t,).
        """

    def apex(self, described: FloatArray, times_ns: Int64Array) -> int:
        """Number of the apex among the pictures of the interval; arguments as of `curve`."""


APEX_FINDERS: dict[str, str] = {
    "frequency": "modalities.face.spotting.apex_frequency:FrequencyApex",
    "lbp": "modalities.face.spotting.apex_lbp:LbpApex",
    "cnn": "modalities.face.spotting.apex_cnn:CnnApex",
}
"""Name -> "module:Class", imported only when used."""


def load_apex_finder(name: str) -> ApexFinder:
    """The apex finder of this name.

    Raises:
        InvalidValueError: unknown name; the message lists the known ones.
    """
    return cast(ApexFinder, find_named(APEX_FINDERS, name, "apex finder")())


def find_apex(name: str, clip: NDArray[np.uint8], times_ns: Int64Array | None = None) -> int:
    """Number of the picture at which an expression is greatest.

    Args:
        name: Of `APEX_FINDERS`.
        clip: Aligned grey pictures of the face from onset to offset, uint8 (t, h, w), t >= 3; "cnn" expects the part
            `differences.FACE_BOX` of pictures as `registration` makes them.
        times_ns: Their times, increasing, (t,); None for 30 a second.

    Raises:
        InvalidValueError: no such finder, no such clip, or times that do not fit it.
    """
    finder = load_apex_finder(name)
    if clip.dtype != np.uint8 or clip.ndim != 3 or len(clip) < 3 or min(clip.shape[1:]) < LEAST_SIDE:
        raise InvalidValueError(
            "no clip in which an apex could be found",
            got=f"{clip.dtype} {clip.shape}",
            expected=f"grey pictures uint8 (t, h, w), 3 or more, {LEAST_SIDE} pixels a side or more",
        )
    times = (
        np.rint(np.arange(len(clip)) * NS_PER_S / DEFAULT_RATE_HZ).astype(np.int64) if times_ns is None else times_ns
    )
    if len(times) != len(clip) or not (np.diff(times) > 0).all():
        raise InvalidValueError(
            "times do not fit the pictures", got=f"{len(times)} times", expected=f"{len(clip)}, increasing"
        )
    return finder.apex(np.stack([finder.describe(np.ascontiguousarray(one)) for one in clip]), times)
