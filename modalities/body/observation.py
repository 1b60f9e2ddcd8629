"""One pass over a body video: joints at a set rate, pixel motion in between, nothing else kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.ahead import ahead
from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.growing import first_rows, with_room
from data_schemas.hook import Hook, silent
from data_schemas.result import Problem
from data_schemas.stream import Frame, Video
from data_schemas.time import to_ns, to_s
from modalities.body.hand_watch import HandWatch
from modalities.body.hands import HandLook
from modalities.body.pictures import as_picture
from modalities.body.pixels import PixelMotion
from modalities.body.pose import PoseTracker, is_upright_body, tracking
from modalities.body.skeleton import JOINTS, VISIBLE, BoolArray, FloatArray, Skeleton

PIXEL_HZ = 30.0
"""Greatest rate at which pictures are compared."""
EARLY = 0.25
"""A picture is taken when it comes at most this share of a period before it is due."""


@dataclass(frozen=True)
class BodySettings:
    """The body encoder's settings.

    Attributes:
        pose_hz: Rate of the pose, 2..60 Hz; a video with fewer frames gives all of them.
        hands_hz: Rate at which fingers are looked at, 1..60 Hz, never above that of the pose; 0 leaves them out.
        max_side_px: Longer side of the picture that the pose sees, 160..4096 px; larger frames are scaled down.
        gesture_model: A trained recogniser (.safetensors, see `gestures.training`) that names gestures, too.

    Raises:
        InvalidValueError: a value is out of its range.
    """

    pose_hz: float = 10.0
    hands_hz: float = 5.0
    max_side_px: int = 640
    gesture_model: str | None = None

    def __post_init__(self) -> None:
        for name, low, high in (("pose_hz", 2, 60), ("hands_hz", 1, 60), ("max_side_px", 160, 4096)):
            value = getattr(self, name)
            if name == "hands_hz" and value == 0 and not isinstance(value, bool):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InvalidValueError(f"body setting {name} is out of range", got=value, expected=f"{low} to {high}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> BodySettings:
        """Settings from the user's configuration.

        Raises:
            InvalidValueError: an unknown name, or a value out of range.
        """
        unknown = sorted(set(settings) - set(cls.__dataclass_fields__))
        if unknown:
            raise InvalidValueError(
                "unknown body settings", got=", ".join(unknown), expected=", ".join(cls.__dataclass_fields__)
            )
        return cls(**settings)


@dataclass(frozen=True, eq=False)
class Observation:
    """What is kept of a video.

    Attributes:
        skeleton: Joints at the n processed frames.
        hands: What was seen of the fingers then; None where nobody looked.
        pixel_motion: Grey levels per second, (n,).
        pixel_valid: bool (n,).
        frames: Number of frames that were read.
        rejected: Processed frames whose pose cannot be a sitting or standing person.
        broken: Why reading stopped before the end, None where it did not.
        unsure: bool (n,), where somebody is in view who could be this person or another; None for a single person.
    """

    skeleton: Skeleton
    hands: tuple[HandLook | None, ...]
    pixel_motion: FloatArray
    pixel_valid: BoolArray
    frames: int
    rejected: int
    broken: Problem | None
    unsure: BoolArray | None = None


class Timer:
    """Says when a picture is due, by its time and never by its number."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = to_ns(1 / rate_hz)
        self._due_ns: int | None = None

    def is_due(self, t_ns: int) -> bool:
        """Whether the picture of this time is to be taken; the mean rate is kept, whatever the distances."""
        if self._due_ns is None:
            self._due_ns = t_ns
        if t_ns < self._due_ns - EARLY * self._period_ns:
            return False
        self._due_ns += self._period_ns
        if self._due_ns <= t_ns:
            self._due_ns = t_ns + self._period_ns
        return True


class HandTimer:
    """Says at which of a person's poses the hands are looked at."""

    def __init__(self, settings: BodySettings) -> None:
        self._timer = Timer(settings.hands_hz) if settings.hands_hz else None
        self._watch = HandWatch()

    def look(
        self, picture: NDArray[np.generic], t_ns: int, points: FloatArray, visibility: FloatArray
    ) -> HandLook | None:
        """Look at the hands of a pose, px, if it is time to."""
        if self._timer is None or not self._timer.is_due(t_ns):
            return None
        return self._watch.look(picture, points, visibility, t_ns)


class Looking(Protocol):
    """Looks at a video, frame by frame."""

    frames: int
    times: list[int]

    def take(self, frame: Frame) -> bool:
        """Take the next frame; whether bodies were looked for in it."""


class BodyObserver:
    """Looks at a video of one person, frame by frame, and keeps joints and pixel motion.

    Args:
        tracker: Lent for this video.
        video: The video.
        settings: Of the body channel.

    Attributes:
        frames: Taken so far.
        times: Of those in which a body was looked for, ns.
    """

    def __init__(self, tracker: PoseTracker, video: Video, settings: BodySettings) -> None:
        self._tracker, self._settings = tracker, settings
        self._pose_timer, self._pixel_timer, self._hands = (
            Timer(settings.pose_hz), Timer(PIXEL_HZ), HandTimer(settings)
        )  # fmt: skip
        self._pixels, self._size, self._rejected = PixelMotion(), (video.width, video.height), 0
        poses = _expected(video, settings.pose_hz)
        self._points, self._visibility = np.zeros((poses, len(JOINTS), 2)), np.zeros((poses, len(JOINTS)))
        self._world, self._found = np.zeros((poses, len(JOINTS), 3)), np.zeros(poses, dtype=bool)
        self._looks: list[HandLook | None] = []
        self._motion: list[float | None] = []
        self.frames, self.times = 0, list[int]()

    def take(self, frame: Frame) -> bool:
        """Take the next frame; whether a body was looked for in it."""
        self.frames += 1
        take_pose = self._pose_timer.is_due(frame.t_ns)
        if not (self._pixel_timer.is_due(frame.t_ns) or take_pose):
            return False
        self._size = width, height = frame.image.shape[1], frame.image.shape[0]
        picture = as_picture(frame.image, self._settings.max_side_px)
        self._pixels.add(picture, frame.t_ns)
        if not take_pose:
            return False
        pose = self._tracker.find(picture)
        if pose is not None and not is_upright_body(pose[0] * (width, height), pose[1]):
            pose, self._rejected = None, self._rejected + 1
        if pose is not None:
            self._keep(len(self.times), pose, (width, height))
        self.times.append(frame.t_ns)
        hands = None
        if pose is not None:
            hands = self._hands.look(frame.image, frame.t_ns, pose[0] * (width, height), pose[1])
        self._looks.append(hands)
        rate = self._pixels.collect()
        self._motion.append(None if pose is None else rate)
        self._pixels.follow(*(None, None) if pose is None else (pose[0], pose[1] >= VISIBLE))
        return True

    def result(self, broken: Problem | None = None) -> Observation:
        """What was kept; `broken` says why reading stopped before the end."""
        return Observation(
            self._skeleton(),
            tuple(self._looks),
            np.array([value or 0.0 for value in self._motion], dtype=np.float64),
            np.array([value is not None for value in self._motion], dtype=bool),
            self.frames,
            self._rejected,
            broken,
        )

    def _keep(self, at: int, pose: tuple[FloatArray, FloatArray, FloatArray], size: tuple[int, int]) -> None:
        self._points, self._visibility = with_room(self._points, at), with_room(self._visibility, at)
        self._world, self._found = with_room(self._world, at), with_room(self._found, at)
        self._points[at], self._visibility[at], self._world[at], self._found[at] = pose[0] * size, *pose[1:], True

    def _skeleton(self) -> Skeleton:
        n = len(self.times)
        points, visibility = first_rows(self._points, n), first_rows(self._visibility, n)
        found, world = first_rows(self._found, n), first_rows(self._world, n)
        return Skeleton(np.array(self.times, dtype=np.int64), points, visibility, found, *self._size, world)


def look_through(video: Video, looking: Looking, hook: Hook = silent, step: str = "body") -> Problem | None:
    """Have all frames of a video looked at; what broke it off, if anything did.

    Raises:
        UnreadableFileError: the file broke before a single frame was read.
    """
    try:
        for frame in ahead(video.frames()):
            if looking.take(frame):
                hook(step, looking.frames, video.axis.n)
    except UnreadableFileError as error:
        if not looking.times:
            raise
        error.stream = error.stream or video.info.name
        return Problem.of(error)
    return None


def observe(video: Video, settings: BodySettings, hook: Hook = silent, step: str = "body") -> Observation:
    """Read a video once and keep joints and pixel motion.

    Raises:
        UnreadableFileError: the file broke before a single frame was read.
    """
    with tracking() as tracker:
        observer = BodyObserver(tracker, video, settings)
        broken = look_through(video, observer, hook, step)
    return observer.result(broken)


def _expected(video: Video, pose_hz: float) -> int:
    """At how many pictures a body will be looked for, about."""
    n = video.axis.n
    seconds = to_s(int(video.axis.end_ns) - int(video.axis.times_of(0))) if n else 0.0
    return int(min(n, seconds * pose_hz + 2))
