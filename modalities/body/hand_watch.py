"""The hands of one person, looked at anew where something has changed since the last look: most hands rest mostly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import to_s
from modalities.body.hands import NOTHING, HandLook, OneHand, look_at_hand, place_of_hand
from modalities.body.pictures import as_picture
from modalities.body.skeleton import SIDES, FloatArray

STILL_SHARE = 0.15
"""A hand rests while the pose has its wrist and knuckle this near to where they were, in lengths from the one to the
other: landmarks tremble at rest."""
STILL_GREY = 8.0
"""... and while no part of the picture around it, of a sixteenth of its side, has changed by more grey levels than
this, whatever changes everywhere alike taken out."""
LONGEST_S = 1.0
"""After this even a resting hand is looked at again."""
_SIDE_PX, _REACH = 16, 2.0


@dataclass(frozen=True, eq=False)
class _Known:
    t_ns: int
    ends: FloatArray
    box: tuple[int, int, int, int]
    around: NDArray[np.float32]
    hand: OneHand


class HandWatch:
    """Looks at both hands of a person, picture after picture."""

    def __init__(self) -> None:
        self._known: list[_Known | None] = [None, None]

    def look(self, picture: NDArray[np.generic], points: FloatArray, visibility: FloatArray, t_ns: int) -> HandLook:
        """Look at the hands of a pose; a hand that the pose does not surely see, or that is too small, is left alone.

        Args:
            picture: Any frame.
            points: Joints of the pose, px, (33, 2).
            visibility: (33,).
            t_ns: Time of the frame.
        """
        return HandLook.of([self._look_at(picture, points, visibility, t_ns, at) for at in range(2)])

    def _look_at(
        self, picture: NDArray[np.generic], points: FloatArray, visibility: FloatArray, t_ns: int, at: int
    ) -> OneHand:
        ends = place_of_hand(points, visibility, picture.shape[1::-1], at)
        if ends is None:
            self._known[at] = None
            return NOTHING
        known = self._known[at]
        if known is not None and _rests(known, picture, ends, t_ns):
            return known.hand
        hand, box = look_at_hand(picture, ends, SIDES[at]), _box_around(ends, picture.shape[1::-1])
        self._known[at] = _Known(t_ns, ends, box, _shrunk(picture, box), hand)
        return hand


def _rests(known: _Known, picture: NDArray[np.generic], ends: FloatArray, t_ns: int) -> bool:
    if to_s(t_ns - known.t_ns) >= LONGEST_S:
        return False
    length = float(np.linalg.norm(known.ends[1] - known.ends[0]))
    if np.linalg.norm(ends - known.ends, axis=1).max() > STILL_SHARE * length:
        return False
    change = _shrunk(picture, known.box) - known.around
    return bool(np.abs(change - np.median(change)).max() <= STILL_GREY)


def _box_around(ends: FloatArray, size: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a square around a hand, px, cut to the picture."""
    wrist, knuckle = ends
    half = _REACH * float(np.linalg.norm(knuckle - wrist))
    low = np.clip(np.floor(knuckle - half), 0, np.array(size) - 2).astype(int)
    high = np.clip(np.ceil(knuckle + half), low + 2, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _shrunk(picture: NDArray[np.generic], box: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """A part of a picture, averaged over its cells, grey levels, (16, 16)."""
    import cv2

    left, top, right, bottom = box
    part = cv2.cvtColor(as_picture(picture[top:bottom, left:right], 4 * _SIDE_PX), cv2.COLOR_RGB2GRAY)
    return cv2.resize(part, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
