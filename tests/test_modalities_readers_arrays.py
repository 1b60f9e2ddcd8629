"""Pictures in NumPy files: bit exact or in a stated unit, timed as folders of pictures are, and never trusted."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from benchmarks.read_errors import available, with_bad_file
from data_schemas.errors import ManifestError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Video
from modalities.readers import discover, open_stream, probe
from modalities.readers.picture_arrays import FINE_M


def video(root: Path, kind: str = "face_depth", **values: object) -> Video:
    entry = StreamEntry.model_validate({"name": "d", "kind": kind, "file": "depth.npy", **values})
    stream = open_stream(entry, root, "p01")
    assert isinstance(stream, Video)
    return stream


def units(n: int = 5, kind: str = "<u2") -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256 if kind.endswith("u1") else 65536, (n, 6, 9)).astype(kind)


@pytest.mark.parametrize("kind", ["<u2", ">u2", "u1"])
def test_whole_numbers_are_bit_exact_cut_and_turned(tmp_path: Path, kind: str) -> None:
    stored = units(kind=kind)
    np.save(tmp_path / "depth.npy", stored)
    of = "face_nir" if kind == "u1" else "face_depth"
    stream = video(tmp_path, of, rate_hz=25)
    frames = list(stream.frames())
    assert np.array_equal([frame.image for frame in frames], stored) and frames[0].image.dtype.isnative
    assert [frame.t_ns for frame in frames] == [40_000_000 * k for k in range(5)]
    assert stream.depth_scale_m is None and any("not metres" in note for note in stream.info.notes) == (kind != "u1")
    assert [(f.index, f.t_ns) for f in stream.frames_at([3, 1])] == [(1, 40_000_000), (3, 120_000_000)]
    box = {"x": 2, "y": 1, "width": 5, "height": 3}
    part = video(tmp_path, of, rate_hz=25, region=box, rotation=90)
    assert (part.width, part.height) == (3, 5)
    assert np.array_equal(next(part.frames()).image, np.rot90(stored[0][1:4, 2:7], -1))


@pytest.mark.parametrize(("kind", "scale_m"), [("<f4", None), ("<f8", None), ("<f4", 0.001)])
def test_metres_come_as_tenths_of_a_millimetre_and_what_is_none_as_holes(
    tmp_path: Path, kind: str, scale_m: float | None
) -> None:
    metres = np.random.default_rng(1).uniform(0.3, 1.2, (3, 6, 9))
    odd = np.array([np.nan, np.inf, -np.inf, -0.5, 0.0, 7.0, 1e-9])
    metres[1].flat[: len(odd)] = odd
    np.save(tmp_path / "depth.npy", (metres / (scale_m or 1)).astype(kind))
    stream = video(tmp_path, rate_hz=30, depth_scale_m=scale_m)
    assert stream.depth_scale_m == FINE_M == 1e-4
    for frame, truth in zip(stream.frames(), metres, strict=True):
        assert frame.image.dtype == np.uint16
        known = np.isfinite(truth) & (truth > 1e-4) & (truth < 6.5)
        assert np.abs(frame.image[known] * FINE_M - truth[known]).max() <= 0.51e-4
        assert not frame.image[~known].any()
    assert any("0.0001 m" in note for note in stream.info.notes)
    assert not any("not metres" in note or "millimetres, write" in note for note in stream.info.notes)


def test_floats_that_are_no_metres_are_told(tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", np.full((3, 6, 9), 612.0, np.float32))
    assert any("depth_scale_m = 0.001" in note for note in video(tmp_path, rate_hz=30).info.notes)
    with pytest.raises(ManifestError, match="whole numbers"):
        video(tmp_path, "face_nir", rate_hz=30)


@pytest.mark.parametrize("table", ["depth_timestamps.csv", "timestamps.csv"])
def test_times_are_those_of_the_table_beside_it(tmp_path: Path, table: str) -> None:
    np.save(tmp_path / "depth.npy", units(3))
    with pytest.raises(ManifestError, match=r"timestamps\.csv.*rate_hz"):
        video(tmp_path)
    (tmp_path / table).write_text("frame,time_ms\n0,100\n1,133.5\n2,180\n", encoding="utf-8")
    assert video(tmp_path, rate_hz=7).times_ns.tolist() == [100_000_000, 133_500_000, 180_000_000]
    (found,), broken = discover(tmp_path)
    assert not broken and found.format == "arrays", "the table is part of it"
    assert found.tracks[0].kind == "face_depth" and found.tracks[0].n == 3 and found.tracks[0].start_s == 0.1
    (tmp_path / table).write_text("frame,time_ms\n0,100\n1,133.5\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="3 pictures, 2 time stamps"):
        video(tmp_path)
    assert "differ in number" in probe(tmp_path / "depth.npy").notes[0]


def test_a_file_that_was_cut_off_gives_its_whole_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", units(5))
    data = (tmp_path / "depth.npy").read_bytes()
    (tmp_path / "depth.npy").write_bytes(data[:-60])
    stream = video(tmp_path, rate_hz=25)
    assert stream.axis.n == 4 and np.array_equal([frame.image for frame in stream.frames()], units(5)[:4])
    assert any("cut off: 4 of its 5" in note for note in stream.info.notes)
    (tmp_path / "depth.npy").write_bytes(data[:200])
    with pytest.raises(UnreadableFileError, match="first picture"):
        video(tmp_path, rate_hz=25)


def header(**fields: object) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out,
        {"descr": "<u2", "fortran_order": False, "shape": (5, 6, 9), **fields},  # type: ignore[dict-item]
    )
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (header(shape=(1, 10**9, 10**9)), "no believable size"),
        (header(shape=(10**15, 6, 9)), "first picture"),
        (header(shape=(-1, 6, 9)), "no believable size"),
        (header(shape=(0, 6, 9)), "no believable size"),
        (header(shape=(5, 54)), "no pictures"),
        (header(shape=(5, 6, 9, 3)), "colour as video"),
        (header(descr="<i4"), "no pictures"),
        (header(descr="<c8"), "no pictures"),
        (header(descr="|O"), "no pictures"),
        (header(fortran_order=True), "Fortran order"),
        (b"\x93NUMPY\x03\x00" + bytes(20), "version 3.0"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, "cannot|can be read"),
        (b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': (1L,  ", "can be read"),
    ],
)
def test_headers_are_not_trusted(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "depth.npy").write_bytes(data)
    for look in (lambda: probe(tmp_path / "depth.npy"), lambda: video(tmp_path, rate_hz=25)):
        with pytest.raises(UnreadableFileError, match=said):
            look()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "went off",))

    (tmp_path / "depth.npy").write_bytes(header(descr="|O", shape=(1, 1, 1)) + pickle.dumps([Bomb()]))
    with pytest.raises(UnreadableFileError):
        video(tmp_path, rate_hz=25)
    assert not (tmp_path / "went off").exists()


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", units(3))
    np.save(tmp_path / "grey.npy", units(3, "u1"))
    for kind, file, said in (
        ("ecg", "depth.npy", "pictures"),
        ("face_rgb", "depth.npy", "colour"),
        ("face_rgb", "grey.npy", "grey"),
        ("face_depth", "grey.npy", "16-bit"),
    ):
        with pytest.raises(TelltaleError, match=said):
            video(tmp_path, kind, rate_hz=25, file=file)


@pytest.mark.skipif(not available(), reason="a filter on system calls, of Linux")
def test_a_disk_that_does_not_read_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", np.zeros((40, 100, 100), np.uint16))
    bad = tmp_path / "depth.npy"

    def work() -> str:
        seen = 0
        try:
            for _ in video(tmp_path, rate_hz=25).frames():
                seen += 1
        except UnreadableFileError as error:
            return json.dumps([seen, str(error)])
        return json.dumps([seen, ""])

    said, failed = with_bad_file(bad, bad.stat().st_size // 2, work)
    seen, error = json.loads(said)
    assert failed and seen <= 20 and "cannot be read" in error
