"""XDF files written here chunk by chunk: clock offsets, gaps, resets, jitter, markers, and broken files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import ManifestError, MissingTrackError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Marks, Signal
from data_schemas.time import Explicit, Regular
from modalities.readers import open_stream, probe


def chunk(tag: int, content: bytes) -> bytes:
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def header(
    number: int, name: str, form: str, rate: float, labels: list[str], units: list[str], kind: str = "EEG"
) -> bytes:
    channels = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit></channel>"
        for label, unit in zip(labels, units, strict=True)
    )
    text = (
        f"<?xml version='1.0'?><info><name>{name}</name><type>{kind}</type><channel_count>{len(labels)}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{form}</channel_format>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )
    return chunk(2, struct.pack("<I", number) + text.encode())


def samples(number: int, times: np.ndarray, rows: np.ndarray | list[str]) -> bytes:
    out = struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(times))
    for at, row in zip(times, rows, strict=True):
        out += b"\x08" + struct.pack("<d", at)
        if isinstance(row, str):
            word = row.encode()
            out += b"\x04" + struct.pack("<I", len(word)) + word
        else:
            out += np.asarray(row, "<f4").tobytes()
    return chunk(3, out)


def offset(number: int, at: float, value: float) -> bytes:
    return chunk(4, struct.pack("<Idd", number, at, value))


HEAD = b"XDF:" + chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")


def two_streams(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """ECG and EDA on one device whose clock is 100 s ahead, markers on the recording computer."""
    times = 1100 + np.arange(500) / 250
    values = np.stack([np.arange(500), np.arange(500) % 7], axis=1).astype(np.float32)
    data = HEAD + header(1, "amp", "float32", 250, ["ECG", "EDA"], ["microvolts", "microsiemens"])
    data += header(2, "stim", "string", 0, ["code"], [""], "Markers")
    data += samples(1, times[:300], values[:300]) + offset(1, 1100.0, -100.0) + samples(2, np.array([1000.5]), ["go"])
    data += (
        samples(1, times[300:], values[300:]) + offset(1, 1105.0, -100.0) + samples(2, np.array([1001.25]), ["stop"])
    )
    path.write_bytes(data)
    return times - 100, values


def signal(root: Path, kind: str, **values: object) -> Signal:
    entry = StreamEntry.model_validate({"name": "s", "kind": kind, "file": "r.xdf", **values})
    stream = open_stream(entry, root, "p01")
    assert isinstance(stream, Signal)
    return stream


def test_streams_come_on_the_clock_of_the_recording_computer(tmp_path: Path) -> None:
    times, values = two_streams(tmp_path / "r.xdf")
    ecg, eda = signal(tmp_path, "ecg"), signal(tmp_path, "eda", track="amp")
    assert isinstance(ecg.axis, Regular)
    assert np.abs(ecg.axis.times_ns - times * 1e9).max() < 2_000
    assert ecg.units == ("mV",) and np.allclose(ecg.values[:, 0], values[:, 0] / 1000)
    assert eda.units == ("uS",) and np.array_equal(eda.values[:, 0], values[:, 1])
    marks = open_stream(StreamEntry(name="m", kind="markers", file="r.xdf"), tmp_path, None)
    assert isinstance(marks, Marks)
    assert [(row.onset_ns, row.label) for row in marks.rows] == [(1_000_500_000_000, "go"), (1_001_250_000_000, "stop")]
    tracks = probe(tmp_path / "r.xdf").tracks
    assert [(track.track, track.kind, track.n) for track in tracks] == [
        ("amp", "ecg", 500), ("amp", "eda", 500), ("stim", "markers", 2),
    ]  # fmt: skip
    assert tracks[0].start_s == pytest.approx(1000, abs=1e-3)
    with pytest.raises(MissingTrackError, match=r"one of amp, stim\. Did you mean 'amp'"):
        signal(tmp_path, "ecg", track="amb")
    with pytest.raises(ManifestError, match="words"):
        signal(tmp_path, "ecg", track="stim")


def one_stream(path: Path, times: np.ndarray, rate: float = 100.0, extra: bytes = b"") -> None:
    values = np.arange(len(times), dtype=np.float32)[:, None]
    path.write_bytes(HEAD + header(7, "amp", "float32", rate, ["ECG"], ["mV"]) + samples(7, times, values) + extra)


def test_a_gap_stays_a_gap(tmp_path: Path) -> None:
    times = 50 + np.arange(400) / 100
    times[200:] += 3.0
    one_stream(tmp_path / "r.xdf", times)
    stream = signal(tmp_path, "ecg")
    assert np.array_equal(stream.axis.times_ns, np.rint(times * 1e9).astype(np.int64)), "time stamps are kept"
    assert [(span.start_ns, span.duration_ns) for span in stream.support] == [
        (50_000_000_000, 2_000_000_000), (55_000_000_000, 2_000_000_000),
    ]  # fmt: skip
    assert any("2 segments" in note for note in stream.info.notes)


def test_jitter_is_kept_while_time_runs_forwards(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    times = 10 + np.arange(300) / 100 + rng.uniform(-0.004, 0.004, 300)
    one_stream(tmp_path / "r.xdf", times)
    stream = signal(tmp_path, "ecg")
    assert isinstance(stream.axis, Explicit)
    assert np.array_equal(stream.axis.times_ns, np.rint(times * 1e9).astype(np.int64))


def test_jitter_that_goes_backwards_costs_no_sample(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth = 10 + np.arange(300) / 100
    one_stream(tmp_path / "r.xdf", truth + rng.uniform(-0.02, 0.02, 300))
    stream = signal(tmp_path, "ecg")
    assert stream.axis.n == 300 and np.array_equal(stream.values[:, 0], np.arange(300))
    assert np.abs(stream.axis.times_ns / 1e9 - truth).max() < 0.005
    assert any("went backwards by jitter" in note for note in stream.info.notes)


def test_a_clock_reset_is_mapped_piece_by_piece(tmp_path: Path) -> None:
    """The device restarts after 60 s: its clock begins anew, the offsets say where that lies."""
    first, second = 5000 + np.arange(6000) / 100, 20 + np.arange(6000) / 100
    offsets = b"".join(offset(7, 5000 + 5 * k, -4000.0) for k in range(13))
    offsets += b"".join(offset(7, 20 + 5 * k, 1080.0) for k in range(13))
    one_stream(tmp_path / "r.xdf", np.r_[first, second], extra=offsets)
    stream = signal(tmp_path, "ecg")
    truth = np.r_[first - 4000, second + 1080]
    assert stream.axis.n == 12_000 and np.abs(stream.axis.times_ns / 1e9 - truth).max() < 1e-3
    assert len(stream.support) == 2


def test_same_names_need_numbers_and_empty_streams_say_so(tmp_path: Path) -> None:
    data = HEAD + b"".join(header(k, "amp", "float32", 100, ["ECG"], ["mV"]) for k in (3, 4))
    (tmp_path / "r.xdf").write_bytes(data + samples(4, np.arange(5) / 100, np.ones((5, 1))))
    assert {track.track for track in probe(tmp_path / "r.xdf").tracks} == {3, 4}
    assert signal(tmp_path, "ecg", track=4).axis.n == 5
    with pytest.raises(ManifestError, match="numbers 3, 4"):
        signal(tmp_path, "ecg", track="amp")
    with pytest.raises(UnreadableFileError, match="empty"):
        signal(tmp_path, "ecg", track=3)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4, 0.7, 0.99])
def test_a_cut_off_file_gives_what_lies_before_the_cut(tmp_path: Path, share: float) -> None:
    two_streams(tmp_path / "whole.xdf")
    data = (tmp_path / "whole.xdf").read_bytes()
    (tmp_path / "r.xdf").write_bytes(data[: int(len(data) * share)])
    try:
        stream = signal(tmp_path, "ecg", track="amp")
    except UnreadableFileError as error:
        assert share < 0.1, "the first samples lie before"
        assert "r.xdf" in str(error)
        return
    assert abs(stream.axis.n - 500 * share) < 100, "cut within a chunk: its whole samples are saved"
    assert any("broken at byte" in note for note in stream.info.notes)


def test_hostile_bytes_only_ever_raise_our_errors(tmp_path: Path) -> None:
    two_streams(tmp_path / "whole.xdf")
    data = np.frombuffer((tmp_path / "whole.xdf").read_bytes(), np.uint8)
    rng = np.random.default_rng(11)
    read = 0
    for attempt in range(80):
        hurt = data.copy()
        at = rng.integers(0, len(hurt) if attempt % 2 else 1500, 1 + attempt // 8)
        hurt[at] = rng.integers(0, 256, len(at))
        (tmp_path / "r.xdf").write_bytes(hurt.tobytes())
        for kind in ("ecg", "markers"):
            try:
                stream = open_stream(
                    StreamEntry.model_validate({"name": "s", "kind": kind, "file": "r.xdf"}), tmp_path, None
                )
            except TelltaleError:
                continue
            read += 1
            if isinstance(stream, Signal):
                assert len(stream.values) == stream.axis.n and np.isfinite(stream.values[stream.mask]).all()
            else:
                assert isinstance(stream, Marks) and all(isinstance(row.label, str) for row in stream.rows)
    assert 0 < read < 160, "some damage is survived, some is not"
