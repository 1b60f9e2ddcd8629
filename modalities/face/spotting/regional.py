"""The default spotter: peaks of regional movement against a slow and a fast baseline.

Movement of the regions, in percent of the inter-ocular distance, is measured against its running median over 20 s
(which every expression stands out of) and over 1.1 s (out of which only movements of at most 0.5 s stand, even where
they ride on a longer one). Where the movement of one part of the face - brows, middle, mouth - passes a threshold
that adapts to the liveliness of that part, an expression is walked down from its apex to onset and offset. Speech and
head motion raise the threshold; blinks are bridged, so that one in the middle of an expression does not cut it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array, to_s
from modalities.face.action_units import explain_movement, name_units
from modalities.face.models import FloatArray
from modalities.face.regions import EYE, LOWER, MOUTH, NAMES, UPPER
from modalities.face.spotting.bands import (
    even_times,
    judged_runs,
    resample,
    rolling_median,
    rolling_percentile,
    smooth,
)
from modalities.face.spotting.base import MACRO_S, MICRO_S, Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.peaks import Peak, find_expressions

SLOW_S, FAST_S = 20.0, 1.1
"""Windows of the two baselines."""
LEAST_SLOW, LEAST_FAST = 1.0, 0.6
"""Least movement against either baseline, percent of the inter-ocular distance."""
LIVELY = 5.0
"""The threshold is at least this many times the part's usual movement."""
USUAL_PERCENT = 35.0
STRONGEST = 3
"""The movement of a part of the face is the mean of its regions that move most."""
TURN_DEG_S = 20.0
"""A head that turns at this speed doubles the threshold."""
SPEECH_FACTOR = 2.5
"""The middle of the face moves along with speech; the mouth says nothing while it speaks."""
BLINK_MARGIN_S = 0.05
"""Blinks pull at the brows and cheeks for so much longer than the eye is seen to close."""
STEP_SHARE = 0.5
"""Share of a peak's height that a change of baseline may make of it."""
SHORTEST_S, LONGEST_S = 0.06, 1.25 * MACRO_S
SHOWN_SHARE, SHOWN_LEAST = 0.4, 0.08
"""An action unit takes part when it has this share of the strongest one's intensity, and at least this intensity."""

_PARTS = {
    "upper": [NAMES.index(name) for name in UPPER],
    "middle": [NAMES.index(name) for name in LOWER if name not in MOUTH],
    "mouth": [NAMES.index(name) for name in MOUTH],
}


@dataclass(frozen=True, eq=False)
class _Run:
    """Signals of one unbroken run, evenly sampled, (m, ...).

    Attributes:
        times_ns: int64 (m,).
        rate_hz: Samples per second.
        values: Regions' x and y, four lids, mouth, (m, columns).
        excuse: Factor on the threshold of each of `_PARTS`, (m, 3).
        blinking: Where a blink hides what brows and cheeks do, bool (m,).
        speaking: Where the mouth speaks, bool (m,).
        near_speech: Where speech would lie within half a window of the fast baseline and bend it, bool (m,).
    """

    times_ns: Int64Array
    rate_hz: float
    values: FloatArray
    excuse: FloatArray
    blinking: NDArray[np.bool_]
    speaking: NDArray[np.bool_]
    near_speech: NDArray[np.bool_]

    def steps_under(self, peak: Peak, step: FloatArray) -> bool:
        """Whether a change of the baseline makes a good part of a peak: a step that is no movement.

        Args:
            peak: Found against the baseline that changes where `near_speech` does.
            step: How far the two baselines lie apart, in units of the threshold, (m,).
        """
        first, last = np.searchsorted(self.times_ns, [peak.onset_ns, peak.offset_ns])
        first = max(0, int(first) - 1)
        changes = np.flatnonzero(np.diff(self.near_speech[first : int(last) + 2].astype(np.int8))) + first
        return bool((step[changes] > STEP_SHARE * peak.height).any())


class RegionalSpotter:
    """Spots expressions without training; every number of it is a length or a time."""

    name = "regional"

    def reducer(self) -> Reducer | None:
        """Needs nothing but the signals."""
        return None

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        for rows in judged_runs(signals.times_ns, signals.judged, least_s=MICRO_S):
            run = _even_run(signals, rows)
            slow = run.values - rolling_median(run.values, run.rate_hz, SLOW_S)
            by_median = run.values - rolling_median(run.values, run.rate_hz, FAST_S)
            fast = np.where(run.near_speech[:, None], slow, by_median)
            by_slow = _excess(slow, run, LEAST_SLOW)
            by_fast = _excess(fast, run, LEAST_FAST)
            step = _excess(slow - by_median, run, LEAST_FAST)[0]
            long = [
                _describe(peak, slow, run)
                for peak in find_expressions(run.times_ns, *by_slow)
                if SHORTEST_S <= peak.duration_s <= LONGEST_S and (peak.whole or peak.duration_s > MICRO_S)
            ]
            short = [
                _describe(peak, fast, run)
                for peak in find_expressions(run.times_ns, *by_fast)
                if SHORTEST_S <= peak.duration_s <= MICRO_S and peak.whole and not run.steps_under(peak, step)
            ]
            found += long + [one for one in short if not any(_covers(other, one) for other in long)]
            most = np.maximum(by_slow[0], by_fast[0])
            times = signals.times_ns[rows]
            evidence[rows] = resample((most / (1 + most))[:, None], run.times_ns, times)[:, 0]
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


def _even_run(signals: FaceSignals, rows: NDArray[np.int64]) -> _Run:
    times = signals.times_ns[rows]
    even = even_times(times)
    rate = (len(even) - 1) / to_s(int(even[-1] - even[0]))
    values = np.column_stack(
        [signals.motion[rows].reshape(len(rows), -1), signals.lids[rows].reshape(len(rows), -1), signals.mouth[rows]]
    )
    excuse = np.column_stack(list(_excuses(signals, rows).values()))
    spoken_ns = times[signals.speaking[rows]]
    window_ns = round(FAST_S / 2 * NS_PER_S)
    frame_ns = round(NS_PER_S / rate)
    margin_ns = round(BLINK_MARGIN_S * NS_PER_S)
    blinking = np.zeros(len(even), bool)
    for blink in signals.blinks:
        blinking |= (even >= blink.onset_ns - margin_ns) & (even <= blink.offset_ns + margin_ns)
    return _Run(
        even,
        rate,
        smooth(resample(values, times, even), rate, 0.025),
        resample(excuse, times, even),
        blinking,
        _any_within(spoken_ns, even, frame_ns),
        _any_within(spoken_ns, even, window_ns),
    )


def _any_within(moments_ns: Int64Array, times_ns: Int64Array, reach_ns: int) -> NDArray[np.bool_]:
    """Which of the times have a moment nearer than `reach_ns`; both increasing."""
    return np.searchsorted(moments_ns, times_ns + reach_ns) > np.searchsorted(moments_ns, times_ns - reach_ns)


def _excuses(signals: FaceSignals, rows: NDArray[np.int64]) -> dict[str, FloatArray]:
    """Factor on the threshold of each part, (rows,), for what moves a face without being an expression."""
    times = signals.times_ns[rows]
    turning = np.linalg.norm(np.gradient(signals.angles[rows], to_s(times - times[0]), axis=0), axis=1)
    turning = smooth(turning[:, None], (len(rows) - 1) / to_s(int(times[-1] - times[0])), 0.1)[:, 0]
    speaking = signals.speaking[rows]
    common = 1 + turning / TURN_DEG_S
    return {
        "upper": common,
        "middle": common * np.where(speaking, SPEECH_FACTOR, 1.0),
        "mouth": common * np.where(speaking, 100.0, 1.0),
    }


def _excess(band: FloatArray, run: _Run, least: float) -> tuple[FloatArray, FloatArray]:
    """Movement in units of the threshold, and what is usual of it, each (n,): the greatest over the parts."""
    size = np.linalg.norm(band[:, : 2 * len(NAMES)].reshape(len(band), -1, 2), axis=2)
    parts = np.column_stack([np.sort(size[:, part], axis=1)[:, -STRONGEST:].mean(axis=1) for part in _PARTS.values()])
    usual = rolling_percentile(_bridge(parts, run.speaking), run.rate_hz, SLOW_S, USUAL_PERCENT)
    threshold = np.maximum(least, LIVELY * usual) * run.excuse
    ratio = _bridge(parts / threshold, run.blinking)
    strongest = np.argmax(ratio, axis=1)
    at = np.arange(len(ratio))
    return ratio[at, strongest], usual[at, strongest] / threshold[at, strongest]


def _bridge(values: FloatArray, hidden: NDArray[np.bool_]) -> FloatArray:
    """The values with straight lines over the hidden stretches, (n, c); unchanged where all or nothing is hidden."""
    if hidden.all() or not hidden.any():
        return values
    at, seen = np.arange(len(values)), np.flatnonzero(~hidden)
    return np.column_stack([np.interp(at, seen, column[seen]) for column in values.T])


def _describe(peak: Peak, band: FloatArray, run: _Run) -> Expression:
    """The expression at a peak: what moved, and which action units explain it."""
    moved = band[peak.at : peak.at + 1]
    regions = 2 * len(NAMES)
    motion = moved[:, :regions].reshape(1, -1, 2)
    intensity = explain_movement(motion, moved[:, regions : regions + 4].reshape(1, 2, 2), moved[:, -1])[0]
    aus = name_units(intensity, SHOWN_SHARE, SHOWN_LEAST)
    size = np.where([name in EYE for name in NAMES], 0, np.linalg.norm(motion[0], axis=1))
    most = np.argsort(-size)[:4]
    return Expression(
        "micro" if peak.duration_s <= MICRO_S else "macro",
        peak.onset_ns,
        int(run.times_ns[peak.at]),
        peak.offset_ns,
        peak.height / (1 + peak.height),
        float(np.sort(size)[-STRONGEST:].mean()),
        aus,
        {NAMES[at]: round(float(size[at]), 2) for at in most.tolist()},
    )


def _covers(long: Expression, short: Expression) -> bool:
    """Whether the short one is only a flank of the long one, or the same."""
    flank = round(0.35e9)
    apart = short.offset_ns <= long.onset_ns or short.onset_ns >= long.offset_ns
    inside = long.onset_ns + flank < short.apex_ns < long.offset_ns - flank and long.kind == "macro"
    return not (apart or inside)
