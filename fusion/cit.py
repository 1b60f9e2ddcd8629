"""Concealed information test: does this person respond to the concealed item otherwise than to the others?

One statement per person over the whole test, never per item. It is an estimand of its own, apart from felt, shown and
concealed emotion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_schemas.emotion import CIT_FEATURES, CitColumns
from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.time import Int64Array, to_ns
from fusion.cit_items import Contrast, Item, contrasts_of, items_of
from fusion.cit_model import KNOWING, NO_EFFECT, PRIOR, REFERENCE, Posterior, judge_scores

AFTER_NS = to_ns(15.0)
"""How long after the last item the test lasts: the window of the heart rate."""
CROWDED_S = 10.0
CANNOT_TELL = (
    "A response says that the probe stood out for this person; not why: knowing it from elsewhere does so too.",
    "No response does not mean not knowing: in some who know, nothing shows.",
    "The sizes of the effects come from laboratory studies; whether they hold in this lab the test cannot tell.",
    "It says nothing of single items.",
)


@dataclass(frozen=True)
class CitTest:
    """What one person's test gave.

    Attributes:
        person: Whose.
        span: From the first item to 15 s after the last.
        items: All presentations.
        contrasts: Probe against irrelevant items, one per measure that allowed it.
        missing: Measure -> why it has no contrast.
        posterior: None where nothing can be said.
        prior: Probability of a response before.
        notes: What a user should know.
    """

    person: str
    span: Interval
    items: tuple[Item, ...]
    contrasts: tuple[Contrast, ...]
    missing: dict[str, str]
    posterior: Posterior | None
    prior: float
    notes: tuple[str, ...]

    @property
    def uncertainty(self) -> float:
        """Entropy of the probability in bits, 0..1; 1 where nothing can be said."""
        return 1.0 if self.posterior is None else entropy(self.posterior.probability)

    def event(self) -> Event:
        """The event `cit_response`; `score` is the probability, None where nothing can be said."""
        p = None if self.posterior is None else round(self.posterior.probability, 4)
        label = "cannot say" if p is None else "response" if p > 0.5 else "no response"
        return Event(
            "fused", "cit_response", self.span.start_ns, self.span.end_ns, None, self.person, p, label, self._details()
        )

    def columns(self, times_ns: Int64Array) -> CitColumns:
        """The columns of the fused channel at some times: constant over the span, invalid elsewhere."""
        inside = (times_ns >= self.span.start_ns) & (times_ns < self.span.end_ns) & (self.posterior is not None)
        values = np.zeros((len(times_ns), len(CIT_FEATURES)), np.float32)
        if self.posterior is not None:
            values[inside] = (self.posterior.probability, self.uncertainty)
        return CitColumns(values, inside)

    def _details(self) -> dict[str, Any]:
        counts = {role: sum(item.role == role for item in self.items) for role in ("probe", "irrelevant", "target")}
        details: dict[str, Any] = {
            "cannot_say": self.posterior is None,
            "presentations": counts,
            "items": len({(item.role, item.name) for item in self.items}),
            "prior": round(self.prior, 4),
            "uncertainty": round(self.uncertainty, 4),
            "measures": [],
            "missing": dict(self.missing),
            "notes": list(self.notes),
            "cannot_tell": list(CANNOT_TELL),
        }
        if self.posterior is None:
            return details
        mean, low, high = self.posterior.interval()
        p = self.posterior.probability
        details |= {
            "log_likelihood_ratio": round(self.posterior.log_ratio, 4),
            "effect_if_response": {"mean": round(mean, 3), "low90": round(low, 3), "high90": round(high, 3)},
            "effect_unit": "standard deviations of one presentation, mean over the measures",
            "probability_of_knowing": round(p + (1 - p) * KNOWING_WITHOUT_RESPONSE, 4),
            "reference_presentations": list(REFERENCE),
        }
        for at, (one, share) in enumerate(zip(self.contrasts, self.posterior.contributions, strict=True)):
            mean, low, high = self.posterior.interval(at)
            details["measures"].append(
                {
                    "measure": one.measure.name,
                    "what": one.measure.words,
                    "score": round(one.score, 4),
                    "standard_error": round(one.error, 4),
                    "probes": one.probes,
                    "irrelevants": one.irrelevants,
                    "log_likelihood_ratio": round(share, 4),
                    "effect_if_response": {"mean": round(mean, 3), "low90": round(low, 3), "high90": round(high, 3)},
                }
            )
        return details


KNOWING_WITHOUT_RESPONSE = KNOWING * NO_EFFECT / (1 - PRIOR)
"""Share of those who know the item among people without a response, by the assumed shares."""


def examine(encodings: Sequence[Encoding], extent: Interval, prior: float = PRIOR) -> CitTest | None:
    """Examine one person's test.

    Args:
        encodings: Of one person: the context with the items, physiology with a `reaction` event per cue.
        extent: Of the session; the span of the test is cut to it.
        prior: Probability of a response before, between 0 and 1.

    Returns:
        None where the session holds no concealed information test.

    Raises:
        InvalidValueError: encodings of several people, or a prior that is none.
    """
    people = sorted({encoding.person for encoding in encodings})
    if len(people) > 1:
        raise InvalidValueError("a test is examined for one person at a time", got=people)
    if not 0 < prior < 1:
        raise InvalidValueError("a prior lies between 0 and 1", got=prior)
    items = tuple(item for item in items_of(encodings) if extent.start_ns <= item.onset_ns < extent.end_ns)
    if not items:
        return None
    contrasts, missing = contrasts_of(encodings, items)
    span = Interval(items[0].onset_ns, min(items[-1].onset_ns + AFTER_NS, extent.end_ns))
    posterior = judge_scores(contrasts, prior) if contrasts else None
    return CitTest(people[0], span, items, tuple(contrasts), missing, posterior, prior, _notes(items))


def entropy(probability: float) -> float:
    """Of a yes-or-no question in bits, 0..1."""
    p = np.clip(np.array([probability, 1 - probability]), 1e-12, 1)
    return float(min(1.0, -(p * np.log2(p)).sum()))


def _notes(items: Sequence[Item]) -> tuple[str, ...]:
    notes = []
    steps = np.diff([item.onset_ns for item in items]) / 1e9
    if len(steps) and float(np.median(steps)) < CROWDED_S:
        notes.append(
            f"items follow each other every {float(np.median(steps)):.1f} s: the windows of heart and breath (15 and "
            "10 s) reach into the next item, which hides responses"
        )
    probes = {item.name for item in items if item.role == "probe"}
    if len(probes) == 1:
        notes.append(
            "there is a single probe item: if it stands out by itself, everybody responds to it; compare with people "
            "who cannot know it"
        )
    return tuple(notes)
