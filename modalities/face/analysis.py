"""The second pass: from the kept rows of a video to features and expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Track
from data_schemas.time import NS_PER_S
from modalities.face.action_units import AU_NAMES, LID_AUS, both_sides, explain_movement, stack_measurements
from modalities.face.anchor import straighten
from modalities.face.asymmetry import measure_asymmetry
from modalities.face.eyes import Blink, blink_duration, blink_rate, closure_of, find_blinks, measure_opening
from modalities.face.features import FEATURES
from modalities.face.gaze import OPEN, GazeShift, find_gaze_shifts, gaze_angles
from modalities.face.models import FloatArray
from modalities.face.mouth import find_speech
from modalities.face.neutral import find_rest, subtract_neutral
from modalities.face.pulse import KEPT, FacePulse, find_pulse
from modalities.face.pupil import fill_between
from modalities.face.quality import (
    STILL_DESCRIBED,
    covered_share,
    detail_of,
    judge,
    rate_confidence,
    tell_reasons,
)
from modalities.face.regions import EYE, LEFT, LOWER, NAMES, RIGHT, UPPER
from modalities.face.spotting.base import FaceSignals, Spotter, Spotting
from modalities.face.trajectory import trace_regions

MOVED_S = 0.25
"""The movement columns say how far the face moved in so long."""
GAZE_UNIT = 3.0
"""Way of the iris, percent of the inter-ocular distance, that is a look elsewhere and no noise."""
_LID_COLUMNS = [
    *(2 * at + axis for at, name in enumerate(NAMES) if name in EYE for axis in (0, 1)),
    *range(2 * len(NAMES), 2 * len(NAMES) + 4),
]

Rows = NDArray[np.void]
Columns = dict[str, tuple[NDArray[np.floating], NDArray[np.bool_]]]
"""Name -> values and where they are valid, (frames,) each."""

__all__ = ["Analysis", "analyse_rows", "judge", "make_signals"]


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
    reasons = tell_reasons(rows)
    signals, opening = make_signals(rows, reasons == "", reduced)
    spotting = spotter.spot(signals)
    gaze, seen = gaze_angles(rows["iris"], opening, signals.judged & ~_within(signals.times_ns, signals.blinks))
    described = rows["found"] & np.isin(reasons.astype(str), STILL_DESCRIBED)
    pulse = find_pulse(rows["t_ns"], (reduced or {}).get(KEPT), described)
    columns = {
        **_face_columns(rows, reasons, signals, opening, spotting),
        "pulse": (pulse.values, pulse.valid),
        "pulse_hz": (pulse.rate_hz, pulse.rated),
        "pulse_snr_db": (pulse.snr_db, pulse.known),
        **_unit_columns(signals),
        **_gaze_columns(rows, opening, gaze, seen),
    }
    values = np.column_stack([columns[feature.name][0] for feature in FEATURES]).astype(np.float32)
    valid = np.column_stack([columns[feature.name][1] for feature in FEATURES])
    track = Track(rows["t_ns"], tuple(feature.name for feature in FEATURES), values, valid, reasons)
    shifts = tuple(find_gaze_shifts(rows["t_ns"], gaze, seen))
    return Analysis(track, signals.blinks, spotting, shifts, pulse)


def make_signals(
    rows: Rows, judged: NDArray[np.bool_], reduced: Mapping[str, FloatArray] | None = None
) -> tuple[FaceSignals, FloatArray]:
    """What spotters work on, and the relative opening of the right and left eye, (frames, 2)."""
    n = len(rows)
    moved = measure_movement(rows, judged)
    moved[judged] -= find_rest(moved, judged, _judged_s(rows["t_ns"], judged))
    motion = moved[:, : 2 * len(NAMES)].reshape(n, -1, 2)
    opening = measure_opening(rows["lids"], rows["found"])
    blinks = find_blinks(rows["t_ns"], closure_of(opening).mean(axis=1), judged)
    signals = FaceSignals(
        times_ns=rows["t_ns"],
        motion=motion,
        lids=moved[:, 2 * len(NAMES) : -1].reshape(n, 2, 2),
        mouth=moved[:, -1],
        angles=rows["angles"].astype(np.float64),
        judged=judged,
        blinks=tuple(blinks),
        speaking=find_speech(rows["t_ns"], motion, judged),
        reduced=dict(reduced or {}),
    )
    return signals, opening


def measure_movement(rows: Rows, judged: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Movement of regions, lids and lips away from their median at the same head angles; of the lids also at the same
    gaze, which they follow.

    Args:
        rows: Rows of `observation.ROW`, in order of time.
        judged: Which of them can be used.

    Returns:
        Percent of the inter-ocular distance, float32 (frames, 2 * regions + 5), 0 where not judged.
    """
    traced = straighten(rows, trace_regions(rows))
    measured = stack_measurements(traced, rows["lids"], rows["mouth"])
    angles = rows["angles"].astype(np.float64)
    out = subtract_neutral(measured.astype(np.float64), angles, judged)
    gaze = rows["iris"].mean(axis=1).astype(np.float64) / GAZE_UNIT
    looking = np.column_stack([gaze, gaze**2, gaze[:, 0] * gaze[:, 1]])
    out[:, _LID_COLUMNS] = subtract_neutral(measured[:, _LID_COLUMNS].astype(np.float64), angles, judged, looking)
    return out


def _judged_s(times_ns: NDArray[np.int64], judged: NDArray[np.bool_]) -> float:
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


def _within(times_ns: NDArray[np.int64], blinks: tuple[Blink, ...]) -> NDArray[np.bool_]:
    """Which times lie in a blink."""
    out = np.zeros(len(times_ns), bool)
    for blink in blinks:
        out[np.searchsorted(times_ns, blink.onset_ns) : np.searchsorted(times_ns, blink.offset_ns, side="right")] = True
    return out


def _unit_columns(signals: FaceSignals) -> Columns:
    """Action units, sides apart and together, and the asymmetry."""
    judged = signals.judged
    aus = explain_movement(signals.motion, signals.lids, signals.mouth)
    open_eyes = judged & ~_within(signals.times_ns, signals.blinks)
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


def _gaze_columns(rows: Rows, opening: FloatArray, gaze: FloatArray, seen: NDArray[np.bool_]) -> Columns:
    """Direction of the eyes, and the pupils of the eyes that are open."""
    measured = rows["pupil"].astype(np.float64)
    pupil = np.column_stack([fill_between(measured[:, eye], rows["t_ns"]) for eye in range(2)])
    told = (pupil > 0) & (opening >= OPEN) & seen[:, None]
    return {
        "gaze_yaw_deg": (gaze[:, 0], seen),
        "gaze_pitch_deg": (gaze[:, 1], seen),
        "pupil_ratio": ((pupil * told).sum(axis=1) / np.maximum(told.sum(axis=1), 1), np.asarray(told.any(axis=1))),
    }


def _face_columns(
    rows: Rows, reasons: NDArray[np.object_], signals: FaceSignals, opening: FloatArray, spotting: Spotting
) -> Columns:
    """Lids, mouth, head, movement, and what there is to say of the face as a whole."""
    judged = signals.judged
    found = rows["found"] & np.isin(reasons.astype(str), STILL_DESCRIBED)
    rate, known = blink_rate(rows["t_ns"], list(signals.blinks), judged)
    length, blinked = blink_duration(rows["t_ns"], list(signals.blinks))
    closure = closure_of(opening)
    columns: Columns = {
        "au43": (closure.mean(axis=1), judged),
        "au43_right": (closure[:, 0], judged),
        "au43_left": (closure[:, 1], judged),
        "eye_opening_right": (np.minimum(opening[:, 0], 3), judged),
        "eye_opening_left": (np.minimum(opening[:, 1], 3), judged),
        "mouth_opening": (np.minimum(rows["mouth"], 200), judged),
        "expression_score": (spotting.evidence, judged),
        "blink_rate": (rate, known & found),
        "blink_duration_s": (length, blinked & found),
        "face_size_px": (rows["width_px"], found),
        "confidence": (rate_confidence(rows), found),
        "brightness": (rows["brightness"], found),
        "sharpness": (detail_of(rows), found),
        "covered": (covered_share(rows), judged),
    }
    for at, name in enumerate(("yaw_deg", "pitch_deg", "roll_deg")):
        columns[name] = (rows["angles"][:, at], found)
    size, linked = _moved(signals)
    for name, group in (("upper", UPPER), ("lower", LOWER), ("left", LEFT), ("right", RIGHT)):
        columns[f"motion_{name}"] = (size[:, [NAMES.index(one) for one in group]].mean(axis=1), linked)
    return columns
