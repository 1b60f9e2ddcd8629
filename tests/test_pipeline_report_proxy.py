from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from data_schemas.errors import UnreadableFileError
from data_schemas.result import SyncReport
from pipeline.export.sample import write_sample
from pipeline.report.footage import footage_of_result
from pipeline.report.players import addresses, make_players
from pipeline.report.proxy import can_be_played, mosaic, write_proxy


def encode(path: Path, codec: str, pixels: str, n: int = 30) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        for number in range(n):
            picture = np.full((64, 96, 3), 40 + 5 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)))
        out.mux(stream.encode())


@pytest.fixture
def avi(tmp_path: Path) -> tuple[Path, SyncReport]:
    result = write_sample(tmp_path)
    session = tmp_path / "sample"
    encode(session / "face.avi", "mjpeg", "yuvj420p")
    manifest = session / "session.toml"
    manifest.write_text(manifest.read_text().replace("face.mp4", "face.avi"))
    return session, SyncReport.model_validate_json((result / "sync.json").read_text())


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "played"),
    [
        ("a.mp4", "libx264", "yuv420p", True),
        ("b.mp4", "libx264", "yuv444p", False),
        ("c.avi", "mjpeg", "yuvj420p", False),
        ("d.avi", "libx264", "yuv420p", False),
        ("e.mkv", "ffv1", "gray16le", False),
        ("f.webm", "libvpx-vp9", "yuv420p", True),
    ],
)
def test_which_recordings_a_browser_plays(tmp_path: Path, name: str, codec: str, pixels: str, played: bool) -> None:
    encode(tmp_path / name, codec, pixels, 3)
    assert can_be_played(tmp_path / name) is played


def test_what_is_no_video_is_not_played(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"nothing")
    assert not can_be_played(tmp_path / "x.mp4") and not can_be_played(tmp_path / "none.mp4")


def test_a_copy_holds_every_frame_at_its_session_time(avi: tuple[Path, SyncReport], tmp_path: Path) -> None:
    session, sync = avi
    footage, problems = footage_of_result(session, sync)
    assert not problems and [one.people for one in footage] == [("ada",)]
    seen: list[tuple[str, int, int | None]] = []
    players, lost = make_players(footage, tmp_path / "media", hook=lambda *said: seen.append(said))
    (player,) = players
    assert not lost and player.copied and can_be_played(player.file) and seen[-1][1:] == (30, 30)
    np.testing.assert_array_equal(player.session_ns, footage[0].video.times_ns)
    assert player.session_ns[0] == -1_500_000_000
    with av.open(str(player.file)) as container:
        stream = container.streams.video[0]
        shown = [
            (float(frame.time), float(frame.to_ndarray(format="gray").mean())) for frame in container.decode(stream)
        ]
    media = (player.session_ns - player.session_ns[0]) / 1e9
    np.testing.assert_allclose([t for t, _ in shown], media, atol=2e-5)
    assert (np.diff([grey for _, grey in shown]) > 2).all()
    said = json.loads((tmp_path / "media" / "face.json").read_text())
    assert said["file"] == "face.mp4" and said["session_ns"] == player.session_ns.tolist()


def test_a_copy_is_made_once_and_anew_for_another_recording(avi: tuple[Path, SyncReport], tmp_path: Path) -> None:
    session, sync = avi
    media = tmp_path / "media"
    make_players(footage_of_result(session, sync)[0], media)
    first = (media / "face.mp4").stat().st_mtime_ns
    make_players(footage_of_result(session, sync)[0], media)
    assert (media / "face.mp4").stat().st_mtime_ns == first
    encode(session / "face.avi", "mjpeg", "yuvj420p", 20)
    players, _ = make_players(footage_of_result(session, sync)[0], media)
    assert len(players[0].session_ns) == 20 and (media / "face.mp4").stat().st_mtime_ns != first


def test_coarse_squares_leave_no_face(avi: tuple[Path, SyncReport]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    coarse = mosaic(picture)
    assert coarse.shape == picture.shape and len(np.unique(coarse.reshape(-1, 3), axis=0)) <= 24 * 18


def test_a_video_that_breaks_leaves_no_half_copy(avi: tuple[Path, SyncReport], tmp_path: Path) -> None:
    session, sync = avi
    footage = footage_of_result(session, sync)[0]
    (session / "face.avi").write_bytes(b"gone")
    with pytest.raises(UnreadableFileError):
        write_proxy(footage[0].video, tmp_path / "copy")
    assert not list(tmp_path.glob("*copy*"))


def test_addresses_are_near_ones_first_and_relative_to_where_a_page_will_lie(tmp_path: Path) -> None:
    recording = tmp_path / "sessions" / "p 01" / "face.mp4"
    recording.parent.mkdir(parents=True)
    recording.touch()
    page = tmp_path / "results" / "p01" / "report.html"
    assert addresses(recording, page) == ["../../sessions/p%2001/face.mp4", recording.as_uri()]
    moving = tmp_path / "results" / ".telltale" / "work" / "x" / "report.html"
    assert addresses(recording, moving, page) == ["../../sessions/p%2001/face.mp4", recording.as_uri()]
    assert addresses(page.parent / "report" / "media" / "a.mp4", page) == ["report/media/a.mp4"]
