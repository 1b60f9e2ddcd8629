"""One of several bodies of a video: looked for around its face, by a tracker of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.body.hands import HandLook
from modalities.body.identity import Place, Window, belongs, window_of
from modalities.body.observation import BodySettings, HandTimer
from modalities.body.pictures import as_picture
from modalities.body.pixels import PixelMotion
from modalities.body.pose import PoseTracker, is_upright_body
from modalities.body.skeleton import FACE, VISIBLE, FloatArray
from modalities.face.landmarks import overlap

KEEP_OVERLAP = 0.6
"""A body's part of the picture moves when it shares less than this (intersection over union) with the wanted one."""
ASTRAY = 2
"""After so many poses in a row on another head the tracker starts anew, in a narrower part of the picture."""


@dataclass(frozen=True, eq=False)
class Joints:
    """A pose in px of the whole picture: points (33, 2), visibility (33,), world (33, 3) in metres."""

    points: FloatArray
    visibility: FloatArray
    world: FloatArray


@dataclass(frozen=True, eq=False)
class Row:
    """One look for one body.

    Attributes:
        frame: Number of the processed picture.
        joints: The pose; None where none was found.
        face: Number of the followed face on its head; 0 where its face is hidden.
        motion: Pixel motion since the last look, grey levels per second; None where unknown.
        hands: What was seen of the fingers; None where nobody looked.
    """

    frame: int
    joints: Joints | None
    face: int
    motion: float | None
    hands: HandLook | None = None


class Body:
    """One body that is followed."""

    def __init__(self, tracker: PoseTracker, face: int, place: Place, t_ns: int, settings: BodySettings) -> None:
        self.tracker, self.face, self.place = tracker, face, place
        self._side_px, self._hands = settings.max_side_px, HandTimer(settings)
        self.rows: list[Row] = []
        self.pixels = PixelMotion()
        self.seen_ns, self.rejected = t_ns, 0
        self._window: Window | None = None
        self._astray, self._narrow = 0, False

    @property
    def joints(self) -> Joints | None:
        """The pose of the last look."""
        return self.rows[-1].joints if self.rows else None

    def look(self, picture: NDArray[np.generic], others: Sequence[Place], frame: int, t_ns: int) -> None:
        """Look for the body in the next picture.

        Args:
            picture: Of the video, any size.
            others: Places of the other people's faces.
            frame: Number of the picture.
            t_ns: Its time.
        """
        height, width = picture.shape[:2]
        wanted = window_of(self.place, others, width, height, self._narrow)
        if self._window is None or overlap(self._window, wanted) < KEEP_OVERLAP:
            if self._window is not None:
                self.tracker.restart()
            self._window = wanted
        left, top, right, bottom = self._window
        found = self.tracker.find(as_picture(picture[top:bottom, left:right], self._side_px))
        joints = None
        if found is not None:
            points = found[0] * (right - left, bottom - top) + (left, top)
            joints = self._accept(Joints(points, found[1], found[2]))
        if joints is not None:
            self.seen_ns, self._narrow = t_ns, self._narrow and bool(others)
            if not self.face:
                self.place = (joints.points[FACE].mean(axis=0), self.place[1])
        motion, hands = self.pixels.collect(), None
        if joints is None:
            motion = None
            self.pixels.follow(None, None)
        else:
            hands = self._hands.look(picture, t_ns, joints.points, joints.visibility)
            self.pixels.follow(joints.points / (width, height), joints.visibility >= VISIBLE)
        self.rows.append(Row(frame, joints, self.face, motion, hands))

    def _accept(self, joints: Joints) -> Joints | None:
        """The pose if it can be a body and its head is this one; a tracker that went astray starts anew."""
        if not is_upright_body(joints.points, joints.visibility):
            self.rejected += 1
            return None
        if belongs(joints.points, *self.place):
            self._astray = 0
            return joints
        self._astray += 1
        if self._astray >= ASTRAY:
            self._astray, self._narrow = 0, True
            self.tracker.restart()
        return None
