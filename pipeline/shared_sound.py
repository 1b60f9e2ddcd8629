"""Sound that a camera and a recorder both heard: `init` listens, and proposes to align the camera's clock by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_schemas.errors import TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.session import StreamEntry
from pipeline.manifest_text import Guess

SURE = 0.9
"""Confidence from which on an alignment is proposed."""


@dataclass(frozen=True, eq=False)
class SharedSound:
    """A camera's sound track that holds what a recorder recorded.

    Attributes:
        own: The track.
        against: The recorder's sound.
        words: What was measured, for the manifest.
    """

    own: Guess
    against: Guess
    words: str


def relate_by_sound(pairs: Sequence[tuple[Guess, Guess]], root: Path, hook: Hook = silent) -> list[SharedSound]:
    """Compare sound tracks with sound files; those that match become streams for clocks.

    Args:
        pairs: Track and sound file, as `init` proposes them; a track that matches gets kind "sync_audio".
        root: The session folder.
        hook: Progress over the pairs.
    """
    found: list[SharedSound] = []
    for done, (own, against) in enumerate(pairs):
        hook("listen for shared sound", done, len(pairs))
        one = _compare(own, against, root)
        if one is not None:
            found.append(one)
            own.values["kind"] = "sync_audio"
            own.remarks[-1:] = ["the sound file holds the same: this track serves the clock only"]
    if pairs:
        hook("listen for shared sound", len(pairs), len(pairs))
    return found


def _compare(own: Guess, against: Guess, root: Path) -> SharedSound | None:
    from modalities.readers import open_stream
    from sync.evidence import load_cue

    if own.values["clock"] == against.values["clock"]:
        return None
    try:
        streams = [open_stream(_entry(guess), root, None) for guess in (own, against)]
        found = load_cue("sound").compare(*streams)
    except TelltaleError:
        return None
    if found.confidence < SURE:
        return None
    words = (
        f"its sound is also in {against.values['file']}: {found.offset_s:+.3f} s, give or take "
        f"{found.ci95_s * 1e3:.1f} ms, drift {found.drift_ppm:+.0f} ppm (confidence {found.confidence:.2f})"
    )
    return SharedSound(own, against, words)


def _entry(guess: Guess) -> StreamEntry:
    keys = ("file", "track")
    values = {key: guess.values[key] for key in keys if key in guess.values}
    return StreamEntry.model_validate({"name": "listen", "kind": "sync_audio", **values})
