"""One column of a signal or a sound, its valid samples read piece by piece: never held at its full rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data_schemas.errors import MissingTrackError
from data_schemas.stream import Audio, Signal
from data_schemas.time import Int64Array

Floats = NDArray[np.float64]
PIECE = 1 << 18
"""Samples that are looked at in one go."""
_LOOKED_AT, _STRETCH = 1 << 21, 1 << 16
"""The sample distance of longer signals is the median over this many samples, in stretches spread over them."""


class Sliced(Protocol):
    """Samples that are had by slices: an array, or what reads them when they are asked for."""

    def __len__(self) -> int:
        """Number of samples."""

    def __getitem__(self, key: slice, /) -> Floats:
        """Samples [key.start, key.stop), float64."""


def pieces(n: int, size: int = PIECE) -> Iterator[tuple[int, int]]:
    """Half-open ranges of at most `size` that cover [0, n)."""
    for low in range(0, n, size):
        yield low, min(n, low + size)


class Samples:
    """The valid samples of one column, less a level: `samples[low:high]` is float64, shape (high - low,).

    Samples are counted without the invalid ones: those that the mask excludes, that are no number or, of a sound, that
    lie outside its support.

    Args:
        stream: A signal, or a sound whose columns are the numbers of its channels, from "0".
        column: Which column.

    Attributes:
        level: What is taken off, in the signal's unit; 0 at first.
        lowest: Least valid value as it is in the signal; infinite without one.
        highest: Greatest valid value as it is in the signal.

    Raises:
        MissingTrackError: there is no such column.
        UnreadableFileError: the file of a sound can no longer be read.
    """

    def __init__(self, stream: Signal | Audio, column: str) -> None:
        self._stream = stream
        if isinstance(stream, Audio):
            names = columns_of(stream)
            if column not in names:
                raise MissingTrackError(
                    f"no channel '{column}'", stream=stream.info.name, expected=f"one of {', '.join(names)}"
                )
            self._channel, self._dtype = names.index(column), np.dtype(np.float32)
        else:
            self._values, self._mask = stream.column(column)
            self._dtype = self._values.dtype
        self.level = 0.0
        self.lowest, self.highest = np.inf, -np.inf
        counts = [0]
        for low, high in pieces(stream.axis.n):
            values, mask = self._read(low, high)
            counts.append(int(mask.sum()))
            if counts[-1]:
                self.lowest = min(self.lowest, float(values.min(where=mask, initial=np.inf)))
                self.highest = max(self.highest, float(values.max(where=mask, initial=-np.inf)))
        self._before = np.cumsum(counts)
        self._whole = len(self) == stream.axis.n

    def __len__(self) -> int:
        return int(self._before[-1])

    def __getitem__(self, key: slice, /) -> Floats:
        low, high, _ = key.indices(len(self))
        if low >= high:
            return np.zeros(0)
        first, last = self._places(np.array([low, high - 1])).tolist()
        values, mask = self._read(first, last + 1)
        return (values if self._whole else values[mask]).astype(np.float64) - self.level

    def times_of(self, indices: ArrayLike) -> Int64Array:
        """Times, ns on the stream's current clock, of valid samples by their number among the valid ones."""
        return self._stream.times_of(self._places(np.asarray(indices, np.int64)))

    def distances(self, low: int, high: int) -> Int64Array:
        """Time, ns, from each of the samples [low, high) to the next, which must exist."""
        return np.diff(self.times_of(np.arange(low, high + 1)))

    def period_ns(self) -> float:
        """Median distance of neighbours, ns; at least two samples are needed."""
        stretches = list(pieces(len(self) - 1, _STRETCH))
        every = -(-len(stretches) * _STRETCH // _LOOKED_AT)
        return float(np.median(np.concatenate([self.distances(low, high) for low, high in stretches[::every]])))

    def median(self) -> float:
        """Exact median of the values as they are in the signal; at least one is needed.

        The two middle values are found 16 bits at a time, with one reading of the signal for each: sorting would need
        all of it at once.
        """
        sought = [(0, (len(self) - 1) // 2), (0, len(self) // 2)]
        bits = 8 * self._dtype.itemsize
        for shift in range(bits - 16, -1, -16):
            counts = {known: np.zeros(1 << 16, np.int64) for known, _ in sought}
            for low, high in pieces(self._stream.axis.n):
                values, mask = self._read(low, high)
                keys = _keys_of(values[mask])
                for known, count in counts.items():
                    near = keys if shift == bits - 16 else keys[keys >> (shift + 16) == known]
                    count += np.bincount((near >> shift & 0xFFFF).astype(np.int64), minlength=1 << 16)
            sought = [_next_digit(counts[known], known, rank) for known, rank in sought]
        return float(np.mean([_value_of(known, self._dtype) for known, _ in sought]))

    def _read(self, low: int, high: int) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Samples [low, high) of the stream and which are valid; fewer where a sound ends early."""
        stream = self._stream
        if isinstance(stream, Signal):
            return self._values[low:high], self._mask[low:high]
        values = stream.source(low, high - low)[:, self._channel]
        mask = np.isfinite(values)
        if stream.native_support is not None:
            mask &= stream.native_support.contains(stream.axis.times_of(np.arange(low, low + len(values))))
        return values, mask

    def _places(self, indices: Int64Array) -> Int64Array:
        """Numbers among all samples of valid ones."""
        if self._whole:
            return indices
        which = np.searchsorted(self._before, indices, side="right") - 1
        out = np.empty_like(indices)
        for at in np.unique(which).tolist():
            here = which == at
            _, mask = self._read(at * PIECE, min((at + 1) * PIECE, self._stream.axis.n))
            out[here] = at * PIECE + np.flatnonzero(mask)[indices[here] - self._before[at]]
        return out


def columns_of(stream: Signal | Audio) -> tuple[str, ...]:
    """Columns of a signal; numbers of the channels of a sound, from "0"."""
    return tuple(str(at) for at in range(stream.channels)) if isinstance(stream, Audio) else stream.columns


def _keys_of(values: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
    """Unsigned integers of the same width and order as these numbers."""
    kind = np.dtype(f"u{values.dtype.itemsize}").type
    raw = np.ascontiguousarray(values).view(kind)
    top = kind(1) << kind(8 * values.dtype.itemsize - 1)
    return np.where(raw & top, ~raw, raw | top)


def _value_of(key: int, dtype: np.dtype[np.floating]) -> float:
    """The number that has this key."""
    bits = 8 * dtype.itemsize
    top = 1 << (bits - 1)
    raw = key ^ top if key & top else key ^ ((1 << bits) - 1)
    return float(np.array([raw], f"u{dtype.itemsize}").view(dtype)[0])


def _next_digit(count: Int64Array, known: int, rank: int) -> tuple[int, int]:
    """The known digits of a key with one more, and its rank among those that share them."""
    reached = np.cumsum(count)
    digit = int(np.searchsorted(reached, rank, side="right"))
    return known << 16 | digit, rank - (int(reached[digit - 1]) if digit else 0)
