"""MediaPipe Pose, loaded once per process, and the check that what it found can be a body."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.native_log import without_chatter
from data_schemas.threads import import_apart
from modalities.body.skeleton import HIPS, SHOULDERS, VISIBLE, FloatArray

MAX_TILT_DEG = 75.0
"""Greatest angle against the vertical of neck and trunk of a person who sits or stands."""

_in_use = threading.Lock()


class PoseTracker:
    """Joints of the most prominent person, frame after frame. Get it from `tracking`.

    MediaPipe's own smoothing is off: it takes every video for 30 frames per second.
    """

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "2")
        warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype", category=UserWarning)
        with without_chatter():
            import_apart("mediapipe")
            from mediapipe.python.solutions.pose import Pose

            self._pose: Any = Pose(
                static_image_mode=False,
                model_complexity=1,
                smooth_landmarks=False,
                enable_segmentation=False,
                min_detection_confidence=0.5,
                min_tracking_confidence=0.5,
            )
            self._pose._graph.wait_until_idle()

    def restart(self) -> None:
        """Forget the person that was followed; the model stays loaded."""
        self._pose.reset()

    def find(self, picture: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Joints in the next picture of the video.

        Args:
            picture: uint8 (h, w, 3), RGB.

        Returns:
            Points (33, 2) as shares of width and height, visibility (33,) in 0..1, and points in space (33, 3), metres
            from the middle of the hips, right, down and away from the camera; None where no body was found.
        """
        found = self._pose.process(picture)
        if found.pose_landmarks is None or found.pose_world_landmarks is None:
            return None
        rows = np.array([(mark.x, mark.y, mark.visibility) for mark in found.pose_landmarks.landmark], dtype=np.float64)
        world = np.array([(mark.x, mark.y, mark.z) for mark in found.pose_world_landmarks.landmark], dtype=np.float64)
        return rows[:, :2], rows[:, 2], world


@contextmanager
def _turn(wait: bool) -> Iterator[None]:
    if not _in_use.acquire(blocking=wait):
        raise BlockingIOError("another video of this process has the trackers")
    try:
        yield
    finally:
        _in_use.release()


@lru_cache(maxsize=1)
def load_tracker() -> PoseTracker:
    """The one tracker of this process."""
    return PoseTracker()


@contextmanager
def tracking(wait: bool = True) -> Iterator[PoseTracker]:
    """The tracker for one video; a second video of the same process waits until the first is done.

    Raises:
        BlockingIOError: it would have to wait, and is not to.
    """
    with _turn(wait):
        tracker = load_tracker()
        tracker.restart()
        yield tracker


class Trackers:
    """Trackers for the people of one video, one each; they stay loaded for the next video. Get it from `lending`."""

    def __init__(self) -> None:
        self._idle: list[PoseTracker] = [load_tracker()]
        self._lent: list[PoseTracker] = []

    def lend(self) -> PoseTracker:
        """A tracker that follows nobody yet."""
        tracker = self._idle.pop() if self._idle else PoseTracker()
        tracker.restart()
        self._lent.append(tracker)
        return tracker

    def give_back(self, tracker: PoseTracker) -> None:
        """Return a tracker that is no longer needed."""
        self._lent.remove(tracker)
        self._idle.append(tracker)

    def take_back(self) -> None:
        """All that are still lent."""
        self._idle += self._lent
        self._lent.clear()


@lru_cache(maxsize=1)
def load_trackers() -> Trackers:
    """The trackers of this process; the first of them is `load_tracker`'s."""
    return Trackers()


@contextmanager
def lending(wait: bool = True) -> Iterator[Trackers]:
    """The trackers for one video of several people; other videos of the same process wait until it is done.

    Raises:
        BlockingIOError: it would have to wait, and is not to.
    """
    with _turn(wait):
        trackers = load_trackers()
        try:
            yield trackers
        finally:
            trackers.take_back()


def is_upright_body(points: FloatArray, visibility: FloatArray) -> bool:
    """Whether joints can be those of a sitting or standing person.

    MediaPipe Pose finds lying "bodies" with full visibility in lettering and furniture, so a body counts only when
    the nose is above the shoulders and these above the hips (where hips are seen), at most `MAX_TILT_DEG` off the
    vertical, and the nose and a shoulder have been seen.

    Args:
        points: (33, 2) in px, y down.
        visibility: (33,), 0..1.
    """
    if visibility[SHOULDERS].max() < VISIBLE or visibility[0] < VISIBLE:
        return False
    shoulders, hips = points[SHOULDERS].mean(axis=0), points[HIPS].mean(axis=0)
    upright = _is_above(points[0], shoulders)
    if visibility[HIPS].min() >= VISIBLE:
        upright = upright and _is_above(shoulders, hips)
    return upright


def _is_above(upper: FloatArray, lower: FloatArray) -> bool:
    across, down = upper - lower
    return bool(np.degrees(np.arctan2(abs(across), -down)) <= MAX_TILT_DEG)
