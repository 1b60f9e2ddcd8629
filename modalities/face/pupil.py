"""The pupil as a share of the iris, where the picture of the eye is large enough to tell.

The edge of the pupil is where brightness on a circle rises most steeply with its radius (the integro-differential
operator of Daugman 1993), over circles around the middle of the iris. Instead of means, the dim part of the outer and
the bright part of the inner circle are compared, so that glints do not matter and a circle that is off the middle is
not steep. Only what lies between the lids counts. Dark irises in visible light show no edge: then there is no answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.models import FloatArray, Picture
from modalities.face.regions import EYE_OUTLINES, IRIS_CENTRES, IRIS_RINGS

LEAST_IRIS_PX = 24.0
"""A smaller iris is not measured: one pixel would be more than 4 % of the ratio."""
RATIO = (0.18, 0.75)
"""Pupils are 2 to 8 mm wide (Spector 1990), irises 11.7 mm (Ruefer et al. 2005)."""
LEAST_STEP = 6.0
"""Rise of brightness at the edge of the pupil, grey levels, below which there is no edge to see."""
LEAST_SHARP = 2.5
"""The edge must be so many times as steep as brightness usually changes with radius."""
LEAST_OPEN = 0.45
"""Share of the circle that must lie between the lids."""
EVERY_S, EARLY_S = 0.1, 0.005
"""Pupils are measured so often: they take 0.2 s to begin to move, and more to arrive (Ellis 1981). A measurement may
come so much before it is due, lest the jitter of frame times puts it off by a frame."""
_ANGLES, _RADII, _WIDTH = 48, 44, 3
_QUANTILES = (0.3, 0.7)
_SHIFTS = np.linspace(-0.1, 0.1, 5)
_MIDDLE = len(_SHIFTS) ** 2 // 2
_SHARES = np.linspace(0.1, 0.95, _RADII)
_ASKED = np.greater_equal(_SHARES, RATIO[0]) & np.less_equal(_SHARES, RATIO[1])
_NEEDED = np.convolve(_ASKED, np.ones(2 * _WIDTH + 3), mode="same") > 0
"""Circles whose brightness has a say in whether one of the asked is the edge."""


def _circles() -> FloatArray:
    """Points of all circles around all centres for an iris of radius 1 at (0, 0), (centres, radii, angles, 2)."""
    angles = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    shifts = np.stack(np.meshgrid(_SHIFTS, _SHIFTS), axis=-1).reshape(-1, 2)
    return shifts[:, None, None] + _SHARES[_NEEDED][:, None, None] * ring


_CIRCLES = _circles()


class PupilMeter:
    """Measures the pupils of one followed face every `EVERY_S`."""

    def __init__(self) -> None:
        self._due_ns = -(2**62)

    def measure(self, picture: Picture, points: FloatArray, t_ns: int) -> tuple[FloatArray, FloatArray]:
        """As `measure_pupils`; the ratios are not a number while no measurement is due."""
        if t_ns < self._due_ns:
            return iris_diameters(points), np.full(2, np.nan)
        self._due_ns = t_ns + round((EVERY_S - EARLY_S) * NS_PER_S)
        return measure_pupils(picture, points)


def iris_diameters(points: FloatArray) -> FloatArray:
    """Of the right and left eye, pixels, (2,)."""
    return np.array([np.linalg.norm(points[ring[0]] - points[ring[2]]) for ring in IRIS_RINGS])


def fill_between(ratio: FloatArray, times_ns: Int64Array) -> FloatArray:
    """Ratios of all frames from the measured ones: linear between two that have an answer, else 0.

    Args:
        ratio: From `PupilMeter`, of one eye, (frames,).
        times_ns: (frames,), increasing.
    """
    looked = np.flatnonzero(~np.isnan(ratio))
    if not len(looked):
        return np.zeros(len(ratio))
    at = np.arange(len(ratio))
    after = np.searchsorted(looked, at)
    last, following = looked[np.maximum(after - 1, 0)], looked[np.minimum(after, len(looked) - 1)]
    told = (
        (ratio[last] > 0) & (ratio[following] > 0) & (times_ns[following] - times_ns[last] <= 2.5 * EVERY_S * NS_PER_S)
    )
    told |= (following == at) & (ratio[following] > 0)
    between = np.interp(times_ns, times_ns[looked], ratio[looked])
    return np.where(told, between, 0.0)


def measure_pupils(picture: Picture, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Diameters of the irises and ratios of the pupils.

    Args:
        picture: RGB at full size, uint8 (h, w, 3).
        points: Landmarks in it, (478, 2).

    Returns:
        Diameter of the right and left iris in pixels, (2,); diameter of the pupil over that of the iris, (2,), 0 where
        it cannot be told.
    """
    size, ratio = iris_diameters(points), np.zeros(2)
    for at in range(2):
        if size[at] >= LEAST_IRIS_PX:
            ratio[at] = _ratio(picture, points[IRIS_CENTRES[at]], size[at] / 2, points[list(EYE_OUTLINES[at])])
    return size, ratio


def describe_pupils(iris_px: NDArray[np.floating], ratio: NDArray[np.floating]) -> str:
    """Whether the pupils were measured, and why not, in words for the report.

    Args:
        iris_px: Diameters of the irises, (frames, 2).
        ratio: From `PupilMeter`, (frames, 2).
    """
    if not iris_px.size:
        return "no face"
    large = (iris_px >= LEAST_IRIS_PX).any(axis=1)
    looked = ~np.isnan(ratio).all(axis=1)
    told = float((ratio[looked] > 0).any(axis=1).mean()) if looked.any() else 0.0
    if not large.any():
        return f"not measured: the iris is {float(np.median(iris_px)):.0f} px wide, {LEAST_IRIS_PX:.0f} px are needed"
    return f"measured in {told:.0%} of the frames; elsewhere lids, glints or a dark iris hide the pupil's edge"


def _ratio(picture: Picture, centre: FloatArray, radius: float, outline: FloatArray) -> float:
    """Of one eye; 0 where there is no answer."""
    import cv2

    from modalities.face.synthesis.mesh import look_up

    low = np.floor(centre - 1.5 * radius).astype(int)
    high = np.ceil(centre + 1.5 * radius).astype(int) + 1
    if np.any(low < 0) or np.any(high > picture.shape[1::-1]):
        return 0.0
    grey = cv2.cvtColor(picture[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY).astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.03 * radius))
    opening = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(opening, [np.rint(outline - low).astype(np.int32)], 255)
    inner = cv2.erode(opening, np.ones((3, 3), np.uint8), iterations=max(1, round(0.06 * radius)))
    place = (centre - low + radius * _CIRCLES).astype(np.float32)
    seen_there = look_up(inner, place[_MIDDLE]) > 127
    if seen_there[_ASKED[_NEEDED]].mean(axis=1).min() < LEAST_OPEN:
        return 0.0
    flat, shape = place.reshape(-1, _ANGLES, 2), place.shape[:3]
    return _steepest(look_up(soft, flat).reshape(shape), look_up(inner, flat).reshape(shape) > 127)


def _steepest(light: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    """Radius, as a share of the iris, of the pupil's edge; 0 where none stands out.

    Args:
        light: Brightness on `_CIRCLES`, (centres, radii, angles).
        seen: What lies between the lids, same shape.
    """
    share, within = _SHARES[_NEEDED], _ASKED[_NEEDED]
    open_share = seen.mean(axis=2)
    ordered = np.sort(np.where(seen, light, np.inf), axis=2)
    count = seen.sum(axis=2)[..., None]
    dim, bright = (
        np.take_along_axis(ordered, (share_of * count).astype(int).clip(0, _ANGLES - 1), axis=2)[..., 0]
        for share_of in _QUANTILES
    )
    dim, bright = np.where(np.isfinite(dim), dim, 0.0), np.where(np.isfinite(bright), bright, 255.0)
    step = np.zeros_like(dim)
    for offset in range(1, _WIDTH + 1):
        step[:, _WIDTH:-_WIDTH] += dim[:, _WIDTH + offset : dim.shape[1] - _WIDTH + offset] / _WIDTH
        step[:, _WIDTH:-_WIDTH] -= bright[:, _WIDTH - offset : dim.shape[1] - _WIDTH - offset] / _WIDTH
    top = np.zeros(step.shape, bool)
    top[:, 1:-1] = (step[:, 1:-1] >= step[:, :-2]) & (step[:, 1:-1] >= step[:, 2:])
    candidates = np.where(top & within & (open_share >= LEAST_OPEN), step, -np.inf)
    best = np.unravel_index(int(np.argmax(candidates)), candidates.shape)
    height = float(step[best])
    if not np.isfinite(height):
        return 0.0
    usual = float(np.median(np.maximum(step[best[0]][within], 0))) + 0.3
    if height < LEAST_STEP or height < LEAST_SHARP * usual:
        return 0.0
    at = int(best[1])
    before, here, after = step[best[0], at - 1 : at + 2]
    bend = before - 2 * here + after
    finer = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(np.interp(at + finer, np.arange(len(share)), share))
