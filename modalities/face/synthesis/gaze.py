"""Eyes that look elsewhere: the irises of any face in a picture slide between the lids, which follow up and down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modalities.face.synthesis.action_units import ROWS
from modalities.face.synthesis.fields import lid_field
from modalities.face.synthesis.mesh import FaceMesh, Picture, look_up
from modalities.face.synthesis.planting import warp_face

EYES = (
    (468, (469, 471), (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)),
    (473, (474, 476), (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)),
)
"""Of the right and the left eye: centre of the iris, two opposite points of its edge, outline of the opening."""
EYEBALL = 0.19
"""Radius of the eyeball in inter-ocular distances (12 of 63 mm: Bekerman et al. 2014, Dodgson 2004)."""
FOLLOWING = {"lid_upper": 0.8, "lid_lower": 0.4}
"""Share of the iris's rise and fall by which the lids follow (upper: Becker & Fuchs 1988)."""
_RIM = 1.1
"""How far around the iris the white of the eye is pressed or stretched, in radii of the iris."""


def turn_eyes(picture: Picture, mesh: FaceMesh, yaw_deg: float, pitch_deg: float) -> Picture:
    """One picture with the eyes turned in the head; the argument is left as it was.

    Args:
        picture: RGB, uint8 (h, w, 3).
        mesh: Its face, with irises.
        yaw_deg: Turn from where the eyes look now, positive to the person's left.
        pitch_deg: Positive up.
    """
    import cv2

    turn = np.sin(np.radians([yaw_deg, pitch_deg])) * EYEBALL * mesh.iod
    step = turn[0] * mesh.across + turn[1] * mesh.upwards
    rise = float(turn[1]) / mesh.iod
    row = replace(ROWS["au05"], moves={lid: (0.0, gain * rise) for lid, gain in FOLLOWING.items()})
    picture = warp_face(picture, mesh, lambda at: lid_field(mesh, "au05", at, row))
    points = mesh.points + lid_field(mesh, "au05", mesh.points, row)
    out = picture.copy()
    for centre, edge, outline in EYES:
        radius = float(np.linalg.norm(mesh.points[edge[0]] - mesh.points[edge[1]])) / 2
        line = points[list(outline)]
        low = np.maximum(np.floor(line.min(axis=0) - 3), 0).astype(int)
        high = np.minimum(np.ceil(line.max(axis=0) + 4), picture.shape[1::-1]).astype(int)
        if np.any(high - low < 4):
            continue
        at = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True))), axis=-1).astype(
            np.float64
        )
        far = np.linalg.norm(at - mesh.points[centre] - step, axis=-1) / radius
        share = np.clip(1 - (far - 1) / _RIM, 0, 1)[..., None]
        moved = look_up(picture, at - share * step)
        opening = np.zeros(at.shape[:2], np.float32)
        cv2.fillPoly(opening, [np.rint(line - low).astype(np.int32)], 1.0)
        opening = cv2.GaussianBlur(opening, (0, 0), max(0.6, 0.08 * radius)).astype(np.float32)[..., None]
        part = out[low[1] : high[1], low[0] : high[0]]
        out[low[1] : high[1], low[0] : high[0]] = np.rint(part + opening * (moved - part.astype(np.float32)))
    return out
