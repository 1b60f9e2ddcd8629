"""BrainVision recordings (.vhdr, .eeg, .vmrk) through MNE."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import StreamInfo
from modalities.readers.faults import hushed, reading, require_readable
from modalities.readers.info import MARK_KINDS, SIGNAL_KINDS, AnyStream, FileInfo
from modalities.readers.labels import canonical_unit
from modalities.readers.mne_raw import annotation_track, check_track, marks_of, signal_of
from modalities.readers.selection import Channel, choose, tracks_of, unfit

_WHAT = "a BrainVision recording"
_HEAD = 1 << 20
_SCALES = {"uV": 1e6, "mV": 1e3, "V": 1.0, "nV": 1e9, "uS": 1e6}
"""MNE gives SI units for these."""


class BrainVisionReader:
    """Reads BrainVision triplets by their header file."""

    def probe(self, path: Path) -> FileInfo:
        """Channels by kind, and the markers."""
        with reading(path, _WHAT), hushed("mne") as said:
            raw = _open(path)
            tracks = tracks_of(_channels(raw)) + annotation_track(raw)
            wall = raw.info["meas_date"]
        return FileInfo(path, "brainvision", tuple(tracks), wall, tuple(_notes(said)))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Channels as a signal, or the markers as marks."""
        with reading(path, _WHAT), hushed("mne") as said:
            raw = _open(path)
            check_track(entry, path)
            companions = _companions(path, raw)
            require_readable(*companions)
            files = tuple(str(one) for one in (path, *companions))
            info = replace(info, files=files)
            if entry.kind in MARK_KINDS:
                return marks_of(raw, replace(info, notes=tuple(_notes(said))))
            if entry.kind not in SIGNAL_KINDS:
                raise unfit(
                    entry, path, "a BrainVision recording holds signals and markers", [*SIGNAL_KINDS, *MARK_KINDS]
                )
            channels = _channels(raw)
            picked = [channels[at] for at in choose(entry, path, channels)]
            units = [channel.unit for channel in picked]
            scales = [_SCALES.get(unit, 1.0) for unit in units]
            stream = signal_of(raw, [channel.name for channel in picked], units, scales, info)
        return replace(stream, info=replace(stream.info, notes=(*info.notes, *_notes(said))))


def _open(path: Path) -> Any:
    import mne

    _require_believable(path)
    return mne.io.read_raw_brainvision(path, preload=False, verbose="WARNING")


def _require_believable(path: Path) -> None:
    """Return if the header states a number of channels and a rate that exist: MNE asks for memory by them.

    Raises:
        UnreadableFileError: it states others.
    """
    with path.open("rb") as handle:
        text = handle.read(_HEAD).decode("latin-1")
    for key, least, most in (("NumberOfChannels", 1, 4096), ("SamplingInterval", 1e-2, 1e12)):
        for found in re.findall(rf"^\s*{key}\s*=\s*([^\s;]+)", text, re.MULTILINE | re.IGNORECASE):
            try:
                fits = least <= float(found) <= most
            except ValueError:
                fits = False
            if not fits:
                raise UnreadableFileError(f"the header states an impossible {key}", file=path, got=found[:40])


def _channels(raw: Any) -> list[Channel]:
    units = getattr(raw, "_orig_units", {})
    rate = float(raw.info["sfreq"])
    return [Channel(name, canonical_unit(units.get(name, "")), rate, int(raw.n_times)) for name in raw.ch_names]


def _companions(path: Path, raw: Any) -> list[Path]:
    marker = path.with_suffix(".vmrk")
    return [Path(str(one)) for one in raw.filenames if one] + ([marker] if marker.is_file() else [])


def _notes(said: list[str]) -> list[str]:
    told = ("highpass", "lowpass", "filter", "Not setting positions", "not set")
    return [one for one in said if not any(word in one for word in told)]
