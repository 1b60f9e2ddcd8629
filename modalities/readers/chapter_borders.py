"""Where two chapters of one recording meet: a gap or an overlap, by timecode, repeated pictures or their headers."""

from __future__ import annotations

import re
import zlib
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from data_schemas.errors import TelltaleError
from data_schemas.time import NS_PER_S, to_s
from modalities.readers.faults import reading
from modalities.readers.frame_index import FrameIndex

_LOOK, _LEAST = 600, 3
_WALL_SURE_S = 2.0
"""Start times in headers are whole seconds, and written a little early or late."""
_DAY_S = 86_400
_MOST_S = 12 * 3600


def border_between(before: Path, after: Path) -> tuple[int, str]:
    """Nanoseconds between the end of one chapter and the start of the next, below 0 for an overlap; and how it is told.

    0 and "" where nothing tells, or for files that are no videos. Evidence in this order: timecode, exact to a frame;
    pictures at the end of one that come again, byte for byte, at the start of the other; wall-clock times in the
    headers, which only show gaps of more than two seconds.
    """
    states = [path.stat() for path in (before, after)] if before.is_file() and after.is_file() else []
    if len(states) < 2:
        return 0, ""
    return _border(before, after, tuple((one.st_size, one.st_mtime_ns) for one in states))


@lru_cache(maxsize=64)
def _border(before: Path, after: Path, _states: tuple[tuple[int, int], ...]) -> tuple[int, str]:
    import av

    try:
        with reading(before, "a video file", also=(av.FFmpegError,)):
            return _told(before, after)
    except TelltaleError:
        return 0, ""


def _told(before: Path, after: Path) -> tuple[int, str]:
    from modalities.readers.media import start_timecode, video_index, wall_start

    here, there = video_index(before), video_index(after)
    if here is None or there is None:
        return 0, ""
    (track, index), (other_track, other) = here, there
    codes = start_timecode(before), start_timecode(after)
    if codes[0] and codes[1] and codes[0] != codes[1]:
        gap = _by_timecode(codes[0], codes[1], index)
        if gap is not None:
            return gap, "their timecode"
    overlap = _repeated(before, track, index, after, other_track)
    if overlap:
        starts = [*index.times_ns[-overlap:].tolist(), index.end_ns]
        return int(starts[0] - starts[-1]), "their pictures"
    gap_s = _by_wall(wall_start(before), wall_start(after), index, other)
    return (0, "") if gap_s is None else (round(gap_s * NS_PER_S), "the start times in their headers")


def describe_border(number: int, off_ns: int, by: str) -> str:
    """For the report.

    Args:
        number: Of the chapter before the border, from 1.
        off_ns: From `border_between`, not 0.
        by: How it is told.
    """
    word = "lie between" if off_ns > 0 else "are in both of"
    about = " (to about a second)" if by.startswith("the start times") else ""
    return f"{to_s(abs(off_ns)):.3f} s{about} {word} chapters {number} and {number + 1}, by {by}"


def timecode_frames(text: str, rate_hz: float) -> int | None:
    """Frames since midnight of "hh:mm:ss:ff", or "hh:mm:ss;ff" with drop-frame counting; None for anything else.

    Drop-frame counting (SMPTE 12M) leaves out two numbers of 30 (four of 60) each minute but every tenth.
    """
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)", text.strip())
    if match is None:
        return None
    hours, minutes, seconds, frame = (int(match.group(at)) for at in (1, 2, 3, 5))
    per_s = round(rate_hz)
    if frame >= per_s:
        return None
    whole = hours * 60 + minutes
    lost = per_s // 15 * (whole - whole // 10) if match.group(4) != ":" else 0
    return (whole * 60 + seconds) * per_s + frame - lost


def _by_timecode(first: str, second: str, index: FrameIndex) -> int | None:
    length_s = to_s(index.end_ns - int(index.times_ns[0]))
    rate = len(index.times_ns) / length_s
    counts = timecode_frames(first, rate), timecode_frames(second, rate)
    if counts[0] is None or counts[1] is None:
        return None
    apart = (counts[1] - counts[0]) / rate % _DAY_S
    gap_s = apart - length_s
    if gap_s > _MOST_S:
        gap_s -= _DAY_S
    if not -length_s < gap_s < _MOST_S:
        return None
    return 0 if abs(gap_s) * rate < 0.75 else round(gap_s * NS_PER_S)


def _by_wall(first: datetime | None, second: datetime | None, index: FrameIndex, other: FrameIndex) -> float | None:
    """A gap that both readings show: headers with the time of the start, and headers with that of the end."""
    if first is None or second is None or (first.tzinfo is None) != (second.tzinfo is None):
        return None
    apart = (second - first).total_seconds()
    gaps = [apart - to_s(one.end_ns - int(one.times_ns[0])) for one in (index, other)]
    return gaps[0] if apart > 1 and min(gaps) > _WALL_SURE_S and max(gaps) < _MOST_S else None


def _repeated(before: Path, track: int, index: FrameIndex, after: Path, other_track: int) -> int:
    """How many frames at the end of one file are the first of the next, too: the same compressed bytes."""
    tail = _prints(before, track, int(index.pts[max(0, len(index.pts) - _LOOK)]), index.counted)
    head = _prints(after, other_track, None, True)
    for count in range(min(len(tail), len(head)), _LEAST - 1, -1):
        if tail[-count] == head[0] and tail[-count:] == head[:count]:
            return count
    return 0


def _prints(path: Path, track: int, seek_to: int | None, counted: bool) -> list[tuple[int, int]]:
    """Size and checksum of the packets of a track: the first ones, or those from a time on."""
    import av

    found: list[tuple[int, int]] = []
    with av.open(str(path)) as container:
        stream = container.streams[track]
        if seek_to is not None and not counted:
            container.seek(seek_to, stream=stream, backward=True)
        for packet in container.demux(stream):
            if packet.size:
                found.append((packet.size, zlib.crc32(bytes(packet))))
            if seek_to is None and len(found) >= _LOOK:
                break
    return found
