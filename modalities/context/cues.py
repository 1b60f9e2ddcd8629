"""Cues of the manifest as a stream, and what the words in cue tables mean."""

from __future__ import annotations

import math
import re
from typing import Any

from data_schemas.session import Manifest
from data_schemas.stream import Mark, Marks, StreamInfo
from data_schemas.time import to_ns

EMOTIONS = ("negative", "positive", "surprise", "neutral")

_KINDS: dict[str, tuple[str, ...]] = {
    "question": ("question", "questions", "q", "quest", "ask", "asks", "asked", "prompt", "probe"),
    "answer": ("answer", "answers", "reply", "response", "responses", "resp"),
    "stimulus": (
        "stimulus", "stimuli", "stim", "stims", "picture", "image", "img", "clip", "video", "film", "movie", "sound",
        "event", "target", "trigger", "pulse", "item", "photosensor", "ttl",
    ),
    "baseline": ("baseline", "baselines", "base", "bl", "rest", "resting", "relax"),
    "condition": ("condition", "conditions", "cond", "block", "phase"),
}  # fmt: skip
_WORDS = {word: kind for kind, words in _KINDS.items() for word in words}
_KIND_COLUMNS = ("kind", "trial_type", "event_type", "type", "cue", "category", "event")
_EXPECTED_COLUMNS = ("expected", "emotion", "valence", "target_emotion", "intended")
_PERSON_COLUMNS = ("person", "participant", "participant_id", "subject", "subject_id", "who")
_CONDITION_COLUMNS = ("condition", "cond", "block", "phase")
_STAKES_COLUMNS = ("stakes", "stake", "stake_level", "incentive", "reward")
_STAKES_WORDS = {"none": 0.0, "no": 0.0, "low": 1.0, "medium": 2.0, "mid": 2.0, "moderate": 2.0, "high": 3.0}
_NOTHING = ("", "n/a", "na", "nan", "none", "null")
_EXPECTED_WORDS: dict[str, str] = {
    **dict.fromkeys(("negative", "neg", "unpleasant", "sad", "sadness", "fear", "anger", "disgust"), "negative"),
    **dict.fromkeys(("positive", "pos", "pleasant", "happy", "happiness", "joy", "amusement"), "positive"),
    **dict.fromkeys(("surprise", "surprised", "startle"), "surprise"),
    **dict.fromkeys(("neutral", "neu", "calm"), "neutral"),
}


def cues_as_stream(manifest: Manifest) -> Marks:
    """The cues of a manifest as a stream named "manifest_cues" of kind "cues" on the session clock.

    Each row carries the columns `kind`, and `person`, `expected` and the cue's own columns where they are given. A cue
    without an end is an instant (duration 0). Without cues the stream has no row.
    """
    rows = []
    for cue in manifest.cues:
        columns: dict[str, Any] = {**cue.columns, "kind": cue.kind}
        if cue.person is not None:
            columns["person"] = cue.person
        if cue.expected is not None:
            columns["expected"] = cue.expected
        onset = to_ns(cue.onset_s)
        duration = 0 if cue.offset_s is None else max(1, to_ns(cue.offset_s) - onset)
        rows.append(Mark(onset, duration, cue.label, columns))
    return Marks.of(StreamInfo("manifest_cues", "cues", "session", origin="cues of the manifest"), rows)


def kind_of(row: Mark) -> str:
    """What a row is: "question", "answer", "stimulus", "baseline", "condition", or "other".

    Looks at the columns that usually say so (kind, trial_type, ...), then at the label; words are matched without case,
    digits and punctuation ("Q3", "stim_07", "Rest period"). A trial type that is an emotion ("negative") is a stimulus.
    """
    for text in _cells(row, _KIND_COLUMNS):
        found = _kind_in(text)
        if found:
            return found
        if text.lower() in _EXPECTED_WORDS:
            return "stimulus"
    return _kind_in(row.label) or "other"


def expected_of(row: Mark) -> str | None:
    """Emotion that the row is meant to evoke, one of `EMOTIONS`; None where it does not say."""
    for text in _cells(row, (*_EXPECTED_COLUMNS, *_KIND_COLUMNS)):
        if text.lower() in _EXPECTED_WORDS:
            return _EXPECTED_WORDS[text.lower()]
    return None


def person_of(row: Mark) -> str | None:
    """Whom the row concerns; None where it concerns everybody."""
    return next(
        (text for text in _cells(row, _PERSON_COLUMNS) if text.lower() not in ("all", "both", "everybody")), None
    )


def condition_of(row: Mark) -> str | None:
    """Name of the condition, from a column of its own, or from a row that is a condition; None without one."""
    stated = next(iter(_cells(row, _CONDITION_COLUMNS)), None)
    if stated is not None or kind_of(row) != "condition":
        return stated
    return row.label or None


def stakes_of(row: Mark) -> float | None:
    """What is at stake: the number that the row states, or 0 none, 1 low, 2 medium, 3 high; None if it says nothing."""
    lower = {str(name).strip().lower(): value for name, value in row.columns.items()}
    stated = next((lower[name] for name in _STAKES_COLUMNS if lower.get(name) is not None), None)
    if stated is None:
        return None
    text = str(stated).strip().lower()
    if text in _STAKES_WORDS:
        return _STAKES_WORDS[text]
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _cells(row: Mark, names: tuple[str, ...]) -> list[str]:
    """Non-empty cells of the columns with these names, in the order of the names, whatever the case of the names."""
    lower = {str(name).strip().lower(): value for name, value in row.columns.items()}
    cells = [str(lower[name]).strip() for name in names if lower.get(name) is not None]
    return [text for text in cells if text.lower() not in _NOTHING]


def _kind_in(text: str) -> str | None:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)
    return next((_WORDS[word.lower()] for word in words if word.lower() in _WORDS), None)
