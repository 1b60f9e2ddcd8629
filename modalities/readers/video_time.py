"""Repeated frames, found from nearly identical pixels while a video is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import Int64Array
from modalities.readers.faults import reading

Picture = NDArray[np.generic]

_PIXELS = 16_000
_AROUND = 8
_PACKETS = 300
_UPPER = 80.0
_REPEAT = 0.12
"""A repeated frame differs by less than this share of what frames around it usually differ by."""
_UNSURE = 0.25
_VALLEY = 0.04
_FLOOR, _SPREAD = 0.05, 0.1
"""Grey levels of 256, and share of the pixels: where neighbours usually differ by less on average, or in fewer pixels,
compression has taken away the noise that tells a still scene from a repeated picture."""


@dataclass(frozen=True, eq=False)
class Repeats:
    """Frames that repeat the picture before them.

    Attributes:
        frames: Frames seen.
        indices: Frame numbers of the repeated ones, int64 (k,).
        judged: Share of the frames of which it can be told at all, 0..1.
        hidden: Repeated frames may not show, see `predicts_both_ways`.
    """

    frames: int
    indices: Int64Array
    judged: float
    hidden: bool = False

    @property
    def count(self) -> int | None:
        """Repeated frames; None where it cannot be told for most of the video, or where some may be hidden."""
        return len(self.indices) if self.judged >= 0.5 and not self.hidden else None

    @property
    def sentence(self) -> str:
        """For the report; "" for nothing to say."""
        text = f"{len(self.indices)} of {self.frames} frames repeat the picture before" if len(self.indices) else ""
        if self.hidden:
            return f"at least {text}" if text else "frames are predicted from both sides: repeated ones would not show"
        if self.frames > 1 and self.count is None:
            return "too little changes from frame to frame to tell repeated frames from still ones"
        return text


class DuplicateMeter:
    """Sees every frame of a video once, and says at the end which ones repeat the frame before.

    What is compared are single pixels, about 16,000 spread over the picture: averaging would take away the noise by
    which two pictures of a still scene differ. A repeated frame is one that differs by far less than frames around it
    do; compression leaves it a little of its own. Frames among which nothing changes at all are not judged: either the
    scene is still and compression has removed its noise, or they are repeated. Keeps a few bytes for each frame.

    Args:
        hidden: Repeated frames may not show, from `predicts_both_ways`.
    """

    def __init__(self, hidden: bool = False) -> None:
        self._hidden = hidden
        self._last: NDArray[np.int32] | None = None
        self._changes: list[float] = []
        self._spreads: list[float] = []
        self._indices: list[int] = []

    def see(self, image: Picture, index: int | None = None) -> float | None:
        """Take the next frame.

        Args:
            image: (h, w) or (h, w, 3), uint8 or uint16, not averaged down; any size, always the same one.
            index: Its number; by default one more than the last.

        Returns:
            Mean absolute difference from the frame before, grey levels of its own depth; None for the first frame.
        """
        plane = image if image.ndim == 2 else image[:, :, 1]
        step = max(1, int(np.sqrt(plane.size / _PIXELS)))
        some = plane[::step, ::step].astype(np.int32)
        change = None
        if self._last is not None and self._last.shape == some.shape:
            scale = 256.0 if image.dtype == np.uint16 else 1.0
            apart = np.abs(some - self._last)
            change = float(apart.mean())
            self._changes.append(change / scale)
            self._spreads.append(float(np.count_nonzero(apart)) / apart.size)
        else:
            self._changes.append(np.nan)
            self._spreads.append(np.nan)
        self._indices.append((self._indices[-1] + 1 if self._indices else 0) if index is None else index)
        self._last = some
        return change

    def result(self) -> Repeats:
        """What was found so far."""
        changes = np.asarray(self._changes, np.float32)
        repeated, judged = judge_changes(changes, np.asarray(self._spreads, np.float32))
        numbers = np.asarray(self._indices, np.int64)
        return Repeats(len(changes), numbers[repeated], judged, self._hidden)


def judge_changes(changes: NDArray[np.float32], spreads: NDArray[np.float32]) -> tuple[NDArray[np.bool_], float]:
    """Which changes from frame to frame are those of repeated frames, (n,), and of what share it can be told.

    Args:
        changes: Mean absolute difference of each frame from the one before, grey levels of 256; NaN where unknown.
        spreads: Share of the pixels that differ at all, 0..1; NaN where unknown.
    """
    n = len(changes)
    repeated = np.zeros(n, bool)
    known = np.isfinite(changes)
    if known.sum() < 2 * _AROUND:
        return repeated, 0.0
    level = _level(np.where(known, changes, np.float32(0)))
    judged = known & (level >= _FLOOR) & (_level(np.where(known, spreads, np.float32(0))) >= _SPREAD)
    part = np.where(judged, changes / np.maximum(level, 1e-9), 1.0)
    low, between = part < _REPEAT, (part >= _REPEAT) & (part < _UNSURE)
    if low.any() and between.sum() > min(0.75 * low.sum(), _VALLEY * judged.sum()):
        # No valley between repeated and other frames: what is low is where the scene rests, its noise taken away.
        return repeated, 0.0
    repeated |= low
    usual = changes[judged & ~low]
    least = float(np.percentile(usual, 5)) if len(usual) else 0.0
    if least >= _FLOOR:
        # Noise never stops in this video, so a long stretch without any is a frozen picture.
        frozen = known & ~judged & (changes < _REPEAT * least)
        repeated |= frozen
        judged |= frozen
    return repeated, float(judged.sum() / max(1, known.sum()))


def _level(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a value comes up to around each frame: the 80th percentile of 17."""
    padded = np.pad(values, _AROUND, mode="reflect")
    out = np.empty(len(values), np.float32)
    for first in range(0, len(values), 65_536):
        views = np.lib.stride_tricks.sliding_window_view(padded[first : first + 65_536 + 2 * _AROUND], 2 * _AROUND + 1)
        out[first : first + len(views)] = np.percentile(views, _UPPER, axis=1)
    return out


def predicts_both_ways(path: Path) -> bool:
    """Whether frames are predicted from earlier and later ones (B frames), judged by the first 300 packets.

    A repeated frame is then often coded as the mean of its neighbours, and no longer the same as the one before it.

    Raises:
        UnreadableFileError: the file cannot be read.
    """
    import av

    reached, back = None, False
    with reading(path, "a video file", also=(av.FFmpegError,)), av.open(str(path)) as container:
        for packet in islice(container.demux(container.streams.video[0]), _PACKETS):
            if packet.pts is not None:
                back |= reached is not None and packet.pts < reached
                reached = packet.pts if reached is None else max(reached, packet.pts)
    return back
