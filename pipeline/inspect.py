"""`telltale init`: look at a folder of recordings and write a commented `session.toml` for the user to correct."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import ManifestError, MissingFileError, NothingUsableError, TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Video
from pipeline.manifest import MANIFEST_NAME, sessions_in
from pipeline.manifest_text import Guess, render
from pipeline.shared_sound import relate_by_sound

if TYPE_CHECKING:
    from modalities.readers import FileInfo, TrackInfo


_UNITS = {"ecg": "mV", "eda": "uS", "temperature": "degC"}
LONGEST_SESSION = dt.timedelta(days=1)
"""Header times further apart than this are times of copying or converting, not of recording."""
FAR_S = 3600.0
"""A file whose own times begin further from 0 than this counts from something else than its start."""


def write_manifest(
    root: Path, consent: Sequence[str] = (), hook: Hook = silent
) -> tuple[Path, list[Guess], list[TelltaleError]]:
    """Look at every file below `root` and write `root/session.toml`.

    Args:
        root: Folder of one recording session.
        consent: Scopes to fill in; left empty when none is given.
        hook: Progress over the files.

    Returns:
        Path of the manifest, the proposed streams, and files that could not be read.

    Raises:
        ManifestError: there is a manifest already, which is never overwritten, or one in a folder below.
        MissingFileError: no such folder.
        NothingUsableError: no readable recording below the folder.
    """
    from modalities.readers import discover

    if not root.is_dir():
        raise MissingFileError("no such folder", file=root)
    target = root / MANIFEST_NAME
    if target.exists():
        raise ManifestError("there is a manifest already", file=target, mend="Edit it, or move it away first.")
    names = sessions_in(root)
    if names:
        raise ManifestError(
            "subfolders are sessions already", file=root,
            got=", ".join(names[:5]) + (", ..." if len(names) > 5 else ""),
            mend="Name the folder of one session; telltale batch analyses all of them.",
        )  # fmt: skip
    infos, broken = discover(root)
    guesses: list[Guess] = []
    clocks: dict[str, tuple[float, list[str]]] = {}
    starts = {info.path: start for info in infos if (start := _first_moment(info)) is not None}
    for done, info in enumerate(infos):
        hook("look at files", done, len(infos))
        clock = _unique(_slug(info.path.stem), clocks)
        clocks[clock] = _offset(info, starts)
        guesses += _streams_of(info, root, clock)
    hook("look at files", len(infos), len(infos))
    if not guesses:
        listed = "; ".join(str(error) for error in broken) or None
        raise NothingUsableError("no readable recording in the folder", file=root, got=listed)
    shared = relate_by_sound(_prefer_dedicated_sound(guesses), root, hook)
    _name(guesses)
    used = {guess.values["clock"]: clocks[guess.values["clock"]] for guess in guesses}
    cues = [(one.own.values["clock"], one.own.values["name"], one.against.values["name"], one.words) for one in shared]
    text = render(root.resolve().name, guesses, used, consent, broken, cues, person_in(root))
    target.write_text(text, encoding="utf-8", newline="\n")
    return target, guesses, broken


_NO_NAME = re.compile(
    r"(my[-_]?)?(session|sess|ses|data|recordings?|rec|record|run|trial|day|visit|test|tmp|raw|new|files?|videos?|study"
    r"|sourcedata|rawdata|in|input)s?[-_]?[0-9]*",
    re.IGNORECASE,
)
"""Names of folders that say what lies in them, not who."""


def person_in(folder: Path) -> str:
    """Whom a session shows, as its folder says: "sub-07" of BIDS here or above, else the folder's own name.

    Args:
        folder: The session folder.

    Returns:
        An id; "p01" where the name is that of no person, such as "session", or no word of letters and digits.
    """
    name, above = folder.resolve().name, folder.resolve().parent.name
    for part in (name, above):
        subject = re.match(r"sub-[A-Za-z0-9]+(?![A-Za-z0-9])", part)
        if subject is not None:
            return subject.group()
    fits = re.fullmatch(r"(?=[0-9_-]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name)
    return name if fits and not _NO_NAME.fullmatch(name) else "p01"


def _first_moment(info: FileInfo) -> dt.datetime | None:
    """Wall-clock time of the file's first sample by its header, without time zone."""
    if info.wall_start is None:
        return None
    return info.wall_start.replace(tzinfo=None) + dt.timedelta(seconds=_first_s(info))


def _first_s(info: FileInfo) -> float:
    """First sample on the file's own clock, seconds."""
    return min((track.start_s for track in info.tracks), default=0.0)


def _offset(info: FileInfo, starts: dict[Path, dt.datetime]) -> tuple[float, list[str]]:
    """Session time of a file's zero, if its header is right, and remarks.

    The earliest first sample of the folder becomes session time 0. A file without a usable header time begins at 0 too,
    if its own times begin far from 0 (LSL seconds); else its zero is the session's.
    """
    first_s = _first_s(info)
    near_s = 0.0 if abs(first_s) < FAR_S else -first_s
    begins = "" if near_s == 0 else f"; its own times begin at {first_s:.0f} s"
    if info.path not in starts:
        return near_s, [f"the file states no start time: it is taken to begin with the session{begins}"]
    stated = f"start time in the header: {starts[info.path].isoformat(sep=' ')}{begins}"
    if max(starts.values()) - min(starts.values()) > LONGEST_SESSION:
        return near_s, [f"{stated}; not used, because the headers of this folder lie more than a day apart"]
    offset = (starts[info.path] - min(starts.values())).total_seconds() - first_s
    return offset, [f"{stated}; headers can be wrong by seconds"]


def _streams_of(info: FileInfo, root: Path, clock: str) -> list[Guess]:
    found: list[Guess] = []
    for track in info.tracks:
        values: dict[str, Any] = {"name": "", "kind": track.kind or "ignore"}
        values["file"] = info.path.relative_to(root).as_posix()
        remarks = [track.detail] if track.detail else []
        if track.track is not None:
            values["track"] = track.track
        if track.columns and values["kind"] not in ("audio", "markers", "cues"):
            values["columns"] = list(track.columns)
        if track.time_column:
            values["time_column"] = track.time_column
        if _is_video(track):
            values["kind"], seen = _look_at_video(info, track, root)
            remarks.append(seen)
        elif values["kind"] == "audio":
            remarks += _listen(values, root)
        elif track.kind == "markers":
            remarks.append('for clocks only; if these are questions, stimuli or conditions, set kind = "cues"')
        elif track.kind is None:
            remarks.append("what this is could not be told: correct kind, or leave it ignored")
        elif track.rate_hz is None and values["kind"] not in ("markers", "cues"):
            remarks += _rate_from_name(values, info.path)
        if values["kind"] in _UNITS and any(unit in ("", "1", "adc") for unit in track.units):
            remarks.append(
                f'the file states no unit; add units = ["{_UNITS[values["kind"]]}"] if that is what it holds'
            )
        values["clock"] = clock
        found.append(Guess(values, remarks))
    return found


def _is_video(track: TrackInfo) -> bool:
    return bool(re.match(r"\d+x\d+\b", track.detail)) or track.kind in ("face_rgb", "face_nir", "face_depth")


def _look_at_video(info: FileInfo, track: TrackInfo, root: Path) -> tuple[str, str]:
    """Kind of a video by looking at it: a large face makes a face video, a smaller person a body video."""
    from modalities.face.detection import find_face
    from modalities.face.models import borrowed_models
    from modalities.readers import open_stream

    if track.kind in ("face_nir", "face_depth"):
        return str(track.kind), "16-bit or mono pictures"
    entry = StreamEntry(
        name="look", kind="face_rgb", file=info.path.relative_to(root).as_posix(), track=track.track, clock="session"
    )
    try:
        stream = open_stream(entry, root, None)
    except TelltaleError as error:
        return "ignore", f"not readable as video: {error}"
    if not isinstance(stream, Video) or not stream.axis.n:
        return "ignore", "no pictures in it"
    widths = []
    step = max(1, min(stream.axis.n, 150) // 10)
    try:
        with borrowed_models() as models:
            for frame in stream.frames():
                if frame.index % step == 0:
                    box = find_face(models, frame.image.astype(np.uint8, copy=False), thorough=True)
                    widths.append(0.0 if box is None else float(box[2] - box[0]) / stream.width)
                if len(widths) >= 10:
                    break
    except TelltaleError as error:
        return "ignore", f"not readable as video: {error}"
    seen = [width for width in widths if width > 0]
    share = float(np.median(seen)) if len(seen) >= 0.3 * len(widths) and seen else 0.0
    if share >= 0.12:
        return "face_rgb", f"a face fills {share:.0%} of the picture's width"
    if share > 0:
        return "body_video", "a small face: taken as a body video; add a face_rgb stream of the same file if you like"
    return "face_rgb", "no face in the first frames: taken as a face video; correct the kind if it shows a body"


def _listen(values: dict[str, Any], root: Path) -> list[str]:
    """Set a sound track of digital silence to be ignored."""
    from modalities.readers import open_stream

    keys = ("file", "track")
    entry = StreamEntry(name="listen", kind="audio", clock="session", **{k: values[k] for k in keys if k in values})
    try:
        stream = open_stream(entry, root, None)
    except TelltaleError as error:
        values["kind"] = "ignore"
        return [f"not readable as sound: {error}"]
    if not isinstance(stream, Audio):
        return []
    loudest = 0.0
    try:
        for first, block in stream.blocks(int(10 * stream.rate_hz)):
            loudest = max(loudest, float(np.abs(block).max(initial=0)))
            if loudest > 1e-4 or first > 300 * stream.rate_hz:
                break
    except TelltaleError as error:
        values["kind"] = "ignore"
        return [f"not readable as sound: {error}"]
    if loudest <= 1e-4:
        values["kind"] = "ignore"
        return ["digital silence: ignored"]
    return []


def _prefer_dedicated_sound(guesses: list[Guess]) -> list[tuple[Guess, Guess]]:
    """Where there is a sound file of its own, the sound tracks of videos are listed but not used.

    Returns:
        Each of those tracks, and the sound file to compare it with.
    """
    videos = {g.values["file"] for g in guesses if g.values["kind"].startswith(("face_", "body_"))}
    audio = [guess for guess in guesses if guess.values["kind"] == "audio"]
    own = [guess for guess in audio if guess.values["file"] not in videos]
    if not own:
        return []
    tracks = [guess for guess in audio if guess.values["file"] in videos]
    for guess in tracks:
        guess.values["kind"] = "ignore"
        guess.remarks.append('ignored, as there is a sound file of its own; set kind = "audio" to use this one')
    return [(guess, own[0]) for guess in tracks]


def _rate_from_name(values: dict[str, Any], path: Path) -> list[str]:
    """A sampling rate that stands in the file's name, for tables that state none."""
    match = re.search(r"(\d+(?:\.\d+)?)\s*(k?)hz", path.stem, re.IGNORECASE)
    if match is None:
        return []
    values["rate_hz"] = float(match.group(1)) * (1000 if match.group(2) else 1)
    return ["this rate stands in the file's name: check it"]


def _name(guesses: list[Guess]) -> None:
    """Name the streams after their kinds, those that are used first."""
    taken: dict[str, int] = {}
    for guess in sorted(guesses, key=lambda guess: guess.values["kind"] == "ignore"):
        ignored = guess.values["kind"] == "ignore"
        base = f"ignored_{_slug(Path(guess.values['file']).stem)}" if ignored else guess.values["kind"]
        guess.values["name"] = _unique(base, taken)
        taken[guess.values["name"]] = 1


def _slug(text: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.-") or "file"
    return slug[:40]


def _unique(base: str, taken: Any) -> str:
    name, number = base, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name
