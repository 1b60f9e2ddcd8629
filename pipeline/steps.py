"""The way of the data, one function per arrow: read, synchronize, encode, fuse.

Each takes the result of the one before and returns a new object; none changes what it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_schemas.errors import ManifestError, TelltaleError
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.intervals import IntervalSet
from data_schemas.recording import Recording, Session
from data_schemas.result import Problem
from data_schemas.session import Manifest, StreamEntry
from data_schemas.stream import Seat, Stream
from data_schemas.time import NS_PER_S, to_s
from pipeline.config import Config
from pipeline.encoding import encode as encode
from pipeline.progress import Renamed

if TYPE_CHECKING:
    from data_schemas.emotion import EmotionTrack
    from data_schemas.event import Event
    from fusion.label_inference import LabelTrack
    from pipeline.interaction_table import Interaction


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


def relate(session: Session, encodings: Sequence[Encoding], hook: Hook = silent) -> Interaction | None:
    """What several people do to each other; None for one person."""
    if len({encoding.person for encoding in encodings}) < 2:
        return None
    from pipeline.interaction import interact

    return interact(encodings, session.extent, hook=hook)


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
    prior = {} if config.cit_prior is None else {"cit_prior": config.cit_prior}
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
                hook=Renamed(hook, f"fuse {person.id}"),
                **prior,
            )
        except TelltaleError as error:
            problems.append(Problem.of(error))
            continue
        tracks.append(track)
        events += found
    return tracks, events, problems


def label(
    session: Session, encodings: Sequence[Encoding], config: Config, hook: Hook = silent
) -> tuple[list[LabelTrack], list[Problem]]:
    """What a lab's own model says of each person, where the configured weights carry a head for its label."""
    from fusion.label_inference import fuse_label
    from fusion.label_model import label_of

    weights = config.fusion_weights
    if weights is None or label_of(weights) is None:
        return [], []
    tracks: list[LabelTrack] = []
    problems: list[Problem] = []
    for person in session.manifest.people:
        own = [one for one in encodings if one.person == person.id and _says_something(one)]
        if not own:
            continue
        try:
            said = fuse_label(
                own, session.extent, weights, config.grid_hz, config.device, Renamed(hook, f"label {person.id}")
            )
        except TelltaleError as error:
            problems.append(Problem.of(error))
            continue
        tracks.append(said)
    return tracks, problems


def _with_people(stream: Stream, entry: StreamEntry) -> Stream:
    """The stream with whom it shows, where it shows several people."""
    if not entry.people:
        return stream
    seats = tuple(Seat(seat.time_s, seat.person, seat.x) for seat in entry.seats)
    return replace(stream, info=replace(stream.info, people=tuple(entry.people), seats=seats))


def _says_something(encoding: Encoding) -> bool:
    """False for a context channel without a single question, stimulus, baseline or expected emotion."""
    if encoding.spec.channel != "context":
        return True
    telling = [
        name for name in encoding.track.names if name.startswith(("question", "stimulus", "baseline", "expected"))
    ]
    return any((encoding.track.column(name)[0] > 0).any() for name in telling)


def support_of(session: Session, streams: Sequence[str]) -> IntervalSet:
    """Union of the supports of these streams."""
    total = IntervalSet()
    for name in streams:
        if name in session.streams:
            total = total | session.streams[name].support
    return total
