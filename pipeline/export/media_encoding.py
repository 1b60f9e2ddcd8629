"""Masked copies as files of their own: nothing of the old container goes into them, so no tags, dates or places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import TelltaleError, UnreadableFileError
from data_schemas.hook import Hook, silent
from data_schemas.stream import Audio, Video
from data_schemas.time import NS_PER_S
from pipeline.export.media_faces import Sightings
from pipeline.export.media_pictures import hide_heads
from pipeline.export.media_sound import Floats, Loudness, noise_as_loud

_TICKS = 90_000
_SOUND_HZ = 48_000
_BITEXACT = {"fflags": "+bitexact"}
_ENCODERS = (
    ("libx264", ".mp4", {"crf": "18", "preset": "veryfast", "bf": "0"}),
    ("libvpx-vp9", ".mkv", {"crf": "24", "b:v": "0", "deadline": "realtime", "cpu-used": "8"}),
)
_LOSSLESS = ("ffv1", ".mkv", {"level": "3"})
_RIFF_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Copied:
    """What a masked video holds.

    Attributes:
        file: The copy.
        zero_ns: Time on the recording's own clock that is 0 in the copy.
        frames: Pictures in it.
        whole: How many of them are hidden altogether.
        ended: Why it ends before the recording; "" where it does not.
    """

    file: Path
    zero_ns: int
    frames: int
    whole: int
    ended: str = ""


def write_sound(audio: Audio, loudness: Loudness, path: Path) -> None:
    """Write a masked sound as WAV of 16 bits, sample for sample as long as the recording.

    Args:
        audio: The recording.
        loudness: See `measure_loudness`.
        path: File to write.

    Raises:
        UnreadableFileError: it cannot be written.
    """
    import soundfile

    rate = max(1, round(audio.rate_hz))
    form = "WAV" if audio.axis.n * audio.channels * 2 < _RIFF_BYTES else "RF64"
    try:
        with soundfile.SoundFile(str(path), "w", rate, audio.channels, "PCM_16", format=form) as out:
            for block in noise_as_loud(loudness, rate, audio.axis.n):
                out.write(block)
    except (OSError, soundfile.SoundFileError) as error:
        raise UnreadableFileError("the masked sound cannot be written", file=path, got=str(error)) from error


def write_video(
    video: Video,
    seen: Sightings,
    stem: Path,
    sound: tuple[Audio, Loudness] | None = None,
    hook: Hook = silent,
) -> Copied:
    """Write a masked video with every picture at its own time, read and written picture by picture.

    Colour becomes H.264 in MP4; infrared and depth keep their values outside of heads exactly (FFV1 in Matroska, whose
    times are whole milliseconds). Odd sides get one more row or column of the rim where H.264 needs it.

    Args:
        video: Not moved to another clock, or moved: its own times are kept.
        seen: Its faces, at times as `video.times_ns` has them.
        stem: File to write, without suffix.
        sound: Sound track on the same own clock, and its loudness; none by default.
        hook: Progress.

    Raises:
        UnreadableFileError: no picture can be read, no encoder is at hand, or the file cannot be written.
    """
    import av

    grey = video.info.kind in ("face_nir", "face_depth")
    name, suffix, options = _encoder(grey, stem)
    path = stem.with_name(stem.name + suffix)
    own = video.axis.times_of(np.arange(video.axis.n))
    zero = int(own[0]) if sound is None else min(int(own[0]), sound[0].axis.start_ns)
    pictures = _Masked(video, seen, hook)
    try:
        with av.open(str(path), "w", options=_BITEXACT) as out:
            out_video = _Track(out, name, options, _rate(own))
            out_sound = None if sound is None else _Sound(out, sound[1], sound[0].axis.start_ns - zero)
            for index, picture in pictures:
                if out_video.frames == 0:
                    out_video.begin(picture)
                after_ns = int(own[index]) - zero
                if out_sound is not None:
                    out_sound.until(after_ns)
                out_video.add(picture, round(after_ns * _TICKS / NS_PER_S))
            if out_video.frames == 0:
                raise UnreadableFileError("no picture of the video can be read", stream=video.info.name)
            out_video.end()
            if out_sound is not None:
                out_sound.until(None)
    except (av.FFmpegError, OSError) as error:
        path.unlink(missing_ok=True)
        if isinstance(error, TelltaleError):
            raise
        raise UnreadableFileError("the masked copy cannot be written", file=path, got=str(error)) from error
    return Copied(path, zero, out_video.frames, pictures.whole, pictures.ended)


def _encoder(grey: bool, stem: Path) -> tuple[str, str, dict[str, str]]:
    import av

    for one in (_LOSSLESS,) if grey else _ENCODERS:
        if one[0] in av.codecs_available:
            return one
    raise UnreadableFileError("no video encoder is at hand", file=stem, mend="Install another build of PyAV (av).")


def _rate(times_ns: NDArray[np.int64]) -> Fraction:
    typical = float(np.median(np.diff(times_ns))) if len(times_ns) > 1 else NS_PER_S / 25
    return Fraction(NS_PER_S / max(typical, 1e6)).limit_denominator(1000)


class _Masked:
    """Index and masked picture, one after the other."""

    def __init__(self, video: Video, seen: Sightings, hook: Hook) -> None:
        self._video, self._seen, self._hook = video, seen, hook
        self.whole, self.ended = 0, ""

    def __iter__(self) -> Iterator[tuple[int, NDArray[Any]]]:
        video, total, step = self._video, self._video.axis.n, f"mask {self._video.info.name}"
        depth = video.info.kind == "face_depth"
        shape: tuple[int, ...] | None = None
        try:
            for frame in video.frames():
                shape = shape or frame.image.shape
                if frame.image.shape != shape:
                    continue
                heads = self._seen.heads(frame.t_ns)
                self.whole += heads is None
                yield frame.index, hide_heads(frame.image, heads, depth)
                self._hook(step, frame.index + 1, total)
        except TelltaleError as error:
            self.ended = str(error)
        self._hook(step, total, total)


class _Track:
    """The pictures of the copy."""

    def __init__(self, out: Any, name: str, options: dict[str, str], rate: Fraction) -> None:
        self._out, self._name = out, name
        self._stream = out.add_stream(name, rate=rate, options=options)
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._form, self._last = "", -1
        self.frames = 0

    def begin(self, picture: NDArray[Any]) -> None:
        """Learn size and kind of the pictures."""
        colour = picture.ndim == 3
        self._form = "rgb24" if colour else "gray" if picture.dtype == np.uint8 else "gray16le"
        even = 2 if colour else 1
        self._stream.height, self._stream.width = (side + side % even for side in picture.shape[:2])
        self._stream.pix_fmt = "yuv420p" if colour else self._form

    def add(self, picture: NDArray[Any], ticks: int) -> None:
        """Encode one picture at its time."""
        import av

        below, right = self._stream.height - picture.shape[0], self._stream.width - picture.shape[1]
        if below or right:
            picture = np.pad(picture, [(0, below), (0, right), (0, 0)][: picture.ndim], mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=self._form)
        self._last = frame.pts = max(ticks, self._last + 1)
        frame.time_base = Fraction(1, _TICKS)
        self._out.mux(self._stream.encode(frame))
        self.frames += 1

    def end(self) -> None:
        """Encode what the encoder kept back."""
        self._out.mux(self._stream.encode(None))


class _Sound:
    """The sound track of the copy, one or two channels."""

    def __init__(self, out: Any, loudness: Loudness, after_ns: int) -> None:
        if loudness.values.shape[1] > 2:
            power = np.mean(loudness.values.astype(np.float64) ** 2, axis=1, keepdims=True)
            loudness = Loudness(np.sqrt(power).astype(np.float32), loudness.cell_s, loudness.seconds)
        self._layout = "stereo" if loudness.values.shape[1] == 2 else "mono"
        self._out = out
        self._stream = out.add_stream("aac", rate=_SOUND_HZ, layout=self._layout)
        self._at = round(after_ns * _SOUND_HZ / NS_PER_S)
        self._blocks = noise_as_loud(loudness, _SOUND_HZ)
        self._kept: Floats | None = next(self._blocks, None)

    def until(self, time_ns: int | None) -> None:
        """Encode all that begins before a time of the copy; None: all."""
        import av

        while self._kept is not None and (time_ns is None or self._at < time_ns * _SOUND_HZ / NS_PER_S):
            part, rest = self._kept[:1024], self._kept[1024:]
            frame: Any = av.AudioFrame.from_ndarray(np.ascontiguousarray(part.T), format="fltp", layout=self._layout)
            frame.sample_rate, frame.pts, frame.time_base = _SOUND_HZ, self._at, Fraction(1, _SOUND_HZ)
            self._out.mux(self._stream.encode(frame))
            self._at += len(part)
            self._kept = rest if len(rest) else next(self._blocks, None)
        if time_ns is None:
            self._out.mux(self._stream.encode(None))
