"""A seated person, half photograph and half drawn: head and shoulders from a portrait, the rest shaded shapes.

All positions are in pixels of a 640x480 frame; other sizes scale them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.mesh import Picture, Pixels, find_mesh
from pipeline.simulate.face_portrait import cut_out, load_photograph

Layer = NDArray[np.float32]
DESIGN = (640, 480)
PHOTO_SCALE = 0.45
PHOTO_AT = (204.0, 22.0)
"""Where the top left corner of the photograph lies."""
SHOULDERS = {"right": np.array([243.0, 232.0]), "left": np.array([405.0, 232.0])}
LAP = {"right": np.array([291.0, 396.0]), "left": np.array([357.0, 396.0])}
"""Wrists at rest."""
MIDDLE_X, HIP_Y = 324.0, 420.0
ELBOW_LOW = (22.0, 102.0)
ELBOW_HIGH = (16.0, 92.0)
"""Elbow relative to the shoulder, outwards and down, with the hand in the lap and at the chin."""
HAND = 40.0
_CLOTH = np.array([27.0, 28.0, 40.0])
_LIGHT = np.array([-0.4, -0.55, 0.73])


@dataclass(frozen=True, eq=False)
class Figure:
    """The parts that are drawn once.

    Attributes:
        trunk: Person without arms, RGB times opacity, and 255 minus opacity, uint8 (h, w, 4).
        wall: What is behind, uint8 (h, w, 3).
        skin: Colour of the hands, RGB.
        chin: Where a hand touches the face, pixels.
        neck_y: Row of the chin's lower edge, where the head begins to move by itself.
    """

    trunk: Picture
    wall: Picture
    skin: NDArray[np.float64]
    chin: Pixels
    neck_y: float


def capsule(
    layer: Layer, start: Pixels, end: Pixels, radii: tuple[float, float], colour: NDArray[np.float64], rim: float = 0.25
) -> None:
    """Draw a rounded, shaded limb of varying thickness.

    Args:
        layer: Float picture, changed in place: RGB (h, w, 3), or RGB times opacity and opacity (h, w, 4).
        start: Centre of one end, (x, y).
        end: Centre of the other end.
        radii: Radius at start and end, pixels.
        colour: RGB in full light.
        rim: How much darker the outline is, 0..1, so that limbs stand out from each other.
    """
    reach = max(radii) + 2
    h, w = layer.shape[:2]
    x0, y0 = np.maximum(np.floor(np.minimum(start, end) - reach), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(np.maximum(start, end) + reach), (w, h)).astype(int)
    if x0 >= x1 or y0 >= y1:
        return
    x, y = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))
    along = end - start
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(float(along @ along), 1e-6), 0, 1)
    radius = radii[0] + share * (radii[1] - radii[0])
    dx, dy = (x - start[0] - share * along[0]) / radius, (y - start[1] - share * along[1]) / radius
    away = np.hypot(dx, dy)
    toward = np.sqrt(np.clip(1 - away**2, 0, 1))
    light = 0.45 + 0.6 * np.clip(_LIGHT[0] * dx + _LIGHT[1] * dy + _LIGHT[2] * toward, 0, 1)
    light *= 1 - rim * np.clip((away - 0.8) / 0.2, 0, 1)
    cover = np.clip((1 - away) * radius + 0.5, 0, 1)[..., None]
    part = layer[y0:y1, x0:x1]
    part *= 1 - cover
    part[..., :3] += cover * light[..., None] * colour.astype(np.float32)
    part[..., 3:] += 255 * cover


def build_figure() -> Figure:
    """Compose wall, chair, trunk, legs and the photograph.

    Raises:
        NothingUsableError: no face was found in the photograph.
    """
    import cv2

    photograph = load_photograph("hopper")
    mesh = find_mesh(photograph).moved(PHOTO_SCALE, np.array(PHOTO_AT))
    affine = np.array([[PHOTO_SCALE, 0, PHOTO_AT[0]], [0, PHOTO_SCALE, PHOTO_AT[1]]])
    cut = np.dstack([photograph.astype(np.float32), 255 * cut_out(photograph)])
    soft = cv2.GaussianBlur(cut, (0, 0), 0.8)
    top = cv2.warpAffine(soft, affine, DESIGN, flags=cv2.INTER_CUBIC)
    rows = np.arange(DESIGN[1], dtype=np.float32)[:, None, None]
    columns = np.arange(DESIGN[0], dtype=np.float32)[None, :, None]
    end = PHOTO_AT[1] + PHOTO_SCALE * photograph.shape[0]
    half = 120 - 44 * np.clip((rows - SHOULDERS["left"][1] + 20) / 30, 0, 1)
    top[..., 3:] *= np.clip((end - 4 - rows) / 36, 0, 1) * np.clip((half - np.abs(columns - MIDDLE_X)) / 10, 0, 1)
    top = np.clip(top, 0, 255)
    layer = np.zeros((DESIGN[1], DESIGN[0], 4), np.float32)
    _draw_trunk(layer)
    cover = top[..., 3:] / 255
    layer *= 1 - cover
    layer += np.dstack([top[..., :3] * cover, top[..., 3]])
    tone = np.median(cut[260:300, 200:330, :3].reshape(-1, 3), axis=0)
    layer[..., 3] = 255 - layer[..., 3]
    trunk = np.clip(np.rint(layer), 0, 255).astype(np.uint8)
    chin = mesh.points[152]
    return Figure(trunk, _draw_wall(), tone.astype(np.float64), chin - np.array([0.0, 6.0]), float(chin[1]))


def _draw_trunk(layer: Layer) -> None:
    """Jacket below the photograph, lap and thighs towards the viewer."""
    for side, sign in (("right", -1.0), ("left", 1.0)):
        hip = np.array([MIDDLE_X + sign * 44, HIP_Y])
        capsule(layer, hip, hip + np.array([sign * 34, 52]), (46, 54), 0.75 * _CLOTH)
        capsule(
            layer, SHOULDERS[side] + np.array([-sign * 24, 24]), hip + np.array([-sign * 4, -22]), (46, 44), _CLOTH, 0.0
        )
    capsule(layer, np.array([MIDDLE_X, 250.0]), np.array([MIDDLE_X, 398.0]), (52, 54), _CLOTH, 0.0)
    for row in (312.0, 344.0, 376.0):
        capsule(layer, np.array([MIDDLE_X, row]), np.array([MIDDLE_X, row]), (3.5, 3.5), np.array([205.0, 170.0, 80.0]))


def _draw_wall() -> Picture:
    """A plain wall with a soft light, and the back of a chair."""
    import cv2

    x, y = np.meshgrid(np.linspace(-1, 1, DESIGN[0]), np.linspace(-1, 1, DESIGN[1]))
    glow = 1 - 0.16 * np.hypot(x + 0.35, y + 0.4)
    wall = glow[..., None].astype(np.float32) * np.array([202.0, 204.0, 198.0], np.float32)
    chair = np.zeros((DESIGN[1], DESIGN[0], 4), np.float32)
    wood = np.array([150.0, 112.0, 76.0])
    for ends in (((212, 214), (436, 214)), ((212, 214), (205, 470)), ((436, 214), (443, 470))):
        capsule(chair, np.array(ends[0], float), np.array(ends[1], float), (11, 11), wood)
    lit = wall * (1 - chair[..., 3:] / 255) + chair[..., :3]
    return np.clip(np.rint(cv2.GaussianBlur(lit, (0, 0), 1.2)), 0, 255).astype(np.uint8)


def draw_arm(
    layer: Layer,
    shoulder: Pixels,
    elbow: Pixels,
    wrist: Pixels,
    side: str,
    towards: Pixels,
    skin: NDArray[np.float64],
) -> None:
    """Draw one arm with its hand.

    Args:
        layer: Float picture, changed in place.
        shoulder: Of this arm, pixels.
        elbow: Pixels.
        wrist: Where the hand begins.
        side: "right" or "left", the person's own.
        towards: Unit vector from the wrist to the finger tips.
        skin: RGB.
    """
    sign = -1.0 if side == "right" else 1.0
    sleeve = 1.6 * _CLOTH
    capsule(layer, shoulder, elbow, (27, 20), sleeve)
    capsule(layer, elbow, wrist, (20, 13.5), sleeve)
    cuff = wrist + 0.14 * (elbow - wrist)
    capsule(layer, cuff, wrist + 0.04 * (elbow - wrist), (14.2, 13.8), np.array([214.0, 178.0, 88.0]))
    across = np.array([-towards[1], towards[0]])
    palm = wrist + 0.42 * HAND * towards
    capsule(layer, wrist, palm, (9.5, 12.5), skin)
    inner = 1.0 if across[0] * sign < 0 else -1.0
    capsule(layer, wrist + 0.2 * HAND * towards + inner * 9 * across, palm + inner * 17 * across, (5.5, 4.2), skin)
    for place, length in ((-8.4, 0.40), (-2.8, 0.52), (2.8, 0.55), (8.4, 0.47)):
        root = palm + inner * place * across
        capsule(layer, root, root + length * HAND * towards, (4.6, 3.6), skin)
