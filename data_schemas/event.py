"""Events: what an encoder found, when it began, peaked and ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from data_schemas.errors import InvalidValueError
from data_schemas.time import to_s

EVENT_KINDS: dict[str, str] = {
    "micro": "micro-expression: facial movement of at most 0.5 s",
    "macro": "macro-expression: facial movement of 0.5 to 4 s",
    "blink": "eyelid closure and reopening",
    "gaze_shift": "jump of the eyes from one place to another",
    "gesture": "movement of hand, arm or trunk",
    "hand_to_face": "a hand touches or covers the face",
    "micro_gesture": "small movement that touches the own body, goes with speech, or shifts posture",
    "speech_turn": "stretch of speech of one person",
    "pause": "silence within or between speech turns",
    "r_peak": "R wave of the ECG",
    "scr": "skin conductance response",
    "reaction": "what heart, skin and breath did after a cue",
    "eye_response": "blinks and gaze before, during and after a cue",
    "cit_response": "response to the concealed item of a concealed information test, one per person",
    "cue": "context: question, stimulus, condition, baseline",
    "incongruence": "felt and shown emotion differ",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One found or planted event on the session clock.

    Attributes:
        channel: "face", "voice", "body", "physiology", "context" or "fused".
        kind: One of `EVENT_KINDS`, or a kind that the encoder declares.
        onset_ns: Start.
        offset_ns: End, after the onset (half-open).
        apex_ns: Moment of the greatest intensity, within [onset, offset]; None where it has no meaning.
        person: Whom it concerns; None when shared.
        score: Strength or confidence by the encoder's own scale; None where it has none.
        label: Name in words ("AU12", "happy question").
        details: Further values, JSON-serialisable.

    Raises:
        InvalidValueError: offset not after onset, or the apex outside.
    """

    channel: str
    kind: str
    onset_ns: int
    offset_ns: int
    apex_ns: int | None = None
    person: str | None = None
    score: float | None = None
    label: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.offset_ns <= self.onset_ns:
            raise InvalidValueError(
                f"a {self.kind} event must end after it starts",
                time_s=to_s(self.onset_ns),
                got=f"offset {to_s(self.offset_ns):.4f} s",
            )
        if self.apex_ns is not None and not self.onset_ns <= self.apex_ns <= self.offset_ns:
            raise InvalidValueError(
                f"the apex of a {self.kind} event lies outside it",
                time_s=to_s(self.onset_ns),
                got=f"apex {to_s(self.apex_ns):.4f} s",
            )
