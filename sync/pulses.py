"""Pulses in a trigger, TTL, photosensor or sound-borne signal: when each began, how long it lasted, how high it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.stream import Signal
from data_schemas.time import NS_PER_S, Int64Array
from sync.edges import Edge, find_edges, place, quantum_noise

_DETECTION_HZ = 2000.0
"""Signals of more than twice this rate are averaged in blocks for detection, and refined at their full rate."""
_TONE_S = 0.006
"""Longest half period of a tone that counts as one burst with its neighbours."""
_SPIKE_S = 0.001
"""A burst is longer than this."""


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


def find_pulses(signal: Signal, column: str | None = None) -> list[Pulse]:
    """Find the pulses of a two-level signal.

    Steps are looked for as differences between the means of neighbouring stretches, at the shortest stretch for which
    they stand out of noise and ripple, so that slow drift does not matter; each step must also stand out of the spread
    around itself. Steps alternate (a Schmitt trigger on the jumps). The rarer of the two levels is the event, whatever
    its sign. Onsets are the change point of the least squares step, interpolated between samples at half height. A
    signal that swings symmetrically around a resting level is taken as bursts of a tone and its envelope is used.

    A pulse that was on when the data began, or whose onset lies in a gap, has no known onset and is left out.

    Args:
        signal: Sampled voltage, light or sound; invalid samples are passed over.
        column: Column to look at; by default the first one in which there are pulses.

    Returns:
        Pulses in order, onsets in ns on the signal's current clock; none for a flat signal or mere noise.

    Raises:
        MissingTrackError: there is no such column.
    """
    for name in signal.columns if column is None else (column,):
        pulses = _pulses_of(signal, name)
        if pulses:
            return pulses
    return []


def _pulses_of(signal: Signal, column: str) -> list[Pulse]:
    raw, mask = signal.column(column)
    kept = np.flatnonzero(mask)
    if len(kept) < 8:
        return []
    times = signal.times_of(kept)
    x = raw[kept].astype(np.float64)
    x -= np.median(x)
    if not np.any(x):
        return []
    period = float(np.median(np.diff(times)))
    blind = np.diff(times) > max(5 * period, 0.02 * NS_PER_S)
    tone = _swings(x, period)
    if tone:
        x = _envelope(x, period)
    edges = _edges_of(x, blind, NS_PER_S / period, 2 * _TONE_S if tone else 0.0)
    if not edges:
        return []
    high = _time_high(edges, times)
    rising = 1 if high <= 0.5 else -1
    pulses = _pair(edges, times, x, rising)
    return pulses or _pair(edges, times, x, -rising)


def _swings(x: NDArray[np.float64], period_ns: float) -> bool:
    """Whether x rests in the middle and swings far to both sides: bursts of a tone, not two levels."""
    if period_ns > _TONE_S / 6 * NS_PER_S:
        return False
    top, bottom = float(x.max()), float(-x.min())
    noise = max(1.4826 * float(np.median(np.abs(x))), quantum_noise(x))
    return min(top, bottom) > max(0.5 * max(top, bottom), 10 * noise)


def _envelope(x: NDArray[np.float64], period_ns: float) -> NDArray[np.float64]:
    """The rectified signal with the hollows between the swings of a tone closed and lone spikes removed."""
    from scipy.ndimage import grey_closing, grey_opening

    wide = max(3, round(_TONE_S * NS_PER_S / period_ns))
    narrow = max(3, round(_SPIKE_S * NS_PER_S / period_ns))
    return np.asarray(grey_opening(grey_closing(np.abs(x), size=wide), size=narrow), dtype=np.float64)


def _edges_of(x: NDArray[np.float64], blind: NDArray[np.bool_], rate_hz: float, shortest_s: float) -> list[Edge]:
    """Edges of x, positions in samples of x; signals of a high rate are searched in blocks first."""
    block = int(rate_hz // _DETECTION_HZ)
    if block < 2:
        return find_edges(x, rate_hz, blind, max(1, round(shortest_s * rate_hz)))
    n = len(x) // block
    coarse = x[: n * block].reshape(n, block).mean(axis=1)
    holes = np.add.reduceat(blind[: (n - 1) * block], np.arange(0, (n - 1) * block, block)) > 0
    found = find_edges(coarse, rate_hz / block, holes, max(1, round(shortest_s * rate_hz / block)))
    return [edge.refined(x, round((edge.position + 0.5) * block), 3 * block) for edge in found]


def _time_high(edges: list[Edge], times: Int64Array) -> float:
    """Share of the time in which the signal was at the upper of its levels, by its edges."""
    moments = np.r_[0.0, [edge.position for edge in edges], len(times) - 1.0]
    states = np.r_[edges[0].sign < 0, [edge.sign > 0 for edge in edges]].astype(bool)
    spans = np.diff(_times_at(times, moments)).astype(np.float64)
    return float(spans[states].sum() / max(1.0, spans.sum()))


def _times_at(times: Int64Array, positions: NDArray[np.float64]) -> Int64Array:
    """Times at fractional sample positions."""
    at = np.clip(np.floor(positions).astype(np.int64), 0, len(times) - 2)
    share = np.clip(positions - at, 0.0, 1.0)
    return times[at] + np.rint(share * (times[at + 1] - times[at])).astype(np.int64)


def _pair(edges: list[Edge], times: Int64Array, x: NDArray[np.float64], rising: int) -> list[Pulse]:
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
        spans.append((begun, len(times) - 1.0))
    spans = [(edge, end) for edge, end in spans if not edge.blind]
    if not spans:
        return []
    onsets = _times_at(times, np.array([edge.position for edge, _ in spans]))
    ends = _times_at(times, np.array([end for _, end in spans]))
    return [
        Pulse(int(onset), max(1, int(end - onset)), edge.height)
        for (edge, _), onset, end in zip(spans, onsets, ends, strict=True)
    ]


def _return(x: NDArray[np.float64], begun: Edge, until: float) -> float:
    """Where the signal fell back to rest too slowly for an edge, by least squares."""
    position, _ = place(x, begun.after, begun.before, int(begun.position) + 1, int(until))
    return position
