"""Away from one's own baseline: every feature as a robust z of the same person at rest.

People differ far more from each other than from themselves: a heart rate of 90 is rest for one and alarm for another.
z = (x - median) / (1.4826 * median absolute deviation), both taken within the person's baseline intervals (Leys et al.
2013, Journal of Experimental Social Psychology 49); 1.4826 makes it a standard deviation for normal data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import FeatureSpec, Track
from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S

NORMAL = 1.4826
LEAST_BASELINE_S, LEAST_SAMPLES = 5.0, 20
"""A baseline with less valid time, or fewer samples, than this says nothing of a feature: the session is taken."""
LEAST_INTERVAL_S = 1.0
"""A cue of kind baseline that is shorter marks a moment, not an interval."""
SUFFIX = "_z"

Source = Literal["baseline", "session", "none"]


@dataclass(frozen=True, slots=True)
class Scale:
    """What one feature of one person is measured against.

    Attributes:
        feature: Its name.
        source: "baseline", "session" where the baseline holds too little of it, "none" where it does not vary.
        centre: Median there, in the feature's unit.
        spread: Robust standard deviation there, in the feature's unit, > 0; 0 for "none".
        samples: Valid samples that it rests on.
    """

    feature: str
    source: Source
    centre: float
    spread: float
    samples: int


@dataclass(frozen=True, eq=False)
class Relative:
    """A track in robust z, and what it is relative to.

    Attributes:
        track: The same times; one column "<feature>_z" per scaled feature, invalid where the feature is or where it
            does not vary at rest.
        features: Declarations of those columns.
        scales: One per column.
        warnings: What a user should know, in plain sentences.
    """

    track: Track
    features: tuple[FeatureSpec, ...]
    scales: tuple[Scale, ...]
    warnings: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """For the report, JSON-serialisable: by feature what it is relative to."""
        return {
            scale.feature: {
                "relative_to": scale.source,
                "centre": scale.centre,
                "spread": scale.spread,
                "samples": scale.samples,
            }
            for scale in self.scales
        }


def baseline_intervals(events: Iterable[Event], person: str | None = None) -> IntervalSet:
    """Where a person's baseline was recorded.

    Args:
        events: Those of the context encoder: kind "cue", with `details["kind"] == "baseline"`.
        person: Whose; None takes everybody's.

    Returns:
        Union of the baselines that last at least `LEAST_INTERVAL_S`.
    """
    return IntervalSet(
        (event.onset_ns, event.offset_ns)
        for event in events
        if event.kind == "cue"
        and event.details.get("kind") == "baseline"
        and (person is None or event.person in (None, person))
        and event.offset_ns - event.onset_ns >= LEAST_INTERVAL_S * NS_PER_S
    )


_MEASURES = ("linear", "hold")
"""Joins of columns that are measured on a scale."""


def relative_to_baseline(
    track: Track, features: Sequence[FeatureSpec], baseline: IntervalSet, wanted: Sequence[str] | None = None
) -> Relative:
    """A track as robust z against the person's own baseline.

    Args:
        track: Of one person and channel, session clock.
        features: Declarations of its columns, in any order; labels, 0/1 columns, counts and angles are passed over.
        baseline: From `baseline_intervals`; empty where none was recorded: then the whole session is the scale, and a
            warning says so.
        wanted: Names of the features to scale; by default all.
    """
    declared = {feature.name: feature for feature in features}
    names = [
        name
        for name in track.names
        if name in declared and declared[name].join in _MEASURES and (wanted is None or name in wanted)
    ]
    inside = baseline.contains(track.times_ns)
    step_s = float(np.median(np.diff(track.times_ns))) / NS_PER_S if len(track.times_ns) > 1 else 0.0
    scales, values, valid = [], [], []
    for name in names:
        course, good = track.column(name)
        scale = _scale(name, course, good, inside, step_s)
        scales.append(scale)
        usable = good & (scale.spread > 0)
        values.append(np.where(usable, (course - scale.centre) / (scale.spread or 1.0), 0.0))
        valid.append(usable)
    shape = (len(track.times_ns), len(names))
    return Relative(
        Track(
            track.times_ns,
            tuple(f"{name}{SUFFIX}" for name in names),
            np.stack(values, axis=1).astype(np.float32) if names else np.zeros(shape, np.float32),
            np.stack(valid, axis=1) if names else np.zeros(shape, bool),
            track.reason,
        ),
        tuple(_spec(declared[name], scale) for name, scale in zip(names, scales, strict=True)),
        tuple(scales),
        _warnings(scales, bool(len(baseline))),
    )


def _scale(
    name: str, course: NDArray[np.float32], good: NDArray[np.bool_], inside: NDArray[np.bool_], step_s: float
) -> Scale:
    rest = good & inside
    if rest.sum() >= LEAST_SAMPLES and rest.sum() * step_s >= LEAST_BASELINE_S:
        centre, spread = _robust(course[rest])
        if spread > 0:
            return Scale(name, "baseline", centre, spread, int(rest.sum()))
    if good.sum() >= LEAST_SAMPLES:
        centre, spread = _robust(course[good])
        if spread > 0:
            return Scale(name, "session", centre, spread, int(good.sum()))
    centre = float(np.median(course[good])) if good.any() else 0.0
    return Scale(name, "none", centre, 0.0, int(good.sum()))


def _robust(values: NDArray[np.float32]) -> tuple[float, float]:
    """Median and robust standard deviation; the plain one where more than half of the values are the same."""
    x = values.astype(np.float64)
    centre = float(np.median(x))
    spread = NORMAL * float(np.median(np.abs(x - centre)))
    least = 1e-6 * max(1e-6, float(np.abs(x).max()))
    if spread <= least:
        spread = float(x.std())
    return centre, spread if spread > least else 0.0


def _spec(feature: FeatureSpec, scale: Scale) -> FeatureSpec:
    words = {"baseline": "the own baseline", "session": "the own whole session", "none": "nothing: it does not vary"}
    return FeatureSpec(
        f"{feature.name}{SUFFIX}",
        "z",
        f"{feature.description}; robust z against {words[scale.source]}",
        None,
        None,
        feature.join,
        "Leys et al. 2013",
    )


def _warnings(scales: Sequence[Scale], stated: bool) -> tuple[str, ...]:
    session = [scale.feature for scale in scales if scale.source == "session"]
    if not session:
        return ()
    if not stated:
        return (
            "no baseline was recorded for this person: z is relative to the whole session. Add a cue of kind baseline "
            "that lasts at least a minute.",
        )
    listed = ", ".join(session[:6]) + (f" and {len(session) - 6} more" if len(session) > 6 else "")
    return (f"the baseline holds too little of {listed}: their z is relative to the whole session.",)
