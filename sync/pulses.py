"""Pulses in a trigger, TTL, photosensor or sound-borne signal: when each began, how long it lasted, how high it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_schemas.stream import Audio, Signal
from data_schemas.time import NS_PER_S, Int64Array
from sync.edges import Edge, find_edges, noise_of_values, place
from sync.samples import PIECE, Floats, Samples, Sliced, columns_of, pieces

_DETECTION_HZ = 2000.0
"""Signals of more than twice this rate are averaged in blocks for detection, and refined at their full rate."""
_TONE_S = 0.006
"""Longest half period of a tone that counts as one burst with its neighbours."""
_SPIKE_S = 0.001
"""A burst is longer than this."""
_MOST_VALUES = 10


@dataclass(frozen=True, slots=True)
class Pulse:
    """One excursion of a two-level signal.

    Attributes:
        onset_ns: When it left the resting level, at half height, on the signal's clock.
        duration_ns: Until it came back, or until the data end, > 0.
        height: Signed height over the resting level, in the signal's unit; always positive for bursts of a tone.
    """

    onset_ns: int
    duration_ns: int
    height: float


def find_pulses(signal: Signal | Audio, column: str | None = None) -> list[Pulse]:
    """Find the pulses of a two-level signal.

    What is sampled at a high rate is read several times, piece by piece, and never held whole.

    Steps are looked for as differences between the means of neighbouring stretches, at the shortest stretch for which
    they stand out of noise and ripple, so that slow drift does not matter; each step must also stand out of the spread
    around itself. Steps alternate (a Schmitt trigger on the jumps). The rarer of the two levels is the event, whatever
    its sign. Onsets are the change point of the least squares step, interpolated between samples at half height. A
    signal that swings symmetrically around a resting level is taken as bursts of a tone and its envelope is used.

    A pulse that was on when the data began, or whose onset lies in a gap, has no known onset and is left out.

    Args:
        signal: Sampled voltage, light or sound; invalid samples are passed over.
        column: Column to look at, of a sound the number of a channel from "0"; by default the first one in which there
            are pulses.

    Returns:
        Pulses in order, onsets in ns on the signal's current clock; none for a flat signal or mere noise.

    Raises:
        MissingTrackError: there is no such column.
        UnreadableFileError: the file of a sound can no longer be read.
    """
    for name in columns_of(signal) if column is None else (column,):
        pulses = _pulses_of(signal, name)
        if pulses:
            return pulses
    return []


def _pulses_of(signal: Signal | Audio, column: str) -> list[Pulse]:
    samples = Samples(signal, column)
    if len(samples) < 8 or samples.lowest == samples.highest:
        return []
    samples.level = samples.median()
    period = samples.period_ns()
    x: Sliced = samples
    shortest_s = 0.0
    if _swings(samples, period):
        x, shortest_s = Envelope(samples, period), 2 * _TONE_S
    block = max(1, int(NS_PER_S / period // _DETECTION_HZ))
    edges = _edges_of(x, samples, block, period, shortest_s)
    if not edges:
        return []
    high = _time_high(edges, samples)
    rising = 1 if high <= 0.5 else -1
    pulses = _pair(edges, samples, x, rising)
    return pulses or _pair(edges, samples, x, -rising)


def _swings(x: Samples, period_ns: float) -> bool:
    """Whether x rests in the middle and swings far to both sides: bursts of a tone, not two levels."""
    if period_ns > _TONE_S / 6 * NS_PER_S:
        return False
    lower, upper = sorted((x.highest - x.level, x.level - x.lowest))
    if lower <= 0.5 * upper:
        return False
    values = _distinct(x)
    # More values than that lie closer together than a tenth of any such swing.
    if len(values) <= _MOST_VALUES and lower <= 10 * noise_of_values(values, x):
        return False
    return _exceeds_noise(x, lower)


def _distinct(x: Samples) -> Floats:
    """The distinct values of x in order, or some of them where there are more than `_MOST_VALUES`."""
    values = np.zeros(0)
    for low, high in pieces(len(x)):
        values = np.unique(np.r_[values, x[low:high]])
        if len(values) > _MOST_VALUES:
            break
    return values


def _exceeds_noise(x: Samples, swing: float) -> bool:
    """Whether a swing is over ten times the noise, by the median distance from zero: found by counting, not sorting."""
    below, highest, least = 0, 0.0, np.inf
    for low, high in pieces(len(x)):
        size = np.abs(x[low:high])
        small = 10 * (1.4826 * size) < swing
        below += int(small.sum())
        highest = max(highest, float(size.max(where=small, initial=0.0)))
        least = min(least, float(size.min(where=~small, initial=np.inf)))
    if 2 * below == len(x):
        return 10 * (1.4826 * (highest + least) / 2) < swing
    return 2 * below > len(x)


class Envelope:
    """The rectified signal with the hollows between the swings of a tone closed and lone spikes removed, by slices."""

    def __init__(self, x: Sliced, period_ns: float) -> None:
        self._x = x
        self._wide = max(3, round(_TONE_S * NS_PER_S / period_ns))
        self._narrow = max(3, round(_SPIKE_S * NS_PER_S / period_ns))

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, key: slice, /) -> Floats:
        from scipy.ndimage import grey_closing, grey_opening

        low, high, _ = key.indices(len(self))
        first = max(0, low - self._wide - self._narrow)
        size = np.abs(self._x[first : high + self._wide + self._narrow])
        closed = grey_opening(grey_closing(size, size=self._wide), size=self._narrow)
        return np.asarray(closed[low - first : high - first], dtype=np.float64)


def _edges_of(x: Sliced, samples: Samples, block: int, period_ns: float, shortest_s: float) -> list[Edge]:
    """Edges of x, positions in samples of x; means of blocks are searched first where a block is more than one."""
    n = len(x) // block
    rate_hz = NS_PER_S / period_ns / block
    if n < 2:
        return []
    means, blind = np.empty(n), np.zeros(n - 1, bool)
    limit = max(5 * period_ns, 0.02 * NS_PER_S)
    for low, high in pieces(n, PIECE // block):
        means[low:high] = x[low * block : high * block].reshape(-1, block).mean(axis=1)
        last = min(high, n - 1)
        blind[low:last] = (samples.distances(low * block, last * block) > limit).reshape(-1, block).any(axis=1)
    found = find_edges(means, rate_hz, blind, max(1, round(shortest_s * rate_hz)))
    if block == 1:
        return found
    return [edge.refined(x, round((edge.position + 0.5) * block), 3 * block) for edge in found]


def _time_high(edges: list[Edge], samples: Samples) -> float:
    """Share of the time in which the signal was at the upper of its levels, by its edges."""
    moments = np.r_[0.0, [edge.position for edge in edges], len(samples) - 1.0]
    states = np.r_[edges[0].sign < 0, [edge.sign > 0 for edge in edges]].astype(bool)
    spans = np.diff(_times_at(samples, moments)).astype(np.float64)
    return float(spans[states].sum() / max(1.0, spans.sum()))


def _times_at(samples: Samples, positions: Floats) -> Int64Array:
    """Times at fractional sample positions."""
    at = np.clip(np.floor(positions).astype(np.int64), 0, len(samples) - 2)
    share = np.clip(positions - at, 0.0, 1.0)
    before, after = samples.times_of(at), samples.times_of(at + 1)
    return before + np.rint(share * (after - before)).astype(np.int64)


def _pair(edges: list[Edge], samples: Samples, x: Sliced, rising: int) -> list[Pulse]:
    """Pulses between each edge of sign `rising` and the return to rest."""
    spans: list[tuple[Edge, float]] = []
    begun: Edge | None = None
    for edge in edges:
        if edge.sign == rising:
            if begun is not None:
                middle = (begun.before + begun.after) / 2
                if (edge.before - middle) * rising >= 0:
                    continue
                spans.append((begun, _return(x, begun, edge.position)))
            begun = edge
        elif begun is not None:
            spans.append((begun, edge.position))
            begun = None
    if begun is not None:
        spans.append((begun, len(x) - 1.0))
    spans = [(edge, end) for edge, end in spans if not edge.blind]
    if not spans:
        return []
    onsets = _times_at(samples, np.array([edge.position for edge, _ in spans]))
    ends = _times_at(samples, np.array([end for _, end in spans]))
    return [
        Pulse(int(onset), max(1, int(end - onset)), edge.height)
        for (edge, _), onset, end in zip(spans, onsets, ends, strict=True)
    ]


def _return(x: Sliced, begun: Edge, until: float) -> float:
    """Where the signal fell back to rest too slowly for an edge, by least squares."""
    position, _ = place(x, begun.after, begun.before, int(begun.position) + 1, int(until))
    return position
