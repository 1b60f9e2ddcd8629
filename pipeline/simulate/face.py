"""A photographed face that moves as a script says: action units, blinks, speech, head, pulse and light."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.fields import lid_moves
from modalities.face.synthesis.mesh import Field, Picture, Pixels, look_up
from pipeline.simulate.chance import generator
from pipeline.simulate.face_fields import STEP, FaceFields, Pose
from pipeline.simulate.face_lids import Lids
from pipeline.simulate.face_mouth import Mouth
from pipeline.simulate.face_portrait import MARGIN_PX, Portrait, prepare_portrait
from pipeline.simulate.face_surface import Points, Surface, at_places
from pipeline.simulate.face_view import WALL_MM, Sight, View
from pipeline.simulate.face_visible import refined, visible_places
from pipeline.simulate.motion import ACTION_UNITS, FaceMotion

PULSE_GAIN = -0.006 * np.array([0.33, 0.77, 0.53]) / 0.77
"""Relative change of R, G and B of skin per unit of pulse: skin darkens with blood (ratios: de Haan & Jeanne 2013)."""
NOISE_SIGMA = 1.0
"""Standard deviation of the sensor noise, grey levels."""
Box = tuple[slice, slice]
Patch = tuple[Box, Field, Callable[[Picture, Field], Picture]]
"""A part of the frame, how much of it is to be covered, and what covers it."""
_ROUNDS = 7
"""Fixed-point rounds that invert a displacement; each divides the error by about three."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Where everything in one frame comes from.

    Attributes:
        place: Place on the photograph's canvas of every pixel, float32 (h, w, 2).
        patches: Parts that are covered by what the photograph does not show: inside of the mouth, lids.
        back: Backward displacement of the tissue above the line between the lips at every node.
        skin: `place` as if the lids did not move; None without a view.
        points: Points of every node in the camera's axes, above and below that line, mm; empty without a view.
    """

    place: Field
    patches: list[Patch]
    back: Field
    skin: Field | None = None
    points: tuple[Points, ...] = ()


def render_face(
    motion: FaceMotion,
    *,
    photograph: str = "astronaut",
    size: tuple[int, int] = (640, 480),
    face_width_px: int = 300,
    seed: int = 0,
    identity: int = 0,
    view: View | None = None,
) -> Iterator[Picture]:
    """Draw a face frame by frame.

    Landmarks move by exactly what `action_units` says times the intensity, in the face's axes; the head's movement is
    applied after that. The background stands still.

    Args:
        motion: What the face does, one value per frame.
        photograph: "astronaut" or "hopper".
        size: Width and height of the frames, multiples of 4.
        face_width_px: Width of the face at rest.
        seed: Of skin texture and sensor noise, >= 0.
        identity: Another face out of the same photograph; 0 is the photographed person.
        view: A camera that sees the head in perspective; by default the head is turned without perspective.

    Yields:
        RGB frames, uint8 (height, width, 3).

    Raises:
        InvalidValueError: unknown photograph, a size that is no multiple of 4, a face that does not fit.
        NothingUsableError: no face was found in the photograph.
    """
    puppet = puppet_of(photograph, size, face_width_px, seed, identity)
    return (puppet if view is None else puppet.seen_by(view)).frames(motion, seed)


def puppet_of(
    photograph: str = "astronaut",
    size: tuple[int, int] = (640, 480),
    face_width_px: int = 300,
    seed: int = 0,
    identity: int = 0,
) -> Puppet:
    """What `render_face` draws with these arguments; raises as it does."""
    if min(size) < 64 or any(n % STEP for n in size):
        raise InvalidValueError("a frame size must be a multiple of 4", got=size, expected="at least 64 each way")
    return _puppet(photograph, (int(size[0]), int(size[1])), float(face_width_px), int(seed), int(identity))


@lru_cache(maxsize=2)
def _puppet(photograph: str, size: tuple[int, int], face_width_px: float, seed: int, identity: int) -> Puppet:
    return Puppet(prepare_portrait(photograph, size, face_width_px, seed, identity))


class Puppet:
    """One photograph with everything computed that does not change from frame to frame.

    Args:
        portrait: Its frame's width and height are multiples of 4.
    """

    def __init__(self, portrait: Portrait) -> None:
        self.portrait = portrait
        self.size = size = (portrait.background.shape[1], portrait.background.shape[0])
        canvas = (size[0] + 2 * MARGIN_PX, size[1] + 2 * MARGIN_PX)
        mesh = portrait.mesh
        self.fields = FaceFields(mesh, canvas)
        self.lids = tuple(Lids(mesh, side) for side in ("right", "left"))
        self.mouth = Mouth(mesh, canvas[0])
        x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
        self._frame = np.stack([x, y], axis=-1) + np.float32(MARGIN_PX)
        tones = [self.portrait.person[round(v), round(u), :3] for u, v in mesh.points[[230, 450, 118, 347]]]
        self._lid_colour = 0.92 * np.median(tones, axis=0).astype(np.float32)
        self._texture = fine_texture(self.portrait.person)
        self._behind = portrait.background
        self.pulse_gain = PULSE_GAIN
        self._surfaces: dict[float, Surface] = {}
        self.sight: Sight | None = None

    def seen_by(self, view: View) -> Puppet:
        """The same puppet before another camera."""
        frame = (self.portrait.background.shape[1], self.portrait.background.shape[0])
        surface = self._surfaces.get(view.distance_mm)
        if surface is None:
            surface = self._surfaces[view.distance_mm] = Surface(self.fields, self.portrait, view.distance_mm)
        other = copy.copy(self)
        other.sight = Sight(surface, view, frame)
        other.size, other._frame = other.sight.size, other.sight.frame
        other._behind = other.sight.behind(self.portrait.background, view.distance_mm + WALL_MM)
        return other

    def dressed(self, portrait: Portrait) -> Puppet:
        """The same puppet with other colours, before the camera of the photograph."""
        other = copy.copy(self)
        other.portrait, other._texture, other._behind = portrait, fine_texture(portrait.person), portrait.background
        return other

    def frames(self, motion: FaceMotion, seed: int) -> Iterator[Picture]:
        """RGB frames, uint8 (height, width, 3)."""
        noise = SensorNoise(self.size, seed)
        for i in range(len(motion.times_s)):
            picture = self.draw(motion, i)
            yield noise.expose(picture)

    def landmarks(self, motion: FaceMotion, i: int) -> Pixels:
        """Where the landmarks are in frame `i`: pixels of the frame, shape (478, 2); those of the lids stay."""
        if self.sight is not None:
            return self.sight.camera.project(self.landmarks_mm(motion, i))
        above, below, _ = self._fields_at(motion, i)
        points = self.portrait.mesh.points
        lower = self.mouth.below(points.astype(np.float32)) > 0
        place = (points[None] + 0.5) / STEP - 0.5
        moved = np.where(lower[:, None], look_up(below, place)[0], look_up(above, place)[0])
        return points + moved - MARGIN_PX

    def landmarks_mm(self, motion: FaceMotion, i: int) -> Points:
        """Where the landmarks are in frame `i` in the axes of the view's camera, mm, (478, 3); those of the lids stay.

        Raises:
            InvalidValueError: the puppet has no view (`seen_by`).
        """
        return self.points_mm(motion, i, self.portrait.mesh.points)

    def points_mm(self, motion: FaceMotion, i: int, marks: Pixels) -> Points:
        """The same of any places of the photograph's canvas, px, (n, 2); mm, (n, 3)."""
        if self.sight is None:
            raise InvalidValueError("only a puppet before a camera has a depth", mend="Take puppet.seen_by(view).")
        lower = self.mouth.below(marks.astype(np.float32)) > 0
        above, below = (at_places(part, marks) for part in self.fields.faces(_intensities(motion, i)))
        moves = np.where(lower[:, None], below, above)
        return self.sight.marks(marks, moves, _pose(motion, i), _outward(motion, i))

    def _fields_at(self, motion: FaceMotion, i: int) -> tuple[Field, Field, tuple[Points, ...]]:
        """Displacement of the nodes above and below the line between the lips, one object where they are the same.

        With a view also their points in the camera's axes, (rows, columns, 3) each.
        """
        pose, intensities = _pose(motion, i), _intensities(motion, i)
        if self.sight is None:
            return *self.fields.total(intensities, pose), ()
        faces, outward = self.fields.faces(intensities), _outward(motion, i)
        above, first = self.sight.total(faces[0], pose, outward)
        if np.array_equal(faces[0], faces[1]):
            return above, above, (first,)
        below, second = self.sight.total(faces[1], pose, outward)
        return above, below, (first, second)

    def draw(self, motion: FaceMotion, i: int) -> Field:
        """Frame `i` before the sensor: RGB, float32 (height, width, 3)."""
        return self.compose(self.trace(motion, i), motion, i)

    def trace(self, motion: FaceMotion, i: int) -> Trace:
        """Where everything in frame `i` comes from."""
        aus = {au: float(curve[i]) for au, curve in motion.aus.items()}
        blink = float(np.clip(_at(motion.blink, i), 0, 1))
        above, below, points = self._fields_at(motion, i)
        back_above = self._invert(above, points[:1])
        patches: list[Patch] = []
        if points:
            place = self._seen(back_above, above)
            if above is not below:
                lower = self._seen(self._invert(below, points[1:]), below)
                upper, place = place, np.where(self.mouth.below(lower)[..., None] > 0, lower, place)
                patches += self._open_mouth(place, (upper, lower), (above, below))
        elif above is below:
            place = self._spread(back_above)
        else:
            back_below = self._invert(below, ())
            is_below = self.mouth.below(self.fields.grid + back_below) > 0
            place = self._spread(np.where(is_below[..., None], back_below, back_above))
            patches += self._open_mouth(place, (back_above, back_below), (above, below))
        skin = place.copy() if points else None
        patches += self._move_lids(place, above, blink, lid_moves(aus))
        return Trace(place, patches, back_above, skin, points)

    def _invert(self, forward: Field, points: tuple[Points, ...]) -> Field:
        """Backward displacement of every node: where on the canvas its content comes from, minus the node."""
        grid = self.fields.grid
        if points:
            return visible_places(grid, forward, points[0][..., 2], STEP)
        back = -forward
        for _ in range(_ROUNDS):
            place = (grid + back + 0.5) / STEP - 0.5
            back = -look_up(forward, place)
        return back

    def _spread(self, coarse: Field, box: Box | None = None) -> Field:
        """Places on the canvas for every pixel of the frame, or of a box of it, from the coarse grid."""
        import cv2

        rim = MARGIN_PX // STEP
        if box is None:
            box = (slice(0, self.size[1]), slice(0, self.size[0]))
        if not (self.sight is None or self.sight.own):
            place = self._frame[box]
            return np.asarray(place + look_up(coarse, (place + 0.5) / STEP - 0.5), np.float32)
        rows, columns = ((max(s.start // STEP - 1, -rim), -(-s.stop // STEP) + 1) for s in box)
        part = coarse[rows[0] + rim : rows[1] + rim, columns[0] + rim : columns[1] + rim]
        fine = cv2.resize(part, (part.shape[1] * STEP, part.shape[0] * STEP), interpolation=cv2.INTER_LINEAR)
        top, left = box[0].start - rows[0] * STEP, box[1].start - columns[0] * STEP
        height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
        return self._frame[box] + fine[top : top + height, left : left + width]

    def _seen(self, back: Field, forward: Field) -> Field:
        """Places on the canvas for every pixel of the frame, from the nodes' and then more exactly."""
        return refined(self._frame, self._spread(back), forward, STEP)

    def _box(self, corners: Pixels, fields: tuple[Field, ...], rim_px: float) -> Box | None:
        """The part of the frame that a stretch of the photograph has moved to, or None where that is out of view."""
        nodes = np.clip(np.rint(corners / STEP).astype(int), 0, np.array(fields[0].shape[1::-1]) - 1)
        moved = np.concatenate([corners + field[nodes[:, 1], nodes[:, 0]] for field in fields])
        moved = moved - MARGIN_PX if self.sight is None else self.sight.to_picture(moved)
        low = np.maximum(np.floor(moved.min(axis=0) - rim_px), 0).astype(int)
        high = np.minimum(np.ceil(moved.max(axis=0) + rim_px), self.size).astype(int)
        return (slice(low[1], high[1]), slice(low[0], high[0])) if np.all(high - low > 1) else None

    def _open_mouth(self, place: Field, parts: tuple[Field, Field], forward: tuple[Field, Field]) -> list[Patch]:
        """Correct `place` around the lips; the box of the frame that was corrected, with the mouth's inside.

        `parts`: of the tissue above and below, backward displacements of the nodes; with a view places of all pixels.
        """
        mesh = self.portrait.mesh
        lips = mesh.points[[61, 291, 0, 17]]
        box = self._box(lips, forward, 0.12 * mesh.iod)
        if box is None:
            return []
        upper, lower = (self._spread(part, box) if self.sight is None else part[box] for part in parts)
        place[box], inside = self.mouth.choose(upper, lower)
        return [(box, inside, self.mouth.paint)]

    def _move_lids(self, place: Field, field: Field, blink: float, lifts: dict[str, float]) -> list[Patch]:
        """Send `place` through the lids of both eyes; the boxes of the frame with what the lids newly cover."""
        iod = self.portrait.mesh.iod
        patches: list[Patch] = []
        for lids in self.lids:
            down, up = lids.edges(blink, lifts["lid_upper"] * iod, lifts["lid_lower"] * iod)
            x0, y0, x1, y1 = lids.box
            box = self._box(np.array([(x0, y0), (x1, y0), (x0, y1), (x1, y1)]), (field,), 0.08 * iod)
            if box is None or not (down or up):
                continue
            part = place[box]
            part[..., 1], covered = lids.follow(part[..., 0], part[..., 1], down, up)
            if down > 0:
                patches.append((box, covered, partial(lids.paint, colour=self._lid_colour)))
        return patches

    def compose(self, trace: Trace, motion: FaceMotion, i: int) -> Field:
        """Person before background, with the inside of the mouth, the pulse of the skin and the light."""
        import cv2

        pulse, light = float(_at(motion.skin_pulse, i)), float(_at(motion.light, i))
        layers = look_up(self._texture, 2 * trace.place + np.float32(0.5))
        person, hole = np.asarray(cv2.cvtColor(layers, cv2.COLOR_RGBA2RGB), np.uint8), cv2.extractChannel(layers, 3)
        for box, share, paint in trace.patches:
            person[box] = paint(person[box], share)
        behind = cv2.multiply(self._behind, cv2.cvtColor(hole, cv2.COLOR_GRAY2RGB), scale=1 / 255)
        if pulse:
            skin = look_up(self.portrait.skin, self.fields.grid + trace.back)
            coarse = light + (light * pulse * self.pulse_gain).astype(np.float32) * skin[..., None]
            gain = self.over_frame(coarse.astype(np.float32))
            return np.asarray(cv2.multiply(cv2.add(person, behind), gain, dtype=cv2.CV_32F), np.float32)
        return np.asarray(cv2.add(person, behind) * np.float32(light), np.float32)

    def over_frame(self, coarse: Field) -> Field:
        """A map of the nodes (rows, columns, ...) at every pixel of the frame."""
        import cv2

        if self.sight is None or self.sight.own:
            rim = MARGIN_PX // STEP
            return np.asarray(cv2.resize(coarse[rim:-rim, rim:-rim], self.size, interpolation=cv2.INTER_LINEAR))
        return np.asarray(look_up(coarse, (self._frame + 0.5) / STEP - 0.5))


def fine_texture(person: Picture) -> Picture:
    """A cut-out person at twice the size, colours multiplied by opacity and opacity turned into its complement.

    Linear look-up in a picture of twice the size is as sharp as cubic look-up in the picture, and much faster.
    """
    import cv2

    large = cv2.resize(person, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large[..., :3] *= large[..., 3:] / 255
    large[..., 3] = 255 - large[..., 3]
    return np.rint(large).astype(np.uint8)


def _pose(motion: FaceMotion, i: int) -> Pose:
    shift = _at(motion.shift_px, i)
    return Pose(
        float(_at(motion.yaw_deg, i)), float(_at(motion.pitch_deg, i)), float(_at(motion.roll_deg, i)),
        (float(shift[0]), float(shift[1])),
    )  # fmt: skip


def turn_of(motion: FaceMotion, i: int) -> NDArray[np.float64]:
    """Rotation of the head in frame `i` in the axes of a camera, (3, 3)."""
    return _pose(motion, i).rotation_of_camera()


def _intensities(motion: FaceMotion, i: int) -> NDArray[np.float64]:
    """One per entry of `FaceFields.names`."""
    aus = (float(motion.aus[au][i]) if au in motion.aus else 0.0 for au in ACTION_UNITS)
    return np.array([*aus, float(np.clip(_at(motion.mouth_open, i), 0, 1))])


def _outward(motion: FaceMotion, i: int) -> dict[str, float]:
    return {name: float(curve[i]) for name, curve in motion.outward_mm.items()}


def _at(curve: NDArray[np.float64] | None, i: int) -> NDArray[np.float64]:
    """Value `i` of a curve; curves that a motion leaves out are filled in by its constructor."""
    return np.zeros(2) if curve is None else curve[i]


class SensorNoise:
    """Random noise of a camera: every frame takes a random piece of a larger random field.

    Args:
        size: Width and height of the frames.
        seed: Of the noise.
    """

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self._rng = generator(seed, "sensor noise")
        self._size = size
        shape = (size[1] + 255, size[0] + 255, 3)
        self._field = np.float32(NOISE_SIGMA) * self._rng.standard_normal(shape, dtype=np.float32)

    def expose(self, picture: Field) -> Picture:
        """Add noise to a float picture and round it to uint8."""
        import cv2

        y, x = self._rng.integers(256, size=2).tolist()
        grain = self._field[y : y + self._size[1], x : x + self._size[0]]
        return np.asarray(cv2.add(picture, grain, dtype=cv2.CV_8U), np.uint8)
