"""What a depth camera of the structured-light kind reads of the puppet's head: 16-bit distances, noise, holes.

Noise grows with the square of the distance, as triangulation has it (Khoshelham & Elberink 2012). Its size, 0.1 mm at
600 mm by default, is an assumption: between consumers' cameras (about 1 mm) and industrial ones (some 0.05 mm). So are
the shares of holes; where they lie follows Mallick, Das & Majumdar (2014): at steep and dark places, in hair, and
where a part of the face stands between the projector and what the camera sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.mesh import OVAL, Field, look_up
from pipeline.simulate.chance import generator
from pipeline.simulate.face import Puppet, Trace
from pipeline.simulate.face_fields import STEP
from pipeline.simulate.face_view import WALL_MM, Sight
from pipeline.simulate.motion import FaceMotion

NOISE_AT_MM = 600.0
"""Where a sensor's noise is stated."""
MOST_HOLES = 0.3
PROJECTOR_MM = 50.0
"""How far to the right of the camera the projector stands."""
MOUTH_MM = 12.0
"""How deep the inside of an open mouth lies."""
_GRAZING = 0.17
"""Cosine between a surface and the line of sight below which no pattern is read: 80 degrees."""
_MIXTURE = {"skin": 0.8, "drifting": 0.4, "speckle": 0.5, "dark": 0.5, "oblique": 1.0}
"""What decides which places lose their reading first."""

Depth = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class DepthSensor:
    """How good a depth camera is.

    Attributes:
        unit_mm: Step of its numbers, 0.1 mm; a manifest's depth_scale_m is a thousandth of it.
        noise_mm: Standard deviation of a reading at `NOISE_AT_MM`.
        holes: Share of the face's pixels without a reading, 0..0.3.
        hair: The same of hair, 0..1.
        shadows: Whether steep places and those that the projector does not reach are holes too.
        reach_mm: Beyond it nothing is read; the wall is farther by default.
    """

    unit_mm: float = 0.1
    noise_mm: float = 0.1
    holes: float = 0.02
    hair: float = 0.5
    shadows: bool = True
    reach_mm: float = 1200.0

    def __post_init__(self) -> None:
        if not 0 <= self.holes <= MOST_HOLES or not 0 <= self.hair <= 1:
            raise InvalidValueError(
                "a depth camera's shares of holes are out of range",
                got=(self.holes, self.hair),
                expected=f"0 to {MOST_HOLES} of the face, 0 to 1 of hair",
            )
        if self.unit_mm <= 0 or self.noise_mm < 0 or not 0 < self.reach_mm <= 65_535 * self.unit_mm:
            raise InvalidValueError(
                "a depth camera's unit, noise or reach is out of range",
                got=(self.unit_mm, self.noise_mm, self.reach_mm),
                expected="unit above 0, noise not below 0, a reach of at most 65535 units",
            )


class DepthCamera:
    """A depth camera before a puppet.

    Args:
        puppet: Before the camera's own view (`Puppet.seen_by`).
        sensor: Its quality.
        seed: Of noise and holes.

    Raises:
        InvalidValueError: the puppet has no view.
    """

    def __init__(self, puppet: Puppet, sensor: DepthSensor | None = None, seed: int = 0) -> None:
        if puppet.sight is None:
            raise InvalidValueError("only a puppet before a camera has a depth", mend="Take puppet.seen_by(view).")
        self.puppet, self.sight, self.sensor = puppet, puppet.sight, sensor or DepthSensor()
        self._rng = generator(seed, "depth camera")
        self._materials = _materials(puppet, generator(seed, "depth holes"))
        self._wall = wall_distance(self.sight)
        shape = (self.sight.size[1] + 127, self.sight.size[0] + 127)
        self._grain = _unit(self._rng.standard_normal(shape, dtype=np.float32), 0.7)
        self._speckle = _unit(self._rng.standard_normal(shape, dtype=np.float32), 0.9)
        self._drifting = _unit(self._rng.standard_normal(shape, dtype=np.float32), 0.1 * puppet.portrait.mesh.iod)

    def frames(self, motion: FaceMotion) -> Iterator[Depth]:
        """Readings, uint16 (h, w), in units of the sensor; 0 is a hole."""
        for i in range(len(motion.times_s)):
            yield self.read(motion, i)

    def read(self, motion: FaceMotion, i: int) -> Depth:
        """Frame `i` as the sensor gives it."""
        trace = self.puppet.trace(motion, i)
        distance = self._distance(trace)
        seen = distance > 0
        noise = self.sensor.noise_mm * (distance / NOISE_AT_MM) ** 2 * self._piece(self._grain)
        units = np.rint((distance + noise) / self.sensor.unit_mm)
        lost = self._lost(trace, distance)
        return np.where(seen & ~lost, np.clip(units, 1, 65_535), 0).astype(np.uint16)

    def distances(self, motion: FaceMotion, i: int) -> Field:
        """True distance along the optical axis in frame `i`, mm, float32 (h, w); 0 where nothing is within reach."""
        return self._distance(self.puppet.trace(motion, i))

    def _distance(self, trace: Trace) -> Field:
        out = self._head(trace) - look_up(self.sight.surface.relief, trace.place)
        for box, share, paint in trace.patches:
            if paint == self.puppet.mouth.paint:
                out[box] += np.float32(MOUTH_MM) * np.clip(2 * share, 0, 1)
        person = look_up(self.puppet.portrait.person[..., 3], trace.place) > 127
        out = np.where(person, out, self._wall)
        return np.where((out > 0) & (out <= self.sensor.reach_mm), out, np.float32(0))

    def _head(self, trace: Trace) -> Field:
        """Distance of the head's smooth surface at every pixel, mm."""
        place = trace.place if trace.skin is None else trace.skin
        nodes = (place + np.float32(0.5)) / STEP - np.float32(0.5)
        above, *below = (look_up(np.ascontiguousarray(part[..., 2], np.float32), nodes) for part in trace.points)
        return np.where(self.puppet.mouth.below(place) > 0, below[0], above) if below else above

    def _piece(self, field: Field) -> Field:
        """A random piece of a larger random field, of the size of the picture."""
        y, x = self._rng.integers(128, size=2).tolist()
        return field[y : y + self.sight.size[1], x : x + self.sight.size[0]]

    def _lost(self, trace: Trace, distance: Field) -> NDArray[np.bool_]:
        """Pixels without a reading, bool (h, w)."""
        material = look_up(self._materials, trace.place)
        face, hair, dark, skin = (material[..., n] for n in range(4))
        speckle, drifting = self._piece(self._speckle), self._piece(self._drifting)
        facing = _facing(distance, self.sight.camera.fx)
        mix = _MIXTURE
        score = mix["skin"] * skin + mix["drifting"] * drifting + mix["speckle"] * speckle + mix["dark"] * dark
        score = score + mix["oblique"] * (1 - facing)
        lost = np.zeros(distance.shape, bool)
        if self.sensor.shadows:
            lost |= (facing < _GRAZING) | ~_lit(distance, self.sight.camera.fx)
        lost |= (hair > 0.5) & (0.7 * skin + 0.7 * speckle > _normal_quantile(1 - self.sensor.hair))
        on_face = (face > 0.5) & (distance > 0)
        wanted = round(self.sensor.holes * np.count_nonzero(on_face)) - np.count_nonzero(lost & on_face)
        free = on_face & ~lost
        if wanted > 0 and free.any():
            ranked = score[free]
            lost |= free & (score >= np.partition(ranked, len(ranked) - wanted)[len(ranked) - wanted])
        return lost


def wall_distance(sight: Sight) -> Field:
    """Distance of the wall behind the head along a camera's optical axis, mm, float32 (h, w)."""
    wall = sight.wall(sight.surface.distance_mm + WALL_MM)
    return np.asarray(sight.camera.pose.from_rig(wall)[..., 2], np.float32)


def _materials(puppet: Puppet, rng: np.random.Generator) -> Field:
    """Of every pixel of the canvas: face, hair, darkness (0..1 each) and a pattern of its own, float32 (H, W, 4)."""
    import cv2

    portrait = puppet.portrait
    mesh, shape = portrait.mesh, portrait.person.shape[:2]
    face = np.zeros(shape, np.float32)
    cv2.fillPoly(face, [np.rint(mesh.points[list(OVAL)]).astype(np.int32)], 1.0)
    grey = np.asarray(cv2.cvtColor(portrait.person[..., :3], cv2.COLOR_RGB2GRAY), np.float32)
    cheek = float(np.median(grey[portrait.skin > 0.5])) if (portrait.skin > 0.5).any() else 128.0
    dark = np.clip(1 - grey / cheek, 0, 1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    chin = mesh.points[152]
    up = (x - chin[0]) * mesh.upwards[0] + (y - chin[1]) * mesh.upwards[1]
    hair = (dark > 0.25) & (portrait.person[..., 3] > 127) & (face == 0) & (up > 0.25 * mesh.iod)
    pattern = _unit(rng.standard_normal(shape, dtype=np.float32), 0.05 * mesh.iod)
    return np.dstack([face, hair.astype(np.float32), dark, pattern]).astype(np.float32)


def _unit(noise: NDArray[np.float32], blur_px: float) -> Field:
    """Noise that is smooth over some pixels, of mean 0 and standard deviation 1."""
    import cv2

    soft = cv2.GaussianBlur(noise, (0, 0), blur_px)
    return np.asarray((soft - soft.mean()) / soft.std(), np.float32)


def _normal_quantile(share: float) -> float:
    """Of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(share))


def _facing(distance: Field, focal_px: float) -> Field:
    """Cosine between surface and line of sight, 0..1, from the distances of the neighbours; 1 where there are none."""
    import cv2

    down = cv2.Sobel(distance, cv2.CV_32F, 0, 1, scale=1 / 8)
    along = cv2.Sobel(distance, cv2.CV_32F, 1, 0, scale=1 / 8)
    per_px = np.maximum(distance, 1.0) / focal_px
    return np.where(distance > 0, 1 / np.sqrt(1 + (down**2 + along**2) / per_px**2), 1).astype(np.float32)


def _lit(distance: Field, focal_px: float) -> NDArray[np.bool_]:
    """Whether the projector, to the right of the camera, reaches what a pixel shows, bool (h, w)."""
    columns = np.arange(distance.shape[1], dtype=np.float32)
    near = np.where(distance > 0, focal_px * PROJECTOR_MM / np.maximum(distance, 1), 0)
    seen = columns - near
    nearest = np.minimum.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    return seen <= nearest + 1.0
