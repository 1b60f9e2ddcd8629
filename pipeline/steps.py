"""The way of the data, one function per arrow: read, synchronize, encode, fuse.

Each takes the result of the one before and returns a new object; none changes what it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from data_schemas.errors import ManifestError, TelltaleError
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.intervals import IntervalSet
from data_schemas.recording import Recording, Session
from data_schemas.result import Problem
from data_schemas.session import NOBODYS_KINDS, Manifest, StreamEntry
from data_schemas.stream import Mark, Marks, Seat, Signal, Stream, StreamInfo
from data_schemas.time import NS_PER_S, to_s
from modalities.base import EncoderOfSeveral, Task
from modalities.registry import load_encoder
from pipeline.config import Config

if TYPE_CHECKING:
    from data_schemas.emotion import EmotionTrack
    from data_schemas.event import Event


LONGEST_NS = 7 * 86_400 * NS_PER_S
"""No session is longer; a greater extent means that a clock is wrong."""


def read(manifest: Manifest, root: Path, hook: Hook = silent) -> Recording:
    """Open every stream of the manifest on its device clock.

    A stream that cannot be opened becomes a problem of the recording; the others go on.

    Args:
        manifest: What was recorded.
        root: The session folder; paths in the manifest are below it.
        hook: Progress.
    """
    from modalities.readers import open_stream

    streams: dict[str, Stream] = {}
    problems: list[Problem] = []
    entries = [entry for entry in manifest.streams if entry.kind != "ignore"]
    for done, entry in enumerate(entries):
        hook("read", done, len(entries))
        try:
            stream = open_stream(entry, root, manifest.person_of(entry))
        except TelltaleError as error:
            problems.append(Problem.of(error).model_copy(update={"stream": entry.name}))
            continue
        streams[entry.name] = _with_people(stream, entry)
        for note in stream.info.notes:
            file = stream.info.files[0] if stream.info.files else None
            problems.append(Problem(severity="note", what=f"{entry.name}: {note}", stream=entry.name, file=file))
    hook("read", len(entries), len(entries))
    return Recording(manifest=manifest, root=root, streams=streams, problems=tuple(problems))


def synchronize(recording: Recording, hook: Hook = silent) -> Session:
    """Bring every stream to the session clock and report how well that went.

    Raises:
        NothingUsableError: no stream holds data.
        ManifestError: the streams lie further apart than any session is long; the message names two of them.
    """
    from pipeline.lsl_clocks import with_lsl_clocks
    from sync.align import synchronize as align_all

    hook("synchronize", 0, 1)
    session = with_lsl_clocks(align_all(recording))
    if session.extent.duration_ns > LONGEST_NS:
        ends = [(name, stream.support.extent) for name, stream in session.streams.items()]
        spans = [(name, span) for name, span in ends if span is not None]
        first = min(spans, key=lambda one: one[1].start_ns)
        last = max(spans, key=lambda one: one[1].end_ns)
        raise ManifestError(
            "the streams lie too far apart to be one session",
            file=recording.root,
            got=f"'{first[0]}' begins at {to_s(first[1].start_ns):.0f} s and '{last[0]}' ends at "
            f"{to_s(last[1].end_ns):.0f} s",
            expected="at most a week between the first and the last sample",
            mend="Correct the offsets under [clocks].",
        )
    hook("synchronize", 1, 1)
    return session


def encode(session: Session, config: Config, hook: Hook = silent) -> tuple[list[Encoding], list[Problem]]:
    """Run every channel's encoder for every person who has a stream for it.

    Returns:
        One encoding per person and channel that had a stream, and what failed on the way. An encoder that fails
        leaves its channel empty; the others go on.
    """
    shared = _context_streams(session)
    encodings: list[Encoding] = []
    problems: list[Problem] = _nobodys(session)
    together: set[tuple[str, str]] = set()
    for channel, name in config.encoders.items():
        found, failed, done = _encode_together(session, config, channel, name, hook)
        encodings += found
        problems += failed
        together |= {(person, channel) for person in done}
    for person in session.manifest.people:
        for channel, name in config.encoders.items():
            if (person.id, channel) in together:
                continue
            encoder = load_encoder(name)
            streams = {
                key: stream
                for key, stream in (shared if channel == "context" else session.streams).items()
                if stream.info.kind in encoder.spec.inputs and _concerns(stream, person.id)
            }
            if not streams:
                continue
            own = _Renamed(hook, f"{channel} of {person.id}")
            task = Task(person.id, streams, session.extent, config.settings.get(channel, {}), own)
            try:
                encoding = encoder.encode(task).check()
            except TelltaleError as error:
                problems.append(Problem.of(error))
                continue
            own.finish()
            encodings.append(encoding)
            problems += [*_complaints(encoding), *_unused(encoding, streams)]
    return _with_reactions(encodings), problems


def _with_reactions(encodings: Sequence[Encoding]) -> list[Encoding]:
    """The same, with what each person's physiology did after each cue of their context."""
    from modalities.physiology.reactions import with_reactions

    cues = {one.person: [event for event in one.events if event.kind == "cue"]
            for one in encodings if one.spec.channel == "context"}  # fmt: skip
    return [
        with_reactions(one, cues[one.person]) if one.spec.name == "physiology" and cues.get(one.person) else one
        for one in encodings
    ]


def _encode_together(
    session: Session, config: Config, channel: str, name: str, hook: Hook
) -> tuple[list[Encoding], list[Problem], set[str]]:
    """Encode everybody whom streams of several people show, except those who have a stream of their own.

    Returns:
        Encodings, problems, and whose channel is done with, by success or failure.
    """
    encoder = load_encoder(name)
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
            own = _Renamed(hook, f"{channel} of {', '.join(people)}")
            task = Task(people[0], shared, session.extent, config.settings.get(channel, {}), own)
            try:
                found = [one.check() for one in cast(EncoderOfSeveral, encoder).encode_several(task, people)]
            except TelltaleError as error:
                problems.append(Problem.of(error))
            own.finish()
        for encoding in found:
            problems += [*_complaints(encoding), *encoding.questions]
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


def fuse(
    session: Session, encodings: Sequence[Encoding], config: Config, hook: Hook = silent
) -> tuple[list[EmotionTrack], list[Event], list[Problem]]:
    """Join the channels of each person into one statement about felt, shown and concealed emotion.

    Returns:
        One emotion track per person, the incongruence events, and what failed.
    """
    from fusion.inference import fuse as fuse_person

    tracks: list[EmotionTrack] = []
    events: list[Event] = []
    problems: list[Problem] = []
    for person in session.manifest.people:
        own = [encoding for encoding in encodings if encoding.person == person.id and _says_something(encoding)]
        if not own:
            continue
        try:
            track, found, _ = fuse_person(
                own,
                session.extent,
                grid_hz=config.grid_hz,
                weights=config.fusion_weights,
                device=config.device,
                hook=_Renamed(hook, f"fuse {person.id}"),
            )
        except TelltaleError as error:
            problems.append(Problem.of(error))
            continue
        tracks.append(track)
        events += found
    return tracks, events, problems


def _with_people(stream: Stream, entry: StreamEntry) -> Stream:
    """The stream with whom it shows, where it shows several people."""
    if not entry.people:
        return stream
    seats = tuple(Seat(seat.time_s, seat.person, seat.x) for seat in entry.seats)
    return replace(stream, info=replace(stream.info, people=tuple(entry.people), seats=seats))


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
            + (", or people = [...] if it shows several of them." if stream.info.kind.startswith("face") else "."),
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


class _Renamed:
    """Progress of one encoder under the name of its channel and person, whatever it calls its own steps."""

    def __init__(self, hook: Hook, name: str) -> None:
        self._hook, self._name, self._done = hook, name, 0
        hook(name, 0, None)

    def __call__(self, step: str, completed: int, total: int | None) -> None:
        self._done = completed
        self._hook(self._name, completed, total)

    def finish(self) -> None:
        """Report the end, for encoders that leave it open."""
        units = max(1, self._done)
        self._hook(self._name, units, units)


def _says_something(encoding: Encoding) -> bool:
    """False for a context channel without a single question, stimulus, baseline or expected emotion."""
    if encoding.spec.channel != "context":
        return True
    telling = [
        name for name in encoding.track.names if name.startswith(("question", "stimulus", "baseline", "expected"))
    ]
    return any((encoding.track.column(name)[0] > 0).any() for name in telling)


def _context_streams(session: Session) -> dict[str, Stream]:
    """What the context encoder may see: cues of the manifest, cue tables, and pulses that no clock is aligned by.

    Streams of kind "markers" are for clocks only: a beat annotation or a sync pulse is no context.
    """
    from modalities.context.cues import cues_as_stream
    from sync.pulses import find_pulses

    for_clocks = {
        end for clock in session.manifest.clocks.values() for end in (clock.own, clock.against) if end is not None
    } | {end for entry in session.manifest.evidence for end in (entry.own, entry.against)}
    shared: dict[str, Stream] = {}
    if session.manifest.cues:
        stated = cues_as_stream(session.manifest)
        shared[stated.info.name] = stated
    for name, stream in session.streams.items():
        if name in for_clocks:
            continue
        if isinstance(stream, Marks) and stream.info.kind == "cues":
            shared[name] = stream
        elif isinstance(stream, Signal) and stream.info.kind == "pulse":
            info = StreamInfo(name, "cues", "session", stream.info.person, stream.info.files, stream.info.origin)
            rows = [
                Mark(pulse.onset_ns, pulse.duration_ns, f"{name} {number}", {"kind": "stimulus"})
                for number, pulse in enumerate(find_pulses(stream), 1)
            ]
            shared[name] = Marks.of(info, rows, stream.support)
    return shared


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


def support_of(session: Session, streams: Sequence[str]) -> IntervalSet:
    """Union of the supports of these streams."""
    total = IntervalSet()
    for name in streams:
        if name in session.streams:
            total = total | session.streams[name].support
    return total
