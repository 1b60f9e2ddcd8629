"""The detection table of the MEGC challenges: micro- and macro-expressions in frames of the face video."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data_schemas.errors import MissingTrackError, NothingUsableError
from data_schemas.event import Event
from data_schemas.time import NS_PER_S, Int64Array, nearest
from modalities.face.spotting.evaluation import Spotted
from modalities.face.spotting.megc import write_table
from pipeline.export.clock import FileClock
from pipeline.export.content import Content
from pipeline.export.format import LeftOut
from pipeline.export.media import Medium
from pipeline.export.tables import write_sidecar

EXPRESSIONS = ("micro", "macro")


class Megc:
    """`.csv` with vid, pred_onset, pred_offset, type; frames from 1, both ends belonging to the interval."""

    suffix = ".csv"
    options: Mapping[str, str] = {"stream": "the face video whose frames are counted (by default each person's own)"}

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        found = []
        times: dict[str, Int64Array] = {}
        missing: dict[str, int] = {}
        for event in content.events:
            if event.kind in EXPRESSIONS:
                medium = face_video(content, event.person, options.get("stream"))
                if medium is None:
                    missing[event.person or "nobody"] = missing.get(event.person or "nobody", 0) + 1
                    continue
                if medium.stream not in times:
                    times[medium.stream] = frame_times(content, medium)
                onset, offset, _ = frames_of(event, times[medium.stream])
                emotion = event.details.get("emotion")
                name = str(emotion.get("class", "")) if isinstance(emotion, Mapping) else ""
                found.append(Spotted(video_name(medium), event.kind, onset, offset, None, name))
        if missing and not found:
            raise NothingUsableError(
                f"no face video of {', '.join(missing)} is known, so nothing can be counted in its frames",
                mend="Name the session folder with --session; a de-identified export has no video.",
            )
        target.write_text(write_table(found), encoding="utf-8", newline="")
        exact = all(medium.file is not None for medium in content.media if medium.stream in times)
        how = "by the video's own time stamps" if exact else "at the mean rate of the video"
        write_sidecar(content, target, {"frames": f"counted from 1, {how}"})
        notes: list[str] = [
            LeftOut(f"{count} events of {person} are left out: no face video of theirs is known")
            for person, count in missing.items()
        ]
        if not exact:
            notes.append("the video was not found: frames are counted at its mean rate, which is wrong where it varies")
        return notes


def face_video(content: Content, person: str | None, stream: str | None = None) -> Medium | None:
    """The video of somebody's face, their own or one that shows several people; None where none is known.

    Raises:
        MissingTrackError: there is no face video of the name given.
    """
    faces = [one for one in content.media if one.kind.startswith("face_") and one.rate_hz]
    if stream is not None and all(one.stream != stream for one in faces):
        raise MissingTrackError(
            f"no face video '{stream}'", expected=", ".join(one.stream for one in faces) or "none is known"
        )
    own = [one for one in faces if one.person == person or one.person is None]
    own.sort(key=lambda one: one.person is None)
    return next((one for one in own if stream is None or one.stream == stream), None)


def video_name(medium: Medium) -> str:
    """What the table calls a video: its file's name without ending, else its stream."""
    return medium.file.stem if medium.file is not None else medium.stream


def frame_times(content: Content, medium: Medium) -> Int64Array:
    """Session times of the frames of a video, int64 ns, shape (n,).

    They are the video's own time stamps where it is at hand; else frames are taken as evenly spaced.
    """
    clock = FileClock(medium.stream, medium.start_ns, medium.drift_ppm)
    if content.session is not None and medium.file is not None:
        from modalities.readers import open_stream
        from pipeline.manifest import load_manifest

        entry = next(one for one in load_manifest(content.session).streams if one.name == medium.stream)
        native = open_stream(entry, content.session, medium.person).times_ns
        return clock.to_session(native - native[0])
    count = max(1, round((medium.end_ns - medium.start_ns) * (medium.rate_hz or 0.0) / NS_PER_S))
    return np.linspace(medium.start_ns, medium.end_ns, count, endpoint=False).astype(np.int64)


def frames_of(event: Event, times_ns: Int64Array) -> tuple[int, int, int | None]:
    """First and last frame of an event and that of its apex, counted from 1; the frame nearest in time."""
    moments = [event.onset_ns, event.offset_ns, event.onset_ns if event.apex_ns is None else event.apex_ns]
    onset, offset, top = nearest(times_ns, np.array(moments, np.int64)).tolist()
    first, last = onset + 1, max(onset + 1, offset)
    return first, last, None if event.apex_ns is None else min(max(first, top + 1), last)
