"""What the published difference spotters share: pictures a fixed time apart, contrast, relative threshold, intervals.

Feature difference analysis (Moilanen, Zhao & Pietikainen 2014) and MDMD (Wang, Wu, Qian, Li & Fu 2017) compare each
picture with those k frames before and after it. Here k is a time, so that any frame rate will do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.action_units import AU_NAMES, explain_movement
from modalities.face.models import FloatArray
from modalities.face.regions import EYE, NAMES
from modalities.face.spotting.base import Expression, FaceSignals

TOLERANCE, TOLERANCE_STEPS = 0.25, 0.75
"""A picture counts as k away when it is off by at most the first share of k, and the second of the usual distance
between pictures."""
FACE_BOX = (14, 0, 146, 150)
"""Left, top, right, bottom of the face in the aligned picture of 160 px."""
SHOWN_SHARE, SHOWN_LEAST = 0.4, 0.08
"""An action unit takes part when it has this share of the strongest one's intensity, and at least this intensity."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Triple(Generic[Item]):
    """What was kept of a picture and of those k before and after it.

    Attributes:
        scale: Which of the times k.
        number: Frame number of the middle one.
        before: k earlier.
        now: The middle one.
        after: k later.
    """

    scale: int
    number: int
    before: Item
    now: Item
    after: Item


@dataclass(slots=True)
class _Kept(Generic[Item]):
    t_ns: int
    number: int
    item: Item


@dataclass(eq=False)
class Triples(Generic[Item]):
    """Hands out triples as soon as their last picture has come; remembers twice the longest k.

    Attributes:
        apart_s: The times k, seconds.
        least_step_s: Pictures that follow sooner than this are left out.
    """

    apart_s: tuple[float, ...]
    least_step_s: float
    _kept: deque[_Kept[Item]] = field(default_factory=deque)
    _done_ns: list[int] = field(default_factory=list)

    def wants(self, t_ns: int) -> bool:
        """Whether a picture of this time would be kept."""
        return not self._kept or t_ns - self._kept[-1].t_ns >= self.least_step_s * NS_PER_S

    def add(self, item: Item, t_ns: int, number: int) -> list[Triple[Item]]:
        """Keep what is wanted of the next picture; the triples that it completes."""
        out: list[Triple[Item]] = []
        if not self._done_ns:
            self._done_ns = [t_ns - 1] * len(self.apart_s)
        self._kept.append(_Kept(t_ns, number, item))
        times = np.array([one.t_ns for one in self._kept])
        for scale, k_s in enumerate(self.apart_s):
            k_ns = round(k_s * NS_PER_S)
            ready = np.flatnonzero((times > self._done_ns[scale]) & (times + k_ns <= t_ns + self._half_step_ns(times)))
            for at in ready.tolist():
                self._done_ns[scale] = int(times[at])
                before, after = (_nearest(times, int(times[at]) + way * k_ns) for way in (-1, 1))
                off = max(abs(times[at] - k_ns - times[before]), abs(times[at] + k_ns - times[after]))
                if off <= _tolerance_ns(times, k_ns):
                    now = self._kept[at]
                    out.append(Triple(scale, now.number, self._kept[before].item, now.item, self._kept[after].item))
        reach_ns = round((2 + 2 * TOLERANCE) * max(self.apart_s) * NS_PER_S)
        while t_ns - self._kept[0].t_ns > reach_ns:
            self._kept.popleft()
        return out

    def _half_step_ns(self, times: Int64Array) -> int:
        """Half of the last distance between pictures: a later one could not be nearer."""
        return int(times[-1] - times[-2]) // 2 if len(times) > 1 else 0


def _tolerance_ns(times: Int64Array, k_ns: int) -> float:
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return min(TOLERANCE * k_ns, TOLERANCE_STEPS * usual)


def _nearest(times: Int64Array, moment: int) -> int:
    right = int(np.clip(np.searchsorted(times, moment), 1, max(1, len(times) - 1)))
    return right if right < len(times) and abs(times[right] - moment) <= abs(times[right - 1] - moment) else right - 1


class Kept:
    """Values by frame number and scale, as the columns of a reducer: for each scale the value and whether there is one.

    Args:
        scales: How many.
    """

    def __init__(self, scales: int) -> None:
        self._rows: list[tuple[int, int, float]] = []
        self._scales = scales

    def put(self, number: int, scale: int, value: float) -> None:
        """Note a value."""
        self._rows.append((number, scale, value))

    def table(self, n: int) -> FloatArray:
        """All of them, float32 (n, 2 scales); 0 where there is none."""
        out = np.zeros((n, 2 * self._scales), np.float32)
        if self._rows:
            number, scale, value = np.array(self._rows).T
            out[number.astype(int), 2 * scale.astype(int)] = value
            out[number.astype(int), 2 * scale.astype(int) + 1] = 1
        return out


def reduced_of(signals: FaceSignals, name: str, columns: int) -> FloatArray:
    """What the reducer of a spotter kept, (n, columns).

    Raises:
        InvalidValueError: it did not watch the video.
    """
    found = signals.reduced.get(name)
    if found is None or found.shape != (len(signals.times_ns), columns):
        raise InvalidValueError(
            f"the spotter '{name}' needs to see the pictures",
            got=None if found is None else found.shape,
            expected=f"what its reducer keeps, {(len(signals.times_ns), columns)}",
            mend="Give FaceObserver the reducers of the spotters (spotting.base.reducers_of).",
        )
    return found


def contrast(times_ns: Int64Array, values: FloatArray, k_s: float) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Value minus the mean of those k before and after, (n,), and where there are all three, bool (n,).

    Args:
        times_ns: Of the values, increasing, (n,).
        values: (n,).
        k_s: The time k, seconds.
    """
    k_ns = round(k_s * NS_PER_S)
    around = np.zeros(len(values))
    there = np.ones(len(values), bool)
    for way in (-1, 1):
        wanted = times_ns + way * k_ns
        right = np.clip(np.searchsorted(times_ns, wanted), 1, max(1, len(times_ns) - 1))
        left = right - 1
        right = np.minimum(right, len(times_ns) - 1)
        best = np.where(np.abs(times_ns[right] - wanted) <= np.abs(times_ns[left] - wanted), right, left)
        there &= np.abs(times_ns[best] - wanted) <= _tolerance_ns(times_ns, k_ns)
        around += values[best] / 2
    return np.where(there, values - around, 0.0), there


def relative_level(values: FloatArray, valid: NDArray[np.bool_]) -> FloatArray:
    """Where each value lies between the mean (0) and the greatest (1) of the valid ones, (n,); 0 where not valid.

    A threshold T = mean + p (max - mean) is the level p.
    """
    if not valid.any():
        return np.zeros(len(values))
    mean, most = float(values[valid].mean()), float(values[valid].max())
    return np.where(valid, (values - mean) / (most - mean) if most > mean else 0.0, 0.0)


def score_of(level: FloatArray, threshold: float) -> FloatArray:
    """0..1, 0.5 where the level is at the threshold."""
    above = np.maximum(level, 0)
    return above / (above + threshold)


def describe(
    kind: Literal["micro", "macro"], moments: tuple[int, int, int], score: float, signals: FaceSignals
) -> Expression:
    """An expression with what moved between its onset and its apex.

    Args:
        kind: "micro" or "macro".
        moments: Onset, apex, offset, ns.
        score: 0..1.
        signals: Of the face.
    """
    onset, apex, _ = np.clip(np.searchsorted(signals.times_ns, moments), 0, len(signals.times_ns) - 1).tolist()
    motion, lids, mouth = (part[apex] - part[onset] for part in (signals.motion, signals.lids, signals.mouth))
    intensity = explain_movement(motion[None], lids[None], mouth[None])[0]
    by_name = dict(zip(AU_NAMES, intensity.tolist(), strict=True))
    least = max(SHOWN_LEAST, SHOWN_SHARE * max(by_name.values()))
    aus = {name: round(value, 3) for name, value in sorted(by_name.items(), key=lambda one: -one[1]) if value >= least}
    size = np.where([name in EYE for name in NAMES], 0, np.linalg.norm(motion, axis=1))
    most = np.argsort(-size)[:4]
    regions = {NAMES[at]: round(float(size[at]), 2) for at in most.tolist()}
    return Expression(kind, *moments, score, float(np.sort(size)[-3:].mean()), aus, regions)
