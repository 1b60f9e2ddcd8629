"""A depth picture as a picture of light: what a face of plaster under a lamp would look like.

Landmark networks know faces by their light and dark. A lamp above the camera gives the large forms (Lambert), and what
lies deeper than its surroundings is darkened, as crevices are (curvature shading; Miller 1994), which gives eyes, mouth
and nostrils back. Holes that come and go would be dark blots that come and go, and pull landmarks and flow along: they
are filled with what was seen in them just before, else from around. Only the picture is filled and smoothed so;
distances are measured elsewhere (`surface`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.camera import Camera
from data_schemas.errors import InvalidValueError
from data_schemas.time import to_s
from modalities.face.depth.surface import assume_camera
from modalities.face.models import Picture

SPAN_MM = 300.0
"""What lies farther behind the nearest part of somebody is background."""
NEAR_PERCENT = 3.0
"""So many of the distances may be nearer than somebody: a hand, errors."""
SETTLE_S = 0.5
"""Time constant with which the border to the background follows."""
STEADY_MM, STEADY_S = 4.0, 0.04
"""Distances that change by less than the first are averaged over the second: noise flickers, movement stays."""
FILL_MM = ((2.0, 0.25), (6.0, 0.25), (15.0, 0.6))
"""A hole is filled from the distances within so far, where they fill at least this share of the square."""
KEEP_S, AROUND_MM = 0.33, 6.0
"""What was seen in a hole so lately is remembered, moved as far as what lies around within so far has moved since."""
FINE_MM, BROAD_MM = 3.0, 9.0
"""Crevices are what is deeper than the surroundings within so far."""
SMOOTH_MM = 1.5
"""Standard deviation of the smoothing along the skin."""
ASSUMED_SCALE_M = 0.001
"""Metres per unit of a depth picture that does not say: nearly all cameras give millimetres."""
_LAMP = np.array([-0.25, -0.6, -1.0]) / np.linalg.norm([0.25, 0.6, 1.0])
_DARK, _LIGHT, _FINE, _BROAD = 25.0, 190.0, 30.0, 14.0
_EDGE_MM = 12.0
_LEAST_AROUND = 0.05

Field = NDArray[np.float32]


class Shader:
    """Turns depth pictures of one camera into RGB of 8 bits, one after the other.

    Args:
        camera: Of the pictures; an assumed one by default.
        scale_m: Metres per unit.
    """

    def __init__(self, camera: Camera | None = None, scale_m: float | None = None) -> None:
        self._camera = camera
        self._scale_mm = 1000 * (scale_m or ASSUMED_SCALE_M)
        self._near_mm: float | None = None
        self._last: Field | None = None
        self._share: Field | None = None
        self._age_s: Field | None = None
        self._t_ns = 0

    def tone(self, image: NDArray[np.generic], t_ns: int) -> Picture:
        """The next picture.

        Args:
            image: Distances, uint16 (h, w); 0 is a hole.
            t_ns: Its time.

        Returns:
            uint8 (h, w, 3); the background is black.

        Raises:
            InvalidValueError: another shape or type.
        """
        import cv2

        if image.ndim != 2 or image.dtype != np.uint16:
            raise InvalidValueError(
                "a depth picture has an unknown format", time_s=to_s(t_ns), got=f"{image.dtype} {image.shape}",
                expected="uint16 (h, w)",
            )  # fmt: skip
        distance = image.astype(np.float32) * np.float32(self._scale_mm)
        step_s = to_s(max(0, t_ns - self._t_ns))
        self._t_ns = t_ns
        near = self._nearest(distance, step_s)
        out = np.zeros(image.shape, np.uint8)
        front = (distance > 0) & (distance < near + SPAN_MM)
        box = cv2.boundingRect(front.astype(np.uint8))
        if box[2] < 3 or box[3] < 3:
            self._last = None
            return np.repeat(out[..., None], 3, axis=2)
        camera = self._camera or assume_camera(image.shape[1], image.shape[0])
        px_per_mm = camera.fx / max(near + SPAN_MM / 3, 1.0)
        seen = np.where(front, distance, np.float32(0))
        surface, share = self._remembered(seen, distance <= 0, *_filled(seen, px_per_mm), step_s, px_per_mm)
        surface = self._steadied(surface, step_s)
        x, y, width, height = box
        part = np.s_[y : y + height, x : x + width]
        out[part] = shade(surface[part], share[part], camera.fx, px_per_mm)
        return np.repeat(out[..., None], 3, axis=2)

    def _nearest(self, distance: Field, step_s: float) -> float:
        """Where somebody begins, mm, followed slowly."""
        step = max(1, int(np.sqrt(distance.size / 20_000)))
        sample = distance[::step, ::step]
        known = sample[sample > 0]
        if not known.size:
            return self._near_mm or 0.0
        now = float(np.percentile(known, NEAR_PERCENT))
        if self._near_mm is None or abs(now - self._near_mm) > SPAN_MM / 2:
            self._near_mm = now
        else:
            self._near_mm += float(1 - np.exp(-step_s / SETTLE_S)) * (now - self._near_mm)
        return self._near_mm

    def _remembered(
        self, seen: Field, hole: NDArray[np.bool_], surface: Field, share: Field, step_s: float, px_per_mm: float
    ) -> tuple[Field, Field]:
        """Surface, and where there is one, with holes as they were seen within the last `KEEP_S`.

        Args:
            seen: Distances of somebody, 0 elsewhere.
            hole: Where nothing was measured.
            surface: The same filled from around.
            share: Where that is something: 1, else 0.
            step_s: Time since the last picture.
            px_per_mm: Pixels per millimetre at the distance of the face.
        """
        import cv2

        there = seen > 0
        last, before, age_s = self._last, self._share, self._age_s
        if last is None or before is None or age_s is None or last.shape != surface.shape:
            self._last, self._age_s = None, np.where(there, 0, np.inf).astype(np.float32)
        else:
            off = seen - last
            both = (there & (before > 0) & (np.abs(off) < _EDGE_MM)).astype(np.float32)
            side = 2 * max(1, round(AROUND_MM * px_per_mm)) + 1
            weight = cv2.boxFilter(both, -1, (side, side))
            moved = cv2.boxFilter(off * both, -1, (side, side)) / np.maximum(weight, np.float32(1e-6))
            age_s = age_s + np.float32(step_s)
            known = hole & (before > 0) & (age_s < KEEP_S) & (weight > _LEAST_AROUND)
            surface = np.where(known, last + moved, surface).astype(np.float32)
            share = np.where(known, np.float32(1), share)
            self._age_s = np.where(there, np.float32(0), age_s)
        self._share = share
        return surface, share

    def _steadied(self, surface: Field, step_s: float) -> Field:
        """Averaged with what was seen just before, where it hardly changed."""
        if self._last is None or self._last.shape != surface.shape:
            self._last = surface
            return surface
        off = surface - self._last
        still = np.clip(2 - np.abs(off) / np.float32(STEADY_MM), 0, 1)
        share = np.float32(1) - still * np.float32(np.exp(-step_s / STEADY_S))
        self._last = self._last + share * off
        return self._last


def _filled(front: Field, px_per_mm: float) -> tuple[Field, Field]:
    """Distances with holes filled from around them, farther where need be, and how much is there, 0..1."""
    import cv2

    there = (front > 0).astype(np.float32)
    surface, share = front, there
    for reach_mm, least in FILL_MM:
        side = 2 * max(1, round(reach_mm * px_per_mm)) + 1
        weight = cv2.boxFilter(there, -1, (side, side))
        around = cv2.boxFilter(front, -1, (side, side)) / np.maximum(weight, np.float32(1e-6))
        new = (share == 0) & (weight > least)
        surface = np.where(new, around, surface)
        share = np.where(new, np.float32(1), share)
    return surface.astype(np.float32), share.astype(np.float32)


def shade(surface: Field, share: Field, focal_px: float, px_per_mm: float) -> NDArray[np.uint8]:
    """Light and dark of a surface.

    Args:
        surface: Distances in mm, float32 (h, w).
        share: Where there is something: 1, else 0, (h, w).
        focal_px: Focal length.
        px_per_mm: Pixels per millimetre at the distance of the face.
    """
    import cv2

    there = share > 0
    level = float(np.median(surface[there])) if there.any() else 0.0
    flat = np.where(there, surface, level).astype(np.float32)
    smooth = cv2.bilateralFilter(flat, 0, _EDGE_MM, max(0.8, SMOOTH_MM * px_per_mm))
    per_px = np.maximum(smooth, 1) / np.float32(focal_px)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8) / per_px
    along = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8) / per_px
    # The surface z(x, y) faces (dz/dx, dz/dy, -1): towards the camera.
    facing = (across * _LAMP[0] + along * _LAMP[1] - _LAMP[2]) / np.sqrt(across**2 + along**2 + 1)
    grey = _DARK + _LIGHT * np.maximum(facing, 0)
    for reach_mm, gain in ((FINE_MM, _FINE), (BROAD_MM, _BROAD)):
        sigma = max(0.8, reach_mm * px_per_mm)
        weight = cv2.GaussianBlur(share, (0, 0), sigma)
        around = cv2.GaussianBlur(flat * share, (0, 0), sigma) / np.maximum(weight, np.float32(1e-6))
        grey = grey + gain * np.clip(around - smooth, -4, 4)
    soft = cv2.GaussianBlur(share, (0, 0), max(0.8, 0.5 * px_per_mm))
    return np.clip(np.rint(grey * soft), 0, 255).astype(np.uint8)
