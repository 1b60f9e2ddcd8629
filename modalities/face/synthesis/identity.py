"""Random faces out of one photograph: other proportions, another tone, at times its mirror image.

So no shipped weight is that of one face, although few photographs are free to ship.
"""

from __future__ import annotations

import numpy as np

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.mesh import FaceMesh, Picture, Pixels, displacement_field, find_mesh, look_up

SHAPES: dict[str, tuple[tuple[tuple[int, ...], tuple[int, ...]], float, float]] = {
    "eyes": (((33, 133, 159, 145, 468), (263, 362, 386, 374, 473)), 0.04, 0.04),
    "brows": (((107, 105, 70), (336, 334, 300)), 0.03, 0.06),
    "nose_tip": (((1, 4), (1, 4)), 0.0, 0.06),
    "nose_wings": (((129, 49), (358, 279)), 0.04, 0.06),
    "mouth": (((61, 78), (291, 308)), 0.06, 0.06),
    "lips": (((0, 17), (0, 17)), 0.0, 0.06),
    "chin": (((152, 199), (152, 199)), 0.0, 0.1),
    "jaw": (((172, 136, 58), (397, 365, 288)), 0.1, 0.05),
    "cheeks": (((123, 234), (352, 454)), 0.08, 0.03),
    "forehead": (((10, 151), (10, 151)), 0.0, 0.06),
}
"""Parts of the face: landmarks (right, left), and the standard deviation of their shift outwards and upwards, in
inter-ocular distances: a few millimetres, the order of size by which adults differ (Farkas 1994)."""
_REACH = 1.0
_LIMIT = 1.6
"""Shifts are cut at this many standard deviations, so that no face folds."""
_SOFTEN = 0.6
"""Neighbouring parts pull at each other; each is asked for this share of its own shift."""


def reshape_face(photograph: Picture, identity: int) -> Picture:
    """Another face from the face in a photograph.

    Args:
        photograph: RGB, uint8 (h, w, 3), one face.
        identity: Which of endlessly many; 0 is the photograph itself.

    Returns:
        RGB of the same size.

    Raises:
        InvalidValueError: a negative identity.
        NothingUsableError: no face in the photograph.
    """
    if identity < 0:
        raise InvalidValueError("an identity cannot be negative", got=identity)
    if identity == 0:
        return photograph
    rng = np.random.default_rng(np.random.SeedSequence([identity, 1_946]))
    mesh = find_mesh(photograph)
    height, width = photograph.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    forward = displacement_field(mesh, draw_shape(mesh, rng), _REACH * mesh.iod, grid)
    back = -forward
    for _ in range(6):
        back = -look_up(forward, grid + back)
    shaped = look_up(photograph, grid + back)
    if rng.random() < 0.5:
        shaped = shaped[:, ::-1]
    return _tone(np.ascontiguousarray(shaped), rng)


def draw_shape(mesh: FaceMesh, rng: np.random.Generator) -> dict[int, Pixels]:
    """Random proportions, the same on both sides but for a little: displacement (x, y) in pixels by landmark."""
    moves: dict[int, Pixels] = {}
    for (right, left), outwards, upwards in SHAPES.values():
        out, up = _SOFTEN * np.clip(rng.standard_normal(2), -_LIMIT, _LIMIT) * (outwards, upwards)
        for sign, marks in ((-1.0, right), (1.0, left)):
            lop = 1 + 0.15 * rng.standard_normal()
            step = mesh.iod * lop * (sign * out * mesh.across + up * mesh.upwards)
            moves.update(dict.fromkeys(marks, step))
    return moves


def _tone(picture: Picture, rng: np.random.Generator) -> Picture:
    """Another camera, lamp and skin: gamma, gain and a shift of colour."""
    gamma, gain = rng.uniform(0.8, 1.25), rng.uniform(0.85, 1.1)
    colour = 1 + 0.06 * rng.standard_normal(3)
    share = (picture.astype(np.float32) / 255) ** np.float32(gamma)
    return np.clip(np.rint(255 * share * (gain * colour).astype(np.float32)), 0, 255).astype(np.uint8)
