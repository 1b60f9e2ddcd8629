"""Examples for the temporal spotter: expressions planted into the observed trajectories of faces that show nothing.

What a movement of the "train" family does to each region of this face is read off its mesh; the movement is added to
the trajectories with a random part of its size lost (flow smooths, regions average), a random departure from the
anatomy of the table, and a raised-cosine profile whose flanks are bent at random, so that neither the table nor the
profile can be learnt by heart. Beside expressions there are things that are none: steps that do not come back, single
frames that jump, a face that trembles, and what a turning head leaves in the flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.regions import REGIONS
from modalities.face.spotting.bands import resample, smooth
from modalities.face.spotting.temporal_features import GROUPS, RATE_HZ, describe_motion, even_grid, even_motion
from modalities.face.synthesis.events import PlantedExpression, frame_truth, plan_events
from modalities.face.synthesis.families import family
from modalities.face.synthesis.mesh import FaceMesh
from modalities.face.synthesis.profiles import course
from pipeline.simulate.spotter_backgrounds import FAMILY, Background

GAIN = (0.4, 1.0)
"""Share of the planted displacement that reaches the trajectory of the regions."""
DEPARTURE = 0.35
"""Standard deviation of the log of each region's own factor."""
LIVELY = 0.35
"""Share of the stretches in which the face is never at rest, as that of somebody who talks."""
STRONG = 0.25
"""Share of the expressions that are stronger than the published range."""
FLANK = (0.6, 1.6)
"""Range of the exponent that bends a flank."""

Curves = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ground:
    """A background frame by frame, once forwards and once backwards, so that long expressions have room.

    Attributes:
        times_s: Time of each frame, (m,).
        motion: (m, regions, 2), percent of the inter-ocular distance.
        turning: Speed of the head, degrees per second, (m,).
        angles: Yaw, pitch, roll, (m, 3).
        blinking: (m,).
        speaking: (m,).
        responses: Movement of the regions at a peak displacement of 1 by combination of action units, (regions, 2).
    """

    times_s: Curves
    motion: Curves
    turning: Curves
    angles: Curves
    blinking: Curves
    speaking: Curves
    responses: dict[tuple[str, ...], Curves]

    @property
    def rate_hz(self) -> float:
        """Frames a second."""
        return (len(self.times_s) - 1) / float(self.times_s[-1] - self.times_s[0])


@dataclass(frozen=True, slots=True)
class Planting:
    """One planted expression as a coder would note it: time of the first and last frame that differ, and the apex."""

    kind: str
    onset_s: float
    apex_s: float
    offset_s: float


@dataclass(frozen=True, eq=False)
class Example:
    """One stretch: features (m, channels), and what was planted in it, seconds from its first sample."""

    features: NDArray[np.float32]
    planted: tuple[Planting, ...]


def prepare_ground(background: Background) -> Ground | None:
    """A background ready to be planted into; None where too little of the face was judged."""
    from modalities.face.analysis import judge, make_signals

    judged = judge(background.rows)
    if judged.mean() < 0.9:
        return None
    rows = np.flatnonzero(judged)
    signals, _ = make_signals(background.rows, judged)
    times = (signals.times_ns[rows] - signals.times_ns[rows[0]]) / NS_PER_S
    angles = signals.angles[rows].astype(np.float64)
    blinking = np.zeros(len(signals.times_ns))
    for blink in signals.blinks:
        blinking[(signals.times_ns >= blink.onset_ns) & (signals.times_ns <= blink.offset_ns)] = 1
    period = float(np.median(np.diff(times)))

    def there_and_back(values: NDArray[np.generic]) -> Curves:
        return np.concatenate([values, values[::-1]]).astype(np.float64)

    return Ground(
        np.concatenate([times, 2 * times[-1] + period - times[::-1]]),
        there_and_back(signals.motion[rows, : len(GROUPS["all"])]),
        there_and_back(np.linalg.norm(np.gradient(angles, times, axis=0), axis=1)),
        there_and_back(angles),
        there_and_back(blinking[rows]),
        there_and_back(signals.speaking[rows]),
        region_responses(background.mesh),
    )


def region_responses(mesh: FaceMesh) -> dict[tuple[str, ...], Curves]:
    """What each combination of action units of the family does to the regions of a face, its greatest movement 1."""
    chosen = family(FAMILY)
    points = mesh.points[:, :2].astype(np.float64)
    out = {}
    for aus in chosen.aus:
        field = np.sum([chosen.field(mesh, au, points) for au in aus], axis=0)
        field = field / max(1e-9, float(np.linalg.norm(field[:468], axis=1).max())) * (1, -1)
        out[aus] = np.array([field[list(marks)].mean(axis=0) for marks in list(REGIONS.values())[: len(GROUPS["all"])]])
    return out


def draw_example(ground: Ground, rng: np.random.Generator, rate_per_minute: float = 6.0) -> Example:
    """Plant into a background.

    Args:
        ground: The face.
        rng: Source of chance.
        rate_per_minute: Expressions a minute, at most 6 in each of two plans that are laid over each other.
    """
    times = ground.times_s
    motion = ground.motion * rng.uniform(0.6, 2.0) + _tremble(rng, ground.motion.shape, ground.rate_hz)
    leak, faster = _leak(rng, ground.angles, times)
    motion += leak + _distractions(rng, times, motion.shape[1]) + _blink_pulls(rng, ground)
    if rng.random() < LIVELY:
        motion += _play(rng, ground)
    planted = []
    for event in _plan(float(times[-1]), rng, rate_per_minute):
        truth = frame_truth(event, times)
        if truth is None:
            continue
        motion += _movement(ground, event, rng)
        middle = min((event.apex_s + event.release_s) / 2, float(times[truth.offset_frame]))
        planted.append(Planting(event.kind, float(times[truth.onset_frame]), middle, float(times[truth.offset_frame])))
    times_ns = np.rint(times * NS_PER_S).astype(np.int64)
    even = even_grid(times_ns)
    beside = resample(np.column_stack([np.maximum(ground.turning, faster), ground.speaking]), times_ns, even)
    blinking = resample(ground.blinking[:, None], times_ns, even)[:, 0] > 0.5
    features = describe_motion(
        even_motion(motion, times_ns, even), beside[:, 0], blinking.astype(np.float64), beside[:, 1]
    )
    return Example(features, tuple(planted))


def _plan(length_s: float, rng: np.random.Generator, rate_per_minute: float) -> list[PlantedExpression]:
    plan = plan_events(length_s, min(6.0, rate_per_minute), rng, family_name=FAMILY, riding=0.4, micro_share=0.6)
    if rate_per_minute > 6:
        more = plan_events(length_s, 6.0, rng, family_name=FAMILY, micro_share=0.6)
        plan += [
            one
            for one in more
            if all(one.onset_s > other.offset_s + 0.3 or one.offset_s < other.onset_s - 0.3 for other in plan)
        ]
    return sorted((_vary(event, rng) for event in plan), key=lambda event: event.onset_s)


def _vary(event: PlantedExpression, rng: np.random.Generator) -> PlantedExpression:
    """Sometimes stronger than the published range, and, if a macro-expression, sometimes held for most of its time."""
    percent = event.percent * (float(rng.uniform(1, 2.5)) if rng.random() < STRONG else 1.0)
    if event.kind == "micro" or rng.random() < 0.5:
        return replace(event, percent=percent)
    rise, fall = (min(float(rng.uniform(0.12, 0.8)), 0.45 * event.duration_s) for _ in range(2))
    return replace(event, percent=percent, apex_s=event.onset_s + rise, release_s=event.offset_s - fall)


def _movement(ground: Ground, event: PlantedExpression, rng: np.random.Generator) -> Curves:
    """Movement of the regions by one expression in each frame, (m, regions, 2)."""
    response = ground.responses[event.aus]
    factors = np.exp(DEPARTURE * rng.standard_normal((len(response), 1)))
    turn = 0.25 * rng.standard_normal(len(response))
    bent = np.stack(
        [
            np.cos(turn) * response[:, 0] - np.sin(turn) * response[:, 1],
            np.sin(turn) * response[:, 0] + np.cos(turn) * response[:, 1],
        ],
        axis=1,
    )
    size = event.percent * rng.uniform(*GAIN) * factors * bent
    shape = course(family(FAMILY).profile, event.nodes_s, ground.times_s) ** rng.uniform(*FLANK)
    return shape[:, None, None] * size


def _tremble(rng: np.random.Generator, shape: tuple[int, ...], rate_hz: float) -> Curves:
    """Coloured noise, part of it common to neighbouring regions: breath, pulse, small twitches, registration."""
    out = np.zeros(shape)
    for sigma_s, size in ((0.02, 0.3), (0.1, 0.25), (0.5, 0.6)):
        noise = rng.standard_normal(shape) + rng.standard_normal((shape[0], 1, 2))
        calm = smooth(noise.reshape(shape[0], -1), rate_hz, sigma_s).reshape(shape)
        out += rng.uniform(0, size) * calm / max(1e-9, float(calm.std()))
    return out


def _leak(rng: np.random.Generator, angles: Curves, times_s: Curves) -> tuple[Curves, Curves]:
    """What a head motion leaves in the flow of the regions, and that motion's speed in degrees per second."""
    regions = len(GROUPS["all"])
    extra = np.zeros(len(angles))
    if rng.random() < 0.4:
        for start in rng.uniform(0, times_s[-1], rng.integers(1, 4)).tolist():
            rise = (times_s - start) / (rng.uniform(0.1, 1.0) / 4)
            extra += rng.uniform(2, 25) * rng.choice((-1, 1)) / (1 + np.exp(-np.clip(rise, -50, 50)))
    moved = np.column_stack([angles[:, 0] + extra, angles[:, 1] + rng.uniform(-0.5, 0.5) * extra])
    moved = moved - moved.mean(axis=0)
    shares = rng.normal(0, rng.uniform(0.0, 0.12), (2, regions, 2))
    bends = rng.normal(0, rng.uniform(0.0, 0.004), (2, regions, 2))
    leak = np.einsum("ma,arc->mrc", moved, shares) + np.einsum("ma,arc->mrc", moved**2, bends)
    return leak, np.linalg.norm(np.gradient(moved, times_s, axis=0), axis=1)


def _distractions(rng: np.random.Generator, times_s: Curves, regions: int) -> Curves:
    """Steps that stay, and single frames that jump."""
    out = np.zeros((len(times_s), regions, 2))
    if rng.random() < 0.35:
        for at in rng.uniform(0, times_s[-1], rng.integers(1, 3)).tolist():
            some = rng.random(regions) < rng.uniform(0.1, 0.8)
            size = rng.uniform(0.3, 3) * some[:, None] * rng.standard_normal((regions, 2))
            rise = np.clip((times_s - at) / rng.uniform(0.02, 0.3), -50, 50)
            out += size / (1 + np.exp(-rise))[:, None, None]
    if rng.random() < 0.3:
        for at in rng.integers(0, len(times_s), rng.integers(1, 4)).tolist():
            out[at] += rng.uniform(0.3, 2) * rng.standard_normal((regions, 2))
    return out


def _blink_pulls(rng: np.random.Generator, ground: Ground) -> Curves:
    """What a blink does to brows and cheeks: down and back while the lids are, more on some faces than on others."""
    upper = np.zeros((len(GROUPS["all"]), 2))
    size = rng.uniform(0, 1.5)
    for region in range(len(upper)):
        reach = 1.0 if region in GROUPS["upper"] else rng.uniform(0, 0.4)
        upper[region] = reach * size * np.array([rng.normal(0, 0.3), rng.normal(-0.7, 0.5)])
    closing = smooth(ground.blinking[:, None], ground.rate_hz, rng.uniform(0.02, 0.06))[:, 0]
    late = int(rng.integers(-1, 2))
    return np.roll(closing, late)[:, None, None] * upper * rng.uniform(0.5, 1.5)


def _play(rng: np.random.Generator, ground: Ground) -> Curves:
    """The unrest of a lively face: several action units that come and go all the time, none of them an expression."""
    out = np.zeros_like(ground.motion)
    names = list(ground.responses)
    for _ in range(int(rng.integers(2, 8))):
        rates = rng.uniform(0.2, 1.0, 4) * rng.uniform(0.8, 4.0)
        waves = np.sin(2 * np.pi * ground.times_s[:, None] * rates + rng.uniform(0, 2 * np.pi, 4)).mean(axis=1)
        curve = np.maximum(0, waves) if rng.random() < 0.6 else waves
        response = ground.responses[names[int(rng.integers(len(names)))]]
        factors = np.exp(DEPARTURE * rng.standard_normal((len(response), 1)))
        out += curve[:, None, None] * response * factors * rng.uniform(0.5, 8.0)
    return out


def target_arrays(example: Example) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """What the network ought to say.

    Returns:
        How much each sample is the middle of an expression, 0..1, (m, kinds); log distances of onset and offset, and
        place of the apex between them, (m, kinds, 3); and where these are defined, (m, kinds).
    """
    from modalities.face.spotting.temporal_network import KINDS

    m = len(example.features)
    times = np.arange(m) / RATE_HZ
    heat = np.zeros((m, len(KINDS)), np.float32)
    edges = np.zeros((m, len(KINDS), 3), np.float32)
    defined = np.zeros((m, len(KINDS)), bool)
    for event in example.planted:
        kind = KINDS.index(event.kind)
        away = times - (event.onset_s + event.offset_s) / 2
        length = event.offset_s - event.onset_s
        width = max(0.7 / RATE_HZ, 0.1 * length)
        here = np.exp(-((away / width) ** 2) / 2).astype(np.float32)
        here[int(np.argmin(np.abs(away)))] = 1
        better = (here > heat[:, kind]) & (here > 0.3)
        heat[:, kind] = np.maximum(heat[:, kind], here)
        edges[better, kind, 0] = np.log(np.maximum(0.01, times[better] - event.onset_s))
        edges[better, kind, 1] = np.log(np.maximum(0.01, event.offset_s - times[better]))
        edges[better, kind, 2] = (event.apex_s - event.onset_s) / max(length, 1e-3)
        defined[better, kind] = True
    return heat, edges, defined


def example_times_ns(example: Example) -> NDArray[np.int64]:
    """Times of the samples of an example, from zero, int64 (m,)."""
    return even_grid(np.array([0, round((len(example.features) - 1) * NS_PER_S / RATE_HZ)], np.int64))


def draw_examples(grounds: Sequence[Ground], count: int, seed: int, rate_per_minute: float) -> list[Example]:
    """Many examples, each from a face picked at random."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 31]))
    return [draw_example(grounds[int(rng.integers(len(grounds)))], rng, rate_per_minute) for _ in range(count)]
