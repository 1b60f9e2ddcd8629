"""When the frames of a video are shown, from the packets of its container, without decoding."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.time import NS_PER_S, Int64Array
from modalities.readers.faults import require_disk

if TYPE_CHECKING:
    from av.container import InputContainer


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """The frames of one video track in order of presentation.

    Attributes:
        pts: int64 (n,), strictly increasing, in ticks of `time_base`; what decoded frames are matched with.
        times_ns: int64 (n,): the same in nanoseconds from the container's zero.
        end_ns: Where the last frame ends.
        counted: The container has no time stamps: frames are matched by their order.
        notes: What was repaired.
        stated_hz: Frame rate that the container states; None where it states none, or an impossible one.
    """

    pts: Int64Array
    times_ns: Int64Array
    end_ns: int
    counted: bool
    notes: tuple[str, ...]
    stated_hz: float | None = None

    def without_tail(self, n: int, note: str) -> FrameIndex:
        """The first `n` frames only."""
        if n >= len(self.pts):
            return self
        end = int(self.times_ns[n]) if n else 0
        return replace(self, pts=self.pts[:n], times_ns=self.times_ns[:n], end_ns=end, notes=(*self.notes, note))


def ticks_to_ns(ticks: Int64Array, time_base: Fraction) -> Int64Array:
    """Ticks of a time base to nanoseconds, rounded to the nearest, without loss for any length."""
    whole, rest = np.divmod(np.asarray(ticks, dtype=np.int64) * time_base.numerator, time_base.denominator)
    part = np.rint(rest.astype(np.float64) * (NS_PER_S / time_base.denominator)).astype(np.int64)
    return np.asarray(whole * NS_PER_S + part, dtype=np.int64)


def zero_ticks(container: InputContainer, time_base: Fraction) -> int:
    """Ticks to subtract: transport streams start at a random time, all other containers at theirs."""
    if container.start_time is None or not {"mpegts", "mpeg"} & set(container.format.name.split(",")):
        return 0
    return round(Fraction(container.start_time, 1_000_000) / time_base)


def index_frames(path: Path, track: int) -> tuple[FrameIndex, bool]:
    """Read all packets of a video track.

    Args:
        path: The file.
        track: Number of the track in the container.

    Returns:
        The index, and whether the file seems to have been cut off, so that its last frames may not decode.

    Raises:
        UnreadableFileError: there is no frame in it, or the disk does not read it.
    """
    import av

    packets: list[tuple[int | None, int, bool]] = []
    cut, discarded = False, 0
    with av.open(str(path)) as container:
        stream = container.streams[track]
        base = Fraction(stream.time_base or Fraction(1, 1000))
        rate = getattr(stream, "average_rate", None) or getattr(stream, "guessed_rate", None)
        stated = getattr(stream, "guessed_rate", None) or rate
        try:
            for packet in container.demux(stream):
                if not packet.size or packet.is_discard:
                    discarded += bool(packet.size)
                    continue
                if packet.is_corrupt:
                    cut = True
                    continue
                packets.append((packet.pts, packet.duration or 0, packet.is_keyframe))
        except (av.FFmpegError, OSError):
            cut = True
        # Only MP4 and QuickTime count their frames; AVI counts its ticks, others estimate.
        promised = stream.frames - discarded if "mov" in container.format.name else 0
        zero = zero_ticks(container, base)
        length_ns = promised_ns(stream, container, base)
    if cut or len(packets) < max(1, promised):
        require_disk(path)
    notes: list[str] = []
    if any(key for _, _, key in packets):
        first = next(at for at, packet in enumerate(packets) if packet[2])
        if first:
            notes.append(f"{first} frames before the first whole picture cannot be decoded and were left out")
        packets = packets[first:]
    if not packets:
        raise UnreadableFileError("the video track has no readable frame", file=path)
    if len(packets) < promised:
        cut = True
        notes.append(f"the file is cut off: its header promises {promised} frames, {len(packets)} are readable")
    index = _from_packets(packets, base, zero, rate, notes, path)
    index = replace(index, stated_hz=_believable(stated, index))
    step = (index.end_ns - int(index.times_ns[0])) // len(index.times_ns)
    return index, cut or (length_ns > 0 and index.end_ns < length_ns - max(100_000_000, 2 * step))


def _believable(stated: Any, index: FrameIndex) -> float | None:
    """The stated rate where it is one of frames; for uneven times containers state their ticks."""
    n, length = len(index.times_ns), index.end_ns - int(index.times_ns[0])
    if not stated or length <= 0:
        return None
    return float(stated) if 0.4 < float(stated) / (n * NS_PER_S / length) < 2.5 else None


def _from_packets(
    packets: list[tuple[int | None, int, bool]], base: Fraction, zero: int, rate: Any, notes: list[str], path: Path
) -> FrameIndex:
    stamps = [pts for pts, _, _ in packets]
    known = [pts for pts in stamps if pts is not None]
    if not known:
        if not rate:
            raise UnreadableFileError("the container has neither time stamps nor a frame rate", file=path)
        notes.append(f"the container has no time stamps: its frame rate of {float(rate):.3f} per second was used")
        counts = np.arange(len(packets) + 1, dtype=np.int64)
        times = ticks_to_ns(counts, 1 / Fraction(rate))
        return FrameIndex(counts[:-1], times[:-1], int(times[-1]), True, tuple(notes))
    if len(known) < len(stamps):
        notes.append(f"{len(stamps) - len(known)} frames have no time stamp and were left out")
    pts, counts = np.unique(np.array(known, dtype=np.int64), return_counts=True)
    repeated = int((counts - 1).sum())
    if repeated:
        notes.append(f"{repeated} frames repeat the time stamp of another and were left out")
    times = ticks_to_ns(pts - zero, base)
    last = max((duration for stamp, duration, _ in packets if stamp == pts[-1]), default=0)
    step = int(ticks_to_ns(np.array([last]), base)[0])
    if step <= 0:
        step = int(np.median(np.diff(times))) if len(times) > 1 else NS_PER_S // 25
    keep = np.r_[True, np.diff(times) > 0]
    return FrameIndex(pts[keep], times[keep], int(times[-1]) + step, False, tuple(notes))


def promised_ns(stream: Any, container: InputContainer, base: Fraction) -> int:
    """Where the header says that the track ends, ns; 0 where it does not say."""
    if stream.duration:
        return int(ticks_to_ns(np.array([stream.duration + max(0, stream.start_time or 0)]), base)[0])
    match = re.match(r"(\d+):(\d+):(\d+(?:\.\d+)?)", str(stream.metadata.get("DURATION", "")))
    if match:
        hours, minutes, seconds = (float(part) for part in match.groups())
        return round((hours * 3600 + minutes * 60 + seconds) * NS_PER_S)
    return (container.duration or 0) * 1000 if len(container.streams) == 1 else 0
