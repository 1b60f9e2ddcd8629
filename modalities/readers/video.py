"""Video tracks through PyAV: frames decoded one after the other, each matched with its own time stamp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Pictured, StreamInfo, Video
from data_schemas.time import Explicit, Int64Array
from modalities.readers.faults import refuse, require_disk
from modalities.readers.frame_index import FrameIndex, index_frames
from modalities.readers.packets import decode_packets
from modalities.readers.pictures import MOST_PIXELS, Framing, Picture, camera_of, mode_for, mono_depth, to_array

if TYPE_CHECKING:
    from av import VideoFrame

_THREADS = 2
_ENTER = 60
"""Frames that are sooner decoded than passed over."""


@dataclass(frozen=True)
class Look:
    """What the first decodable frame of a track shows.

    Attributes:
        width: Stored width, px.
        height: Stored height, px.
        pixel_format: FFmpeg's name.
        turns: Counter-clockwise quarter turns that the file asks for.
    """

    width: int
    height: int
    pixel_format: str
    turns: int


@dataclass(frozen=True)
class DecodedFrames:
    """Opens the file anew at each call and yields (index, picture) in order; a few frames in memory at a time.

    A frame that cannot be decoded is left out; its index is skipped.

    Attributes:
        path: The file.
        track: Number of the track in the container.
        pts: int64 (n,): time stamps of the frames in presentation order.
        counted: Match frames by order instead of by time stamp.
        mode: "rgb", "gray" or "gray16".
        framing: Region and rotation.
        size: (width, height) of the stored pictures; one of another size is left out. None takes any.
    """

    path: Path
    track: int
    pts: Int64Array = field(repr=False, compare=False)
    counted: bool
    mode: str
    framing: Framing
    size: tuple[int, int] | None = None

    def __call__(self) -> Iterator[tuple[int, Picture]]:
        """All frames from the start.

        Raises:
            UnreadableFileError: not one frame could be decoded, or the disk no longer reads the file.
        """
        last = -1
        for at, frame in self._matched():
            if at > last:
                last = at
                yield at, self.framing(to_array(frame, self.mode))
        self._require_end(last)

    def _require_end(self, last: int) -> None:
        if last + 1 < len(self.pts):
            require_disk(self.path)
        if last < 0 and len(self.pts):
            raise UnreadableFileError("no frame of the video can be decoded", file=self.path)

    def beside(self, other: Video) -> Callable[[], Iterator[Pictured]] | None:
        """What opens these pictures and another video's in one decoding; None where its frames are others."""
        theirs = other.source
        if not isinstance(theirs, DecodedFrames) or replace(theirs, mode=self.mode, framing=self.framing) != self:
            return None
        return partial(self._both, theirs)

    def _both(self, theirs: DecodedFrames) -> Iterator[Pictured]:
        last = -1
        for at, frame in self._matched():
            if at > last:
                last = at
                whole = to_array(frame, self.mode)
                again = whole if theirs.mode == self.mode else to_array(frame, theirs.mode)
                yield at, self.framing(whole), theirs.framing(again)
        self._require_end(last)

    def pick(self, wanted: frozenset[int]) -> Iterator[tuple[int, Picture]]:
        """The frames of some indices; only they are converted, and decoding begins at the whole picture before them."""
        first, last = min(wanted, default=0), max(wanted, default=-1)
        for at, frame in self._from(first):
            if at in wanted:
                yield at, self.framing(to_array(frame, self.mode))
            if at >= last:
                return

    def _from(self, first: int) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from this one on, or from an earlier one; from the start where the file cannot be entered there."""
        if self.counted or first < _ENTER or first >= len(self.pts):
            yield from self._matched()
            return
        frames = self._matched(seek_to=int(self.pts[first]))
        begun = next(frames, None)
        if begun is None or begun[0] > first:
            yield from self._matched()
            return
        yield begun
        yield from frames

    def last_decodable(self) -> int:
        """Index of the last frame that decodes, -1 for none; begins at the last whole picture if that is possible."""
        last = max((at for at, _ in self._matched(seek_to=int(self.pts[-1]))), default=-1)
        return last if last >= 0 else max((at for at, _ in self._matched()), default=-1)

    def _matched(self, seek_to: int | None = None) -> Iterator[tuple[int, VideoFrame]]:
        for count, frame in enumerate(decode_frames(self.path, self.track, seek_to)):
            if self.size is not None and (frame.width, frame.height) != self.size:
                continue
            if self.counted:
                yield count, frame
                continue
            if frame.pts is None:
                continue
            at = int(np.searchsorted(self.pts, frame.pts))
            if at < len(self.pts) and self.pts[at] == frame.pts:
                yield at, frame


def decode_frames(path: Path, track: int, seek_to: int | None = None) -> Iterator[VideoFrame]:
    """Decoded frames of a track in order of presentation; undecodable packets are passed over.

    Raises:
        UnreadableFileError: the file can no longer be opened.
    """
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        refuse("the video can no longer be opened", path, error)
    with container:
        stream = container.streams.get(track)[0]
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = _THREADS
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        if seek_to is not None:
            container.seek(seek_to, stream=stream, backward=True)
        for frame in decode_packets(container, stream):
            if isinstance(frame, av.VideoFrame):
                yield frame


def look_at(path: Path, track: int) -> Look:
    """Size, pixel format and rotation by decoding one frame.

    Raises:
        UnreadableFileError: not one frame can be decoded.
    """
    for frame in decode_frames(path, track):
        turns = round((frame.rotation or 0) / 90) % 4
        return Look(frame.width, frame.height, frame.format.name, turns)
    raise UnreadableFileError("no frame of the video can be decoded", file=path, mend="Copy or convert the file again.")


def index_video(path: Path, track: int) -> FrameIndex:
    """The frames of a track that really can be read; a file that was cut off gives those before the cut.

    Remembered for as long as the file does not change, as pictures and sound of a file are opened one by one.

    Raises:
        UnreadableFileError: there is none.
    """
    state = path.stat()
    return _index_video(path, track, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=32)
def _index_video(path: Path, track: int, size: int, changed_ns: int) -> FrameIndex:
    index, cut = index_frames(path, track)
    if not cut or index.counted:
        return index
    frames = DecodedFrames(path, track, index.pts, False, "gray", Framing())
    last = frames.last_decodable()
    if last < 0:
        raise UnreadableFileError("no frame of the video can be decoded", file=path)
    index = index.without_tail(last + 1, "the last frames cannot be decoded and were left out")
    if not any("cut off" in note for note in index.notes):
        index = replace(index, notes=(*index.notes, "the file is cut off: what lies before the cut was read"))
    return index


def open_video(entry: StreamEntry, path: Path, track: int, info: StreamInfo) -> Video:
    """A video stream of one track of a container.

    Times are those of the container, exact to the nanosecond.

    Raises:
        UnreadableFileError: no frame can be decoded.
        ManifestError: kind, region or rotation do not fit the pictures.
    """
    look = look_at(path, track)
    mode = mode_for(entry, path, mono_depth(look.pixel_format), look.pixel_format)
    framing = Framing.of(entry, path, look.width, look.height, look.turns)
    index = index_video(path, track)
    camera, seen = camera_of(entry, framing, look.width, look.height)
    notes = [*info.notes, *index.notes, *seen]
    width, height = framing.size(look.width, look.height)
    source = DecodedFrames(path, track, index.pts, index.counted, mode, framing, (look.width, look.height))
    return Video(
        info=replace(info, notes=tuple(notes), nominal_rate_hz=index.stated_hz, origin=info.origin or f"track {track}"),
        axis=Explicit(index.times_ns),
        source=source,
        picker=source.pick,
        beside=source.beside,
        width=width,
        height=height,
        depth_scale_m=entry.depth_scale_m if entry.kind == "face_depth" else None,
        camera=camera,
    )
