"""Speech turns, pauses, filled pauses and responses as events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from data_schemas.event import Event
from data_schemas.time import NS_PER_S
from modalities.voice.activity import FRAMES_PER_S
from modalities.voice.analysis import Voice
from modalities.voice.filled import find_filled_pauses
from modalities.voice.rhythm import Span, find_spans

_HALF_NS = 5_000_000
"""A frame stands for the 10 ms around its middle."""
LONGEST_LATENCY_S = 15.0
"""Speech that begins later than this after a question is no answer to it."""


def find_events(voice: Voice, person: str, questions_ns: Sequence[int] = ()) -> tuple[Event, ...]:
    """What a person's speech consists of.

    Args:
        voice: The analysis of the person's microphone.
        person: Whom it concerns.
        questions_ns: Ends of questions that the person was asked.

    Returns:
        Events `speech_turn`, `pause`, `filled_pause` and, with questions, `response`, by onset.
    """
    found = [_of_span(voice, person, span) for span in find_spans(voice.activity.speech, voice.gap)]
    for span in find_filled_pauses(voice.pitch_hz, voice.voiced & voice.activity.speech, voice.rows.mfcc):
        pitch = voice.pitch_hz[span.first : span.stop]
        details = {"median_pitch_hz": round(float(np.median(pitch[pitch > 0])), 2)}
        found.append(_event(voice, person, "filled_pause", span, label="filled pause", details=details))
    found += find_responses(found, questions_ns, person)
    return tuple(sorted(found, key=lambda event: (event.onset_ns, event.offset_ns)))


def find_responses(events: Sequence[Event], questions_ns: Sequence[int], person: str) -> list[Event]:
    """How long a person took to answer.

    Args:
        events: The person's `speech_turn` events.
        questions_ns: Ends of the questions; with markers of their onsets only, the latency includes the question.
        person: Whom it concerns.

    Returns:
        An event `response` from the end of each question to the beginning of the first turn after it, within
        `LONGEST_LATENCY_S` and before the next question, with `latency_s` in its details. A person who was already
        speaking when the question ended, and went on, gives no response: there is no latency to measure.
    """
    turns = sorted((event.onset_ns, event.offset_ns) for event in events if event.kind == "speech_turn")
    ends = sorted(set(questions_ns))
    found = []
    for at, asked in enumerate(ends):
        if any(onset <= asked < offset for onset, offset in turns):
            continue
        answer = next((onset for onset, _ in turns if onset > asked), None)
        limit = asked + round(LONGEST_LATENCY_S * NS_PER_S)
        if at + 1 < len(ends):
            limit = min(limit, ends[at + 1])
        if answer is not None and answer <= limit:
            latency = round((answer - asked) / NS_PER_S, 3)
            details = {"latency_s": latency}
            found.append(Event("voice", "response", asked, answer, None, person, latency, "response", details))
    return found


def _of_span(voice: Voice, person: str, span: Span) -> Event:
    part = slice(span.first, span.stop)
    if span.what != "turn":
        share = {"digital_silence_share": round(float(voice.silent[part].mean()), 3)}
        return _event(voice, person, "pause", span, label=span.what.removeprefix("pause "), details=share)
    pitch = voice.pitch_hz[part][voice.voiced[part]]
    speech = voice.activity.speech[part]
    count = int(np.count_nonzero((voice.nuclei >= span.first) & (voice.nuclei < span.stop)))
    spoken = float(np.count_nonzero(speech)) / FRAMES_PER_S
    details = {
        "speech_s": round(spoken, 2),
        "syllables": count,
        "syllables_per_s": round(count / spoken, 2),
        "median_pitch_hz": round(float(np.median(pitch)), 2) if len(pitch) else None,
        "median_intensity_db": round(float(np.median(voice.rows.intensity_db[part][speech])), 2),
    }
    score = round(float(np.median(voice.activity.excess_db[part][speech])), 2)
    return _event(voice, person, "speech_turn", span, score=score, details=details)


def _event(
    voice: Voice,
    person: str,
    kind: str,
    span: Span,
    *,
    details: dict[str, Any],
    label: str = "",
    score: float | None = None,
) -> Event:
    times = voice.times_ns
    onset = max(int(times[0]), int(times[span.first]) - _HALF_NS)
    return Event("voice", kind, onset, int(times[span.stop - 1]) + _HALF_NS, None, person, score, label, details)
