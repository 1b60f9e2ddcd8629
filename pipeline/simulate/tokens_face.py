"""The face of a simulated session: action units that follow the display, expressions found, missed and invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_schemas.event import Event
from data_schemas.features import Encoding
from pipeline.simulate.chance import between
from pipeline.simulate.measurement import load_measurement
from pipeline.simulate.profiles import Curve
from pipeline.simulate.tokens_course import log_uniform
from pipeline.simulate.tokens_movements import UNITS, Movement, draw_movements
from pipeline.simulate.tokens_signals import Mask, Scene, encoding_of, event, gaps, moments, raised, swell, wander


def draw_face(rng: np.random.Generator, scene: Scene) -> Encoding:
    """What a face encoder would say of the scene: displays, and the movements of every face that mean nothing."""
    times, n = scene.times_s, len(scene.times_s)
    movements = draw_movements(rng, scene)
    finder = _Finder.of(rng)
    units = {name: np.zeros(n) for name in UNITS}
    for one in movements:
        length = one.offset_s - one.onset_s
        course = swell(times, one.onset_s, one.offset_s, min(0.6, length / 2.2), min(0.8, length / 2.2))
        for name, size in one.units.items():
            units[name] += size * course
    found = [*_seen(rng, finder, movements), *_alarms(rng, finder, scene)]
    columns, valid = _measured(rng, scene, units)
    blink_rate = log_uniform(rng, 6, 30) * raised(scene.effects.suppressed_blinks, scene.suppressing)
    blinks = [at for at in moments(rng, times, blink_rate) if rng.random() < finder.blink]
    found += [event("face", "blink", at, at + 0.25, at + 0.1, 1.0) for at in blinks]
    columns["blink_rate"] = finder.blink * blink_rate + 3 * wander(rng, n, 1)[:, 0]
    there = gaps(rng, times, log_uniform(rng, 0.05, 3))
    kept = {name: values for name, values in columns.items() if rng.random() > 0.05}
    return encoding_of("face", times, kept, there, found, valid)


@dataclass(frozen=True)
class _Finder:
    """How this lab's video and this person's face let expressions be found: drawn around the measured figures.

    Attributes:
        macro: Recall of macro-expressions, 0..1.
        micro: Recall of micro-expressions, 0..1.
        blink: Recall of blinks, 0..1.
        macro_alarms: False macro-expressions per minute.
        micro_alarms: False micro-expressions per minute.
        as_micro: Chance that a found macro-expression is called micro.
        missed: Chance that an action unit is missing from a label.
        mistaken: Chance that a label holds a wrong one.
        jitter_s: Standard deviation of times.
    """

    macro: float
    micro: float
    blink: float
    macro_alarms: float
    micro_alarms: float
    as_micro: float
    missed: float
    mistaken: float
    jitter_s: float

    @classmethod
    def of(cls, rng: np.random.Generator) -> _Finder:
        model = load_measurement()
        wide = float(np.exp(0.7 * rng.standard_normal()))
        return cls(
            macro=model.events["macro"].recall(rng),
            micro=model.events["micro"].recall(rng),
            blink=model.events["blink"].recall(rng),
            macro_alarms=model.events["macro"].alarms_per_minute(rng) * wide,
            micro_alarms=model.events["micro"].alarms_per_minute(rng) * wide,
            as_micro=model.as_other_kind[0] * between(rng, 0.3, 1.5),
            missed=min(0.9, model.unit_missed * between(rng, 0.5, 1.5)),
            mistaken=min(0.9, model.unit_mistaken * between(rng, 0.5, 1.5)),
            jitter_s=min(0.5, model.events["macro"].jitter_s),
        )


def _seen(rng: np.random.Generator, finder: _Finder, movements: Sequence[Movement]) -> list[Event]:
    """What the spotter finds of the movements; faint ones are found less often."""
    found = []
    for one in movements:
        kind = "micro" if one.offset_s - one.onset_s < 0.5 else "macro"
        recall = finder.micro if kind == "micro" else finder.macro * min(1.0, 0.55 + one.strength)
        if rng.random() < recall:
            called = "micro" if kind == "macro" and rng.random() < finder.as_micro else kind
            found.append(_expression(rng, finder, called, one.onset_s, one.offset_s, one.units))
    return found


def _alarms(rng: np.random.Generator, finder: _Finder, scene: Scene) -> list[Event]:
    """Expressions found where the face did not move."""
    found, talks = [], 1 + 2 * scene.talking
    for kind, often, longest in (("macro", finder.macro_alarms, 2.5), ("micro", finder.micro_alarms, 0.5)):
        for at in moments(rng, scene.times_s, np.minimum(often * talks, 20.0)):
            units = {str(name): between(rng, 0.02, 0.5) for name in rng.choice(UNITS, 2, replace=False)}
            found.append(_expression(rng, finder, kind, at, at + between(rng, longest / 5, longest), units))
    return found


def _expression(
    rng: np.random.Generator, finder: _Finder, kind: str, onset_s: float, offset_s: float, units: Mapping[str, float]
) -> Event:
    """An expression as a spotter reports it: some action units missed, some mistaken, times a little off."""
    seen = {name: round(min(1.0, size), 3) for name, size in units.items() if rng.random() > finder.missed}
    if rng.random() < finder.mistaken or not seen:
        seen[str(rng.choice(UNITS))] = round(between(rng, 0.1, 0.5), 3)
    jitter = finder.jitter_s if kind == "macro" else min(0.05, finder.jitter_s)
    onset = max(0.0, onset_s + jitter * float(rng.standard_normal()))
    offset = max(onset + (0.5 if kind == "macro" else 0.1), offset_s + jitter * float(rng.standard_normal()))
    apex = onset + between(rng, 0.25, 0.6) * (offset - onset)
    label = "+".join(sorted({name.split("_")[0].upper() for name in seen}))
    score = min(1.0, 0.3 + max(seen.values()) * between(rng, 0.7, 1.3))
    return event("face", kind, onset, offset, apex, score, label, aus=seen, intensity=max(seen.values()))


def _measured(
    rng: np.random.Generator, scene: Scene, units: dict[str, Curve]
) -> tuple[dict[str, Curve], dict[str, Mask]]:
    """The columns of the track as the encoder gives them, and where each is valid.

    Noise, talking and the response to action units are the measured ones; in a third of the sessions the head turns
    more than in the rendered ones, which moves all columns of the skin.
    """
    n, model = len(scene.times_s), load_measurement()
    columns, valid = model.draw(rng, "face", n, scene.talking)
    for name, change in model.respond(rng, units).items():
        columns[name] = columns[name] + change
    turn = wander(rng, n, 3, 20.0)
    restless = between(rng, 0.2, 1.5) if rng.random() < 1 / 3 else 0.0
    for name in columns:
        if name in UNITS:
            pull = 0.1 * restless * (turn @ rng.standard_normal(3))
            columns[name] = np.clip(columns[name] + np.maximum(0, pull - 0.1 * restless), 0, None)
        elif name.startswith("motion"):
            columns[name] = np.clip(columns[name] * (1 + 0.5 * restless * np.abs(turn[:, 0])), 0, None)
        elif name in ("yaw_deg", "pitch_deg", "roll_deg"):
            columns[name] = columns[name] + 8 * restless * turn[:, ("yaw_deg", "pitch_deg", "roll_deg").index(name)]
        elif name in ("expression_score", "confidence"):
            columns[name] = np.clip(columns[name], 0, 1)
    return columns, valid
