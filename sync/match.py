"""Match two trains of events that two clocks saw: unknown offset, slow drift, jitter, missing and extra events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.time import Int64Array, nearest, to_ns, to_s
from sync.votes import Ballot, vote

_MAX_DRIFT = 500e-6
"""Clocks that differ by more are not matched."""
_JITTER_FLOOR_S = 1e-4
_JITTER_PRIOR_S = 1e-3
_DRIFT_PRIOR = 1e-4
"""Crystal clocks differ by tens of parts per million; a few events say less than that."""
_TIGHT = 5.0
_RIVAL = 0.8
_CANDIDATES = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Match:
    """Which event of one train is which of the other, and the affine map between their clocks.

    Attributes:
        pairs: int64 (k, 2): index into own and into other, by time; indices refer to the arrays as given.
        anchor_ns: Own time at which `offset_s` holds: the middle of the matched events.
        offset_s: Other time minus own time at the anchor, seconds.
        drift_ppm: How much faster the other clock counts, parts per million; 0 with a single pair.
        residuals_ns: Other time minus mapped own time of each pair, int64 (k,).
        ci95_s: Half width of the 95 % interval of the offset at the anchor, seconds.
        unmatched_own: Own events without a partner within the stretch that both trains cover.
        unmatched_other: The same for the other train.
        ambiguous: Another offset explains the trains about as well: strictly periodic or very short trains.
        runner_up_s: That other offset at the anchor, seconds; None without one.
    """

    pairs: Int64Array
    anchor_ns: int
    offset_s: float
    drift_ppm: float
    residuals_ns: Int64Array
    ci95_s: float
    unmatched_own: int
    unmatched_other: int
    ambiguous: bool
    runner_up_s: float | None

    @property
    def rms_s(self) -> float:
        """Root mean square of the residuals, seconds."""
        return float(np.sqrt(np.mean(to_s(self.residuals_ns) ** 2)))


@dataclass(frozen=True, eq=False)
class _Fit:
    """`other - own = offset + drift * (own - anchor)` and the pairs that obey it; times in seconds from `zero_ns`."""

    own: Int64Array
    other: Int64Array
    anchor: float
    offset: float
    drift: float
    residuals: Floats

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(self.residuals**2)))

    def shift_at(self, own_s: Floats | float) -> Floats:
        return self.offset + self.drift * (np.asarray(own_s) - self.anchor)


def match_events(
    own_ns: Int64Array,
    other_ns: Int64Array,
    *,
    max_offset_s: float | None = None,
    tolerance_s: float = 0.05,
    resolution_s: float = 0.0,
    own_labels: Sequence[str] | None = None,
    other_labels: Sequence[str] | None = None,
) -> Match:
    """Match two event trains and estimate offset and drift between their clocks.

    Short stretches of the own train vote for offsets by the differences of all pairs; each promising offset is grown
    outwards from its stretch over both trains with an affine fit that is renewed at each doubling, then pairs beyond
    five robust standard deviations of the residuals are dropped and the fit repeated. The offset with the most pairs
    wins; among offsets with nearly as many, one with far smaller residuals, else the match is called ambiguous and the
    most pairs, then the smallest offset, decide.

    Args:
        own_ns: Event times on the own clock, int64 ns, any order.
        other_ns: Times on the other clock; events may be missing or extra on both sides.
        max_offset_s: Largest absolute offset at the matched events, seconds; None for no limit.
        tolerance_s: Largest residual of a pair, seconds; never more than a quarter of the usual distance of events.
        resolution_s: Step in which the events are timed, both trains together (root of the sum of the squares of the
            sample periods), seconds. Residuals within it are rounding and never count as outliers, and the interval is
            widened where they are smaller than rounding makes them: where two sample clocks hardly drift, few events
            are rounded the other way.
        own_labels: One label per own event; with `other_labels`, only events of equal labels are paired.
        other_labels: One label per other event.

    Raises:
        ClockError: not a single pair can be made.
    """
    own_order, other_order = np.argsort(own_ns, kind="stable"), np.argsort(other_ns, kind="stable")
    if not len(own_order) or not len(other_order):
        raise ClockError(
            "there are no events to match",
            got=f"{len(own_order)} own and {len(other_order)} other events",
            mend="Give the clock's offset_s in the manifest, or name streams that both saw the events.",
        )
    zero_own, zero_other = int(np.min(own_ns)), int(np.min(other_ns))
    own = to_s(np.asarray(own_ns, dtype=np.int64)[own_order] - zero_own)
    other = to_s(np.asarray(other_ns, dtype=np.int64)[other_order] - zero_other)
    shift = to_s(zero_other - zero_own)
    codes = _codes(own_labels, other_labels, own_order, other_order)
    limits = (-np.inf, np.inf) if max_offset_s is None else (-max_offset_s - shift, max_offset_s - shift)
    tolerance = _tolerance(own, other, tolerance_s)
    votes = vote(own, other, codes, limits, tolerance, _MAX_DRIFT)
    fits: list[_Fit] = []
    for ballot in votes[:_CANDIDATES]:
        if any(abs(float(fit.shift_at(ballot.moment)) - ballot.offset) < 2 * tolerance for fit in fits):
            continue
        grown = _grow(own, other, codes, ballot, tolerance, resolution_s)
        if grown is not None and limits[0] <= grown.offset <= limits[1] and not _known(grown, fits, tolerance):
            fits.append(grown)
    if not fits:
        raise ClockError(
            "no event of one clock has a partner on the other",
            got=f"{len(own)} own and {len(other)} other events",
            expected=None if max_offset_s is None else f"an offset of at most {max_offset_s:g} s",
            mend="Check that both streams saw the same events, or give the clock's offset_s in the manifest.",
        )
    best, rival, ambiguous = _choose(fits, shift)
    return Match(
        pairs=np.c_[own_order[best.own], other_order[best.other]].astype(np.int64),
        anchor_ns=zero_own + to_ns(best.anchor),
        offset_s=best.offset + shift,
        drift_ppm=best.drift * 1e6,
        residuals_ns=to_ns(best.residuals),
        ci95_s=_half_width(best, tolerance, resolution_s),
        unmatched_own=_alone(own + best.shift_at(own), other, len(best.own), tolerance),
        unmatched_other=_alone(other, own + best.shift_at(own), len(best.own), tolerance),
        ambiguous=ambiguous,
        runner_up_s=None if rival is None else float(rival.shift_at(best.anchor)) + shift,
    )


def _codes(
    own_labels: Sequence[str] | None, other_labels: Sequence[str] | None, own_order: Int64Array, other_order: Int64Array
) -> tuple[Int64Array, Int64Array]:
    if own_labels is None or other_labels is None:
        return np.zeros(len(own_order), np.int64), np.zeros(len(other_order), np.int64)
    _, codes = np.unique([*own_labels, *other_labels], return_inverse=True)
    return codes[: len(own_labels)][own_order], codes[len(own_labels) :][other_order]


def _tolerance(own: Floats, other: Floats, tolerance_s: float) -> float:
    distances = [float(np.median(np.diff(train))) for train in (own, other) if len(train) > 2]
    return max(1e-6, min([tolerance_s, *(d / 4 for d in distances)]))


def _known(fit: _Fit, fits: list[_Fit], tolerance: float) -> bool:
    return any(abs(float(other.shift_at(fit.anchor)) - fit.offset) < tolerance for other in fits)


def _grow(
    own: Floats,
    other: Floats,
    codes: tuple[Int64Array, Int64Array],
    ballot: Ballot,
    tolerance: float,
    resolution: float,
) -> _Fit | None:
    """Widen a local match to the whole trains; None if nothing pairs."""
    moment, reach = ballot.moment, ballot.reach
    whole = max(float(own[-1]) - moment, moment - float(own[0])) + tolerance
    fit: _Fit | None = None
    while True:
        inside = np.flatnonzero(np.abs(own - moment) <= reach)
        guess = ballot.offset + ballot.drift * (own[inside] - moment) if fit is None else fit.shift_at(own[inside])
        i, j = _pair(own[inside] + guess, other, codes[0][inside], codes[1], tolerance)
        if len(i):
            fit = _affine(own, other, inside[i], j, resolution)
        if reach >= whole:
            break
        reach = min(whole, 2 * reach)
    if fit is None:
        return None
    everywhere = np.arange(len(own))
    for _ in range(3):
        spread = 1.4826 * float(np.median(np.abs(fit.residuals - np.median(fit.residuals))))
        tight = (
            float(np.clip(_TIGHT * spread, min(max(1e-3, resolution), tolerance), tolerance))
            if len(fit.own) > 3
            else tolerance
        )
        i, j = _pair(own + fit.shift_at(own), other, codes[0], codes[1], tight)
        if not len(i):
            break
        fit = _affine(own, other, everywhere[i], j, resolution)
    return fit


def _pair(
    mapped: Floats, other: Floats, own_codes: Int64Array, other_codes: Int64Array, tolerance: float
) -> tuple[Int64Array, Int64Array]:
    """Indices of events that are each other's nearest of the same label and at most `tolerance` apart."""
    found_i, found_j = [], []
    for code in np.unique(own_codes):
        i = np.flatnonzero(own_codes == code)
        j = np.flatnonzero(other_codes == code)
        if not len(j):
            continue
        to_j, to_i = nearest(other[j], mapped[i]), nearest(mapped[i], other[j])
        mutual = to_i[to_j] == np.arange(len(i))
        close = mutual & (np.abs(other[j][to_j] - mapped[i]) <= tolerance)
        found_i.append(i[close])
        found_j.append(j[to_j[close]])
    if not found_i:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    i, j = np.concatenate(found_i), np.concatenate(found_j)
    order = np.argsort(i)
    return i[order], j[order]


def _affine(own: Floats, other: Floats, i: Int64Array, j: Int64Array, resolution: float) -> _Fit:
    """Huber fit of offset and drift, the drift held towards 0 where the pairs say little about it."""
    x, y = own[i], other[j] - own[i]
    weights = np.ones(len(x))
    anchor, offset, drift = float(x.mean()), float(np.median(y)), 0.0
    for _ in range(8):
        anchor = float(np.average(x, weights=weights))
        offset = float(np.average(y, weights=weights))
        centred = x - anchor
        residuals = y - offset - drift * centred
        scale = _scale(residuals, 2)
        hold = (scale / _DRIFT_PRIOR) ** 2
        drift = float(np.sum(weights * centred * (y - offset)) / (np.sum(weights * centred**2) + hold))
        drift = float(np.clip(drift, -_MAX_DRIFT, _MAX_DRIFT)) if len(x) > 1 else 0.0
        residuals = y - offset - drift * centred
        limit = max(resolution, 1.5 * max(_JITTER_FLOOR_S, 1.4826 * float(np.median(np.abs(residuals)))))
        weights = np.minimum(1.0, limit / np.maximum(np.abs(residuals), 1e-12))
    return _Fit(i, j, anchor, offset, drift, y - offset - drift * (x - anchor))


def _scale(residuals: Floats, fitted: int) -> float:
    """Jitter of a pair, seconds, with a prior worth one event: few events never look perfect."""
    free = max(0, len(residuals) - fitted)
    spread = 1.4826 * float(np.median(np.abs(residuals))) if free else 0.0
    return max(_JITTER_FLOOR_S, float(np.sqrt((free * spread**2 + _JITTER_PRIOR_S**2) / (free + 1))))


def _choose(fits: list[_Fit], shift: float) -> tuple[_Fit, _Fit | None, bool]:
    """The best fit, its strongest rival, and whether the two cannot be told apart."""
    fits = sorted(fits, key=lambda fit: (-len(fit.own), abs(fit.offset + shift)))
    most = len(fits[0].own)
    near = [fit for fit in fits if len(fit.own) >= _RIVAL * most]
    if len(near) == 1:
        return fits[0], fits[1] if len(fits) > 1 else None, False
    by_rms = sorted(near, key=lambda fit: fit.rms)
    first, second = by_rms[0], by_rms[1]
    if len(first.own) > 3 and max(first.rms, _JITTER_FLOOR_S) < 0.4 * second.rms:
        return first, second, False
    return near[0], near[1], True


def _half_width(fit: _Fit, tolerance: float, resolution_s: float) -> float:
    """Half width of the 95 % interval of the offset: from the residuals, and from rounding that they do not show."""
    from scipy.special import stdtrit

    k = len(fit.own)
    if k == 1:
        return max(tolerance, resolution_s)
    free = max(1, k - 2)
    total = float(np.sum(fit.residuals**2))
    rounding = k * resolution_s**2 / 12
    unseen = resolution_s**2 * max(0.0, 1 - 2 * total / rounding) if rounding > 0 else 0.0
    spread = float(np.sqrt((total + max(_JITTER_FLOOR_S**2, unseen)) / free))
    spread = max(spread, _JITTER_PRIOR_S) if k == 2 else spread
    return float(stdtrit(free, 0.975) * spread / np.sqrt(k))


def _alone(times: Floats, partners: Floats, matched: int, tolerance: float) -> int:
    """Events without a partner within the stretch that the partners cover."""
    inside = (times >= partners[0] - tolerance) & (times <= partners[-1] + tolerance)
    return max(0, int(inside.sum()) - matched)
