"""Sound files through libsndfile: wav, flac, ogg, mp3, aiff."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, StreamInfo
from data_schemas.time import Regular
from modalities.readers.faults import reading
from modalities.readers.info import SOUND_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.selection import unfit
from modalities.readers.sound import channels_of, require_one_channel

_LONG_PATH = 1000
_MOST_PER_BYTE, _MOST_HZ = 20_000, 50_000_000
"""FLAC packs digital silence into one byte for 4,700 samples; no other format packs tighter."""


@dataclass
class FileSamples:
    """Callable `(first, count)` -> float32 (count, channels), shorter at the end; keeps the file open between calls.

    Attributes:
        path: The file.
        columns: Channels to hand out; None for all.
    """

    path: Path
    columns: tuple[int, ...] | None = None
    _handle: Any = field(init=False, repr=False, compare=False, default=None)

    def __call__(self, first: int, count: int) -> NDArray[np.float32]:
        """Samples [first, first + count).

        Raises:
            UnreadableFileError: the file can no longer be read there.
        """
        with reading(self.path, "sound"):
            if self._handle is None:
                self._handle = open_sound_file(self.path)
            self._handle.seek(min(first, self._handle.frames))
            block = self._handle.read(count, dtype="float32", always_2d=True)
        return block if self.columns is None else np.ascontiguousarray(block[:, self.columns])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}


class SoundFileReader:
    """Reads sound files."""

    def probe(self, path: Path) -> FileInfo:
        """Rate, channels and length from the header."""
        rate, channels, n, words = _header(path)
        track = TrackInfo(
            kind="audio",
            columns=tuple(str(at) for at in range(channels)),
            units=("1",) * channels,
            rate_hz=float(rate),
            n=n,
            duration_s=n / rate,
            detail=f"{words}, {rate} Hz, {channels} channel{'s' if channels > 1 else ''}",
        )
        return FileInfo(path, "sound", (track,))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Sound, also for "pulse", which must say on which channel it lies."""
        if entry.kind not in SOUND_KINDS:
            raise unfit(entry, path, "a sound file holds sound", SOUND_KINDS)
        if entry.track not in (None, 0, "0"):
            raise unfit(entry, path, f"a sound file has no track {entry.track}; its channels are columns", ["audio"])
        rate, channels, n, _ = _header(path)
        columns = channels_of(entry, path, channels)
        require_one_channel(entry, path, channels)
        return Audio(
            info=replace(info, nominal_rate_hz=float(rate), origin=f"channels {', '.join(entry.columns or ['all'])}"),
            axis=Regular.from_rate(rate, n),
            source=FileSamples(path, columns),
            channels=len(columns) if columns is not None else channels,
        )


def open_sound_file(path: Path) -> Any:
    """The file in libsndfile, which knows no paths of 1024 bytes and more: by its descriptor where it is so long."""
    import soundfile

    if len(os.fsencode(path)) < _LONG_PATH:
        return soundfile.SoundFile(str(path))
    return soundfile.SoundFile(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), closefd=True)


def _header(path: Path) -> tuple[int, int, int, str]:
    mend = "If it was broken off while recording, its header may need repair."
    with reading(path, "a sound file", mend), open_sound_file(path) as handle:
        rate, channels, n = handle.samplerate, handle.channels, handle.frames
        words = f"{handle.format} {handle.subtype}".lower().replace("_", " ")
    if n > _MOST_PER_BYTE * path.stat().st_size or rate > _MOST_HZ:
        raise UnreadableFileError(
            "the header promises more sound than the file can hold", file=path, got=f"{n} samples at {rate} Hz"
        )
    if n <= 0 or rate <= 0:
        raise UnreadableFileError(
            "the sound file holds no samples", file=path, mend="Was the recording stopped properly?"
        )
    return rate, channels, n, words
