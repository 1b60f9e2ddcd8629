"""Part C of CAS(ME)3 as sessions: made from small files of the described form, and read by Telltale's own readers."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from data_schemas.errors import InvalidValueError, MissingFileError, MissingTrackError, UnreadableFileError
from data_schemas.session import Consent
from data_schemas.stream import Audio, Signal, Video
from modalities.face.corpora.recordings import CHANNELS, Recording, find_marker, find_recording, write_session
from modalities.face.corpora.sample import Sample
from modalities.face.corpora.units import parse_units
from modalities.readers import open_stream
from pipeline.manifest import load_manifest

ROWS, MARKED = 2000, 730


def physiology(path: Path, *, header: bool, column: int = 5, marked: int | None = MARKED, hz: float = 200.0) -> Path:
    rng = np.random.default_rng(0)
    lines = ["min\tCH1\tCH2\tCH3\tCH4\tCH5\tCH6"] if header else []
    for k in range(ROWS):
        codes = [0, 0]
        if marked is not None and k >= marked:
            codes[column - 5] = 5
        signals = "\t".join(f"{value:.5f}" for value in rng.normal(size=4))
        lines.append(f"{k / hz / 60:.8f}\t{signals}\t{codes[0]}\t{codes[1]}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "sub7"
    rng = np.random.default_rng(1)
    for name, shape, kind in (("color", (24, 32, 3), np.uint8), ("depth", (24, 32), np.uint16)):
        (root / name).mkdir(parents=True)
        for number in range(1, 16):
            picture = rng.integers(0, 255, shape).astype(kind)
            cv2.imwrite(str(root / name / f"{number}.{'jpg' if name == 'color' else 'png'}"), picture)
    soundfile.write(root / "voice.wav", rng.normal(scale=0.1, size=8000), 16000)
    physiology(root / "sub7.txt", header=True)
    (root / "readme.txt").write_text("sample rate: 200hz")
    return root


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("column", [5, 6])
def test_the_marker_is_found_in_either_column(header: bool, column: int, tmp_path: Path) -> None:
    marker = find_marker(physiology(tmp_path / "a.txt", header=header, column=column))
    assert marker.row == MARKED
    assert list(marker.columns) == list(CHANNELS)
    assert marker.columns["ecg"] == ("CH3" if header else "column_4")


def test_what_is_wrong_with_a_physiology_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingTrackError, match="marker 5"):
        find_marker(physiology(tmp_path / "a.txt", header=True, marked=None))
    with pytest.raises(UnreadableFileError, match="minutes"):
        find_marker(physiology(tmp_path / "b.txt", header=True, hz=1000.0))
    (tmp_path / "c.txt").write_text("1\t2\n2\t3\n3\t4\n")
    with pytest.raises(UnreadableFileError, match="too few columns"):
        find_marker(tmp_path / "c.txt")


def test_a_session_in_place_opens_stream_by_stream(folder: Path) -> None:
    recording = find_recording(folder, "7")
    assert (recording.voice, recording.physiology) == (folder / "voice.wav", folder / "sub7.txt")
    path = write_session(recording, folder, consent=Consent(scope=("analyse",)))
    manifest = load_manifest(folder)
    assert path == folder / "session.toml"
    assert manifest.consent.scope == ("analyse",)
    assert manifest.clocks["physiology"].offset_s == pytest.approx(-MARKED / 200)
    kinds = {}
    for entry in manifest.streams:
        assert not Path(entry.paths[0]).is_absolute()
        kinds[entry.kind] = open_stream(entry, folder, "p7")
    assert set(kinds) == {"face_rgb", "face_depth", "audio", *CHANNELS}
    color, depth, ecg = kinds["face_rgb"], kinds["face_depth"], kinds["ecg"]
    assert isinstance(color, Video)
    assert isinstance(depth, Video)
    assert isinstance(kinds["audio"], Audio)
    assert isinstance(ecg, Signal)
    assert len(color.times_ns) == len(depth.times_ns) == 15
    assert np.diff(color.times_ns) == pytest.approx(1e9 / 30, abs=1)
    table = np.loadtxt(folder / "sub7.txt", skiprows=1)
    assert ecg.values[:, 0] == pytest.approx(table[:, 3])
    at_marker = ecg.times_ns[MARKED] * 1e-9 + manifest.clocks["physiology"].offset_s
    assert at_marker == pytest.approx(0.0, abs=1e-9)


def test_a_session_elsewhere_links_and_keeps_the_truth_apart(folder: Path, tmp_path: Path) -> None:
    units, _ = parse_units("4,L10")
    samples = [
        Sample(
            "cas_me3_c", "7", "video", "micro", onset=4, offset=6, aus=units, emotion="negative", composite="negative"
        ),
        Sample("cas_me3_c", "8", "video", "micro", onset=4, offset=6),
    ]
    out = tmp_path / "sessions" / "7"
    write_session(find_recording(folder, "7"), out, samples=samples)
    manifest = load_manifest(out)
    assert manifest.consent.scope == ()
    opened = {entry.kind: open_stream(entry, out, "p7") for entry in manifest.streams}
    assert len(opened) == 7
    with (out / "truth" / "expressions.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["kind"], row["aus"], row["label"]) for row in rows] == [("micro", "4+L10", "negative")]
    assert float(rows[0]["onset_s"]) == pytest.approx(3 / 30, abs=1e-6)
    assert float(rows[0]["offset_s"]) == pytest.approx(6 / 30, abs=1e-6)
    with pytest.raises(InvalidValueError, match="manifest already"):
        write_session(find_recording(folder, "7"), out)


def test_a_recording_of_colour_alone(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "alone"
    write_session(Recording("7", folder / "color"), out, fps=25.0)
    manifest = load_manifest(out)
    assert [(entry.kind, entry.rate_hz) for entry in manifest.streams] == [("face_rgb", 25.0)]
    assert list(manifest.clocks) == ["camera"]


def test_files_are_copied_where_links_are_not_allowed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    def refuse(*args: object, **named: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.symlink", refuse)
    out = tmp_path / "copied"
    write_session(find_recording(folder, "7"), out)
    assert not (out / "face").is_symlink()
    assert len(list((out / "face").glob("*.jpg"))) == 15
    assert (out / "voice.wav").stat().st_size == (folder / "voice.wav").stat().st_size


def test_ambiguous_and_missing_files(folder: Path) -> None:
    soundfile.write(folder / "second.wav", np.zeros(100), 16000)
    with pytest.raises(InvalidValueError, match="second"):
        find_recording(folder, "7")
    with pytest.raises(MissingFileError, match="nowhere"):
        find_recording(folder / "nowhere", "7")
    (folder / "empty").mkdir()
    with pytest.raises(MissingFileError, match="colour"):
        find_recording(folder / "empty", "7")
