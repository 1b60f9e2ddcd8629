"""Aligned pictures of simulated faces, with expressions planted into them: what spotters that see pictures learn from.

Each face is another one of the "train" photograph, drawn with blinks, a swaying or turning head and speech, and cut
out as the face path does, around the landmarks that the renderer knows, shaken a little. Expressions are planted into
the aligned pictures, so that one rendered face serves for many of them; light and noise are added last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.landmarks import Sighting
from modalities.face.registration import PATCH_PX, PatchAligner
from modalities.face.synthesis.events import PlantedExpression, frame_truth, plan_events
from modalities.face.synthesis.families import family
from modalities.face.synthesis.mesh import FaceMesh, Picture
from modalities.face.synthesis.planting import Movement, displace
from pipeline.simulate.chance import generator
from pipeline.simulate.spotter_backgrounds import FACE_WIDTH_PX, FAMILY, MANNERS, SIZE, natural_motion

RATE_HZ = 25.0
STRETCH_S = 3.0
"""Length of a face as drawn; played forwards and backwards it is twice as long."""
JITTER_PX = 0.3
"""Standard deviation of the landmarks of a tracker, pixels."""
NOISE = (1.0, 4.0)
"""Range of the standard deviation of the noise of an aligned picture, grey levels."""
LIGHT = 0.15
"""Greatest relative change of brightness over a stretch."""
STRONG, STRONGER = 0.35, (1.0, 2.0)
"""Share of the expressions that are stronger than the published range, and by how much."""
MACRO_S = (0.5, 2.5)
"""Shortest and longest macro-expression: what a stretch has room for."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """One face, aligned.

    Attributes:
        patches: Grey uint8 (t, 160, 160).
        points: Landmarks in them, float32 (t, 478, 2).
        planted: Expressions that were planted.
    """

    patches: NDArray[np.uint8]
    points: NDArray[np.float32]
    planted: tuple[PlantedExpression, ...] = ()

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Of the pictures, from 0, (t,)."""
        return np.arange(len(self.patches)) / RATE_HZ

    @property
    def times_ns(self) -> Int64Array:
        """The same, int64 (t,)."""
        return np.rint(self.times_s * NS_PER_S).astype(np.int64)

    def labels(self, kind: str) -> NDArray[np.bool_]:
        """Which pictures an expression of this kind moves, (t,)."""
        out = np.zeros(len(self.patches), bool)
        for event in self.planted:
            if event.kind == kind:
                out |= event.at(self.times_s) > 0
        return out


def draw_face(identity: int) -> Stretch:
    """A face that shows no expression, `STRETCH_S` long.

    Args:
        identity: From 1; another number is another face, manner and size.
    """
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_portrait import prepare_portrait

    rng = generator(identity, "spotter pictures")
    times = np.arange(int(STRETCH_S * RATE_HZ)) / RATE_HZ
    manner = str(rng.choice(list(MANNERS), p=list(MANNERS.values())))
    portrait = prepare_portrait(family(FAMILY).photograph, SIZE, float(rng.uniform(*FACE_WIDTH_PX)), identity, identity)
    puppet, aligner = Puppet(portrait), PatchAligner()
    motion = natural_motion(manner, identity, times)
    patches, points = np.zeros((len(times), PATCH_PX, PATCH_PX), np.uint8), np.zeros((len(times), 478, 2), np.float32)
    for at, picture in enumerate(puppet.frames(motion, identity)):
        flat = puppet.landmarks(motion, at) + rng.normal(0, JITTER_PX, (478, 2))
        sighting = Sighting(np.column_stack([flat, -portrait.mesh.depth]), picture, np.ones(2), (0, 0))
        patches[at], points[at] = aligner.align(sighting, round(float(times[at]) * NS_PER_S))
    return Stretch(patches, points)


def plant_into(face: Stretch, rng: np.random.Generator) -> Stretch:
    """The face forwards and backwards, with expressions, light and noise.

    Args:
        face: Of `draw_face`.
        rng: Source of chance.
    """
    patches = np.concatenate([face.patches, face.patches[::-1]])
    points = np.concatenate([face.points, face.points[::-1]])
    events = _plan(len(patches) / RATE_HZ, rng)
    times = np.arange(len(patches)) / RATE_HZ
    light = 1 + rng.uniform(-LIGHT, LIGHT) * times / times[-1]
    noise = rng.uniform(*NOISE)
    out = np.empty_like(patches)
    for at, patch in enumerate(patches):
        moved = _moved(patch, points[at], events, float(times[at]))
        real = moved * light[at] + noise * rng.standard_normal(moved.shape, dtype=np.float32)
        out[at] = np.clip(np.rint(real), 0, 255)
    return Stretch(out, points, tuple(events))


def _moved(patch: Picture, points: NDArray[np.float32], events: Sequence[PlantedExpression], t_s: float) -> Picture:
    moves = []
    for event in events:
        percent = float(event.at(np.array([t_s]))[0])
        if percent > 0:
            moves.append(Movement(event.aus, percent, event.family))
    mesh = FaceMesh(points.astype(np.float64), np.zeros(len(points)))
    return displace(patch, mesh, moves) if moves else patch


def _plan(length_s: float, rng: np.random.Generator) -> list[PlantedExpression]:
    """One to three expressions, half of them micro; only such as move at least one picture."""
    from dataclasses import replace

    plan = plan_events(
        length_s,
        6.0,
        rng,
        family_name=FAMILY,
        count=int(rng.integers(1, 4)),
        micro_share=0.55,
        macro_s=MACRO_S,
        edge_s=0.5,
    )
    times = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    shown = [one for one in plan if frame_truth(one, times) is not None]
    factors = np.where(rng.random(len(shown)) < STRONG, rng.uniform(*STRONGER, len(shown)), 1.0)
    return [replace(one, percent=one.percent * factor) for one, factor in zip(shown, factors.tolist(), strict=True)]


def draw_faces(identities: Sequence[int], hook: Hook = silent) -> list[Stretch]:
    """Many faces, 3 MB each."""
    out = []
    for done, identity in enumerate(identities, start=1):
        out.append(draw_face(identity))
        hook("faces", done, len(identities))
    return out


def draw_stretches(faces: Sequence[Stretch], rounds: int, seed: int) -> Iterator[Stretch]:
    """Each face `rounds` times, planted into anew each time."""
    for turn in range(rounds):
        for at, face in enumerate(faces):
            yield plant_into(face, np.random.default_rng(np.random.SeedSequence([seed, turn, at])))
