"""Frames to a video file with exact presentation times."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, TelltaleError, UnreadableFileError
from data_schemas.hook import Hook, silent
from modalities.face.synthesis.nuisance import REPEATABLE

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

TICKS_PER_S = 90_000
ENDINGS = {"h264": (".mp4", ".mov", ".mkv"), "ffv1": (".mkv",)}
"""Codecs, and the containers that keep them."""
_FORMS = {
    ("h264", "rgb24"): "yuv420p", ("h264", "gray"): "gray",
    ("ffv1", "rgb24"): "bgr0", ("ffv1", "gray"): "gray", ("ffv1", "gray16le"): "gray16le",
}  # fmt: skip
"""What a codec stores of a kind of picture."""
_FULL_RANGE = 2
"""Black is 0 and white 255, by FFmpeg's number; colour keeps to 16..235."""


def write_video(
    path: Path,
    frames: Iterable[NDArray[Any]],
    times_s: NDArray[np.float64],
    *,
    quality: int = 16,
    codec: str = "h264",
    hook: Hook = silent,
) -> None:
    """Write a video; the rate may vary and the first time may lie above 0.

    Presentation times are multiples of 1/90000 s, so within 5.6 us of those asked for; in .mkv, whose clock is
    coarser, within 0.5 ms.

    Args:
        path: File to write; .mp4, .mov or .mkv. Its folder must exist.
        frames: RGB (h, w, 3) or grey (h, w), uint8, or for "ffv1" grey uint16, all of one size and type, even for
            "h264"; taken one at a time.
        times_s: Presentation time of each frame, seconds >= 0, increasing, shape (n,).
        quality: Constant rate factor of x264: 0 lossless of its kind, 16 hardly visible loss, 51 worst.
        codec: "h264" (yuv420p, grey ones as such) or "ffv1" (lossless, .mkv).
        hook: Told of each frame under the step "video".

    Raises:
        InvalidValueError: times that do not increase on the file's clock, other numbers of frames than of times, a
            size or codec that cannot be encoded. A file begun is removed.
        UnreadableFileError: the file cannot be written there.
    """
    import av

    suffix = path.suffix.lower()
    if codec not in ENDINGS:
        raise InvalidValueError("unknown video codec", file=path, got=codec, expected=" or ".join(ENDINGS))
    if suffix not in ENDINGS[codec]:
        raise InvalidValueError(f"no {codec} video with this ending", file=path, expected=" or ".join(ENDINGS[codec]))
    ticks = _ticks(times_s, 1_000 if suffix == ".mkv" else TICKS_PER_S)
    ticks_option = dict.fromkeys(("video_track_timescale", "movie_timescale"), str(TICKS_PER_S))
    options = {} if suffix == ".mkv" else ticks_option
    try:
        with av.open(str(path), "w", options=options) as container:
            written = _encode(container, path, frames, ticks, quality, codec, hook)
    except TelltaleError:
        path.unlink(missing_ok=True)
        raise
    except (OSError, av.FFmpegError) as error:
        raise UnreadableFileError(
            "a video cannot be written", file=path, got=str(error), mend="Is the folder there, and may one write to it?"
        ) from error
    if written != len(ticks):
        path.unlink(missing_ok=True)
        raise InvalidValueError("every frame needs one time", file=path, got=f"{written} frames", expected=len(ticks))


def _ticks(times_s: NDArray[np.float64], per_s: int) -> NDArray[np.int64]:
    """Times in ticks of 1/90000 s, on the steps that a container with `per_s` ticks a second can keep."""
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or not len(times) or not np.all(np.isfinite(times)) or times[0] < 0:
        raise InvalidValueError("video times must be finite, not negative, and at least one", got=times.shape)
    ticks = np.rint(times * per_s).astype(np.int64) * (TICKS_PER_S // per_s)
    back = np.flatnonzero(np.diff(ticks) <= 0)
    if len(back):
        at = int(back[0]) + 1
        raise InvalidValueError(
            "video times must increase by at least one tick",
            time_s=float(times[at]),
            got=f"{times[at - 1]:.6f} s then {times[at]:.6f} s",
            expected=f"steps of 1/{per_s} s or more",
        )
    return ticks


def _encode(
    container: OutputContainer,
    path: Path,
    frames: Iterable[NDArray[Any]],
    ticks: NDArray[np.int64],
    quality: int,
    codec: str,
    hook: Hook,
) -> int:
    """Encode all frames; how many there were, counting no farther than one beyond the number of times."""
    from av import VideoFrame

    stream: VideoStream | None = None
    form = ""
    step = int(np.median(np.diff(ticks))) if len(ticks) > 1 else TICKS_PER_S // 25
    written = 0
    for picture in frames:
        if written == len(ticks):
            return written + 1
        if stream is None:
            form = _form(picture)
            stream = _add_stream(
                container, path, picture.shape[1], picture.shape[0], Fraction(TICKS_PER_S, step), quality, codec, form
            )
        if picture.shape[:2] != (stream.height, stream.width) or _form(picture) != form:
            raise InvalidValueError(
                "all frames of a video need one size",
                file=path,
                got=picture.shape,
                expected=(stream.height, stream.width, *picture.shape[2:]),
            )
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=form)
        if form == "gray":
            frame.color_range = _FULL_RANGE
        frame.pts, frame.time_base = int(ticks[written]), Fraction(1, TICKS_PER_S)
        container.mux(stream.encode(frame))
        written += 1
        hook("video", written, len(ticks))
    if stream is not None:
        container.mux(stream.encode(None))
    return written


def _form(picture: NDArray[Any]) -> str:
    """Pixel format of a picture; empty where no video holds such."""
    if picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8:
        return "rgb24"
    return {1: "gray", 2: "gray16le"}.get(picture.dtype.itemsize, "") if picture.ndim == 2 else ""


def _add_stream(
    container: OutputContainer, path: Path, width: int, height: int, rate: Fraction, quality: int, codec: str, form: str
) -> VideoStream:
    if (codec, form) not in _FORMS:
        raise InvalidValueError(
            f"no {codec} video of such pictures", file=path, got=form or "neither RGB nor grey",
            expected="uint8 RGB or grey, or uint16 grey with ffv1",
        )  # fmt: skip
    if codec == "h264" and (width % 2 or height % 2):
        raise InvalidValueError("H.264 needs an even width and height", file=path, got=f"{width}x{height}")
    options = (
        {"crf": str(quality), "preset": "veryfast", **REPEATABLE}
        if codec == "h264"
        else {"level": "3", "slicecrc": "0"}
    )
    stream = container.add_stream("libx264" if codec == "h264" else "ffv1", rate=rate, options=options)
    stream.width, stream.height = width, height
    stream.pix_fmt = _FORMS[codec, form]
    if form == "gray":
        stream.codec_context.color_range = _FULL_RANGE
    stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
    return stream
