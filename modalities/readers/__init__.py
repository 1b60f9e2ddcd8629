"""Readers: one file per format, each lazy; `probe` looks at a file, `open_stream` opens one stream of it."""

from __future__ import annotations

from pathlib import Path

from data_schemas.errors import TelltaleError
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Marks, Signal, Video
from modalities.readers.info import FileInfo, TrackInfo

__all__ = ["FileInfo", "TrackInfo", "discover", "open_stream", "probe"]


def probe(path: Path) -> FileInfo:
    """What a recording holds: tracks, columns, units, rates, start time.

    The content decides what a file is, its suffix only where the content does not.

    Args:
        path: A file, an Empatica E4 folder, or a folder of numbered pictures.

    Raises:
        MissingFileError: no such file.
        UnreadableFileError: empty, truncated beyond use, mislabelled, or of a format that is not supported.
    """
    from modalities.readers.sniff import probe_path

    return probe_path(Path(path))


def discover(root: Path) -> tuple[list[FileInfo], list[TelltaleError]]:
    """Everything readable below a folder, in a fixed order, and what looked like a recording but could not be read.

    Files that belong together (an E4 export, a WFDB record, a BrainVision triplet, numbered pictures) come as one.
    Hidden files, `session.toml`, `truth/`, result folders, and readme and licence texts are passed over.

    Raises:
        MissingFileError: no such folder.
    """
    from modalities.readers.discovery import discover_below

    return discover_below(Path(root))


def open_stream(entry: StreamEntry, root: Path, person: str | None) -> Video | Audio | Signal | Marks:
    """Open what a manifest entry describes, on the clock of its own device.

    Times count from the file's own zero: its first sample, or, where it has time stamps of its own (a video
    container, a time column, XDF), their zero. Signals come in the units of the field: mV for ECG, uS for EDA,
    degC for temperature.

    Args:
        entry: Kind, file or chapters, track, columns and what the file does not say itself.
        root: Folder that the entry's paths are relative to.
        person: Whom the stream records; None when shared.

    Returns:
        `Video` for face and body kinds, `Audio` for sound, `Marks` for "markers" and "cues", else `Signal`;
        for "pulse" a `Signal` or, of a file of sound, an `Audio`.

    Raises:
        MissingFileError: a file is not there.
        UnreadableFileError: a file cannot be read as what it claims to be.
        MissingTrackError: no such track or column; the message lists those there are.
        ManifestError: the entry does not fit the file, or neither states a sampling rate.
    """
    from modalities.readers.opening import open_entry

    return open_entry(entry, Path(root), person)
