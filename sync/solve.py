"""One session clock from all evidence: robust least squares over the graph of clocks, and the pair that contradicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import to_ns, to_s
from sync.clock import ClockMap, Segment
from sync.estimate import Estimate

Floats = NDArray[np.float64]

SIGMA_FLOOR_S = 5e-4
"""No cue is better than this: exposure, cables, converters."""
_DRIFT_PRIOR_PPM = 100.0
_HUBER = 2.0
_CONTRADICTION = 4.0
"""Standard deviations of a difference from which on it contradicts: below one in ten thousand by chance."""
_MOST_CULPRITS = 2


@dataclass(frozen=True, eq=False)
class Link:
    """A piece of evidence as an edge between two clocks.

    Attributes:
        own: Clock of the estimate's own stream.
        against: Clock of its other stream.
        estimate: What it says.
    """

    own: str
    against: str
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class Standing:
    """How one link stands to the solution.

    Attributes:
        link: The evidence.
        off_s: What it says more than the solution, or, for a suspect, than the others do; seconds on the session clock.
        sigma_s: Standard deviation of that difference from the link alone, seconds.
        contradicts: The difference is more than its interval allows.
        suspects: Links that contradict each other and of which each alone, if dropped, would reconcile the others;
            empty where this link agrees. With one entry the culprit is known.
        heeded: It had a say in the solution.
    """

    link: Link
    off_s: float
    sigma_s: float
    contradicts: bool
    suspects: tuple[Link, ...] = ()
    heeded: bool = True


@dataclass(frozen=True, eq=False)
class Solution:
    """The clocks' maps after all evidence has been heard.

    Attributes:
        maps: Clock -> map to the session clock.
        standings: One per link, in the order given.
    """

    maps: dict[str, ClockMap]
    standings: tuple[Standing, ...]


def solve(first: Mapping[str, ClockMap], links: Sequence[Link], fixed: Sequence[str], middle_ns: int) -> Solution:
    """Correct first maps so that all links agree as well as they can.

    The unknowns are an offset and a drift for each clock that is not fixed, counted from its first map; they are small,
    so the problem is linear. Links weigh by their intervals; Huber's weights (1964) hold off outliers. Contradictions
    are searched for by leaving links out: the smallest set, at most two, whose removal reconciles the rest is to blame.
    If several sets do, all their links are suspects - with a single loop nobody can tell which of its links is wrong -
    and the least sure of them is not heeded.

    Args:
        first: Map of every clock to the session clock, from a tree of links or by statement.
        links: All evidence between clocks.
        fixed: Clocks that are not moved: the session clock, the reference.
        middle_ns: Session time from which drifts are counted.
    """
    free = [clock for clock in first if clock not in fixed and any(clock in (one.own, one.against) for one in links)]
    links = list(links)
    rows = [_equations(one, first, free, middle_ns) for one in links]
    kept = frozenset(range(len(links)))
    culprits: list[frozenset[int]] = _culprits(rows, free) if _disagree(rows, free, kept) else []
    without = {at: _least_squares(rows, free, kept - one) for one in culprits for at in sorted(one)}
    if culprits:
        kept = kept - max(culprits, key=partial(_looseness, rows))
    answer = _least_squares(rows, free, kept)
    maps = {clock: _corrected(first[clock], clock, free, answer, middle_ns) for clock in first}
    standings = []
    for at, link in enumerate(links):
        off = -float(_residuals(rows[at], without.get(at, answer))[0])
        suspects = tuple(links[i] for i in sorted(without)) if at in without else ()
        standings.append(Standing(link, off, float(rows[at].sigmas[0]), at in without, suspects, at in kept))
    return Solution(maps, tuple(standings))


@dataclass(frozen=True, eq=False)
class _Rows:
    """One link's equations: offset at its anchor and, where measured, drift; `design @ unknowns = wanted`."""

    design: Floats
    wanted: Floats
    sigmas: Floats


def _equations(link: Link, first: Mapping[str, ClockMap], free: Sequence[str], middle_ns: int) -> _Rows:
    """Unknowns are (offset s, drift) per free clock: corrected = first + offset + drift * (first - middle)."""
    one = link.estimate
    anchor = np.array([one.anchor_ns], dtype=np.int64)
    there = int(first[link.against](one.clock_map(anchor))[0])
    here = int(first[link.own](anchor)[0])
    design = np.zeros((2, 2 * len(free)))
    for clock, sign, moment in ((link.own, 1.0, here), (link.against, -1.0, there)):
        if clock in free:
            at = 2 * free.index(clock)
            design[0, at : at + 2] += [sign, sign * to_s(moment - middle_ns)]
            design[1, at + 1] += sign
    own_drift = first[link.own].drift_ppm_at(one.anchor_ns)
    other_drift = first[link.against].drift_ppm_at(int(one.clock_map(anchor)[0]))
    wanted = np.array([to_s(there - here), (other_drift + one.drift_ppm - own_drift) * 1e-6])
    sigma = float(np.hypot(one.ci95_s / 1.96, SIGMA_FLOOR_S)) / max(0.1, one.confidence)
    ppm = one.drift_ci95_ppm
    drift_sigma = _DRIFT_PRIOR_PPM if ppm is None else max(0.1, ppm / 1.96)
    return _Rows(design, wanted, np.array([sigma, drift_sigma * 1e-6]))


def _least_squares(rows: Sequence[_Rows], free: Sequence[str], kept: AbstractSet[int]) -> Floats:
    """Huber's estimate of the unknowns; a weak prior holds what no link says anything about."""
    if not free or not kept:
        return np.zeros(2 * len(free))
    design = np.concatenate([rows[i].design / rows[i].sigmas[:, None] for i in sorted(kept)])
    wanted = np.concatenate([rows[i].wanted / rows[i].sigmas for i in sorted(kept)])
    prior = np.tile([1e-3, 1 / (_DRIFT_PRIOR_PPM * 1e-6)], len(free))
    weights = np.ones(len(wanted))
    answer = np.zeros(2 * len(free))
    for _ in range(20):
        whole = np.concatenate([design * weights[:, None], np.diag(prior)])
        answer = np.linalg.lstsq(whole, np.concatenate([wanted * weights, np.zeros(len(prior))]), rcond=None)[0]
        off = np.abs(design @ answer - wanted)
        weights = np.sqrt(np.minimum(1.0, _HUBER / np.maximum(off, 1e-12)))
    return np.asarray(answer)


def _residuals(rows: _Rows, answer: Floats) -> Floats:
    return np.asarray(rows.design @ answer - rows.wanted)


def _disagree(rows: Sequence[_Rows], free: Sequence[str], kept: AbstractSet[int]) -> bool:
    """Whether any kept link lies further from their common solution than its interval allows."""
    answer = _least_squares(rows, free, kept)
    return any(abs(_residuals(rows[i], answer)[0]) > _CONTRADICTION * rows[i].sigmas[0] for i in kept)


def _culprits(rows: Sequence[_Rows], free: Sequence[str]) -> list[frozenset[int]]:
    """The smallest sets of links without which the others agree; all links where no small set is enough."""
    everyone = frozenset(range(len(rows)))
    for size in range(1, _MOST_CULPRITS + 1):
        found = [frozenset(one) for one in combinations(sorted(everyone), size)]
        found = [one for one in found if not _disagree(rows, free, everyone - one)]
        if found:
            return found
    return [frozenset({at}) for at in sorted(everyone)]


def _looseness(rows: Sequence[_Rows], which: AbstractSet[int]) -> float:
    return float(sum(rows[i].sigmas[0] for i in which))


def _corrected(first: ClockMap, clock: str, free: Sequence[str], answer: Floats, middle_ns: int) -> ClockMap:
    if clock not in free:
        return first
    offset, drift = (float(one) for one in answer[2 * free.index(clock) :][:2])
    if offset == 0 and drift == 0:
        return first
    return first.then(ClockMap((Segment(middle_ns, middle_ns, middle_ns + to_ns(offset), drift),)))
