"""An eye tracker instead of the video: its gaze and pupil take the place of what the face's video gives.

A tracker measures gaze to half a degree and pupils to hundredths of a millimetre, a video to several degrees and a
tenth of the iris. So where a person has a tracker its values replace the columns "gaze_yaw_deg", "gaze_pitch_deg" and
"pupil_ratio" of the face's track. Pixels become degrees by the screen's size and distance; millimetres become a share
of the iris, which is 11.7 mm wide in nearly everybody (Ruefer et al. 2005, Cornea 24). As in the video's columns 0
degrees is where the person mostly looks. A tracker on the head measures the eyes in the head as the video does; one on
the table measures where the person looks in the room, head included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.features import Track
from data_schemas.intervals import runs_of
from data_schemas.stream import Signal
from data_schemas.time import NS_PER_S, Int64Array

IRIS_MM = 11.7
MOST_DEG = 45.0
BLINK_S = (0.05, 0.5)
"""Both pupils lost for so long is a blink (Holmqvist et al. 2011, Eye Tracking, chapter 5); longer is no blink."""
REPLACED = ("gaze_yaw_deg", "gaze_pitch_deg", "pupil_ratio")


@dataclass(frozen=True, slots=True)
class Screen:
    """How the pixels of gaze lie in front of the person.

    Attributes:
        width_px: Width of the screen in pixels.
        width_mm: Its width in millimetres.
        distance_mm: From the eyes to the screen.
    """

    width_px: float
    width_mm: float
    distance_mm: float

    def __post_init__(self) -> None:
        if not min(self.width_px, self.width_mm, self.distance_mm) > 0:
            raise InvalidValueError("size and distance of a screen must be above 0", got=self)

    def degrees(self, px: NDArray[np.floating]) -> NDArray[np.float64]:
        """Angle of points that lie so many pixels beside the point straight ahead."""
        return np.degrees(np.arctan2(np.asarray(px, np.float64) * self.width_mm / self.width_px, self.distance_mm))


def replace_eyes(
    track: Track, gaze: Signal | None, pupil: Signal | None, screen: Screen | None = None
) -> tuple[Track, tuple[str, ...]]:
    """The face's track with the tracker's gaze and pupil in place of the video's.

    Args:
        track: Of the face encoder, session clock.
        gaze: Columns "gaze_x_deg" and "gaze_y_deg" in degrees, or "gaze_x" and "gaze_y" in pixels from the upper left
            corner of a screen; session clock.
        pupil: Columns "pupil_left", "pupil_right" or either, in mm; session clock.
        screen: Needed for gaze in pixels.

    Returns:
        The track, at the same times, and what a user should know: what could not be used, and why.
    """
    values, valid = track.values.copy(), track.valid.copy()
    notes: list[str] = []
    if gaze is not None:
        angles = _angles(gaze, screen)
        if isinstance(angles, str):
            notes.append(angles)
        else:
            for name, (course, good) in zip(REPLACED[:2], angles, strict=True):
                _put(track, values, valid, name, gaze.times_ns, course, good)
    if pupil is not None:
        names = [name for name in ("pupil_left", "pupil_right") if name in pupil.columns]
        units = {pupil.units[pupil.columns.index(name)] for name in names}
        if units == {"mm"}:
            course, good = _mean([pupil.column(name) for name in names])
            share = course / IRIS_MM
            _put(track, values, valid, "pupil_ratio", pupil.times_ns, share, good & (share > 0) & (share < 1))
        else:
            notes.append(f"the tracker's pupil is in {'/'.join(sorted(units)) or 'no column'}, not in mm: not used")
    return replace(track, values=values, valid=valid), tuple(notes)


def blinks_of(pupil: Signal, person: str | None = None) -> list[Event]:
    """Blinks by the tracker: stretches of `BLINK_S` in which no pupil is seen, between two in which one is.

    Args:
        pupil: Columns "pupil_left", "pupil_right" or either; session clock.
        person: Whose.
    """
    names = [name for name in ("pupil_left", "pupil_right") if name in pupil.columns]
    if not names or not pupil.axis.n:
        return []
    _, seen = _mean([pupil.column(name) for name in names])
    times = pupil.times_ns
    out = []
    for lost, back in runs_of(~seen):
        if lost == 0 or back >= len(times):
            continue
        start, end = int(times[lost]), int(times[back])
        if BLINK_S[0] * NS_PER_S <= end - start <= BLINK_S[1] * NS_PER_S:
            out.append(Event("face", "blink", start, end, person=person, details={"source": pupil.info.name}))
    return out


def _angles(gaze: Signal, screen: Screen | None) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]] | str:
    """Yaw (positive to the person's left) and pitch (positive up), or why there are none."""
    for across, down, unit in (("gaze_x_deg", "gaze_y_deg", "deg"), ("gaze_x", "gaze_y", "deg")):
        if {across, down} <= set(gaze.columns) and gaze.units[gaze.columns.index(across)] == unit:
            (x, here), (y, there) = gaze.column(across), gaze.column(down)
            return [_centred(-x.astype(np.float64), here), _centred(y.astype(np.float64), there)]
    if not {"gaze_x", "gaze_y"} <= set(gaze.columns):
        return f"stream '{gaze.info.name}' has no columns gaze_x and gaze_y: not used"
    if gaze.units[gaze.columns.index("gaze_x")] != "px":
        return f"the gaze of '{gaze.info.name}' is neither in degrees nor in pixels of a screen: not used"
    if screen is None:
        return f"the gaze of '{gaze.info.name}' is in pixels: give the screen's width and distance to use it"
    (x, here), (y, there) = gaze.column("gaze_x"), gaze.column("gaze_y")
    middle = [float(np.median(course[good])) if good.any() else 0.0 for course, good in ((x, here), (y, there))]
    return [_centred(screen.degrees(middle[0] - x), here), _centred(screen.degrees(middle[1] - y), there)]


def _centred(angle: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    middle = float(np.median(angle[good])) if good.any() else 0.0
    out = angle - middle
    return out, good & (np.abs(out) <= MOST_DEG)


def _mean(
    columns: Sequence[tuple[NDArray[np.floating], NDArray[np.bool_]]],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean of the valid eyes, and whether there is one."""
    good = np.stack([mask for _, mask in columns])
    total = np.stack([np.where(mask, course, 0.0) for course, mask in columns]).sum(axis=0)
    return total / np.maximum(good.sum(axis=0), 1), np.asarray(good.any(axis=0))


def _put(
    track: Track,
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    name: str,
    at_ns: Int64Array,
    course: NDArray[np.float64],
    good: NDArray[np.bool_],
) -> None:
    """Write the mean of the tracker's valid samples around each time of the track into one of its columns.

    Where the tracker has none the cell is invalid: two instruments in one column would jump.
    """
    if name not in track.names or not len(track.times_ns):
        return
    half = max(1, round(float(np.median(np.diff(track.times_ns))) / 2)) if len(track.times_ns) > 1 else NS_PER_S // 50
    half = max(half, round(float(np.median(np.diff(at_ns))) / 2)) if len(at_ns) > 1 else half
    first = np.searchsorted(at_ns, track.times_ns - half)
    last = np.searchsorted(at_ns, track.times_ns + half)
    sums = np.r_[0.0, np.cumsum(np.where(good, course, 0.0))]
    counts = np.r_[0, np.cumsum(good)]
    count = counts[last] - counts[first]
    column = track.names.index(name)
    values[:, column] = (sums[last] - sums[first]) / np.maximum(count, 1)
    valid[:, column] = count > 0
