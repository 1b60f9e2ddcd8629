"""Folders of numbered pictures: bit-exact, with times from a table, from a rate, or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_schemas.errors import ManifestError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Video
from modalities.readers import open_stream, probe


def gradient(n: int) -> list[np.ndarray]:
    """Colour pictures that differ in every pixel and from each other."""
    rows, columns = np.mgrid[0:48, 0:64]
    return [np.stack([rows * 3 + k, columns * 2 + 2 * k, rows + columns], axis=2).astype(np.uint8) for k in range(n)]


def depth_frames(n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [rng.integers(0, 65536, (30, 50), dtype=np.uint16) for _ in range(n)]


def video(root: Path, kind: str = "face_rgb", **values: object) -> Video:
    stream = open_stream(StreamEntry.model_validate({"name": "face", "kind": kind, **values}), root, "p01")
    assert isinstance(stream, Video)
    return stream


def write_pictures(folder: Path, frames: list[np.ndarray], numbers: list[int], suffix: str = ".png") -> None:
    folder.mkdir(exist_ok=True)
    for picture, number in zip(frames, numbers, strict=True):
        ok, data = cv2.imencode(suffix, picture if picture.ndim == 2 else picture[:, :, ::-1])
        assert ok
        (folder / f"img_{number:04d}{suffix}").write_bytes(data.tobytes())


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_depth_pictures_are_bit_exact(tmp_path: Path, suffix: str) -> None:
    frames = depth_frames(4)
    write_pictures(tmp_path / "depth", frames, [1, 2, 4, 5], suffix)
    stream = video(tmp_path, kind="face_depth", file="depth", rate_hz=25, depth_scale_m=0.001)
    assert all(np.array_equal(frame.image, truth) for frame, truth in zip(stream.frames(), frames, strict=True))
    assert stream.axis.times_ns.tolist() == [0, 40_000_000, 120_000_000, 160_000_000]
    assert any("1 numbers are missing" in note for note in stream.info.notes)


def test_pictures_need_times(tmp_path: Path) -> None:
    write_pictures(tmp_path / "seq", gradient(3), [8, 9, 10])
    with pytest.raises(ManifestError, match=r"timestamps\.csv.*rate_hz"):
        video(tmp_path, file="seq")
    (tmp_path / "seq" / "timestamps.csv").write_text("frame,time_ms\n8,100\n9,133.5\n10,180\n", encoding="utf-8")
    stream = video(tmp_path, file="seq")
    assert stream.axis.times_ns.tolist() == [100_000_000, 133_500_000, 180_000_000]
    assert np.array_equal(next(stream.frames()).image, gradient(3)[0])
    info = probe(tmp_path / "seq")
    assert info.format == "images" and info.tracks[0].n == 3
    (tmp_path / "seq" / "timestamps.csv").write_text("frame,time_ms\n8,100\n9,133.5\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="3 pictures, 2 time stamps"):
        video(tmp_path, file="seq")
