"""Interval scores of spotting as the field counts them: one-to-one matches of intersection over union >= 0.5.

Rule of the MEGC spotting challenges: an interval found is a true positive when its intersection with a true interval
of the same kind is at least half of their union; each true interval is found at most once, and with m true intervals, n
found and a true positives there are n - a false positives and m - a misses. Source: See, Yap, Li, Hong & Wang 2019,
"MEGC 2019 - The Second Facial Micro-Expressions Grand Challenge", section on spotting.

Where coders marked several intervals of the same kind that overlap in time, the published figures let one detection
find all of them that it meets by half: the MEGC 2020 baseline (He, Wang, Li & Yap 2020, "Spotting macro- and
micro-expression intervals in long video sequences", FG 2020, table I: 21 of 5,035 and 109 of 1,523 on CAS(ME)2) counts
true intervals that were found. `COUNTINGS` names both ways; they differ on overlapping truth alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

KINDS = ("micro", "macro")
COUNTINGS = ("field", "one-to-one")
"""What a detection may find: true intervals that overlap one another all at once, else one ("field"); one only."""


@dataclass(frozen=True, slots=True)
class Spotted:
    """One interval of one video, in frames, both ends belonging to it.

    Attributes:
        video: Name of the video.
        kind: "micro" or "macro".
        onset: First frame.
        offset: Last frame, >= onset.
        apex: Frame of the greatest movement; None where nobody says.
        emotion: What it was recognised as; empty where nobody says.
    """

    video: str
    kind: str
    onset: int
    offset: int
    apex: int | None = None
    emotion: str = ""

    def __post_init__(self) -> None:
        if self.offset < self.onset:
            raise InvalidValueError(
                f"a {self.kind} interval of video {self.video} ends before it begins",
                got=f"frames {self.onset} to {self.offset}",
                mend="Swap onset and offset, or correct the table.",
            )


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and misses."""

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        """TP / (TP + FP); 0 when nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """TP / (TP + FN); 0 when there was nothing to find."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); 0 for no intervals at all."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    def as_row(self) -> dict[str, float]:
        """tp, fp, fn, precision, recall, f1."""
        figures = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {"tp": self.tp, "fp": self.fp, "fn": self.fn, **{name: round(v, 6) for name, v in figures.items()}}


def score(
    truth: Sequence[Spotted], found: Sequence[Spotted], iou: float = 0.5, counting: str = "field"
) -> Mapping[str, Counts]:
    """Counts for "micro", "macro" and "overall" (the sum of both).

    Args:
        truth: True intervals.
        found: Detections, in any order.
        iou: Least intersection over union of a match, in (0, 1].
        counting: One of `COUNTINGS`.

    Raises:
        InvalidValueError: `iou` outside (0, 1], a kind other than micro and macro, or an unknown way of counting.
    """
    if counting not in COUNTINGS:
        raise InvalidValueError("unknown way of counting", got=counting, expected=" or ".join(COUNTINGS))
    if not 0 < iou <= 1:
        raise InvalidValueError("the least IoU must lie above 0 and at most at 1", got=iou)
    unknown = sorted({one.kind for one in [*truth, *found]} - set(KINDS))
    if unknown:
        raise InvalidValueError("unknown kinds of intervals", got=", ".join(unknown), expected=", ".join(KINDS))
    counts = {}
    for kind in KINDS:
        true, given = ([one for one in table if one.kind == kind] for table in (truth, found))
        hits = 0
        for video in sorted({one.video for one in true}):
            wanted, said = ([one for one in table if one.video == video] for table in (true, given))
            pairs = pair(wanted, said, iou)
            hits += len(pairs) + (_shared(wanted, said, pairs, iou) if counting == "field" else 0)
        counts[kind] = Counts(hits, max(0, len(given) - hits), len(true) - hits)
    return {**counts, "overall": counts["micro"] + counts["macro"]}


def pair(truth: Sequence[Spotted], found: Sequence[Spotted], iou: float = 0.5) -> list[tuple[int, int]]:
    """One-to-one pairs (index in truth, index in found) of one video and kind, as many as possible.

    A maximum matching, so that the count never depends on the order of the tables; among matchings of the same size the
    one with the greatest summed IoU.
    """
    if not truth or not found:
        return []
    from scipy.optimize import linear_sum_assignment

    overlap = _overlaps(truth, found)
    weight = np.where(overlap >= iou, 1 + overlap / (len(truth) + len(found)), 0.0)
    rows, columns = linear_sum_assignment(weight, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if weight[i, j] > 0]


def apex_errors(truth: Sequence[Spotted], found: Sequence[Spotted], iou: float = 0.5) -> list[int]:
    """Distance of the apexes of each one-to-one pair, frames; pairs without both apexes are left out.

    Args:
        truth: True intervals of any videos and kinds.
        found: Detections.
        iou: Least intersection over union of a match.
    """
    errors = []
    for kind in KINDS:
        for video in sorted({one.video for one in truth}):
            wanted = [one for one in truth if one.kind == kind and one.video == video]
            given = [one for one in found if one.kind == kind and one.video == video]
            for i, j in pair(wanted, given, iou):
                there, here = wanted[i].apex, given[j].apex
                if there is not None and here is not None:
                    errors.append(abs(there - here))
    return errors


def _shared(truth: Sequence[Spotted], found: Sequence[Spotted], pairs: Sequence[tuple[int, int]], iou: float) -> int:
    """True intervals without a detection of their own that overlap one with it, and meet that detection by half."""
    if not pairs:
        return 0
    meets = _overlaps(truth, found) >= iou
    touching = _overlaps(truth, truth) > 0
    taken = {i for i, _ in pairs}
    return sum(any(touching[at, i] and meets[at, j] for i, j in pairs) for at in range(len(truth)) if at not in taken)


def _overlaps(one: Sequence[Spotted], other: Sequence[Spotted]) -> NDArray[np.float64]:
    """Intersection over union of each with each, both ends counted, (len(one), len(other))."""
    a = np.array([(each.onset, each.offset + 1) for each in one], dtype=np.int64)
    b = np.array([(each.onset, each.offset + 1) for each in other], dtype=np.int64)
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    shared = np.clip(shared, 0, None)
    return shared / ((a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None, :] - shared)
