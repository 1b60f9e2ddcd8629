"""CAS(ME)3, part C, as sessions: colour, depth, voice and physiology of one recording under one manifest."""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import InvalidValueError, MissingFileError, MissingTrackError, UnreadableFileError
from data_schemas.session import Consent, Manifest
from modalities.face.corpora.sample import Sample
from modalities.face.corpora.shelf import PICTURES, VIDEOS

MARKER = 5
"""Code in the marker column of the physiology at which picture and voice begin, by the data set's own description."""
PHYSIOLOGY_HZ = 200.0
"""Sampling rate of the physiology, by the same."""
CHANNELS = ("ppg", "respiration", "ecg", "eda")
"""Columns 2 to 5 of the physiology: PPG, RSP, ECG100C, EDA; the first holds the time in minutes."""
_MARKER_COLUMNS = (5, 6)
"""The description counts the marker's column once from 1 and once from 0."""
_SOUNDS = (".wav", ".mp3", ".m4a", ".flac", ".aac")
_TABLES = (".txt", ".csv", ".tsv")
_NOTES = re.compile(r"read ?_?me|note", re.IGNORECASE)


@dataclass(frozen=True)
class Recording:
    """The files of one recording.

    Attributes:
        subject: Number of the person.
        color: Folder of pictures, or a video.
        depth: The same of depth, or None.
        voice: Sound file, or None.
        physiology: Text table, or None.
    """

    subject: str
    color: Path
    depth: Path | None = None
    voice: Path | None = None
    physiology: Path | None = None


@dataclass(frozen=True)
class Marker:
    """Where physiology meets picture and voice.

    Attributes:
        row: Index of the first sample with the marker, from 0.
        column: Name of its column.
        columns: Name of the column of each of `CHANNELS`.
        rate_hz: Sampling rate.
    """

    row: int
    column: str
    columns: Mapping[str, str]
    rate_hz: float


def find_recording(folder: Path, subject: str) -> Recording:
    """The files of one recording, by their kind and name, in a folder that holds nothing else.

    Args:
        folder: Holds pictures or video of colour and perhaps of depth ("depth" in the name), sound, physiology.
        subject: Number of the person.

    Raises:
        MissingFileError: no such folder, or no pictures in colour.
        InvalidValueError: several files could be the same thing; the message names them.
    """
    if not folder.is_dir():
        raise MissingFileError("no such folder of a recording", file=folder)
    below = sorted(path for path in folder.rglob("*") if not path.name.startswith("."))
    pictures = {path.parent for path in below if path.suffix.lower() in PICTURES}
    seen = sorted(pictures | {path for path in below if path.suffix.lower() in VIDEOS})
    deep = [path for path in seen if "depth" in str(path.relative_to(folder)).lower()]
    color = _only([path for path in seen if path not in deep], "pictures in colour", folder)
    if color is None:
        found = ", ".join(path.name for path in below[:6]) or "an empty folder"
        raise MissingFileError("no pictures in colour", file=folder, got=found, expected="pictures or a video")
    tables = [path for path in below if path.suffix.lower() in _TABLES and not _NOTES.search(path.name)]
    return Recording(
        subject,
        color,
        _only(deep, "depth", folder),
        _only([path for path in below if path.suffix.lower() in _SOUNDS], "voice", folder),
        _only([path for path in tables if path.parent not in pictures], "physiology", folder),
    )


def _only(found: Sequence[Path], what: str, folder: Path) -> Path | None:
    if len(found) > 1:
        raise InvalidValueError(
            f"several files could be the {what}",
            file=folder,
            got=", ".join(str(path.relative_to(folder)) for path in found[:6]),
            mend="Name the files: Recording(subject, color=..., depth=..., voice=..., physiology=...).",
        )
    return found[0] if found else None


def find_marker(physiology: Path) -> Marker:
    """The first sample of the physiology that carries the marker.

    Raises:
        UnreadableFileError: no table of that kind: too few columns, or a rate far from 200 Hz by its own times.
        MissingTrackError: the marker does not occur.
    """
    from modalities.readers.columns import read_columns
    from modalities.readers.delimited import sniff_table

    form = sniff_table(physiology)
    if len(form.names) <= _MARKER_COLUMNS[0]:
        raise UnreadableFileError(
            "the physiology has too few columns",
            file=physiology,
            got=f"{len(form.names)}: {', '.join(form.names[:8])}",
            expected="minutes, PPG, RSP, ECG, EDA, marker",
        )
    at = [column for column in _MARKER_COLUMNS if column < len(form.names)]
    table = read_columns(physiology, form, [0, *at])
    _check_rate(table.values[:, 0], physiology)
    for place, column in enumerate(at, start=1):
        values, valid = table.values[:, place], table.mask[:, place]
        if not np.array_equal(values[valid], np.rint(values[valid])):
            continue
        rows = np.flatnonzero(valid & (values == MARKER))
        if len(rows):
            names = {channel: form.names[k + 1] for k, channel in enumerate(CHANNELS)}
            return Marker(int(rows[0]), form.names[column], names, PHYSIOLOGY_HZ)
    raise MissingTrackError(
        f"no sample of the physiology carries the marker {MARKER}",
        file=physiology,
        got=f"columns {', '.join(form.names[column] for column in at)}",
        expected=f"{MARKER} where picture and voice begin",
        mend="Without it the clocks cannot be joined: leave the physiology out, or give its offset by hand.",
    )


def _check_rate(minutes: Any, file: Path) -> None:
    span_s = float(minutes[-1] - minutes[0]) * 60
    rate = (len(minutes) - 1) / span_s if span_s > 0 else 0.0
    if not 0.99 < rate / PHYSIOLOGY_HZ < 1.01:
        raise UnreadableFileError(
            "the first column of the physiology is no time in minutes at 200 Hz",
            file=file,
            got=f"{len(minutes)} rows over {span_s:.3f} s",
            expected="minutes, 200 rows a second",
        )


def write_session(
    recording: Recording,
    out: Path,
    *,
    samples: Iterable[Sample] = (),
    fps: float | None = None,
    consent: Consent | None = None,
) -> Path:
    """Make a session folder of one recording.

    Files that lie outside `out` are linked into it, or copied where links are not allowed. Picture and voice share the
    clock "camera", which is the session's; the clock of the physiology is set so that the marker falls on the first
    picture. Labelled expressions go to `truth/expressions.csv`, which no analysis reads.

    Args:
        recording: Its files.
        out: Session folder; made where it is not there. Nothing in it is overwritten.
        samples: Of the corpus; those of this person become the truth.
        fps: Of pictures without time stamps; None takes the rate that the data set publishes.
        consent: What the person agreed to. By default nothing is recorded, and `telltale analyze` asks for it.

    Returns:
        The `session.toml`.

    Raises:
        InvalidValueError: there is a manifest already.
        MissingFileError: a file of the recording is not there.
        UnreadableFileError, MissingTrackError: see `find_marker`.
    """
    import tomlkit

    manifest = out / "session.toml"
    if manifest.exists():
        raise InvalidValueError("there is a manifest already", file=manifest, mend="Give another folder.")
    parts = {
        "face": recording.color, "depth": recording.depth, "voice": recording.voice,
        "physiology": recording.physiology,
    }  # fmt: skip
    there = {name: path for name, path in parts.items() if path is not None}
    for path in there.values():
        if not path.exists():
            raise MissingFileError("a file of the recording is not there", file=path)
    marker = None if recording.physiology is None else find_marker(recording.physiology)
    from modalities.face.corpora.cas_me3_c import CasMe3PartC

    rate = fps or CasMe3PartC.fps or 0.0
    out.mkdir(parents=True, exist_ok=True)
    placed = {name: _place(path, out, name) for name, path in there.items()}
    person = f"p{recording.subject}"
    streams: list[dict[str, Any]] = []
    for name, kind in (("face", "face_rgb"), ("depth", "face_depth")):
        if name in placed:
            entry = {"name": name, "kind": kind, "file": placed[name], "person": person, "clock": "camera"}
            streams.append({**entry, "rate_hz": rate} if there[name].is_dir() else entry)
    if "voice" in placed:
        streams.append({"name": "voice", "kind": "audio", "file": placed["voice"], "person": person, "clock": "camera"})
    clocks: dict[str, Any] = {"camera": {"reference": True}}
    if marker is not None:
        offset_s = -marker.row / marker.rate_hz
        clocks["physiology"] = {"align": "offset", "offset_s": offset_s}
        streams += [
            {
                "name": channel, "kind": channel, "file": placed["physiology"], "columns": [marker.columns[channel]],
                "rate_hz": marker.rate_hz, "person": person, "clock": "physiology",
            }
            for channel in CHANNELS
        ]  # fmt: skip
    content: dict[str, Any] = {
        "schema_version": 1,
        "name": f"cas_me3_c_{recording.subject}",
        "purpose": "",
        "consent": (consent or Consent()).model_dump(exclude_none=True),
        "people": [{"id": person}],
        "clocks": clocks,
        "streams": streams,
        "labels": {"corpus": "cas_me3_c", "subject": recording.subject},
    }
    Manifest.model_validate(content)
    _write_truth(recording, [one for one in samples if _same(one.subject, recording.subject)], rate, out)
    content["consent"] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in content["consent"].items()
    }
    manifest.write_text(tomlkit.dumps(content), encoding="utf-8")
    return manifest


def _same(one: str, two: str) -> bool:
    return one.lstrip("0") == two.lstrip("0")


def _place(path: Path, out: Path, name: str) -> str:
    """The path below the session folder; a file from elsewhere is linked or copied there."""
    path, root = path.resolve(), out.resolve()
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    target = root / (name + path.suffix if path.is_file() else name)
    if target.exists():
        raise InvalidValueError("the session folder holds a file of this name already", file=target)
    try:
        os.symlink(path, target, target_is_directory=path.is_dir())
    except OSError:
        if path.is_dir():
            shutil.copytree(path, target)
        else:
            shutil.copy2(path, target)
    return target.name


def _write_truth(recording: Recording, samples: Sequence[Sample], rate: float, out: Path) -> None:
    if not samples:
        return
    first = _first_number(recording.color)
    folder = out / "truth"
    folder.mkdir(exist_ok=True)
    with (folder / "expressions.csv").open("w", newline="", encoding="utf-8") as opened:
        write = csv.writer(opened)
        write.writerow(("kind", "onset_s", "offset_s", "label", "emotion", "aus", "source"))
        for one in samples:
            start = None if one.onset is None else round((one.onset - first) / rate, 6)
            end = None if one.offset is None else round((one.offset + 1 - first) / rate, 6)
            units = "+".join(map(str, one.aus))
            write.writerow((one.kind, start, end, one.composite or "", one.emotion, units, " ".join(one.source)))


def _first_number(color: Path) -> int:
    """Number of the first picture; 1 for a video, whose frames the sheet counts from 1."""
    if color.is_file():
        return 1
    found = [re.search(r"(\d+)$", path.stem) for path in color.iterdir() if path.suffix.lower() in PICTURES]
    return min((int(match.group(1)) for match in found if match), default=1)
