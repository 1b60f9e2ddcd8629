"""What a face does that is no expression, seen through the real face path: the ground on which the spotter is trained.

Each background is another face (`reshape_face`) of the "train" photograph, drawn with blinks, a swaying or turning
head, speech, light, noise and compression, and then observed as any video is. No expression is planted here: those
are added to the observed trajectories (`spotter_examples`), so that one rendered face serves for thousands of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from data_schemas.threads import end_with_parent
from data_schemas.time import NS_PER_S
from modalities.face.synthesis.families import family
from modalities.face.synthesis.mesh import FaceMesh
from modalities.face.synthesis.nuisance import Nuisance, disturb
from pipeline.simulate.chance import generator

if TYPE_CHECKING:
    from pipeline.simulate.motion import FaceMotion

FAMILY = "train"
RATES_HZ = (25.0, 30.0, 30.0, 50.0)
SIZE = (360, 300)
FACE_WIDTH_PX = (140.0, 220.0)
MANNERS = {"quiet": 0.45, "turning": 0.2, "talking": 0.35}
"""What people do, and how often."""
TURN_DEG = (4.0, 28.0)
"""Range of the greatest head turn of those who turn it."""


@dataclass(frozen=True, eq=False)
class Background:
    """One face that shows nothing.

    Attributes:
        identity: Number of the face, from 1.
        manner: Key of `MANNERS`.
        rows: What the face path kept of each frame (`observation.ROW`).
        mesh: The face at rest.
    """

    identity: int
    manner: str
    rows: NDArray[np.void]
    mesh: FaceMesh


def observe_background(identity: int, length_s: float) -> Background:
    """Draw one face and look at it.

    Args:
        identity: Number of the face, from 1; another number is another face, manner, light, camera.
        length_s: Seconds of video.
    """
    from modalities.face.models import borrowed_models
    from modalities.face.observation import FaceObserver
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_portrait import prepare_portrait

    rng = generator(identity, "spotter background")
    rate = float(rng.choice(RATES_HZ))
    times = np.arange(int(length_s * rate)) / rate
    manner = str(rng.choice(list(MANNERS), p=list(MANNERS.values())))
    portrait = prepare_portrait(family(FAMILY).photograph, SIZE, float(rng.uniform(*FACE_WIDTH_PX)), identity, identity)
    drawn = Puppet(portrait).frames(natural_motion(manner, identity, times), identity)
    pictures = disturb(drawn, times, _draw_nuisance(rng), generator(identity, "spotter nuisance"))
    with borrowed_models() as models:
        observer = FaceObserver(models)
        for time_s, picture in zip(times.tolist(), pictures, strict=False):
            observer.add(picture, round(time_s * NS_PER_S))
        return Background(identity, manner, observer.rows(), portrait.mesh)


def observe_backgrounds(
    identities: Sequence[int], length_s: float, workers: int, hook: Hook = silent
) -> Iterator[Background]:
    """Many of them, in their order, by worker processes."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        watched = pool.map(partial(observe_background, length_s=length_s), identities, chunksize=4)
        for done, background in enumerate(watched, start=1):
            hook("backgrounds", done, len(identities))
            yield background


def natural_motion(manner: str, seed: int, times_s: NDArray[np.float64]) -> FaceMotion:
    """What a face does that is no expression: blinks and a slowly moving head; also turns it, or talks without a break.

    Args:
        manner: "quiet", "turning" or "talking".
        seed: Of everything.
        times_s: Frame times, (n,).
    """
    from pipeline.simulate.frames import face_motion
    from pipeline.simulate.physiology import draw_heart
    from pipeline.simulate.profiles import SlowCurve
    from pipeline.simulate.script import plan_script
    from pipeline.simulate.speech import draw_turn

    length = float(times_s[-1])
    rng = generator(seed, "manner")
    script = replace(plan_script(max(10.0, length), seed), expressions=(), turns=())
    if manner == "talking":
        script = replace(script, turns=(draw_turn(rng, 0.2, length, script.person.f0_hz),))
    motion = face_motion(script, draw_heart(script, 0.0, length), times_s)
    if manner == "turning":
        limits = rng.uniform(*TURN_DEG, 3) * (1, 0.6, 0.4)
        yaw, pitch, roll = (limit * SlowCurve.draw(rng, 0.5, 3)(times_s) for limit in limits.tolist())
        motion = replace(
            motion,
            yaw_deg=np.asarray(motion.yaw_deg) + yaw,
            pitch_deg=np.asarray(motion.pitch_deg) + pitch,
            roll_deg=np.asarray(motion.roll_deg) + roll,
        )
    return motion


def _draw_nuisance(rng: np.random.Generator) -> Nuisance:
    """From a good camera in a good room to a poor one in a poor one."""
    return Nuisance(
        light_ramp=float(rng.uniform(-0.2, 0.2)),
        flicker=float(rng.uniform(0, 0.02)),
        flicker_hz=float(rng.uniform(1, 10)),
        noise=float(rng.uniform(0.5, 3.0)),
        sway_px=float(rng.uniform(0, 6)),
        sway_deg=float(rng.uniform(0, 2)),
        sway_zoom=float(rng.uniform(0, 0.02)),
        quality=int(rng.integers(17, 27)),
    )
