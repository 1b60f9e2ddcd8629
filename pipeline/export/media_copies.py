"""A folder of copies of the recordings in which nobody is seen or heard, with a table of what they are."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_schemas.errors import MissingFileError, NothingUsableError, TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Video
from data_schemas.time import to_s
from pipeline.export import media_faces, media_pictures, media_sound
from pipeline.export.content import Content, read_content
from pipeline.export.format import LeftOut

KINDS = ("face_", "body_video", "audio", "sync_audio")
"""Beginnings of the kinds of streams that are copied."""
MARK = ".telltale.json"
TABLE, ABOUT = "media.csv", "media.json"
COLUMNS = {
    "file": "the copy",
    "stream": "name in the manifest; of a de-identified export its number in sync.json",
    "kind": "kind of the stream",
    "person": "whom it records; empty where it is shared",
    "start_s": "session time of the copy's time 0, seconds",
    "drift_ppm": "session_s = start_s + (1 + drift_ppm / 1e6) * file_s",
    "duration_s": "length, seconds of the session",
    "rate_hz": "pictures, or values of sound, per second of the recording",
    "frames": "pictures in the copy; empty for sound",
    "frames_hidden_whole": "pictures that are hidden altogether, because somebody's face was not found",
    "masked": "what was hidden: faces, distances of faces, voices",
    "sound": "masked where the copy of a video has a sound track",
}


@dataclass(frozen=True)
class _Names:
    """What streams and people are called in the copies."""

    streams: Mapping[str, str]
    people: Mapping[str, str]
    shift_ns: int = 0

    @classmethod
    def of(cls, plain: Content, hidden: bool) -> _Names:
        """Their own names, or what other de-identified exports call them."""
        if not hidden:
            names = [one.stream for one in plain.sync.streams]
            return cls({name: name for name in names}, {person: person for person in plain.people})
        from pipeline.export.deidentify import Aliases, hide

        aliases = Aliases.of_user(plain)
        numbered = hide(plain, aliases).sync.streams
        streams = {one.stream: new.stream for one, new in zip(plain.sync.streams, numbered, strict=True)}
        return cls(streams, aliases.names, aliases.shift_ns)

    def file_of(self, stream: str, taken: set[str]) -> str:
        """A name for the file without suffix, not taken yet."""
        plain = re.sub(r"[^\w.-]+", "_", self.streams[stream]).strip("._") or "stream"
        name, number = plain, 2
        while name.lower() in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name.lower())
        return name


class Media:
    """Videos and sounds, always masked: faces in squares, speech as noise; `media.csv` says which is which.

    Attributes:
        hook: Told of the progress.
    """

    suffix = ""
    options: Mapping[str, str] = {"session": "the session folder, for a de-identified copy of recordings moved since"}

    def __init__(self, hook: Hook = silent) -> None:
        self.hook = hook

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`.

        Raises:
            ConsentError: the manifest records no consent to share.
            NothingUsableError: no recording is at hand, or none can be read.
        """
        from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent
        from pipeline.report.footage import opened_streams

        plain = _with_recordings(content, options)
        root = plain.session
        if root is None:
            raise NothingUsableError(
                "the recordings of this result were not found",
                file=plain.folder,
                mend="Say --option session=DIR." if content.deidentified else "Name the session folder with --session.",
            )
        manifest = load_manifest(root)
        require_consent(manifest, "share", root / MANIFEST_NAME)
        names, taken = _Names.of(plain, content.deidentified), {"media"}
        target.mkdir()
        rows: list[dict[str, Any]] = []
        problems: list[str] = []
        notes: list[str] = []
        for stream, entry, _ in opened_streams(root, plain.sync, KINDS, problems):
            if not isinstance(stream, Video | Audio):
                continue
            stem = target / names.file_of(entry.name, taken)
            try:
                row, ended = self._copy(stream, entry, root, stem)
            except TelltaleError as error:
                problems.append(str(error))
                continue
            if ended:
                notes.append(LeftOut(f"the copy of '{entry.name}' ends before the recording: {ended}"))
            drift = plain.clock(entry.name).drift_ppm
            shown = [*entry.people] if entry.people else [manifest.person_of(entry) or ""]
            row |= {
                "stream": names.streams[entry.name],
                "person": " ".join(names.people.get(one, one) for one in shown),
                "start_s": round(to_s(row["start_s"] + names.shift_ns), 6),
                "drift_ppm": drift,
            }
            rows.append(row)
        clocked = {one.stream for one in plain.sync.streams}
        problems += [
            f"stream '{entry.name}' has no place on the session clock of this result"
            for entry in manifest.streams
            if entry.kind.startswith(KINDS) and entry.name not in clocked
        ]
        if not rows:
            raise NothingUsableError(
                "no video and no sound could be copied", file=root, got="; ".join(problems) or None
            )
        _write_tables(content, target, rows)
        return [*_said(rows), *notes, *(LeftOut(f"not copied: {one}") for one in problems)]

    def _copy(self, stream: Video | Audio, entry: StreamEntry, root: Path, stem: Path) -> tuple[dict[str, Any], str]:
        """Write the masked copy of one stream; its row, its start in ns, and why it ends early."""
        from pipeline.export.media_encoding import write_sound, write_video

        axis, times = stream.axis, stream.times_of([0, stream.axis.n - 1])
        row: dict[str, Any] = {"kind": entry.kind, "duration_s": round(to_s(int(times[1] - times[0])), 6)}
        if isinstance(stream, Audio):
            file = stem.with_name(f"{stem.name}.wav")
            write_sound(stream, media_sound.measure_loudness(stream, self.hook), file)
            return {
                **row,
                "file": file.name,
                "start_s": int(times[0]),
                "rate_hz": stream.rate_hz,
                "masked": "voices",
            }, ""
        shown = len(entry.people) if entry.people else 1
        seen = media_faces.look_for_faces(stream, shown, self.hook)
        track = sound_of(entry, root, stream.info.person)
        sound = None if track is None else (track, media_sound.measure_loudness(track, self.hook))
        made = write_video(stream, seen, stem, sound, self.hook)
        first = int(axis.times_of([0])[0])
        row |= {
            "file": made.file.name,
            "start_s": int(times[0]) - (first - made.zero_ns),
            "rate_hz": round((axis.n - 1) / max(row["duration_s"], 1e-9), 6) if axis.n > 1 else "",
            "frames": made.frames,
            "frames_hidden_whole": made.whole,
            "masked": "distances of faces" if entry.kind == "face_depth" else "faces",
            "sound": "" if sound is None else "masked",
        }
        return row, made.ended


def sound_of(entry: StreamEntry, root: Path, person: str | None) -> Audio | None:
    """The sound track of a video's own file on the clock of that file; None where it has none that can be read."""
    from modalities.readers import open_stream

    same = {"kind": "sync_audio", "track": None, "columns": None, "region": None, "rotation": None}
    try:
        stream = open_stream(entry.model_copy(update=same), root, person)
    except TelltaleError:
        return None
    return stream if isinstance(stream, Audio) and stream.axis.n else None


def _with_recordings(content: Content, options: Mapping[str, str]) -> Content:
    """The result with its recordings: a de-identified content has none, so it is read anew.

    Raises:
        MissingFileError: no such session folder.
    """
    given = Path(options["session"]) if "session" in options else None
    if given is not None and not given.is_dir():
        raise MissingFileError("no such session folder", file=given)
    if not content.deidentified and given is None:
        return content
    return read_content(content.folder, given)


def _write_tables(content: Content, target: Path, rows: list[dict[str, Any]]) -> None:
    with (target / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(COLUMNS), restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    about = {
        "columns": COLUMNS,
        "masking": {
            "squares_across_a_face": media_pictures.FACE_SQUARES,
            "squares_across_a_hidden_picture": media_pictures.PICTURE_SQUARES,
            "faces_looked_for_every_s": media_faces.LOOK_EVERY_S,
            "lost_face_held_s": media_faces.HOLD_S,
            "margin_of_face_boxes": media_faces.MARGINS,
            "loudness_measured_every_s": media_sound.CELL_S,
        },
        **content.about(),
    }
    for name in (ABOUT, MARK):
        (target / name).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _said(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What the user should know before the copies are handed on."""
    for row in rows:
        if row.get("frames_hidden_whole"):
            yield f"{row['file']}: {row['frames_hidden_whole']} of {row['frames']} pictures are hidden altogether"
    yield "Look through the copies before you hand them on: clothes, gestures, rooms and writing are still to be seen."
