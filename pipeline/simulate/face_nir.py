"""The puppet as a near-infrared camera sees it: 850 nm, an illuminator beside the lens, grey.

Between 700 and 900 nm melanin and haemoglobin absorb little: skin is bright and even, its tones differ less than to the
eye, lips and brows lose contrast, dark irises show lighter (Jacquez, Kuppenheim et al. 1955; Anderson & Parrish 1981;
Mangold, Shaw & Vollmer 2013). The lamp stands beside the lens: what faces the camera is brightest and shines, what is
turned away or far falls off (Zou, Kittler & Messer 2007). How much of each is an assumption, stated by the constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.mesh import Field, Picture, look_up
from pipeline.simulate.chance import generator
from pipeline.simulate.face import PULSE_GAIN, Puppet, Trace
from pipeline.simulate.face_fields import STEP
from pipeline.simulate.face_glasses import Glasses
from pipeline.simulate.face_lids import OUTLINES
from pipeline.simulate.face_portrait import Portrait
from pipeline.simulate.face_relief import area_of
from pipeline.simulate.face_surface import Points
from pipeline.simulate.face_view import WALL_MM
from pipeline.simulate.motion import FaceMotion

SKIN = 0.60
"""Reflectance of skin at 850 nm: an assumption, for light and medium tones."""
SKIN_CONTRAST, OTHER_CONTRAST = 0.32, 0.6
"""Powers of the red channel that skin, and hair, cloth and eyes, keep of their contrast."""
GAMMA = 2.2
"""Of the camera's response, both at 8 and at 16 bits."""
EXPOSURE = 1.1
"""Response to a surface of reflectance 1 that faces the camera at the distance of the eyes, before `GAMMA`."""
PULSE_SHARE = 0.3
"""How much of the green channel's pulse is left: infrared is absorbed little, by blood too."""
_SHINE, _SHARPNESS = 0.3, 30.0
"""Strength of the reflection by the skin's oil, and power of the cosine by which it fades around its middle."""
_AMBIENT = 0.18
"""Light that comes from all sides, as a share of the lamp's."""
_DIFFUSION_MM = 3.0
"""How far light wanders within the skin before it leaves again; it smooths away what a hard surface would show."""
_LAMP_MM = np.array([25.0, -15.0, 0.0])
"""Where the lamp stands, in the camera's axes."""
_IRISES = {"right": (468, (469, 470, 471, 472)), "left": (473, (474, 475, 476, 477))}
_IRIS, _PUPIL, _GLINT = 0.35, 0.05, 1.2
"""Reflectance of a dark iris and of the pupil, and of the lamp's image in the cornea."""


@dataclass(frozen=True, slots=True)
class InfraredSensor:
    """How an infrared camera is.

    Attributes:
        bits: 8, or 16 for pictures of the same response in finer steps.
        noise: Standard deviation at mid grey, as a share of full scale.
        shine: Strength of the hot spots, 1 as usual, 0 for powdered skin.
        glasses: Whether the person wears glasses, with a dark frame and the lamp in their lenses.
    """

    bits: int = 8
    noise: float = 0.006
    shine: float = 1.0
    glasses: bool = False

    def __post_init__(self) -> None:
        if self.bits not in (8, 16) or self.noise < 0 or self.shine < 0:
            raise InvalidValueError(
                "an infrared camera has 8 or 16 bits, and its noise and shine are not negative",
                got=(self.bits, self.noise, self.shine),
            )


class InfraredCamera:
    """An infrared camera before a puppet.

    Args:
        puppet: Before the camera's own view (`Puppet.seen_by`).
        sensor: Its quality.
        seed: Of its noise.

    Raises:
        InvalidValueError: the puppet has no view.
    """

    def __init__(self, puppet: Puppet, sensor: InfraredSensor | None = None, seed: int = 0) -> None:
        if puppet.sight is None:
            raise InvalidValueError("only a puppet before a camera has a shape", mend="Take puppet.seen_by(view).")
        self.sight, self.sensor = puppet.sight, sensor or InfraredSensor()
        self.puppet = puppet.dressed(infrared_portrait(puppet.portrait, self.sight.surface.distance_mm))
        self.puppet.pulse_gain = np.full(3, PULSE_SHARE * PULSE_GAIN[1])
        self._glasses = Glasses(self.sight.surface) if self.sensor.glasses else None
        self._rng = generator(seed, "infrared camera")
        shape = (self.sight.size[1] + 255, self.sight.size[0] + 255)
        self._grain = self._rng.standard_normal(shape, dtype=np.float32)

    def frames(self, motion: FaceMotion) -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
        """Grey pictures, uint8 or uint16 (h, w)."""
        for i in range(len(motion.times_s)):
            yield self.expose(self.draw(motion, i))

    def draw(self, motion: FaceMotion, i: int) -> Field:
        """Light that reaches the sensor in frame `i`, float32 (h, w); 1 is full scale, more is cut off."""
        trace = self.puppet.trace(motion, i)
        reflected = (np.maximum(self.puppet.compose(trace, motion, i)[..., 0], 0) / np.float32(255)) ** GAMMA
        lamp, shine = (self.puppet.over_frame(part) for part in self._light(trace))
        if self._glasses is not None:
            cover, colour = self._glasses.draw(self.puppet, motion, i, _LAMP_MM)
            lamp = np.where(cover > 0, 1, lamp)
            reflected, shine = reflected + cover * (colour - reflected), shine * (1 - cover)
        return np.asarray(EXPOSURE * (reflected * lamp + shine * self.sensor.shine), np.float32)

    def expose(self, light: Field) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """What the sensor makes of it: response, noise that grows with the root of the light, whole numbers."""
        y, x = self._rng.integers(256, size=2).tolist()
        grain = self._grain[y : y + light.shape[0], x : x + light.shape[1]]
        signal = np.clip(light, 0, 1) ** np.float32(1 / GAMMA)
        noisy = np.clip(signal + self.sensor.noise * (0.5 + signal) * grain, 0, 1)
        if self.sensor.bits == 8:
            return np.rint(noisy * 255).astype(np.uint8)
        return np.rint(noisy * 65_535).astype(np.uint16)

    def _light(self, trace: Trace) -> tuple[Field, Field]:
        """At every node what falls on what is seen there, and what the skin shines, float32 (rows, columns) each."""
        points = trace.points[0]
        normal = normals(points)
        soft = _softened(normal, _DIFFUSION_MM / (self.sight.surface.mm_per_px * STEP))
        to_lens, to_lamp = -points, _LAMP_MM - points
        far = np.linalg.norm(to_lamp, axis=-1)
        to_lamp = to_lamp / far[..., None]
        between = to_lamp + to_lens / np.linalg.norm(to_lens, axis=-1, keepdims=True)
        between /= np.linalg.norm(between, axis=-1, keepdims=True)
        strength = (self.sight.surface.distance_mm / far) ** 2
        facing = np.clip((soft * to_lamp).sum(axis=-1), 0, 1)
        glance = np.clip((normal * between).sum(axis=-1), 0, 1) ** _SHARPNESS
        fields = self.puppet.fields
        lamp = (_AMBIENT + (1 - _AMBIENT) * facing) * strength
        shine = _SHINE * glance * strength * look_up(self.puppet.portrait.skin, fields.grid)
        both = np.dstack([lamp, shine]).astype(np.float32)
        seen = look_up(both, (fields.grid + trace.back + 0.5) / STEP - 0.5)
        return seen[..., 0], seen[..., 1]


def normals(points: Points) -> Points:
    """Unit normals towards the camera of a surface given by its points (rows, columns, 3), same shape."""
    down, along = np.gradient(points, axis=(0, 1))
    out = np.cross(down, along)
    out /= np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-9)
    return np.asarray(out * -np.sign((out * points).sum(axis=-1, keepdims=True)))


def _softened(normal: Points, nodes: float) -> Points:
    """Normals averaged over their surroundings, unit vectors again."""
    import cv2

    out = np.asarray(cv2.GaussianBlur(normal, (0, 0), max(nodes, 0.3)))
    return out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-9)


def infrared_portrait(portrait: Portrait, distance_mm: float) -> Portrait:
    """The photograph as it would be at 850 nm, evenly lit: grey, its values the response to the reflectance.

    Args:
        portrait: In colour.
        distance_mm: Of the eyes; the wall behind is darker, because the lamp is farther from it.
    """
    import cv2

    red = (portrait.person[..., 0] / np.float32(255)) ** GAMMA + np.float32(0.004)
    skin = portrait.skin
    tone = float(np.exp(np.average(np.log(red), weights=skin + 1e-9)))
    ratio = np.minimum(red / tone, 2.5)
    face = np.maximum(skin, _face(portrait))
    even = SKIN * ratio ** (face * SKIN_CONTRAST + (1 - face) * OTHER_CONTRAST)
    out = _with_eyes(portrait, even.astype(np.float32))
    behind = np.asarray(cv2.cvtColor(portrait.background, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)
    fall = (distance_mm / (distance_mm + WALL_MM)) ** 2
    opacity = cv2.erode(portrait.person[..., 3], np.ones((3, 3), np.uint8)).astype(np.float32)
    sharp = np.clip(2 * opacity - 255, 0, 255).astype(np.uint8)
    return replace(
        portrait,
        person=np.dstack([_grey(out), sharp]),
        background=_grey((SKIN * fall * behind ** (GAMMA * OTHER_CONTRAST)).astype(np.float32)),
    )


def _face(portrait: Portrait) -> Field:
    """Lips and brows, which are skin and thin hair, 0..1."""
    shape, mesh = portrait.person.shape[:2], portrait.mesh
    return area_of(mesh.points[[61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91]], shape, 0.02 * mesh.iod)


def _with_eyes(portrait: Portrait, picture: Field) -> Field:
    """Irises that reflect more than in the red, dark pupils, and the lamp in the corneas."""
    mesh, shape = portrait.mesh, picture.shape
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    for side, (middle, rim) in _IRISES.items():
        upper, lower = (mesh.points[list(marks)] for marks in OUTLINES[side])
        opening = area_of(np.vstack([upper, lower[::-1]]), shape, 0.01 * mesh.iod)
        centre = mesh.points[middle]
        radius = float(np.linalg.norm(mesh.points[list(rim)] - centre, axis=1).mean())
        away = np.hypot(x - centre[0], y - centre[1]) / radius
        iris = opening * np.clip((1.02 - away) * radius / 1.5, 0, 1)
        pupil = opening * np.clip((0.38 - away) * radius / 1.5, 0, 1)
        lighter = np.clip(0.6 * _IRIS + 0.6 * picture, 0.0, 0.45)
        picture = picture + iris * (lighter - picture)
        picture = picture + pupil * (_PUPIL - picture)
        glint = np.hypot(x - centre[0] - 0.3 * radius, y - centre[1] + 0.25 * radius)
        picture = picture + opening * np.exp(-((glint / (0.11 * radius)) ** 2)) * (_GLINT - picture)
    return np.asarray(picture, np.float32)


def _grey(reflectance: Field) -> Picture:
    """Three equal channels of the camera's response, uint8 (h, w, 3)."""
    grey = np.rint(255 * np.clip(reflectance, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
