"""What one channel tells about another, once all are encoded: eye trackers, eyes around cues, reactions of the body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from data_schemas.event import Event
from data_schemas.features import Encoding, Track
from data_schemas.intervals import IntervalSet, grid
from data_schemas.recording import Session
from data_schemas.result import Problem
from data_schemas.stream import Signal, Stream
from data_schemas.time import NS_PER_S
from modalities.context.baselines import baseline_intervals
from modalities.context.eye_events import eyes_around
from modalities.context.tracker import REPLACED, Screen, blinks_of, replace_eyes

GAZE_HZ = 60.0
"""Rate of the face's track where only an eye tracker saw the person."""


def join_channels(encodings: Sequence[Encoding], session: Session) -> tuple[list[Encoding], list[Problem]]:
    """The encodings with what they say of each other.

    An eye tracker's gaze, pupil and blinks replace the video's; a face channel that has no video gets them alone. Each
    question, answer and stimulus gives an event `eye_response` of the face channel and, in the physiology channel, a
    `reaction`.

    Args:
        encodings: Of all people and channels.
        session: With the eye trackers' streams, kinds "gaze" and "pupil".

    Returns:
        The encodings, and what could not be used of the trackers.
    """
    from modalities.physiology.reactions import with_reactions

    out: list[Encoding] = []
    problems: list[Problem] = []
    cues = {
        one.person: [event for event in one.events if event.kind == "cue"]
        for one in encodings
        if one.spec.channel == "context"
    }
    seen = {one.person for one in encodings if one.spec.channel == "face"}
    unseen = [one.id for one in session.manifest.people if one.id not in seen and any(_trackers(session, one.id))]
    for one in [*encodings, *(_blank_face(session, person) for person in unseen)]:
        if one.spec.channel == "face":
            one, notes = _with_tracker(one, session)
            problems += notes
            one = _with_eye_responses(one, cues.get(one.person, []))
        elif one.spec.channel == "physiology" and "reaction" in one.spec.event_kinds and cues.get(one.person):
            one = with_reactions(one, cues[one.person])
        out.append(one)
    return out, problems


def with_shared_people(session: Session) -> Session:
    """The session, its body videos showing whom the face videos of the same pictures show.

    A body video that is the same file, track and part of the picture as a face video of several people shows these
    people, from the left to the right as they are listed there; a second body video of the same pictures is left out.
    """
    entries = {entry.name: entry for entry in session.manifest.streams}

    def pictures(name: str) -> str:
        entry = entries[name]
        return repr((entry.paths, entry.track, entry.region, entry.rotation, entry.clock))

    faces = {
        pictures(name): stream.info
        for name, stream in session.streams.items()
        if stream.info.kind.startswith("face_") and stream.info.people and name in entries
    }
    streams: dict[str, Stream] = {}
    joined: set[str] = set()
    for name, stream in session.streams.items():
        face = faces.get(pictures(name)) if stream.info.kind == "body_video" and name in entries else None
        if face is None or stream.info.people:
            streams[name] = stream
        elif pictures(name) not in joined:
            joined.add(pictures(name))
            streams[name] = replace(
                stream, info=replace(stream.info, person=None, people=face.people, seats=face.seats)
            )
    return replace(session, streams=streams) if joined else session


def _trackers(session: Session, person: str) -> tuple[Signal | None, Signal | None]:
    """A person's gaze and pupil, the first of each."""
    found: dict[str, Signal] = {}
    for stream in session.streams.values():
        if isinstance(stream, Signal) and stream.info.person == person and stream.axis.n:
            found.setdefault(stream.info.kind, stream)
    return found.get("gaze"), found.get("pupil")


def _blank_face(session: Session, person: str) -> Encoding:
    """A face channel that knows nothing yet, at the times of a tracker."""
    from modalities.registry import load_encoder

    spec = load_encoder("face").spec
    times = grid(session.extent, GAZE_HZ)
    shape = (len(times), len(spec.features))
    reason = np.full(len(times), "no_stream", dtype=object)
    track = Track(times, spec.feature_names, np.zeros(shape, np.float32), np.zeros(shape, bool), reason)
    return Encoding(spec, person, track)


def _with_tracker(face: Encoding, session: Session) -> tuple[Encoding, list[Problem]]:
    gaze, pupil = _trackers(session, face.person)
    if gaze is None and pupil is None:
        return face, []
    entry = next((e for e in session.manifest.streams if gaze is not None and e.name == gaze.info.name), None)
    stated = None if entry is None else entry.screen
    screen = None if stated is None else Screen(stated.width_px, stated.width_mm, stated.distance_mm)
    track, notes = replace_eyes(face.track, gaze, pupil, screen)
    eyes = track.valid[:, [track.names.index(name) for name in REPLACED]].any(axis=1)
    track = replace(track, reason=np.where(eyes & (track.reason == "no_stream"), "", track.reason))
    events = face.events
    if pupil is not None:
        watched = pupil.support.contains(np.array([event.onset_ns for event in events], np.int64))
        kept = [event for event, there in zip(events, watched, strict=True) if event.kind != "blink" or not there]
        events = tuple(sorted([*kept, *blinks_of(pupil, face.person)], key=lambda event: event.onset_ns))
    used = tuple(stream.info.name for stream in (gaze, pupil) if stream is not None)
    problems = [Problem(severity="warning", what=f"face of {face.person}: {note}", stream=used[0]) for note in notes]
    return replace(face, track=track, events=events, streams=(*face.streams, *used)), problems


def _with_eye_responses(face: Encoding, cues: Sequence[Event]) -> Encoding:
    """The encoding with blinks and gaze around each cue as events; `details` holds the row of `EyeResponse`."""
    if "eye_response" not in face.spec.event_kinds or not cues:
        return face
    rest = baseline_intervals(cues, face.person)
    eyes = ("blink", "gaze_shift")
    rows = eyes_around(cues, [e for e in face.events if e.kind in eyes], face.track, rest or None)
    found = [
        Event(
            "face",
            "eye_response",
            round(row.onset_s * NS_PER_S),
            round(row.offset_s * NS_PER_S),
            person=face.person,
            label=row.label,
            details={key: value for key, value in row.as_row().items() if key not in ("onset_s", "offset_s", "label")},
        )
        for row in rows
        if row.seen > 0
    ]
    return replace(face, events=tuple(sorted([*face.events, *found], key=lambda event: event.onset_ns)))


def baseline_of(person: str, encodings: Sequence[Encoding]) -> IntervalSet:
    """Where a person's baseline was recorded, by the cues of the context channel."""
    own = [one for one in encodings if one.spec.channel == "context" and one.person == person]
    return baseline_intervals([event for one in own for event in one.events], person)
