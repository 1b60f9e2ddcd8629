"""A file that is face video and body video is decoded once, and both channels find what they find alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from data_schemas.features import Encoding
from data_schemas.recording import Session
from modalities.body.encoder import BodyEncoder
from modalities.body.pose import tracking
from modalities.readers import image_sequence, video
from modalities.registry import load_encoder
from pipeline import steps
from pipeline.config import load_config
from pipeline.encoding import encode
from pipeline.joining import with_shared_people
from pipeline.manifest import load_manifest
from pipeline.simulate.body import render_body
from pipeline.simulate.motion import BodyMotion
from pipeline.simulate.profiles import Profile
from pipeline.simulate.video import write_video
from tests.manifests import head

FPS, COUNT, SIZE = 15, 45, (480, 360)


class _Deaf:
    """The body encoder as it is without `listen`."""

    def __init__(self) -> None:
        self.spec = BodyEncoder.spec

    def __getattr__(self, name: str) -> Any:
        if name == "listen":
            raise AttributeError(name)
        return getattr(BodyEncoder(), name)


def alone(name: str) -> Any:
    return _Deaf() if name == "body" else load_encoder(name)


@pytest.fixture(scope="module")
def seated() -> list[np.ndarray]:
    t = np.arange(COUNT) / FPS
    still = np.zeros(COUNT)
    touch = Profile(0.6, 1.0, 1.8, 2.2)(t)
    return list(render_body(BodyMotion(t, touch, still, 0.5 * np.sin(t), still), size=SIZE))


@pytest.fixture(scope="module")
def film(seated: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "room.mp4"
    write_video(path, seated, np.arange(COUNT) / FPS)
    return path


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that a video is decoded from its start: how many frames were taken."""
    taken: list[int] = []
    real = video.decode_frames

    def counted(path: Path, track: int, seek_to: int | None = None) -> Iterator[Any]:
        at = len(taken)
        taken.append(0)
        for frame in real(path, track, seek_to):
            taken[at] += 1
            yield frame

    monkeypatch.setattr(video, "decode_frames", counted)
    return taken


def session_of(folder: Path, streams: str, *others: str) -> Session:
    (folder / "session.toml").write_text(head("shared", "ann", *others) + streams, encoding="utf-8")
    manifest = load_manifest(folder)
    return steps.synchronize(steps.read(manifest, folder))


def stream(name: str, kind: str, file: str, more: str = "") -> str:
    return f'[[streams]]\nname = "{name}"\nkind = "{kind}"\nfile = "{file}"\n{more}\n'


def both_ways(session: Session) -> tuple[list[Encoding], list[Encoding], list[Any], list[Any]]:
    config = load_config()
    together, said = encode(session, config)
    apart, said_apart = encode(session, config, load=alone)
    return together, apart, said, said_apart


def assert_same(together: list[Encoding], apart: list[Encoding]) -> None:
    assert [(one.person, one.spec.channel) for one in together] == [(one.person, one.spec.channel) for one in apart]
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one.track.times_ns, other.track.times_ns)
        np.testing.assert_array_equal(one.track.values, other.track.values)
        np.testing.assert_array_equal(one.track.valid, other.track.valid)
        assert (one.track.reason == other.track.reason).all()
        assert one.events == other.events and one.quality == other.quality and one.warnings == other.warnings


def bodies(encodings: list[Encoding]) -> list[Encoding]:
    return [one for one in encodings if one.spec.channel == "body"]


@pytest.mark.parametrize("more", ["", "region = { x = 120, y = 0, width = 240, height = 300 }"])
def test_one_decoding_for_face_and_body(film: Path, tmp_path: Path, decodings: list[int], more: str) -> None:
    shutil.copy(film, tmp_path / "room.mp4")
    lines = stream("face", "face_rgb", "room.mp4", more) + stream("room", "body_video", "room.mp4")
    session = session_of(tmp_path, lines)
    decodings.clear()
    together, said = encode(session, load_config())
    assert [n for n in decodings if n == COUNT] == [COUNT]
    decodings.clear()
    apart, said_apart = encode(session, load_config(), load=alone)
    assert [n for n in decodings if n == COUNT] == [COUNT, COUNT]
    assert_same(together, apart)
    assert said == said_apart
    (body,) = bodies(together)
    assert body.quality["body_found"] == 1.0 and body.quality["frames_read"] == COUNT


def test_another_file_is_not_shared(film: Path, tmp_path: Path, decodings: list[int]) -> None:
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(film, tmp_path / name)
    session = session_of(tmp_path, stream("face", "face_rgb", "a.mp4") + stream("room", "body_video", "b.mp4"))
    decodings.clear()
    encode(session, load_config())
    assert [n for n in decodings if n == COUNT] == [COUNT, COUNT]


def test_numbered_pictures_are_read_once(
    seated: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "room").mkdir()
    for number, picture in enumerate(seated[:30]):
        cv2.imwrite(str(tmp_path / "room" / f"p{number:03d}.png"), picture[:, :, ::-1])
    lines = stream("face", "face_rgb", "room", "rate_hz = 15") + stream("room", "body_video", "room", "rate_hz = 15")
    session = session_of(tmp_path, lines)
    read: list[Path] = []
    real = image_sequence.read_picture
    monkeypatch.setattr(image_sequence, "read_picture", lambda path: read.append(path) or real(path))
    together, _ = encode(session, load_config())
    assert max(read.count(path) for path in read) == 1
    apart, _ = encode(session, load_config(), load=alone)
    assert_same(together, apart)


def test_several_people_of_one_file(seated: list[np.ndarray], tmp_path: Path, decodings: list[int]) -> None:
    pictures = [np.hstack([picture, picture[:, ::-1]]) for picture in seated]
    write_video(tmp_path / "room.mp4", pictures, np.arange(COUNT) / FPS)
    lines = stream("face", "face_rgb", "room.mp4", 'people = ["ann", "ben"]') + stream("room", "body_video", "room.mp4")
    session = session_of(tmp_path, lines, "ben")
    decodings.clear()
    together, _ = encode(session, load_config())
    assert [n for n in decodings if n == COUNT] == [COUNT]
    apart, _ = encode(session, load_config(), load=alone)
    assert_same(together, apart)
    assert [one.quality["body_found"] for one in bodies(together)] == [1.0, 1.0]


def test_what_goes_wrong_with_listening_costs_a_decoding_and_nothing_else(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modalities.body.listening import BodyListener

    shutil.copy(film, tmp_path / "room.mp4")
    session = session_of(tmp_path, stream("face", "face_rgb", "room.mp4") + stream("room", "body_video", "room.mp4"))
    apart, said_apart = encode(session, load_config(), load=alone)
    real: Callable[..., None] = BodyListener.take

    def failing(self: BodyListener, frame: Any) -> None:
        if frame.index == 7:
            raise MemoryError
        real(self, frame)

    monkeypatch.setattr(BodyListener, "take", failing)
    together, said = encode(session, load_config())
    assert_same(together, apart)
    assert said == said_apart
    monkeypatch.setattr(BodyListener, "take", real)
    with tracking():  # somebody else has the trackers while the face is watched: nobody waits for anybody
        from pipeline.shared_decoding import share_decoding

        faces, heard = share_decoding(session, load_config(), load_encoder)
        assert [index for index, _ in faces.streams["face"].source()] == list(range(COUNT))  # type: ignore[union-attr]
        assert not heard["room"].whole


def test_a_face_pass_that_stops_early_leaves_the_body_its_own_reading(film: Path, tmp_path: Path) -> None:
    from pipeline.shared_decoding import let_go, share_decoding

    shutil.copy(film, tmp_path / "room.mp4")
    session = session_of(tmp_path, stream("face", "face_rgb", "room.mp4") + stream("room", "body_video", "room.mp4"))
    faces, heard = share_decoding(session, load_config(), load_encoder)
    reading = faces.streams["face"].source()  # type: ignore[union-attr]
    next(reading)
    let_go(heard)
    with tracking(wait=False):  # the trackers were given back although the reading is not over
        pass
    reading.close()
    assert not heard["room"].whole
    assert sum(1 for _ in faces.streams["face"].source()) == COUNT  # type: ignore[union-attr]
    assert not heard["room"].whole, "what is opened again is not listened to"


def test_a_channel_whose_step_is_kept_does_not_listen(film: Path, tmp_path: Path) -> None:
    from pipeline.batch.cache import StepCache
    from pipeline.shared_decoding import share_decoding

    shutil.copy(film, tmp_path / "room.mp4")
    session = session_of(tmp_path, stream("face", "face_rgb", "room.mp4") + stream("room", "body_video", "room.mp4"))
    cache = StepCache(tmp_path / "cache", session.manifest)
    assert share_decoding(session, load_config(), cache.load_encoder)[1]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "body-key-sum.parquet").write_bytes(b"")
    assert not share_decoding(session, load_config(), cache.load_encoder)[1]


def test_a_listener_that_fails_at_the_end_gives_back_its_trackers(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modalities.body import listening
    from pipeline.shared_decoding import share_decoding

    class Failing(listening.BodiesObserver):
        def finish(self) -> None:
            raise ZeroDivisionError

    monkeypatch.setattr(listening, "BodiesObserver", Failing)
    shutil.copy(film, tmp_path / "room.mp4")
    lines = stream("face", "face_rgb", "room.mp4", 'people = ["ann", "ben"]') + stream("room", "body_video", "room.mp4")
    session = with_shared_people(session_of(tmp_path, lines, "ben"))
    faces, heard = share_decoding(session, load_config(), load_encoder)
    assert sum(1 for _ in faces.streams["face"].source()) == COUNT  # type: ignore[union-attr]
    assert not heard["room"].whole
    with tracking(wait=False):
        pass
