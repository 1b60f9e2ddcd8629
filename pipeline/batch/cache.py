"""The step cache: what a finished step gave, kept under a hash of all that it depended on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from data_schemas.errors import TelltaleError, UnreadableFileError
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.intervals import Interval
from data_schemas.recording import SESSION_CLOCK, Recording, Session
from data_schemas.result import Problem, SyncReport
from data_schemas.session import Manifest
from data_schemas.stream import Video
from data_schemas.whole_file import write_whole
from modalities.base import Encoder, EncoderOfNeighbours, EncoderOfSeveral, EncoderThatListens, Listener, Task
from modalities.registry import ENCODERS, load_encoder
from pipeline import steps
from pipeline.batch.content import FileHashes, digest_of_streams, encoder_version, program_version
from pipeline.batch.encoding_file import digest, pack, plain, unpack

if TYPE_CHECKING:
    from sync.clock import ClockMap


class StepCache:
    """Finished steps of one session, in a folder of its own.

    A file is named `<step>-<hash of what it depends on>-<hash of its own content>.<ending>`, written under another name
    first; one whose content does not fit its name is deleted and its step done anew.

    Args:
        folder: Of this session; made when the first step is kept.
        manifest: Of this session.

    Attributes:
        taken: Steps that were found.
        made: Steps that were done and kept.
        spoilt: Files that were found damaged.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._manifest, self._hashes = folder, manifest, FileHashes()
        self._used: set[str] = set()
        self.taken: list[str] = []
        self.made: list[str] = []
        self.spoilt: list[str] = []

    def load_encoder(self, name: str) -> Encoder:
        """The encoder of this name, which takes from the cache what it has done before."""
        return cast(Encoder, _Kept(self, load_encoder(name), ENCODERS.get(name, name)))

    def synchronize(self, recording: Recording, hook: Hook = silent) -> Session:
        """As `pipeline.steps.synchronize`."""
        try:
            content = digest_of_streams(recording.streams, self._manifest, self._hashes)
        except OSError:  # a file that cannot be read through: what can be done is done, and not kept
            return steps.synchronize(recording, hook)
        about = self._manifest.model_dump_json(include={"clocks", "streams", "evidence", "people"})
        key = _key("synchronize", program_version(("data_schemas", "sync", "modalities", "pipeline")), content, about)

        def make() -> bytes:
            return _pack_session(steps.synchronize(recording, hook), recording)

        def read(data: bytes) -> Session:
            return _unpack_session(data, recording)

        session = self.step("synchronize", key, "json", make, read)
        if any(one.machine for one in session.problems[len(recording.problems) :]):  # another run may do better
            self._drop("synchronize", key)
        hook("synchronize", 1, 1)
        return session

    def encode(self, tasks: Sequence[Task], people: Sequence[str], version: str, make: Callable[[], bytes]) -> Any:
        """The encodings of one step, found or made.

        Args:
            tasks: What the encoder is given.
            people: Whose encodings it gives.
            version: Channel and version of the encoder.
            make: Does the step.
        """
        try:
            parts = [self._digest(task) for task in tasks]
        except OSError:
            return unpack(make())
        key = _key(json.dumps([list(people), version]), *parts)
        name = version.partition(" ")[0]
        found = self.step(name, key, "parquet", make, unpack)
        if any(problem.machine for one in found for problem in one.problems):  # another run may do better
            self._drop(name, key)
        return found

    def _digest(self, task: Task) -> str:
        others = {"/".join(key): digest(one) for key, one in sorted(task.others.items())}
        about = [task.person, task.extent.start_ns, task.extent.end_ns, dict(task.settings), others]
        return digest_of_streams(task.streams, self._manifest, self._hashes) + json.dumps(
            about, sort_keys=True, default=str
        )

    def step(self, name: str, key: str, ending: str, make: Callable[[], bytes], read: Callable[[bytes], Any]) -> Any:
        """What a step gave: read from the cache, or made, kept and read back, so that both are the same.

        Raises:
            OSError: what was made cannot be kept.
        """
        stem = f"{name}-{key}"
        for path in sorted(self._folder.glob(f"{stem}-*.{ending}")):
            data = path.read_bytes()
            try:
                if path.name != f"{stem}-{_sum(data)}.{ending}":
                    raise UnreadableFileError("the kept step is damaged", file=path)
                found = read(data)
            except UnreadableFileError:
                self.spoilt.append(path.name)
                path.unlink(missing_ok=True)
                continue
            self._used.add(path.name)
            self.taken.append(name)
            return found
        data = make()
        path = self._folder / f"{stem}-{_sum(data)}.{ending}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, data)
        self._used.add(path.name)
        self.made.append(name)
        return read(data)

    def holds(self, name: str) -> bool:
        """Whether any step of this name is kept, whatever it depended on."""
        return any(self._folder.glob(f"{name}-*"))

    def _drop(self, name: str, key: str) -> None:
        for path in self._folder.glob(f"{name}-{key}-*"):
            path.unlink(missing_ok=True)

    def drop_unused(self) -> None:
        """Delete what no step of this run asked for: steps on former inputs, with former settings or versions."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in self._used:
                    path.unlink(missing_ok=True)


class _Kept:
    """An encoder whose finished work is kept."""

    def __init__(self, cache: StepCache, inner: Encoder, path: str) -> None:
        self._cache, self._inner, self.spec = cache, inner, inner.spec
        self._version = f"{inner.spec.channel} {inner.spec.name} {inner.spec.version} {encoder_version(path)}"
        for name in ("encode_several", "encode_together"):  # only what the encoder itself can do is offered
            if hasattr(inner, name):
                setattr(self, name, getattr(self, f"_{name}"))
        if hasattr(inner, "listen"):
            self.listen = self._listen

    def encode(self, task: Task) -> Encoding:
        def make() -> bytes:
            return pack([self._inner.encode(task).check()])

        return cast(Encoding, self._cache.encode([task], [task.person], self._version, make)[0])

    def _listen(self, video: Video, settings: Mapping[str, Any]) -> Listener | None:
        """None where a step of the channel is kept: most likely it will be found, and nothing needs to be looked at."""
        if self._cache.holds(self.spec.channel):
            return None
        return cast(EncoderThatListens, self._inner).listen(video, settings)

    def _encode_several(self, task: Task, people: Sequence[str]) -> list[Encoding]:
        def make() -> bytes:
            several = cast(EncoderOfSeveral, self._inner)
            return pack([one.check() for one in several.encode_several(task, people)])

        return cast(list[Encoding], self._cache.encode([task], people, f"{self._version} several", make))

    def _encode_together(self, tasks: Sequence[Task]) -> list[Encoding]:
        def make() -> bytes:
            neighbours = cast(EncoderOfNeighbours, self._inner)
            return pack([one.check() for one in neighbours.encode_together(tasks)])

        people = [task.person for task in tasks]
        return cast(list[Encoding], self._cache.encode(tasks, people, f"{self._version} together", make))


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _pack_session(session: Session, recording: Recording) -> bytes:
    maps = {}
    for name, stream in session.streams.items():
        segments = cast("ClockMap", stream.time_map).segments
        maps[name] = [asdict(one) for one in segments]
    about = {
        "maps": maps,
        "extent": [session.extent.start_ns, session.extent.end_ns],
        "sync": session.sync.model_dump(mode="json"),
        "problems": [one.model_dump() for one in session.problems[len(recording.problems) :]],
    }
    return json.dumps(about, default=plain).encode()


def _unpack_session(data: bytes, recording: Recording) -> Session:
    from sync.clock import ClockMap, Segment

    try:
        about = json.loads(data)
        streams = {
            name: recording.streams[name].on(ClockMap(tuple(Segment(**one) for one in segments)), SESSION_CLOCK)
            for name, segments in about["maps"].items()
        }
        sync = SyncReport.model_validate(about["sync"])
        problems = tuple(Problem.model_validate(one) for one in about["problems"])
        extent = Interval(*about["extent"])
    except (ValueError, KeyError, TypeError, TelltaleError) as error:
        raise UnreadableFileError("the kept clocks cannot be read", got=str(error)) from error
    return Session(recording.manifest, recording.root, streams, extent, sync, (*recording.problems, *problems))
