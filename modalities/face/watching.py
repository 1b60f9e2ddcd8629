"""The first pass over a video: every picture is looked at once, and a row is kept of each face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.ahead import ahead
from data_schemas.errors import InvalidValueError, TelltaleError, UnreadableFileError
from data_schemas.result import Problem, of_machine
from data_schemas.stream import Frame, Video
from data_schemas.time import to_s
from modalities.base import Task
from modalities.face.depth.beside import DepthBeside, depth_for
from modalities.face.depth.kept import SurfaceSource
from modalities.face.models import FaceModels, FloatArray, Picture, borrowed_models
from modalities.face.observation import FaceObserver
from modalities.face.people import PeopleObserver
from modalities.face.pictures import toner_of
from modalities.face.spotting.base import Spotter, reducers_of
from modalities.readers.video_time import DuplicateMeter, Repeats, predicts_both_ways

KINDS = ("face_rgb", "face_nir", "face_depth")
"""Kinds of streams that show faces, in the order in which they are preferred."""
_REPORT_EVERY = 10


@dataclass(eq=False)
class Watched:
    """What was kept of one person in a video.

    Attributes:
        person: Whom.
        stream: The video.
        rows: Rows of `observation.ROW`.
        reduced: What the spotter's reducers kept, and the colours of the skin (`FaceObserver.kept`).
        warnings: What a user should know, in plain sentences.
        problems: What only the user can tell, and what failed in the machine.
        repeats: Frames that repeat the picture before them.
    """

    person: str
    stream: Video
    rows: NDArray[np.void]
    reduced: dict[str, FloatArray]
    warnings: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    repeats: Repeats | None = None


class _Observer(Protocol):
    def find(self, picture: Picture, t_ns: int) -> Any:
        """What is to be seen in the next picture."""

    def take(self, found: Any, picture: Picture, t_ns: int, surface: SurfaceSource | None = None, /) -> bool:
        """Take the next picture, what was found in it, and what a depth camera measured in it."""


def watch(task: Task, people: Sequence[str], spotter: Spotter, settings: Mapping[str, Any]) -> list[list[Watched]]:
    """Watch, of each kind, the first stream that shows a face.

    Args:
        task: Its streams are tried in the order of `KINDS`.
        people: Whom to keep rows of: one person, or everybody of streams of several people.
        spotter: Its reducer looks at each face too.
        settings: Settings of the face encoder.

    Returns:
        For each person what was kept of each camera, in the order of `KINDS`, at least one.

    Raises:
        UnreadableFileError: every stream broke before its first picture.
        InvalidValueError: there is no stream, or one is no video.
    """
    streams = [stream for kind in KINDS for stream in task.of_kind(kind)]
    warnings: list[str] = []
    failed: list[Problem] = []
    seen: list[list[Watched]] = []
    fallback: list[Watched] = []
    broken: TelltaleError | None = None
    for stream in streams:
        if not isinstance(stream, Video):
            raise InvalidValueError("a face stream is no video", stream=stream.info.name, got=type(stream).__name__)
        if stream.info.kind in [one[0].stream.info.kind for one in seen]:
            continue
        watched, error = _watch_stream(stream, task, people, spotter, settings)
        failed += of_machine(error)
        times = watched[0].rows["t_ns"]
        if error is not None and not len(times):
            broken = error
            warnings.append(str(error))
            continue
        if error is not None:
            warnings.append(f"'{stream.info.name}' broke off at {to_s(int(times[-1])):.3f} s: {error}")
        if any(one.rows["found"].any() or one.rows["unsure"].any() for one in watched):
            seen.append(watched)
            continue
        if len(streams) > 1:
            warnings.append(f"no face in '{stream.info.name}'")
        fallback = fallback or watched
    if not seen and not fallback:
        raise broken or InvalidValueError("the face encoder was given no face stream", expected=" or ".join(KINDS))
    cameras = seen or [fallback]
    used = [one[0].stream.info.name for one in seen]
    unused = [stream.info.name for stream in streams if stream.info.name not in used]
    if used and unused:
        warnings.append(f"face taken from {_listed(used)}, not from {_listed(unused)}")
    for one in cameras[0]:
        one.warnings = warnings + one.warnings
    cameras[0][0].problems = failed + cameras[0][0].problems
    return [[watched[at] for watched in cameras] for at in range(len(people))]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)


def _watch_stream(
    stream: Video, task: Task, people: Sequence[str], spotter: Spotter, settings: Mapping[str, Any]
) -> tuple[list[Watched], TelltaleError | None]:
    """Look at all pictures of a stream; what was kept of each person, and what broke it off, if anything did."""

    def make_observer(models: FaceModels | None = None, expected: int = 0) -> FaceObserver:
        return FaceObserver(
            models,
            reducers_of([spotter]),
            settings["registration"],
            settings["flow"],
            expected,
            lift_frames=stream.info.kind == "face_nir",
        )

    beside, told = depth_for(stream, [one for one in task.of_kind(*KINDS) if isinstance(one, Video)])
    warnings = [told] if told else []
    with borrowed_models(settings["detector"], settings["landmarks"]) as models:
        if not stream.info.people:
            one = make_observer(models, stream.axis.n)
            error, repeats = _look_through(stream, one, task, beside)
            return [Watched(people[0], stream, one.rows(), one.kept(), warnings, repeats=repeats)], error
        order = stream.info.people
        several = PeopleObserver(models, order, stream.info.seats, make_observer)
        error, repeats = _look_through(stream, several, task, beside)
        several.finish()
        watched = []
        for person in people:
            rows, reduced = several.rows_of(person)
            watched.append(Watched(person, stream, rows, reduced, repeats=repeats))
        watched[0].warnings = warnings
        watched[0].problems = several.questions(stream.info.name)
        return watched, error


def _look_through(
    stream: Video, observer: _Observer, task: Task, beside: DepthBeside | None
) -> tuple[TelltaleError | None, Repeats]:
    """What broke the stream off, if anything did, and its repeated frames."""
    meter = DuplicateMeter(hidden=_predicted(stream))
    total, done = stream.axis.n, 0
    own = stream.info.kind == "face_depth"
    step = f"face of {task.person}"
    error: TelltaleError | None = None
    try:
        for frame, picture, found in ahead(_searched(stream, observer)):
            meter.see(frame.image, frame.index)
            surface = None if beside is None else beside.of(frame) if own else beside.at(frame.t_ns)
            observer.take(found, picture, frame.t_ns, surface)
            done += 1
            if done % _REPORT_EVERY == 0:
                task.hook(step, done, total)
    except (UnreadableFileError, InvalidValueError) as broken:
        error = broken
        error.stream = error.stream or stream.info.name
    task.hook(step, done, total)
    return error, meter.result()


def _searched(stream: Video, observer: _Observer) -> Iterator[tuple[Frame, Picture, Any]]:
    """Every frame, as a picture to look for a face in, and what was found there."""
    toner = toner_of(stream)
    for frame in stream.frames():
        picture = toner.tone(frame.image, frame.t_ns)
        yield frame, picture, observer.find(picture, frame.t_ns)


def _predicted(stream: Video) -> bool:
    """Whether the frames of a file are predicted both ways; False for pictures and what is no file."""
    try:
        return any(predicts_both_ways(Path(file)) for file in stream.info.files if Path(file).is_file())
    except TelltaleError:
        return False
