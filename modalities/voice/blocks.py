"""Sound in blocks: one channel at about 16 kHz, with enough context that block boundaries leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.stream import Audio
from data_schemas.time import Int64Array

RATE_HZ = 16000
HOP = 160
"""Samples at `RATE_HZ` from one frame to the next: 10 ms."""
CONTEXT = 512
"""Samples at `RATE_HZ` that a frame may look to either side of its centre."""
_BLOCK_S = 30.0
_FILTER = 10
"""Half length of scipy's polyphase filter, in samples of the lower of the two rates."""


@dataclass(frozen=True)
class Block:
    """A run of frames.

    Attributes:
        first: Index of its first frame.
        sound: float32 (HOP * (frames - 1) + 2 * CONTEXT,): the resampled sound; frame i is centred at
            CONTEXT + HOP * i.
        top: float32 (frames,): greatest native sample in the hop around each frame.
        bottom: float32 (frames,): smallest one.
        clipped: Number of native samples at full scale within the run.
        broken: bool (frames,): a sample of the hop was no finite number.
    """

    first: int
    sound: NDArray[np.float32]
    top: NDArray[np.float32]
    bottom: NDArray[np.float32]
    clipped: int
    broken: NDArray[np.bool_]

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return len(self.top)


class Sound:
    """One channel of an audio stream, cut into frames 10 ms apart.

    Args:
        audio: The stream.
        channel: Which channel to take; None for the mean of all.

    Raises:
        InvalidValueError: there is no such channel.
    """

    def __init__(self, audio: Audio, channel: int | None = None) -> None:
        if channel is not None and not 0 <= channel < audio.channels:
            raise InvalidValueError(
                "the sound has no such channel",
                stream=audio.info.name,
                got=channel,
                expected=f"0 to {audio.channels - 1}, or None for the mean of all",
            )
        self.audio = audio
        self.channel = channel
        ratio = Fraction(RATE_HZ / audio.rate_hz).limit_denominator(500) or Fraction(1, 500)
        self._up, self._down = ratio.numerator, ratio.denominator
        self.rate_hz = float(audio.rate_hz * ratio)
        """True rate of the resampled sound; RATE_HZ but for odd native rates."""
        self._native_hop = HOP * self._down / self._up
        self.frames = max(1, ceil(audio.axis.n / self._native_hop)) if audio.axis.n else 0
        """Number of frames in the whole stream."""

    def times_of(self, frames: Int64Array) -> Int64Array:
        """Times, ns on the stream's clock, of the centres of frames by index."""
        return self.audio.times_of(np.rint(np.asarray(frames) * self._native_hop).astype(np.int64))

    def times_at(self, frames: NDArray[np.float64]) -> Int64Array:
        """Times, ns on the stream's clock, of places between frames, given as fractions of a frame's index."""
        return self.audio.times_of(np.rint(frames * self._native_hop).astype(np.int64))

    def blocks(self, seconds: float = _BLOCK_S) -> Iterator[Block]:
        """The whole stream as runs of frames, each about `seconds` long; one block of sound in memory at a time."""
        frames_per_unit = HOP // gcd(HOP, self._up) * self._up // HOP
        unit = HOP // gcd(HOP, self._up) * self._down
        margin = ceil((CONTEXT + HOP + 4 * _FILTER) * max(1.0, self._down / self._up) / unit) * unit
        step = max(1, round(seconds * self.audio.rate_hz / unit)) * unit
        done = 0
        for start, raw in self.audio.blocks(step + 2 * margin, 2 * margin):
            last = start + step + 2 * margin >= self.audio.axis.n
            origin = start // unit * frames_per_unit
            stop = self.frames if last else origin + (step + margin) // unit * frames_per_unit
            if stop > done:
                yield self._cut(raw, origin, done, stop)
                done = stop

    def _cut(self, raw: NDArray[np.float32], origin: int, first: int, stop: int) -> Block:
        """Frames `first` to `stop` of a piece of native sound that begins at the centre of frame `origin`."""
        mono = self._mono(raw)
        finite = np.isfinite(mono)
        mono = np.where(finite, mono, np.float32(0))
        edges = np.rint((np.arange(first, stop + 1) - origin - 0.5) * self._native_hop).astype(np.int64)
        edges = np.clip(edges, 0, max(0, len(mono) - 1))
        inside = mono[: max(int(edges[-1]), 1)] if stop < self.frames else mono
        reduce_at = edges[:-1]
        sound = self._resampled(mono)
        begin = (first - origin) * HOP - CONTEXT
        end = (stop - 1 - origin) * HOP + CONTEXT
        before, after = max(0, -begin), max(0, end - len(sound))
        sound = np.pad(sound[max(0, begin) : end], (before, after), mode="edge")
        return Block(
            first,
            sound,
            np.maximum.reduceat(inside, reduce_at),
            np.minimum.reduceat(inside, reduce_at),
            int(np.count_nonzero(np.abs(inside[reduce_at[0] :]) >= 0.999)),
            ~np.logical_and.reduceat(finite[: len(inside)], reduce_at),
        )

    def _mono(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(raw) == 0:
            return np.zeros(1, np.float32)
        if self.channel is not None:
            return raw[:, self.channel].astype(np.float32)
        return raw[:, 0].astype(np.float32) if raw.shape[1] == 1 else raw.mean(axis=1, dtype=np.float32)

    def _resampled(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._up == self._down:
            return mono
        from scipy.signal import resample_poly

        return np.asarray(resample_poly(mono, self._up, self._down, padtype="edge"), dtype=np.float32)


def as_far_as_read(blocks: Iterator[Block]) -> Iterator[Block]:
    """Blocks up to where the file breaks: for what reads a stream again whose first reading told of it."""
    with suppress(UnreadableFileError):
        yield from blocks
