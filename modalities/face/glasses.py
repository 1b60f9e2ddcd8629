"""Frames of glasses, lifted off the aligned picture before motion is measured in it.

A dark frame hides a strip of skin, and it is stiff: with its strong edges flow follows the head there and not the brow
or the cheek behind it. Frames are told from brows, lashes and shadows by their bridge: nothing that grows on a face
crosses the root of the nose as a thin dark line (as glasses are told by the edges there; Jing & Mariani 2000). What
hangs together with such a line is the frame. It is painted over from the skin beside it (normalised convolution;
Knutsson & Westin 1993), which moves as the skin does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.models import Picture
from modalities.face.registration import PATCH_IOD_PX

DARK = 0.6
"""Pixels of a frame have at most this share of the brightness beside it."""
LEAST_LIGHT = 60
"""Grey levels that what lies beside a frame has at least: dark lines in hair and before the background are no frame."""
THICK_PX = round(0.15 * PATCH_IOD_PX)
"""A frame is thinner than half of this: what a disc of so many pixels closes."""
ACROSS = 0.9
"""Share of the columns of the root of the nose that a bridge crosses."""
HOLD_S = 0.5
"""A frame that is not found again stays where it was for so long."""
BLUR_PX = (1.5, 4.5)
"""Standard deviation of the bell over which skin is spread; the second where the first does not reach."""
_CORNERS = (133, 362)
_HALF_WIDTH, _HALF_HEIGHT = 0.3, 0.6
_LEAST_SHARE = 0.05

Mask = NDArray[np.bool_]


class FrameLifter:
    """Lifts the frame of glasses off the aligned pictures of one face, one after the other."""

    def __init__(self) -> None:
        self._mask: Mask | None = None
        self._seen_ns = 0

    def lift(self, patch: Picture, points: NDArray[np.float32], t_ns: int) -> Picture:
        """The next picture without the frame; the same picture where there is none.

        Args:
            patch: Grey uint8 (s, s).
            points: Landmarks in it, (478, 2).
            t_ns: Its time; increases from call to call.

        Returns:
            uint8 (s, s).
        """
        found = find_frame(patch, points)
        if found is not None:
            self._mask, self._seen_ns = found, t_ns
        elif self._mask is not None and t_ns - self._seen_ns > HOLD_S * NS_PER_S:
            self._mask = None
        return patch if self._mask is None else paint_over(patch, self._mask)


def find_frame(patch: Picture, points: NDArray[np.floating]) -> Mask | None:
    """Where the frame of glasses is.

    Args:
        patch: Aligned picture, grey uint8 (s, s).
        points: Landmarks in it, (478, 2).

    Returns:
        bool (s, s); None where nothing crosses the root of the nose.
    """
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (THICK_PX, THICK_PX))
    beside = cv2.morphologyEx(patch, cv2.MORPH_CLOSE, disc)
    dark = (patch < DARK * beside.astype(np.float32)) & (beside >= LEAST_LIGHT)
    root = _root_of_nose(points, patch.shape)
    if not _crosses(dark[root]):
        return None
    _, parts = cv2.connectedComponents(dark.astype(np.uint8), connectivity=8)
    here = np.asarray(parts)[root]
    for part in np.unique(here[here > 0]).tolist():
        if _crosses(here == part):
            return np.asarray(parts == part)
    return None


def paint_over(patch: Picture, mask: Mask) -> Picture:
    """The picture with a frame, and a pixel on each side of it, painted over by what lies around, uint8 (s, s).

    Args:
        patch: Grey uint8 (s, s).
        mask: Where the frame is, bool (s, s).
    """
    import cv2

    wide = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    left, top, width, height = cv2.boundingRect(wide)
    margin = round(3 * BLUR_PX[1])
    rows = slice(max(0, top - margin), top + height + margin)
    columns = slice(max(0, left - margin), left + width + margin)
    hidden, grey = wide[rows, columns] > 0, patch[rows, columns].astype(np.float32)
    seen = (~hidden).astype(np.float32)
    out, open_ = grey.copy(), hidden
    for blur in BLUR_PX:
        share = cv2.GaussianBlur(seen, (0, 0), blur)
        skin = cv2.GaussianBlur(grey * seen, (0, 0), blur) / np.maximum(share, np.float32(1e-6))
        near = open_ & (share > _LEAST_SHARE)
        out[near] = skin[near]
        open_ = open_ & ~near
    whole = patch.copy()
    whole[rows, columns] = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    return whole


def _root_of_nose(points: NDArray[np.floating], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of an aligned picture between the inner corners of the eyes."""
    right, left = (points[index].astype(np.float64) for index in _CORNERS)
    apart, (x, y) = float(np.hypot(*(left - right))), (right + left) / 2
    first = np.rint((y - _HALF_HEIGHT * apart, x - _HALF_WIDTH * apart)).astype(int)
    last = np.rint((y + _HALF_HEIGHT * apart, x + _HALF_WIDTH * apart)).astype(int) + 1
    rows, columns = (slice(max(0, a), min(max(b, 0), n)) for a, b, n in zip(first, last, shape, strict=True))
    return rows, columns


def _crosses(dark: Mask) -> bool:
    return bool(dark.size) and float(dark.any(axis=0).mean()) >= ACROSS
