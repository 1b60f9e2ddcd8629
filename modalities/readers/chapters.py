"""Chapters: one recording that its device cut into several files, joined on one axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ManifestError
from data_schemas.intervals import IntervalSet
from data_schemas.stream import Audio, Mark, Marks, Signal, Stream, StreamInfo, Video
from data_schemas.time import Explicit, Regular, TimeAxis
from modalities.readers.info import AnyStream
from modalities.readers.pictures import Picture

_S = TypeVar("_S", bound=Stream)

_FAR_NS = 5_000_000_000
"""A chapter whose own times begin later than this, and late in the one before, overlaps it; else they begin anew."""


def join(chapters: Sequence[AnyStream], paths: Sequence[Path]) -> AnyStream:
    """One stream out of its chapters, in the order given.

    A chapter whose own times run on from the one before keeps them, with the gap or overlap that they have. Any other
    begins where the one before ended, or as far from there as timecode, repeated pictures or the start times in the
    headers say (`modalities.readers.chapter_borders`). For video containers that is the end of the pictures, so that
    sound and pictures of the same files stay together. What lies in two chapters is taken once.

    Raises:
        ManifestError: the chapters differ in kind, size, channels, columns or rate; or they are tables of events whose
            times do not run on.
    """
    shifts, said = _shifts(chapters, paths)
    info = _info(chapters, said)
    first = chapters[0]
    if isinstance(first, Video):
        return _join_video([_of(Video, one, info) for one in chapters], shifts, info)
    if isinstance(first, Audio):
        return _join_audio([_of(Audio, one, info) for one in chapters], shifts, info)
    if isinstance(first, Signal):
        return _join_signals([_of(Signal, one, info) for one in chapters], shifts, info)
    return _join_marks([_of(Marks, one, info) for one in chapters], info)


def _of(kind: type[_S], stream: Stream, info: StreamInfo) -> _S:
    if not isinstance(stream, kind):
        raise ManifestError(
            "the chapters are of different sorts", stream=info.name, got=type(stream).__name__, expected=kind.__name__
        )
    return stream


def _info(chapters: Sequence[Stream], said: Sequence[str]) -> StreamInfo:
    notes = [f"chapter {at + 1}: {note}" for at, one in enumerate(chapters) for note in one.info.notes]
    notes += [f"{len(chapters)} chapters joined", *said]
    files = tuple(file for one in chapters for file in one.info.files)
    return replace(chapters[0].info, files=files, notes=tuple(notes))


def _shifts(chapters: Sequence[Stream], paths: Sequence[Path]) -> tuple[list[int], list[str]]:
    """What is added to the native times of each chapter, ns, and what was found where they meet."""
    from modalities.readers.chapter_borders import border_between, describe_border
    from modalities.readers.media import container_end_ns

    shifts, said, reached = [0], [], 0
    for at, (chapter, path) in enumerate(zip(chapters, paths, strict=True)):
        slack = round(chapter.axis.period_ns / 2)
        if at:
            start, before = chapter.axis.start_ns, chapters[at - 1].axis
            off, by = start - reached, "their own times"
            half = before.start_ns + shifts[-1] + (reached - before.start_ns - shifts[-1]) // 2
            runs_on = bool(chapter.axis.n) and (off >= -slack or (shifts[-1] == 0 and start > max(half, _FAR_NS)))
            if not runs_on:
                off, by = border_between(paths[at - 1], path) if _in_container(chapter) else (0, "")
            shifts.append(0 if runs_on else reached + off)
            if abs(off) > max(2 * slack, 1_000_000):
                said.append(describe_border(at, off, by))
        end = chapter.axis.end_ns
        if not isinstance(chapter, Video | Marks) and _in_container(chapter):
            end = container_end_ns(path) or end
        reached = max(reached, end + shifts[-1])
    return shifts, said


def _in_container(chapter: Stream) -> bool:
    return chapter.info.origin.startswith("track ")


def _skips(chapters: Sequence[Stream], shifts: Sequence[int]) -> list[int]:
    """How many samples at the start of each chapter lie in the one before already."""
    skips, reached = [], None
    for one, shift in zip(chapters, shifts, strict=True):
        slack = round(one.axis.period_ns / 2)
        skips.append(0 if reached is None else int((one.axis.times_ns + shift < reached - slack).sum()))
        reached = max(reached or 0, one.axis.end_ns + shift)
    return skips


def _axis(chapters: Sequence[Stream], shifts: Sequence[int], skips: Sequence[int]) -> TimeAxis:
    """One axis; regular where all are, at one rate, end to end."""
    axes = [one.axis for one in chapters]
    first = axes[0]
    if isinstance(first, Regular) and all(isinstance(axis, Regular) for axis in axes):
        reached = first.n
        for axis, shift in zip(axes[1:], shifts[1:], strict=True):
            off = axis.start_ns + shift - int(first.times_of(reached))
            if abs(off) > first.period_ns / 2 or abs(axis.period_ns / first.period_ns - 1) > 1e-6:
                break
            reached += axis.n
        else:
            return Regular(first.start_ns, first.period_ns, reached)
    parts = [axis.times_ns[skip:] + shift for axis, shift, skip in zip(axes, shifts, skips, strict=True)]
    return Explicit(np.concatenate(parts))


def _moved(support: IntervalSet, shift: int) -> list[tuple[int, int]]:
    return [(one.start_ns + shift, one.end_ns + shift) for one in support]


def _support(chapters: Sequence[Stream], shifts: Sequence[int]) -> IntervalSet | None:
    if all(one.native_support is None for one in chapters):
        return None
    return IntervalSet(
        [span for one, shift in zip(chapters, shifts, strict=True) for span in _moved(one.support, shift)]
    )


@dataclass(frozen=True)
class JoinedFrames:
    """Pictures of several chapters, one chapter open at a time.

    Attributes:
        sources: What opens each chapter.
        firsts: Index of the first frame of each chapter.
        skips: How many frames of each chapter lie in the one before.
    """

    sources: tuple[Callable[[], Iterator[tuple[int, Picture]]], ...]
    firsts: tuple[int, ...]
    skips: tuple[int, ...]

    def __call__(self) -> Iterator[tuple[int, Picture]]:
        """All pictures in order."""
        for source, first, skip in zip(self.sources, self.firsts, self.skips, strict=True):
            for at, picture in source():
                if at >= skip:
                    yield first + at - skip, picture


def _join_video(chapters: Sequence[Video], shifts: Sequence[int], info: StreamInfo) -> Video:
    sizes = {(one.width, one.height) for one in chapters}
    if len(sizes) > 1:
        raise ManifestError("the chapters differ in picture size", stream=info.name, got=sorted(sizes))
    skips = _skips(chapters, shifts)
    kept = [one.axis.n - skip for one, skip in zip(chapters, skips, strict=True)]
    firsts = np.cumsum([0, *kept[:-1]]).tolist()
    return replace(
        chapters[0],
        info=info,
        axis=_axis(chapters, shifts, skips),
        native_support=_support(chapters, shifts),
        source=JoinedFrames(tuple(one.source for one in chapters), tuple(firsts), tuple(skips)),
        picker=None,
        beside=None,
    )


@dataclass(frozen=True)
class JoinedSamples:
    """Sound of several chapters on one count of samples; zeros where they leave a hole.

    Attributes:
        parts: (first sample, number of samples, source) of each chapter.
        channels: Number of channels.
    """

    parts: tuple[tuple[int, int, Callable[[int, int], NDArray[np.float32]]], ...]
    channels: int

    def __call__(self, first: int, count: int) -> NDArray[np.float32]:
        """Samples [first, first + count), shorter at the end."""
        end = max(start + n for start, n, _ in self.parts)
        out = np.zeros((max(0, min(count, end - first)), self.channels), np.float32)
        for start, n, source in self.parts:
            a, b = max(first, start), min(first + len(out), start + n)
            if a < b:
                block = source(a - start, b - a)
                out[a - first : a - first + len(block)] = block
        return out


def _join_audio(chapters: Sequence[Audio], shifts: Sequence[int], info: StreamInfo) -> Audio:
    rates = {one.rate_hz for one in chapters}
    channels = {one.channels for one in chapters}
    if len(rates) > 1 or len(channels) > 1:
        raise ManifestError("the chapters differ in rate or channels", stream=info.name, got=f"{rates} Hz, {channels}")
    axis = chapters[0].axis
    starts = [
        round((one.axis.start_ns + shift - axis.start_ns) / axis.period_ns)
        for one, shift in zip(chapters, shifts, strict=True)
    ]
    ends = [*starts[1:], starts[-1] + chapters[-1].axis.n]
    parts = tuple(
        (start, min(one.axis.n, end - start), one.source)
        for one, start, end in zip(chapters, starts, ends, strict=True)
    )
    whole = Regular(axis.start_ns, axis.period_ns, ends[-1])
    spans = [(int(whole.times_of(a)), int(whole.times_of(a + n))) for a, n, _ in parts]
    support = IntervalSet(spans)
    holes = [one.native_support is not None for one in chapters]
    if any(holes):
        support = support & IntervalSet(
            [span for one, shift in zip(chapters, shifts, strict=True) for span in _moved(one.support, shift)]
        )
    return replace(
        chapters[0], info=info, axis=whole, native_support=support, source=JoinedSamples(parts, chapters[0].channels)
    )


def _join_signals(chapters: Sequence[Signal], shifts: Sequence[int], info: StreamInfo) -> Signal:
    if len({(one.columns, one.units) for one in chapters}) > 1:
        raise ManifestError(
            "the chapters differ in columns or units",
            stream=info.name,
            got="; ".join(", ".join(one.columns) for one in chapters),
        )
    skips = _skips(chapters, shifts)
    return replace(
        chapters[0],
        info=info,
        axis=_axis(chapters, shifts, skips),
        native_support=_support(chapters, shifts),
        values=np.concatenate([one.values[skip:] for one, skip in zip(chapters, skips, strict=True)]),
        mask=np.concatenate([one.mask[skip:] for one, skip in zip(chapters, skips, strict=True)]),
    )


def _join_marks(chapters: Sequence[Marks], info: StreamInfo) -> Marks:
    rows: list[Mark] = []
    for one in chapters:
        if rows and one.rows and one.rows[0].onset_ns < rows[-1].onset_ns:
            raise ManifestError(
                "the times of the tables do not run on from one to the next",
                stream=info.name,
                mend="List one stream per table, each on its own clock.",
            )
        rows += one.rows
    return Marks.of(info, rows)
