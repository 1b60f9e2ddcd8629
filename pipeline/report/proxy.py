"""Videos that a browser can play: the recording itself where it can, else a small H.264 or VP9 copy of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import TelltaleError, UnreadableFileError
from data_schemas.hook import Hook, silent
from data_schemas.stream import Video
from data_schemas.time import NS_PER_S, Int64Array

LONGEST_PX = 720
_TICKS = 90_000
_KEY_S = 0.5
"""A whole picture this often, so that a click far away is shown at once."""
_PLAYABLE = {"h264": ("yuv420p", "yuvj420p"), "vp8": ("yuv420p",), "vp9": ("yuv420p",), "av1": ("yuv420p",)}
_CONTAINERS = ("mp4", "webm")
_ENCODERS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("libx264", ".mp4", {"crf": "27", "preset": "veryfast", "bf": "0"}),
    ("libvpx-vp9", ".webm", {"crf": "36", "b:v": "0", "deadline": "realtime", "cpu-used": "8"}),
)

Picture = NDArray[np.uint8]
Change = Callable[[Picture], Picture]
"""What is done to each picture before it is written, RGB (h, w, 3)."""


def can_be_played(path: Path) -> bool:
    """Whether every current browser plays this file and counts its times from the file's own zero.

    So do H.264 of 8 bits, VP8, VP9 and AV1 in MP4 or WebM; MJPEG, FFV1, 16-bit pictures and AVI are not played.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return False
            stream = container.streams.video[0]
            names = container.format.name.split(",")
            formats = _PLAYABLE.get(stream.codec_context.name, ())
            begins = float((stream.start_time or 0) * (stream.time_base or 0))
            known = any(name in names for name in _CONTAINERS) and path.suffix.lower() in (".mp4", ".m4v", ".webm")
            return known and stream.codec_context.pix_fmt in formats and abs(begins) < 0.001
    except (av.FFmpegError, OSError):
        return False


def write_proxy(video: Video, stem: Path, change: Change | None = None, hook: Hook = silent) -> tuple[Path, Int64Array]:
    """Write a small copy that browsers play, each frame at its session time since the first.

    Args:
        video: On the session clock; read frame by frame.
        stem: File to write, without suffix.
        change: Done to each picture, e.g. `mosaic`.
        hook: Progress.

    Returns:
        The file, and the session times of its frames, int64 ns (n,).

    Raises:
        UnreadableFileError: not one picture can be read, or no encoder is at hand.
    """
    import av

    for name, suffix, options in _ENCODERS:
        if name in av.codecs_available:
            return _write(video, stem.with_name(stem.name + suffix), name, options, change, hook)
    raise UnreadableFileError(
        "no encoder for a video that browsers play",
        expected=" or ".join(name for name, _, _ in _ENCODERS),
        mend="Install another build of PyAV (av).",
    )


def mosaic(picture: Picture) -> Picture:
    """The picture in coarse squares, 24 across, so that nobody is recognised.

    The whole picture and not the face alone: a face that a detector misses would be shown.
    """
    import cv2

    height, width = picture.shape[:2]
    small = cv2.resize(picture, (24, max(1, round(24 * height / width))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _write(
    video: Video, path: Path, encoder: str, options: dict[str, str], change: Change | None, hook: Hook
) -> tuple[Path, Int64Array]:
    import av

    draft = path.with_name(f".writing-{path.name}")
    times: list[int] = []
    rate = _rate(video.times_ns)
    try:
        with av.open(str(draft), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as out:
            stream: Any = out.add_stream(encoder, rate=rate, options=options)
            stream.pix_fmt = "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
            stream.gop_size = max(1, round(float(rate) * _KEY_S))
            last = -1
            for t_ns, picture in _pictures(video, change, hook):
                if not times:
                    stream.height, stream.width = picture.shape[:2]
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                ticks = round((t_ns - (times[0] if times else t_ns)) * _TICKS / NS_PER_S)
                if ticks <= last:
                    continue
                last = frame.pts = ticks
                frame.time_base = Fraction(1, _TICKS)
                times.append(t_ns)
                out.mux(stream.encode(frame))
            if times:
                out.mux(stream.encode(None))
        if not times:
            raise UnreadableFileError("no picture of the video can be read", stream=video.info.name)
        os.replace(draft, path)
    except av.FFmpegError as error:
        raise UnreadableFileError("the copy for the browser cannot be written", file=path, got=str(error)) from error
    finally:
        draft.unlink(missing_ok=True)
    return path, np.array(times, dtype=np.int64)


def _pictures(video: Video, change: Change | None, hook: Hook) -> Any:
    """Session time and RGB picture of even size, each not larger than `LONGEST_PX`."""
    import cv2

    from modalities.face.pictures import toner_of

    toner = toner_of(video)
    step = f"copy {video.info.name} for the page"
    scale = min(1.0, LONGEST_PX / max(video.width, video.height))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (video.width, video.height))
    total = len(video.times_ns)
    try:
        for frame in video.frames():
            picture = toner.tone(frame.image, frame.t_ns)
            if picture.shape[:2] != (height, width):
                picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            yield frame.t_ns, picture if change is None else change(picture)
            if frame.index % 100 == 0:
                hook(step, frame.index, total)
    except TelltaleError:
        hook(step, total, total)
        return
    hook(step, total, total)


def _rate(times_ns: Int64Array) -> Fraction:
    if len(times_ns) < 2:
        return Fraction(25)
    typical = float(np.median(np.diff(times_ns)))
    return Fraction(NS_PER_S / max(typical, 1e6)).limit_denominator(1000)
