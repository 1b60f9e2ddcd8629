"""The sound of recorders on a page: which files a browser plays, and which session time each moment belongs to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.recording import Session
from data_schemas.result import SyncReport
from data_schemas.session import Manifest, StreamEntry
from data_schemas.stream import Audio
from data_schemas.time import to_s
from pipeline.report.players import knots

_EVERY_S = 10.0
_PLAYABLE = {
    ".wav": ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"), ".flac": ("flac",), ".mp3": ("mp3",),
    ".ogg": ("vorbis", "opus"), ".opus": ("opus",), ".m4a": ("aac",),
}  # fmt: skip


@dataclass(frozen=True)
class Sound:
    """One recorder's sound.

    Attributes:
        stream: Name in the manifest.
        people: Whom it records; empty where it is nobody's or everybody's.
        file: What is played.
        map: Points of a broken line [time in the file, session time], seconds.
    """

    stream: str
    people: tuple[str, ...]
    file: Path
    map: list[list[float]]

    def as_json(self, sources: Sequence[str]) -> dict[str, Any]:
        """What the page knows."""
        return {"stream": self.stream, "people": list(self.people), "sources": list(sources), "map": self.map}


def sounds_of_run(session: Session, besides: Collection[Path] = ()) -> list[Sound]:
    """The sounds of a session that was just analysed.

    Args:
        session: On the session clock.
        besides: Files that are on the page already, as videos with their sound.
    """
    entries = {entry.name: entry for entry in session.manifest.streams}
    found = [
        _sound(stream, entries[name], session.manifest, session.root)
        for name, stream in session.streams.items()
        if isinstance(stream, Audio) and stream.info.kind != "pulse" and name in entries
    ]
    return _once(found, besides)


def sounds_of_result(root: Path, sync: SyncReport, besides: Collection[Path] = ()) -> list[Sound]:
    """The sounds of a result whose recordings are at hand; those that cannot be opened are passed over.

    Args:
        root: The session folder.
        sync: Clock report of the result; it says how each stream came to the session clock.
        besides: Files that are on the page already, as videos with their sound.

    Raises:
        ManifestError: the manifest is wrong.
    """
    from pipeline.report.footage import opened_streams

    found = [
        _sound(stream, entry, manifest, root)
        for stream, entry, manifest in opened_streams(root, sync, ("audio",), [])
        if isinstance(stream, Audio)
    ]
    return _once(found, besides)


def can_be_heard(path: Path) -> bool:
    """Whether every current browser plays this file: WAV, FLAC, MP3, Ogg and M4A, by suffix and codec."""
    import av

    codecs = _PLAYABLE.get(path.suffix.lower())
    if codecs is None or not path.is_file():
        return False
    try:
        with av.open(str(path)) as container:
            return bool(container.streams.audio) and container.streams.audio[0].codec_context.name in codecs
    except (av.FFmpegError, OSError):
        return False


def _sound(stream: Audio, entry: StreamEntry, manifest: Manifest, root: Path) -> Sound | None:
    file = root / entry.paths[0]
    if len(entry.paths) != 1 or not stream.axis.n or not can_be_heard(file):
        return None
    step = max(1, round(stream.rate_hz * _EVERY_S))
    at = np.unique(np.append(np.arange(0, stream.axis.n, step), stream.axis.n - 1))
    person = manifest.person_of(entry)
    people = tuple(entry.people) if entry.people else (person,) if person is not None else ()
    return Sound(stream.info.name, people, file, knots(at / stream.rate_hz, to_s(stream.times_of(at))))


def _once(found: list[Sound | None], besides: Collection[Path]) -> list[Sound]:
    """One entry per file: the channels of one recording are heard together."""
    shown = {path.resolve() for path in besides}
    out = []
    for one in found:
        if one is not None and one.file.resolve() not in shown:
            shown.add(one.file.resolve())
            out.append(one)
    return out
