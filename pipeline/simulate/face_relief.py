"""What the smooth mesh of a face leaves out of its shape: eyeballs, lids, brows, nostrils, line of the lips, skin.

Sizes are round figures of adult anatomy: a lid is 1 to 2 mm thick, the eyeball has a radius of 12 mm (Bekerman et al.
2014), hair of a brow stands about 1 mm off the skin. The texture of the skin has no truth; tenths of a millimetre
follow the photograph's own light and dark.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.mesh import Pixels
from pipeline.simulate.face_lids import OUTLINES
from pipeline.simulate.face_mouth import LOWER_LIP_INNER
from pipeline.simulate.face_portrait import Portrait

LID_MM, EYEBALL_MM, CREASE_MM, BROW_MM, NOSTRIL_MM, LIP_LINE_MM, SKIN_MM = 1.6, 12.0, 0.9, 1.0, 3.0, 1.6, 0.3
_MM_PER_GREY = 0.02
"""Of the skin: what is darker than its surroundings by a grey level lies this much deeper, up to `SKIN_MM`."""
_NOSTRILS = ((79, 239, 238, 20, 60, 166), (309, 459, 458, 250, 290, 392))
_BROWS = ((46, 53, 52, 65, 55, 107, 66, 105, 63, 70), (276, 283, 282, 295, 285, 336, 296, 334, 293, 300))
_IRISES = {"right": 468, "left": 473}
_CREASE = 0.13
"""Height of the fold above the upper lid's edge, in IOD."""

Map = NDArray[np.float32]


def fine_relief_mm(portrait: Portrait, mm_per_px: float) -> Map:
    """How far each pixel of the canvas stands out of the mesh's surface towards the camera, mm, float32 (H, W).

    Args:
        portrait: The photograph.
        mm_per_px: Of the canvas, at the plane of the eyes.
    """
    import cv2

    mesh = portrait.mesh
    shape = portrait.person.shape[:2]
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    grey = np.asarray(cv2.cvtColor(portrait.person[..., :3], cv2.COLOR_RGB2GRAY), np.float32)
    inner, outer = (cv2.GaussianBlur(grey, (0, 0), share * mesh.iod) for share in (0.012, 0.08))
    out = portrait.skin * np.clip(_MM_PER_GREY * (inner - outer), -SKIN_MM, SKIN_MM)
    for marks in _BROWS:
        area = area_of(mesh.points[list(marks)], shape, 0.02 * mesh.iod)
        dark = np.clip((cv2.GaussianBlur(grey, (0, 0), 0.2 * mesh.iod) - inner) / 40, 0, 1)
        out += BROW_MM * area * dark
    for side, (upper, lower) in OUTLINES.items():
        edges = [mesh.points[list(marks)] for marks in (upper, lower)]
        opening = area_of(np.vstack([edges[0], edges[1][::-1]]), shape, 0.012 * mesh.iod)
        iris = mesh.points[_IRISES[side]]
        away = np.hypot(x - iris[0], y - iris[1]) * mm_per_px
        ball = EYEBALL_MM - np.sqrt(np.maximum(EYEBALL_MM**2 - away**2, 0.0))
        out -= opening * np.minimum(LID_MM + 0.5 * ball, 2.5 * LID_MM)
        out -= CREASE_MM * _line(edges[0] + _CREASE * mesh.iod * mesh.upwards, shape, 0.02 * mesh.iod)
    for nostril in _NOSTRILS:
        centre = mesh.points[list(nostril)].mean(axis=0)
        away = np.stack([x, y], axis=-1) - centre
        along, up = away @ mesh.across, away @ mesh.upwards
        out -= NOSTRIL_MM * np.exp(-((along / (0.055 * mesh.iod)) ** 2) - (up / (0.035 * mesh.iod)) ** 2)
    out -= LIP_LINE_MM * _line(mesh.points[list(LOWER_LIP_INNER)], shape, 0.014 * mesh.iod)
    return out.astype(np.float32)


def area_of(outline: Pixels, shape: tuple[int, ...], soft_px: float) -> Map:
    """1 within an outline, 0 outside, with a soft edge."""
    import cv2

    inside = np.zeros(shape, np.float32)
    cv2.fillPoly(inside, [np.rint(outline * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    return np.asarray(cv2.GaussianBlur(inside, (0, 0), max(soft_px, 0.6)), np.float32)


def _line(points: Pixels, shape: tuple[int, ...], width_px: float) -> Map:
    """A groove along some points: 1 in its middle, a bell across."""
    import cv2

    drawn = np.zeros(shape, np.float32)
    cv2.polylines(drawn, [np.rint(points * 16).astype(np.int32)], False, 1.0, 1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(drawn, (0, 0), max(width_px, 0.8))
    return np.asarray(soft / max(float(soft.max()), 1e-6), np.float32)
