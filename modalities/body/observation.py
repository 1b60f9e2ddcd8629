"""One pass over a body video: joints at a set rate, pixel motion in between, nothing else kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.ahead import ahead
from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.hook import Hook, silent
from data_schemas.stream import Video
from data_schemas.time import to_ns
from modalities.body.hand_watch import HandWatch
from modalities.body.hands import HandLook
from modalities.body.pictures import as_picture
from modalities.body.pixels import PixelMotion
from modalities.body.pose import is_upright_body, tracking
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
    broken: str | None
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


def observe(video: Video, settings: BodySettings, hook: Hook = silent, step: str = "body") -> Observation:
    """Read a video once and keep joints and pixel motion.

    Raises:
        UnreadableFileError: the file broke before a single frame was read.
    """
    pose_timer, pixel_timer, pixels = Timer(settings.pose_hz), Timer(PIXEL_HZ), PixelMotion()
    hand_timer, hands = HandTimer(settings), list[HandLook | None]()
    times: list[int] = []
    found: list[tuple[FloatArray, FloatArray, FloatArray] | None] = []
    motion: list[float | None] = []
    frames, rejected, broken = 0, 0, None
    width, height = video.width, video.height
    total = video.axis.n
    with tracking() as tracker:
        try:
            for frame in ahead(video.frames()):
                frames += 1
                take_pose = pose_timer.is_due(frame.t_ns)
                if not (pixel_timer.is_due(frame.t_ns) or take_pose):
                    continue
                height, width = frame.image.shape[:2]
                picture = as_picture(frame.image, settings.max_side_px)
                pixels.add(picture, frame.t_ns)
                if not take_pose:
                    continue
                pose = tracker.find(picture)
                if pose is not None and not is_upright_body(pose[0] * (width, height), pose[1]):
                    pose, rejected = None, rejected + 1
                times.append(frame.t_ns)
                found.append(pose)
                at = None if pose is None else pose[0] * (width, height)
                hands.append(
                    None if pose is None or at is None else hand_timer.look(frame.image, frame.t_ns, at, pose[1])
                )
                rate = pixels.collect()
                motion.append(None if pose is None else rate)
                pixels.follow(*(None, None) if pose is None else (pose[0], pose[1] >= VISIBLE))
                hook(step, frames, total)
        except UnreadableFileError as error:
            if not times:
                raise
            broken = str(error)
    hook(step, frames, frames)
    return Observation(
        _skeleton_of(times, found, width, height),
        tuple(hands),
        np.array([value or 0.0 for value in motion], dtype=np.float64),
        np.array([value is not None for value in motion], dtype=bool),
        frames,
        rejected,
        broken,
    )


def _skeleton_of(
    times: list[int], found: list[tuple[FloatArray, FloatArray, FloatArray] | None], width: int, height: int
) -> Skeleton:
    n = len(times)
    points, visibility = np.zeros((n, len(JOINTS), 2)), np.zeros((n, len(JOINTS)))
    world = np.zeros((n, len(JOINTS), 3))
    for at, pose in enumerate(found):
        if pose is not None:
            points[at], visibility[at], world[at] = pose[0] * (width, height), pose[1], pose[2]
    mask = np.array([pose is not None for pose in found], dtype=bool)
    return Skeleton(np.array(times, dtype=np.int64), points, visibility, mask, width, height, world)
