"""Tokens: each channel of a person in windows of 1 s every 0.5 s, with a mask for what is missing.

A token holds, for every column of its channel's table (`fusion.vocabulary`), a value and the share of the window in
which it was valid; a share of 0 masks the value. Features are scaled against the person's own session, so that a lab's
units, gains and camera distances drop out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError
from data_schemas.features import Encoding, Track
from data_schemas.intervals import Interval, IntervalSet
from data_schemas.time import Explicit, Int64Array, to_ns
from fusion.event_columns import event_columns
from fusion.scaling import calm_samples, scale_samples
from fusion.vocabulary import TABLES, WIDTHS, ChannelTable

Columns = NDArray[np.float32]
WINDOW_NS = to_ns(1.0)
HOP_NS = to_ns(0.5)
WIDEST_NS = to_ns(5.0)
"""Tracks whose samples lie farther apart than this are not read; a slower track's windows widen up to it."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokens of one person, n per channel.

    Attributes:
        person: Whom they concern.
        times_ns: Centres of the windows, int64 (n,), 0.5 s apart, on the session clock.
        values: Channel -> float32 (n, width of the channel); 0 where masked.
        shares: Channel -> float32 (n, width of the channel): valid share of each window, 0 where masked.
        unread: Features of the encoders that no table lists, "channel.feature".
    """

    person: str
    times_ns: Int64Array
    values: Mapping[str, Columns]
    shares: Mapping[str, Columns]
    unread: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for channel in CHANNELS:
            expected = (len(self.times_ns), WIDTHS[channel])
            if self.values[channel].shape != expected or self.shares[channel].shape != expected:
                got = (self.values[channel].shape, self.shares[channel].shape)
                raise InvalidValueError(f"the {channel} tokens do not fit their times", got=got, expected=expected)

    def __len__(self) -> int:
        return len(self.times_ns)

    def present(self, channel: str) -> NDArray[np.bool_]:
        """Where a channel has any unmasked cell, shape (n,)."""
        return np.any(self.shares[channel] > 0, axis=1)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels with at least one token that is not masked."""
        return tuple(channel for channel in CHANNELS if self.present(channel).any())

    def only(self, channels: Collection[str]) -> Tokens:
        """The same with every other channel masked."""
        kept = {c: self.values[c] if c in channels else np.zeros_like(self.values[c]) for c in CHANNELS}
        shares = {c: self.shares[c] if c in channels else np.zeros_like(self.shares[c]) for c in CHANNELS}
        return replace(self, values=kept, shares=shares)

    def without_columns(self, lost: Mapping[str, NDArray[np.bool_]]) -> Tokens:
        """The same with some columns masked: channel -> bool (width of the channel,)."""
        values = {c: np.where(lost[c], np.float32(0), self.values[c]) for c in CHANNELS}
        shares = {c: np.where(lost[c], np.float32(0), self.shares[c]) for c in CHANNELS}
        return replace(self, values=values, shares=shares)

    def part(self, start: int, stop: int) -> Tokens:
        """Tokens with indices start..stop-1."""
        return replace(
            self,
            times_ns=self.times_ns[start:stop],
            values={c: self.values[c][start:stop] for c in CHANNELS},
            shares={c: self.shares[c][start:stop] for c in CHANNELS},
        )


def token_times(extent: Interval) -> Int64Array:
    """Centres of the windows over an extent: every 0.5 s from 0.25 s on, int64 (n,), n >= 1."""
    n = -(-extent.duration_ns // HOP_NS)
    return extent.start_ns + HOP_NS // 2 + HOP_NS * np.arange(n, dtype=np.int64)


def tokens_of(encodings: Sequence[Encoding], extent: Interval) -> Tokens:
    """Tokens of one person from the encodings of any channels.

    Args:
        encodings: All of one person; of several encodings of one channel the first that has a cell fills it.
            A channel that is none of `CHANNELS` is not read.
        extent: What to cover, on the session clock.

    Raises:
        InvalidValueError: the encodings concern different people.
    """
    people = sorted({encoding.person for encoding in encodings})
    if len(people) > 1:
        raise InvalidValueError("tokens are made for one person at a time", got=people, expected="one person")
    times = token_times(extent)
    baseline = baseline_of(encodings)
    values = {c: np.zeros((len(times), WIDTHS[c]), np.float32) for c in CHANNELS}
    shares = {c: np.zeros((len(times), WIDTHS[c]), np.float32) for c in CHANNELS}
    unread: list[str] = []
    for encoding in encodings:
        channel = encoding.spec.channel
        if channel not in TABLES:
            unread += [f"{channel}.{name}" for name in encoding.track.names]
            continue
        unread += [f"{channel}.{name}" for name in encoding.track.names if name not in TABLES[channel].features]
        found, covered = _channel_tokens(encoding, TABLES[channel], times, extent, baseline)
        empty = shares[channel] == 0
        values[channel][empty] = found[empty]
        shares[channel][empty] = covered[empty]
    return Tokens(people[0] if people else "", times, values, shares, tuple(unread))


def baseline_of(encodings: Sequence[Encoding]) -> IntervalSet:
    """Where the context says that the person was at rest; empty without such a mark."""
    found = IntervalSet()
    for encoding in encodings:
        track = encoding.track
        if encoding.spec.channel == "context" and "baseline" in track.names and len(track.times_ns):
            values, valid = track.column("baseline")
            found = found | IntervalSet.of_mask(Explicit(track.times_ns), valid & (values > 0.5))
    return found


def _channel_tokens(
    encoding: Encoding, table: ChannelTable, times: Int64Array, extent: Interval, baseline: IntervalSet
) -> tuple[Columns, Columns]:
    """Values and shares, float32 (n, width) each, of one encoding."""
    values = np.zeros((len(times), len(table.columns)), np.float32)
    shares = np.zeros(values.shape, np.float32)
    width = len(table.features)
    values[:, :width], shares[:, :width] = _track_columns(encoding.track, table, times, extent, baseline)
    starts, ends = times - WINDOW_NS // 2, times + WINDOW_NS // 2
    events = event_columns(encoding.spec.channel, encoding.events, starts, ends)
    watched = shares[:, :width].max(axis=1, initial=0.0)[:, None]
    values[:, width:] = events
    shares[:, width:] = np.where(events > 0, np.maximum(watched, 0.5), watched)
    return values, shares


def _track_columns(
    track: Track, table: ChannelTable, times: Int64Array, extent: Interval, baseline: IntervalSet
) -> tuple[Columns, Columns]:
    shape = (len(times), len(table.features))
    at = [(column, track.names.index(name)) for column, name in enumerate(table.features) if name in track.names]
    if not at or not len(track.times_ns):
        return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    period = float(np.median(np.diff(track.times_ns))) if len(track.times_ns) > 1 else float(WINDOW_NS)
    if period > WIDEST_NS:
        return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    half = max(WINDOW_NS // 2, round(0.55 * period))
    first = np.searchsorted(track.times_ns, times - half, side="left")
    last = np.searchsorted(track.times_ns, times + half, side="left")
    within = np.minimum(times + half, extent.end_ns) - np.maximum(times - half, extent.start_ns)
    expected = np.maximum(1.0, np.floor(within / period))
    calm = calm_samples(track.times_ns, baseline)
    values, shares = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for column, source in at:
        valid = track.valid[:, source]
        if not valid.any():
            continue
        how = table.scale_of(table.features[column])
        scaled = scale_samples(track.values[:, source], valid, how, calm)
        count = _sums(valid.astype(np.float64), first, last)
        mean = _sums(scaled, first, last) / np.maximum(count, 1.0)
        values[:, column] = np.where(count > 0, np.arcsinh(mean) if how == "person" else mean, 0.0)
        shares[:, column] = np.minimum(1.0, count / expected)
    return values, shares


def _sums(samples: NDArray[np.float64], first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sum of samples first..last-1 for each window."""
    running = np.concatenate([[0.0], np.cumsum(samples)])
    return np.asarray(running[last] - running[first])
