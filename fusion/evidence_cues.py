"""Values of cues over segments of a session: what the evidence model reads of the encodings.

A cue is named "channel.feature" (the mean of a column of the track), "channel.event:kind" (events that begin, per
minute) or "channel.reaction" (mean reaction of the skin to the cues within the segment).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.time import Int64Array, to_ns

Array = NDArray[np.float64]
LEAST_SHARE = 0.3
"""Share of a segment's samples that must be valid; pitch is so only where there is voice."""
LEAST_SAMPLES = 3
LONGEST_NS = to_ns(60.0)
LEAST_NS = to_ns(1.0)
ROOM_US = 0.05
"""Added to amplitudes before their logarithm is taken: the least that is usually counted (Boucsein et al. 2012)."""


def statements_of(encodings: Sequence[Encoding], extent: Interval) -> tuple[Interval, ...]:
    """What a person stated: answers where cues mark them, else from each question to the next, at most 60 s.

    Statements shorter than 1 s, and what lies outside the extent, are left out.
    """
    cues = [event for one in encodings if one.spec.channel == "context" for event in one.events if event.kind == "cue"]
    answers = [cue for cue in cues if cue.details.get("kind") == "answer"]
    if any(cue.offset_ns - cue.onset_ns >= LEAST_NS for cue in answers):
        spans = [(cue.onset_ns, cue.offset_ns) for cue in answers]
    else:
        starts = sorted({cue.onset_ns for cue in cues if cue.details.get("kind") == "question"})
        ends = [*starts[1:], extent.end_ns][: len(starts)]
        spans = [(start, min(end, start + LONGEST_NS)) for start, end in zip(starts, ends, strict=True)]
    cut = [(max(start, extent.start_ns), min(end, extent.end_ns)) for start, end in sorted(spans)]
    return tuple(Interval(start, end) for start, end in cut if end - start >= LEAST_NS)


def values_of(encodings: Sequence[Encoding], cue: str, segments: Sequence[Interval]) -> Array | None:
    """Value of a cue in each segment, shape (segments,), NaN where too little is valid; None where nothing measures it.

    Args:
        encodings: Of one person.
        cue: "channel.feature", "channel.event:kind" or "channel.reaction".
        segments: Parts of the session.
    """
    channel, _, name = cue.partition(".")
    for encoding in encodings:
        if encoding.spec.channel != channel:
            continue
        if name == "reaction":
            found = np.array([_reaction(encoding, one) for one in segments])
        elif name.startswith("event:"):
            kind = name.removeprefix("event:")
            if kind not in encoding.spec.event_kinds and all(event.kind != kind for event in encoding.events):
                continue
            found = np.array([_per_minute(encoding, kind, one) for one in segments])
        elif name in encoding.track.names:
            values, valid = encoding.track.column(name)
            times = encoding.track.times_ns
            found = np.array([_mean(times, values, valid, one) for one in segments])
        else:
            continue
        if np.isfinite(found).any():
            return found
    return None


def _mean(times_ns: Int64Array, values: NDArray[np.float32], valid: NDArray[np.bool_], segment: Interval) -> float:
    first, stop = np.searchsorted(times_ns, (segment.start_ns, segment.end_ns))
    good = valid[first:stop]
    if good.sum() < LEAST_SAMPLES or good.mean() < LEAST_SHARE:
        return float("nan")
    return float(values[first:stop][good].astype(np.float64).mean())


def _per_minute(encoding: Encoding, kind: str, segment: Interval) -> float:
    """Events that begin in the segment, per minute of it; NaN where the channel saw too little of it."""
    times = encoding.track.times_ns
    if len(times):
        first, stop = np.searchsorted(times, (segment.start_ns, segment.end_ns))
        seen = np.count_nonzero(encoding.track.valid[first:stop].any(axis=1))
        if seen == 0 or seen < LEAST_SHARE * (stop - first):
            return float("nan")
    count = sum(event.kind == kind and segment.start_ns <= event.onset_ns < segment.end_ns for event in encoding.events)
    return count / (segment.duration_ns / 60e9)


def _reaction(encoding: Encoding, segment: Interval) -> float:
    """Mean logarithm of the skin's reactions to the cues in the segment."""
    sizes = [
        float(event.score)
        for event in encoding.events
        if event.kind == "reaction" and event.score is not None and segment.start_ns <= event.onset_ns < segment.end_ns
    ]
    return float(np.log(np.array(sizes) + ROOM_US).mean()) if len(sizes) >= LEAST_SAMPLES else float("nan")
