"""Streams: one recorded signal each, on one named clock, its bulk read lazily.

A stream keeps its native axis for ever. Synchronisation yields a `TimeMap`; `stream.on(map, clock)` gives the same
stream seen on another clock, and `times_of` answers in that clock's nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data_schemas.camera import Camera
from data_schemas.errors import ClockError, InvalidValueError, MissingTrackError
from data_schemas.intervals import Interval, IntervalSet
from data_schemas.time import Explicit, Int64Array, Regular, TimeAxis


class TimeMap(Protocol):
    """Takes times of one clock to another; `sync.clock.ClockMap` is the implementation."""

    def __call__(self, times_ns: Int64Array) -> Int64Array:
        """Mapped times, int64 ns, same shape."""

    def inverse(self, times_ns: Int64Array) -> Int64Array:
        """Times of the first clock, int64 ns, same shape."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What the manifest says of who is where in a video of several people.

    Attributes:
        time_s: Session time.
        person: Who.
        x: Middle of the face then, as a share of the picture's width, 0 left .. 1 right; None where only one face is in
            question.
    """

    time_s: float
    person: str
    x: float | None = None


@dataclass(frozen=True)
class StreamInfo:
    """Where a stream comes from.

    Attributes:
        name: Its name in the manifest.
        kind: One of `data_schemas.session.STREAM_KINDS`.
        clock: Name of the clock its times are on.
        person: Whom it records; None when it is shared (markers, room sound).
        files: Files it was read from, in order.
        origin: Track or columns inside the files, in words.
        wall_start: Wall-clock time of the native zero as the header has it; often wrong, never trusted.
        nominal_rate_hz: Rate that the header claims.
        notes: What the reader repaired or found odd, for the report.
        people: Whom a video shows that shows several people, from the left of the picture to the right.
        seats: What the manifest says of who sits where at some time.
    """

    name: str
    kind: str
    clock: str
    person: str | None = None
    files: tuple[str, ...] = ()
    origin: str = ""
    wall_start: datetime | None = None
    nominal_rate_hz: float | None = None
    notes: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    seats: tuple[Seat, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What all streams share: an axis on the device's clock and, once synchronised, a map to the session's.

    Attributes:
        info: Name, kind, clock, person, files.
        axis: Native time axis, never changed.
        time_map: Map from the native clock to `info.clock`; None while the stream is on its own clock.
        native_support: Where data exist on the native clock; by default from the axis.
    """

    info: StreamInfo
    axis: TimeAxis
    time_map: TimeMap | None = None
    native_support: IntervalSet | None = None

    def on(self, time_map: TimeMap, clock: str) -> Self:
        """The same stream seen on `clock`.

        Raises:
            ClockError: the stream has been mapped already; map the native stream instead.
        """
        if self.time_map is not None:
            raise ClockError("the stream is already mapped", stream=self.info.name, got=self.info.clock)
        return replace(self, info=replace(self.info, clock=clock), time_map=time_map)

    def times_of(self, indices: ArrayLike) -> Int64Array:
        """Times, ns on `info.clock`, of samples by index."""
        native = self.axis.times_of(indices)
        return native if self.time_map is None else self.time_map(native)

    @property
    def times_ns(self) -> Int64Array:
        """Times of all samples on `info.clock`, int64 ns, shape (n,)."""
        return self.times_of(np.arange(self.axis.n))

    @property
    def support(self) -> IntervalSet:
        """Where data exist, on `info.clock`."""
        native = IntervalSet.of_axis(self.axis) if self.native_support is None else self.native_support
        if self.time_map is None or not len(native):
            return native
        bounds = self.time_map(native.bounds.ravel()).reshape(-1, 2)
        return IntervalSet([(int(a), int(b)) for a, b in bounds if b > a])


@dataclass(frozen=True, kw_only=True)
class Signal(Stream):
    """Sampled numbers that fit in memory: ECG, EDA, respiration, acceleration, photosensor.

    Attributes:
        values: float32 or float64, shape (n, c). No sentinels: what is invalid is False in `mask`.
        columns: c column names.
        units: c units ("mV", "uS", "degC", "1" for none known).
        mask: bool, shape (n, c): True where valid.
    """

    values: NDArray[np.floating]
    columns: tuple[str, ...]
    units: tuple[str, ...]
    mask: NDArray[np.bool_] = field(default=cast("NDArray[np.bool_]", None))

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape != (self.axis.n, len(self.columns)):
            raise InvalidValueError(
                "signal values do not fit their axis and columns",
                stream=self.info.name,
                got=self.values.shape,
                expected=(self.axis.n, len(self.columns)),
            )
        if len(self.units) != len(self.columns):
            raise InvalidValueError(
                "one unit per column", stream=self.info.name, got=self.units, expected=f"{len(self.columns)} units"
            )
        finite = np.isfinite(self.values)
        object.__setattr__(self, "mask", finite if self.mask is None else self.mask & finite)

    def column(self, name: str) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Values and validity of one column, each shape (n,).

        Raises:
            MissingTrackError: there is no such column; the message lists those there are.
        """
        if name not in self.columns:
            raise MissingTrackError(
                f"no column '{name}'", stream=self.info.name, expected=f"one of {', '.join(self.columns)}"
            )
        at = self.columns.index(name)
        return self.values[:, at], self.mask[:, at]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    Attributes:
        index: Frame number from 0 within the stream.
        t_ns: Presentation time on the stream's current clock.
        image: uint8 (h, w, 3) RGB, uint8 or uint16 (h, w) for NIR and depth.
    """

    index: int
    t_ns: int
    image: NDArray[np.generic]


Pictured = tuple[int, NDArray[np.generic], NDArray[np.generic]]
"""Index of a frame, and its picture as each of two videos hands it out."""


@dataclass(frozen=True, kw_only=True)
class Video(Stream):
    """Pictures that are decoded one by one; never held all at once.

    Attributes:
        source: Function that opens the pictures from the start: an iterator of (index, image) in order.
        picker: Function that opens only the pictures of some indices, in order, at less cost; None where there is no
            cheaper way than to pass over the others.
        width: Picture width after rotation and region, px.
        height: Picture height, px.
        depth_scale_m: Metres per unit of a depth picture; None for colour and NIR.
        camera: Lens and place of the camera, of pictures as they are handed out; None where the manifest has none.
        beside: Function that, given another video, opens both in one decoding if they are the same pictures: an
            iterator of (index, own image, the other's image); None where they are not.
    """

    source: Callable[[], Iterator[tuple[int, NDArray[np.generic]]]]
    width: int
    height: int
    depth_scale_m: float | None = None
    camera: Camera | None = None
    picker: Callable[[frozenset[int]], Iterator[tuple[int, NDArray[np.generic]]]] | None = None
    beside: Callable[[Video], Callable[[], Iterator[Pictured]] | None] | None = None

    def frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        """Some frames, each once and in order; those that cannot be decoded are missing. Opens the file anew.

        Raises:
            UnreadableFileError: the file can no longer be opened.
        """
        times, wanted = self.times_ns, frozenset(indices)
        if not wanted:
            return
        for index, image in self.source() if self.picker is None else self.picker(wanted):
            if index in wanted:
                yield Frame(index, int(times[index]), image)
            if index >= max(wanted):
                return

    def frames(self) -> Iterator[Frame]:
        """All frames in order, each with its time on `info.clock`. Opens the file anew at each call.

        Raises:
            UnreadableFileError: the file ends or breaks before its last indexed frame.
        """
        times = self.times_ns
        for index, image in self.source():
            if index >= len(times):
                return
            yield Frame(index, int(times[index]), image)


@dataclass(frozen=True, kw_only=True)
class Audio(Stream):
    """Sound that is read in blocks.

    Attributes:
        axis: Regular, one entry per sample frame.
        source: Function `(first_sample, count) -> float32 array (count, channels)`, -1..1, shorter at the end.
        channels: Number of channels.
    """

    axis: Regular
    source: Callable[[int, int], NDArray[np.float32]]
    channels: int

    @property
    def rate_hz(self) -> float:
        """Native samples per second."""
        return self.axis.rate_hz

    def blocks(self, samples: int, overlap: int = 0) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (first_sample, block (<= samples, channels)), each starting `samples - overlap` after the last."""
        step = samples - overlap
        if step <= 0:
            raise InvalidValueError("blocks must be longer than their overlap", got=(samples, overlap))
        for first in range(0, self.axis.n, step):
            yield first, self.source(first, min(samples, self.axis.n - first))
            if first + samples >= self.axis.n:
                return


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of an event table.

    Attributes:
        onset_ns: Start on the stream's native clock.
        duration_ns: Length, 0 for an instant.
        label: What happened.
        columns: Any further columns of the row, as the table has them.
    """

    onset_ns: int
    duration_ns: int = 0
    label: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Marks(Stream):
    """A table of events: button presses, stimuli, LSL markers, questions. The axis holds the onsets.

    Onsets may coincide, so the axis is the distinct onsets; use `onsets_ns` for one time per row.
    """

    rows: tuple[Mark, ...]

    @classmethod
    def of(cls, info: StreamInfo, rows: list[Mark], support: IntervalSet | None = None) -> Marks:
        """A stream of these rows, sorted by onset."""
        ordered = sorted(rows, key=lambda row: row.onset_ns)
        onsets = np.unique(np.array([row.onset_ns for row in ordered], dtype=np.int64))
        if support is None:
            spans = [(row.onset_ns, row.onset_ns + max(1, row.duration_ns)) for row in ordered]
            support = IntervalSet([(spans[0][0], max(end for _, end in spans))] if spans else [])
        return cls(info=info, axis=Explicit(onsets), native_support=support, rows=tuple(ordered))

    @property
    def onsets_ns(self) -> Int64Array:
        """Onset of each row on `info.clock`, int64 ns, shape (rows,)."""
        native = np.array([row.onset_ns for row in self.rows], dtype=np.int64)
        return native if self.time_map is None or not len(native) else self.time_map(native)

    def spans(self) -> Iterator[tuple[Interval | int, Mark]]:
        """Each row with its interval on `info.clock`, or its instant where the duration is 0."""
        for onset, row in zip(self.onsets_ns.tolist(), self.rows, strict=True):
            if row.duration_ns <= 0:
                yield onset, row
                continue
            native_end = np.array([row.onset_ns + row.duration_ns], dtype=np.int64)
            end = int(native_end[0] if self.time_map is None else self.time_map(native_end)[0])
            yield Interval(onset, end), row
