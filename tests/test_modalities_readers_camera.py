"""Lens and place of a camera: from the manifest to the pictures that are handed out, and the same units whatever the
file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.camera import Camera, Pose
from data_schemas.session import StreamEntry
from data_schemas.stream import Video
from modalities.readers import open_stream
from modalities.readers.pictures import Framing

LENS = {"intrinsics": [610, 612, 31, 22], "distortion": [0.1, -0.05, 0.002, -0.003]}


def turn(x_deg: float, y_deg: float) -> np.ndarray:
    return cv2.Rodrigues(np.radians([x_deg, y_deg, 0.0]))[0]


def entry(**values: object) -> StreamEntry:
    return StreamEntry.model_validate({"name": "d", "kind": "face_depth", "file": "d", **values})


def extrinsics(rotation: np.ndarray, shift: list[float]) -> list[list[float]]:
    return np.column_stack([rotation, shift]).round(5).tolist()


def test_a_manifest_says_where_a_camera_stands() -> None:
    camera = entry(**LENS, extrinsics=extrinsics(turn(2, -5), [25.0, 0.5, -1])).camera
    assert camera is not None and (camera.fx, camera.fy, camera.cx, camera.cy) == (610, 612, 31, 22)
    assert camera.distortion == (0.1, -0.05, 0.002, -0.003)
    assert np.allclose(camera.pose.to_rig(np.zeros((1, 3))), [[25, 0.5, -1]])
    assert np.allclose(camera.pose.rotation, turn(2, -5), atol=1e-4)
    plain = entry(intrinsics=[600, 600, 320, 240]).camera
    assert plain is not None and np.array_equal(plain.pose.rotation, np.eye(3)) and not plain.distortion
    assert entry().camera is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"distortion": [0.1, 0, 0, 0]}, "distortion without intrinsics"),
        ({"extrinsics": extrinsics(np.eye(3), [0, 0, 0])}, "extrinsics without intrinsics"),
        ({**LENS, "distortion": [0.1, 0]}, "at least 4"),
        ({**LENS, "extrinsics": extrinsics(2 * np.eye(3), [0, 0, 0])}, "rotation is none.*without scale"),
        ({**LENS, "extrinsics": extrinsics(np.diag([1, 1, -1]), [0, 0, 0])}, "no mirror"),
        ({**LENS, "extrinsics": extrinsics(np.eye(3), [0, 0, 0])[:2]}, "at least 3"),
        ({**LENS, "extrinsics": extrinsics(np.eye(3), [0, float("nan"), 0])}, "finite|rotation"),
        ({**LENS, "intrinsics": [0, 600, 320, 240]}, "above 0"),
        ({**LENS, "kind": "body_video"}, "face video"),
    ],
)
def test_what_is_no_camera_is_told(values: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        entry(**values)


@settings(max_examples=40, deadline=None)
@given(
    turns=st.integers(0, 3),
    box=st.one_of(st.none(), st.tuples(st.integers(0, 20), st.integers(0, 9), st.integers(9, 40), st.integers(9, 30))),
    spot=st.tuples(st.floats(-60, 60), st.floats(-40, 40), st.floats(500, 900)),
)
def test_cut_and_turned_pictures_show_the_same_points(
    turns: int, box: tuple[int, int, int, int] | None, spot: tuple[float, float, float]
) -> None:
    """A point appears at the pixel that the cut and turned picture has moved its pixel to."""
    stored = Camera(610, 640, 33, 20, (0.1, -0.05, 0.002, -0.003, 0.01), Pose(turn(3, -8), np.array([25.0, 3, -1])))
    framing = Framing(box, turns)
    seen = framing.camera(stored, 64, 48)
    point = np.array([spot])
    before = stored.project(point)[0]
    rows, columns = np.mgrid[0:48, 0:64].astype(float)
    here = [framing(plane) for plane in (columns, rows)]
    after = seen.project(seen.pose.from_rig(stored.pose.to_rig(point)))[0]
    down, across = np.mgrid[: here[0].shape[0], : here[0].shape[1]]
    fit = np.column_stack([np.ones(down.size), across.ravel(), down.ravel()])
    inverse = [np.linalg.lstsq(fit, plane.ravel(), rcond=None)[0] for plane in here]
    assert np.allclose([one @ (1, *after) for one in inverse], before, atol=1e-6)
    assert np.allclose(seen.pose.to_rig(seen.points(after[None], point[:, 2])), stored.pose.to_rig(point), atol=0.05)


def write(root: Path, form: str, frames: np.ndarray) -> dict:
    """The same depth, mm, as a file of this form; what the manifest says of it."""
    if form == "png":
        (root / "d").mkdir()
        for at, picture in enumerate(frames):
            cv2.imwrite(str(root / "d" / f"d_{at:03d}.png"), picture)
        return {"file": "d", "rate_hz": 25, "depth_scale_m": 0.001}
    if form == "npy":
        np.save(root / "d.npy", frames)
        return {"file": "d.npy", "rate_hz": 25, "depth_scale_m": 0.001}
    if form == "npy in metres":
        np.save(root / "d.npy", np.where(frames, frames / np.float32(1000), np.float32("nan")))
        return {"file": "d.npy", "rate_hz": 25}
    import av

    with av.open(str(root / "d.mkv"), "w") as out:
        track = out.add_stream("ffv1", rate=25)
        track.width, track.height, track.pix_fmt = frames.shape[2], frames.shape[1], "gray16le"
        for at, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="gray16le")
            frame.pts = at
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return {"file": "d.mkv", "depth_scale_m": 0.001}


@pytest.mark.parametrize("form", ["png", "mkv", "npy", "npy in metres"])
def test_depth_is_read_in_the_right_units_with_its_camera(tmp_path: Path, form: str) -> None:
    truth = np.random.default_rng(2).integers(300, 1500, (4, 48, 64)).astype(np.uint16)
    truth[:, 5:9, 5:20] = 0
    said = write(tmp_path, form, truth)
    stream = open_stream(entry(**said, **LENS, extrinsics=extrinsics(turn(0, 4), [25, 0, 0])), tmp_path, "p01")
    assert isinstance(stream, Video) and stream.depth_scale_m is not None and stream.camera is not None
    found = np.array([frame.image.astype(float) * stream.depth_scale_m * 1000 for frame in stream.frames()])
    assert np.abs(found - truth).max() < 0.06
    assert (stream.camera.fx, stream.camera.cy) == (610, 22) and not any("extrinsics" in n for n in stream.info.notes)
    odd = entry(**said, intrinsics=[610, 612, 320, 240], extrinsics=extrinsics(np.eye(3), [0.025, 0, 0]))
    notes = " ".join(open_stream(odd, tmp_path, "p01").info.notes)
    assert "times 1000" in notes and "another resolution" in notes
    cut = entry(**said, **LENS, region={"x": 4, "y": 6, "width": 20, "height": 10}, rotation=180)
    camera = open_stream(cut, tmp_path, "p01").camera
    assert camera is not None and (camera.cx, camera.cy) == (19 - 27, 9 - 16)
