"""Sessions with several face cameras: files, clocks, lenses, units; what is read is what was drawn."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.session import Manifest, StreamEntry
from data_schemas.stream import Video
from data_schemas.time import to_s
from modalities.readers import open_stream
from pipeline import steps
from pipeline.check import check_session
from pipeline.manifest import load_manifest
from pipeline.report.footage import footage_of_run
from pipeline.simulate.face import puppet_of, render_face
from pipeline.simulate.face_cameras import CAMERAS, Cameras, Rig, render_cameras
from pipeline.simulate.face_depth import DepthSensor
from pipeline.simulate.face_nir import InfraredSensor
from pipeline.simulate.face_view import View
from pipeline.simulate.motion import FaceMotion
from pipeline.simulate.picture_files import write_picture_array, write_picture_sequence
from pipeline.simulate.session import simulate_session
from pipeline.simulate.truth import Truth
from pipeline.simulate.video import write_video

SIZE, WIDTH = (160, 120), 75
SMILE = FaceMotion(np.arange(3) / 30, {"au12_left": np.linspace(0, 1, 3)}, yaw_deg=np.array([0.0, 5.0, 10.0]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("cameras") / "s"
    return folder, simulate_session(folder, seconds=10, seed=4, fps=2.0, size=SIZE, cameras=("depth", "rgb", "nir"))


def entries(folder: Path) -> dict[str, StreamEntry]:
    manifest = Manifest.model_validate(tomllib.loads((folder / "session.toml").read_text(encoding="utf-8")))
    return {entry.name: entry for entry in manifest.streams}


def opened(folder: Path, **entry: object) -> Video:
    stream = open_stream(StreamEntry.model_validate({"name": "d", **entry}), folder, "p01")
    assert isinstance(stream, Video)
    return stream


def depth_pictures(n: int = 5) -> list[np.ndarray]:
    return list(np.random.default_rng(2).integers(0, 65_536, (n, 48, 64)).astype(np.uint16))


def test_the_manifest_is_sound_and_every_camera_aligned_by_its_markers(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    findings = check_session(folder)
    assert not [finding for finding in findings if finding.severity != "ok"]
    manifest = tomllib.loads((folder / "session.toml").read_text(encoding="utf-8"))
    for name, log in (("camera", "face_log"), ("nir_camera", "nir_log"), ("depth_camera", "depth_log")):
        assert manifest["clocks"][name] == {"align": "markers", "own": log, "against": "markers"}
        assert abs(truth.clocks[name]["drift_ppm"]) <= 100
    assert Truth.load(folder / "truth").cameras.keys() == set(CAMERAS)
    assert Truth.load(folder / "truth").cameras["nir"]["stream"] == "nir"


def test_the_streams_are_read_with_their_units_lenses_and_times(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    for camera, kind, shape, dtype in (
        ("rgb", "face_rgb", (120, 160, 3), np.uint8),
        ("nir", "face_nir", (120, 160), np.uint8),
        ("depth", "face_depth", (120, 160), np.uint16),
    ):
        entry = entries(folder)[truth.cameras[camera]["stream"]]
        video = open_stream(entry, folder, "p01")
        assert isinstance(video, Video) and entry.kind == kind
        frames = list(video.frames())
        assert len(frames) == video.axis.n > 15 and frames[0].image.shape == shape and frames[0].image.dtype == dtype
        assert video.camera is not None
        told = truth.cameras[camera]
        lens = video.camera
        np.testing.assert_allclose((lens.fx, lens.fy, lens.cx, lens.cy), told["intrinsics"], atol=1e-3)
        rows = np.column_stack([lens.pose.rotation, lens.pose.translation_mm])
        np.testing.assert_allclose(rows, told["extrinsics"], atol=1e-6)
        device = truth.clocks[told["clock"]]
        assert to_s(int(video.times_ns[-1])) * (1 + device["drift_ppm"] * 1e-6) + device["offset_s"] > 10
    depth = open_stream(entries(folder)["depth"], folder, "p01")
    assert isinstance(depth, Video) and depth.depth_scale_m == 0.0001
    picture = next(depth.frames()).image[50:80, 60:100]
    assert np.median(picture[picture > 0]) * depth.depth_scale_m == pytest.approx(0.59, abs=0.05)


def test_the_report_shows_colour_first(made: tuple[Path, Truth]) -> None:
    folder, _ = made
    session = steps.synchronize(steps.read(load_manifest(folder), folder))
    assert [one.kind for one in footage_of_run(session)] == ["face_rgb", "face_nir", "face_depth", "body_video"]


def test_other_devices_do_not_care_which_cameras_there_are(made: tuple[Path, Truth], tmp_path: Path) -> None:
    folder, _ = made
    simulate_session(tmp_path / "plain", seconds=10, seed=4, fidelity="signal")
    for name in ("physio.csv", "voice.wav", "markers.csv", "events.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    assert not (tmp_path / "plain" / "nir.mkv").exists()
    for wrong in ({"cameras": ("rgb", "thermal")}, {"cameras": ()}, {"cameras": ("nir",), "fidelity": "signal"}):
        with pytest.raises(InvalidValueError, match="camera"):
            simulate_session(tmp_path / "wrong", seconds=10, **wrong)
    assert not (tmp_path / "wrong").exists()


def test_frames_without_files_are_those_of_the_cameras() -> None:
    shared = {"size": SIZE, "face_width_px": WIDTH, "seed": 7}
    rig = Rig(infrared=InfraredSensor(bits=16), depth=DepthSensor(unit_mm=0.25))
    frames = list(render_cameras(SMILE, ("depth", "rgb", "nir"), rig=rig, **shared))
    assert len(frames) == 3 and list(frames[0]) == list(CAMERAS)
    assert [frames[0][name].dtype for name in CAMERAS] == [np.uint8, np.uint16, np.uint16]
    alone = list(render_cameras(SMILE, ("depth",), rig=rig, **shared))
    assert all(np.array_equal(a["depth"], b["depth"]) for a, b in zip(frames, alone, strict=True))
    colour = list(render_face(SMILE, view=View(), **shared))
    assert all(np.array_equal(a["rgb"], b) for a, b in zip(frames, colour, strict=True))
    filmed = Cameras(puppet_of(**shared), ("depth",), rig, 7)
    points = filmed.seen["depth"].landmarks_mm(SMILE, 2)
    u, v = np.rint(filmed.lenses["depth"].project(points[[4]])[0]).astype(int)
    near = frames[2]["depth"][v - 1 : v + 2, u - 1 : u + 2]
    assert np.median(near[near > 0]) * 0.25 == pytest.approx(points[4, 2], abs=2.0)


@pytest.mark.parametrize("form", ["video", "sequence", "array"])
def test_depth_comes_back_bit_exact_from_every_kind_of_file(tmp_path: Path, form: str) -> None:
    pictures, times = depth_pictures(), 0.5 + np.array([0.0, 0.031, 0.07, 0.1, 0.15])
    if form == "video":
        write_video(tmp_path / "depth.mkv", pictures, times, codec="ffv1")
        entry = {"file": "depth.mkv"}
    elif form == "sequence":
        files = write_picture_sequence(tmp_path / "depth", iter(pictures), times)
        assert files[3].name == "frame_000003.png"
        entry = {"file": "depth"}
    else:
        write_picture_array(tmp_path / "depth.npy", iter(pictures), times)
        assert np.array_equal(np.load(tmp_path / "depth.npy"), pictures)
        entry = {"file": "depth.npy"}
    video = opened(tmp_path, kind="face_depth", depth_scale_m=0.0001, **entry)
    assert video.depth_scale_m == 0.0001
    np.testing.assert_allclose(to_s(video.times_ns), times, atol=0.0006)
    assert all(np.array_equal(frame.image, one) for frame, one in zip(video.frames(), pictures, strict=True))


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_grey_videos_stay_grey(tmp_path: Path, codec: str) -> None:
    x = np.arange(64)
    pictures = [np.tile((2 * x + 20 + n).astype(np.uint8), (48, 1)) for n in range(4)]
    write_video(tmp_path / "nir.mkv", pictures, np.arange(4) / 30, codec=codec, quality=8)
    video = opened(tmp_path, kind="face_nir", file="nir.mkv")
    read = [frame.image for frame in video.frames()]
    worst = max(np.abs(a.astype(int) - b).max() for a, b in zip(read, pictures, strict=True))
    assert read[0].shape == (48, 64) and worst <= (0 if codec == "ffv1" else 3)


def test_pictures_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    good, times = depth_pictures(3), np.arange(3) / 30
    mixed = [good[0], good[1].astype(np.uint8), good[2]]
    colour = [np.zeros((48, 64, 3), np.uint8)] * 3
    for call in (
        lambda: write_video(tmp_path / "a.mkv", good, times),
        lambda: write_video(tmp_path / "a.mkv", mixed, times, codec="ffv1"),
        lambda: write_picture_array(tmp_path / "a.npy", mixed, times),
        lambda: write_picture_array(tmp_path / "a.npy", colour, times),
        lambda: write_picture_array(tmp_path / "a.npy", good[:2], times),
        lambda: write_picture_array(tmp_path / "a.npy", good, times[::-1]),
        lambda: write_picture_array(tmp_path / "a.bin", good, times),
        lambda: write_picture_sequence(tmp_path / "s", [*good, good[0]], times),
        lambda: write_picture_sequence(tmp_path / "s", [one.astype(float) for one in good], times),
    ):
        with pytest.raises(InvalidValueError):
            call()
    assert not (tmp_path / "a.npy").exists() and not (tmp_path / "a.mkv").exists()
    with pytest.raises(UnreadableFileError, match="cannot be written"):
        write_picture_array(tmp_path / "nowhere" / "a.npy", good, times)
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFileError, match="cannot be written"):
        write_picture_sequence(tmp_path / "file", good, times)
