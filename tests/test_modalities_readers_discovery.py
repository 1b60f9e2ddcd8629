"""What a file is, what a folder holds, and that no content of a file escapes as anything but a clear error."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.errors import ManifestError, MissingFileError, TelltaleError, UnreadableFileError
from data_schemas.session import STREAM_KINDS, StreamEntry
from modalities.readers import discover, open_stream, probe
from modalities.readers.info import SIGNAL_KINDS
from modalities.readers.registry import COMPANIONS, PICTURE_SUFFIXES, READERS, SUFFIXES, UNSUPPORTED, load_reader

EVERY_SUFFIX = sorted(
    {*SUFFIXES, *COMPANIONS, *UNSUPPORTED, *PICTURE_SUFFIXES, ".tsv.gz", "_physio.tsv.gz", ".xyz", ""}
)
STARTS = [
    b"",
    b"XDF:",
    b"0       ",
    b"\xffBIOSEMI",
    b"RIFF\x10\x00\x00\x00WAVEfmt ",
    b"\x00\x00\x00\x18ftypmp42",
    b"ID3\x03",
]
STARTS += [
    b"\x1aE\xdf\xa3",
    b"fLaC",
    b"OggS",
    b"# OpenSignals Text File Format\n# {",
    b"Brain Vision Data Exchange Header File",
]
STARTS += [
    b"RIFF\x10\x00\x00\x00AVI LIST",
    b"\xff\xfb\x90\x00",
    b"\x89PNG\r\n\x1a\n",
    b"\x1f\x8b\x08\x00",
    b"time,ecg\n0,1\n",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=600), suffix=st.sampled_from(EVERY_SUFFIX))
def test_random_bytes_only_ever_raise_our_errors(tmp_path: Path, start: bytes, rest: bytes, suffix: str) -> None:
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / f"f{suffix}"
    path.write_bytes(start + rest)
    try:
        info = probe(path)
    except TelltaleError as error:
        assert str(path) in str(error), "a message names the file"
        return
    assert info.tracks and info.format in READERS
    assert all(track.kind is None or track.kind in STREAM_KINDS for track in info.tracks)


@pytest.mark.parametrize("suffix", EVERY_SUFFIX)
def test_empty_and_zero_files_of_every_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"f{suffix}"
    for content, word in ((b"", "empty"), (bytes(5000), "zero bytes")):
        path.write_bytes(content)
        with pytest.raises(UnreadableFileError, match=word):
            probe(path)


def test_the_table_of_readers_is_complete() -> None:
    for name in READERS:
        reader = load_reader(name)
        assert callable(reader.probe) and callable(reader.open)
    assert set(SUFFIXES.values()) <= set(READERS)


def test_mislabelled_files(tmp_path: Path) -> None:
    picture = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    (tmp_path / "picture.wav").write_bytes(picture)
    with pytest.raises(UnreadableFileError, match="PNG picture"):
        probe(tmp_path / "picture.wav")
    (tmp_path / "one.png").write_bytes(picture)
    with pytest.raises(UnreadableFileError, match="name their folder"):
        probe(tmp_path / "one.png")
    (tmp_path / "words.xdf").write_text("hello there")
    with pytest.raises(UnreadableFileError, match="content is text"):
        probe(tmp_path / "words.xdf")
    (tmp_path / "sheet.xlsx").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UnreadableFileError, match="Save the sheet as CSV"):
        probe(tmp_path / "sheet.xlsx")
    soundfile.write(str(tmp_path / "s.flac"), np.zeros(800), 8000)
    (tmp_path / "s.flac").rename(tmp_path / "really.csv")
    assert probe(tmp_path / "really.csv").format == "sound"
    with pytest.raises(MissingFileError, match="nowhere"):
        probe(tmp_path / "nowhere.mp4")
    (tmp_path / "lone.dat").write_bytes(b"\x01\x02\x03\x04")
    with pytest.raises(UnreadableFileError, match=r"\.hea"):
        probe(tmp_path / "lone.dat")


def write_session(root: Path) -> None:
    (root / "phys").mkdir()
    (root / "phys" / "ecg.csv").write_text("time_s,ecg,eda\n" + "".join(f"{k / 10},{k},{k}\n" for k in range(20)))
    (root / "phys" / "e4").mkdir()
    (root / "phys" / "e4" / "EDA.csv").write_text("1560279825.0\n4.0\n" + "0.1\n" * 9)
    (root / "phys" / "e4" / "BVP.csv").write_text("1560279825.0\n64.0\n" + "0.1\n" * 90)
    (root / "phys" / "e4" / "tags.csv").write_text("")
    (root / "depth").mkdir()
    for k in range(4):
        cv2.imwrite(str(root / "depth" / f"d{k:03}.png"), np.full((6, 6), 999, np.uint16))
    (root / "depth" / "timestamps.txt").write_text("0.0\n0.1\n0.2\n0.3\n")
    soundfile.write(str(root / "Voice.wav"), np.zeros(800), 8000)
    (root / "events.tsv").write_text("onset\tduration\ttrial_type\n1\t2\tfilm\n")
    (root / "broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(50))
    for name in ("README.txt", "LICENSE", "session.toml", ".hidden.csv", "photo.png", "notes.pdf"):
        (root / name).write_text("1,2\n3,4\n")
    for folder in ("truth", "out", ".git"):
        (root / folder).mkdir()
        (root / folder / "x.csv").write_text("time,ecg\n0,1\n1,2\n")
    (root / "out" / "result.json").write_text("{}")


def test_discover(tmp_path: Path) -> None:
    write_session(tmp_path)
    infos, broken = discover(tmp_path)
    assert [info.path.relative_to(tmp_path).as_posix() for info in infos] == [
        "events.tsv", "Voice.wav", "depth", "phys/ecg.csv", "phys/e4",
    ]  # fmt: skip
    assert [info.format for info in infos] == ["events", "sound", "images", "table", "empatica"]
    assert [Path(str(error.file)).name for error in broken] == ["broken.mp4"]
    assert [track.kind for track in infos[4].tracks] == ["ppg", "eda", "markers"]
    again, _ = discover(tmp_path)
    assert again == infos
    with pytest.raises(MissingFileError):
        discover(tmp_path / "nowhere")


def test_what_is_discovered_can_be_opened(tmp_path: Path) -> None:
    write_session(tmp_path)
    opened: list[str] = []
    for info in discover(tmp_path)[0]:
        for track in info.tracks:
            kind = track.kind or "face_depth"
            opened.append(f"{info.format} {kind}")
            entry = StreamEntry.model_validate(
                {
                    "name": "x", "kind": kind, "file": info.path.relative_to(tmp_path).as_posix(), "track": track.track,
                    "columns": list(track.columns) if track.columns and kind in SIGNAL_KINDS else None,
                    "time_column": track.time_column,
                }
            )  # fmt: skip
            stream = open_stream(entry, tmp_path, "p01")
            assert (stream.info.name, stream.info.kind, stream.info.clock) == ("x", kind, "session")
            assert all(Path(file).exists() for file in stream.info.files)
            if track.n is not None and kind != "cues":
                assert stream.axis.n == track.n
            if track.rate_hz is not None:
                assert stream.axis.rate_hz == pytest.approx(track.rate_hz, rel=1e-6)
    assert opened == [
        "events cues", "sound audio", "images face_depth", "table ecg", "table eda", "empatica ppg", "empatica eda",
        "empatica markers",
    ]  # fmt: skip


def test_an_ignored_stream_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ecg\n1\n")
    with pytest.raises(ManifestError, match="ignored"):
        open_stream(StreamEntry(name="x", kind="ignore", file="a.csv"), tmp_path, None)


def test_nothing_heavy_is_imported_with_the_front_door() -> None:
    import subprocess

    code = "import modalities.readers, modalities.readers.labels, sys; print([m for m in "
    code += "('torch','cv2','mne','scipy','pandas','av','pyxdf','wfdb','bioread','soundfile') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
