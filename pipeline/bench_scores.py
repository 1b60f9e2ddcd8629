"""Scores of the spotting bench: what was planted, what was found, and one row per spotter, material and kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.spotting.evaluation import KINDS, Counts, Spotted, pair, score

RARE_PER_MINUTE = 0.4
"""Micro-expressions a minute in CAS(ME)2, to which F1 is re-weighted."""
CALM_PERCENT, LIVELY_PERCENT = 0.6, 2.0
"""Own movement of a face over 0.25 s, percent of the inter-ocular distance: below the first calm, from the second
on lively."""
FACES = ("calm", "between", "lively")
FRAME_S = 1 / 30
"""Length of the frames in which the distance of apexes is told."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Planted:
    """Truth of one expression; frames from 0, inclusive; size in percent of the inter-ocular distance."""

    kind: str
    onset: int
    apex: int
    offset: int
    percent: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a spotter found; frames from 0, inclusive."""

    kind: str
    onset: int
    apex: int
    offset: int
    score: float
    aus: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One spotter on one copy.

    Attributes:
        spotter: Its name.
        copy: Name of the copy.
        material: Name of the material.
        natural: Whether nothing was planted.
        times_ns: Times of the frames, (n,).
        planted: What was planted.
        found: What was found.
        seconds: Time that looking and spotting took.
        own_percent: The face's own movement over 0.25 s, percent of the inter-ocular distance.
    """

    spotter: str
    copy: str
    material: str
    natural: bool
    times_ns: Int64Array
    planted: tuple[Planted, ...]
    found: tuple[Found, ...]
    seconds: float
    own_percent: float

    @property
    def minutes(self) -> float:
        """Length of the copy."""
        return float(self.times_ns[-1] - self.times_ns[0]) / NS_PER_S / 60

    @property
    def face(self) -> str:
        """Sort of the face, one of `FACES`."""
        return face_of(self.own_percent)

    def spotted(self, which: Sequence[Planted] | Sequence[Found]) -> list[Spotted]:
        """As intervals for the evaluator."""
        return [Spotted(self.copy, one.kind, one.onset, one.offset) for one in which]

    def hits(self, kind: str) -> list[tuple[Planted, Found]]:
        """Matched pairs of one kind."""
        truth = [one for one in self.planted if one.kind == kind]
        found = [one for one in self.found if one.kind == kind]
        return [(truth[i], found[j]) for i, j in pair(self.spotted(truth), self.spotted(found))]

    def apex_error(self, planted: Planted, found: Found) -> float:
        """Distance of two apexes in frames of `FRAME_S`."""
        return abs(float(self.times_ns[planted.apex] - self.times_ns[found.apex])) / NS_PER_S / FRAME_S


def face_of(own_percent: float) -> str:
    """Sort of a face by its own movement: "calm", "between" or "lively"."""
    return "calm" if own_percent < CALM_PERCENT else "lively" if own_percent >= LIVELY_PERCENT else "between"


def score_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """One row per spotter, material and kind, and pooled ones per sort of face ("all calm")."""
    rows: list[Row] = []
    for spotter in names(one.spotter for one in outcomes):
        mine = [one for one in outcomes if one.spotter == spotter]
        for material in names(one.material for one in mine):
            part = [one for one in mine if one.material == material]
            own = float(np.median([one.own_percent for one in part]))
            rows += rows_of(spotter, {"material": material, "face": face_of(own), "own_movement": round(own, 2)}, part)
        for face in [face for face in FACES if any(one.face == face for one in mine)]:
            part = [one for one in mine if one.face == face]
            rows += rows_of(spotter, {"material": f"all {face}", "face": face, "own_movement": None}, part)
    return rows


def rows_of(spotter: str, about: Row, outcomes: Sequence[Outcome]) -> list[Row]:
    """One row per kind, micro, macro and overall, of one spotter on some copies.

    Args:
        spotter: Its name.
        about: Further columns, the same in each row.
        outcomes: Of this spotter.
    """
    planted = [one for one in outcomes if not one.natural]
    plain = [one for one in outcomes if one.natural]
    minutes, plain_minutes = (sum(one.minutes for one in part) for part in (planted, plain))
    counts = counts_of(planted)
    frames = sum(len(one.times_ns) for one in outcomes)
    cost = 1000 * sum(one.seconds for one in outcomes) / max(1, frames)
    rows = []
    for kind in (*KINDS, "overall"):
        kinds = KINDS if kind == "overall" else (kind,)
        errors = [one.apex_error(*hit) for one in planted for k in kinds for hit in one.hits(k)]
        natural = sum(found.kind in kinds for one in plain for found in one.found)
        c = counts[kind]
        rows.append(
            {
                "spotter": spotter,
                **about,
                "kind": kind,
                "minutes": round(minutes, 2),
                "planted": c.tp + c.fn,
                "precision": round(c.precision, 3),
                "recall": round(c.recall, 3),
                "f1": round(c.f1, 3),
                "f1_rare": round(rare_f1(c, minutes), 3) if kind == "micro" else None,
                "alarms_per_minute": round(c.fp / minutes, 2) if minutes else None,
                "alarms_upper95": round(poisson_upper(c.fp) / minutes, 2) if minutes else None,
                "unplanted_per_minute": round(natural / plain_minutes, 2) if plain_minutes else None,
                "apex_error_frames": round(float(np.median(errors)), 2) if errors else None,
                "ms_per_frame": round(cost, 2),
            }
        )
    return rows


def counts_of(outcomes: Sequence[Outcome], least_score: float = 0.0) -> dict[str, Counts]:
    """Counts by kind and overall; found events below a score are left out."""
    truth = [spot for one in outcomes for spot in one.spotted(one.planted)]
    found = [
        spot for one in outcomes for spot in one.spotted([event for event in one.found if event.score >= least_score])
    ]
    return dict(score(truth, found, counting="one-to-one"))


def rare_f1(counts: Counts, minutes: float) -> float:
    """F1 if the same spotter met micro-expressions at `RARE_PER_MINUTE`: same recall, same false alarms a minute."""
    if not minutes or not counts.tp:
        return 0.0
    hits = RARE_PER_MINUTE * counts.recall
    return 2 * hits / (RARE_PER_MINUTE + hits + counts.fp / minutes)


def poisson_upper(count: int, level: float = 0.95) -> float:
    """One-sided upper bound of a Poisson mean of which `count` was seen (Garwood 1936)."""
    from scipy.stats import chi2

    return float(chi2.ppf(level, 2 * (count + 1)) / 2)


def natural_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """What was found where nothing was planted."""
    return [
        {
            "spotter": one.spotter,
            "material": one.material,
            "kind": found.kind,
            "onset_s": round(float(one.times_ns[found.onset]) / NS_PER_S, 3),
            "apex_s": round(float(one.times_ns[found.apex]) / NS_PER_S, 3),
            "offset_s": round(float(one.times_ns[found.offset]) / NS_PER_S, 3),
            "score": round(found.score, 3),
            "aus": found.aus,
        }
        for one in outcomes
        if one.natural
        for found in one.found
    ]


def names(values: Iterable[str]) -> list[str]:
    """Each once, in the order of their first appearance."""
    return list(dict.fromkeys(values))
