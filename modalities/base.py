"""The protocol that every encoder obeys, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from data_schemas.features import EncoderSpec, Encoding
from data_schemas.hook import Hook, silent
from data_schemas.intervals import Interval
from data_schemas.stream import Frame, Stream, Video


class Listener(Protocol):
    """Takes the frames of a video in order, while another encoder reads the same file."""

    @property
    def whole(self) -> bool:
        """Whether the video was taken to its end."""

    def take(self, frame: Frame) -> None:
        """Take the next frame; whatever it raises, the other encoder goes on, and this one reads the file itself."""

    def end(self) -> None:
        """That was the last frame."""

    def drop(self) -> None:
        """What was taken does not count: let go of all that was lent."""


@dataclass(frozen=True)
class Task:
    """One person's streams for one encoder, all on the session clock.

    Attributes:
        person: Whom to encode.
        streams: Streams of the kinds that the spec lists, by name, already mapped to the session clock; at least one.
        extent: First to last moment of the session.
        settings: The encoder's own settings from the user's configuration.
        hook: Progress reports.
        others: What other channels gave so far, by person and channel: the context's questions, the face's mouth.
            An encoder works without them too.
        heard: By name of a stream, what the encoder's own `listen` made of it while another encoder read it.
    """

    person: str
    streams: Mapping[str, Stream]
    extent: Interval
    settings: Mapping[str, Any] = field(default_factory=dict)
    hook: Hook = silent
    others: Mapping[tuple[str, str], Encoding] = field(default_factory=dict)
    heard: Mapping[str, Listener] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Stream]:
        """The streams of these kinds, in order of the manifest."""
        return [stream for stream in self.streams.values() if stream.info.kind in kinds]


class EncoderOfSeveral(Protocol):
    """What an encoder also offers if it can tell several people of one stream apart."""

    def encode_several(self, task: Task, people: Sequence[str]) -> list[Encoding]:
        """Encode everybody whom the task's streams show, reading each stream once.

        Args:
            task: Its `person` is the first of the people; its streams are those that show several people.
            people: Whom to give an encoding each, all of them named in the streams' `info.people`.

        Returns:
            One encoding per person, in order.
        """


class EncoderOfNeighbours(Protocol):
    """What an encoder also offers if the devices of several people record each other."""

    def encode_together(self, tasks: Sequence[Task]) -> list[Encoding]:
        """Encode people who each have streams of their own.

        Args:
            tasks: One per person.

        Returns:
            One encoding per task, in order.
        """


class EncoderThatListens(Protocol):
    """What an encoder also offers if it can take the frames of a video that another encoder reads."""

    def listen(self, video: Video, settings: Mapping[str, Any]) -> Listener | None:
        """A listener for one video of the kinds that the spec lists; None where it is not worth while.

        Args:
            video: On the session clock.
            settings: As a task has them.

        Raises:
            InvalidValueError: a setting is unknown or out of range.
        """


class Encoder(Protocol):
    """Turns streams of one channel into features and events."""

    spec: EncoderSpec

    def encode(self, task: Task) -> Encoding:
        """Encode one person; bad stretches come back masked with a reason, not as errors.

        Raises:
            UnreadableFileError: a file broke while it was read and nothing of it was usable.
        """
