"""Video and sound containers (mp4, mov, mkv, avi, webm, ...): their tracks, and which one an entry means."""

from __future__ import annotations

import datetime as dt
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import TelltaleError, UnreadableFileError
from data_schemas.frame_times import check_length
from data_schemas.session import StreamEntry
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import to_s
from modalities.readers.faults import reading
from modalities.readers.frame_index import FrameIndex, promised_ns, ticks_to_ns, zero_ticks
from modalities.readers.info import SOUND_KINDS, VIDEO_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.labels import words_of
from modalities.readers.pictures import mono_depth
from modalities.readers.selection import missing, unfit
from modalities.readers.sound import channels_of, require_one_channel
from modalities.readers.sound_track import lay_out, open_sound
from modalities.readers.video import index_video, look_at, open_video

if TYPE_CHECKING:
    from av.container import InputContainer

_WHAT = "a video or sound file"
_MEND = "If the recording was broken off, a repair tool for its container may save it."


class MediaReader:
    """Reads every container that FFmpeg reads."""

    def probe(self, path: Path) -> FileInfo:
        """All video and sound tracks with their exact times; reads the packets, decodes one frame of each track."""
        with _decoding(path):
            listed, wall = _list_tracks(path)
            tracks: list[TrackInfo] = []
            notes: list[str] = []
            for number, sort, codec, title in listed:
                alone = sum(1 for one in listed if one[1] == sort) == 1
                try:
                    if sort == "video":
                        tracks.append(_describe_video(path, number, codec, title, alone, notes))
                    else:
                        tracks.append(_describe_sound(path, number, codec, alone))
                except TelltaleError as error:
                    notes.append(f"track {number}: {error.what}")
            if not tracks:
                raise UnreadableFileError(
                    "no picture and no sound in the file can be decoded",
                    file=path,
                    got="; ".join(notes) or None,
                    mend=_MEND,
                )
        return FileInfo(path, "media", tuple(tracks), wall, tuple(notes))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Pictures for face and body kinds; sound, also for "pulse", which must say on which channel."""
        with _decoding(path):
            listed, wall = _list_tracks(path)
            info = replace(info, wall_start=wall)
            if entry.kind in VIDEO_KINDS:
                video = open_video(entry, path, _pick(entry, path, listed, "video"), info)
                said = _length_notes(path, video)
                return replace(video, info=replace(video.info, notes=(*video.info.notes, *said))) if said else video
            if entry.kind not in SOUND_KINDS:
                raise unfit(entry, path, "a video file holds pictures and sound", [*VIDEO_KINDS, *SOUND_KINDS])
            track = _pick(entry, path, listed, "audio")
            channels = lay_out(path, track).channels if entry.columns else 0
            audio = open_sound(path, track, info, channels_of(entry, path, channels))
            require_one_channel(entry, path, audio.channels)
            return audio


def container_end_ns(path: Path) -> int | None:
    """Where the pictures of a file end, or its sound where it has none; None for other files.

    Chapters are joined by it, so that pictures and sound of the same chapters stay together.
    """
    found = video_index(path)
    return None if found is None else found[1].end_ns


def video_index(path: Path) -> tuple[int, FrameIndex] | None:
    """Number and frames of the first video track; None where a container has no pictures.

    Raises:
        UnreadableFileError: the file cannot be read as a container.
    """
    with _decoding(path):
        listed, _ = _list_tracks(path)
        videos = [number for number, sort, _, _ in listed if sort == "video"]
        return (videos[0], index_video(path, videos[0])) if videos else None


def sound_end_ns(path: Path) -> int | None:
    """Where the first sound track of a container ends by its header, ns; None where there is none or it does not say.

    A video's frames are counted and its sound is sampled by different clocks: where they end apart, the frame rate that
    the header states is not the true one, or one of the two was cut off.

    Raises:
        UnreadableFileError: the file cannot be read.
    """
    import av

    with _decoding(path), av.open(str(path)) as container:
        for stream in container.streams.audio:
            base = Fraction(stream.time_base or Fraction(1, 1000))
            return (promised_ns(stream, container, base) - _zero_ns(container, base)) or None
    return None


def _zero_ns(container: InputContainer, base: Fraction) -> int:
    return int(ticks_to_ns(np.array([zero_ticks(container, base)]), base)[0])


def start_timecode(path: Path) -> str | None:
    """Timecode of the first frame as the container has it, "hh:mm:ss:ff"; None where it has none.

    Raises:
        UnreadableFileError: the file cannot be read.
    """
    import av

    with _decoding(path), av.open(str(path)) as container:
        for holder in (container, *container.streams):
            if text := holder.metadata.get("timecode"):
                return str(text)
    return None


def wall_start(path: Path) -> dt.datetime | None:
    """Wall-clock time at which the recording began, by the container; None where it does not say.

    Raises:
        UnreadableFileError: the file cannot be read.
    """
    with _decoding(path):
        return _list_tracks(path)[1]


def _length_notes(path: Path, video: Video) -> list[str]:
    end_ns = sound_end_ns(path)
    wrong = None if end_ns is None else check_length(video.axis.times_ns, video.axis.end_ns, end_ns)
    return [] if wrong is None else [wrong.sentence]


def _decoding(path: Path) -> AbstractContextManager[None]:
    import av

    return reading(path, _WHAT, _MEND, (av.FFmpegError,))


_Listed = tuple[int, str, str, str]


def _list_tracks(path: Path) -> tuple[list[_Listed], dt.datetime | None]:
    """(number, "video" or "audio", codec, title) of each track, cover pictures left out; and the start time."""
    import av

    with av.open(str(path)) as container:
        listed: list[_Listed] = []
        for stream in container.streams:
            if stream.type not in ("video", "audio") or _is_cover(stream):
                continue
            title = " ".join(str(stream.metadata.get(key, "")) for key in ("title", "handler_name"))
            listed.append(
                (stream.index, stream.type, stream.codec_context.name if stream.codec_context else "?", title)
            )
        if not listed:
            raise UnreadableFileError("the file has neither pictures nor sound", file=path, mend=_MEND)
        return listed, _wall_start(container)


def _is_cover(stream: Any) -> bool:
    return "attached_pic" in str(stream.disposition).lower()


def _wall_start(container: InputContainer) -> dt.datetime | None:
    for key in ("com.apple.quicktime.creationdate", "creation_time", "date", "ICRD"):
        text = container.metadata.get(key)
        if not text:
            continue
        try:
            return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            continue
    return None


def _pick(entry: StreamEntry, path: Path, listed: list[_Listed], sort: str) -> int:
    there = [number for number, one, _, _ in listed if one == sort]
    word = "picture" if sort == "video" else "sound"
    if entry.track is None:
        if not there:
            raise unfit(entry, path, f"the file has no {word} track", sorted({one for _, one, _, _ in listed}))
        return there[0]
    named = {title.split()[0].lower(): number for number, one, _, title in listed if one == sort and title.split()}
    if isinstance(entry.track, str) and not entry.track.isdigit() and entry.track.lower() in named:
        return named[entry.track.lower()]
    if str(entry.track).isdigit() and int(entry.track) in there:
        return int(entry.track)
    raise missing(f"{word} track", entry.track, [str(number) for number in there], entry, path)


def _describe_video(path: Path, number: int, codec: str, title: str, alone: bool, notes: list[str]) -> TrackInfo:
    look = look_at(path, number)
    index = index_video(path, number)
    notes += index.notes
    n, start = len(index.times_ns), int(index.times_ns[0])
    rate = (n - 1) / to_s(int(index.times_ns[-1]) - start) if n > 1 else None
    text = f"{look.width}x{look.height} {codec}" + (f", {rate:.2f} fps" if rate else "")
    bits = mono_depth(look.pixel_format)
    if bits is not None:
        text += f", mono {bits} bit"
    if look.turns:
        text += f", turned by {(-look.turns * 90) % 360} degrees clockwise"
    return TrackInfo(
        track=None if alone else number,
        kind=kind_of_pictures(bits, f"{title} {path.stem}"),
        rate_hz=rate,
        n=n,
        start_s=to_s(start),
        duration_s=to_s(index.end_ns - start),
        detail=text,
    )


def kind_of_pictures(bits: int | None, name: str) -> str | None:
    """Near-infrared or depth where mono pictures or their name say so; None for colour, which may show anything."""
    if bits is None:
        return None
    words = set(words_of(name))
    if words & {"depth", "tof"} and bits > 8:
        return "face_depth"
    if bits == 8 or words & {"ir", "nir", "infrared"}:
        return "face_nir"
    return None


def _describe_sound(path: Path, number: int, codec: str, alone: bool) -> TrackInfo:
    layout = lay_out(path, number)
    return TrackInfo(
        track=None if alone else number,
        kind="audio",
        columns=tuple(str(at) for at in range(layout.channels)),
        units=("1",) * layout.channels,
        rate_hz=float(layout.rate_hz),
        n=layout.n,
        start_s=to_s(layout.start_ns),
        duration_s=layout.n / layout.rate_hz,
        detail=f"{codec}, {layout.rate_hz} Hz, {layout.channels} channel{'s' if layout.channels > 1 else ''}",
    )
