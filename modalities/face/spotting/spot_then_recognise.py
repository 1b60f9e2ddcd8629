"""Spotting and recognition in one figure: the spot-then-recognise score.

Liong, See & Chan 2023, "Spot-then-recognize: A micro-expression analysis network for seamless evaluation of long
videos", Signal Processing: Image Communication 110: STRS = F1 of spotting x F1 of analysis, where analysis looks at the
emotions of the intervals that were spotted rightly. The score of the MEGC challenges of 2023 and 2025 (Fan et al. 2025,
"MEGC2025: Micro-Expression Grand Challenge on Spot Then Recognize and Visual Question Answering").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_schemas.errors import InvalidValueError
from modalities.face.spotting.evaluation import Counts, Spotted, pair, score


@dataclass(frozen=True, slots=True)
class SpotThenRecognise:
    """Spotting, recognition of what was spotted, and their product.

    Attributes:
        spotting: Counts of the intervals.
        recognised: Spotted intervals whose emotion is right.
        precision: Of the emotions of spotted intervals, mean over the emotions, 0..1.
        recall: The same of their recall.
    """

    spotting: Counts
    recognised: int
    precision: float
    recall: float

    @property
    def analysis_f1(self) -> float:
        """Harmonic mean of the two means over the emotions, 0..1."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def strs(self) -> float:
        """The spot-then-recognise score, 0..1."""
        return self.spotting.f1 * self.analysis_f1

    def as_row(self) -> dict[str, float]:
        """spotting_f1, spotted, recognised, analysis_precision, analysis_recall, analysis_f1, strs."""
        figures = {
            "spotting_f1": self.spotting.f1,
            "spotted": self.spotting.tp,
            "recognised": self.recognised,
            "analysis_precision": self.precision,
            "analysis_recall": self.recall,
            "analysis_f1": self.analysis_f1,
            "strs": self.strs,
        }
        return {name: round(value, 6) for name, value in figures.items()}


def spot_then_recognise(
    truth: Sequence[Spotted], found: Sequence[Spotted], iou: float = 0.5, kind: str = "micro"
) -> SpotThenRecognise:
    """The spot-then-recognise score of one kind of expressions.

    Every emotion that occurs in either table counts the same, also one of which nothing was spotted.

    Args:
        truth: True intervals with their emotions.
        found: Detections with theirs, in any order.
        iou: Least intersection over union of a match, in (0, 1].
        kind: "micro" or "macro".

    Raises:
        InvalidValueError: an interval without an emotion; what `evaluation.score` raises.
    """
    truth = [one for one in truth if one.kind == kind]
    found = [one for one in found if one.kind == kind]
    nameless = [one for one in [*truth, *found] if not one.emotion]
    if nameless:
        one = nameless[0]
        raise InvalidValueError(
            f"{len(nameless)} {kind} intervals have no emotion",
            got=f"e.g. frames {one.onset} to {one.offset} of {one.video}",
            mend="Add a column emotion to both tables.",
        )
    counts = score(truth, found, iou, counting="one-to-one")[kind]
    said: list[tuple[str, str]] = []
    for video in sorted({one.video for one in truth}):
        wanted, given = ([one for one in table if one.video == video] for table in (truth, found))
        said += [(wanted[i].emotion, given[j].emotion) for i, j in pair(wanted, given, iou)]
    emotions = sorted({one.emotion for one in [*truth, *found]})
    parts = [_counts_of(emotion, said) for emotion in emotions]
    return SpotThenRecognise(
        spotting=counts,
        recognised=sum(a == b for a, b in said),
        precision=sum(part.precision for part in parts) / max(1, len(parts)),
        recall=sum(part.recall for part in parts) / max(1, len(parts)),
    )


def _counts_of(emotion: str, said: Sequence[tuple[str, str]]) -> Counts:
    """One emotion against the rest, over pairs (true, recognised)."""
    hits = sum(a == b == emotion for a, b in said)
    return Counts(hits, sum(b == emotion for _, b in said) - hits, sum(a == emotion for a, _ in said) - hits)
