"""Events that two streams saw: trigger pulses, photosensor steps, button presses, marker tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_schemas.errors import ClockError
from data_schemas.stream import Audio, Marks, Signal, Stream
from data_schemas.time import Int64Array, to_s
from sync.estimate import Estimate
from sync.match import Match, match_events

FEW_PAIRS = 5
LARGE_RESIDUAL_MS = 20.0
LOW_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class EventEvidence:
    """Matches the events of two streams, even when some are missing or extra.

    Attributes:
        max_offset_s: Largest absolute offset, seconds; None for no limit.
    """

    max_offset_s: float | None = None
    method: str = "markers"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """How the own stream's clock relates to the other's.

        Labels are heeded where both tables have them and they do not cost more than a tenth of the pairs.

        Raises:
            ClockError: a stream holds no events, or not one pair can be made.
        """
        own_ns, own_labels = events_of(own)
        other_ns, other_labels = events_of(against)
        rounding = float(np.hypot(_period_s(own), _period_s(against)))
        try:
            match = match_events(own_ns, other_ns, max_offset_s=self.max_offset_s, resolution_s=rounding)
        except ClockError as error:
            raise ClockError(
                error.what, stream=own.info.name, got=error.got, expected=error.expected, mend=error.mend
            ) from error
        if own_labels is not None and other_labels is not None and len(set(own_labels) & set(other_labels)) >= 2:
            match = self._by_label(own_ns, other_ns, own_labels, other_labels, match, rounding)
        return estimate_of(match, own_ns).named(own.info.name, against.info.name)

    def _by_label(
        self,
        own_ns: Int64Array,
        other_ns: Int64Array,
        own_labels: list[str],
        other_labels: list[str],
        plain: Match,
        rounding_s: float,
    ) -> Match:
        try:
            labelled = match_events(
                own_ns,
                other_ns,
                max_offset_s=self.max_offset_s,
                own_labels=own_labels,
                other_labels=other_labels,
                resolution_s=rounding_s,
            )
        except ClockError:
            return plain
        return labelled if len(labelled.pairs) >= 0.9 * len(plain.pairs) else plain


def _period_s(stream: Stream) -> float:
    """Sample period of a signal or a sound, by which its events are rounded; 0 for a table."""
    return to_s(int(stream.axis.period_ns)) if isinstance(stream, Signal | Audio) else 0.0


def events_of(stream: Stream) -> tuple[Int64Array, list[str] | None]:
    """Times, ns on the stream's clock, at which something happened, and labels where the stream has them.

    Raises:
        ClockError: the stream holds no events, or is of a kind that can hold none.
    """
    from sync.pulses import find_pulses

    if isinstance(stream, Marks):
        times, labels = stream.onsets_ns, [row.label for row in stream.rows]
    elif isinstance(stream, Signal) or (isinstance(stream, Audio) and stream.info.kind == "pulse"):
        times = np.array([pulse.onset_ns for pulse in find_pulses(stream)], dtype=np.int64)
        labels = None
    else:
        raise ClockError(
            "only event tables and pulse signals can align clocks by markers",
            stream=stream.info.name,
            got=stream.info.kind,
            mend='Name a stream of kind "markers", "cues" or "pulse" as own and against, or align by another cue.',
        )
    if not len(times):
        raise ClockError(
            "no event to align by was found",
            stream=stream.info.name,
            mend="Look at the signal or table; if it recorded nothing, give the clock's offset_s instead.",
        )
    return times, labels


def estimate_of(match: Match, own_ns: Int64Array) -> Estimate:
    """What matched events say, with doubts in words.

    Args:
        match: Pairs of events.
        own_ns: The own events as they were given to `match_events`.
    """
    return Estimate(
        method="markers",
        own="",
        against="",
        anchor_ns=match.anchor_ns,
        offset_s=match.offset_s,
        ci95_s=match.ci95_s,
        drift_ppm=match.drift_ppm,
        times_ns=np.asarray(own_ns, np.int64)[match.pairs[:, 0]],
        residuals_s=to_s(match.residuals_ns),
        confidence=0.5 if match.ambiguous else 1.0,
        warnings=doubts_about(match),
        unmatched=match.unmatched_own,
    )


def doubts_about(match: Match) -> tuple[str, ...]:
    """What makes a match less than sure, in words."""
    found = []
    k = len(match.pairs)
    if k < FEW_PAIRS:
        found.append(f"only {k} matched event{'s' if k > 1 else ''}")
    if match.ambiguous and match.runner_up_s is not None:
        found.append(f"ambiguous: an offset of {match.runner_up_s:.3f} s fits as well as {match.offset_s:.3f} s")
    if k < LOW_SHARE * (k + min(match.unmatched_own, match.unmatched_other)):
        found.append(f"only {k} events matched, {match.unmatched_own} and {match.unmatched_other} did not")
    if match.rms_s * 1e3 > LARGE_RESIDUAL_MS:
        found.append(f"residual {match.rms_s * 1e3:.1f} ms")
    return tuple(found)
