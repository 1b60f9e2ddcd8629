"""The real recordings: their rates, counts, markers and events as their README states them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Marks, Signal, Video
from modalities.readers import discover, open_stream, probe


def opened(root: Path, kind: str, file: str, **values: object) -> Video | Audio | Signal | Marks:
    return open_stream(StreamEntry.model_validate({"name": "s", "kind": kind, "file": file, **values}), root, "p01")


@pytest.mark.parametrize(
    "name,size,frames,rate",
    [
        ("video/WolfgangLanger_Pexels.mp4", (640, 360), 472, 24000 / 1001),
        ("video/single_face.mp4", (640, 360), 72, 30),
        ("video/webcam_28s_640x480.avi", (640, 480), 842, 30),
        ("video/woman_596x336.mp4", (596, 336), 464, 29.97),
        ("video/metv_neutral_2880x2160.mp4", (2880, 2160), 120, 25),
        ("body/seated_person_1080x1296.mp4", (1080, 1296), 75, 30),
    ],
)
def test_videos(data_dir: Path, name: str, size: tuple[int, int], frames: int, rate: float) -> None:
    stream = opened(data_dir, "face_rgb", name)
    assert isinstance(stream, Video)
    assert (stream.width, stream.height) == size and stream.axis.n == frames
    times = stream.axis.times_ns
    assert (frames - 1) / ((times[-1] - times[0]) / 1e9) == pytest.approx(rate, rel=1e-6)
    if size[0] < 700:
        decoded = [frame.index for frame in itertools.islice(stream.frames(), 80)]
        assert decoded == list(range(min(80, frames)))


def test_variable_rate_video_with_late_sound(data_dir: Path) -> None:
    stream = opened(data_dir, "face_rgb", "video/face_noface.mov")
    assert isinstance(stream, Video)
    assert (stream.width, stream.height, stream.axis.n) == (960, 540, 169)
    steps = np.diff(stream.axis.times_ns)
    assert steps.min() > 0 and steps.max() > 1.1 * steps.min(), "variable"
    assert sum(1 for _ in stream.frames()) == 169
    sound = opened(data_dir, "audio", "video/face_noface.mov")
    assert isinstance(sound, Audio)
    assert sound.axis.start_ns == pytest.approx(107164 / 44100 * 1e9, abs=2)
    assert np.abs(sound.source(0, sound.axis.n)).max() > 0.1


def test_sound(data_dir: Path) -> None:
    silent = opened(data_dir, "audio", "video/WolfgangLanger_Pexels.mp4")
    assert isinstance(silent, Audio)
    assert np.abs(silent.source(0, silent.axis.n)).max() == 0
    for name, rate, seconds, channels in (
        ("jfk.flac", 44100, 11.0, 2), ("speech_60s_16k.wav", 16000, 60.0, 1), ("198-209-0000.ogg", 22050, 13.9, 1),
    ):  # fmt: skip
        track = probe(data_dir / "audio" / name).tracks[0]
        assert (track.kind, track.rate_hz, len(track.columns)) == ("audio", rate, channels)
        assert track.duration_s == pytest.approx(seconds, abs=0.02)
    one, two = (opened(data_dir, "audio", f"sync/timbl_{k}.mp3") for k in (1, 2))
    assert isinstance(one, Audio) and isinstance(two, Audio)
    late = int(12.254 * one.rate_hz)
    a, b = one.source(late, 200_000)[:, 0], two.source(0, 200_000)[:, 0]
    lag = np.argmax(np.correlate(a[2_000:-2_000], b[4_000:60_000], "valid"))
    assert abs((2_000 + lag - 4_000) / one.rate_hz) < 0.02


def test_neurokit_tables(data_dir: Path) -> None:
    name = "physio/neurokit/bio_eventrelated_100hz.csv"
    assert [track.kind for track in probe(data_dir / name).tracks] == ["ecg", "eda", "pulse", "respiration"]
    light = opened(data_dir, "pulse", name, rate_hz=100)
    assert isinstance(light, Signal)
    falls = np.flatnonzero(np.diff((light.values[:, 0] > 2.5).astype(int)) == -1) + 1
    assert np.abs(falls - [1023, 4957, 9223, 12983]).max() <= 1, "within a sample, by threshold"
    beats = opened(data_dir, "ecg", "physio/neurokit/ecg_1000hz.csv", rate_hz=1000)
    assert beats.axis.n == 50_000


def test_mit_bih_record_100(data_dir: Path) -> None:
    stream = opened(data_dir, "ecg", "physio/wfdb/100.hea")
    assert isinstance(stream, Signal)
    assert stream.columns == ("MLII", "V5") and stream.units == ("mV", "mV")
    assert stream.axis.rate_hz == pytest.approx(360) and stream.axis.n == 650_000
    marks = opened(data_dir, "markers", "physio/wfdb/100.hea", track="atr")
    assert isinstance(marks, Marks)
    assert sum(row.columns["beat"] for row in marks.rows) == 2273


def test_heartpy_annotations_are_sample_numbers(data_dir: Path) -> None:
    ecg = opened(data_dir, "ecg", "physio/heartpy/118e24.csv", rate_hz=360)
    assert ecg.axis.n == 43_200
    marks = opened(data_dir, "markers", "physio/heartpy/118e24_ann.csv", rate_hz=360, time_unit="samples")
    assert isinstance(marks, Marks) and isinstance(ecg, Signal)
    assert marks.rows and marks.onsets_ns[-1] < 120e9
    assert np.all(np.diff(marks.onsets_ns) > 0.3e9), "beats of a heart"


def test_biopac(data_dir: Path) -> None:
    name = "physio/biopac/physio-5.0.1.acq"
    info = probe(data_dir / name)
    assert info.wall_start == datetime(2016, 2, 2, 16, 30, 56, 276_000, tzinfo=UTC)
    rates = {
        track.kind: (track.rate_hz, track.units[0]) for track in info.tracks if track.kind not in (None, "markers")
    }
    assert rates == {"ecg": (1000.0, "mV"), "eda": (2000.0, "uS"), "respiration": (3.90625, "V")}
    for kind in rates:
        stream = opened(data_dir, kind, name)
        assert isinstance(stream, Signal)
        assert stream.axis.end_ns / 1e9 == pytest.approx(61.9, abs=0.3)
    marks = opened(data_dir, "markers", name)
    assert isinstance(marks, Marks)
    assert len(marks.rows) == 10 and all(row.label for row in marks.rows)
    assert min(marks.onsets_ns) >= 0 and max(marks.onsets_ns) < 61.9e9


def test_empatica(data_dir: Path) -> None:
    info = probe(data_dir / "physio/empatica_e4")
    lengths = {track.track: track.n for track in info.tracks}
    assert lengths["tags"] == 0 and len({lengths["EDA"], lengths["TEMP"]}) == 2
    assert {track.track: track.start_s for track in info.tracks}["HR"] == 10
    tags = opened(data_dir, "markers", "physio/empatica_e4")
    assert isinstance(tags, Marks) and not tags.rows and len(tags.support)


def test_opensignals(data_dir: Path) -> None:
    one, two = (opened(data_dir, "acceleration", f"sync/sync_acc_{k}.txt") for k in (1, 2))
    assert isinstance(one, Signal) and isinstance(two, Signal)
    assert one.axis.rate_hz == pytest.approx(1000) and one.values.shape[1] == 3
    assert one.info.wall_start is not None and two.info.wall_start is not None
    assert (two.info.wall_start - one.info.wall_start).total_seconds() == pytest.approx(22.037)
    eda = opened(data_dir, "eda", "physio/opensignals/eda_slow_signal.txt")
    assert isinstance(eda, Signal)
    assert (
        eda.axis.rate_hz == pytest.approx(100) and eda.units == ("uS",) and 0 < eda.values.min() < eda.values.max() < 25
    )
    ecg = opened(data_dir, "ecg", "physio/opensignals/supine_1min.edf")
    assert isinstance(ecg, Signal)
    assert ecg.axis.n == 60_000 and ecg.units == ("mV",) and np.abs(ecg.values).max() < 1.5


def test_xdf(data_dir: Path) -> None:
    stream = opened(data_dir, "ecg", "xdf/clock_resets.xdf", track="BioSemi", columns=["channel_1"])
    assert isinstance(stream, Signal)
    assert len(stream.support) == 2 and stream.axis.n == 27_815
    assert any("effective rate 92.93 Hz, nominal 100 Hz" in note for note in stream.info.notes)
    first, second = stream.support
    hole = first.end_ns, second.start_ns
    assert not np.any((stream.axis.times_ns > hole[0]) & (stream.axis.times_ns < hole[1]))
    minimal = opened(data_dir, "ecg", "xdf/minimal.xdf", track="SendDataC", columns=["channel_2"])
    assert isinstance(minimal, Signal) and minimal.axis.n == 9
    assert all(track.kind is None for track in probe(data_dir / "xdf/empty_streams.xdf").tracks if not track.n)
    with pytest.raises(UnreadableFileError, match="chunk_length_lie"):
        opened(data_dir, "markers", "xdf/chunk_length_lie.xdf")


def test_everything_is_discovered(data_dir: Path) -> None:
    infos, broken = discover(data_dir / "physio")
    assert not broken
    assert {info.format for info in infos} == {"table", "wfdb", "biopac", "empatica", "opensignals", "edf"}
    assert len(infos) == 13
