from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import av
import numpy as np
import pytest

from data_schemas.session import Manifest
from data_schemas.time import to_ns, to_s
from pipeline.simulate.chance import generator
from pipeline.simulate.clocks import draw_clocks
from pipeline.simulate.session import simulate_session
from pipeline.simulate.truth import Truth

SECONDS, SEED, FPS = 10, 11, 12.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("rendered") / "s"
    return folder, simulate_session(folder, seconds=SECONDS, seed=SEED, fps=FPS, size=(320, 240))


def frame_times(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [float(frame.pts * stream.time_base) for frame in container.decode(stream) if frame.pts is not None]
        return np.array(times), (stream.width, stream.height)


def test_the_cameras_keep_their_clocks(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    clocks = draw_clocks(SECONDS, SEED)
    for name, device, rate, size, part in (
        ("face.mp4", "camera", FPS, (320, 240), "camera"),
        ("body.mp4", "body_camera", 15.0, (480, 360), "body camera"),
    ):
        times, found_size = frame_times(folder / name)
        expected = clocks[device].frames(rate, generator(SEED, part))
        assert found_size == size
        assert len(times) == len(expected)
        np.testing.assert_allclose(times, expected, atol=0.0002)
        session = to_s(truth.clock_map(device)(to_ns(times)))
        assert session[0] <= 0.075 * SECONDS + 0.1 and session[-1] > SECONDS


def test_the_cameras_log_holds_the_shared_markers(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    with (folder / "face_log.csv").open(encoding="utf-8", newline="") as file:
        seen = np.array([float(row["onset_s"]) for row in csv.DictReader(file)])
    session = to_s(truth.clock_map("camera")(to_ns(seen)))
    assert len(seen) >= 3
    assert all(np.abs(np.array(truth.markers_s) - t).min() < 2e-6 for t in session)


def test_the_folder_is_complete_and_shares_its_signals_with_signal_level(
    made: tuple[Path, Truth], tmp_path: Path
) -> None:
    folder, truth = made
    manifest = Manifest.model_validate(tomllib.loads((folder / "session.toml").read_text(encoding="utf-8")))
    assert all((folder / path).is_file() for stream in manifest.streams for path in stream.paths)
    signal = simulate_session(tmp_path / "s", seconds=SECONDS, seed=SEED, fidelity="signal")
    assert signal.events == truth.events and set(signal.clocks) < set(truth.clocks)
    for name in ("physio.csv", "voice.wav", "events.csv", "markers.csv", "truth/events.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "s" / name).read_bytes()
