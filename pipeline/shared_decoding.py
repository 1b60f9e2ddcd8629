"""A file that two channels read is decoded once: while the first reads it, the second takes the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from numpy.typing import NDArray

from data_schemas.errors import TelltaleError
from data_schemas.recording import Session
from data_schemas.stream import Frame, Pictured, Stream, Video
from modalities.base import Encoder, EncoderThatListens, Listener
from pipeline.config import Config

Numbered = tuple[int, NDArray[Any]]


def share_decoding(
    session: Session, config: Config, load: Callable[[str], Encoder], first: str = "face"
) -> tuple[Session, dict[str, Listener]]:
    """Have channels listen to what the first channel reads, where both are given the same pictures.

    Whatever goes wrong with it - the first channel does not read to the end, its work lies finished in a cache, the
    listener fails - the listening channel reads the file itself. What it finds is the same either way.

    Args:
        session: What was recorded.
        config: Which encoders, and their settings.
        load: Gives the encoder of a name.
        first: The channel that reads before the others.

    Returns:
        The session for that channel, and the listeners by the name of the stream that each listens to.
    """
    if first not in config.encoders:
        return session, {}
    read = [one for one in _videos(session) if one.info.kind in load(config.encoders[first]).spec.inputs]
    streams: dict[str, Stream] = dict(session.streams)
    heard: dict[str, Listener] = {}
    for channel, name in config.encoders.items():
        encoder = load(name)
        if channel == first or not read or not hasattr(encoder, "listen"):
            continue
        served: set[object] = set()
        for video in _videos(session):
            owner = video.info.people or video.info.person
            if video.info.kind not in encoder.spec.inputs or not owner or owner in served or video.info.name in heard:
                continue
            served.add(owner)  # an encoder reads the first of a person's videos
            host = _host_of(video, [one for one in read if streams[one.info.name] is one])
            if host is None:
                continue
            try:
                listener = cast(EncoderThatListens, encoder).listen(video, config.settings.get(channel, {}))
            except TelltaleError:
                continue  # the encoder says so itself when its turn comes
            if listener is None:
                continue
            heard[video.info.name] = listener
            streams[host[0].info.name] = replace(host[0], source=_tapped(host[0], host[1], video, listener))
    return (replace(session, streams=streams), heard) if heard else (session, {})


def let_go(heard: Mapping[str, Listener]) -> None:
    """Have listeners that did not hear a video to its end give back what was lent to them."""
    for listener in heard.values():
        if not listener.whole:
            listener.drop()


def _videos(session: Session) -> list[Video]:
    return [one for one in session.streams.values() if isinstance(one, Video)]


def _host_of(video: Video, read: list[Video]) -> tuple[Video, Callable[[], Iterator[Pictured]]] | None:
    """Of the videos that will be read, one of the same pictures, of the same person if there is one; and its opener."""
    for one in sorted(
        read, key=lambda one: (one.info.person, one.info.people) != (video.info.person, video.info.people)
    ):
        both = one.beside(video) if one.beside is not None else None
        if both is not None:
            return one, both
    return None


def _tapped(
    own: Video, both: Callable[[], Iterator[Pictured]], other: Video, listener: Listener
) -> Callable[[], Iterator[Numbered]]:
    """The source of a video, of which a listener takes the other's pictures when it is opened for the first time."""
    opened = False

    def source() -> Iterator[Numbered]:
        nonlocal opened
        if opened:
            yield from own.source()
            return
        opened = listening = True
        times_ns = other.times_ns
        whole = False
        try:
            for index, picture, theirs in both():
                if listening and index < len(times_ns):
                    try:
                        listener.take(Frame(index, int(times_ns[index]), theirs))
                    except Exception:  # noqa: BLE001 - its encoder meets it again, and says it, when it reads the file
                        listening = False
                        listener.drop()
                yield index, picture
            whole = listening
        finally:
            if whole:
                try:
                    listener.end()
                except Exception:  # noqa: BLE001 - as above
                    listener.drop()
            elif listening:
                listener.drop()

    return source
