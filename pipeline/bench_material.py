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
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import NothingUsableError
from data_schemas.session import StreamEntry
from data_schemas.stream import Video
from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.synthesis.events import FrameTruth, PlantedExpression, frame_truth, plan_events
from modalities.face.synthesis.families import family
from modalities.face.synthesis.following import FacePath, follow_face
from modalities.face.synthesis.mesh import Picture
from modalities.face.synthesis.nuisance import disturb, draw_nuisance
from modalities.face.synthesis.planting import plant, visible
from pipeline.simulate.chance import generator

if TYPE_CHECKING:
    from pipeline.simulate.motion import FaceMotion

RATE_PER_MINUTE = 5.0
"""Planted expressions a minute, besides the few micro-expressions that ride on macro-expressions."""
RIDING = 0.25
"""Probability that a macro-expression of at least 1.5 s carries a micro-expression."""
COPY_S = 30.0
"""Length of one copy of a simulated face."""
SHORTEST_S = 10.0
"""A shorter video cannot hold planted expressions at an honest rate."""
LEAST_FOUND = 0.5
"""Share of the frames of a video that must show a face."""
SIMULATED_FPS, SIMULATED_SIZE, FACE_WIDTH_PX = 30.0, (480, 360), 230
FAMILY = "bench"
MANNERS = ("quiet", "talking")
BUSY = dict.fromkeys(("au01", "au02", "au04", "au06", "au12_left", "au12_right", "au14", "au17", "au20"), 1.0)
"""Greatest intensity of the movements that go with a simulated person's speech."""

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


def simulated_copies(manner: str, minutes: float, seed: int) -> Iterator[Copy]:
    """Rendered faces with planted expressions, `minutes` in all, each copy another face.

    Args:
        manner: "quiet": blinks and a slowly moving head; "talking": without a break, with nods and a busy face besides.
        minutes: Planted length, above 0.
        seed: Of everything.
    """
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_portrait import prepare_portrait

    count = max(1, round(minutes * 60 / COPY_S))
    length = max(SHORTEST_S, minutes * 60 / count)
    times = np.arange(int(length * SIMULATED_FPS)) / SIMULATED_FPS
    for at in range(count):
        number = 1 + seed * 10_000 + 2 * at + MANNERS.index(manner)
        portrait = prepare_portrait(family(FAMILY).photograph, SIMULATED_SIZE, FACE_WIDTH_PX, number, number)
        puppet = Puppet(portrait)
        motion = _natural_motion(manner, number, times)
        points = np.stack([puppet.landmarks(motion, i) for i in range(len(times))]).astype(np.float32)
        path = FacePath(points, np.ones(len(times), bool))
        drawn = partial(puppet.frames, motion, number)
        material = f"simulated {manner}"
        yield _copy(f"{material} {number}", material, times, drawn, path, number, natural=False)


def _natural_motion(manner: str, seed: int, times_s: NDArray[np.float64]) -> FaceMotion:
    """What a face does that nobody planted."""
    from pipeline.simulate.frames import face_motion
    from pipeline.simulate.physiology import draw_heart
    from pipeline.simulate.profiles import SlowCurve
    from pipeline.simulate.script import plan_script
    from pipeline.simulate.speech import draw_turn

    length = float(times_s[-1])
    rng = generator(seed, "bench manner")
    script = replace(plan_script(max(SHORTEST_S, length), seed), expressions=(), turns=())
    if manner == "talking":
        script = replace(script, turns=(draw_turn(rng, 0.2, length, script.person.f0_hz),))
    motion = face_motion(script, draw_heart(script, 0.0, length), times_s)
    if manner == "quiet":
        return motion
    busy = {au: size * np.maximum(0, SlowCurve.draw(rng, 3.0, 3)(times_s)) for au, size in BUSY.items()}
    nods = np.asarray(motion.pitch_deg) + 3 * SlowCurve.draw(rng, 1.0)(times_s)
    return replace(motion, aus=busy, pitch_deg=nods)


def open_video(path: Path) -> Video:
    """A video that is long enough to be planted into.

    Raises:
        NothingUsableError: it is shorter than `SHORTEST_S`.
        UnreadableFileError: it cannot be decoded.
    """
    from modalities.readers import open_stream

    stream = cast(Video, open_stream(StreamEntry(name="face_rgb", kind="face_rgb", file=path.name), path.parent, "p01"))
    times = stream.times_ns
    length_s = float(times[-1] - times[0]) / NS_PER_S if len(times) else 0.0
    if length_s < SHORTEST_S:
        raise NothingUsableError(
            "the video is too short to plant into",
            file=path,
            got=f"{length_s:.1f} s",
            expected=f"at least {SHORTEST_S:g} s",
        )
    return stream


def video_copies(path: Path, minutes: float, seed: int) -> Iterator[Copy]:
    """One real video: an unplanted copy first, then planted ones of about `minutes` in all.

    Args:
        path: Video file; its first face is planted into. Of a video longer than `minutes` that much is used.
        minutes: Planted length, above 0.
        seed: Of everything.

    Raises:
        NothingUsableError: the video is shorter than `SHORTEST_S`, or shows no face in half of its frames.
        UnreadableFileError: it cannot be decoded.
    """
    stream = open_video(path)
    times = (stream.times_ns - stream.times_ns[0]) / NS_PER_S
    times = times[times <= max(SHORTEST_S, minutes * 60)]

    def decoded() -> Iterator[Picture]:
        return (np.asarray(frame.image, np.uint8) for frame in islice(stream.frames(), len(times)))

    face = follow_face(decoded(), times)
    if face.found.mean() < LEAST_FOUND:
        raise NothingUsableError(
            "the video shows too little of a face to plant into",
            file=path,
            got=f"{face.found.mean():.0%} of its frames",
        )
    for at in range(-1, max(1, round(minutes * 60 / float(times[-1])))):
        name = f"{path.name} {at}" if at >= 0 else f"{path.name} unplanted"
        yield _copy(name, path.name, times, decoded, face, seed * 10_000 + max(at, 0), natural=at < 0)


def _copy(
    name: str, material: str, times_s: NDArray[np.float64], drawn: Pictures, path: FacePath, seed: int, *, natural: bool
) -> Copy:
    """Plan, plant and disturb; the unplanted copy is disturbed as the first planted one."""
    part = f"bench {material}".encode("ascii", "replace").decode("ascii")
    events: list[PlantedExpression] = []
    if not natural:
        chance = generator(seed, f"{part} plan")
        planned = plan_events(float(times_s[-1]), RATE_PER_MINUTE, chance, family_name=FAMILY, riding=RIDING)
        events = visible(planned, path, times_s)
    nuisance = draw_nuisance(generator(seed, f"{part} nuisance"))

    def pictures() -> Iterator[Picture]:
        planted = plant(drawn(), path, times_s, events)
        return disturb(planted, times_s, nuisance, generator(seed, f"{part} chance"))

    truth = [(event, frame_truth(event, times_s)) for event in events]
    kept = tuple((event, frames) for event, frames in truth if frames is not None)
    return Copy(name, material, np.rint(times_s * NS_PER_S).astype(np.int64), pictures, kept, natural)
