"""What sound files and sound tracks share: choosing channels, and a channel as a signal."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_schemas.errors import ManifestError
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Signal
from modalities.readers.selection import missing

_BLOCK = 1 << 20


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


def as_signal(entry: StreamEntry, path: Path, audio: Audio) -> Signal:
    """The channels of a sound as a signal at its full rate, float32, unit "1" with full scale -1..1.

    Raises:
        ManifestError: which of several channels is meant is not stated.
    """
    if not entry.columns and audio.channels > 1:
        raise ManifestError(
            f"which of {audio.channels} channels holds the pulses is not stated",
            file=path,
            stream=entry.name,
            expected=f"columns = ['0'] to ['{audio.channels - 1}']",
        )
    values = np.empty((audio.axis.n, audio.channels), np.float32)
    filled = 0
    for first, block in audio.blocks(_BLOCK):
        values[first : first + len(block)] = block
        filled = first + len(block)
        if len(block) < min(_BLOCK, audio.axis.n - first):
            break
    mask = np.ones(values.shape, bool)
    values[filled:], mask[filled:] = 0, False
    names = tuple(entry.columns or (str(at) for at in range(audio.channels)))
    return Signal(
        info=audio.info,
        axis=audio.axis,
        native_support=audio.native_support,
        values=values,
        columns=names,
        units=("1",) * len(names),
        mask=mask,
    )
