"""Face crops at the onset and the apex of a video's strongest expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.stream import Video
from data_schemas.time import NS_PER_S
from modalities.face.spotting.table import frame_indices

Picture = NDArray[np.uint8]
MARGIN = 0.2
"""Rim around the face, share of its size."""
MOST_PX = 1280
"""Greater pictures are made smaller before they are kept."""


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """One expression: the face before it, and at its height, cut out at the same place.

    Attributes:
        event: The expression.
        onset: RGB, uint8 (h, w, 3); None where no face could be cut out.
        apex: Of the same size.
    """

    event: Event
    onset: Picture | None
    apex: Picture | None


def strongest(events: Sequence[Event], most: int) -> list[Event]:
    """The events of highest score, by apex."""
    return sorted(sorted(events, key=lambda event: (-(event.score or 0.0), event.onset_ns))[:most], key=apex_s)


def apex_s(event: Event) -> float:
    """When an event is at its height, seconds; its onset where nobody says."""
    return (event.onset_ns if event.apex_ns is None else event.apex_ns) / NS_PER_S


def cut_thumbnails(video: Video, events: Sequence[Event]) -> list[Thumbnail]:
    """Crops of some events; the video is decoded up to the last of them, and only their pictures are kept.

    Raises:
        UnreadableFileError: the video breaks before the last of them.
    """
    frames = [frame_indices(event, video.times_ns) for event in events]
    wanted = {frame[name] for frame in frames for name in ("onset_frame", "apex_frame")}
    pictures: dict[int, Picture] = {}
    if wanted:
        from modalities.face.pictures import toner_of

        toner = toner_of(video)
        for frame in video.frames_at(wanted):
            pictures[frame.index] = _shrink(toner.tone(frame.image, frame.t_ns))
    return [
        _cut(event, pictures[frame["onset_frame"]], pictures[frame["apex_frame"]])
        for event, frame in zip(events, frames, strict=True)
    ]


def _shrink(picture: Picture) -> Picture:
    import cv2

    scale = MOST_PX / max(picture.shape[:2])
    if scale >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _cut(event: Event, onset: Picture, apex: Picture) -> Thumbnail:
    box = _face_box(apex)
    if box is None:
        return Thumbnail(event, None, None)
    left, top, right, bottom = box
    return Thumbnail(event, onset[top:bottom, left:right].copy(), apex[top:bottom, left:right].copy())


def _face_box(picture: Picture) -> tuple[int, int, int, int] | None:
    """A square around the face: left, top, right, bottom in pixels."""
    from modalities.face.landmarks import FaceTracker
    from modalities.face.models import borrowed_models

    with borrowed_models() as models:
        sighting = FaceTracker(models).find(picture, 0)
    if sighting is None:
        return None
    left, top, right, bottom = (float(value) for value in sighting.box)
    half = (0.5 + MARGIN) * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    height, width = picture.shape[:2]
    return max(0, int(x - half)), max(0, int(y - half)), min(width, int(x + half)), min(height, int(y + half))
