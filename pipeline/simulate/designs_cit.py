"""Sessions of a concealed information test with known truth: what each item does to skin, heart and breath.

The effects come from the table (`fusion.cit_model.sizes`), a factor of the lab and a factor of the person. What is
measured of them varies widely: number of questions, items and repetitions, size and spread of each reaction,
habituation, skin that is silent at some items, heavy tails, items that stand out for no reason, missing measures and
values. In a share of the people who know the item nothing shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, Track
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from fusion.cit_items import ITEM_SHARE, MEASURES
from fusion.cit_model import KNOWING, NO_EFFECT, lab_factors, person_factors, sizes
from pipeline.simulate.chance import between, generator

Array = NDArray[np.float64]
PERSON = "person"
STEP_S = 20.0
FIRST_S = 20.0
_TAIL = 6.0
"""Degrees of freedom of the t distribution of the noise."""


@dataclass(frozen=True, eq=False)
class CitSession:
    """One person's test.

    Attributes:
        seed: What it was drawn from.
        knows: Whether the person knows the concealed items.
        responds: Whether that shows; what `fused.cit_response` is the probability of.
        effects: True effect in each of `MEASURES`, in standard deviations of one presentation, shape (3,); 0 without
            a response.
        roles: Of the n presentations, "probe" or "irrelevant".
        names: Their items.
        onsets_s: When.
        values: Measure -> reaction to each presentation in the unit of the encoder, NaN where it is missing; without
            the measures that the lab does not record.
        extent: From 0 to 20 s after the last item.
    """

    seed: int
    knows: bool
    responds: bool
    effects: Array
    roles: tuple[str, ...]
    names: tuple[str, ...]
    onsets_s: Array
    values: Mapping[str, Array]
    extent: Interval

    @property
    def cues(self) -> tuple[Event, ...]:
        """The items as the context encoder gives them."""
        return tuple(
            Event(
                "context", "cue", to_ns(float(at)), to_ns(float(at) + 5.0), person=PERSON, label=name,
                details={"kind": "stimulus", "stream": "cues", "cit": role, "item": name},
            )
            for at, role, name in zip(self.onsets_s, self.roles, self.names, strict=True)
        )  # fmt: skip

    def encodings(self) -> tuple[Encoding, ...]:
        """Context and physiology as encoders would give them: cues, and a `reaction` to each."""
        reactions = []
        for at, cue in enumerate(self.cues):
            details: dict[str, Any] = {
                measure.key: None if name not in self.values or np.isnan(self.values[name][at])
                else float(self.values[name][at])
                for name, measure in ((one.name, one) for one in MEASURES)
            }  # fmt: skip
            end = cue.onset_ns + to_ns(15.0)
            score = details["scr_amplitude_us"]
            reactions.append(
                Event("physiology", "reaction", cue.onset_ns, end, None, PERSON, score, cue.label, details)
            )
        context = EncoderSpec("simulated context", "1", "context", (), (), ("cue",))
        body = EncoderSpec("simulated physiology", "1", "physiology", (), (), ("reaction",))
        empty = Track.empty(())
        return (
            Encoding(context, PERSON, empty, self.cues),
            Encoding(body, PERSON, empty, tuple(reactions)),
        )


def simulate_cit(
    seed: int,
    knows: bool | None = None,
    *,
    lab: Array | None = None,
    no_effect: float = NO_EFFECT,
    presentations: tuple[int, int, int] | None = None,
    complete: bool = False,
) -> CitSession:
    """Draw one person's test.

    Args:
        seed: Everything follows from it. Sessions that differ in `knows` alone share all chance.
        knows: Whether the person knows the items; by a coin if None.
        lab: Factors of the lab for each measure, shape (3,); drawn if None.
        no_effect: Share of those who know in whom nothing shows; 1 is a world without effect.
        presentations: Questions (each with one probe), irrelevant items per probe, and repetitions; drawn if None.
        complete: Whether every measure and value is there.
    """
    rng = generator(seed, "cit person")
    coin, shows = rng.random(), rng.random()
    known = bool(coin < KNOWING) if knows is None else knows
    responds = known and bool(shows >= no_effect)
    factor = lab_factors(generator(seed, "cit lab"), 1)[0] if lab is None else lab
    full = sizes() * factor * person_factors(rng, 1)[0]
    effects = full if responds else np.zeros(len(MEASURES))
    order = generator(seed, "cit order")
    questions, irrelevant, repeats = _counts(order) if presentations is None else presentations
    roles, names = _sequence(order, questions, irrelevant, repeats)
    onsets = FIRST_S + np.cumsum(np.r_[0.0, order.uniform(0.9, 1.2, len(roles) - 1)]) * STEP_S
    values = _values(generator(seed, "cit reactions"), roles, names, effects)
    if not complete:
        values = _losses(generator(seed, "cit losses"), values)
    extent = Interval(0, to_ns(float(onsets[-1]) + STEP_S))
    return CitSession(seed, known, responds, effects, roles, names, onsets, values, extent)


def _counts(rng: np.random.Generator) -> tuple[int, int, int]:
    """Questions, irrelevant items per probe and repetitions: 3 to 24 probe presentations."""
    return int(rng.integers(3, 9)), int(rng.integers(4, 6)), int(rng.integers(1, 4))


def _sequence(
    rng: np.random.Generator, questions: int, irrelevant: int, repeats: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Roles and names in order of presentation: blocks of one question, shuffled; never the probe first."""
    roles: list[str] = []
    names: list[str] = []
    for _ in range(repeats):
        for question in rng.permutation(questions).tolist():
            block = [("probe", f"q{question} probe"), *(("irrelevant", f"q{question} i{i}") for i in range(irrelevant))]
            place = rng.permutation(len(block))
            while place[0] == 0:
                place = rng.permutation(len(block))
            roles += [block[at][0] for at in place.tolist()]
            names += [block[at][1] for at in place.tolist()]
    return tuple(roles), tuple(names)


def _values(
    rng: np.random.Generator, roles: tuple[str, ...], names: tuple[str, ...], effects: Array
) -> dict[str, Array]:
    """Reactions in the unit of the encoder; effects count in standard deviations of what is left of a reaction beside
    its course over the test.
    """
    n = len(roles)
    probe = np.array([role == "probe" for role in roles])
    each, item = np.unique(names, return_inverse=True)
    shared = between(rng, 0.0, 0.2)
    common = rng.standard_t(_TAIL, n)
    out = {}
    for at, measure in enumerate(MEASURES):
        own = rng.standard_t(_TAIL, n)
        noise = (np.sqrt(shared) * common + np.sqrt(1 - shared) * own) * np.sqrt((_TAIL - 2) / _TAIL)
        noise = np.sqrt(1 - ITEM_SHARE) * noise + np.sqrt(ITEM_SHARE) * rng.standard_normal(len(each))[item]
        tired = between(rng, 0.0, 1.5) * np.exp(-np.arange(n) / between(rng, 4.0, 15.0))
        level = between(rng, 0.8, 3.0)
        size = float(np.exp(rng.normal(0.0, 0.5)))
        unit = float(np.sqrt(1 + _bend(tired) ** 2))
        if measure.name == "scr":
            course = level + tired - tired.mean()
            reached = course + noise + probe * _lift(course, effects[at])
            out[measure.name] = 0.05 * size * np.maximum(reached, 0.0) ** 2
        else:
            raised = size * (noise + tired + probe * effects[at] * unit)
            out[measure.name] = -1.2 * raised if measure.name == "heart_rate" else np.exp(-0.12 * raised)
    return out


def _bend(course: Array) -> float:
    """Standard deviation of what a course over the test differs from a line over the logarithm of the place."""
    places = np.log(np.arange(1, len(course) + 1))
    return float((course - np.polyval(np.polyfit(places, course, 1), places)).std())


def _lift(course: Array, effect: float) -> float:
    """How far values around a course, cut off at 0 where the skin is silent, must rise for a standardised effect.

    The effect counts in the standard deviation of what is left of the cut-off values beside a line over the logarithm
    of the place.
    """
    from scipy.stats import norm

    def mean(at: Array) -> Array:
        return np.asarray(at * norm.cdf(at) + norm.pdf(at))

    here = mean(course)
    square = (course**2 + 1) * norm.cdf(course) + course * norm.pdf(course)
    sd = float(np.sqrt((square - here**2).mean() + _bend(here) ** 2))
    rises = np.linspace(0.0, 12.0, 200)
    reached = mean(course + rises[:, None]).mean(axis=1) - here.mean()
    return float(np.interp(effect * sd, reached, rises))


def _losses(rng: np.random.Generator, values: Mapping[str, Array]) -> dict[str, Array]:
    """Measures that a lab does not record, and values lost to artefacts; at least one measure stays."""
    kept = [name for name, chance in zip(values, rng.random(len(values)), strict=True) if chance >= 0.2] or ["scr"]
    share = between(rng, 0.0, 0.12)
    return {name: np.where(rng.random(len(values[name])) < share, np.nan, values[name]) for name in kept}
