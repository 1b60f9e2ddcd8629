"""What the simulated channels share: the scene, noise that wanders, bumps, gaps, random events, encodings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.time import to_ns
from fusion.vocabulary import TABLES
from pipeline.simulate.chance import between
from pipeline.simulate.profiles import Curve
from pipeline.simulate.tokens_course import NEUTRAL, Course, covers, log_uniform
from pipeline.simulate.tokens_effects import Effects

RATE_HZ = 4.0
PERSON = "person"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scene:
    """A session's course sampled at 4 Hz.

    Attributes:
        course: What happens.
        effects: How strongly it shows.
        times_s: Shape (n,).
        felt: Indices into `EMOTIONS`, int8 (n,).
        shown: The same of what is shown.
        talking: Where the person speaks, (n,).
    """

    course: Course
    effects: Effects
    times_s: Curve
    felt: NDArray[np.int8]
    shown: NDArray[np.int8]
    talking: Mask

    @classmethod
    def of(cls, course: Course, effects: Effects) -> Scene:
        """Sample a course."""
        times = ((np.arange(int(course.seconds * RATE_HZ)) + 0.5) / RATE_HZ).astype(np.float64)
        return cls(course, effects, times, course.felt_at(times), course.shown_at(times), covers(course.turns, times))

    @property
    def hidden(self) -> Mask:
        """Where felt differs from shown, (n,)."""
        return self.felt != self.shown

    @property
    def suppressing(self) -> Mask:
        """Where something felt is hidden behind a neutral face in a session of the suppression design, (n,)."""
        return self.hidden & (self.shown == NEUTRAL) & (self.effects.design == "suppression")


def wander(rng: np.random.Generator, n: int, count: int, slowest_s: float = 8.0) -> Curve:
    """Noise of unit variance with a memory of 0.1 s up to `slowest_s`, one column each; shape (n, count)."""
    memory_s = np.exp(rng.uniform(np.log(0.1), np.log(slowest_s), count))
    keep = np.exp(-1 / (RATE_HZ * memory_s))
    steps = rng.standard_normal((n, count)) * np.sqrt(1 - keep**2)
    steps[0] = rng.standard_normal(count)
    for at in range(1, n):
        steps[at] += keep * steps[at - 1]
    return steps


def swell(times_s: Curve, onset_s: float, offset_s: float, rise_s: float, fall_s: float) -> Curve:
    """0 outside, 1 inside, with raised-cosine flanks that lie inside; same shape as the times."""
    up = np.clip((times_s - onset_s) / rise_s, 0, 1)
    down = np.clip((offset_s - times_s) / fall_s, 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum(up, down))


def smooth(mask: Mask, seconds: float) -> Curve:
    """A mask as a curve 0..1 with soft flanks of about this length; same shape."""
    width = max(1, round(seconds * RATE_HZ))
    return np.convolve(mask.astype(float), np.ones(width) / width, mode="same")


def raised(log_ratio: float, where: Mask) -> Curve:
    """exp(log_ratio) where the mask is true, else 1; same shape."""
    return np.where(where, np.exp(log_ratio), 1.0).astype(np.float64)


def moments(rng: np.random.Generator, times_s: Curve, per_minute: float | NDArray[np.floating]) -> list[float]:
    """Poisson moments with a rate that may change from sample to sample (at 4 Hz), in order."""
    expected = np.broadcast_to(np.asarray(per_minute, dtype=float) / 60 / RATE_HZ, times_s.shape)
    counts = rng.poisson(expected)
    at = np.repeat(times_s, counts)
    return sorted((at + rng.uniform(-0.5, 0.5, len(at)) / RATE_HZ).clip(0, None).tolist())


def gaps(rng: np.random.Generator, times_s: Curve, often: float) -> Mask:
    """Where a channel is there, (n,): holes of 0.5 to 15 s, `often` per minute on average, at times cut ends."""
    there = np.ones(len(times_s), bool)
    for start in moments(rng, times_s, often):
        there &= ~((times_s >= start) & (times_s < start + log_uniform(rng, 0.5, 15)))
    if rng.random() < 0.15:
        there &= times_s >= between(rng, 0, times_s[-1] / 2)
    if rng.random() < 0.15:
        there &= times_s < between(rng, times_s[-1] / 2, times_s[-1])
    return there


def event(
    channel: str, kind: str, /, onset_s: float, offset_s: float, apex_s: float | None = None,
    score: float | None = None, label: str = "", **details: object,
) -> Event:  # fmt: skip
    """An event of the simulated person; its end is moved where it would not come after the start."""
    onset, offset = to_ns(onset_s), to_ns(offset_s)
    apex = None if apex_s is None else min(max(to_ns(apex_s), onset), max(offset, onset + 1))
    return Event(channel, kind, onset, max(offset, onset + 1), apex, PERSON, score, label, details)


def encoding_of(
    channel: str,
    times_s: Curve,
    columns: Mapping[str, Curve],
    there: Mask,
    events: Sequence[Event],
    valid: Mapping[str, Mask] | None = None,
) -> Encoding:
    """An encoding as an encoder of this channel would give it.

    Args:
        channel: One of `CHANNELS`.
        times_s: Sample times (n,).
        columns: Feature -> values (n,).
        there: Where the channel is valid at all (n,); events that begin elsewhere are dropped.
        events: Events of the channel.
        valid: Feature -> further mask.
    """
    names = tuple(name for name in TABLES[channel].features if name in columns)
    spec = EncoderSpec(f"simulated {channel}", "1", channel, (), _specs(names), ())
    values = np.stack([columns[name] for name in names], axis=1).astype(np.float32)
    ok = np.repeat(there[:, None], len(names), axis=1)
    for name, mask in (valid or {}).items():
        if name in names:
            ok[:, names.index(name)] &= mask
    reason = np.where(ok.any(axis=1), "", "gap").astype(object)
    kept = [one for one in events if there[min(int(one.onset_ns / 1e9 * RATE_HZ), len(there) - 1)]]
    ordered = tuple(sorted(kept, key=lambda one: (one.onset_ns, one.kind)))
    return Encoding(spec, PERSON, Track(_ns(times_s), names, values, ok, reason), ordered)


def _ns(times_s: Curve) -> NDArray[np.int64]:
    return to_ns(np.asarray(times_s, dtype=np.float64))


def _specs(names: tuple[str, ...]) -> tuple[FeatureSpec, ...]:
    return tuple(FeatureSpec(name, "1", "simulated") for name in names)
