"""What a page needs to play a video: addresses, and which session time each of its frames belongs to."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.time import Int64Array, to_s
from pipeline.report.footage import Footage
from pipeline.report.proxy import can_be_played, mosaic, write_proxy
from pipeline.report.tracks import as_base64

TOLERANCE_S = 0.0005
"""The frame-time map of the page is off by no more than this."""


@dataclass(frozen=True)
class Player:
    """One video of a page.

    Attributes:
        stream: Name in the manifest.
        kind: Kind in the manifest.
        people: Whom it shows.
        file: What is played.
        copied: Whether that is a copy made for the page.
        media_ns: Times of its frames as the browser counts them, int64 (n,).
        session_ns: The same on the session clock, int64 (n,).
    """

    stream: str
    kind: str
    people: tuple[str, ...]
    file: Path
    copied: bool
    media_ns: Int64Array
    session_ns: Int64Array

    def as_json(self, sources: Sequence[str]) -> dict[str, Any]:
        """What the page knows; `frames` holds the distances of the frames in whole microseconds, uint32."""
        media_us = np.rint(self.media_ns / 1000).astype(np.int64)
        return {
            "stream": self.stream,
            "kind": self.kind,
            "people": list(self.people),
            "sources": list(sources),
            "copied": self.copied,
            "first_s": float(media_us[0] / 1e6),
            "frames": as_base64(np.diff(media_us).clip(0).astype(np.uint32)),
            "map": knots(to_s(self.media_ns), to_s(self.session_ns)),
        }


def make_players(
    footage: Sequence[Footage], folder: Path, blur: bool = False, copy: bool = False, hook: Hook = silent
) -> tuple[list[Player], list[str]]:
    """A player for each video; where no browser plays the recording, a copy of it is written.

    Beside a copy lies its frame-time map as JSON. A copy that is there already and belongs to the same recording is
    taken as it is.

    Args:
        footage: Videos on the session clock.
        folder: Where copies go; made when one is needed.
        blur: Copies of all, in coarse squares.
        copy: Copies of all.
        hook: Progress.

    Returns:
        Players, and why there is none for some videos.
    """
    players, problems = [], []
    for one in footage:
        try:
            players.append(_player(one, folder, blur, copy, hook))
        except (TelltaleError, OSError) as error:
            problems.append(f"{one.stream}: {error}")
    return players, problems


def _player(one: Footage, folder: Path, blur: bool, copy: bool, hook: Hook) -> Player:
    native = one.video.axis.times_of(np.arange(one.video.axis.n))
    plain = one.file is not None and one.whole and not blur and not copy
    if plain and one.file is not None and can_be_played(one.file):
        return Player(one.stream, one.kind, one.people, one.file, False, native, one.video.times_ns)
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / _safe(one.stream)
    note = stem.with_name(stem.name + ".json")
    origin = _origin(one, blur)
    known = _known(note, origin)
    if known is None:
        path, session_ns = write_proxy(one.video, stem, mosaic if blur else None, hook)
        said = {"origin": origin, "file": path.name, "session_ns": session_ns.tolist()}
        note.write_text(json.dumps(said) + "\n", encoding="utf-8")
    else:
        path, session_ns = known
    return Player(one.stream, one.kind, one.people, path, True, session_ns - session_ns[0], session_ns)


def _origin(one: Footage, blur: bool) -> dict[str, Any]:
    """What a copy depends on."""
    times = one.video.times_ns
    state = None if one.file is None else one.file.stat()
    return {
        "file": None if one.file is None else one.file.name,
        "size": None if state is None else state.st_size,
        "changed_ns": None if state is None else state.st_mtime_ns,
        "frames": len(times),
        "first_ns": int(times[0]),
        "last_ns": int(times[-1]),
        "picture": [one.video.width, one.video.height],
        "blur": blur,
    }


def _known(note: Path, origin: dict[str, Any]) -> tuple[Path, Int64Array] | None:
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        path = note.with_name(said["file"])
        if said["origin"] == origin and path.is_file():
            return path, np.array(said["session_ns"], dtype=np.int64)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name) or "video"


def knots(media_s: NDArray[np.float64], session_s: NDArray[np.float64]) -> list[list[float]]:
    """The frame-time map as few points of a broken line: [time in the file, session time], seconds.

    Args:
        media_s: Times of the frames in the file, (n,), n >= 1, increasing.
        session_s: The same frames on the session clock, (n,).

    Returns:
        Points between which the line is off by at most `TOLERANCE_S` at every frame.
    """
    kept = [0]
    stack = [(0, len(media_s) - 1)]
    while stack:
        a, b = stack.pop()
        if b <= a:
            continue
        kept.append(b)
        if b == a + 1:
            continue
        share = (media_s[a : b + 1] - media_s[a]) / max(media_s[b] - media_s[a], 1e-12)
        off = np.abs(session_s[a : b + 1] - (session_s[a] + share * (session_s[b] - session_s[a])))
        worst = int(np.argmax(off))
        if off[worst] > TOLERANCE_S:
            stack += [(a, a + worst), (a + worst, b)]
    return [[round(float(media_s[at]), 7), round(float(session_s[at]), 7)] for at in sorted(set(kept))]


def addresses(file: Path, page: Path, final: Path | None = None) -> list[str]:
    """Where the page finds a file: beside it, and where it lies now.

    Args:
        file: What is played.
        page: The page as it is being written.
        final: Where the page will lie in the end; as written by default.
    """
    folder = page.parent.resolve()
    if file.resolve().is_relative_to(folder):
        return [quote(file.resolve().relative_to(folder).as_posix())]
    whole = file.resolve().as_uri()
    target = (final or page).parent.resolve()
    try:
        near = os.path.relpath(file.resolve(), target)
    except ValueError:
        return [whole]
    return [quote(Path(near).as_posix()), whole]
