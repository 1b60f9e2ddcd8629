"""Sound tracks of containers through PyAV: random access in samples, decoded in sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError
from data_schemas.intervals import IntervalSet
from data_schemas.stream import Audio, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from modalities.readers.faults import refuse, require_disk
from modalities.readers.frame_index import ticks_to_ns, zero_ticks
from modalities.readers.packets import decode_packets

if TYPE_CHECKING:
    from av import AudioFrame

_GAP_S = 0.05
"""Time stamps that lie farther than this from the running count of samples mean lost sound, not rounding."""
_FULL_SCALE = {"u8": (128.0, 128.0), "s16": (0.0, 2.0**15), "s32": (0.0, 2.0**31), "s64": (0.0, 2.0**63)}


@dataclass(frozen=True)
class TrackLayout:
    """Where the samples of a sound track lie.

    Attributes:
        rate_hz: Samples per second.
        channels: Number of channels.
        start_ns: Time of sample 0 from the container's zero.
        first_pts: Time stamp of sample 0, seconds, exact.
        n: Number of samples, holes included.
        holes: Sample ranges [a, b) without sound.
        cut: The file broke off while it was read.
    """

    rate_hz: int
    channels: int
    start_ns: int
    first_pts: Fraction
    n: int
    holes: tuple[tuple[int, int], ...]
    cut: bool


def lay_out(path: Path, track: int) -> TrackLayout:
    """Read the packets of a sound track, and decode its first frame.

    Raises:
        UnreadableFileError: there is no sound in it.
    """
    import av

    first = next(decode_sound(path, track), None)
    if first is None or first.pts is None or first.time_base is None or not first.sample_rate:
        raise UnreadableFileError("no sound of the track can be decoded", file=path)
    rate = first.sample_rate
    start = Fraction(first.pts) * Fraction(first.time_base)
    holes: list[tuple[int, int]] = []
    reached, cut = 0, False
    with av.open(str(path)) as container:
        stream = container.streams[track]
        base = Fraction(stream.time_base or Fraction(1, rate))
        zero = zero_ticks(container, base)
        promised = stream.duration
        try:
            for packet in container.demux(stream):
                if not packet.size or packet.pts is None or packet.is_discard:
                    continue
                if packet.is_corrupt:
                    cut = True
                    continue
                at = round((packet.pts * base - start) * rate)
                if at > reached + _GAP_S * rate and reached > 0:
                    holes.append((reached, at))
                reached = max(reached, round(((packet.pts + (packet.duration or 0)) * base - start) * rate))
        except (av.FFmpegError, OSError):
            cut = True
    if promised and reached < (promised * base) * rate - rate:
        cut = True
    if cut:
        require_disk(path)
    zero_ns = ticks_to_ns(np.array([round(start / base) - zero]), base)[0]
    return TrackLayout(rate, len(first.layout.channels), int(zero_ns), start, max(0, reached), tuple(holes), cut)


def decode_sound(path: Path, track: int) -> Iterator[AudioFrame]:
    """Decoded sound frames in order; undecodable packets are passed over.

    Raises:
        UnreadableFileError: the file can no longer be opened.
    """
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        refuse("the sound can no longer be opened", path, error)
    with container:
        for frame in decode_packets(container, container.streams.get(track)[0]):
            if isinstance(frame, av.AudioFrame):
                yield frame


def to_floats(frame: AudioFrame) -> NDArray[np.float32]:
    """Samples of a decoded frame, float32 (n, channels), full scale -1..1."""
    raw = frame.to_ndarray()
    name = frame.format.name
    samples = raw.T if name.endswith("p") else raw.reshape(-1, len(frame.layout.channels))
    zero, full = _FULL_SCALE.get(name.removesuffix("p"), (0.0, 1.0))
    if full == 1.0:
        return np.ascontiguousarray(samples, dtype=np.float32)
    return ((samples.astype(np.float64) - zero) / full).astype(np.float32)


@dataclass
class TrackSamples:
    """Callable `(first, count)` -> float32 (count, channels), shorter at the end.

    Reading forwards decodes on; a step back within the last block is served from memory; any other step back starts
    again from the beginning, so that every access gives the same samples.

    Attributes:
        path: The file.
        track: Number of the track in the container.
        layout: Where its samples lie.
        columns: Channels to hand out; None for all.
    """

    path: Path
    track: int
    layout: TrackLayout
    columns: tuple[int, ...] | None = None
    _kept: NDArray[np.float32] = field(init=False, repr=False, default_factory=lambda: np.zeros((0, 0), np.float32))
    _kept_at: int = field(init=False, repr=False, default=0)
    _frames: Iterator[tuple[int, NDArray[np.float32]]] | None = field(init=False, repr=False, default=None)

    def __call__(self, first: int, count: int) -> NDArray[np.float32]:
        """Samples [first, first + count), holes as zeros.

        Raises:
            UnreadableFileError: the disk does not read the file that far; what lies before may be asked for again.
        """
        try:
            return self._read(first, count)
        except UnreadableFileError:
            self._frames = None  # what broke off gives no more
            raise

    def _read(self, first: int, count: int) -> NDArray[np.float32]:
        count = max(0, min(count, self.layout.n - first))
        if self._frames is None or first < self._kept_at:
            self._frames = self._placed()
            self._kept, self._kept_at = np.zeros((0, self.layout.channels), np.float32), 0
        pieces = [(self._kept_at, self._kept)]
        reached = self._kept_at + len(self._kept)
        while reached < first + count:
            piece = next(self._frames, None)
            if piece is None:
                break
            reached = piece[0] + len(piece[1])
            if reached > first:
                pieces.append(piece)
        pieces = [(at, piece) for at, piece in pieces if at + len(piece) > first]
        if not pieces:
            self._kept, self._kept_at = np.zeros((0, self.layout.channels), np.float32), max(reached, self._kept_at)
            return self._picked(np.zeros((0, self.layout.channels), np.float32))
        origin = min(first, pieces[0][0])
        block = np.zeros((reached - origin, self.layout.channels), np.float32)
        for at, samples in pieces:
            block[at - origin : at - origin + len(samples)] = samples
        self._kept, self._kept_at = block[first - origin :], first
        return self._picked(self._kept[:count])

    def _picked(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        return block.copy() if self.columns is None else np.ascontiguousarray(block[:, self.columns])

    def _placed(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Decoded pieces with the index of their first sample, without overlap."""
        rate, reached = self.layout.rate_hz, 0
        for frame in decode_sound(self.path, self.track):
            samples = to_floats(frame)
            if samples.shape[1] != self.layout.channels or frame.sample_rate != rate:
                continue
            at = reached
            if frame.pts is not None and frame.time_base is not None:
                stated = round((frame.pts * Fraction(frame.time_base) - self.layout.first_pts) * rate)
                if abs(stated - reached) > _GAP_S * rate:
                    at = stated
            if at < reached:
                samples, at = samples[reached - at :], reached
            if len(samples):
                reached = at + len(samples)
                yield at, samples

    def __getstate__(self) -> dict[str, Any]:
        empty = np.zeros((0, 0), np.float32)
        return {**self.__dict__, "_frames": None, "_kept": empty, "_kept_at": 0}


def open_sound(path: Path, track: int, info: StreamInfo, columns: tuple[int, ...] | None = None) -> Audio:
    """The sound track of a container on the container's clock.

    Raises:
        UnreadableFileError: there is no sound in it.
    """
    layout = lay_out(path, track)
    axis = Regular.from_rate(layout.rate_hz, layout.n, layout.start_ns)
    notes = list(info.notes)
    support = None
    if layout.holes:
        missing_s = sum(end - start for start, end in layout.holes) / layout.rate_hz
        notes.append(f"{len(layout.holes)} holes in the sound, {missing_s:.3f} s in all")
        holes = [(int(axis.times_of(a)), int(axis.times_of(b))) for a, b in layout.holes]
        support = IntervalSet([(axis.start_ns, axis.end_ns)]) - IntervalSet(holes)
    if layout.cut:
        notes.append(f"the sound is cut off after {axis.n * axis.period_ns / NS_PER_S:.2f} s")
    return Audio(
        info=replace(
            info, notes=tuple(notes), nominal_rate_hz=float(layout.rate_hz), origin=info.origin or f"track {track}"
        ),
        axis=axis,
        native_support=support,
        source=TrackSamples(path, track, layout, columns),
        channels=len(columns) if columns is not None else layout.channels,
    )
