"""The videos behind a result, on the session clock: of a run that is being saved, or of a result that was left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_schemas.errors import TelltaleError
from data_schemas.recording import SESSION_CLOCK, Session
from data_schemas.result import SyncReport
from data_schemas.session import Manifest, StreamEntry
from data_schemas.stream import Stream, Video
from data_schemas.time import to_ns


@dataclass(frozen=True)
class Footage:
    """One video.

    Attributes:
        video: Its pictures, times on the session clock.
        people: Whom it shows; empty where it is nobody's.
        file: The one file it was read from, if it is one and is at hand.
        whole: Whether the file shows the very pictures of `video`: no region was cut out, nothing turned by hand.
    """

    video: Video
    people: tuple[str, ...]
    file: Path | None
    whole: bool

    @property
    def stream(self) -> str:
        """Name in the manifest."""
        return self.video.info.name

    @property
    def kind(self) -> str:
        """Kind in the manifest: face_rgb, face_nir, face_depth or body_video."""
        return self.video.info.kind


ORDER = ("face_rgb", "face_nir", "face_depth", "body_video")
"""Kinds of videos in the order in which people would look at them; pictures of faces are taken from the first."""


def _in_order(one: Footage) -> tuple[int, str]:
    return ORDER.index(one.kind) if one.kind in ORDER else len(ORDER), one.stream


def footage_of_run(session: Session) -> list[Footage]:
    """The videos of a session that was just analysed, face videos first."""
    entries = {entry.name: entry for entry in session.manifest.streams}
    found = [
        _footage(stream, entries[name], session.manifest, session.root)
        for name, stream in session.streams.items()
        if isinstance(stream, Video) and name in entries and len(stream.times_ns)
    ]
    return sorted(found, key=_in_order)


def footage_of_result(root: Path, sync: SyncReport) -> tuple[list[Footage], list[str]]:
    """The videos of a result whose recordings are at hand, face videos first, and what could not be opened.

    Args:
        root: The session folder.
        sync: Clock report of the result; it says how each stream came to the session clock.

    Raises:
        ManifestError: the manifest is wrong.
    """
    problems: list[str] = []
    found = [
        _footage(stream, entry, manifest, root)
        for stream, entry, manifest in opened_streams(root, sync, ("face_", "body_video"), problems)
        if isinstance(stream, Video)
    ]
    return sorted(found, key=_in_order), problems


def opened_streams(
    root: Path, sync: SyncReport, kinds: tuple[str, ...], problems: list[str]
) -> Iterator[tuple[Stream, StreamEntry, Manifest]]:
    """The streams of a result whose kind begins with one of `kinds`, opened again, on the session clock.

    Args:
        root: The session folder.
        sync: Clock report of the result; it says how each stream came to the session clock.
        kinds: Beginnings of kinds.
        problems: Is told what could not be opened.

    Raises:
        ManifestError: the manifest is wrong.
    """
    from modalities.readers import open_stream
    from pipeline.manifest import load_manifest
    from sync.clock import ClockMap, Segment

    manifest = load_manifest(root)
    figures = {one.stream: one for one in sync.streams}
    for entry in manifest.streams:
        if entry.name not in figures or not entry.kind.startswith(kinds):
            continue
        try:
            stream = open_stream(entry, root, manifest.person_of(entry))
        except TelltaleError as error:
            problems.append(str(error))
            continue
        if stream.axis.n:
            first, figure = stream.axis.start_ns, figures[entry.name]
            clock = ClockMap((Segment(first, first, to_ns(figure.start_s), figure.drift_ppm * 1e-6),))
            yield stream.on(clock, SESSION_CLOCK), entry, manifest


def _footage(video: Video, entry: StreamEntry, manifest: Manifest, root: Path) -> Footage:
    person = manifest.person_of(entry)
    people = tuple(entry.people) if entry.people else (person,) if person is not None else ()
    file = root / entry.paths[0] if len(entry.paths) == 1 else None
    at_hand = file if file is not None and file.is_file() else None
    return Footage(video, people, at_hand, entry.region is None and entry.rotation is None)
