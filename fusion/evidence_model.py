"""The transparent evidence model: what each cue contributes, as a log-likelihood ratio of a published effect.

It knows what the literature states and nothing else: a cue counts in the design and at the unit of its source; every
other one is listed with a contribution of zero and the range it could have. Beside the transformer it is a check.
Cues are added as if they were independent; correlated ones are counted too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.time import Int64Array, to_s
from fusion.cit import examine
from fusion.effect_table import SourcedEffect, effects_of, sourced_effects
from fusion.evidence_cues import statements_of, values_of
from fusion.evidence_ratio import Ratio, session_ratio, statement_ratio, unsourced_ratio

Array = NDArray[np.float64]
DESIGNS = ("interview", "suppression", "cit", "viewing")
LEAST_STATEMENTS = 5
"""Statements below which one cannot be judged against the person's others."""
LEAST_NORM = 5
"""Sessions of the lab without concealment below which there is no norm."""
REACTIVITY = "physiology.reaction"
"""Stands for the pooled reactivity of the table, which no single column measures."""
NO_SOURCE: tuple[tuple[str, str], ...] = (
    ("micro-expressions", "face.event:micro"),
    ("macro-expressions", "face.event:macro"),
    ("blinks", "face.blink_rate"),
    ("smile (lip corner puller, left)", "face.au12_left"),
    ("pauses", "voice.event:pause"),
    ("syllable rate", "voice.syllable_rate_hz"),
    ("body movement", "body.movement_energy"),
    ("hands to the face", "body.event:hand_to_face"),
    ("heart rate", "physiology.heart_rate_bpm"),
    ("phasic skin conductance", "physiology.eda_phasic_us"),
    ("breathing rate", "physiology.respiration_rate_bpm"),
)
"""Cues without a sourced effect on concealment, with what measures them."""
ZERO = "no sourced effect: contributes 0 on average"


@dataclass(frozen=True, slots=True)
class Contribution:
    """One cue in one segment.

    Attributes:
        cue: In words.
        channel: Which one shows it.
        measured_by: Column, "" where none measures it.
        segment: Number of the segment, from 0.
        start_s: Start of the segment.
        end_s: Its end.
        z: Standardised value; None where it could not be measured.
        log_ratio: Natural logarithm of the likelihood if concealed over that if not; 0 where nothing can be said.
        low: Lower end of what it could be over the uncertainty of the effect (90 %).
        high: Upper end.
        sourced: Whether a published effect of this design stands behind it.
        source: That effect, or why there is none.
    """

    cue: str
    channel: str
    measured_by: str
    segment: int
    start_s: float
    end_s: float
    z: float | None
    log_ratio: float
    low: float
    high: float
    sourced: bool
    source: str


@dataclass(frozen=True)
class Evidence:
    """What all cues together say of one person's session.

    Attributes:
        design: Of the session.
        estimand: "concealed" (felt emotion is not shown), "deceptive_statement" or "cit_response"; never mixed.
        segments: Statements, or the whole session.
        contributions: One row per cue and segment.
        segment_log_odds: Prior and contributions summed, shape (segments,).
        prior: Probability before, of each segment.
        notes: What a user should know.
    """

    design: str
    estimand: str
    segments: tuple[Interval, ...]
    contributions: tuple[Contribution, ...]
    segment_log_odds: Array
    prior: float
    notes: tuple[str, ...] = ()

    @property
    def segment_probability(self) -> Array:
        """Probability of each segment, shape (segments,)."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.segment_log_odds, -500, 500))))

    @property
    def probability(self) -> float:
        """Of the session: of its one segment, or the expected share of its statements."""
        return float(self.segment_probability.mean())

    @property
    def log_odds(self) -> float:
        """Log odds of `probability`; for one segment the prior's plus the sum of all contributions."""
        p = min(max(self.probability, 1e-12), 1 - 1e-12)
        return float(np.log(p / (1 - p))) if len(self.segments) != 1 else float(self.segment_log_odds[0])

    def at(self, times_ns: Int64Array) -> Array:
        """Probability at some times, shape as given: that of the segment, the prior between segments."""
        out = np.full(np.shape(times_ns), self.prior)
        for segment, probability in zip(self.segments, self.segment_probability, strict=True):
            out[(times_ns >= segment.start_ns) & (times_ns < segment.end_ns)] = probability
        return out

    def rows(self) -> list[dict[str, Any]]:
        """The table of contributions, one mapping per row, JSON-serialisable."""
        return [asdict(one) for one in self.contributions]


@dataclass(frozen=True, slots=True)
class Norm:
    """How sessions of a lab without concealment lie in one cue: mean, standard deviation, number of sessions."""

    mean: float
    sd: float
    sessions: int


def evidence(
    encodings: Sequence[Encoding],
    extent: Interval,
    design: str,
    norms: Mapping[str, Norm] | None = None,
    prior: float = 0.5,
) -> Evidence:
    """What the published effects of a design say of one person's session.

    Args:
        encodings: Of one person, any channels.
        extent: Of the session.
        design: "suppression" (the session against the lab's other sessions: concealed emotion), "viewing" (concealed
            emotion, without any sourced effect), "interview" (each statement against the person's others: the sources
            compare lies with truths, which is another question) or "cit" (`fusion.cit`: another one again).
        norms: Cue -> how the lab's sessions without concealment lie (`norms_of`); without them effects at the unit of a
            session contribute nothing.
        prior: Probability of each segment before, between 0 and 1.

    Raises:
        InvalidValueError: an unknown design, a prior that is none.
    """
    if design not in DESIGNS or not 0 < prior < 1:
        raise InvalidValueError("no evidence for this", got=(design, prior), expected=f"{DESIGNS}, prior within 0..1")
    if design == "cit":
        return _of_test(encodings, extent, prior)
    segments = statements_of(encodings, extent) if design == "interview" else ()
    notes = []
    if design == "interview" and len(segments) < LEAST_STATEMENTS:
        notes.append(f"{len(segments)} statements; at least {LEAST_STATEMENTS} are needed to compare them")
        segments = ()
    found: list[Contribution] = []
    for effect in effects_of(design):
        found += _of_effect(encodings, effect, segments or (extent,), bool(segments), norms or {}, prior)
    taken = {one.measured_by for one in found}
    for cue, measured_by in NO_SOURCE:
        if measured_by not in taken:
            found += _unsourced(encodings, cue, measured_by, segments or (extent,), norms or {})
    others = sorted({f"{one.cue} ({one.design})" for one in sourced_effects() if one.design != design})
    notes.append("Sourced in another design, and so of no weight here: " + "; ".join(others))
    sums = np.zeros(max(1, len(segments)))
    for one in found:
        sums[one.segment] += one.log_ratio
    odds = np.log(prior / (1 - prior)) + sums
    estimand = "deceptive_statement" if design == "interview" else "concealed"
    return Evidence(design, estimand, tuple(segments) or (extent,), tuple(found), odds, prior, tuple(notes))


def norms_of(sessions: Sequence[tuple[Sequence[Encoding], Interval]]) -> dict[str, Norm]:
    """How sessions of one lab without concealment lie in every cue that the model may read, by name of the cue.

    Cues that fewer than 5 sessions measure, or that do not vary, are left out.
    """
    cues = {name_of(one) for one in effects_of("suppression")} | {measured for _, measured in NO_SOURCE}
    out = {}
    for cue in sorted(cues):
        values = [value for own, extent in sessions if (value := _whole(own, cue, extent)) is not None]
        sd = float(np.std(values, ddof=1)) if len(values) >= LEAST_NORM else 0.0
        if sd > 1e-9 * max(1.0, abs(float(np.mean(values or [0.0])))):
            out[cue] = Norm(float(np.mean(values)), sd, len(values))
    return out


def name_of(effect: SourcedEffect) -> str:
    """What measures an effect; the pooled reactivity under suppression is read from the skin's reactions."""
    return effect.measured_by or (REACTIVITY if effect.design == "suppression" else "")


def _whole(encodings: Sequence[Encoding], cue: str, extent: Interval) -> float | None:
    values = values_of(encodings, cue, (extent,))
    return None if values is None else float(values[0])


def _of_effect(
    encodings: Sequence[Encoding],
    effect: SourcedEffect,
    segments: Sequence[Interval],
    compared: bool,
    norms: Mapping[str, Norm],
    prior: float,
) -> list[Contribution]:
    """Rows of one sourced effect."""
    cue, size = name_of(effect), "direction only" if effect.magnitude is None else f"{effect.magnitude:g}"
    source = f"{effect.source}: {effect.measure} {size}" if effect.magnitude else f"{effect.source}: direction only"
    values = values_of(encodings, cue, segments) if cue else None
    if values is None:
        return [_row(effect.cue, effect.channel, cue, 0, segments[0], None, Ratio(0, 0, 0), True, "not measured here")]
    if effect.unit == "statement":
        if not compared:
            return []
        scores = _against_own(values)
        ratios = [statement_ratio(z, effect, prior) if np.isfinite(z) else None for z in scores.tolist()]
    else:
        norm = norms.get(cue)
        if norm is None:
            why = f"{source}; needs a norm of {LEAST_NORM} sessions of the lab without concealment"
            return [_row(effect.cue, effect.channel, cue, 0, segments[0], None, Ratio(0, 0, 0), True, why)]
        scores = _against_norm(values, norm)
        ratios = [session_ratio(z, effect, norm.sessions - 1) for z in scores.tolist()]
    return [
        _row(effect.cue, effect.channel, cue, at, segments[at], float(scores[at]), ratio, True, source)
        for at, ratio in enumerate(ratios)
        if ratio is not None
    ]


def _unsourced(
    encodings: Sequence[Encoding], cue: str, measured_by: str, segments: Sequence[Interval], norms: Mapping[str, Norm]
) -> list[Contribution]:
    """Rows of one cue without a source: 0, with the range that a wide prior centred on zero allows."""
    channel = measured_by.partition(".")[0]
    values = values_of(encodings, measured_by, segments)
    if values is None:
        return []
    norm = norms.get(measured_by)
    if len(segments) >= LEAST_STATEMENTS:
        scores = _against_own(values)
    else:
        scores = _against_norm(values, norm) if norm else np.full(len(values), np.nan)
    rows = []
    for at, z in enumerate(scores.tolist()):
        known = bool(np.isfinite(z))
        ratio = unsourced_ratio(z) if known else Ratio(0, 0, 0)
        rows.append(_row(cue, channel, measured_by, at, segments[at], float(z) if known else None, ratio, False, ZERO))
    return rows


def _against_own(values: Array) -> Array:
    """Standardised against all statements of the person; NaN where fewer than 5 have a value or none differs."""
    known = values[np.isfinite(values)]
    sd = float(known.std(ddof=1)) if len(known) >= LEAST_STATEMENTS else 0.0
    if sd <= 1e-9 * max(1.0, float(np.abs(known).max(initial=0.0))):
        return np.full(len(values), np.nan)
    return np.asarray((values - known.mean()) / sd)


def _against_norm(values: Array, norm: Norm) -> Array:
    return np.asarray((values - norm.mean) / (norm.sd * np.sqrt(1 + 1 / norm.sessions)))


def _of_test(encodings: Sequence[Encoding], extent: Interval, prior: float) -> Evidence:
    """The contributions of a concealed information test."""
    odds = np.array([np.log(prior / (1 - prior))])
    test = examine(encodings, extent, prior)
    if test is None or test.posterior is None:
        why = "no concealed information test" if test is None else "; ".join(test.missing.values())
        return Evidence("cit", "cit_response", (extent,), (), odds, prior, (why,))
    rows = {row.measured_by: row for row in effects_of("cit")}
    found = []
    for one, share in zip(test.contrasts, test.posterior.contributions, strict=True):
        row, size = rows[one.measure.row], share
        source = f"{row.source}: {row.measure} {row.magnitude:g}"
        ratio = Ratio(size, size, size)
        found.append(
            _row(row.cue, row.channel, row.measured_by, 0, test.span, one.score / one.error, ratio, True, source)
        )
    return Evidence(
        "cit", "cit_response", (test.span,), tuple(found), odds + test.posterior.log_ratio, prior, test.notes
    )


def _row(
    cue: str, channel: str, measured_by: str, segment: int, span: Interval, z: float | None, ratio: Ratio,
    sourced: bool, source: str,
) -> Contribution:  # fmt: skip
    return Contribution(
        cue, channel, measured_by, segment, float(to_s(span.start_ns)), float(to_s(span.end_ns)),
        z, ratio.value, ratio.low, ratio.high, sourced, source,
    )  # fmt: skip
