"""What `probe` reports of a file, and what every reader can do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Marks, Signal, StreamInfo, Video

VIDEO_KINDS = ("face_rgb", "face_nir", "face_depth", "body_video")
MARK_KINDS = ("markers", "cues")
SOUND_KINDS = ("audio", "sync_audio", "pulse")
SIGNAL_KINDS = ("ecg", "eda", "respiration", "ppg", "temperature", "acceleration", "pulse")

AnyStream = Video | Audio | Signal | Marks


@dataclass(frozen=True)
class TrackInfo:
    """One thing that can be opened from a file.

    Attributes:
        track: What to write as `track` in the manifest; None where the file needs none.
        kind: Best guess among `data_schemas.session.STREAM_KINDS`; None when it cannot be told.
        columns: Columns or channels.
        units: Unit of each column, "1" where the file states none; empty for pictures and sound.
        rate_hz: Samples per second; None where the file does not say, or for tables of events.
        n: Number of samples, frames or rows; None when only reading everything would tell.
        start_s: First sample after the file's zero, seconds.
        duration_s: Length in seconds; None when it cannot be told.
        detail: In words, e.g. "640x360 h264, 23.98 fps".
        time_column: Column that holds the times, for tables.
    """

    track: int | str | None = None
    kind: str | None = None
    columns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    rate_hz: float | None = None
    n: int | None = None
    start_s: float = 0.0
    duration_s: float | None = None
    detail: str = ""
    time_column: str | None = None


@dataclass(frozen=True)
class FileInfo:
    """What a file holds.

    Attributes:
        path: File or folder, as given.
        format: Key of `modalities.readers.registry.READERS`.
        tracks: What can be opened from it.
        wall_start: Wall-clock time of the file's zero by its header; often wrong.
        notes: What was odd about it.
    """

    path: Path
    format: str
    tracks: tuple[TrackInfo, ...]
    wall_start: datetime | None = None
    notes: tuple[str, ...] = ()


class Reader(Protocol):
    """One file format."""

    def probe(self, path: Path) -> FileInfo:
        """Look at a file without reading all of it where the format allows that.

        Raises:
            UnreadableFileError: it cannot be read as this format.
        """

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Open one stream of the file.

        Args:
            entry: What the manifest says of it.
            path: The file; one chapter at a time.
            info: Name, kind, clock and person; the reader adds files, origin, start time and notes.

        Raises:
            UnreadableFileError, MissingTrackError, ManifestError: as `modalities.readers.open_stream`.
        """
