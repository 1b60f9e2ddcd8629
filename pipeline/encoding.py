"""The arrow from a synchronised session to encodings: every channel's encoder for every person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from data_schemas.errors import TelltaleError
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.recording import Session
from data_schemas.result import Problem
from data_schemas.session import NOBODYS_KINDS
from data_schemas.stream import Audio, Mark, Marks, Signal, Stream, StreamInfo
from modalities.base import Encoder, EncoderOfNeighbours, EncoderOfSeveral, Listener, Task
from modalities.registry import load_encoder
from pipeline.config import Config
from pipeline.joining import join_channels, with_shared_people
from pipeline.memory import give_back
from pipeline.progress import Renamed
from pipeline.shared_decoding import let_go, share_decoding

FIRST = ("context", "face")
"""Channels that others look at: questions start the clock of answers, lips tell who speaks."""

Found = tuple[list[Encoding], list[Problem], set[str]]
"""Encodings, problems, and whose channel is done with, by success or failure."""


def encode(
    session: Session, config: Config, hook: Hook = silent, load: Callable[[str], Encoder] = load_encoder
) -> tuple[list[Encoding], list[Problem]]:
    """Run every channel's encoder for every person who has a stream for it.

    Args:
        session: What was recorded, on one clock.
        config: Which encoders, and their settings.
        hook: Progress.
        load: Gives the encoder of a name; a batch gives encoders that keep what they have done.

    Returns:
        One encoding per person and channel that had a stream, and what failed on the way. An encoder that fails
        leaves its channel empty; the others go on.
    """
    found: list[Encoding] = []
    session = with_shared_people(session)
    problems = _nobodys(session)
    faces, heard = share_decoding(session, config, load)
    try:
        for channel in sorted(config.encoders, key=lambda one: FIRST.index(one) if one in FIRST else len(FIRST)):
            given = _Given(faces if channel == "face" else session, config, channel, found, hook, heard)
            encodings, failed = _encode_channel(given, load(config.encoders[channel]))
            if channel == "face":
                let_go(heard)
            found += encodings
            problems += failed
            give_back()
    finally:
        let_go(heard)
    joined, doubts = join_channels(found, session)
    places = list(config.encoders)
    people = [person.id for person in session.manifest.people]
    joined.sort(key=lambda one: (people.index(one.person), places.index(one.spec.channel)))
    return joined, problems + doubts


@dataclass(frozen=True)
class _Given:
    """What a channel is encoded from; `before` is what other channels gave so far."""

    session: Session
    config: Config
    channel: str
    before: Sequence[Encoding]
    hook: Hook
    heard: Mapping[str, Listener]

    def task(self, person: str, streams: Mapping[str, Stream], whom: str = "") -> Task:
        """One encoder's work for one person; `whom` says for the progress who it is if it is for several."""
        settings = self.config.settings.get(self.channel, {})
        own = Renamed(self.hook, f"{self.channel} of {whom or person}")
        others = {(one.person, one.spec.channel): one for one in self.before}
        return Task(person, streams, self.session.extent, settings, own, others, self.heard)


def _encode_channel(given: _Given, encoder: Encoder) -> tuple[list[Encoding], list[Problem]]:
    """One channel of everybody: those whom one stream shows together, those who hear each other, the others alone."""
    session = given.session
    streams, unread = _context_streams(session) if given.channel == "context" else (session.streams, [])
    fitting = {key: one for key, one in streams.items() if one.info.kind in encoder.spec.inputs}
    tasks: dict[str, Task] = {}
    for person in session.manifest.people:
        own = {key: one for key, one in fitting.items() if _concerns(one, person.id)}
        if own:
            tasks[person.id] = given.task(person.id, own)
    encodings, problems, done = _encode_several(given, encoder)
    problems += unread
    tasks = {person: task for person, task in tasks.items() if person not in done}
    if len(tasks) > 1 and hasattr(encoder, "encode_together"):
        neighbours = cast(EncoderOfNeighbours, encoder)
        found, failed = _run(lambda: neighbours.encode_together(list(tasks.values())), tasks)
        if found:
            return encodings + found, problems + failed
    for task in tasks.values():
        found, failed = _run(lambda task=task: [encoder.encode(task)], {task.person: task})  # type: ignore[misc]
        encodings += found
        problems += failed
    return encodings, problems


def _run(work: Callable[[], list[Encoding]], tasks: Mapping[str, Task]) -> tuple[list[Encoding], list[Problem]]:
    """What an encoder gives for some tasks, and what went wrong."""
    try:
        found = [one.check() for one in work()]
    except TelltaleError as error:
        return [], [Problem.of(error)]
    problems: list[Problem] = []
    for encoding in found:
        task = tasks[encoding.person]
        cast(Renamed, task.hook).finish()
        problems += [*_complaints(encoding), *encoding.problems, *_unused(encoding, task.streams)]
    return found, problems


def _encode_several(given: _Given, encoder: Encoder) -> Found:
    """Encode everybody whom streams of several people record, except those who have a stream of their own."""
    session, name = given.session, given.config.encoders[given.channel]
    fitting = {key: one for key, one in session.streams.items() if one.info.kind in encoder.spec.inputs}
    done = {stream.info.person for stream in fitting.values()} - {None}
    casts = dict.fromkeys(frozenset(stream.info.people) for stream in fitting.values() if stream.info.people)
    encodings: list[Encoding] = []
    problems: list[Problem] = []
    together: set[str] = set()
    for cast_ in casts:
        shared = {key: stream for key, stream in fitting.items() if frozenset(stream.info.people) == cast_}
        people = [one.id for one in session.manifest.people if one.id in cast_ and one.id not in done]
        found: list[Encoding] = []
        if people and not hasattr(encoder, "encode_several"):
            what = f"encoder '{name}' cannot tell several people of one stream apart: {', '.join(shared)} was not used"
            problems.append(Problem(severity="error", what=what, stream=next(iter(shared))))
        elif people:
            task = given.task(people[0], shared, ", ".join(people))
            try:
                found = [one.check() for one in cast(EncoderOfSeveral, encoder).encode_several(task, people)]
            except TelltaleError as error:
                problems.append(Problem.of(error))
            cast(Renamed, task.hook).finish()
        for encoding in found:
            problems += [*_complaints(encoding), *encoding.problems]
        if found:
            problems += _unused(found[0], shared)
        problems += [
            Problem(
                severity="warning",
                what=f"stream '{key}' ({stream.info.kind}) was not used for {person}: another one was, listed for them",
                stream=key,
            )
            for key, stream in shared.items()
            for person in stream.info.people
            if person in done
        ]
        encodings += found
        together |= set(people)
        done |= set(people)
    return encodings, problems, together


def _concerns(stream: Stream, person: str) -> bool:
    """Whether a stream says something of a person; only events may concern everybody."""
    return stream.info.person == person or (stream.info.person is None and stream.info.kind in ("cues", "markers"))


def _nobodys(session: Session) -> list[Problem]:
    """Recordings of a session with several people that do not say of whom they are: they are not used."""
    people = ", ".join(person.id for person in session.manifest.people)
    return [
        Problem(
            severity="error",
            what=f"stream '{name}' does not say whom it records and was not used. Add person = one of {people}"
            + _HINTS.get(stream.info.kind, "."),
            stream=name,
        )
        for name, stream in session.streams.items()
        if stream.info.person is None and not stream.info.people and stream.info.kind not in NOBODYS_KINDS
    ]


def _unused(encoding: Encoding, streams: Mapping[str, Stream]) -> list[Problem]:
    """Streams that an encoder was given and left aside because it read another one first."""
    used = ", ".join(encoding.streams)
    return [
        Problem(
            severity="warning",
            what=f"stream '{name}' ({stream.info.kind}) was not used: the {encoding.spec.channel} channel read {used}. "
            "Set the kind of the one you do not want to ignore.",
            stream=name,
        )
        for name, stream in streams.items()
        if name not in encoding.streams and encoding.spec.channel != "context"
    ]


def _context_streams(session: Session) -> tuple[Mapping[str, Stream], list[Problem]]:
    """What the context encoder may see: cues of the manifest, cue tables, and pulses that no clock is aligned by.

    The problems are sounds whose pulses could not be read.

    Streams of kind "markers" are for clocks only: a beat annotation or a sync pulse is no context.
    """
    from modalities.context.cues import cues_as_stream
    from sync.pulses import find_pulses

    for_clocks = {
        end for clock in session.manifest.clocks.values() for end in (clock.own, clock.against) if end is not None
    } | {end for entry in session.manifest.evidence for end in (entry.own, entry.against)}
    shared: dict[str, Stream] = {}
    problems: list[Problem] = []
    if session.manifest.cues:
        stated = cues_as_stream(session.manifest)
        shared[stated.info.name] = stated
    for name, stream in session.streams.items():
        if name in for_clocks:
            continue
        if isinstance(stream, Marks) and stream.info.kind == "cues":
            shared[name] = stream
        elif isinstance(stream, Signal | Audio) and stream.info.kind == "pulse":
            info = StreamInfo(name, "cues", "session", stream.info.person, stream.info.files, stream.info.origin)
            try:
                pulses = find_pulses(stream)
            except TelltaleError as error:
                problems.append(Problem.of(error).model_copy(update={"stream": name}))
                continue
            rows = [
                Mark(pulse.onset_ns, pulse.duration_ns, f"{name} {number}", {"kind": "stimulus"})
                for number, pulse in enumerate(pulses, 1)
            ]
            shared[name] = Marks.of(info, rows, stream.support)
    return shared, problems


def _complaints(encoding: Encoding) -> list[Problem]:
    """An encoding without one valid cell is an error of its channel; warnings pass on."""
    stream = ", ".join(encoding.streams) or None
    who = f"{encoding.spec.channel} of {encoding.person}"
    found = [Problem(severity="warning", what=f"{who}: {text}", stream=stream) for text in encoding.warnings]
    track = encoding.track
    if encoding.spec.channel != "context" and not track.valid.any():
        reasons = sorted({str(reason) for reason in track.reason} - {""}) or ["too_short"]
        what = f"{who}: nothing valid in the whole stream ({', '.join(reasons)}). {_MENDS.get(reasons[0], '')}".strip()
        found.append(Problem(severity="error", what=what, stream=stream))
    return found


_HINTS = {
    **dict.fromkeys(("face_rgb", "face_nir", "face_depth"), ", or people = [...] if it shows several of them."),
    "body_video": ", or list the same file as a face video too, with people = [...], if it shows several of them.",
}
_MENDS = {
    "no_face": "Check that the stream shows a face, large enough (150 px) and turned to the camera, "
    "or set its kind to body_video or ignore.",
    "too_small": "Film the face larger: 150 px wide or more.",
    "too_dark": "Check light and exposure of the recording.",
    "too_bright": "Check light and exposure of the recording.",
    "turned_away": "Film the face from the front.",
    "unsure_who": "Answer the questions about this stream in the manifest.",
    "no_body": "Check that the stream shows a body, or set its kind to face_rgb or ignore.",
    "silent": "Check the microphone's track, or set the stream's kind to ignore.",
    "electrode_off": "The signal is flat or saturated throughout: check electrode, column and unit.",
    "noise": "No signal stands out of the noise: check electrode, column and kind.",
    "too_short": "The stream is too short for this channel.",
}
