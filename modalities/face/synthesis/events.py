"""What is planted and when: expressions, their exact truth per frame, and random plans of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.families import family
from modalities.face.synthesis.profiles import Curve, course

MICRO_S = (0.08, 0.5)
MACRO_S = (0.5, 4.0)
MICRO_PERCENT = (1.0, 5.0)
MACRO_PERCENT = (2.0, 10.0)
"""Ranges of duration and of peak displacement in percent of the inter-ocular distance (IOD).

Micro-expressions last up to 0.5 s (Yan et al. 2013); macro-expressions 0.5 to 4 s (Ekman 2003).
"""
MOST_PER_MINUTE = 6.0
GAP_S = 1.0
"""Least time between two planted expressions."""


@dataclass(frozen=True, slots=True)
class PlantedExpression:
    """One planted movement.

    Attributes:
        kind: "micro" or "macro".
        aus: Action units that move together, each with or without a side.
        onset_s: Last moment without movement.
        apex_s: Peak displacement is reached.
        release_s: Begins to fall.
        offset_s: Back.
        percent: Peak displacement anywhere on the face, percent of the inter-ocular distance.
        family: Name of the family of fields and time profile.
    """

    kind: str
    aus: tuple[str, ...]
    onset_s: float
    apex_s: float
    release_s: float
    offset_s: float
    percent: float
    family: str = "bench"

    def __post_init__(self) -> None:
        if self.kind not in ("micro", "macro") or not self.aus or not self.percent > 0:
            raise InvalidValueError(
                "a planted expression is micro or macro, has action units and moves",
                time_s=self.onset_s,
                got=(self.kind, self.aus, self.percent),
            )
        course(family(self.family).profile, self.nodes_s, np.zeros(1))

    @property
    def nodes_s(self) -> tuple[float, float, float, float]:
        """Onset, apex, release, offset."""
        return self.onset_s, self.apex_s, self.release_s, self.offset_s

    @property
    def duration_s(self) -> float:
        """Onset to offset."""
        return self.offset_s - self.onset_s

    @property
    def side(self) -> str:
        """Whose side moves: "left", "right" (the person's own) or "both"."""
        sides = {au.partition("_")[2] or "both" for au in self.aus}
        return sides.pop() if len(sides) == 1 else "both"

    def at(self, times_s: Curve) -> Curve:
        """Peak displacement over the face in percent of the IOD at times, shape as given."""
        return self.percent * course(family(self.family).profile, self.nodes_s, times_s)


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """A planted expression in frames from 0, all inclusive.

    Attributes:
        onset_frame: First frame that differs.
        apex_frame: Frame of the greatest displacement; the first of equals.
        offset_frame: Last frame that differs.
        percent: Displacement of the frames from onset to offset, percent of the IOD.
    """

    onset_frame: int
    apex_frame: int
    offset_frame: int
    percent: tuple[float, ...]


def frame_truth(event: PlantedExpression, times_s: Curve) -> FrameTruth | None:
    """The truth of one expression in the frames of a video; None where it falls between two frames.

    Args:
        event: What was planted.
        times_s: Time of every frame, increasing, shape (n,).
    """
    size = event.at(times_s)
    moving = np.flatnonzero(size > 0)
    if not len(moving):
        return None
    first, last = int(moving[0]), int(moving[-1])
    return FrameTruth(first, int(size.argmax()), last, tuple(size[first : last + 1].tolist()))


def plan_events(
    duration_s: float,
    rate_per_minute: float,
    rng: np.random.Generator,
    *,
    family_name: str = "bench",
    micro_s: tuple[float, float] = MICRO_S,
    macro_s: tuple[float, float] = MACRO_S,
    micro_percent: tuple[float, float] = MICRO_PERCENT,
    macro_percent: tuple[float, float] = MACRO_PERCENT,
    micro_share: float = 0.5,
    riding: float = 0.0,
    count: int | None = None,
    edge_s: float = GAP_S,
) -> list[PlantedExpression]:
    """A random plan: times spread evenly at random, at least `GAP_S` apart, never cut by the ends.

    Durations are log-uniform, displacements uniform within their ranges.

    Args:
        duration_s: Length of the video.
        rate_per_minute: Expressions a minute, above 0, at most 6.
        rng: Source of chance.
        family_name: "train" or "bench".
        micro_s: Shortest and longest micro-expression.
        macro_s: Shortest and longest macro-expression.
        micro_percent: Least and greatest peak displacement of a micro-expression, percent of the IOD.
        macro_percent: The same of a macro-expression.
        micro_share: Share of micro-expressions, 0..1.
        riding: Probability that a macro-expression of at least 1.5 s carries a micro-expression of other units.
        count: How many expressions, instead of the rate's: for whoever shares them out over many short videos.
        edge_s: Least time between an expression and either end.

    Returns:
        Expressions in order of onset, as many as duration times rate (rounded at random, so that the rate holds on
        average) and as fit.

    Raises:
        InvalidValueError: a rate outside its range, a duration that is not positive, shares outside 0..1.
    """
    if not (0 < rate_per_minute <= MOST_PER_MINUTE and duration_s > 0):
        raise InvalidValueError(
            "a plan needs a positive duration and a rate of at most 6 expressions a minute",
            got=(duration_s, rate_per_minute),
        )
    if not (0 <= micro_share <= 1 and 0 <= riding <= 1):
        raise InvalidValueError("shares lie within 0..1", got=(micro_share, riding))
    drawn = int(duration_s * rate_per_minute / 60 + rng.random())
    count = drawn if count is None else count
    kinds = ["micro" if rng.random() < micro_share else "macro" for _ in range(count)]
    lengths = [float(np.exp(rng.uniform(*np.log(micro_s if kind == "micro" else macro_s)))) for kind in kinds]
    while lengths and sum(lengths) + GAP_S * (len(lengths) - 1) + 2 * edge_s > duration_s:
        lengths.pop()
        kinds.pop()
    spare = duration_s - sum(lengths) - GAP_S * (len(lengths) - 1) - 2 * edge_s
    starts = np.sort(rng.uniform(0, max(spare, 0.0), len(lengths)))
    out: list[PlantedExpression] = []
    used = 0.0
    for at, (kind, length) in enumerate(zip(kinds, lengths, strict=True)):
        onset = float(starts[at]) + used + GAP_S * at + edge_s
        used += length
        sizes = micro_percent if kind == "micro" else macro_percent
        out.append(_draw(rng, kind, family_name, onset, length, float(rng.uniform(*sizes))))
        if kind == "macro" and length >= 1.5 and rng.random() < riding and out[-1].percent > micro_percent[0]:
            short = float(np.exp(rng.uniform(*np.log(micro_s))))
            place = float(rng.uniform(out[-1].apex_s, max(out[-1].apex_s, out[-1].offset_s - short - 0.2)))
            rider = _draw(rng, "micro", family_name, place, short, float(rng.uniform(*micro_percent)), out[-1].aus)
            out.append(rider)
    return sorted(out, key=lambda event: event.onset_s)


def _draw(
    rng: np.random.Generator,
    kind: str,
    family_name: str,
    onset_s: float,
    length_s: float,
    percent: float,
    without: Sequence[str] = (),
) -> PlantedExpression:
    """One expression with random units and a random place of its apex and release."""
    taken = {au.partition("_")[0] for au in without}
    sets = [aus for aus in family(family_name).aus if not taken & {au.partition("_")[0] for au in aus}]
    apex = rng.uniform(0.25, 0.5) if kind == "macro" else rng.uniform(0.3, 0.55)
    hold = rng.uniform(0.05, 0.3) if kind == "macro" else rng.uniform(0.0, 0.15)
    return PlantedExpression(
        kind,
        sets[int(rng.integers(len(sets)))],
        onset_s,
        onset_s + float(apex) * length_s,
        onset_s + float(apex + hold) * length_s,
        onset_s + length_s,
        percent,
        family_name,
    )
