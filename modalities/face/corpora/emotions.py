"""The composite classes of MEGC 2019, and the words that coders use for emotions."""

from __future__ import annotations

from modalities.face.corpora.sample import Composite

COMPOSITE: dict[str, Composite] = {
    **dict.fromkeys(("repression", "anger", "angry", "contempt", "disgust", "fear", "sadness", "sad"), "negative"),
    **dict.fromkeys(("happiness", "happy"), "positive"),
    "surprise": "surprise",
    "negative": "negative",
    "positive": "positive",
}
"""Emotion -> class, after See, Yap, Li, Hong and Wang (2019), "MEGC 2019 - the second facial micro-expressions grand
challenge": repression, anger, contempt, disgust, fear and sadness are negative, happiness positive."""

CLASSLESS = frozenset(
    ("other", "others", "neutral", "tense", "tension", "helpless", "pain", "confused", "confusion", "sympathy")
)
"""Words that occur in the sheets and have no composite class."""


def composite_of(emotion: str) -> Composite | None:
    """Composite class of an emotion as written; None for words without one, known or not."""
    return COMPOSITE.get(emotion.strip().casefold())


def is_known(emotion: str) -> bool:
    """Whether a word is among those that the sheets use."""
    word = emotion.strip().casefold()
    return word in COMPOSITE or word in CLASSLESS
