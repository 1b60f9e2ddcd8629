"""What sound files and sound tracks share: choosing channels."""

from __future__ import annotations

from pathlib import Path

from data_schemas.errors import ManifestError
from data_schemas.session import StreamEntry
from modalities.readers.selection import missing


def channels_of(entry: StreamEntry, path: Path, channels: int) -> tuple[int, ...] | None:
    """Channel numbers, from 0, that an entry's `columns` name; None for all.

    Raises:
        MissingTrackError: there is no such channel.
    """
    if not entry.columns:
        return None
    there = [str(number) for number in range(channels)]
    for name in entry.columns:
        if name.strip() not in there:
            raise missing("channel", name, there, entry, path)
    return tuple(int(name) for name in entry.columns)


def require_one_channel(entry: StreamEntry, path: Path, channels: int) -> None:
    """Let pass what holds pulses on one channel, or on those that its entry names.

    Raises:
        ManifestError: which of several channels is meant is not stated.
    """
    if entry.kind == "pulse" and not entry.columns and channels > 1:
        raise ManifestError(
            f"which of {channels} channels holds the pulses is not stated",
            file=path,
            stream=entry.name,
            expected=f"columns = ['0'] to ['{channels - 1}']",
        )
