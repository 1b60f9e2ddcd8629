"""Clock readings: pairs noted by hand, and the start times that files state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Stream
from data_schemas.time import to_ns
from sync.cues.line import Line, fit_line
from sync.estimate import Estimate

Floats = NDArray[np.float64]

READING_S = 0.25
"""Standard deviation of a clock that is read by hand, before any pair was seen."""
HEADER_S = 5.0
"""Half width of the 95 % interval of a start time in a header: device clocks are set by hand and by hasty software."""
MAX_DRIFT = 500e-6
_TYPO = 5.0
_AS_READ = 2.0
_LEAST_TYPO_S = 0.01
_ZONE_S, _ZONE_NEAR_S = 900, 60.0


def fit_pairs(pairs_s: Sequence[tuple[float, float]], *, reading_s: float = READING_S) -> Estimate:
    """Offset and drift from readings of two clocks, some of which may be typing errors.

    The line from which the middle residual is smallest (least median of squares; Rousseeuw, J. Am. Stat. Assoc. 79,
    1984), among lines of a drift that clocks have, says which pairs are wrong: those further off than five robust
    standard deviations. The others are fitted by least squares (Huber), the drift held towards 0 where they say little.

    Args:
        pairs_s: Other clock's and session clock's time of each reading, seconds, any order.
        reading_s: Standard deviation of one reading that is expected before any was compared, seconds.

    Returns:
        Estimate with method "pairs"; its warnings name wrong pairs by their place in the list. From one pair comes an
        offset without drift, its interval from `reading_s`.

    Raises:
        ClockError: no pair, or one that is no finite number; two pairs or more of which no half agrees.
    """
    pairs = np.array([(float(a), float(b)) for a, b in pairs_s], np.float64).reshape(-1, 2)
    if not len(pairs) or not np.all(np.isfinite(pairs)):
        raise ClockError(
            "clock readings are missing or no numbers",
            got=[tuple(pair) for pair in pairs.tolist()],
            expected="pairs of seconds",
            mend="Give pairs = [[reading of this clock, of the session clock], ...].",
        )
    zero = float(pairs[:, 0].mean())
    x, y = pairs[:, 0] - zero, pairs[:, 1] - pairs[:, 0]
    good = _consistent(x, y, reading_s)
    order = np.flatnonzero(good)[np.argsort(x[good], kind="stable")]
    line, residuals = fit_line(x[order], y[order], None, reading_s, 0.0, MAX_DRIFT)
    measured = np.isfinite(line.drift_ci95) and float(np.ptp(x[good])) > 0
    return Estimate(
        method="pairs",
        own="",
        against="",
        anchor_ns=to_ns(zero + line.anchor_s),
        offset_s=line.offset_s,
        ci95_s=line.ci95_s if len(order) > 1 else 1.96 * reading_s,
        drift_ppm=line.drift * 1e6,
        drift_ci95_ppm=line.drift_ci95 * 1e6 if measured else None,
        times_ns=to_ns(pairs[order, 0]),
        residuals_s=residuals,
        confidence=_confidence(good),
        warnings=_doubts(pairs, good, x, y, line),
    )


def _consistent(x: Floats, y: Floats, reading_s: float) -> NDArray[np.bool_]:
    """Which readings agree with each other."""
    n = len(x)
    if n < 3:
        apart = abs(float(y[-1] - y[0]))
        if apart > MAX_DRIFT * abs(float(x[-1] - x[0])) + 2 * _TYPO * reading_s:
            raise ClockError(
                "two clock readings contradict each other",
                got=f"offsets of {y[0]:.3f} s and {y[-1]:.3f} s",
                mend="Correct the one that is wrong, or add a third pair, so that it can be found out.",
            )
        return np.ones(n, bool)
    best, residuals = np.inf, np.zeros(n)
    for i in range(n):
        for j in range(i, n):
            run = float(x[j] - x[i])
            slope = float(np.clip((y[j] - y[i]) / run, -MAX_DRIFT, MAX_DRIFT)) if run else 0.0
            off = y - slope * x
            off = off - (off[i] + off[j]) / 2
            middle = float(np.sort(np.abs(off))[n // 2])
            if middle < best:
                best, residuals = middle, np.abs(off)
    spread = 1.4826 * (1 + 5 / max(1, n - 2)) * best
    limit = float(np.clip(_TYPO * spread, _LEAST_TYPO_S, 4 * _TYPO * reading_s))
    good = residuals <= limit
    if good.sum() <= n / 2:
        raise ClockError(
            "clock readings contradict each other: no half of them agrees",
            got=", ".join(f"{offset:+.3f} s" for offset in y),
            expected=f"offsets within {limit:.2f} s of one line",
            mend="Correct the pairs that are wrong.",
        )
    return _taken_back(x, y, good, reading_s)


def _taken_back(x: Floats, y: Floats, good: NDArray[np.bool_], reading_s: float) -> NDArray[np.bool_]:
    """Also those which fit one line with the good ones as well as readings do: few good pairs close together say so
    little of the drift that a right one far away seems to be off.
    """
    for at in np.flatnonzero(~good).tolist():
        trial = good.copy()
        trial[at] = True
        slope, level = np.polyfit(x[trial], y[trial], 1)
        fits = np.abs(y[trial] - slope * x[trial] - level).max() <= _AS_READ * reading_s
        if fits and abs(slope) <= MAX_DRIFT:
            good = trial
    return good


def _confidence(good: NDArray[np.bool_]) -> float:
    """Chance that the offset is right: three that agree leave little doubt, one or two may hold a slip."""
    return {1: 0.7, 2: 0.9}.get(int(good.sum()), 1.0 if good.all() else 0.95)


def _doubts(pairs: Floats, good: NDArray[np.bool_], x: Floats, y: Floats, line: Line) -> tuple[str, ...]:
    found = []
    for at in np.flatnonzero(~good).tolist():
        own, other = pairs[at]
        off = float(y[at] - line.at(x[at : at + 1])[0])
        found.append(f"pair {at + 1} ({own:g} s, {other:g} s) is {off:+.3f} s off the others and was left out: a typo?")
    if good.sum() == 1:
        found.append("a single pair of clock readings gives an offset, no drift")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class WallClockEvidence:
    """The start times that two files state. Weak: use it to find the right minute, not the right frame.

    Attributes:
        ci95_s: Half width of the 95 % interval of the difference, seconds.
    """

    ci95_s: float = HEADER_S
    method: str = "wall"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """How the own stream's clock relates to the other's, if both headers are right.

        Raises:
            ClockError: a stream states no start time.
        """
        for stream in (own, against):
            if stream.info.wall_start is None:
                raise ClockError(
                    "the file states no start time",
                    stream=stream.info.name,
                    file=stream.info.files[0] if stream.info.files else None,
                    mend="Align by what the streams share, or give pairs of clock readings.",
                )
        mine, other = own.info.wall_start, against.info.wall_start
        warnings = ["start times of headers are often wrong by seconds"]
        if mine is not None and other is not None and (mine.tzinfo is None) != (other.tzinfo is None):
            warnings.append("only one of the two start times names its time zone: the same was taken for both")
            mine, other = mine.replace(tzinfo=None), other.replace(tzinfo=None)
        offset = (mine - other) / timedelta(seconds=1) if mine is not None and other is not None else 0.0
        extent = own.support.extent
        middle = 0 if extent is None else (extent.start_ns + extent.end_ns) // 2
        zones = round(offset / _ZONE_S)
        if zones and abs(offset - zones * _ZONE_S) < _ZONE_NEAR_S:
            warnings.append(f"they differ by nearly {zones * _ZONE_S / 3600:+g} h: another time zone?")
        return Estimate(
            method=self.method,
            own=own.info.name,
            against=against.info.name,
            anchor_ns=middle,
            offset_s=offset,
            ci95_s=self.ci95_s,
            confidence=0.5,
            warnings=tuple(warnings),
        )
