"""A disk that fails in the middle of a recording: a part is analysed, that is said, and nothing of it is kept."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmarks.read_errors import available, with_bad_file
from data_schemas.errors import TelltaleError, UnreadableFileError
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.result import Problem
from data_schemas.session import Manifest, StreamEntry
from data_schemas.stream import Audio, StreamInfo, Video
from data_schemas.time import Explicit, Regular, to_ns
from modalities.base import Encoder, Task
from modalities.body.encoder import BodyEncoder
from modalities.face.encoder import FaceEncoder
from modalities.readers import open_stream
from modalities.readers.faults import require_disk, require_readable
from modalities.voice.encoder import VoiceEncoder
from pipeline.batch.cache import StepCache
from pipeline.inspect import write_manifest

unreadable = pytest.mark.skipif(not available(), reason="a filter on system calls, of Linux")
FRAMES, GOOD = 40, 12


def fail(number: int) -> None:
    raise UnreadableFileError("not readable", file="r") from OSError(number, "no")


def video(kind: str, number: int) -> Video:
    def source() -> Iterator[tuple[int, np.ndarray]]:
        yield from ((at, np.full((48, 64, 3), 90, np.uint8)) for at in range(GOOD))
        fail(number)

    axis = Explicit(to_ns(np.arange(FRAMES) / 25))
    return Video(info=StreamInfo("one", kind, "session", "p01"), axis=axis, source=source, width=64, height=48)


def sound(kind: str, number: int) -> Audio:
    def source(first: int, count: int) -> np.ndarray:
        if first + count > 35 * 8000:
            fail(number)
        return 0.1 * np.random.default_rng(first).normal(size=(count, 1)).astype(np.float32)

    axis = Regular.from_rate(8000, 90 * 8000)
    return Audio(info=StreamInfo("one", kind, "session", "p01"), axis=axis, source=source, channels=1)


CHANNELS: list[tuple[Callable[[], Encoder], Callable[[str, int], Video | Audio], str]] = [
    (FaceEncoder, video, "face_rgb"), (BodyEncoder, video, "body_video"), (VoiceEncoder, sound, "audio"),
]  # fmt: skip


def task_of(stream: Video | Audio) -> Task:
    return Task("p01", {"one": stream}, Interval(0, stream.axis.end_ns), {})


@pytest.mark.parametrize(("number", "machine"), [(errno.EIO, True), (errno.EINVAL, False)])
@pytest.mark.parametrize(("encoder", "stream", "kind"), CHANNELS)
def test_a_part_is_encoded_and_what_failed_is_told(encoder, stream, kind, number: int, machine: bool) -> None:
    found = encoder().encode(task_of(stream(kind, number))).check()
    assert 0 < found.track.times_ns[-1] < stream(kind, number).axis.end_ns, "what was read"
    assert any("not readable" in text for text in (*found.warnings, *(one.what for one in found.problems)))
    told = [("error", "one", True)] if machine else []
    assert [(one.severity, one.stream, one.machine) for one in found.problems] == told


class OfAPart:
    """Encodes sound, and says that the disk failed on the way."""

    spec = VoiceEncoder.spec

    def __init__(self, machine: bool) -> None:
        self._machine = machine

    def encode(self, task: Task) -> Encoding:
        whole = VoiceEncoder().encode(task)
        problem = Problem(severity="error", what="the disk failed", machine=self._machine)
        return Encoding(whole.spec, whole.person, whole.track, problems=(problem,))


@pytest.mark.parametrize("machine", [True, False])
def test_what_a_failing_disk_left_is_not_kept_for_the_next_run(machine: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.batch.cache.load_encoder", lambda name: OfAPart(machine))
    monkeypatch.setattr("pipeline.batch.cache.digest_of_streams", lambda *_: "the same")
    wav = {"name": "one", "kind": "audio", "file": "one.wav", "person": "p01"}
    manifest = Manifest.model_validate({"name": "x", "people": [{"id": "p01"}], "streams": [wav]})
    axis = Regular.from_rate(8000, 8000)
    info = StreamInfo("one", "audio", "session", "p01")
    silence = Audio(info=info, axis=axis, source=lambda first, count: np.zeros((count, 1), np.float32), channels=1)
    for run in range(2):
        cache = StepCache(tmp_path, manifest)
        found = cache.load_encoder("voice").encode(task_of(silence))
        assert [one.machine for one in found.problems] == [machine]
        assert bool(cache.made) == (machine or run == 0)
    assert bool(list(tmp_path.iterdir())) != machine


def film(path: Path) -> Path:
    """Two seconds of noise, some hundred kB."""
    rng = np.random.default_rng(1)
    if path.suffix == "":
        path.mkdir()
        for at in range(20):
            cv2.imwrite(str(path / f"{at:03}.png"), rng.integers(0, 255, (48, 64), np.uint8))
        return path / "010.png"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.gop_size = 160, 120, 5
        for _ in range(50):
            picture = rng.integers(0, 255, (120, 160, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    return path


@unreadable
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "pictures"])
def test_pictures_of_a_disk_that_does_not_read_are_refused_for_it(name: str, tmp_path: Path) -> None:
    """FFmpeg says of it that the data are invalid, ends early without a word, or names the disk."""
    bad = film(tmp_path / name)
    entry = StreamEntry.model_validate({"name": "s", "kind": "face_nir", "file": name, "rate_hz": 25.0})

    def work() -> str:
        seen = 0
        try:
            for _ in open_stream(entry, tmp_path, "p01").frames():  # type: ignore[attr-defined]
                seen += 1
        except TelltaleError as error:
            return json.dumps([seen, str(error), Problem.of(error).machine])
        return json.dumps([seen, "", False])

    all_, *_ = json.loads(work())
    assert all_ >= 20
    said, failed = with_bad_file(bad, bad.stat().st_size * 6 // 10, work)
    seen, what, machine = json.loads(said)
    assert failed and machine and bad.name in what, said
    assert seen == all_ - 1 if name == "pictures" else seen < all_, "one lost picture costs no other one"
    assert "the picture cannot be read" in what or "the disk does not read the file from byte" in what
    assert name == "pictures" or int(what.split("from byte ")[1].split()[0]) > bad.stat().st_size // 2


@unreadable
@pytest.mark.parametrize(("name", "head"), [("a.mkv", "16000"), ("a.mov", "machine")])  # whose index is at its end
def test_sound_of_a_disk_that_does_not_read_is_refused_each_time_it_is_asked_for(
    name: str, head: str, tmp_path: Path
) -> None:
    """The disk fails after the file was opened; a second reader must not be given an end where there is none."""
    path = tmp_path / name
    with av.open(str(path), "w") as out:
        track = out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        samples = np.random.default_rng(1).integers(-9000, 9000, (1, 20 * 16_000), np.int16)
        for at in range(0, samples.shape[1], 16_000):
            frame = av.AudioFrame.from_ndarray(samples[:, at : at + 16_000], "s16", "mono")
            frame.rate, frame.pts = 16_000, at
            out.mux(track.encode(frame))
        out.mux(track.encode())
    stream = open_stream(StreamEntry(name="s", kind="audio", file=name), tmp_path, "p01")
    assert isinstance(stream, Audio)

    def work() -> str:
        said = []
        for count in (16_000, stream.axis.n, stream.axis.n, 16_000):
            try:
                said.append(str(len(stream.source(0, count))))
            except TelltaleError as error:
                said.append("machine" if Problem.of(error).machine else str(error))
        return json.dumps(said)

    said, failed = with_bad_file(path, path.stat().st_size // 2, work)
    assert failed and json.loads(said) == [head, "machine", "machine", head]


def test_a_share_that_is_gone_is_the_machines_and_a_missing_file_is_not(tmp_path: Path, monkeypatch) -> None:
    def gone(path: Path) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    require_disk(tmp_path / "nothing"), require_disk(tmp_path)
    monkeypatch.setattr(Path, "stat", gone)
    with pytest.raises(UnreadableFileError, match="the disk does not show the file") as caught:
        require_disk(tmp_path / "a.mp4")
    assert Problem.of(caught.value).machine


def test_a_damaged_file_on_a_sound_disk_is_read_through_once(tmp_path: Path, monkeypatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(
        "modalities.readers.faults.require_readable", lambda *paths: (read.extend(paths), require_readable(*paths))
    )
    path = tmp_path / "a.mp4"
    for content in (b"one", b"one", b"other"):
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
        require_disk(path)
    assert read == [path, path], "again once it has changed"
    require_disk(path, OSError(errno.EIO, "Input/output error"))
    assert len(read) == 3, "and where the disk itself is said to have failed since"


def test_init_lists_a_video_that_it_cannot_read_to_its_end(tmp_path: Path, monkeypatch) -> None:
    def breaks(source: object) -> Iterator[tuple[int, np.ndarray]]:
        yield 0, np.zeros((120, 160, 3), np.uint8)
        fail(errno.EIO)

    film(tmp_path / "a.mp4")
    monkeypatch.setattr("modalities.readers.video.DecodedFrames.__call__", breaks)
    path, (guess,), _ = write_manifest(tmp_path)
    assert path.is_file() and guess.values["kind"] == "ignore"
    assert any("not readable as video" in remark for remark in guess.remarks)
