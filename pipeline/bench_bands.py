"""Tables of the spotting bench by size, length and liveliness, and what the scores of events are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from modalities.face.spotting.evaluation import KINDS, Counts
from pipeline.bench_scores import FACES, Outcome, Planted, Row, counts_of, names

PERCENT_BANDS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Peak displacement, percent of the inter-ocular distance."""
DURATION_BANDS_S = (0.08, 0.15, 0.25, 0.5, 1.0, 2.0, 4.0)
OWN_BANDS = (0.0, 0.3, 0.6, 1.0, 2.0, 5.0, 10.0)
"""Own movement of the face over 0.25 s, percent of the inter-ocular distance."""
SCORE_BANDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.9)
"""Least scores between which a user may choose; at 0 every event of the spotter is kept."""


def band_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Recall and F1 by band of displacement, of duration and of the face's own movement, per spotter and kind.

    Displacement and duration are told apart by sort of face. A false alarm has no planted size; F1 of a band is what it
    would be if every planted expression of the kind were one of this band, false alarms as they are.
    """
    rows: list[Row] = []
    for spotter in names(one.spotter for one in outcomes):
        mine = [one for one in outcomes if one.spotter == spotter and not one.natural]
        for face in FACES:
            part = [one for one in mine if one.face == face]
            for kind in KINDS:
                about = {"spotter": spotter, "face": face, "kind": kind}
                rows += _planted_bands(about, part, "displacement_percent", PERCENT_BANDS, lambda one: one.percent)
                rows += _planted_bands(about, part, "duration_s", DURATION_BANDS_S, lambda one: one.duration_s)
        for kind in KINDS:
            for low, high in pairwise(OWN_BANDS):
                part = [
                    one for one in mine if low <= one.own_percent and (one.own_percent < high or high == OWN_BANDS[-1])
                ]
                counts = counts_of(part)[kind]
                if part:
                    about = {"spotter": spotter, "face": "all", "kind": kind}
                    rows.append(_row(about, "own_movement_percent", (low, high), counts, counts.f1))
    return rows


def _planted_bands(
    about: Row, outcomes: Sequence[Outcome], by: str, bands: Sequence[float], size: Callable[[Planted], float]
) -> Iterator[Row]:
    kind = about["kind"]
    cases = [
        (size(planted), any(planted is hit for hit, _ in one.hits(kind)))
        for one in outcomes
        for planted in one.planted
        if planted.kind == kind
    ]
    alarms = counts_of(outcomes)[kind].fp
    for low, high in pairwise(bands):
        hits = [hit for value, hit in cases if low <= value and (value < high or value == high == bands[-1])]
        if hits:
            counts = Counts(sum(hits), 0, len(hits) - sum(hits))
            found = counts.recall * len(cases)
            yield _row(about, by, (low, high), counts, 2 * found / (len(cases) + found + alarms))


def _row(about: Row, by: str, band: tuple[float, float], counts: Counts, f1: float) -> Row:
    return {
        **about,
        "by": by,
        "from": band[0],
        "to": band[1],
        "planted": counts.tp + counts.fn,
        "found": counts.tp,
        "recall": round(counts.recall, 3),
        "f1": round(f1, 3),
    }


def calibration_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Of the events with a score in each band, the share that is true; per spotter and kind, planted copies only.

    `brier` is the mean squared difference between score and truth over all events of the spotter and kind (Brier 1950).
    """
    rows: list[Row] = []
    for spotter in names(one.spotter for one in outcomes):
        mine = [one for one in outcomes if one.spotter == spotter and not one.natural]
        for kind in KINDS:
            events = [
                (found.score, any(found is hit for _, hit in one.hits(kind)))
                for one in mine
                for found in one.found
                if found.kind == kind
            ]
            brier = round(float(np.mean([(value - hit) ** 2 for value, hit in events])), 3) if events else None
            for low, high in pairwise(SCORE_BANDS):
                band = [(value, hit) for value, hit in events if low <= value < high or value == high == 1]
                if band:
                    rows.append(
                        {
                            "spotter": spotter,
                            "kind": kind,
                            "score_from": low,
                            "score_to": high,
                            "events": len(band),
                            "mean_score": round(float(np.mean([value for value, _ in band])), 3),
                            "true_share": round(float(np.mean([hit for _, hit in band])), 3),
                            "brier": brier,
                        }
                    )
    return rows


def threshold_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Recall, precision and false alarms if only events from a score on are kept."""
    rows: list[Row] = []
    for spotter in names(one.spotter for one in outcomes):
        for face in FACES:
            part = [one for one in outcomes if (one.spotter, one.face, one.natural) == (spotter, face, False)]
            minutes = sum(one.minutes for one in part)
            for least in THRESHOLDS if part else ():
                counts = counts_of(part, least)
                rows += [
                    {
                        "spotter": spotter,
                        "face": face,
                        "kind": kind,
                        "least_score": least,
                        "recall": round(counts[kind].recall, 3),
                        "precision": round(counts[kind].precision, 3),
                        "f1": round(counts[kind].f1, 3),
                        "alarms_per_minute": round(counts[kind].fp / minutes, 2) if minutes else None,
                    }
                    for kind in KINDS
                ]
    return rows
