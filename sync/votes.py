"""Votes for the offset between two event trains: the differences of all pairs of short stretches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_STRETCHES = 8
_EVENTS = 24
"""Events that a stretch should hold, so that chance agreements stay rare."""
_PAIRS = 3_000_000
_PER_STRETCH = 6


@dataclass(frozen=True, slots=True)
class Ballot:
    """One promising offset.

    Attributes:
        moment: Middle of the stretch of own events that voted, seconds.
        reach: Half the length of that stretch, seconds.
        offset: Other minus own time there, seconds.
        drift: Relative rate difference for which they agree best.
        votes: Events of the stretch that agree on it.
        surprise: How far the votes exceed what chance gives, in its standard deviations.
    """

    moment: float
    reach: float
    offset: float
    drift: float
    votes: int
    surprise: float


def vote(
    own: Floats,
    other: Floats,
    codes: tuple[Int64Array, Int64Array],
    limits: tuple[float, float],
    tolerance: float,
    max_drift: float,
) -> list[Ballot]:
    """Promising offsets, the most surprising first.

    Args:
        own: Event times, seconds, sorted, shape (n,).
        other: The same for the other train, shape (m,).
        codes: Label codes of both; only equal ones are compared.
        limits: Smallest and largest offset.
        tolerance: Spread of the differences of true pairs, seconds.
        max_drift: Largest relative rate difference: a stretch of length T smears its votes over `max_drift * T`.
    """
    ballots: list[Ballot] = []
    for first, last in _stretches(len(own), len(other)):
        ballots += _poll(own[first:last], other, codes[0][first:last], codes[1], limits, tolerance, max_drift)
    return sorted(ballots, key=lambda ballot: (-ballot.surprise, abs(ballot.offset)))


def _stretches(n: int, m: int) -> list[tuple[int, int]]:
    size = max(1, min(n, _EVENTS, _PAIRS // m))
    if size == n:
        return [(0, n)]
    starts = np.unique(np.linspace(0, n - size, _STRETCHES).astype(int))
    return [(int(start), int(start) + size) for start in starts]


def _poll(
    own: Floats,
    other: Floats,
    own_codes: Int64Array,
    other_codes: Int64Array,
    limits: tuple[float, float],
    tolerance: float,
    max_drift: float,
) -> list[Ballot]:
    moment = float(own[0] + own[-1]) / 2
    reach = float(own[-1] - own[0]) / 2 + tolerance
    gaps = other[None, :] - own[:, None]
    allowed = (own_codes[:, None] == other_codes[None, :]) & (gaps >= limits[0]) & (gaps <= limits[1])
    voter, _ = np.nonzero(allowed)
    offsets = gaps[allowed]
    if not len(offsets):
        return []
    order = np.argsort(offsets)
    offsets, voter = offsets[order], voter[order]
    width = 2 * tolerance + 2 * max_drift * reach
    counts = np.searchsorted(offsets, offsets + width, side="right") - np.arange(len(offsets))
    span = max(float(offsets[-1] - offsets[0]), width)
    expected = max(len(offsets) * width / span, 1e-3)
    ballots: list[Ballot] = []
    free = np.ones(len(offsets), dtype=bool)
    for at in np.argsort(-counts, kind="stable"):
        if not free[at]:
            continue
        window = slice(int(at), int(at + counts[at]))
        offset, drift, votes = _settle(own[voter[window]] - moment, offsets[window], tolerance, max_drift)
        free &= (offsets < offsets[at] - width / 2) | (offsets > offsets[at] + width)
        ballots.append(Ballot(moment, reach, offset, drift, votes, (votes - expected) / np.sqrt(expected + 1)))
        if len(ballots) >= max(_PER_STRETCH, 24 // len(own)):
            break
    return ballots


def _settle(x: Floats, y: Floats, tolerance: float, max_drift: float) -> tuple[float, float, int]:
    """The offset at x = 0 and the drift on which most of the points (x, y) agree, and how many do."""
    reach = float(np.abs(x).max()) if len(x) else 0.0
    steps = int(np.clip(np.ceil(2 * max_drift * reach / (tolerance / 4)), 0, 200))
    best = (0, np.inf, 0.0, 0.0)
    for drift in np.linspace(-max_drift, max_drift, 2 * (steps // 2) + 1) if steps > 1 else (0.0,):
        flat = np.sort(y - drift * x)
        for wide in (tolerance, tolerance / 8):
            counts = np.searchsorted(flat, flat + wide, side="right") - np.arange(len(flat))
            at = int(np.argmax(counts))
            inside = flat[at : at + int(counts[at])]
            key = (len(inside) if wide == tolerance else round(1.2 * len(inside)), float(np.ptp(inside)))
            if (-key[0], key[1]) < (-best[0], best[1]):
                best = (key[0], key[1], float(np.median(inside)), float(drift))
    return best[2], best[3], best[0]
