"""What spotters are measured on: videos into which expressions were planted, and the same videos without.

Simulated faces are drawn by the renderer, each copy another face; real videos are planted into as they are. Every copy
has its own light, noise, sway and compression. Nothing is written to disk and no video is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import NothingUsableError
from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.synthesis.events import (
    GAP_S,
    MACRO_S,
    MICRO_S,
    FrameTruth,
    PlantedExpression,
    frame_truth,
    plan_events,
)
from modalities.face.synthesis.families import family
from modalities.face.synthesis.following import FacePath, follow_face
from modalities.face.synthesis.mesh import Picture
from modalities.face.synthesis.nuisance import disturb, draw_nuisance
from modalities.face.synthesis.planting import plant, visible
from pipeline.bench_plan import MANNERS, RATE_PER_MINUTE, CopyPlan, open_video, plain, video_times_s
from pipeline.simulate.chance import generator

if TYPE_CHECKING:
    from pipeline.simulate.motion import FaceMotion

RIDING = 0.25
"""Probability that a macro-expression of at least 1.5 s carries a micro-expression."""
LEAST_FOUND = 0.5
"""Share of the frames of a video that must show a face."""
SIMULATED_FPS, SIMULATED_SIZE, FACE_WIDTH_PX = 30.0, (480, 360), 230
FAMILY = "bench"
BUSY = dict.fromkeys(("au01", "au02", "au04", "au06", "au12_left", "au12_right", "au14", "au17", "au20"), 1.9)
"""Greatest intensity of the movements that go with a simulated person's speech: so that the face is a lively one, which
moves by 2 % of the inter-ocular distance and more within 0.25 s."""

Pictures = Callable[[], Iterator[Picture]]


@dataclass(frozen=True, eq=False)
class Copy:
    """One video to be spotted.

    Attributes:
        name: Unique name.
        material: "simulated quiet", "simulated talking", or the name of the video it was made from.
        times_ns: Time of each frame, int64 (n,).
        pictures: Opens the frames from the start.
        planted: Each planted expression with its truth in frames; empty for the unplanted copy.
        natural: Whether this is the unplanted copy.
    """

    name: str
    material: str
    times_ns: Int64Array
    pictures: Pictures
    planted: tuple[tuple[PlantedExpression, FrameTruth], ...]
    natural: bool


def make_copy(plan: CopyPlan, face: FacePath | None = None) -> Copy:
    """The copy that a plan asks for; nothing is drawn before its pictures are taken.

    Args:
        plan: What to make.
        face: Where the face of a real video is (`follow_video`); None follows it now.

    Raises:
        NothingUsableError: the video shows too little of a face.
        UnreadableFileError: it cannot be decoded.
    """
    return _simulated(plan) if plan.file is None else _real(plan, plan.file, face)


def follow_video(file: Path, length_s: float) -> FacePath:
    """Where the face of a real video is, frame by frame.

    Args:
        file: Video file; its most prominent face is followed.
        length_s: How much of it.

    Raises:
        NothingUsableError: fewer than `LEAST_FOUND` of its frames show a face.
        UnreadableFileError: it cannot be decoded.
    """
    times, decoded = _decode(file, length_s)
    face = follow_face(decoded(), times)
    if face.found.mean() < LEAST_FOUND:
        raise NothingUsableError(
            "the video shows too little of a face to plant into",
            file=file,
            got=f"a face in {face.found.mean():.0%} of its frames",
            expected=f"at least {LEAST_FOUND:.0%}",
        )
    return face


def _decode(file: Path, length_s: float) -> tuple[NDArray[np.float64], Pictures]:
    """Times of the frames in seconds, and what opens them."""
    stream = open_video(file)
    times = video_times_s(stream)
    times = times[times <= length_s]

    def decoded() -> Iterator[Picture]:
        return (np.asarray(frame.image, np.uint8) for frame in islice(stream.frames(), len(times)))

    return times, decoded


def _simulated(plan: CopyPlan) -> Copy:
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_portrait import prepare_portrait

    times = np.arange(int(plan.length_s * SIMULATED_FPS)) / SIMULATED_FPS
    manner = plan.material.removeprefix("simulated ")
    number = 1 + plan.seed * 10_000 + 2 * plan.number + MANNERS.index(manner)
    portrait = prepare_portrait(family(FAMILY).photograph, SIMULATED_SIZE, FACE_WIDTH_PX, number, number)
    puppet = Puppet(portrait)
    motion = benched_motion(manner, number, times)
    points = np.stack([puppet.landmarks(motion, i) for i in range(len(times))]).astype(np.float32)
    path = FacePath(points, np.ones(len(times), bool))
    return _copy(plan, times, partial(puppet.frames, motion, number), path, number)


def benched_motion(manner: str, seed: int, times_s: NDArray[np.float64]) -> FaceMotion:
    """What a face does that nobody planted.

    "quiet": blinks and a slowly moving head. "talking": without a break, with nods and a busy face besides.
    """
    from pipeline.simulate.profiles import SlowCurve
    from pipeline.simulate.spotter_backgrounds import natural_motion

    motion = natural_motion(manner, seed, times_s)
    if manner == "quiet":
        return motion
    rng = generator(seed, "bench manner")
    busy = {au: size * np.maximum(0, SlowCurve.draw(rng, 3.0, 3)(times_s)) for au, size in BUSY.items()}
    nods = np.asarray(motion.pitch_deg) + 3 * SlowCurve.draw(rng, 1.0)(times_s)
    return replace(motion, aus=busy, pitch_deg=nods)


def _real(plan: CopyPlan, file: Path, face: FacePath | None) -> Copy:
    times, decoded = _decode(file, plan.length_s)
    path = follow_video(file, plan.length_s) if face is None else face
    return _copy(plan, times, decoded, path, plan.seed * 10_000 + max(plan.number, 0))


def _copy(plan: CopyPlan, times_s: NDArray[np.float64], drawn: Pictures, path: FacePath, seed: int) -> Copy:
    """Plan, plant and disturb; the unplanted copy is disturbed as the first planted one."""
    part = f"bench {plain(plan.material)}"
    planned = [] if plan.natural else _plan_events(plan, generator(seed, f"{part} plan"))
    events = visible(planned, path, times_s)
    nuisance = draw_nuisance(generator(seed, f"{part} nuisance"))

    def pictures() -> Iterator[Picture]:
        planted = plant(drawn(), path, times_s, events)
        return disturb(planted, times_s, nuisance, generator(seed, f"{part} chance"))

    truth = [(event, frame_truth(event, times_s)) for event in events]
    kept = tuple((event, frames) for event, frames in truth if frames is not None)
    times_ns = np.rint(times_s * NS_PER_S).astype(np.int64)
    return Copy(plan.name, plan.material, times_ns, pictures, kept, plan.natural)


def _plan_events(plan: CopyPlan, rng: np.random.Generator) -> list[PlantedExpression]:
    """Expressions of one copy; in a short one they begin earlier and none is longer than the copy has room for."""
    if not plan.expressions:
        return []
    edge_s = min(GAP_S, plan.length_s / 4)
    room_s = plan.length_s - 2 * edge_s
    return plan_events(
        plan.length_s,
        RATE_PER_MINUTE,
        rng,
        count=plan.expressions,
        family_name=FAMILY,
        micro_s=(MICRO_S[0], min(MICRO_S[1], room_s)),
        macro_s=(MACRO_S[0], min(MACRO_S[1], room_s)),
        riding=RIDING,
        edge_s=edge_s,
    )
