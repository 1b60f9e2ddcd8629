"""How well each frame of a face can be judged, and why not: light, sharpness, size, view, and what covers the face.

Everything is measured on the aligned picture of 160 px, so that it costs next to nothing. Whether something lies over
the face is told from the person's own face: detail (the slope of brightness) is averaged over small cells, and a cell
departs when it is far from what this person's face shows there for most of the recording. Expressions change a few
cells for a while; a hand or a cup takes eyes, nose or mouth away. Brightness would be a worse witness: it changes with
every turn of the head, and skin on skin hardly changes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import runs_of
from data_schemas.time import NS_PER_S
from modalities.face.models import FloatArray, Picture
from modalities.face.neutral import MAX_PITCH_DEG, MAX_YAW_DEG

CELLS = (10, 8)
"""Rows and columns of cells over the inner face."""
CELL_PX = 12
_TOP, _LEFT = 24, 32
LEAST_WIDTH_PX = 48.0
"""Narrower faces give no landmarks that expressions could be read from: the mesh's own face is 128 px wide."""
DARK, LEAST_CONTRAST = 18.0, 3.5
"""Mean and standard deviation of the cells, grey levels, below which noise and compression hide the face."""
SATURATED, BRIGHTEST = 0.4, 240
"""Share of overexposed pixels above which too little of the face is left, and the grey level from which one is."""
BLURRED, LEAST_SHARPNESS = 0.4, 0.7
"""A frame is blurred when its fine detail falls to this share of the person's own, or below this share of the cells'
contrast in percent."""
COVERED, STILL_COVERED = 0.15, 0.09
"""Share of the face that must depart for it to be called covered, and before and after such frames."""
DEPARTS, LEAST_DEPARTURE = 4.0, 16.0
"""A cell departs by so many times its own spread, and at least by so many units (`_UNIT` is twice the detail)."""
VIEW_DEG, LEAST_VIEW_S = 60.0, 4.0
"""Head angles up to half of this from the usual ones count as alike; other views need this long to have a median."""
STEADY_S = 0.12
"""A reason must hold for about this long: single frames are outvoted by their neighbours."""
LEAST_JUDGED_S = 0.5
"""Less of a face than this has no neutral to compare with."""
GOOD_WIDTH_PX, GOOD_SHARPNESS = 100.0, 4.0
"""Faces at least this wide, and pictures at least this sharp, cost no confidence."""
GOOD_RESIDUAL, BAD_RESIDUAL = 0.07, 0.25
_UNIT, _MIDDLE, _LEAST_SLOPE = 20.0, 128.0, 4.0

Rows = NDArray[np.void]


@dataclass(frozen=True, eq=False, slots=True)
class PatchQuality:
    """What one aligned picture says of its quality.

    Attributes:
        brightness: Mean grey level of the inner face, 0..255.
        contrast: Standard deviation of the cells, grey levels.
        saturated: Share of overexposed pixels, 0..1.
        sharpness: Standard deviation of the Laplacian of the whole patch, grey levels.
        cells: Detail of each cell relative to that of the whole face, logarithmic, uint8 `CELLS`.
    """

    brightness: float
    contrast: float
    saturated: float
    sharpness: float
    cells: Picture


def measure_quality(patch: Picture) -> PatchQuality:
    """Measure an aligned picture.

    Args:
        patch: Grey uint8 (160, 160), see `registration`.
    """
    import cv2

    inner = patch[_TOP : _TOP + CELLS[0] * CELL_PX, _LEFT : _LEFT + CELLS[1] * CELL_PX]
    cells = cv2.resize(inner, CELLS[::-1], interpolation=cv2.INTER_AREA)
    mean, spread = cv2.meanStdDev(cells)
    slope = cv2.magnitude(cv2.Sobel(inner, cv2.CV_32F, 1, 0), cv2.Sobel(inner, cv2.CV_32F, 0, 1))
    detail = cv2.resize(slope, CELLS[::-1], interpolation=cv2.INTER_AREA) + np.float32(_LEAST_SLOPE)
    even = np.clip(_MIDDLE + _UNIT * np.log2(detail / detail.mean()), 0, 255).astype(np.uint8)
    saturated = float(np.count_nonzero(inner >= BRIGHTEST)) / inner.size
    _, sharpness = cv2.meanStdDev(cv2.Laplacian(patch, cv2.CV_16S))
    return PatchQuality(float(mean[0, 0]), float(spread[0, 0]), saturated, float(sharpness[0, 0]), even)


def tell_reasons(rows: Rows) -> NDArray[np.object_]:
    """Why each frame cannot be judged.

    Args:
        rows: Rows of `observation.ROW`, in order of time.

    Returns:
        Words of `data_schemas.features.REASONS`, object (frames,); "" where the face can be judged.
    """
    found = rows["found"]
    reasons = np.full(len(rows), "", dtype=object)
    if not len(rows):
        return reasons
    checks = (
        ("blurred", _steady(rows, blurred(rows))),
        ("occluded", _steady(rows, _covered(rows))),
        ("turned_away", (np.abs(rows["angles"][:, 0]) > MAX_YAW_DEG) | (np.abs(rows["angles"][:, 1]) > MAX_PITCH_DEG)),
        ("too_bright", _steady(rows, rows["saturated"] > SATURATED)),
        ("too_dark", _steady(rows, _too_dark(rows))),
        ("too_small", (rows["width_px"] > 0) & (rows["width_px"] < LEAST_WIDTH_PX)),
    )
    for word, holds in checks:
        reasons[found & holds] = word
    reasons[~found] = "no_face"
    reasons[~found & _lost_in_the_dark(rows)] = "too_dark"
    reasons[~found & rows["unsure"]] = "unsure_who"
    judged = reasons == ""
    period = float(np.median(np.diff(rows["t_ns"]))) if len(rows) > 1 else 0.0
    if judged.sum() <= 4 or judged.sum() * period < LEAST_JUDGED_S * NS_PER_S:
        reasons[judged] = "too_short"
    return reasons


STILL_DESCRIBED = ("", "turned_away", "too_short")
"""With these reasons the head's angles, the size of the face and the like can still be told; with others, nothing."""


def judge(rows: Rows) -> NDArray[np.bool_]:
    """Frames whose face can be judged, (frames,); none if all of it is too short."""
    return tell_reasons(rows) == ""


def blurred(rows: Rows) -> NDArray[np.bool_]:
    """Frames with far less fine detail than the person's other frames, or with next to none, (frames,).

    Detail is counted relative to contrast, so that a lamp that is dimmed does not blur the picture.
    """
    seen = rows["found"] & (rows["contrast"] > 0)
    detail = detail_of(rows)
    if not seen.any():
        return np.zeros(len(rows), bool)
    own = float(np.percentile(detail[seen], 75))
    return seen & ((detail < BLURRED * own) | (100 * detail < LEAST_SHARPNESS))


def detail_of(rows: Rows) -> FloatArray:
    """Fine detail relative to contrast, >= 0, (frames,): what blur takes and a dimmed lamp does not."""
    return rows["sharpness"] / np.maximum(rows["contrast"], 1.0)


def _too_dark(rows: Rows) -> NDArray[np.bool_]:
    """Frames with too little light or contrast; rows without a measurement are not."""
    measured = rows["contrast"] > 0
    return measured & ((rows["brightness"] < DARK) | (rows["contrast"] < LEAST_CONTRAST))


def _lost_in_the_dark(rows: Rows) -> NDArray[np.bool_]:
    """Frames after the first face that show none, in a picture too dark to see one."""
    return ~rows["found"] & (rows["brightness"] > 0) & (rows["brightness"] < DARK)


def brightest_parts(picture: Picture) -> float:
    """Grey level, 1..255, that a tenth of a picture exceeds; low where somebody switched off the light.

    Args:
        picture: RGB, uint8 (h, w, 3).
    """
    step = max(1, min(picture.shape[:2]) // 48)
    return max(1.0, float(np.percentile(picture[::step, ::step].mean(axis=2), 90)))


def _covered(rows: Rows) -> NDArray[np.bool_]:
    """Frames whose face is covered: runs of frames that may be, with one among them that is."""
    share = covered_share(rows)
    covered = np.zeros(len(rows), bool)
    for first, end in runs_of(share > STILL_COVERED):
        covered[first:end] = share[first:end].max() > COVERED
    return covered


def covered_share(rows: Rows) -> FloatArray:
    """Share of the face whose detail is not that of this person's face, 0..1, (frames,).

    The person's own face is the median over the recording, or over the frames with a like head angle where the head is
    turned far from where it usually is; without enough of such frames nothing is said (0). Spread is measured per cell,
    robustly, so that the mouth of somebody who talks may change more than a forehead.
    """
    share = np.zeros(len(rows))
    seen = rows["found"] & (rows["contrast"] > 0)
    times = rows["t_ns"]
    if seen.sum() < 10:
        return share
    period_s = max(1e-3, float(np.median(np.diff(times))) / NS_PER_S)
    angles = rows["angles"][:, :2].astype(np.float64)
    views = np.rint((angles - np.median(angles[seen], axis=0)) / VIEW_DEG).astype(int)
    for view in np.unique(views[seen], axis=0):
        alike = seen & (views == view).all(axis=1)
        usual = not view.any()
        if not usual and alike.sum() * period_s < LEAST_VIEW_S:
            continue
        cells = rows["cells"][alike].reshape(int(alike.sum()), -1).astype(np.float32)
        away = np.abs(cells - np.median(cells, axis=0))
        share[alike] = (away > np.maximum(LEAST_DEPARTURE, DEPARTS * 1.4826 * np.median(away, axis=0))).mean(axis=1)
    return share


def _steady(rows: Rows, holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A yes or no of each frame with a face, outvoted by its neighbours within `STEADY_S`."""
    if len(rows) < 3 or not holds.any():
        return holds
    period_s = float(np.median(np.diff(rows["t_ns"]))) / NS_PER_S
    reach = min(len(rows) // 2, round(STEADY_S / 2 / max(period_s, 1e-3)))
    if reach < 1:
        return holds
    ones = np.ones(2 * reach + 1)
    votes = np.convolve(holds & rows["found"], ones, mode="same")
    return votes > 0.5 * np.convolve(rows["found"], ones, mode="same")


def rate_confidence(rows: Rows) -> FloatArray:
    """How well each face can be judged, 0..1: the product of what size, view, sharpness and fit of the mesh leave."""
    size = np.clip(rows["width_px"] / GOOD_WIDTH_PX, 0, 1)
    view = np.cos(np.radians(np.clip(rows["angles"][:, :2], -90, 90))).prod(axis=1)
    sharp = np.clip(rows["sharpness"] / GOOD_SHARPNESS, 0, 1)
    fit = np.clip((BAD_RESIDUAL - rows["residual"]) / (BAD_RESIDUAL - GOOD_RESIDUAL), 0, 1)
    return np.where(rows["found"], size * view * sharp * fit, 0.0)
