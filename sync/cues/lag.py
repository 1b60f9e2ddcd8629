"""From two recordings to an estimate: coarse search, fine windows around each place found, and how sure the best is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from data_schemas.errors import ClockError
from data_schemas.stream import Stream
from data_schemas.time import to_ns
from sync.cues.search import Features, candidates, vote
from sync.cues.sliding import Found, Recorded, Sliding, slide
from sync.estimate import Curve, Estimate

_CANDIDATES = 4
_FIRST_WINDOWS = 24
_RIVAL = (0.5, 0.9)
_FEW = 3
_LEAST_SURE = 0.5
_NO_RIVAL, _SETTLED = 0.6, 6.0
"""A place that coarse windows like that much less is not looked at once another has this many decades."""
_CLEAR = 4.0
"""Clearness, over all windows together, at which half the doubt is gone."""
_DRIFT_KNOWN = 150e-6
"""A drift whose interval is wider than this, and than the drift itself, has not been measured."""


class NothingSharedError(ClockError):
    """Two recordings can be compared, and nothing of the one is found in the other."""


@dataclass(frozen=True)
class Search:
    """What two recordings are compared by.

    Attributes:
        method: Name of the cue.
        what: What is shared, for messages.
        how: Fine windows.
        paired: Whether coarse channel k of the one goes with channel k of the other.
        tolerance_s: How far coarse windows of one line may disagree.
        windows: Largest number of fine windows.
    """

    method: str
    what: str
    how: Sliding
    paired: bool
    tolerance_s: float
    windows: int


def compare_recordings(
    own: Stream, against: Stream, recorded_of: Callable[[Stream], Recorded], search: Search
) -> Estimate:
    """Offset and drift between the clocks of two recordings of the same thing.

    Raises:
        NothingSharedError: nothing of the one is found in the other.
    """
    return estimate(recorded_of(own), recorded_of(against), search, own.info.name, against.info.name)


def estimate(own: Recorded, against: Recorded, search: Search, own_name: str, against_name: str) -> Estimate:
    """The same for recordings that have been prepared.

    Raises:
        NothingSharedError: nothing of the one is found in the other.
    """
    features = _common(own.features, against.features, search.paired)
    votes = vote(*features, search.paired)
    tried = max(1, round((own.end_s - own.start_s + against.end_s - against.start_s) / (2 * search.how.margin_s)))
    lines = candidates(votes, _CANDIDATES, search.how.max_drift, search.tolerance_s)
    kept: list[Found] = []
    for worth, line in lines:
        if kept and worth < _NO_RIVAL * lines[0][0] and kept[0].decades > _SETTLED:
            break
        found = slide(own, against, line, search.how, min(search.windows, _FIRST_WINDOWS), tried)
        if found is not None:
            kept.append(found)
    kept.sort(key=lambda one: (-one.decades, -one.strength))
    if not kept:
        raise NothingSharedError(
            f"no {search.what} was found that both '{own_name}' and '{against_name}' recorded",
            mend="Check that they recorded the same thing at the same time, or give the clock's offset_s.",
        )
    best = kept[0]
    rivals = [
        one
        for one in kept[1:]
        if abs(one.line.offset_s - float(best.line.at(np.array(one.line.anchor_s)))) > _same(search)
    ]
    if best.windows >= min(search.windows, _FIRST_WINDOWS) and search.windows > _FIRST_WINDOWS:
        best = slide(own, against, best.line, search.how, search.windows, tried) or best
    return _told(best, rivals, search, own_name, against_name)


def _same(search: Search) -> float:
    """Offsets that differ by less are the same answer, seconds."""
    return 2 * search.how.tolerance_s


def _common(own: Features, against: Features, paired: bool) -> tuple[Features, Features]:
    """Only the channels that both have, where channels are paired."""
    if not paired:
        return own, against
    k = min(own.values.shape[1], against.values.shape[1])
    return replace(own, values=own.values[:, :k]), replace(against, values=against.values[:, :k])


def _told(best: Found, rivals: list[Found], search: Search, own: str, against: str) -> Estimate:
    """The estimate, with its confidence and what makes it less than sure."""
    warnings = []
    confidence = (1 - 10 ** (-best.decades / 2)) / (1 + _CLEAR / max(best.clearness, 1e-9))
    rival = max((one.strength for one in rivals if one.decades > 1), default=0.0) / max(best.strength, 1e-9)
    low, high = _RIVAL
    if rival > low:
        other = max(rivals, key=lambda one: one.strength)
        confidence *= 1 - 0.9 * float(np.clip((rival - low) / (high - low), 0, 1))
        warnings.append(
            f"the {search.what} repeats: an offset of {other.line.offset_s:+.3f} s fits {100 * min(rival, 1):.0f} % as "
            "well"
        )
    if len(best.times_s) < _FEW:
        confidence = min(confidence, 0.6)
        warnings.append(f"it rests on {len(best.times_s)} window{'s' if len(best.times_s) > 1 else ''} alone")
    if confidence < _LEAST_SURE and not warnings:
        warnings.append(
            f"{len(best.times_s)} of {best.windows} windows agree: chance could do that, they may not share any "
            f"{search.what}"
        )
    if best.strays > max(2, 0.2 * best.windows):
        warnings.append(
            f"{best.strays} of {best.windows} windows clearly say another offset: a recording may have been cut or "
            "have lost samples"
        )
        confidence = min(confidence, 0.75)
    line, known = best.line, best.line.drift_ci95 <= max(_DRIFT_KNOWN, abs(best.line.drift))
    order = np.argsort(best.times_s)
    return Estimate(
        method=search.method,
        own=own,
        against=against,
        anchor_ns=to_ns(line.anchor_s),
        offset_s=line.offset_s,
        ci95_s=line.ci95_s,
        drift_ppm=line.drift * 1e6 if known else 0.0,
        drift_ci95_ppm=line.drift_ci95 * 1e6 if known else None,
        times_ns=to_ns(best.times_s[order]),
        residuals_s=best.residuals_s[order],
        confidence=float(np.clip(confidence, 0.0, 1.0)),
        warnings=tuple(warnings),
        curve=Curve(*best.curve, f"mean correlation of {search.what} windows"),
    )
