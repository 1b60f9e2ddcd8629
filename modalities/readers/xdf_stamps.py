"""LSL time stamps to sample times: segments, gaps left open, stamps that jitter backwards put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S, Int64Array

Floats = NDArray[np.float64]

_GAP_S = 1.5
_WINDOW = 25
"""Samples over which jitter averages out."""
_APART_NS = 1_000


@dataclass(frozen=True, eq=False)
class Laid:
    """Sample times of one stream.

    Attributes:
        times_ns: int64 (n,), in the order of the file.
        pieces: First and last sample of each segment.
        support: Where data exist; None where that follows from the axis.
        rate_hz: Samples per second over all segments, gaps left out; None for too few.
        notes: What was repaired or is odd.
    """

    times_ns: Int64Array
    pieces: tuple[tuple[int, int], ...]
    support: IntervalSet | None
    rate_hz: float | None
    notes: tuple[str, ...]


def lay_stamps(stamps_s: Floats, resets: Sequence[int], rate_hz: float, *, steady: bool) -> Laid:
    """Cut time stamps into segments and put in order what jitters backwards; all others stay as they are.

    Args:
        stamps_s: LSL time, seconds, finite, shape (n,).
        resets: First sample after each reset of the clock.
        rate_hz: Nominal rate, 0 for irregular.
        steady: The device samples evenly and loses nothing. Only then may a segment be put on a straight line.
    """
    times = np.rint(stamps_s * NS_PER_S).astype(np.int64)
    if not len(times):
        return Laid(times, (), None, None, ())
    pieces = _pieces(stamps_s, resets, rate_hz)
    notes: list[str] = []
    if rate_hz > 0:
        times, notes = _order(times, pieces, steady)
    support = None
    if len(pieces) > 1:
        period = round(NS_PER_S / rate_hz) if rate_hz else 1
        support = IntervalSet([(int(times[a : b + 1].min()), int(times[a : b + 1].max()) + period) for a, b in pieces])
        notes.append(f"{len(pieces)} segments; nothing lies between them")
    rate = _effective_rate(stamps_s, pieces)
    if rate_hz and rate and abs(rate / rate_hz - 1) > 0.01:
        notes.append(f"effective rate {rate:.2f} Hz, nominal {rate_hz:g} Hz")
    return Laid(times, tuple(pieces), support, rate, tuple(notes))


def _pieces(stamps: Floats, resets: Sequence[int], rate_hz: float) -> list[tuple[int, int]]:
    """Index ranges (inclusive) without a clock reset or, for regular streams, a gap inside."""
    starts = {0, *resets}
    if rate_hz > 0:
        starts |= set((np.flatnonzero(np.abs(np.diff(stamps)) > max(_GAP_S, 5 / rate_hz)) + 1).tolist())
    ordered = sorted(starts)
    return list(zip(ordered, [*(start - 1 for start in ordered[1:]), len(stamps) - 1], strict=True))


def _order(times: Int64Array, pieces: Sequence[tuple[int, int]], steady: bool) -> tuple[Int64Array, list[str]]:
    """Segments whose stamps go backwards by jitter, evened out: only they, and only as far as is needed.

    A steady device's segment comes on the straight line through it, if nothing but jitter lies beside the line. What
    may drop samples, or runs unevenly, keeps its course: the nearest stamps that increase (isotonic regression).
    """
    notes: list[str] = []
    for first, last in pieces:
        here = times[first : last + 1]
        back = int((np.diff(here) <= 0).sum())
        if len(here) < 3 or not back:
            continue
        since = (here - here[0]).astype(np.float64)
        line = _line(since) if steady else None
        placed = _increasing(since) if line is None else line
        moved = np.abs(placed - since).max() / 1e6
        times = times.copy()
        times[first : last + 1] = here[0] + np.rint(placed).astype(np.int64)
        how = "the segment was evened out" if line is not None else "each was put between its neighbours"
        notes.append(f"{back} time stamps went backwards by jitter: {how}, by up to {moved:.1f} ms")
    return times, notes


def _line(since: Floats) -> Floats | None:
    """The straight line through a segment; None where the stamps leave it for longer than jitter does."""
    index = np.arange(len(since), dtype=np.float64)
    slope, start = np.polyfit(index, since, 1)
    if slope <= 0:
        return None
    line = np.asarray(start + slope * index, np.float64)
    off = since - line
    window = min(_WINDOW, len(off))
    course = np.convolve(off, np.ones(window) / window, mode="valid")
    jitter = float(np.std(np.diff(off))) / np.sqrt(2)
    return line if np.abs(course).max() <= max(5 * jitter / np.sqrt(window), 0.5 * slope) else None


def _increasing(since: Floats) -> Floats:
    """The nearest increasing times in least squares; those that fall together lie a microsecond apart."""
    from scipy.optimize import isotonic_regression

    shift = np.arange(len(since), dtype=np.float64) * _APART_NS
    return np.asarray(isotonic_regression(since - shift).x + shift, np.float64)


def _effective_rate(stamps: Floats, pieces: Sequence[tuple[int, int]]) -> float | None:
    """Samples per second over all segments, each by the straight line through its time stamps."""
    count, spans = 0, 0.0
    for first, last in pieces:
        if last - first >= 2:
            here = stamps[first : last + 1] - stamps[first]
            spans += float(np.polyfit(np.arange(len(here)), here, 1)[0]) * (last - first)
            count += last - first
    return count / spans if spans > 0 else None
