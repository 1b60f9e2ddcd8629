"""What one camera saw of a face, before anybody looks for expressions: movement, lids, eyes, head and quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.action_units import stack_measurements
from modalities.face.anchor import straighten
from modalities.face.depth.kept import DISTANCE, EYES, FORWARD, KEPT_DEPTH, SHARE
from modalities.face.eyes import Blink, blink_duration, blink_rate, closure_of, find_blinks, measure_opening
from modalities.face.gaze import OPEN, gaze_angles
from modalities.face.models import FloatArray
from modalities.face.neutral import subtract_neutral
from modalities.face.pulse import KEPT, FacePulse, find_pulse
from modalities.face.pupil import fill_between
from modalities.face.quality import STILL_DESCRIBED, covered_share, detail_of, rate_confidence, tell_reasons
from modalities.face.regions import EYE, LOWER, NAMES, UPPER
from modalities.face.trajectory import trace_regions

GAZE_UNIT = 3.0
"""Way of the iris, percent of the inter-ocular distance, that is a look elsewhere and no noise."""
LID_COLUMNS = [
    *(2 * at + axis for at, name in enumerate(NAMES) if name in EYE for axis in (0, 1)),
    *range(2 * len(NAMES), 2 * len(NAMES) + 4),
]
"""Columns of `measure_movement` that the lids move."""
STEADY_S, QUIET = 0.045, 0.12
"""Standard deviation of the bell that steadies movement seen by a depth camera, and the noise, percent of the
inter-ocular distance, up to which it is left alone; at twice as much it is steadied wholly. The shortest
micro-expression lasts four times as long as the bell is wide."""
NOISY = ("face_nir", "face_depth")
"""Kinds of streams that are noisier than the colour pictures which the network of the action units learnt from."""
LEAST_MEASURED = 0.5
"""Share of the face's landmarks that must have distances for its shape to be told."""

Rows = NDArray[np.void]
Columns = dict[str, tuple[NDArray[np.floating], NDArray[np.bool_]]]
"""Name -> values and where they are valid, (frames,) each."""


@dataclass(frozen=True, eq=False)
class View:
    """One face over n frames of one camera, or of several that were combined.

    Attributes:
        times_ns: (n,), strictly increasing.
        reasons: Why a frame cannot be judged, "" where it can, object (n,).
        moved: `measure_movement`, (n, 2 * regions + 5).
        angles: Yaw, pitch, roll in degrees, (n, 3).
        blinks: By onset.
        gaze: Yaw and pitch of the eyes in degrees, (n, 2).
        gazing: Where `gaze` is told, (n,).
        columns: Features that need nothing but this.
        pulse: Of the skin.
        reduced: What the reducers of spotters kept, (n, k) each.
        pictured: Frames of which they kept something, (n,); None: all that can be judged.
        noisy: Whether action units are read off movement that was settled to what is likely (`settling`).
    """

    times_ns: Int64Array
    reasons: NDArray[np.object_]
    moved: NDArray[np.float32]
    angles: FloatArray
    blinks: tuple[Blink, ...]
    gaze: FloatArray
    gazing: NDArray[np.bool_]
    columns: Columns
    pulse: FacePulse
    reduced: Mapping[str, FloatArray] = field(default_factory=dict)
    pictured: NDArray[np.bool_] | None = None
    noisy: bool = False

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Frames that can be used, (n,)."""
        return np.asarray(self.reasons == "")


def look_at(rows: Rows, reduced: Mapping[str, FloatArray] | None = None, *, kind: str = "face_rgb") -> View:
    """What the rows of one video tell.

    Args:
        rows: Rows of `observation.ROW`, in order of time.
        reduced: What the reducers of spotters kept, and the colours of the skin (`FaceObserver.kept`); without these
            there is no pulse.
        kind: Of the stream. Pictures of distances show lids, but not where an eye looks, and are noisy.
    """
    depth = kind == "face_depth"
    reasons = tell_reasons(rows)
    judged = np.asarray(reasons == "")
    moved = measure_movement(rows, judged)
    if depth:
        moved = _steadied(moved, rows["t_ns"], judged)
    opening = measure_opening(rows["lids"], rows["found"])
    blinks = tuple(find_blinks(rows["t_ns"], closure_of(opening).mean(axis=1), judged))
    looking = judged & ~within(rows["t_ns"], blinks) & (not depth)
    gaze, gazing = gaze_angles(rows["iris"], opening, looking)
    described = rows["found"] & np.isin(reasons.astype(str), STILL_DESCRIBED)
    pulse = find_pulse(rows["t_ns"], (reduced or {}).get(KEPT), described)
    columns = {
        **_eye_columns(rows, described, judged, blinks, opening, gaze, gazing),
        **_face_columns(rows, described, judged),
        **_space_columns(rows, (reduced or {}).get(KEPT_DEPTH), described, judged),
        "pulse": (pulse.values, pulse.valid),
        "pulse_hz": (pulse.rate_hz, pulse.rated),
        "pulse_snr_db": (pulse.snr_db, pulse.known),
    }
    return View(
        rows["t_ns"], reasons, moved, rows["angles"].astype(np.float64), blinks, gaze, gazing, columns, pulse,
        dict(reduced or {}), noisy=kind in NOISY,
    )  # fmt: skip


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
    out = subtract_neutral(measured, angles, judged)
    gaze = rows["iris"].mean(axis=1).astype(np.float64) / GAZE_UNIT
    looking = np.column_stack([gaze, gaze**2, gaze[:, 0] * gaze[:, 1]])
    out[:, LID_COLUMNS] = subtract_neutral(measured[:, LID_COLUMNS], angles, judged, looking)
    return out


def spread_of(moved: NDArray[np.floating], judged: NDArray[np.bool_]) -> FloatArray:
    """Noise of each column of movement, (columns,), its unit: the spread of second differences over three frames, in
    which a face moves smoothly for most of the time; 1 where nothing is judged.
    """
    whole = judged[2:] & judged[1:-1] & judged[:-2]
    if whole.sum() < 3:
        return np.ones(moved.shape[1])
    values = moved.astype(np.float64)
    bend = (values[2:] - 2 * values[1:-1] + values[:-2])[whole]
    return np.asarray(1.4826 * np.median(np.abs(bend), axis=0) / np.sqrt(6))


def _steadied(moved: NDArray[np.float32], times_ns: Int64Array, judged: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Movement smoothed over `STEADY_S`, column by column as far as it is noisy.

    Holes of depth pictures come and go, and landmarks jump with them: for one or two frames, which no face does.
    """
    from scipy.ndimage import gaussian_filter1d

    if len(times_ns) < 3:
        return moved
    frames = STEADY_S * NS_PER_S / float(np.median(np.diff(times_ns)))
    there = judged.astype(np.float64)[:, None]
    smooth = gaussian_filter1d(moved * there, frames, axis=0) / np.maximum(
        gaussian_filter1d(there, frames, axis=0), 1e-6
    )
    share = np.clip((spread_of(moved, judged) - QUIET) / QUIET, 0, 1)
    return np.asarray((1 - share) * moved + share * smooth * there, np.float32)


def within(times_ns: Int64Array, blinks: tuple[Blink, ...]) -> NDArray[np.bool_]:
    """Which times lie in a blink."""
    out = np.zeros(len(times_ns), bool)
    for blink in blinks:
        out[np.searchsorted(times_ns, blink.onset_ns) : np.searchsorted(times_ns, blink.offset_ns, side="right")] = True
    return out


def _eye_columns(
    rows: Rows,
    described: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    blinks: tuple[Blink, ...],
    opening: FloatArray,
    gaze: FloatArray,
    gazing: NDArray[np.bool_],
) -> Columns:
    """Lids, blinks, direction of the eyes, and the pupils of the eyes that are open."""
    rate, known = blink_rate(rows["t_ns"], list(blinks), judged)
    length, blinked = blink_duration(rows["t_ns"], list(blinks))
    closure = closure_of(opening)
    measured = rows["pupil"].astype(np.float64)
    pupil = np.column_stack([fill_between(measured[:, eye], rows["t_ns"]) for eye in range(2)])
    told = (pupil > 0) & (opening >= OPEN) & gazing[:, None]
    return {
        "au43": (closure.mean(axis=1), judged),
        "au43_right": (closure[:, 0], judged),
        "au43_left": (closure[:, 1], judged),
        "eye_opening_right": (np.minimum(opening[:, 0], 3), judged),
        "eye_opening_left": (np.minimum(opening[:, 1], 3), judged),
        "blink_rate": (rate, known & described),
        "blink_duration_s": (length, blinked & described),
        "gaze_yaw_deg": (gaze[:, 0], gazing),
        "gaze_pitch_deg": (gaze[:, 1], gazing),
        "pupil_ratio": ((pupil * told).sum(axis=1) / np.maximum(told.sum(axis=1), 1), np.asarray(told.any(axis=1))),
    }


def _face_columns(rows: Rows, described: NDArray[np.bool_], judged: NDArray[np.bool_]) -> Columns:
    """Mouth, head, and what there is to say of the face as a whole."""
    columns: Columns = {
        "mouth_opening": (np.minimum(rows["mouth"], 200), judged),
        "face_size_px": (rows["width_px"], described),
        "confidence": (rate_confidence(rows), described),
        "brightness": (rows["brightness"], described),
        "sharpness": (detail_of(rows), described),
        "covered": (covered_share(rows), judged),
    }
    for at, name in enumerate(("yaw_deg", "pitch_deg", "roll_deg")):
        columns[name] = (rows["angles"][:, at], described)
    return columns


def _space_columns(
    rows: Rows, measured: FloatArray | None, described: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> Columns:
    """What a depth camera tells: distance, true size, and what is pushed out of the plane of the face."""
    if measured is None:
        nothing = np.zeros(len(rows)), np.zeros(len(rows), bool)
        return dict.fromkeys(("distance_mm", "eyes_apart_mm", "forward_upper", "forward_lower"), nothing)
    there = described & (measured[:, DISTANCE] > 0)
    shaped = judged & there & (measured[:, SHARE] >= LEAST_MEASURED)
    forward = subtract_neutral(measured[:, FORWARD], rows["angles"].astype(np.float64), shaped)
    columns: Columns = {"distance_mm": (measured[:, DISTANCE], there), "eyes_apart_mm": (measured[:, EYES], there)}
    for name, group in (("upper", UPPER), ("lower", LOWER)):
        columns[f"forward_{name}"] = (forward[:, [NAMES.index(one) for one in group]].mean(axis=1), shaped)
    return columns
