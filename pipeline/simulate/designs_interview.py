"""Interviews with known truth at the unit of the published effects: statements, some of them deceptive.

Each sourced cue of the table has one value per statement: the person's own level, chance, and in deceptive ones the
effect (in standard deviations of statements over people) with a factor of the lab and of the person. Cues without a
source differ between statements without any relation to the truth. In a share of the sessions nothing shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from fusion.effect_table import SourcedEffect, effects_of
from fusion.evidence_ratio import BETWEEN_LABS, NO_EFFECT, PERSON_SHARE
from pipeline.simulate.chance import between, generator

Array = NDArray[np.float64]
PERSON = "person"
RATE_HZ = 2.0
BETWEEN_PEOPLE = 0.1
"""Standard deviation of the effects of people within a lab (assumed)."""
SCALES: dict[str, tuple[float, float]] = {
    "face.pupil_ratio": (0.38, 0.03),
    "face.au17": (0.9, 0.25),
    "face.au24": (0.8, 0.25),
    "body.self_adaptor_rate": (6.0, 1.5),
    "body.illustrator_rate": (12.0, 3.0),
    "voice.talking_share": (0.6, 0.08),
    "voice.pitch_hz": (160.0, 12.0),
    "face.au12_left": (0.8, 0.25),
    "body.movement_energy": (1.0, 0.25),
    "physiology.heart_rate_bpm": (75.0, 4.0),
}
"""Mean and standard deviation of statements of the cues that are simulated, in the encoders' units; the last three have
no sourced effect."""


@dataclass(frozen=True, eq=False)
class InterviewSession:
    """One person's interview.

    Attributes:
        seed: What it was drawn from.
        statements: In order.
        deceptive: Which of them are, bool (statements,).
        shows: Whether any effect is there at all.
        encodings: Context with an answer cue per statement; face, voice, body, physiology.
        extent: Of the session.
    """

    seed: int
    statements: tuple[Interval, ...]
    deceptive: NDArray[np.bool_]
    shows: bool
    encodings: tuple[Encoding, ...]
    extent: Interval


def measured_effects() -> tuple[SourcedEffect, ...]:
    """The effects of interviews that a simulated column measures."""
    return tuple(one for one in effects_of("interview", "statement") if one.measured_by in SCALES)


def simulate_interview(
    seed: int,
    deceptive: bool | None = None,
    *,
    vary: bool = True,
    no_effect: float = NO_EFFECT,
    statements: int | None = None,
) -> InterviewSession:
    """Draw one person's interview.

    Args:
        seed: Everything follows from it. Sessions that differ in `deceptive` alone share all chance.
        deceptive: All statements or none; each by a coin if None.
        vary: Whether labs and people differ in their effects; False gives the table's effects as they are.
        no_effect: Share of sessions in which nothing shows; 1 is a world without effect.
        statements: Their number; 8 to 24 if None.
    """
    rng = generator(seed, "interview")
    count, shows = int(rng.integers(8, 25)), bool(rng.random() >= no_effect)
    count = count if statements is None else statements
    lies = rng.random(count) < 0.5 if deceptive is None else np.full(count, deceptive)
    lengths, pauses = rng.uniform(5.0, 14.0, count), rng.uniform(1.0, 4.0, count)
    ends = 5.0 + np.cumsum(lengths + pauses)
    spans = tuple(
        Interval(to_ns(float(end - length)), to_ns(float(end))) for end, length in zip(ends, lengths, strict=True)
    )
    extent = Interval(0, to_ns(float(ends[-1] + 5.0)))
    shifts = _shifts(generator(seed, "interview effects"), vary) if shows else {}
    noise = generator(seed, "interview values")
    values = {
        cue: _draw(noise, count, shifts.get(cue, 0.0) * lies.astype(float)) * sd + mean
        for cue, (mean, sd) in SCALES.items()
    }
    encodings = (_context(spans), *_channels(generator(seed, "interview tracks"), values, spans, extent))
    return InterviewSession(seed, spans, lies, shows, encodings, extent)


def _shifts(rng: np.random.Generator, vary: bool) -> dict[str, float]:
    """Effect of each cue in this lab and person, in standard deviations of statements."""
    out = {}
    for one in measured_effects():
        spread = float(rng.normal(0, np.hypot(BETWEEN_LABS, BETWEEN_PEOPLE)))
        out[one.measured_by] = one.sign * ((one.magnitude or 0.0) + (spread if vary else 0.0))
    return out


def _draw(rng: np.random.Generator, count: int, shift: NDArray[np.floating]) -> Array:
    """Values of unit variance over people: the person's level, and each statement's own part."""
    level = np.sqrt(PERSON_SHARE) * rng.standard_normal()
    return np.asarray(level + np.sqrt(1 - PERSON_SHARE) * rng.standard_normal(count) + shift)


def _context(spans: tuple[Interval, ...]) -> Encoding:
    spec = EncoderSpec("simulated context", "1", "context", (), (), ("cue",))
    cues = [
        Event(
            "context", "cue", span.start_ns, span.end_ns, person=PERSON, label=f"answer {at}",
            details={"kind": "answer", "stream": "cues"},
        )
        for at, span in enumerate(spans, 1)
    ]  # fmt: skip
    return Encoding(spec, PERSON, Track.empty(()), tuple(cues))


def _channels(
    rng: np.random.Generator, values: Mapping[str, Array], spans: tuple[Interval, ...], extent: Interval
) -> list[Encoding]:
    """Tracks at 2 Hz: each statement's value with a wobble around it, features and stretches missing by chance."""
    times = np.arange(0, extent.end_ns, round(1e9 / RATE_HZ), dtype=np.int64)
    channels = list(dict.fromkeys(cue.partition(".")[0] for cue in values))
    out = []
    for channel in channels:
        names = tuple(cue.partition(".")[2] for cue in values if cue.startswith(f"{channel}."))
        cells = np.zeros((len(times), len(names)), np.float32)
        for column, name in enumerate(names):
            mean, sd = SCALES[f"{channel}.{name}"]
            cells[:, column] = mean + sd * rng.standard_normal(len(times))
            for span, value in zip(spans, values[f"{channel}.{name}"], strict=True):
                first, stop = np.searchsorted(times, (span.start_ns, span.end_ns))
                wobble = rng.standard_normal(stop - first)
                cells[first:stop, column] = value + 0.5 * sd * (wobble - wobble.mean())
        valid = np.repeat((rng.random(len(times)) > between(rng, 0.0, 0.2))[:, None], len(names), axis=1)
        reason = np.where(valid.any(axis=1), "", "gap").astype(object)
        features = tuple(FeatureSpec(name, "1", "simulated") for name in names)
        spec = EncoderSpec(f"simulated {channel}", "1", channel, (), features)
        out.append(Encoding(spec, PERSON, Track(times, names, cells, valid, reason)))
    return out
