"""A depth camera beside another one: its distances in the other's picture, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from data_schemas.camera import Camera
from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.stream import Frame, Video
from data_schemas.time import NS_PER_S
from modalities.face.depth.alignment import align
from modalities.face.depth.surface import Surface, camera_of, surface_of

MOST_APART_S = 0.05
"""Pictures farther apart in time do not show the same."""
Source = Callable[[tuple[int, int, int, int]], Surface]
"""Distances in a box (left, top, right, bottom) of a picture."""


class DepthBeside:
    """The distances of a depth stream as another camera sees them.

    Args:
        depth: The stream; read along as later and later pictures are asked for.
        camera: Of the other pictures.
    """

    def __init__(self, depth: Video, camera: Camera) -> None:
        self._camera = camera
        self._own, _ = camera_of(depth)
        self._scale_m = depth.depth_scale_m or 0.0
        steps = np.diff(depth.times_ns)
        step = float(np.median(steps)) if len(steps) else 0.0
        self._apart_ns = min(MOST_APART_S * NS_PER_S, max(0.6 * step, 0.01 * NS_PER_S))
        self._frames: Iterator[Frame] = depth.frames()
        self._last: Frame | None = None
        self._next: Frame | None = None
        self._done = False

    def of(self, frame: Frame) -> Source:
        """What gives the distances of a picture of the depth stream that somebody else has read."""
        return partial(self._align, frame)

    def at(self, t_ns: int) -> Source | None:
        """What gives the distances at a time, later than those asked for before; None where no picture is near."""
        while not self._done and (self._next is None or self._next.t_ns < t_ns):
            self._last = self._next or self._last
            try:
                self._next = next(self._frames, None)
            except (UnreadableFileError, InvalidValueError):
                self._next = None  # the stream's own pass over the file reports it
            self._done = self._next is None
        near = [frame for frame in (self._last, self._next) if frame is not None]
        if not near:
            return None
        best = min(near, key=lambda frame: abs(frame.t_ns - t_ns))
        if abs(best.t_ns - t_ns) > self._apart_ns:
            return None
        return self.of(best)

    def _align(self, frame: Frame, box: tuple[int, int, int, int]) -> Surface:
        return align(surface_of(frame.image, self._scale_m, self._own), self._camera, box)


def depth_for(video: Video, streams: Sequence[Video]) -> tuple[DepthBeside | None, str]:
    """The distances that a session has for a face video.

    Args:
        video: Of any kind.
        streams: All face streams of the person.

    Returns:
        None where there are none, and then, if there is a depth stream, a sentence that says what it would take.
    """
    depth = next((one for one in streams if one.info.kind == "face_depth"), None)
    if depth is None:
        return None, ""
    if depth.depth_scale_m is None:
        return None, f"'{depth.info.name}' is used as a picture only: depth_scale_m is not stated"
    if video is depth:
        camera, assumed = camera_of(depth)
        return DepthBeside(depth, camera), assumed
    if video.camera is None or depth.camera is None:
        missing = " and ".join(f"'{one.info.name}'" for one in (video, depth) if one.camera is None)
        return (
            None,
            f"distances of '{depth.info.name}' are not used for '{video.info.name}': no intrinsics of {missing}",
        )
    return DepthBeside(depth, video.camera), ""
