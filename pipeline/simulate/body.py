"""A seated body that moves as a script says: hands between lap and chin, a swaying trunk, a nodding head."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.mesh import Picture, Pixels, look_up
from pipeline.simulate import body_figure as figures
from pipeline.simulate.body_figure import DESIGN, HIP_Y, SHOULDERS, Figure, Layer, build_figure, draw_arm
from pipeline.simulate.chance import generator
from pipeline.simulate.motion import BodyMotion

SWAY_SHARE = 0.04
"""Sideways movement of the shoulders at sway 1, as a share of the picture's width."""
NOD_PX = 9.0
"""Downward movement of the face at nod 1, in a frame 480 pixels high."""
NOISE_SIGMA = 1.5
_SIDES = ("right", "left")


def render_body(motion: BodyMotion, *, size: tuple[int, int] = (640, 480), seed: int = 0) -> Iterator[Picture]:
    """Draw a seated person frame by frame.

    Args:
        motion: What the body does, one value per frame.
        size: Width and height of the frames, 4:3.
        seed: Of the sensor noise, >= 0.

    Yields:
        RGB frames, uint8 (height, width, 3).

    Raises:
        InvalidValueError: a size that is not 4:3 or below 320x240.
        NothingUsableError: no face was found in the photograph.
    """
    if size[0] * DESIGN[1] != size[1] * DESIGN[0] or size[0] < 320:
        raise InvalidValueError("a body needs a 4:3 frame", got=size, expected="320x240 or larger, 4:3")
    return _frames(motion, (int(size[0]), int(size[1])), seed)


def _frames(motion: BodyMotion, size: tuple[int, int], seed: int) -> Iterator[Picture]:
    import cv2

    figure = build_figure()
    rng = generator(seed, "body noise")
    grain = NOISE_SIGMA * rng.standard_normal((size[1] + 255, size[0] + 255, 3), dtype=np.float32)
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in DESIGN)), axis=-1)
    for i in range(len(motion.times_s)):
        picture = _draw(figure, grid, motion, i)
        if size != DESIGN:
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
        y, x = rng.integers(256, size=2).tolist()
        yield np.asarray(cv2.add(picture, grain[y : y + size[1], x : x + size[0]], dtype=cv2.CV_8U), np.uint8)


def shifts(points: Pixels, sway: float, nod: float, neck_y: float) -> Pixels:
    """How far places of the trunk at rest have moved, pixels (..., 2): none at the hips, all at the shoulders."""
    lever = np.clip((HIP_Y - points[..., 1]) / (HIP_Y - SHOULDERS["left"][1]), 0, 1.6)
    ramp = np.clip((neck_y + 30 - points[..., 1]) / 70, 0, 1)
    down = nod * NOD_PX * ramp * ramp * (3 - 2 * ramp)
    return np.stack([sway * SWAY_SHARE * DESIGN[0] * lever, down], axis=-1).astype(points.dtype)


def wrist_at(side: str, raised: float, sway: float, nod: float, figure: Figure) -> tuple[Pixels, Pixels]:
    """Wrist in pixels, and the unit vector from it to the finger tips.

    Args:
        side: "right" or "left", the person's own.
        raised: 0 in the lap to 1 with the finger tips at the chin.
        sway: Of the trunk, -1..1.
        nod: Of the head, -1..1.
        figure: Who it is.
    """
    sign = -1.0 if side == "right" else 1.0
    chin = figure.chin + shifts(figure.chin, sway, nod, figure.neck_y)
    rest = np.radians(90 + 35 * sign)
    up = np.radians(-90 - 22 * sign)
    angle = rest + raised * (up - rest)
    towards = np.array([np.cos(angle), np.sin(angle)])
    goal = chin - 0.95 * figures.HAND * np.array([np.cos(up), np.sin(up)])
    start = figures.LAP[side] + shifts(figures.LAP[side], sway, 0.0, figure.neck_y)
    bulge = np.array([sign * 46.0, 0.0]) * 4 * raised * (1 - raised) * 0.5
    return start + raised * (goal - start) + bulge, towards


def elbow_at(side: str, raised: float, shoulder: Pixels) -> Pixels:
    """Elbow in pixels; it swings outwards while the hand is on its way."""
    sign = -1.0 if side == "right" else 1.0
    out, down = np.array(figures.ELBOW_LOW) + raised * (np.array(figures.ELBOW_HIGH) - figures.ELBOW_LOW)
    return shoulder + np.array([sign * (out + 36 * raised * (1 - raised)), down])


def _draw(figure: Figure, grid: np.ndarray, motion: BodyMotion, i: int) -> Layer:
    """Frame `i` before the sensor, float32 (h, w, 3)."""
    import cv2

    sway, nod = float(motion.sway[i]), float(motion.nod[i])
    place = grid - shifts(grid[:, :1], sway, nod, figure.neck_y)
    trunk = look_up(figure.trunk, place)
    behind = cv2.multiply(figure.wall, cv2.cvtColor(cv2.extractChannel(trunk, 3), cv2.COLOR_GRAY2RGB), scale=1 / 255)
    picture = cv2.add(cv2.cvtColor(trunk, cv2.COLOR_RGBA2RGB), behind).astype(np.float32)
    raised = {"right": float(motion.right_hand_to_face[i]), "left": float(motion.left_hand_to_face[i])}
    for side in sorted(_SIDES, key=lambda s: raised[s]):
        shoulder = SHOULDERS[side] + shifts(SHOULDERS[side], sway, 0.0, figure.neck_y)
        wrist, towards = wrist_at(side, raised[side], sway, nod, figure)
        elbow = elbow_at(side, raised[side], shoulder)
        draw_arm(picture, shoulder, elbow, wrist, side, towards, figure.skin)
    return picture
