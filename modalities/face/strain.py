"""Optical strain: how far skin is stretched, sheared and squeezed, which no shift of the whole face changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMOOTH_PX = 5
"""Side of the square over which flow is averaged before it is differentiated."""


def optical_strain(flow: NDArray[np.float32], smooth_px: int = SMOOTH_PX) -> NDArray[np.float32]:
    """Magnitude of the infinitesimal strain tensor of a flow field (Shreve et al. 2011).

    With the tensor e = (grad u + grad u^T) / 2 the magnitude is sqrt(exx^2 + eyy^2 + exy^2 + eyx^2). Derivatives are
    central differences.

    Args:
        flow: Displacement, (h, w, 2), x right and y down in pixels.
        smooth_px: Side of the averaging square, odd; 1 for none.

    Returns:
        Strain without unit, 0 for a shift of the whole, float32 (h, w).
    """
    import cv2

    smooth = cv2.blur(flow, (smooth_px, smooth_px)) if smooth_px > 1 else flow
    u_y, u_x = np.gradient(smooth[..., 0])
    v_y, v_x = np.gradient(smooth[..., 1])
    shear = (u_y + v_x) / 2
    return np.sqrt(u_x**2 + v_y**2 + 2 * shear**2).astype(np.float32)
