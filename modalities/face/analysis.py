"""The second pass: from the kept rows of a video to features and expressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Track
from modalities.face.action_units import AU_NAMES, LID_AUS, explain_movement
from modalities.face.eyes import Blink, blink_rate, closure_of, find_blinks, measure_opening
from modalities.face.features import FEATURES
from modalities.face.flow import LAGS_S
from modalities.face.models import FloatArray
from modalities.face.mouth import find_speech
from modalities.face.neutral import MAX_PITCH_DEG, MAX_YAW_DEG, subtract_neutral
from modalities.face.regions import LEFT, LOWER, NAMES, RIGHT, UPPER
from modalities.face.spotting.base import FaceSignals, Spotter, Spotting
from modalities.face.trajectory import trace_regions

LEAST_JUDGED_S = 0.5
"""Less of a face than this has no neutral to compare with."""
SHORT_LAG = LAGS_S.index(0.25)
GOOD_WIDTH_PX, GOOD_SHARPNESS = 100.0, 4.0
"""Faces at least this wide, and pictures at least this sharp, cost no confidence."""
GOOD_RESIDUAL, BAD_RESIDUAL = 0.07, 0.25

Rows = NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Analysis:
    """All that is said of one face: its track, its blinks, its expressions."""

    track: Track
    blinks: tuple[Blink, ...]
    spotting: Spotting


def analyse_rows(rows: Rows, spotter: Spotter) -> Analysis:
    """Turn the rows of one video into features and expressions.

    Args:
        rows: Rows of `observation.ROW`, in order of time.
        spotter: Finds the expressions.
    """
    judged = judge(rows)
    signals, opening = make_signals(rows, judged)
    spotting = spotter.spot(signals)
    return Analysis(_make_track(rows, signals, opening, spotting), signals.blinks, spotting)


def judge(rows: Rows) -> NDArray[np.bool_]:
    """Frames whose face can be judged: found, and turned no farther than the limits; none if all of it is too short."""
    angles = rows["angles"]
    judged = rows["found"] & (np.abs(angles[:, 0]) <= MAX_YAW_DEG) & (np.abs(angles[:, 1]) <= MAX_PITCH_DEG)
    times = rows["t_ns"][judged]
    period = float(np.median(np.diff(rows["t_ns"]))) if len(rows) > 1 else 0.0
    return judged & (len(times) > 4 and len(times) * period >= LEAST_JUDGED_S * 1e9)


def make_signals(rows: Rows, judged: NDArray[np.bool_]) -> tuple[FaceSignals, FloatArray]:
    """What spotters work on, and the relative opening of the right and left eye, (frames, 2)."""
    n = len(rows)
    angles = rows["angles"].astype(np.float64)
    measured = np.column_stack([trace_regions(rows).reshape(n, -1), rows["lids"].reshape(n, -1), rows["mouth"]])
    moved = subtract_neutral(measured, angles, judged)
    motion = moved[:, : 2 * len(NAMES)].reshape(n, -1, 2)
    opening = measure_opening(rows["lids"], rows["found"])
    blinks = find_blinks(rows["t_ns"], closure_of(opening).mean(axis=1), judged)
    signals = FaceSignals(
        times_ns=rows["t_ns"],
        motion=motion,
        lids=moved[:, 2 * len(NAMES) : -1].reshape(n, 2, 2),
        mouth=moved[:, -1],
        angles=angles,
        judged=judged,
        blinks=tuple(blinks),
        speaking=find_speech(rows["t_ns"], motion, judged),
    )
    return signals, opening


def _make_track(rows: Rows, signals: FaceSignals, opening: FloatArray, spotting: Spotting) -> Track:
    n, found, judged = len(rows), rows["found"], signals.judged
    aus = explain_movement(signals.motion, signals.lids, signals.mouth)
    blinking = np.zeros(n, bool)
    for blink in signals.blinks:
        blinking |= (signals.times_ns >= blink.onset_ns) & (signals.times_ns <= blink.offset_ns)
    columns = {
        name: (aus[:, at], judged & ~blinking if name in LID_AUS else judged) for at, name in enumerate(AU_NAMES)
    }
    rate, known = blink_rate(rows["t_ns"], list(signals.blinks), judged)
    columns["au43"] = (closure_of(opening).mean(axis=1), judged)
    columns["eye_opening_right"] = (np.minimum(opening[:, 0], 3), judged)
    columns["eye_opening_left"] = (np.minimum(opening[:, 1], 3), judged)
    columns["mouth_opening"] = (np.minimum(rows["mouth"], 200), judged)
    for at, name in enumerate(("yaw_deg", "pitch_deg", "roll_deg")):
        columns[name] = (rows["angles"][:, at], found)
    size = np.linalg.norm(rows["motion"][:, SHORT_LAG].astype(np.float32), axis=2)
    linked = judged & (rows["back"][:, SHORT_LAG] > 0)
    for name, group in (("upper", UPPER), ("lower", LOWER), ("left", LEFT), ("right", RIGHT)):
        columns[f"motion_{name}"] = (size[:, [NAMES.index(one) for one in group]].mean(axis=1), linked)
    columns["expression_score"] = (spotting.evidence, judged)
    columns["blink_rate"] = (rate, known & found)
    columns["face_size_px"] = (rows["width_px"], found)
    columns["confidence"] = (rate_confidence(rows), found)
    values = np.column_stack([columns[feature.name][0] for feature in FEATURES]).astype(np.float32)
    valid = np.column_stack([columns[feature.name][1] for feature in FEATURES])
    reason = np.where(found, "", "no_face").astype(object)
    return Track(rows["t_ns"], tuple(feature.name for feature in FEATURES), values, valid, reason)


def rate_confidence(rows: Rows) -> FloatArray:
    """How well each face can be judged, 0..1: the product of what size, view, sharpness and fit of the mesh leave."""
    size = np.clip(rows["width_px"] / GOOD_WIDTH_PX, 0, 1)
    view = np.cos(np.radians(np.clip(rows["angles"][:, :2], -90, 90))).prod(axis=1)
    sharp = np.clip(rows["sharpness"] / GOOD_SHARPNESS, 0, 1)
    fit = np.clip((BAD_RESIDUAL - rows["residual"]) / (BAD_RESIDUAL - GOOD_RESIDUAL), 0, 1)
    return np.where(rows["found"], size * view * sharp * fit, 0.0)
