"""Damaged XDF files, clock offsets with drift and resets, streams recorded twice: simulated with known truth."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import TelltaleError
from data_schemas.session import StreamEntry
from data_schemas.stream import Marks, Signal
from modalities.readers import open_stream, probe
from modalities.readers.xdf import clock_of
from modalities.readers.xdf_clock import clock_lines, to_recorder
from modalities.readers.xdf_stamps import lay_stamps
from pipeline.simulate.xdf import DeviceClock, SimulatedStream, write_xdf

VALUES = np.arange(2000.0).reshape(-1, 2)
LSL = 10 + np.arange(1000) / 50


def opened(path: Path, kind: str = "ecg", **values: object) -> Signal | Marks:
    entry = StreamEntry.model_validate({"name": "s", "kind": kind, "file": path.name, **values})
    stream = open_stream(entry, path.parent, None)
    assert isinstance(stream, Signal | Marks)
    return stream


def amp(**values: object) -> SimulatedStream:
    fields: dict[str, object] = {"rate_hz": 50.0, "labels": ("ECG", "EDA"), **values}
    return SimulatedStream("amp", "ECG", LSL, VALUES, **fields)  # type: ignore[arg-type]


def stim() -> SimulatedStream:
    words = [f"word {at}" for at in range(18)]
    return SimulatedStream("stim", "Markers", np.linspace(11, 29, 18), words, format="string", labels=("code",))


@pytest.mark.parametrize("deduced", [False, True])
def test_a_file_cut_anywhere_gives_every_whole_sample_before_the_cut(tmp_path: Path, deduced: bool) -> None:
    write_xdf(tmp_path / "w.xdf", [amp(deduced=deduced), stim()])
    data = (tmp_path / "w.xdf").read_bytes()
    row = [values.astype("<f4").tobytes() for values in VALUES]
    for cut in [len(data) * tenth // 10 for tenth in range(1, 10)] + list(range(4000, 4040, 3)):
        path = tmp_path / f"c{cut}.xdf"
        path.write_bytes(data[:cut])
        stream = opened(path, track="amp")
        there = max(at + 1 for at in range(1000) if row[at] in data[:cut])
        assert isinstance(stream, Signal) and stream.axis.n == there
        assert np.array_equal(stream.values[:, 0], VALUES[:there, 0])
        notes = probe(path).notes
        assert "bytes were lost" in notes[0] or "not closed" in notes[0] or cut > 0.95 * len(data)
        marks = data[:cut].count(b"word ")
        if marks > 1:
            words = opened(path, "markers")
            assert isinstance(words, Marks) and len(words.rows) in (marks, marks - 1)


def test_a_cut_within_a_header_leaves_the_other_streams(tmp_path: Path) -> None:
    write_xdf(tmp_path / "w.xdf", [amp(), stim()])
    data = (tmp_path / "w.xdf").read_bytes()
    (tmp_path / "c.xdf").write_bytes(data[: data.index(b"<name>stim") + 6])
    assert [track.track for track in probe(tmp_path / "c.xdf").tracks] == ["amp", "amp"]
    (tmp_path / "d.xdf").write_bytes(data[: data.index(b"<name>amp")])
    with pytest.raises(TelltaleError, match="holds no stream") as caught:
        probe(tmp_path / "d.xdf")
    assert "\n" not in str(caught.value)


def test_damage_in_the_middle_costs_what_it_hits(tmp_path: Path) -> None:
    write_xdf(tmp_path / "w.xdf", [amp(), stim()])
    data = bytearray((tmp_path / "w.xdf").read_bytes())
    at = data.index(VALUES[400].astype("<f4").tobytes())
    data[at : at + 300] = b"\xff" * 300
    (tmp_path / "h.xdf").write_bytes(bytes(data))
    stream = opened(tmp_path / "h.xdf", track="amp")
    assert isinstance(stream, Signal) and 900 < stream.axis.n < 990
    assert any("of 1000 samples were saved" in note for note in stream.info.notes)
    assert set(stream.values[stream.mask[:, 0], 0].tolist()) <= set(VALUES[:, 0].tolist())


def test_a_packed_file_that_is_cut_off_gives_what_can_be_unpacked(tmp_path: Path) -> None:
    write_xdf(tmp_path / "w.xdf", [amp()])
    packed = gzip.compress((tmp_path / "w.xdf").read_bytes(), mtime=0)
    (tmp_path / "c.xdfz").write_bytes(packed[: len(packed) // 2])
    assert 300 < opened(tmp_path / "c.xdfz").axis.n < 700
    (tmp_path / "w.xdfz").write_bytes(packed)
    assert opened(tmp_path / "w.xdfz").axis.n == 1000


def test_drift_and_resets_are_taken_out(tmp_path: Path) -> None:
    lsl = np.r_[np.arange(3000), np.arange(4500, 7500)] / 25 + 10
    clock = DeviceClock((-3000.0, 40.0), (60.0, -35.0), (150.0,), noise_s=3e-4)
    stream = SimulatedStream("amp", "ECG", lsl, np.arange(6000)[:, None], 25.0, labels=("ECG",), clock=clock)
    write_xdf(tmp_path / "r.xdf", [stream])
    found = opened(tmp_path / "r.xdf")
    assert found.axis.n == 6000 and np.abs(found.axis.times_ns / 1e9 - lsl).max() < 1e-3
    assert len(found.support) == 2 and any("reset 1 time" in note for note in found.info.notes)
    for line, drift in zip(clock_of(tmp_path / "r.xdf", "amp"), (60.0, -35.0), strict=True):
        assert abs(line.drift_ppm - drift) < line.drift_ci95_ppm + 2 and line.ci95_s < 1e-3


def test_a_step_of_the_clock_without_a_pause_is_a_reset_and_a_lone_offset_is_none() -> None:
    times = np.arange(0, 300, 5.0)
    values = np.where(times < 150, 10.0, 10.5) + 1e-4 * np.sin(times)
    stamps = np.arange(0, 300, 0.1)
    stamps = np.where(stamps < 149, stamps, stamps - 0.5)
    lines = clock_lines(times, values)
    assert [round(line.offset_s, 2) for line in lines] == [10.0, 10.5]
    mapped, spans = to_recorder(stamps, lines)
    assert len(spans) == 2 and np.abs(np.diff(mapped) - 0.1).max() < 2e-3
    values[20] = -7000.0
    assert len(clock_lines(times, values)) == 2
    lone = clock_lines(np.r_[times, 9e4], np.r_[values, 77.0])
    assert len(lone) == 3 and len(to_recorder(stamps, lone)[1]) == 2, "no sample lies near the last offset"


def test_a_camera_is_never_put_on_one_straight_line() -> None:
    rng = np.random.default_rng(5)
    kept = np.flatnonzero(rng.random(600) > 0.05)
    truth = kept / 30
    stamps = truth + rng.uniform(-0.02, 0.02, len(truth))
    assert np.any(np.diff(stamps) <= 0)
    for steady in (False, True):
        laid = lay_stamps(stamps, [], 30.0, steady=steady)
        assert np.all(np.diff(laid.times_ns) > 0)
        assert np.abs(laid.times_ns / 1e9 - truth).max() < 0.03
        assert "between its neighbours" in laid.notes[0]
    line = np.polyval(np.polyfit(np.arange(len(truth)), truth, 1), np.arange(len(truth)))
    assert np.abs(line - truth).max() > 0.05, "one straight line would be worse"


def test_a_stream_recorded_twice_is_found_and_the_longer_one_named(tmp_path: Path) -> None:
    half = SimulatedStream("amp", "ECG", LSL[300:], VALUES[300:], 50.0, labels=("ECG", "EDA"))
    other = SimulatedStream("amp", "ECG", LSL, VALUES[::-1], 50.0, labels=("ECG", "EDA"), source_id="second")
    write_xdf(tmp_path / "r.xdf", [half, amp(), other])
    notes = [note for note in probe(tmp_path / "r.xdf").notes if "twice" in note]
    assert len(notes) == 1 and "as 1 and 2: 700 samples" in notes[0] and "use 2" in notes[0]
    assert any("twice" in note for note in opened(tmp_path / "r.xdf", track=1).info.notes)
    assert not any("twice" in note for note in opened(tmp_path / "r.xdf", track=3).info.notes)


def test_a_stream_that_was_resumed_is_said_to_go_on(tmp_path: Path) -> None:
    parts = [
        SimulatedStream("amp", "ECG", LSL[a:b], VALUES[a:b], 50.0, labels=("ECG", "EDA"))
        for a, b in ((0, 400), (600, 1000))
    ]
    write_xdf(tmp_path / "r.xdf", parts)
    assert any("broke off and was resumed: 2 goes on 4.0 s" in note for note in probe(tmp_path / "r.xdf").notes)


def test_the_shared_recordings(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "xdf"
    entry = StreamEntry(name="s", kind="ecg", file="clock_resets.xdf", track="BioSemi", columns=["channel_1"])
    stream = open_stream(entry, folder, None)
    assert len(stream.support) == 2 and any("effective rate 92.93 Hz" in note for note in stream.info.notes)
    assert not stream.support.contains(np.arange(1_000, 1_200) * 1_000_000_000).any()
    with pytest.raises(TelltaleError, match="broken at byte") as caught:
        probe(folder / "chunk_length_lie.xdf")
    assert "\n" not in str(caught.value)
    for path in sorted(folder.glob("*.xdf")):
        data, before = path.read_bytes(), 0
        for tenth in range(10):
            cut = tmp_path / f"{path.stem}{tenth}.xdf"
            cut.write_bytes(data[: len(data) * tenth // 10])
            try:
                samples = sum(track.n or 0 for track in {track.track: track for track in probe(cut).tracks}.values())
            except TelltaleError:
                assert not before
                continue
            assert samples >= before
            before = samples
            for track in {track.track for track in probe(cut).tracks}:
                for kind in ("ecg", "markers"):
                    try:
                        opened(cut, kind, track=track)
                    except TelltaleError as error:
                        assert "\n" not in str(error)
