"""EDF, BrainVision, WFDB, Empatica, BIDS and OpenSignals files written here and read back."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import wfdb

from data_schemas.errors import ManifestError, MissingTrackError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Marks, Signal
from data_schemas.time import Regular
from modalities.readers import open_stream, probe


def opened(root: Path, kind: str, file: str, **values: object) -> Signal | Marks:
    stream = open_stream(StreamEntry.model_validate({"name": "s", "kind": kind, "file": file, **values}), root, "p01")
    assert isinstance(stream, Signal | Marks)
    return stream


def signal(root: Path, kind: str, file: str, **values: object) -> Signal:
    stream = opened(root, kind, file, **values)
    assert isinstance(stream, Signal)
    return stream


def write_edf(
    path: Path, channels: list[tuple[str, str, int, np.ndarray]], texts: list[tuple[float, str]] | None = None
) -> None:
    """EDF+C with one-second records; channels are (label, unit, samples per second, integers as stored)."""
    records = len(channels[0][3]) // channels[0][2]
    rows = [(label, unit, rate, data.astype("<i2")) for label, unit, rate, data in channels]
    notes = []
    for at in range(records):
        text = f"+{at}\x14\x14\x00"
        text += "".join(f"+{t}\x14{word}\x14\x00" for t, word in texts or [] if int(t) == at)
        notes.append(text.encode().ljust(120, b"\x00"))
    fields: list[tuple[int, list[str]]] = [
        (16, [row[0] for row in rows] + ["EDF Annotations"]), (80, [""] * (len(rows) + 1)),
        (8, [row[1] for row in rows] + [""]), (8, ["-3276.8"] * len(rows) + ["-1"]),
        (8, ["3276.7"] * len(rows) + ["1"]),
        (8, ["-32768"] * (len(rows) + 1)), (8, ["32767"] * (len(rows) + 1)), (80, [""] * (len(rows) + 1)),
        (8, [str(row[2]) for row in rows] + ["60"]), (32, [""] * (len(rows) + 1)),
    ]  # fmt: skip
    head = "0".ljust(8) + "X X X X".ljust(80) + "Startdate 02-FEB-2021 X X X".ljust(80) + "02.02.2110.20.30"
    head += str(256 * (len(rows) + 2)).ljust(8) + "EDF+C".ljust(44) + str(records).ljust(8) + "1".ljust(8)
    head += str(len(rows) + 1).ljust(4) + "".join(text.ljust(width) for width, texts_ in fields for text in texts_)
    body = b"".join(
        b"".join(row[3][at * row[2] : (at + 1) * row[2]].tobytes() for row in rows) + notes[at] for at in range(records)
    )
    path.write_bytes(head.encode("ascii") + body)


def edf_session(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    ecg, eda = rng.integers(-20000, 20000, 5 * 250), rng.integers(0, 3000, 5 * 4)
    write_edf(path, [("ECG II", "uV", 250, ecg), ("GSR", "uS", 4, eda)], [(1.5, "start"), (3.25, "Prüfung")])
    return ecg, eda


def test_edf_keeps_each_channel_at_its_own_rate(tmp_path: Path) -> None:
    ecg, eda = edf_session(tmp_path / "r.edf")
    heart, skin = signal(tmp_path, "ecg", "r.edf"), signal(tmp_path, "eda", "r.edf")
    assert heart.axis == Regular.from_rate(250, 1250) and skin.axis == Regular.from_rate(4, 20)
    assert heart.units == ("mV",) and np.allclose(heart.values[:, 0], ecg / 10 / 1000, atol=1e-9)
    assert skin.units == ("uS",) and np.allclose(skin.values[:, 0], eda / 10, atol=1e-9)
    assert heart.info.wall_start == datetime(2021, 2, 2, 10, 20, 30, tzinfo=UTC)
    marks = opened(tmp_path, "markers", "r.edf", track="annotations")
    assert isinstance(marks, Marks)
    assert [(row.onset_ns, row.label) for row in marks.rows] == [(1_500_000_000, "start"), (3_250_000_000, "Prüfung")]
    kinds = {(track.track, track.kind, track.rate_hz) for track in probe(tmp_path / "r.edf").tracks}
    assert kinds == {(None, "ecg", 250.0), (None, "eda", 4.0), ("annotations", "markers", None)}
    with pytest.raises(ManifestError, match="one rate"):
        signal(tmp_path, "ecg", "r.edf", columns=["ECG II", "GSR"])
    with pytest.raises(MissingTrackError, match="ECG II, GSR"):
        signal(tmp_path, "ecg", "r.edf", columns=["EMG"])


def test_edf_under_another_name_and_cut_off(tmp_path: Path) -> None:
    ecg, _ = edf_session(tmp_path / "r.edf")
    data = (tmp_path / "r.edf").read_bytes()
    (tmp_path / "r.rec").write_bytes(data)
    assert np.allclose(signal(tmp_path, "ecg", "r.rec").values[:, 0], ecg / 10_000, atol=1e-9)
    (tmp_path / "cut.edf").write_bytes(data[: len(data) - 700])
    cut = signal(tmp_path, "ecg", "cut.edf")
    assert cut.axis.n == 750 and any("5 data records, 3 are there" in note for note in cut.info.notes)
    for length in (10, 300, 900, 1100):
        (tmp_path / "short.edf").write_bytes(data[:length])
        with pytest.raises(UnreadableFileError, match="short"):
            signal(tmp_path, "ecg", "short.edf")


def test_brainvision(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(-3000, 3000, (500, 2)).astype("<i2")
    (tmp_path / "b.eeg").write_bytes(values.tobytes())
    (tmp_path / "b.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=b.eeg\n"
        "MarkerFile=b.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=2000\n"
        "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=ECG,,0.5,µV\nCh2=GSR,,0.01,µS\n",
        encoding="utf-8",
    )
    (tmp_path / "b.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=b.eeg\n"
        "[Marker Infos]\n"
        "Mk1=New Segment,,1,1,0,20210202102030000000\nMk2=Stimulus,S  1,101,1,0\n",
        encoding="utf-8",
    )
    heart, skin = signal(tmp_path, "ecg", "b.vhdr"), signal(tmp_path, "eda", "b.eeg")
    assert heart.axis == Regular.from_rate(500, 500)
    assert np.allclose(heart.values[:, 0], values[:, 0] * 0.5 / 1000) and heart.units == ("mV",)
    assert np.allclose(skin.values[:, 0], values[:, 1] * 0.01) and skin.units == ("uS",)
    marks = opened(tmp_path, "markers", "b.vhdr")
    assert isinstance(marks, Marks) and any(row.onset_ns == 200_000_000 and "S  1" in row.label for row in marks.rows)
    (tmp_path / "b.eeg").unlink()
    with pytest.raises(UnreadableFileError, match="BrainVision"):
        signal(tmp_path, "ecg", "b.vhdr")


def test_wfdb_record_and_annotations(tmp_path: Path) -> None:
    t = np.arange(3000) / 250
    ecg, resp = np.sin(2 * np.pi * t), 0.3 * np.cos(2 * np.pi * 0.2 * t)
    ecg[100:110] = np.nan
    wfdb.wrsamp(
        "rec", fs=250, units=["mV", "V"], sig_name=["II", "RESP"], p_signal=np.stack([ecg, resp], 1), fmt=["16", "16"],
        write_dir=str(tmp_path),
    )  # fmt: skip
    wfdb.wrann(
        "rec",
        "atr",
        np.array([25, 500, 1000]),
        symbol=["+", "N", "V"],
        aux_note=["(N", "", ""],
        write_dir=str(tmp_path),
    )
    stream = signal(tmp_path, "ecg", "rec.hea")
    assert stream.axis == Regular.from_rate(250, 3000) and stream.units == ("mV",)
    assert np.flatnonzero(~stream.mask[:, 0]).tolist() == list(range(100, 110))
    assert np.abs(stream.values[stream.mask[:, 0], 0] - ecg[~np.isnan(ecg)]).max() < 1e-3
    assert np.abs(signal(tmp_path, "respiration", "rec.dat").values[:, 0] - resp).max() < 1e-3
    marks = opened(tmp_path, "markers", "rec.hea", track="atr")
    assert isinstance(marks, Marks)
    told = [(row.onset_ns, row.label, row.columns["beat"]) for row in marks.rows]
    assert told == [(100_000_000, "+", False), (2_000_000_000, "N", True), (4_000_000_000, "V", True)]
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(UnreadableFileError, match=r"rec\.dat"):
        signal(tmp_path, "ecg", "rec.hea")


def write_e4(folder: Path) -> None:
    folder.mkdir()
    start = 1_560_279_825
    (folder / "EDA.csv").write_text(f"{start}.0\n4.0\n" + "".join(f"{k / 10}\n" for k in range(40)))
    (folder / "ACC.csv").write_text(f"{start}.0,{start}.0,{start}.0\n32.0,32.0,32.0\n" + "64,0,-32\n" * 320)
    (folder / "TEMP.csv").write_text(f"{start + 1}.5\n4.0\n" + "33.5\n" * 20)
    (folder / "IBI.csv").write_text(f"{start}.0, IBI\n3.5,0.75\n4.25,0.80\n")
    (folder / "tags.csv").write_text(f"{start + 2}.25\n{start + 7}.00\n")


def test_empatica_folder(tmp_path: Path) -> None:
    write_e4(tmp_path / "e4")
    eda = signal(tmp_path, "eda", "e4")
    assert eda.axis == Regular.from_rate(4, 40) and eda.values[:3, 0] == pytest.approx([0, 0.1, 0.2])
    assert eda.info.wall_start == datetime.fromtimestamp(1_560_279_825, UTC)
    acc = signal(tmp_path, "acceleration", "e4", track="ACC")
    assert acc.columns == ("x", "y", "z") and acc.units == ("g",) * 3 and acc.values[0].tolist() == [1.0, 0.0, -0.5]
    assert signal(tmp_path, "temperature", "e4").axis == Regular.from_rate(4, 20, 1_500_000_000)
    assert signal(tmp_path, "eda", "e4/EDA.csv").axis == eda.axis
    tags = opened(tmp_path, "markers", "e4")
    assert isinstance(tags, Marks) and tags.onsets_ns.tolist() == [2_250_000_000, 7_000_000_000]
    beats = opened(tmp_path, "markers", "e4", track="IBI")
    assert isinstance(beats, Marks) and beats.rows[1].columns == {"ibi_s": 0.80}
    (tmp_path / "e4" / "tags.csv").write_text("")
    empty = opened(tmp_path, "markers", "e4", track="tags")
    assert isinstance(empty, Marks) and not empty.rows
    assert empty.support.total_ns == 10_000_000_000, "that nobody pressed the button is known for the whole recording"
    with pytest.raises(MissingTrackError, match="EDA"):
        signal(tmp_path, "ppg", "e4")


def test_bids_physio(tmp_path: Path) -> None:
    rows = "".join(f"{k / 10}\t{k}\t{int(k > 5)}\n" for k in range(20)).replace("1.0\t10", "n/a\t10")
    (tmp_path / "sub-01_physio.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    fields = {
        "SamplingFrequency": 50, "StartTime": -2.5, "Columns": ["cardiac", "respiratory", "trigger"],
        "cardiac": {"Units": "mV"},
    }  # fmt: skip
    (tmp_path / "sub-01_physio.json").write_text(json.dumps(fields))
    heart = signal(tmp_path, "ecg", "sub-01_physio.tsv.gz")
    assert heart.axis == Regular.from_rate(50, 20, -2_500_000_000) and heart.units == ("mV",)
    assert np.flatnonzero(~heart.mask[:, 0]).tolist() == [10]
    tracks = probe(tmp_path / "sub-01_physio.tsv.gz").tracks
    assert [(track.kind, track.n, track.start_s) for track in tracks] == [
        ("ecg", 20, -2.5), ("respiration", 20, -2.5), ("pulse", 20, -2.5),
    ]  # fmt: skip
    (tmp_path / "sub-01_physio.json").write_text("{}")
    with pytest.raises(UnreadableFileError, match="Columns"):
        signal(tmp_path, "ecg", "sub-01_physio.tsv.gz")
    (tmp_path / "sub-01_physio.json").unlink()
    with pytest.raises(UnreadableFileError, match="not beside it"):
        signal(tmp_path, "ecg", "sub-01_physio.tsv.gz")


def write_opensignals(path: Path, device: str, counter: list[int]) -> None:
    fields = {
        "device": device, "column": ["nSeq", "I1", "A1", "A2", "A3"], "sensor": ["ECG", "EDA", "XYZ"],
        "label": ["A1", "A2", "A3"], "resolution": [10, 10, 10], "sampling rate": 100, "date": "2020-3-1",
        "time": "9:05:7.250",
    }  # fmt: skip
    head = "# OpenSignals Text File Format\n# " + json.dumps({"aa:bb": fields}) + "\n# EndOfHeader\n"
    path.write_text(head + "".join(f"{n}\t{n % 2}\t{512 + n % 16}\t256\t600\t\n" for n in counter))


def test_opensignals_converts_what_its_header_explains(tmp_path: Path) -> None:
    write_opensignals(tmp_path / "o.txt", "bitalino_rev", [k % 16 for k in range(64)])
    heart = signal(tmp_path, "ecg", "o.txt")
    assert heart.axis == Regular.from_rate(100, 64) and heart.units == ("mV",) and heart.columns == ("A1",)
    assert heart.values[1, 0] == pytest.approx(1 / 1024 * 3.3 / 1100 * 1000)
    assert signal(tmp_path, "eda", "o.txt").values[0, 0] == pytest.approx(0.25 * 3.3 / 0.132)
    assert signal(tmp_path, "acceleration", "o.txt").units == ("adc",)
    assert heart.info.wall_start == datetime(2020, 3, 1, 9, 5, 7, 250_000)
    assert heart.info.notes == ()
    assert any(track.kind == "acceleration" for track in probe(tmp_path / "o.txt").tracks)
    write_opensignals(tmp_path / "x.txt", "unheard_of", [k % 16 for k in range(64)])
    assert signal(tmp_path, "ecg", "x.txt").units == ("adc",) and signal(tmp_path, "ecg", "x.txt").values[1, 0] == 513
    write_opensignals(tmp_path / "lost.txt", "bitalino_rev", [k % 16 for k in range(64) if k not in (20, 21, 40)])
    assert any("3 samples were lost" in note for note in signal(tmp_path, "ecg", "lost.txt").info.notes)
    (tmp_path / "head.txt").write_text("# OpenSignals Text File Format\n# {}\n")
    with pytest.raises(UnreadableFileError, match="header"):
        signal(tmp_path, "ecg", "head.txt")


def test_damaged_edf_only_ever_raises_our_errors(tmp_path: Path) -> None:
    edf_session(tmp_path / "whole.edf")
    data = np.frombuffer((tmp_path / "whole.edf").read_bytes(), np.uint8)
    rng = np.random.default_rng(5)
    read = 0
    for attempt in range(40):
        hurt = data.copy()
        at = rng.integers(0, len(hurt) if attempt % 2 else 1024, 1 + attempt // 4)
        hurt[at] = rng.integers(0, 256, len(at))
        (tmp_path / "r.edf").write_bytes(hurt.tobytes())
        for kind, track in (("ecg", None), ("markers", "annotations")):
            try:
                stream = opened(tmp_path, kind, "r.edf", track=track)
            except TelltaleError:
                continue
            read += 1
            if isinstance(stream, Signal):
                assert stream.values.shape == stream.mask.shape == (stream.axis.n, 1)
                assert np.isfinite(stream.values[stream.mask]).all()
            else:
                assert isinstance(stream, Marks)
                assert all(isinstance(row.label, str) for row in stream.rows)
    assert 0 < read < 80, "some damage is survived, some is not"
