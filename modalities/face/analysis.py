"""The second pass: from the kept rows of one or more videos of a face to features and expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Track
from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.action_units import AU_NAMES, LID_AUS, both_sides, explain_movement, stack_measurements
from modalities.face.asymmetry import measure_asymmetry
from modalities.face.combination import combine_views
from modalities.face.eyes import Blink, closure_of, find_blinks, measure_opening
from modalities.face.features import FEATURES
from modalities.face.gaze import GazeShift, find_gaze_shifts
from modalities.face.models import FloatArray
from modalities.face.mouth import find_speech
from modalities.face.neutral import find_rest
from modalities.face.pulse import FacePulse
from modalities.face.quality import judge
from modalities.face.regions import LEFT, LOWER, NAMES, RIGHT, UPPER
from modalities.face.settling import settle
from modalities.face.spotting.base import FaceSignals, Spotter, Spotting
from modalities.face.view import Columns, Rows, View, look_at, measure_movement, within

MOVED_S = 0.25
"""The movement columns say how far the face moved in so long."""

__all__ = ["Analysis", "analyse_rows", "analyse_views", "judge", "make_signals", "measure_movement"]


@dataclass(frozen=True, eq=False)
class Analysis:
    """All that is said of one face: its track, its blinks, its expressions, the jumps of its eyes, its pulse."""

    track: Track
    blinks: tuple[Blink, ...]
    spotting: Spotting
    gaze_shifts: tuple[GazeShift, ...] = ()
    pulse: FacePulse | None = None


def analyse_rows(rows: Rows, spotter: Spotter, reduced: Mapping[str, FloatArray] | None = None) -> Analysis:
    """Turn the rows of one video into features and expressions.

    Args:
        rows: Rows of `observation.ROW`, in order of time.
        spotter: Finds the expressions.
        reduced: What the reducers of spotters kept, and the colours of the skin (`FaceObserver.kept`); without these
            there is no pulse.
    """
    return analyse_views([look_at(rows, reduced)], spotter)


def analyse_views(views: Sequence[View], spotter: Spotter) -> Analysis:
    """Turn what one or more cameras saw of one face into its features and expressions.

    Args:
        views: At least one, the preferred camera's first.
        spotter: Finds the expressions.
    """
    view = combine_views(views)
    signals = _signals_of(view.times_ns, view.moved, view.angles, view.judged, view.blinks, view.reduced)
    seen = signals
    if view.pictured is not None and spotter.reducer() is not None:
        # It looks at pictures, and those of the other cameras were not kept.
        seen = replace(signals, judged=view.pictured)
    spotting = spotter.spot(seen)
    columns = {
        **view.columns,
        "expression_score": (spotting.evidence, seen.judged),
        **_movement_columns(signals),
        **_unit_columns(signals, noisy=view.noisy),
    }
    values = np.empty((len(view.times_ns), len(FEATURES)), np.float32)
    valid = np.empty(values.shape, bool)
    for at, feature in enumerate(FEATURES):
        values[:, at], valid[:, at] = columns[feature.name]
    track = Track(view.times_ns, tuple(feature.name for feature in FEATURES), values, valid, view.reasons)
    shifts = tuple(find_gaze_shifts(view.times_ns, view.gaze, view.gazing))
    return Analysis(track, signals.blinks, spotting, shifts, view.pulse)


def make_signals(
    rows: Rows, judged: NDArray[np.bool_], reduced: Mapping[str, FloatArray] | None = None
) -> tuple[FaceSignals, FloatArray]:
    """What spotters work on, and the relative opening of the right and left eye, (frames, 2)."""
    opening = measure_opening(rows["lids"], rows["found"])
    blinks = tuple(find_blinks(rows["t_ns"], closure_of(opening).mean(axis=1), judged))
    moved = measure_movement(rows, judged)
    return _signals_of(rows["t_ns"], moved, rows["angles"].astype(np.float64), judged, blinks, reduced), opening


def _signals_of(
    times_ns: Int64Array,
    moved: NDArray[np.float32],
    angles: FloatArray,
    judged: NDArray[np.bool_],
    blinks: tuple[Blink, ...],
    reduced: Mapping[str, FloatArray] | None,
) -> FaceSignals:
    """Movement away from the median made into movement away from the face at rest."""
    n = len(times_ns)
    moved[judged] -= find_rest(moved, judged, _judged_s(times_ns, judged))
    motion = moved[:, : 2 * len(NAMES)].reshape(n, -1, 2)
    return FaceSignals(
        times_ns=times_ns,
        motion=motion,
        lids=moved[:, 2 * len(NAMES) : -1].reshape(n, 2, 2),
        mouth=moved[:, -1],
        angles=angles,
        judged=judged,
        blinks=blinks,
        speaking=find_speech(times_ns, motion, judged),
        reduced=dict(reduced or {}),
    )


def _judged_s(times_ns: Int64Array, judged: NDArray[np.bool_]) -> float:
    """Judged time in seconds, gaps left out."""
    steps = np.minimum(np.diff(times_ns, append=times_ns[-1:]), NS_PER_S // 2)
    return float(steps[judged].sum()) / NS_PER_S


def _moved(signals: FaceSignals) -> tuple[FloatArray, NDArray[np.bool_]]:
    """How far each region moved in the last `MOVED_S`, (frames, regions), and where that is known, (frames,)."""
    times = signals.times_ns
    then = np.searchsorted(times, times - round(0.95 * MOVED_S * NS_PER_S), side="right") - 1
    known = (then >= 0) & (times - times[then] <= 1.5 * MOVED_S * NS_PER_S)
    size = np.linalg.norm(signals.motion - signals.motion[then], axis=2)
    return size, known & signals.judged & signals.judged[then]


def _movement_columns(signals: FaceSignals) -> Columns:
    """Movement of the parts of the face."""
    size, linked = _moved(signals)
    groups = (("upper", UPPER), ("lower", LOWER), ("left", LEFT), ("right", RIGHT))
    return {
        f"motion_{name}": (size[:, [NAMES.index(one) for one in group]].mean(axis=1), linked) for name, group in groups
    }


def _unit_columns(signals: FaceSignals, *, noisy: bool) -> Columns:
    """Action units, sides apart and together, and the asymmetry.

    Of noisy cameras they are read off settled movement. Spotters see it as it is: they know noise by its course.
    """
    judged = signals.judged
    motion, lids, mouth = signals.motion, signals.lids, signals.mouth
    if noisy:
        settled = settle(stack_measurements(motion, lids, mouth), judged)
        motion = settled[:, : 2 * len(NAMES)].reshape(motion.shape)
        lids, mouth = settled[:, 2 * len(NAMES) : -1].reshape(lids.shape), settled[:, -1]
    aus = explain_movement(motion, lids, mouth)
    open_eyes = judged & ~within(signals.times_ns, signals.blinks)
    columns: Columns = {
        name: (aus[:, at], open_eyes if name in LID_AUS else judged) for at, name in enumerate(AU_NAMES)
    }
    for name, values in both_sides(aus).items():
        columns[name] = (values, columns[f"{name}_left"][1])
    calm = aus * np.array([1.0 if name not in LID_AUS else 0.0 for name in AU_NAMES], np.float32)
    counted = np.where(open_eyes[:, None], aus, calm)
    for name, values in measure_asymmetry(counted).items():
        columns[name] = (values, judged)
    return columns
