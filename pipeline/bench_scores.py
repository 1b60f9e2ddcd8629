"""Tables of the spotting bench: scores, recall by size and length, calibration of the score, natural events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.spotting.evaluation import KINDS, Counts, Spotted, pair, score

RARE_PER_MINUTE = 0.4
"""Micro-expressions a minute in CAS(ME)2, to which F1 is re-weighted."""
PERCENT_BANDS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
DURATION_BANDS_S = (0.08, 0.15, 0.25, 0.5, 1.0, 2.0, 4.0)
SCORE_BANDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

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
    """

    spotter: str
    copy: str
    material: str
    natural: bool
    times_ns: Int64Array
    planted: tuple[Planted, ...]
    found: tuple[Found, ...]
    seconds: float

    @property
    def minutes(self) -> float:
        """Length of the copy."""
        return float(self.times_ns[-1] - self.times_ns[0]) / NS_PER_S / 60

    def spotted(self, which: Sequence[Planted] | Sequence[Found]) -> list[Spotted]:
        """As intervals for the evaluator."""
        return [Spotted(self.copy, one.kind, one.onset, one.offset) for one in which]

    def hits(self, kind: str) -> list[tuple[Planted, Found]]:
        """Matched pairs of one kind."""
        truth = [one for one in self.planted if one.kind == kind]
        found = [one for one in self.found if one.kind == kind]
        return [(truth[i], found[j]) for i, j in pair(self.spotted(truth), self.spotted(found))]


def score_rows(outcomes: Sequence[Outcome], own: Mapping[str, float], face_of: Callable[[float], str]) -> list[Row]:
    """One row per spotter, material and kind, and pooled ones per sort of face."""
    rows: list[Row] = []
    for spotter in _names(one.spotter for one in outcomes):
        mine = [one for one in outcomes if one.spotter == spotter]
        for material in _names(one.material for one in mine):
            part = [one for one in mine if one.material == material]
            about = {"material": material, "face": face_of(own[material]), "own_movement": round(own[material], 2)}
            rows += _rows_of(spotter, about, part)
        for face in _names(face_of(own[one.material]) for one in mine):
            part = [one for one in mine if face_of(own[one.material]) == face]
            rows += _rows_of(spotter, {"material": f"all {face}", "face": face, "own_movement": None}, part)
    return rows


def _rows_of(spotter: str, about: Row, outcomes: Sequence[Outcome]) -> list[Row]:
    planted = [one for one in outcomes if not one.natural]
    plain = [one for one in outcomes if one.natural]
    minutes, plain_minutes = sum(one.minutes for one in planted), sum(one.minutes for one in plain)
    truth = [spot for one in planted for spot in one.spotted(one.planted)]
    found = [spot for one in planted for spot in one.spotted(one.found)]
    counts = score(truth, found)
    frames = sum(len(one.times_ns) for one in outcomes)
    cost = 1000 * sum(one.seconds for one in outcomes) / max(1, frames)
    rows = []
    for kind in (*KINDS, "overall"):
        kinds = KINDS if kind == "overall" else (kind,)
        errors = [abs(a.apex - b.apex) for one in planted for k in kinds for a, b in one.hits(k)]
        natural = sum(hit.kind in kinds for one in plain for hit in one.found)
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
                "apex_error_frames": float(np.median(errors)) if errors else None,
                "ms_per_frame": round(cost, 2),
            }
        )
    return rows


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


def recall_rows(outcomes: Sequence[Outcome], own: Mapping[str, float], face_of: Callable[[float], str]) -> list[Row]:
    """Recall by band of displacement and by band of duration, per spotter, sort of face and kind."""
    rows: list[Row] = []
    cases = [
        (one.spotter, face_of(own[one.material]), planted, any(planted is hit for hit, _ in one.hits(planted.kind)))
        for one in outcomes
        for planted in one.planted
    ]
    ways = (("displacement_percent", PERCENT_BANDS, _percent), ("duration_s", DURATION_BANDS_S, _duration))
    for spotter, face in sorted({(case[0], case[1]) for case in cases}):
        for kind in KINDS:
            part = [(p, hit) for s, f, p, hit in cases if (s, f, p.kind) == (spotter, face, kind)]
            for by, bands, size in ways:
                for low, high in pairwise(bands):
                    values = [hit for p, hit in part if low <= size(p) < high]
                    if values:
                        rows.append(
                            {"spotter": spotter, "face": face, "kind": kind, "by": by, "from": low, "to": high,
                             "planted": len(values), "found": sum(values),
                             "recall": round(sum(values) / len(values), 3)}
                        )  # fmt: skip
    return rows


def _percent(one: Planted) -> float:
    return one.percent


def _duration(one: Planted) -> float:
    return one.duration_s


def calibration_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Of the events with a score in each band, the share that is true; per spotter and kind, planted copies only."""
    rows: list[Row] = []
    for spotter in _names(one.spotter for one in outcomes):
        for kind in KINDS:
            events = [
                (found.score, any(found is hit for _, hit in one.hits(kind)))
                for one in outcomes
                if one.spotter == spotter and not one.natural
                for found in one.found
                if found.kind == kind
            ]
            for low, high in pairwise(SCORE_BANDS):
                true = [hit for value, hit in events if low <= value < high or value == high == 1]
                if true:
                    rows.append(
                        {"spotter": spotter, "kind": kind, "score_from": low, "score_to": high, "events": len(true),
                         "true_share": round(sum(true) / len(true), 3)}
                    )  # fmt: skip
    return rows


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


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
